"""Model files that users add under a name, copied to a folder: SMPL-family bodies, SKEL bodies, and released checkpoints."""

import os
import re
import shutil
from pathlib import Path

from ..errors import InputError, ModelError
from ..skel.template import load_skel
from .body_template import load_body
from .model_content import MODEL_SUFFIXES
from .output_file import atomic_write
from .user_checkpoints import add_checkpoint, is_checkpoint, kept_checkpoint_of, kept_checkpoints
from .user_folders import data_folder

_NAME = re.compile(r"[\w.-]+")


def user_models_folder() -> Path:
    """The folder of added model files; it may not exist yet."""
    return data_folder() / "models"


def user_models() -> dict[str, Path]:
    """Name -> path of the added model files, sorted by name."""
    folder = user_models_folder()
    return {path.stem: path for path in sorted(folder.glob("*")) if path.suffix in MODEL_SUFFIXES} if folder.is_dir() else {}


def resolve_model_path(source: str) -> str:
    """The path of the model file added under the name `source`; other sources, a path or "open", stay as they are."""
    if source == "open" or os.path.exists(source):  # False also for a name that is too long
        return source
    return str(user_models().get(source, source))


def user_checkpoints() -> dict[str, tuple[Path, str]]:
    """Name -> path, and method, of the released checkpoints that were added, sorted by name."""
    return kept_checkpoints(user_models_folder())


def user_checkpoint(kind: str) -> Path:
    """The released checkpoint of a method, or DecoMR's data file, that was added. Raises ModelError: there is none."""
    return kept_checkpoint_of(user_models_folder(), kind)


def add_user_model(path: str | Path, name: str | None = None) -> tuple[str, str]:
    """Copy a body file or the network of a checkpoint to the user's models, after checking it. Nothing in the file is executed.

    Args:
        path: an SMPL, SMPL-H, SMPL-X or SKEL file, a released checkpoint (core/released_models.py), or one of DecoMR's data files.
        name: name of the copy; by default the file's own, or the checkpoint's method. A model of the same name is replaced.

    Returns:
        The name, and "body", "skel", or what `add_checkpoint` returns.

    Raises:
        ModelError: the file is none of these. InputError: the name is not allowed. OutputError: the folder cannot be written.
    """
    path = Path(path)
    if is_checkpoint(path):
        return add_checkpoint(path, _allowed_name(name) if name else None, user_models_folder())
    name = _allowed_name(name or path.stem)
    kind = _model_kind(path)
    target = user_models_folder() / f"{name}{path.suffix.lower()}"
    earlier = user_models().get(name)
    with atomic_write(target) as temporary:
        shutil.copyfile(path, temporary)
    if earlier and earlier != target:
        earlier.unlink()
    return name, kind


def _allowed_name(name: str) -> str:
    if not _NAME.fullmatch(name) or name == "open" or name.startswith("."):
        raise InputError(
            "model-name-invalid",
            "{name} cannot be a model's name.",
            "Choose letters, digits, dots, dashes and underscores; not `open`.",
            name=name,
        )
    return name


def _model_kind(path: Path) -> str:
    try:
        load_body(path)
        return "body"
    except ModelError as not_a_body:
        try:
            load_skel(path)
            return "skel"
        except ModelError as not_skel:
            # The file's name decides which of the two errors helps the user.
            raise (not_skel if "skel" in path.name.lower() else not_a_body) from None
