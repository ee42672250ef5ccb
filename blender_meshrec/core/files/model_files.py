"""Where the files of `addon_models` are, and whether they are what they should be."""

import hashlib
import os
import tomllib
from functools import lru_cache
from pathlib import Path

from ..errors import ModelError

WEIGHTS_LIST = "weights.toml"
_PACKAGE = Path(__file__).resolve().parents[2]


def model_folders():
    """Where model files are looked for, in this order: MESHREC_MODELS, inside the package (the extension), beside it (a checkout)."""
    chosen = os.environ.get("MESHREC_MODELS")
    return ([Path(chosen)] if chosen else []) + [_PACKAGE / "addon_models", _PACKAGE.parent / "addon_models"]


def model_file(name):
    """The path of a model file, checked against the sha256 that the folder's list gives for it.

    Raises:
        ModelError: no folder has the file, or it is not the file it should be.
    """
    for folder in model_folders():
        path = folder / name
        if path.is_file():
            expected = _read_weights_list(folder / WEIGHTS_LIST).get(name, {}).get("sha256")
            if expected and _sha256(path, path.stat().st_mtime_ns, path.stat().st_size) != expected:
                raise ModelError("model-file-damaged", "The model file {name} is damaged.", _REMEDY, name=path)
            return path
    raise ModelError("model-file-missing", "The model file {name} is missing.", _REMEDY, name=name)


_REMEDY = "Run `python3 build.py setup` in a checkout, or install the add-on again from its zip."


def listed_models():
    """Every model file that the folders' lists name, as (entry, path, error): error is a ModelError, or None where all is well."""
    entries = {}
    for folder in model_folders():
        entries = {**_read_weights_list(folder / WEIGHTS_LIST), **entries}
    found = []
    for name, entry in entries.items():
        try:
            found.append((entry, model_file(name), None))
        except ModelError as error:
            found.append((entry, None, error))
    return found


def _read_weights_list(path):
    """File name -> entry, of what the list names."""
    if not path.is_file():
        return {}
    return {entry["file"]: entry for entry in tomllib.loads(path.read_text(encoding="utf-8")).get("weights", ())}


@lru_cache(maxsize=64)
def _sha256(path, _modified, _size):
    # Hashed once a process and again only when the file changes: its date and size are part of the cache's key.
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
