"""`meshrec models`: what ships, where it comes from, and whether it is whole."""

from ..core.errors import ExitCode, ModelError
from ..core.model_files import listed_models


def run(options, console):
    """`list` tells of every model; `verify` compares each with its checksum and fails where one does not agree."""
    models = listed_models()
    if not models:
        raise ModelError("The list of model files is missing.", "Install the software again.")
    if options.action == "list":
        for entry, path, error in models:
            console.say(f"{entry['file']}\n  {path or error.problem}\n  licence {entry['licence']}; from {entry['source']}")
        return ExitCode.DONE
    for entry, _path, error in models:
        console.say(f"{'ok     ' if error is None else 'FAILED '} {entry['file']}  sha256 {entry.get('sha256', 'not listed')}")
    errors = [error for _entry, _path, error in models if error is not None]
    if errors:
        raise ModelError(" ".join(error.problem for error in errors), errors[0].remedy)
    return ExitCode.DONE
