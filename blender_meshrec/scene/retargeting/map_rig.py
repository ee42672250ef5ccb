"""The mapping of a character's bones without a window: `meshrec map`, and what the report of a retarget says of it."""

from typing import Any

from ...retarget.character_path import split_character_path
from ...retarget.mapping.facing import are_sides_swapped, swap_sides
from ...retarget.mapping.map_bones import map_bones
from ...retarget.mapping.presets import mapping_to_dict
from ...retarget.rig import SLOTS, BoneMapping
from ..character.rig_checks import check_rig
from ..character.rig_file import load_character
from ..character.rig_reader import read_rig
from ..character.skin_floor import read_foot_skins
from ..outputs import open_empty_file, require_background


def map_file(rig: str) -> dict[str, Any]:
    """Find the bones of a file's character; the open file is discarded.

    Args:
        rig: FILE or FILE#object.

    Returns:
        `mapping_report`, and preset: the content of a mapping preset; unmapped: the names of the other bones with skin.

    Raises:
        InputError: the file cannot be read, or its armature is no humanoid.
    """
    require_background("map_file")
    path, name = split_character_path(rig)
    open_empty_file()
    character = load_character(path, name)
    check_rig(character.armature)
    described = read_rig(character.armature, character.humanoid)
    mapping = map_bones(described)
    if are_sides_swapped(described, mapping, read_foot_skins(character.armature, described, mapping)):
        mapping = swap_sides(mapping)
    mapped = set(mapping.bones)
    unmapped = [bone for bone, deforms in zip(described.bones, described.deform) if deforms and bone not in mapped]
    return {**mapping_report(mapping), "preset": mapping_to_dict(mapping, path.stem), "unmapped": unmapped}


def mapping_report(mapping: BoneMapping) -> dict[str, Any]:
    """Which bones are which part of a body: how they were found, the bones of each part, and the confidence 0..1 of each bone."""
    return {
        "found_by": mapping.found_by,
        "convention": mapping.convention,
        "bones": {slot: list(mapping.slots[slot]) for slot in SLOTS if slot in mapping.slots},
        "confidence": {bone: mapping.confidence[bone] for bone in mapping.bones if bone in mapping.confidence},
    }
