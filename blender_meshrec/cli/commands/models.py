"""`meshrec models`: what ships, where it comes from, and whether it is whole; and what a user has brought."""

from ...core.errors import ExitCode, InputError, ModelError
from ...core.files.model_files import listed_models
from ...core.files.user_models import add_user_model, user_models, user_models_folder


def run(options, console):
    """`list` tells of every model; `verify` compares each with its checksum and fails where one does not agree; `add` keeps a file."""
    if options.action == "add":
        return add_model(options, console)
    models = listed_models()
    if not models:
        raise ModelError("model-list-missing", "The list of model files is missing.", "Install the software again.")
    if options.action == "list":
        for entry, path, error in models:
            console.print_result(f"{entry['file']}\n  {path or error.problem}\n  licence {entry['licence']}; from {entry['source']}")
        for name, path in user_models().items():
            console.print_result(f"{name}\n  {path}\n  yours")
        return ExitCode.DONE
    for entry, _path, error in models:
        console.print_result(f"{'ok     ' if error is None else 'FAILED '} {entry['file']}  sha256 {entry.get('sha256', 'not listed')}")
    errors = [error for _entry, _path, error in models if error is not None]
    if errors:
        raise ModelError("models-damaged", "{problems}", errors[0].remedy, problems=" ".join(error.problem for error in errors))
    return ExitCode.DONE


def add_model(options, console):
    """Keep a copy of the user's own body or SKEL file, and say how to ask for it."""
    if not options.file:
        raise InputError(
            "model-file-not-given", "There is no file to add.", "Name an SMPL, SMPL-H, SMPL-X or SKEL file: `meshrec models add FILE`."
        )
    name, kind = add_user_model(options.file, options.name)
    console.print_result(f"{name} is kept in {user_models_folder()}. Ask for it with --{kind} {name}.")
    return ExitCode.DONE
