"""A rig at rest as a body: its joints, the direction it faces, and the lengths and directions of its limbs.

Everything is in metres in axes parallel to the world's, with the object's origin at zero and the object's uniform scale applied.
A non-uniform scale is separate, as `stretch`: Blender poses bones before it stretches them.
"""

from itertools import pairwise

import numpy as np

from ...core.array_types import FloatArray
from ...core.axis_rotations import unit_vector
from ...core.errors import InputError
from ..rig import SIDES, BoneMapping, Rig

# The parts of limbs; a part reaches from the head of its first bone to that of the next part's first bone.
ARM = ("upper_arm", "lower_arm", "hand")
LEG = ("upper_leg", "lower_leg", "foot")
SEGMENTS = tuple((f"{side}_{part}", f"{side}_{below}") for side in SIDES for limb in (ARM, LEG) for part, below in pairwise(limb))
# A body axis this near to an axis of the world or of its armature is taken to be that axis: cosines of 25 and 10 degrees.
_MIN_UPRIGHT_COSINE, _MIN_SIDEWAYS_COSINE = 0.906, 0.985


class RestPose:
    """A Rig at rest with its BoneMapping.

    rotations: (B,3,3). heads, tails: (B,3) m. local_rotations: (B,3,3) relative to the parent, offsets: (B,3) m, heads in the
    parent's axes. slots: slot -> bone numbers. axes: (3,3), the columns left, forward, up of the body. scale: metres an
    armature unit. stretch: (3,3), world = stretch @ point + origin.

    Raises:
        InputError: the object is mirrored or flat.
    """

    def __init__(self, rig: Rig, mapping: BoneMapping, up: FloatArray | None = None) -> None:
        """up: (3,) of the body, in these axes; None to take it from arms and legs."""
        linear = rig.world[:3, :3]
        if np.linalg.det(linear) <= 1e-18:
            raise InputError(
                "rig-scale-not-positive",
                '"{name}" has a negative or zero scale, which mirrors or flattens its bones.',
                "Apply the object's scale (Ctrl A, Scale) and try again.",
                name=rig.name,
            )
        u, sizes, vt = np.linalg.svd(linear)
        self.rig = rig
        self.world_rotation = u @ vt
        self.scale = float(np.cbrt(np.prod(sizes)))
        self.stretch: FloatArray = (u * (sizes / self.scale)) @ u.T
        if np.abs(self.stretch - np.eye(3)).max() < 1e-5:
            self.stretch = np.eye(3)
        self.origin: FloatArray = rig.world[:3, 3]
        rest = rig.rest[:, :3, :3]
        self.rotations = self.world_rotation @ (rest / np.maximum(np.linalg.norm(rest, axis=1, keepdims=True), 1e-12))
        self.heads = self.scale * rig.rest[:, :3, 3] @ self.world_rotation.T
        self.tails = self.heads + self.rotations[:, :, 1] * (self.scale * rig.lengths)[:, None]
        above = np.maximum(rig.parents, 0)
        self.local_rotations = np.where(
            (rig.parents >= 0)[:, None, None], np.swapaxes(self.rotations[above], 1, 2) @ self.rotations, self.rotations
        )
        self.offsets = np.einsum("bji,bj->bi", self.rotations[above], self.heads - self.heads[above])
        number = {bone: index for index, bone in enumerate(rig.bones)}
        self.slots = {slot: [number[bone] for bone in bones if bone in number] for slot, bones in mapping.slots.items()}
        self.axes = self._body_axes(up)

    def first_bone(self, slot: str) -> int | None:
        """The number of a slot's first bone, or None."""
        return self.slots[slot][0] if self.slots.get(slot) else None

    def segment_end(self, slot: str, below: str) -> FloatArray:
        """Where a body part ends at rest, (3,) m: where the part below begins, else at its last bone's child or tail."""
        if (bone := self.first_bone(below)) is not None:
            return self.heads[bone]
        last = self.slots[slot][-1]
        children = np.flatnonzero(self.rig.parents == last)
        if len(children):
            away = np.linalg.norm(self.heads[children] - self.heads[last], axis=1)
            if away.max() > 0.5 * self.scale * self.rig.lengths[last]:
                return self.heads[children[away.argmax()]]
        return self.tails[last]

    def segment_direction(self, slot: str, below: str) -> FloatArray:
        """The unit direction (3,) of a body part at rest, from its first head to its end."""
        return unit_vector(self.segment_end(slot, below) - self.heads[self.slots[slot][0]])

    def segment_length(self, slot: str, below: str) -> float:
        """The length of a body part at rest, m."""
        return float(np.linalg.norm(self.segment_end(slot, below) - self.heads[self.slots[slot][0]]))

    def chain_to_root(self, bone: int) -> list[int]:
        """A bone and its ancestors, the bone first."""
        chain = []
        while bone >= 0:
            chain.append(bone)
            bone = int(self.rig.parents[bone])
        return chain

    @property
    def thighs(self) -> list[int]:
        """The first bones of the left and the right upper leg."""
        return [self.slots[f"{side}_upper_leg"][0] for side in SIDES]

    @property
    def hip_centre(self) -> FloatArray:
        """The middle (3,) m between the hip joints at rest."""
        return self.heads[self.thighs].mean(0)

    def _body_axes(self, up: FloatArray | None) -> FloatArray:
        legs = [self.heads[bone] for bone in self.thighs]
        arms = [self.heads[self.slots[f"{side}_upper_arm"][0]] for side in SIDES]
        if up is None:
            body_up = unit_vector(np.mean(arms, 0) - np.mean(legs, 0))
            up = _snap_to_axis(body_up, [np.array([0.0, 0.0, 1.0]), *self.world_rotation.T], _MIN_UPRIGHT_COSINE)
        left = legs[0] - legs[1] + arms[0] - arms[1]
        left = unit_vector(left - (left @ up) * up)
        across = [axis for axis in (*np.eye(3), *self.world_rotation.T) if abs(axis @ up) < 1e-6]
        left = _snap_to_axis(left, across, _MIN_SIDEWAYS_COSINE)
        return np.stack([left, np.cross(left, up), up], axis=1)


def _snap_to_axis(direction: FloatArray, candidates: list[FloatArray], min_cosine: float) -> FloatArray:
    """The first of the candidate axes, in either sense, that a direction (3,) nearly equals; else the direction."""
    for axis in candidates:
        cosine = direction @ axis
        if abs(cosine) > min_cosine:
            return axis * np.sign(cosine)
    return direction


def twist_reference_bone(rest: RestPose, slot: str, below: str, is_proximal: bool) -> int | None:
    """The bone against which a part's twist is measured: its parent (`is_proximal`), or the first bone below it; None without one."""
    if not is_proximal:
        return rest.first_bone(below)
    parent = rest.rig.parents[rest.slots[slot][0]]
    return int(parent) if parent >= 0 else None
