"""Character paths of the command line: FILE, or FILE#object for a file with several characters."""

import os
from pathlib import Path

from ..core.errors import InputError

SUFFIXES = (".fbx", ".glb", ".gltf", ".vrm", ".blend")


def split_character_path(spec: str | Path) -> tuple[Path, str]:
    """Split `FILE` or `FILE#object` into the path and the object's name, "" if none is given.

    Raises:
        InputError: there is no such file, or its suffix is no character format.
    """
    path, name = Path(spec), ""
    if not os.path.exists(path) and "#" in path.name:
        before, _, name = str(spec).rpartition("#")
        path = Path(before)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            "character-format-unknown",
            "{name} is not a character file that can be read.",
            "Give a character as one of: {known}.",
            name=path.name,
            known=" ".join(SUFFIXES),
        )
    if not os.path.isfile(path):
        raise InputError("character-file-not-found", "There is no file {path}.", "Check the path of the character.", path=path)
    return path, name
