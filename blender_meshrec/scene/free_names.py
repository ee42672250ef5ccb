"""Names that are free in the file, so that Blender adds no ".001" of its own."""

from collections.abc import Container

MAX_NAME_BYTES = 63  # of a data block, in Blender 4


def free_name(name: str, *taken: Container[str]) -> str:
    """The name itself, or with the first number from 2 that none of the collections of data blocks has."""
    number, candidate = 1, cut_name(name)
    while any(candidate in names for names in taken):
        number += 1
        candidate = cut_name(name, f" {number}")
    return candidate


def cut_name(name: str, ending: str = "") -> str:
    """A name with an ending, of which the name is cut where the whole is too long for Blender."""
    return name.encode()[: MAX_NAME_BYTES - len(ending.encode())].decode(errors="ignore").rstrip() + ending
