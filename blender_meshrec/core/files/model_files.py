"""The model files of `addon_models`: their folders, and their integrity by sha256."""

import hashlib
import os
import tomllib
from functools import lru_cache
from pathlib import Path, PureWindowsPath
from typing import NamedTuple

from ..errors import ModelError

WEIGHTS_LIST = "weights.toml"
_MAX_LIST_BYTES = 1 << 20
_REMEDY = "Run `python3 build.py setup` in a checkout, or install the add-on again from its zip."
_PACKAGE = Path(__file__).resolve().parents[2]


class ListedModel(NamedTuple):
    """A model file named in a weights list: its entry there, and its path or the error that makes it unusable."""

    entry: dict[str, str]
    path: Path | None
    error: ModelError | None

    @property
    def is_left_out(self) -> bool:
        """Whether the file is optional and not installed."""
        return "optional" in self.entry and self.error is not None and self.error.name == "model-file-missing"


def model_folders() -> list[Path]:
    """Folders of model files, in search order: MESHREC_MODELS, inside the package (extension), beside it (checkout)."""
    chosen = os.environ.get("MESHREC_MODELS")
    return ([Path(chosen)] if chosen else []) + [_PACKAGE / "addon_models", _PACKAGE.parent / "addon_models"]


def model_file(name: str) -> Path:
    """The path of a model file, checked against the sha256 in the folder's weights list.

    Raises:
        ModelError: no folder has the file, or its sha256 differs.
    """
    for folder in model_folders():
        path = folder / name
        if path.is_file():
            expected = _read_weights_list(folder / WEIGHTS_LIST).get(name, {}).get("sha256")
            if expected and _sha256(path, path.stat().st_mtime_ns, path.stat().st_size) != expected:
                raise ModelError("model-file-damaged", "The model file {name} is damaged.", _REMEDY, name=path)
            return path
    raise ModelError("model-file-missing", "The model file {name} is missing.", _REMEDY, name=name)


def listed_models() -> list[ListedModel]:
    """The model files that the folders' weights lists name."""
    entries: dict[str, dict[str, str]] = {}
    for folder in model_folders():
        entries = {**_read_weights_list(folder / WEIGHTS_LIST), **entries}
    models = []
    for name, entry in entries.items():
        try:
            models.append(ListedModel(entry, model_file(name), None))
        except ModelError as error:
            models.append(ListedModel(entry, None, error))
    return models


def _read_weights_list(path: Path) -> dict[str, dict[str, str]]:
    """File name -> entry of a weights list; empty where there is no list. Raises ModelError: it is damaged."""
    if not path.is_file():
        return {}
    try:
        if path.stat().st_size > _MAX_LIST_BYTES:
            raise ValueError("too large")
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("weights", [])
        if not isinstance(entries, list) or not all(map(_is_entry, entries)):
            raise ValueError("no list of model files")
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError("weights-list-damaged", "The list of model files {path} is damaged.", _REMEDY, path=path) from error
    return {entry["file"]: {"source": "", "licence": "", **entry} for entry in entries}


def _is_entry(entry: object) -> bool:
    """Whether an entry names a file inside the list's folder, and its values are text."""
    if not isinstance(entry, dict) or not all(isinstance(value, str) for value in entry.values()):
        return False
    name = entry.get("file", "")
    # By the rules of Windows, where a drive, a root or a server leads elsewhere, and backslashes separate: those of POSIX are among them.
    path = PureWindowsPath(name)
    return bool(name) and "\0" not in name and not path.anchor and ".." not in path.parts


@lru_cache(maxsize=64)
def _sha256(path: Path, _modified_ns: int, _size: int) -> str:
    # The date and size are part of the cache's key, so that a changed file is hashed again.
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
