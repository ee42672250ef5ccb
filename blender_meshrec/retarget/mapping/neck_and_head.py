"""Find neck and head above the arms by shape, for rigs whose names do not identify them."""

from dataclasses import dataclass

import numpy as np

from ...core.array_types import FloatArray
from ..rig import SIDES
from .bone_tree import BoneTree
from .limbs import Limbs, bones_of_limb, first_bones

# As fractions of the distance from hips to shoulders:
_MAX_OFF_CENTRE = 0.06  # of bones on the midline
_MIN_NECK_RISE = -0.15  # of neck bones over the shoulders
_MIN_ARM_ROOT_RISE = -0.08  # of the bone the arms hang from, if it belongs to the neck
_MAX_HEAD_RISE = 0.45  # of the head's joint, which is where the skull sits on the neck


@dataclass(frozen=True)
class _TrunkFrame:
    """Positions relative to the shoulders. up, across: (3,) unit, from hips to shoulders and from right to left."""

    heads: FloatArray
    shoulders: FloatArray
    up: FloatArray
    across: FloatArray
    torso_length: float

    def rise(self, bone: int) -> float:
        """Height of a bone over the shoulders, in torso lengths."""
        return float((self.heads[bone] - self.shoulders) @ self.up / self.torso_length)

    def is_centred(self, bone: int) -> bool:
        """Whether a bone is on the midline."""
        return bool(abs((self.heads[bone] - self.shoulders) @ self.across) < _MAX_OFF_CENTRE * self.torso_length)


def find_neck_and_head(tree: BoneTree, limbs: Limbs, arm_root: int) -> tuple[list[int], int | None]:
    """Find the bones of neck and head above the bone that the arms hang from.

    Returns:
        neck bones, and the head or None if nothing rises above the shoulders. `arm_root` itself is the first neck bone if it is as
        high as the shoulders.
    """
    frame = _trunk_frame(tree, limbs)
    chain = [bone for bone in _climb_midline(tree, limbs, frame, arm_root) if frame.rise(bone) > _MIN_NECK_RISE]
    if not chain:
        return [], None
    if len(chain) > 1 and not tree.children[chain[-1]] and _has_end_bones(tree, limbs):
        chain = chain[:-1]
    *neck, head = [bone for bone in chain if frame.rise(bone) < _MAX_HEAD_RISE] or chain[:1]
    if frame.rise(arm_root) > _MIN_ARM_ROOT_RISE:
        neck = [arm_root, *neck]
    return neck, head


def _trunk_frame(tree: BoneTree, limbs: Limbs) -> _TrunkFrame:
    arm_heads, leg_heads = tree.heads[first_bones(limbs, "arm", "upper_arm")], tree.heads[first_bones(limbs, "leg", "upper_leg")]
    shoulders = arm_heads.mean(0)
    up = shoulders - leg_heads.mean(0)
    torso_length = float(np.linalg.norm(up)) or 1.0
    across = arm_heads[0] - arm_heads[1]
    return _TrunkFrame(tree.heads, shoulders, up / torso_length, across / (np.linalg.norm(across) or 1.0), torso_length)


def _climb_midline(tree: BoneTree, limbs: Limbs, frame: _TrunkFrame, arm_root: int) -> list[int]:
    """The bones above the arms on the midline, up to the one that eyes, ears or cheeks hang from.

    Of several bones, the one with the largest subtree is taken: most of the head, rather than hair, jaw or a necktie.
    """
    arm_bones = {bone for side in SIDES for bone in bones_of_limb(limbs[side, "arm"])}
    chain: list[int] = []
    bone = arm_root
    while higher := [
        child
        for child in tree.children[bone]
        if frame.is_centred(child) and frame.rise(child) > frame.rise(bone) and arm_bones.isdisjoint(tree.subtree(child))
    ]:
        bone = max(higher, key=lambda child: (tree.subtree_sizes[child], tree.reach[child]))
        chain.append(bone)
        if sum(not frame.is_centred(child) for child in tree.children[bone]) >= 2:
            break
    return chain


def _has_end_bones(tree: BoneTree, limbs: Limbs) -> bool:
    """Whether the rig has "end" bones at the tips of its chains, such as the crown of the head, to judge by its toes."""
    toes = [limbs[side, "leg"].get("toes") for side in SIDES]
    return all(bones and tree.children[bones[-1]] for bones in toes)
