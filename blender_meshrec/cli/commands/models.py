"""`meshrec models`: list and verify the model files, and add a user's own."""

from argparse import Namespace
from collections.abc import Sequence

from ...core.errors import ExitCode, InputError, ModelError
from ...core.files.model_files import ListedModel, listed_models
from ...core.files.user_models import add_user_model, user_checkpoints, user_models, user_models_folder
from ...core.released_models import SYSTEMS_BY_METHOD
from ..console import Console


def run(options: Namespace, console: Console) -> int:
    """Run the action: `list`, `verify` (compare each file with its checksum; an error if one differs), or `add`."""
    if options.action == "add":
        return add_model(options, console)
    models = listed_models()
    if not models:
        raise ModelError("model-list-missing", "The list of model files is missing.", "Install the software again.")
    if options.action == "list":
        return list_models(models, console)
    return verify_models(models, console)


def list_models(models: Sequence[ListedModel], console: Console) -> int:
    """Print the model files that ship, and the user's own."""
    for entry, path, error in models:
        location = path if path or error is None else error.problem
        console.print_result(f"{entry['file']}\n  {location}\n  licence {entry['licence']}; from {entry['source']}")
    for name, path in user_models().items():
        console.print_result(f"{name}\n  {path}\n  yours")
    for name, (path, kind) in user_checkpoints().items():
        console.print_result(f"{name}\n  {path}\n  yours; {_use_of(kind)}")
    return ExitCode.DONE


def verify_models(models: Sequence[ListedModel], console: Console) -> int:
    """Print whether each model file agrees with its checksum.

    Raises:
        ModelError: a file is missing or differs.
    """
    for model in models:
        state = "ok     " if model.error is None else "absent " if model.is_left_out else "FAILED "
        console.print_result(f"{state} {model.entry['file']}  sha256 {model.entry.get('sha256', 'not listed')}")
    errors = [model.error for model in models if model.error is not None and not model.is_left_out]
    if errors:
        raise ModelError("models-damaged", "{problems}", errors[0].remedy, problems=" ".join(error.problem for error in errors))
    return ExitCode.DONE


def add_model(options: Namespace, console: Console) -> int:
    """Store a copy of the user's own body or SKEL file or of a released checkpoint; print the option that chooses it, and its needs."""
    if not options.file:
        raise InputError(
            "model-file-not-given",
            "There is no file to add.",
            "Name an SMPL, SMPL-H, SMPL-X or SKEL file, or a released checkpoint: `meshrec models add FILE`.",
        )
    name, kind = add_user_model(options.file, options.name)
    option = f"Ask for it with --{kind} {name}." if kind in ("body", "skel") else f"It is used by {_use_of(kind)}."
    console.print_result(f"{name} is kept in {user_models_folder()}. {option}")
    return ExitCode.DONE


def _use_of(kind: str) -> str:
    """The option that uses a kept checkpoint, and what else its method needs."""
    system = SYSTEMS_BY_METHOD.get(kind)
    if system is None:
        return "--method decomr"
    needs = " and ".join(system.needs)
    return f"--method {system.method} ({system.label})" + (f", which also needs {needs}" if needs else "")
