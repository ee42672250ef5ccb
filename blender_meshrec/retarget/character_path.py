"""How a command names a character: FILE, or FILE#object where a file has several."""

from pathlib import Path

from ..core.errors import InputError

SUFFIXES = (".fbx", ".glb", ".gltf", ".vrm", ".blend")


def split_object(spec):
    """The path and the object's name of `FILE` or `FILE#object`; the name is "" where none is given.

    Raises:
        InputError: there is no such file, or its suffix is no character format.
    """
    path, name = Path(spec), ""
    if not path.exists() and "#" in path.name:
        before, _, name = str(spec).rpartition("#")
        path = Path(before)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path.name} is not a character file that can be read.", f"Give a character as one of: {' '.join(SUFFIXES)}.")
    if not path.is_file():
        raise InputError(f"There is no file {path}.", "Check the path of the character.")
    return path, name
