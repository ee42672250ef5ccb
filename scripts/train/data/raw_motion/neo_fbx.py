"""Reads FBX files of CMU motions on Unity's "Neo" humanoid. Bone lengths are the humanoid's, so that they are good for poses only.

A bone's x axis lies along the bone, on the right side against it. The rest pose in the files is their first frame and not a T-pose, so
that the axes in the T-pose are given here. Ours: collars and head have their zero at the mean.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from blender_meshrec.core.array_types import AnyArray, BoolArray, FloatArray
from blender_meshrec.core.axis_rotations import rotation_about_axis, transpose, twist_angle
from blender_meshrec.core.skeletons import SMPL_JOINTS, SMPL_PARENTS
from scripts.train.data.raw_motion.smpl_mapping import (
    JOINT,
    MIN_PLANTED,
    PITCH_RANGE,
    PLANTED_HEIGHT,
    PLANTED_SPEED,
    SIDES,
    USUAL_PITCH,
    SmplMotion,
    SmplSkeleton,
)

_PREFIX = "Neo_"
_BONES = {
    "pelvis": "Hips", "spine1": "Spine", "spine2": "Spine1", "spine3": "Spine2", "neck": "Neck", "head": "Head",
    **{f"{side}_{joint}": side.title() + bone for side in SIDES for joint, bone in {
        "hip": "UpLeg", "knee": "Leg", "ankle": "Foot", "foot": "ToeBase", "collar": "Shoulder", "shoulder": "Arm", "elbow": "ForeArm",
        "wrist": "Hand", "hand": "Hand"}.items()},
}  # fmt: skip
_LEFT, _UP, _FRONT = np.eye(3)
# Columns: a bone's x, y and z axis in the T-pose.
_TRUNK = np.stack([_UP, _FRONT, _LEFT], 1)
_T_POSE: dict[str, FloatArray] = {
    **{f"left_{joint}": np.stack([-_UP, -_FRONT, _LEFT], 1) for joint in ("hip", "knee")},
    **{f"left_{joint}": np.stack([_LEFT, _FRONT, -_UP], 1) for joint in ("shoulder", "elbow", "wrist", "hand")},
    **{f"right_{joint}": np.stack([_LEFT, -_FRONT, _UP], 1) for joint in ("shoulder", "elbow", "wrist", "hand")},
}
# Points that the humanoid lacks, m: the hand joints and the extra points.
_HAND, _EXTRA = 0.04, ((0, 0.12, 0.02), (0, 0, 0.06), (0, 0, 0.06), (0.035, 0, 0), (-0.035, 0, 0), (0, 0, 0))


def is_neo(poses: Mapping[str, AnyArray]) -> bool:
    """Whether the arrays that fbx_poses.py writes are of this humanoid."""
    return _PREFIX + "Hips" in poses["names"]


def map_neo_poses(clips: Sequence[Mapping[str, AnyArray]], fps: float) -> list[SmplMotion]:
    """The motions of the arrays that fbx_poses.py writes.

    Still frames at the start are left out, and the last frame, a copy of the first.

    Raises:
        ValueError: a clip has another frame rate than `fps`.
    """
    if any(abs(poses["fps"] - fps) > 1e-3 for poses in clips):
        raise ValueError(f"frame rates other than {fps:g}")
    positions: list[FloatArray] = []
    axes: list[FloatArray] = []
    for poses in clips:
        rows = [poses["names"].tolist().index(_PREFIX + _BONES[name]) for name in SMPL_JOINTS]
        moving = np.abs(np.diff(poses["positions"], axis=0)).max((1, 2)) > 0
        kept = slice(int(moving.argmax()), -1)
        positions.append(poses["positions"][kept, rows])
        axes.append(poses["rotations"][kept, rows])
    all_positions, all_axes = np.concatenate(positions), np.concatenate(axes)
    zero = _zero_axes(all_positions, all_axes, np.concatenate([_planted(clip, fps) for clip in positions]))
    skeleton = _skeleton(all_positions, all_axes, zero)
    return [SmplMotion(_local_rotmats(turns, zero), at[:, 0], skeleton) for at, turns in zip(positions, axes, strict=True)]


def _planted(positions: FloatArray, fps: float) -> BoolArray:
    """Whether each foot stands: ankle and toe base, (F,2)."""
    points = np.stack([positions[:, [JOINT[f"{side}_ankle"], JOINT[f"{side}_foot"]]] for side in SIDES], 1)
    speed = np.linalg.norm(np.gradient(points, 1 / fps, axis=0), axis=-1).max(2)
    low = points[..., 1] < np.quantile(points[..., 1], 0.05, axis=0) + PLANTED_HEIGHT
    return (speed < PLANTED_SPEED) & low.all(2)


def _zero_axes(positions: FloatArray, axes: FloatArray, planted: BoolArray) -> FloatArray:
    """The bones' axes (24,3,3) in SMPL's T-pose."""
    zero = np.stack([_T_POSE.get(name, _TRUNK) for name in SMPL_JOINTS])
    chest = axes[:, JOINT["spine3"]]
    for number, side in enumerate(SIDES):
        zero[JOINT[f"{side}_collar"]] = _TRUNK @ _mean_rotation(transpose(chest) @ axes[:, JOINT[f"{side}_collar"]])
        toe = positions[planted[:, number], JOINT[f"{side}_foot"]] - positions[planted[:, number], JOINT[f"{side}_ankle"]]
        pitch = USUAL_PITCH
        if len(toe) >= MIN_PLANTED:
            pitch = float(np.clip(np.median(np.arcsin(-toe[:, 1] / np.linalg.norm(toe, axis=-1))), *PITCH_RANGE))
        along = np.array([0, -np.sin(pitch), np.cos(pitch)]) * (1 if side == "left" else -1)
        zero[[JOINT[f"{side}_ankle"], JOINT[f"{side}_foot"]]] = np.stack([along, np.cross(_LEFT, along), _LEFT], 1)
    upright = chest[:, 1, 0] > np.cos(np.radians(20))
    gaze = np.arcsin(axes[upright, JOINT["head"], 1, 1])
    zero[JOINT["head"]] = rotation_about_axis(_LEFT, -float(np.median(gaze)) if upright.any() else 0.0) @ _TRUNK
    return zero


def _mean_rotation(rotmats: FloatArray) -> FloatArray:
    """The rotation (3,3) nearest to all of (F,3,3)."""
    left, _, right = np.linalg.svd(rotmats.mean(0))
    return left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right


def _local_rotmats(axes: FloatArray, zero: FloatArray) -> FloatArray:
    """Local rotations (F,24,3,3); the forearm's twist goes half to the elbow and half to the wrist."""
    turned = axes @ transpose(zero)
    for side in SIDES:
        elbow, wrist = JOINT[f"{side}_elbow"], JOINT[f"{side}_wrist"]
        twist = twist_angle(transpose(turned[:, elbow]) @ turned[:, wrist], _LEFT)
        turned[:, elbow] = turned[:, elbow] @ rotation_about_axis(_LEFT, twist / 2)
    local = turned.copy()
    local[:, 1:] = transpose(turned[:, SMPL_PARENTS[1:]]) @ turned[:, 1:]
    return local


def _skeleton(positions: FloatArray, axes: FloatArray, zero: FloatArray) -> SmplSkeleton:
    offsets = np.zeros((24, 3))
    for joint, parent in enumerate(SMPL_PARENTS[1:], 1):
        step = positions[:, joint] - positions[:, parent]
        offsets[joint] = zero[parent] @ (transpose(axes[:, parent]) @ step[..., None])[..., 0].mean(0)
    for side, sign in zip(SIDES, (1, -1), strict=True):
        offsets[JOINT[f"{side}_hand"]] = [sign * _HAND, 0, 0]
    return SmplSkeleton(offsets, np.array(_EXTRA, float))
