"""Find twist bones, the bones beside a long bone that take part of its rotation about its own length."""

from collections.abc import Sequence

import numpy as np

from .bone_tree import BoneTree
from .limbs import LONG_BONES, Limbs
from .names import ParsedName


def find_twist_bones(tree: BoneTree, names: Sequence[ParsedName], limbs: Limbs) -> dict[str, list[int]]:
    """Slot -> twist bones, nearest to the body first."""
    part_of_bone = {bone: (side, part) for (side, _), parts in limbs.items() for part, bones in parts.items() for bone in bones}
    twist_bones: dict[str, list[int]] = {}
    for bone, name in enumerate(names):
        if bone in part_of_bone or not name.is_twist or name.is_helper:
            continue
        side, part = next((part_of_bone[above] for above in reversed(tree.chain_from_root(bone)) if above in part_of_bone), ("", ""))
        if side == name.side and part in name.limbs and part in LONG_BONES:
            twist_bones.setdefault(f"{side}_{part}_twist", []).append(bone)
    return {slot: _sort_by_distance(tree, bones) for slot, bones in twist_bones.items()}


def _sort_by_distance(tree: BoneTree, bones: list[int]) -> list[int]:
    """Sort bones by their distance from the head of the bone they hang from."""
    origin = tree.heads[tree.parents[bones[0]]]
    return sorted(bones, key=lambda bone: float(np.linalg.norm(tree.heads[bone] - origin)))
