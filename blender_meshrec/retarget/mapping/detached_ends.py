"""Find feet and hands that do not hang from their shins and forearms: IK targets that carry skin and hang from the root."""

from collections.abc import Sequence

import numpy as np

from ..rig import SIDES
from .bone_tree import BoneTree
from .limbs import LimbBones, Limbs, bones_of_limb
from .names import ParsedName

# Limb -> its two long bones, its end, and the part after it.
_PARTS = {"leg": ("upper_leg", "lower_leg", "foot", "toes"), "arm": ("upper_arm", "lower_arm", "hand", "")}
_MIN_NAME_WEIGHT = 0.8  # how clearly a name must name the part
# Maximum distance from where the limb ends, if its second long bone is as long as its first, as a fraction of that length.
_MAX_DISTANCE = 0.7


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
    """The bone named as the limb's end that is nearest to where the limb ends; None if none is near."""
    first, second = tree.heads[parts[long_bones[0]][0]], tree.heads[parts[long_bones[1]][0]]
    length = float(np.linalg.norm(second - first))
    taken = set(bones_of_limb(parts))
    candidates = [
        bone
        for bone, name in enumerate(names)
        if _is_named(name, side, end) and bone not in taken and taken.isdisjoint(tree.chain_from_root(bone) + tree.subtree(bone))
    ]
    distances = {bone: float(np.linalg.norm(tree.heads[bone] - (2 * second - first))) for bone in candidates}
    nearest = min(candidates, key=lambda bone: (not tree.is_deform[bone], distances[bone]), default=None)
    return nearest if nearest is not None and distances[nearest] <= _MAX_DISTANCE * length else None


def _is_named(name: ParsedName, side: str, part: str) -> bool:
    return name.side == side and not name.is_helper and not name.is_twist and name.limbs.get(part, 0.0) >= _MIN_NAME_WEIGHT
