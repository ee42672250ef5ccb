"""How certain each bone of a mapping is, 0..1."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ..rig import SIDES
from .bone_tree import BoneTree
from .limbs import Limbs, first_bones
from .names import ParsedName

STATED_CONFIDENCE = 1.0  # of what a file or a preset states itself
CONVENTION_CONFIDENCE = 0.97  # of a name that a known convention has
_NAME_CONFIDENCE, _CLEAR_NAME_BONUS = 0.55, 0.35  # of an unclear name; added for a clear one
_SHAPE_CONFIDENCE = 0.6  # of shape alone, times how much the body is like a person's
_DEFAULT_SHAPE_FIT = 0.7  # of a body whose limbs are found by name
# Subtracted if the other side's bone has another length, and if the feet say that left is the other side.
_UNEVEN_PENALTY, _WRONG_SIDE_PENALTY = 0.15, 0.2
_MIN_LENGTH_RATIO = 0.7  # of the shorter to the longer side
_MIN_SIDE_SINE = 0.3  # between forward and left; below it the feet do not determine the sides
_MIN_CONFIDENCE = 0.05


def bone_confidence(
    tree: BoneTree, names: Sequence[ParsedName], slots: dict[str, list[int]], limbs: Limbs, shape_fit: float | None
) -> dict[int, float]:
    """The confidence of every mapped bone: that of its name, less if the other side or the feet contradict it.

    shape_fit: how much the body is like a person's, if it was found by shape.
    """
    shape_confidence = _SHAPE_CONFIDENCE * (_DEFAULT_SHAPE_FIT if shape_fit is None else shape_fit)
    lengths = _part_lengths(tree, limbs)
    wrong_side_penalty = _WRONG_SIDE_PENALTY if _do_feet_match_sides(tree, limbs) is False else 0.0
    confidence: dict[int, float] = {}
    for slot, bones in slots.items():
        side, part = _split_slot(slot)
        penalty = wrong_side_penalty if side else 0.0
        uneven_penalty = _UNEVEN_PENALTY if side and _is_uneven(lengths, part) else 0.0
        for bone in bones:
            value = _name_confidence(names[bone], slot) or shape_confidence
            confidence[bone] = round(float(np.clip(value - uneven_penalty - penalty, _MIN_CONFIDENCE, 1.0)), 3)
    return confidence


def _split_slot(slot: str) -> tuple[str, str]:
    """The side, "" for the torso, and the part of a slot."""
    side, _, part = slot.partition("_")
    return (side, part) if side in SIDES else ("", slot)


def _name_confidence(name: ParsedName, slot: str) -> float | None:
    """The confidence that a name gives to a slot; None if it does not name it."""
    side, part = _split_slot(slot)
    if name.exact_slot == slot:
        return CONVENTION_CONFIDENCE
    weight = max(name.limbs.get(part.removesuffix("_twist"), 0.0), name.centre.get(slot, 0.0), float(name.finger is not None))
    if weight > 0 and name.side == side:
        return _NAME_CONFIDENCE + _CLEAR_NAME_BONUS * min(weight, 1.0)
    return None


def _part_lengths(tree: BoneTree, limbs: Limbs) -> dict[tuple[str, str], float]:
    """(side, part) -> length from its first joint to that of the next part."""
    return {
        (side, part): float(np.linalg.norm(tree.heads[next_bones[0]] - tree.heads[bones[0]]))
        for (side, _), parts in limbs.items()
        for (part, bones), (_, next_bones) in pairwise(parts.items())
    }


def _is_uneven(lengths: dict[tuple[str, str], float], part: str) -> bool:
    pair = [lengths.get((side, part), 0.0) for side in SIDES]
    return min(pair) < _MIN_LENGTH_RATIO * max(pair)


def _do_feet_match_sides(tree: BoneTree, limbs: Limbs) -> bool | None:
    """Whether the left side is to the left of the direction the feet point; None if the feet do not determine it."""
    legs = [limbs[side, "leg"] for side in SIDES]
    feet = [tree.heads[leg["toes"][0]] - tree.heads[leg["foot"][0]] for leg in legs if "foot" in leg and "toes" in leg]
    if len(feet) < len(legs):
        return None
    hips, shoulders = tree.heads[first_bones(limbs, "leg", "upper_leg")], tree.heads[first_bones(limbs, "arm", "upper_arm")]
    up = shoulders.mean(0) - hips.mean(0)
    left = np.cross(up, np.mean(feet, axis=0))
    right_to_left = hips[0] - hips[1] + shoulders[0] - shoulders[1]
    sine = left @ right_to_left / ((np.linalg.norm(left) * np.linalg.norm(right_to_left)) or 1.0)
    return None if abs(sine) < _MIN_SIDE_SINE else bool(sine > 0)
