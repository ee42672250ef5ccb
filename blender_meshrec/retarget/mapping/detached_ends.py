"""Find feet and hands that do not hang from their shins and forearms: IK targets that carry skin and hang from the root."""

from collections.abc import Sequence

import numpy as np

from ...core.array_types import FloatArray
from ..rig import SIDES
from .bone_tree import BoneTree
from .limbs import LimbBones, Limbs, bones_of_limb
from .names import ParsedName

# Limb -> its two long bones, its end, and the part after it.
_PARTS = {"leg": ("upper_leg", "lower_leg", "foot", "toes"), "arm": ("upper_arm", "lower_arm", "hand", "")}
_MIN_NAME_WEIGHT = 0.8  # how clearly a name must name the part
# The second long bone that an end makes: its length as a fraction of the first one's, and the bend between the two, degrees.
_MIN_LENGTH_RATIO, _MAX_LENGTH_RATIO, _MAX_BEND = 0.3, 2.0, 50.0


def add_detached_ends(tree: BoneTree, names: Sequence[ParsedName], limbs: Limbs) -> None:
    """Add feet and hands, in place, to limbs without them: bones of the right name and place that hang from elsewhere."""
    for side in SIDES:
        for limb, (upper, lower, end, after) in _PARTS.items():
            parts = limbs.get((side, limb))
            if parts is None or end in parts:
                continue
            bone = _find_end(tree, names, parts, (upper, lower), side, end)
            if bone is not None:
                parts[end] = [bone]
                below = [child for child in tree.subtree(bone)[1:] if _is_named(names[child], side, after)]
                if below:
                    parts[after] = below[:1]


def _find_end(
    tree: BoneTree, names: Sequence[ParsedName], parts: LimbBones, long_bones: tuple[str, str], side: str, end: str
) -> int | None:
    """The bone named as the limb's end, or as the IK target of its end, that is nearest to where a second long bone like the first ends.

    None if none is where the limb may end.
    """
    first, second = tree.heads[parts[long_bones[0]][0]], tree.heads[parts[long_bones[1]][0]]
    taken = set(bones_of_limb(parts))
    candidates = [
        bone
        for bone, name in enumerate(names)
        if (_is_named(name, side, end) or (name.is_helper and "ik" in name.words and _names_part(name, side, end)))
        and bone not in taken
        and taken.isdisjoint(tree.chain_from_root(bone) + tree.subtree(bone))
        and _ends_limb(first, second, tree.heads[bone])
    ]
    # A foot begins with its first bone: exporters add bones where others end, with their names.
    candidates = [bone for bone in candidates if not set(tree.chain_from_root(bone)[:-1]).intersection(candidates)]
    expected = 2 * second - first

    def order(bone: int) -> tuple[bool, bool, float]:
        return names[bone].is_helper, not tree.is_deform[bone], float(np.linalg.norm(tree.heads[bone] - expected))

    return min(candidates, key=order, default=None)


def _ends_limb(first: FloatArray, second: FloatArray, end: FloatArray) -> bool:
    """Whether a limb with its joints at (3,) may end at (3,)."""
    upper, lower = second - first, end - second
    lengths = float(np.linalg.norm(upper)), float(np.linalg.norm(lower))
    if not _MIN_LENGTH_RATIO * lengths[0] < lengths[1] < _MAX_LENGTH_RATIO * lengths[0]:
        return False
    return float(upper @ lower) > np.cos(np.radians(_MAX_BEND)) * lengths[0] * lengths[1]


def _is_named(name: ParsedName, side: str, part: str) -> bool:
    return not name.is_helper and _names_part(name, side, part)


def _names_part(name: ParsedName, side: str, part: str) -> bool:
    return name.side == side and not name.is_twist and name.limbs.get(part, 0.0) >= _MIN_NAME_WEIGHT
