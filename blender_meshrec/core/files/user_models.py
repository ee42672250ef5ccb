"""Model files that users bring and keep under a name: SMPL-family bodies and SKEL bodies, in a folder of their own."""

import re
import shutil
from pathlib import Path

from ..errors import InputError, ModelError
from ..skel.template import load_skel
from .body_template import load_body
from .output_file import atomic_write
from .user_folders import data_folder

_NAME = re.compile(r"[\w.-]+")


def user_models_folder():
    """Where they are kept; it may not exist yet."""
    return data_folder() / "models"


def user_models():
    """Name -> path of the files kept, by name."""
    folder = user_models_folder()
    return {path.stem: path for path in sorted(folder.glob("*")) if path.suffix in (".npz", ".pkl")} if folder.is_dir() else {}


def resolve_model_path(source):
    """The path of the file kept under a name; any other source, a path or "open", as it is."""
    if source is None or source == "open" or Path(source).exists():
        return source
    return str(user_models().get(str(source), source))


def add_user_model(path, name=None):
    """Keep a copy of a body file, once it has been read whole without anything in it being executed.

    Args:
        path: an SMPL, SMPL-H, SMPL-X or SKEL file. name: what it is called from now on; the file's own name by default. A file
            already kept under this name is replaced.

    Returns:
        its name, and "body" or "skel".

    Raises:
        ModelError: the file is neither. InputError: the name cannot be one. OutputError: the folder cannot be written.
    """
    path, name = Path(path), name or Path(path).stem
    if not _NAME.fullmatch(name) or name == "open" or name.startswith("."):
        raise InputError(
            "model-name-invalid",
            "{name} cannot be a model's name.",
            "Choose letters, digits, dots, dashes and underscores; not `open`.",
            name=name,
        )
    kind = _kind_of(path)
    target = user_models_folder() / f"{name}{path.suffix.lower()}"
    earlier = user_models().get(name)
    with atomic_write(target) as temporary:
        shutil.copyfile(path, temporary)
    if earlier and earlier != target:
        earlier.unlink()
    return name, kind


def _kind_of(path):
    try:
        load_body(path)
        return "body"
    except ModelError as not_a_body:
        try:
            load_skel(path)
            return "skel"
        except ModelError as not_skel:
            # What a SKEL file is told by its name; whatever else it is, it is no body.
            raise (not_skel if "skel" in path.name.lower() else not_a_body) from None
