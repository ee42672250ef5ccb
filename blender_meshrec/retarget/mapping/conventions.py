"""Recognise which known naming convention a rig's bone names follow."""

from collections.abc import Sequence

from ..rig import REQUIRED_SLOTS
from .name_words import split_name
from .naming_tables import NamingConvention, load_naming_tables

# A convention is recognised if the rig has at least this fraction of its body bones, those of REQUIRED_SLOTS among them.
_MIN_CONVENTION_FRACTION = 0.75
# Slots that many rigs of a convention lack; their absence does not count against it.
_OPTIONAL_SLOTS = frozenset(("root", "neck"))
_SCORE_PER_BONE = 0.001  # prefers, of two conventions that fit equally well, the one that names more bones


def recognise_convention(names: Sequence[tuple[str, ...]]) -> tuple[str, dict[int, str]]:
    """Find the known convention that the names match best.

    Args:
        names: words of every bone's name, without common prefixes.

    Returns:
        the convention's name, and bone number -> slot for the bones it names; ("", {}) if none matches.
    """
    bone_of_key: dict[str, int] = {}
    for bone, words in enumerate(names):
        bone_of_key.setdefault(_name_key(words), bone)
    best: tuple[str, dict[int, str]] = ("", {})
    best_score = 0.0
    for convention in load_naming_tables().conventions:
        slot_of_bone, score = _match_convention(convention, bone_of_key)
        if score >= _MIN_CONVENTION_FRACTION and score > best_score:
            best, best_score = (convention.name, slot_of_bone), score
    return best


def _match_convention(convention: NamingConvention, bone_of_key: dict[str, int]) -> tuple[dict[int, str], float]:
    """Bone number -> slot, and the score of the convention: 0 if one of REQUIRED_SLOTS is missing."""
    slot_of_bone: dict[int, str] = {}
    found_slots: set[str] = set()
    num_expected = 0
    for slot, names in convention.slot_names():
        bones = [bone for name in names if (bone := bone_of_key.get(_name_key(split_name(name)))) is not None]
        num_expected += slot not in _OPTIONAL_SLOTS
        if bones:
            found_slots.add(slot)
            slot_of_bone.update(dict.fromkeys(bones, slot))
    if not found_slots.issuperset(REQUIRED_SLOTS):
        return slot_of_bone, 0.0
    return slot_of_bone, len(found_slots - _OPTIONAL_SLOTS) / num_expected + _SCORE_PER_BONE * len(slot_of_bone)


def _name_key(words: tuple[str, ...]) -> str:
    return "".join(words)
