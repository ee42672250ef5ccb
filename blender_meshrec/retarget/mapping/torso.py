"""Find hips, spine, neck, head and the root bone, from where the limbs attach and from the names of the bones between."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from ...core.array_types import FloatArray
from ..rig import SIDES
from .bone_tree import BoneTree
from .limbs import Limbs, bones_of_limb
from .names import ParsedName

# Bones nearer to the floor than this fraction of the hips' height lie on it.
_FLOOR_HEIGHT = 0.2
# How clearly a name must name its slot; less is enough for a root, which is named in many ways.
_MIN_NAME_WEIGHT, _MIN_ROOT_WEIGHT = 0.5, 0.3

# Gives neck bones and head above the bone that the arms attach to, by shape.
FindNeckAndHead: TypeAlias = Callable[[int], tuple[list[int], int | None]]


def find_torso(tree: BoneTree, names: Sequence[ParsedName], limbs: Limbs, find_neck_and_head: FindNeckAndHead) -> dict[str, list[int]]:
    """Hips, spine, neck, head and root of a rig whose four limbs are known.

    Args:
        find_neck_and_head: for rigs whose names do not identify the head.

    Returns:
        slot -> bones; empty if the limbs hang from separate roots.
    """
    leg_root, arm_root = (_attachment_bone(tree, limbs, limb) for limb in ("leg", "arm"))
    if min(leg_root, arm_root) < 0 or tree.common_ancestor([leg_root, arm_root]) < 0:
        return {}
    search = _TorsoSearch(tree, names, limbs, leg_root, arm_root)
    hips = search.find_hips()
    slots = {"hips": [hips]}
    if (root := search.find_root(hips)) is not None:
        slots["root"] = [root]
    spine, neck_below_arms = search.split_spine(hips)
    if (head := search.find_named_head(hips)) is not None:
        neck = [bone for bone in search.bones_between(hips, head) if bone not in spine]
    else:
        neck, head = find_neck_and_head(arm_root)
        spine, neck = search.divide_at_arms(spine, neck)
        neck = [bone for bone in (*neck_below_arms, *neck) if bone not in spine and bone != head]
    if head is not None:
        slots["head"] = [head]
    slots["neck"] = list(dict.fromkeys(neck))
    slots["spine"] = spine
    return slots


def _attachment_bone(tree: BoneTree, limbs: Limbs, limb: str) -> int:
    """The bone that both arms or both legs hang from; -1 if there is none."""
    return tree.common_ancestor([bones_of_limb(limbs[side, limb])[0] for side in SIDES])


class _TorsoSearch:
    """The search for the torso between the bones that legs and arms attach to."""

    def __init__(self, tree: BoneTree, names: Sequence[ParsedName], limbs: Limbs, leg_root: int, arm_root: int) -> None:
        self.tree, self.names, self.limbs = tree, names, limbs
        self.leg_root, self.arm_root = leg_root, arm_root
        self.fork = tree.common_ancestor([leg_root, arm_root])  # legs and spine part here
        self.heights = _relative_heights(tree, limbs)

    def _is_named(self, bone: int, slot: str, min_weight: float = _MIN_NAME_WEIGHT) -> bool:
        name = self.names[bone]
        if name.exact_slot:
            return name.exact_slot == slot
        return not name.is_helper and name.centre.get(slot, 0.0) >= min_weight

    def _is_on_floor(self, bone: int) -> bool:
        return bool(abs(self.heights[bone]) < _FLOOR_HEIGHT)

    def find_hips(self) -> int:
        """The bone above the fork, or the fork, that is named as hips, else the fork. Bones on the floor are no hips."""
        tree = self.tree
        named = [bone for bone in tree.chain_from_root(self.fork) if self._is_named(bone, "hips") and not self._is_on_floor(bone)]
        if named:
            return next((bone for bone in named if self.names[bone].exact_slot == "hips"), named[-1])
        below_fork = tree.chain_between(self.fork, self.leg_root) + tree.chain_between(self.fork, self.arm_root)
        candidates = [bone for bone in below_fork if not self._is_on_floor(bone)]
        if not self._is_on_floor(self.fork) or not candidates:
            return self.fork
        # The fork is a root on the floor: the hips are below it.
        return next((bone for bone in candidates if self._is_named(bone, "hips")), candidates[0])

    def find_root(self, hips: int) -> int | None:
        """The bone on the floor above the hips: the lowest that is named as a root, else the lowest; None if there is none."""
        candidates = [bone for bone in self.tree.chain_from_root(hips)[:-1] if self._is_on_floor(bone)]
        if not candidates:
            return None
        return next((bone for bone in reversed(candidates) if self._is_named(bone, "root", _MIN_ROOT_WEIGHT)), candidates[-1])

    def bones_between(self, above: int, below: int) -> list[int]:
        """The bones between two bones, without helpers."""
        return [bone for bone in self.tree.chain_between(above, below)[1:-1] if not self.names[bone].is_helper]

    def split_spine(self, hips: int) -> tuple[list[int], list[int]]:
        """The bones from the hips to the arms as spine and, from the first bone named as neck or head on, neck."""
        if not self.tree.is_descendant(self.arm_root, hips):
            return [], []
        chain = self.tree.chain_between(hips, self.arm_root)[1:]
        is_neck = [self._is_named(bone, "neck") or self._is_named(bone, "head") for bone in chain]
        split = is_neck.index(True) if True in is_neck else len(chain)
        return [bone for bone in chain[:split] if not self.names[bone].is_helper], chain[split:]

    def divide_at_arms(self, spine: list[int], neck: list[int]) -> tuple[list[int], list[int]]:
        """Spine and neck, the bone that the arms hang from in one of them: in the neck if shape says so and its name does not say spine."""
        if self._is_named(self.arm_root, "spine"):
            return spine, [bone for bone in neck if bone != self.arm_root]
        return [bone for bone in spine if bone not in neck or bone != self.arm_root], neck

    def find_named_head(self, hips: int) -> int | None:
        """The bone below the hips that names identify as the head; None if there is none."""
        limb_bones = {bone for limb in self.limbs.values() for bone in bones_of_limb(limb)}
        candidates = [
            bone
            for bone in self.tree.subtree(hips)
            if self._is_named(bone, "head") and limb_bones.isdisjoint(self.tree.chain_from_root(bone))
        ]
        if not candidates:
            return None
        exact = [bone for bone in candidates if self.names[bone].exact_slot]
        # max() gives the first of equally clear names, which is the highest in the tree.
        return exact[0] if exact else max(candidates, key=lambda bone: self.names[bone].centre.get("head", 1.0))


def _relative_heights(tree: BoneTree, limbs: Limbs) -> FloatArray:
    """Heights of all bones (B,) along the direction of the legs: 0 at the lower end of the legs, 1 at their upper end."""
    leg_tops = tree.heads[[bones_of_limb(limbs[side, "leg"])[0] for side in SIDES]].mean(0)
    ends = np.array([_leg_end(tree, limbs, side) for side in SIDES])
    up = leg_tops - ends.mean(0)
    length = np.linalg.norm(up) or 1.0
    floor = (ends @ (up / length)).min()
    top = leg_tops @ (up / length)
    return (tree.heads @ (up / length) - floor) / ((top - floor) or 1.0)


def _leg_end(tree: BoneTree, limbs: Limbs, side: str) -> FloatArray:
    """The lowest joint of a leg (3,); without foot and toes, the end of a shin as long as the thigh."""
    leg = limbs[side, "leg"]
    if last := leg.get("toes", leg.get("foot")):
        return tree.heads[last[-1]]
    hip, knee = tree.heads[leg["upper_leg"][0]], tree.heads[leg["lower_leg"][0]]
    return 2 * knee - hip
