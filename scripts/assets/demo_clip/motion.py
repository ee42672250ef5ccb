"""The motion of the demo clip as key poses: a wave, raised arms, a squat and a step to the side.

Legs are solved from pelvis and feet by two-bone inverse kinematics, so a planted foot does not move. Arms are directions of upper arm and
forearm, the spine is rotations. Everything is in the body's axes: y up, facing +z, metres and radians; lengths that depend on the body are
in units of the leg length.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from blender_meshrec.core.array_types import ArrayLike, FloatArray
from blender_meshrec.core.files.body_template import BodyTemplate
from blender_meshrec.core.rotations import multiply_quat, normalize_quat, quat_from_rotmat, quat_from_rotvec, rotmat_from_quat, slerp
from blender_meshrec.core.skeletons import SMPL_JOINTS

FPS = 25
SECONDS = 5.2
JOINT_INDEX = {name: index for index, name in enumerate(SMPL_JOINTS)}

ArmPose: TypeAlias = tuple[tuple[float, float, float], tuple[float, float, float]]  # directions of upper arm and forearm
ArmKey: TypeAlias = tuple[float, ArmPose]  # time s, pose

# Arms: directions (outward, up, forward) of upper arm and forearm.
HANGING = ((0.22, -1, 0.02), (0.12, -1, 0.22))
RAISED = ((0.55, 1, 0.05), (-0.12, 1, 0.08))
FORWARD = ((0.25, 0.42, 1), (-0.12, 0.55, 1))
READY = ((0.35, -1, 0.0), (0.2, -0.75, 0.6))
RIGHT_ARM: list[ArmKey] = [
    (0.0, HANGING), (0.3, HANGING), (0.75, ((1, -0.12, 0.15), (0.35, 1, 0.25))), (0.95, ((1, -0.1, 0.15), (-0.35, 1, 0.2))),
    (1.15, ((1, -0.1, 0.15), (0.5, 1, 0.25))), (1.35, ((1, -0.1, 0.15), (-0.3, 1, 0.2))), (1.55, ((1, -0.12, 0.15), (0.4, 1, 0.25))),
    (2.0, RAISED), (2.3, RAISED), (2.95, FORWARD), (3.2, FORWARD), (3.8, READY), (4.3, HANGING), (SECONDS, HANGING),
]  # fmt: skip
LEFT_ARM: list[ArmKey] = [
    (0.0, HANGING), (0.4, HANGING), (0.9, READY), (1.5, READY), (2.0, RAISED), (2.3, RAISED), (2.95, FORWARD), (3.2, FORWARD),
    (3.8, READY), (4.35, HANGING), (SECONDS, HANGING),
]  # fmt: skip

# Pelvis: time, sideways, down, forward (leg lengths), then pitch, yaw to the left, roll to the left (rad).
PELVIS = [
    (0.0, 0.00, 0.015, 0.0, 0.00, 0.15, 0.00), (0.8, 0.05, 0.015, 0.0, 0.00, 0.12, -0.03), (1.5, 0.05, 0.015, 0.0, 0.00, 0.10, -0.03),
    (2.05, 0.00, 0.01, 0.01, -0.03, 0.10, 0.00), (2.4, 0.00, 0.03, 0.0, 0.05, 0.10, 0.00), (2.95, 0.00, 0.48, -0.16, 0.50, 0.10, 0.00),
    (3.15, 0.00, 0.48, -0.16, 0.50, 0.10, 0.00), (3.65, -0.05, 0.03, 0.0, 0.06, 0.05, 0.00), (4.05, 0.16, 0.06, 0.0, 0.04, 0.0, 0.03),
    (4.45, 0.36, 0.03, 0.0, 0.03, -0.12, -0.02), (SECONDS, 0.34, 0.015, 0.0, 0.00, -0.15, 0.00),
]  # fmt: skip

# Feet: time, sideways, up, forward (leg lengths), rotation outward (rad). The last step goes to the left.
LEFT_FOOT = [
    (0.0, 0.155, 0, 0, 0.12), (3.6, 0.155, 0, 0, 0.12), (3.8, 0.26, 0.13, 0.02, 0.12), (4.02, 0.50, 0, 0.02, 0.16),
    (SECONDS, 0.50, 0, 0.02, 0.16),
]  # fmt: skip
RIGHT_FOOT = [
    (0.0, -0.155, 0, 0, 0.12), (4.16, -0.155, 0, 0, 0.12), (4.36, -0.02, 0.11, 0.02, 0.1), (4.58, 0.18, 0, 0.0, 0.14),
    (SECONDS, 0.18, 0, 0.0, 0.14),
]  # fmt: skip

# Spine and head: time, bend forward, bend to the left, twist to the left (rad), distributed over spine1-3; then nod and yaw of the head.
SPINE = [
    (0.0, 0.02, 0.0, -0.05, 0.02, -0.08), (0.9, 0.0, -0.10, 0.06, 0.0, -0.10), (1.5, 0.0, -0.10, 0.04, 0.0, -0.06),
    (2.05, -0.14, 0.0, 0.0, -0.22, 0.0), (2.35, -0.10, 0.0, 0.0, -0.15, 0.0), (2.95, 0.12, 0.0, 0.0, -0.38, 0.0),
    (3.2, 0.12, 0.0, 0.0, -0.38, 0.0), (3.7, 0.02, 0.0, 0.05, 0.02, 0.20), (4.3, 0.03, -0.05, 0.05, 0.05, 0.15),
    (SECONDS, 0.02, 0.0, 0.0, 0.0, 0.05),
]  # fmt: skip


def make_motion(template: BodyTemplate, betas: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The key poses as a body motion.

    Args:
        template: with SMPL's joints. betas: (B,).

    Returns:
        local rotations (F,24,4) wxyz, transl (F,3) m (added to the posed body), contacts (F,4).
    """
    times = np.arange(round(SECONDS * FPS)) / FPS
    rest = template.rest_joints(betas)
    sole = -template.rest_vertices(betas)[:, 1].min()
    leg = float(np.linalg.norm(rest[JOINT_INDEX["left_ankle"]] - rest[JOINT_INDEX["left_hip"]]))
    rotations = np.zeros((len(times), 24, 3, 3))
    rotations[:] = np.eye(3)

    pelvis = interpolate_keys(PELVIS, times)
    standing = rest[0] + [0, sole, 0]
    pelvis_at = standing + leg * (pelvis[:, :3] * [1, -1, 1])
    rotations[:, 0] = torso_rotation(pelvis[:, 3], pelvis[:, 4], pelvis[:, 5])
    contacts = np.zeros((len(times), 4))
    for column, (side, keys) in enumerate((("left", LEFT_FOOT), ("right", RIGHT_FOOT))):
        touches = solve_leg_ik(rotations, rest, sole, leg, pelvis_at, side, interpolate_keys(keys, times))
        contacts[:, 2 * column : 2 * column + 2] = touches[:, None]

    spine = interpolate_keys(SPINE, times)
    for joint in ("spine1", "spine2", "spine3"):
        rotations[:, JOINT_INDEX[joint]] = torso_rotation(*(spine[:, :3].T[[0, 2, 1]] / 3))
    for joint in ("neck", "head"):
        rotations[:, JOINT_INDEX[joint]] = torso_rotation(spine[:, 3] / 2, spine[:, 4] / 2, np.zeros(len(times)))
    for side, keys in (("left", LEFT_ARM), ("right", RIGHT_ARM)):
        animate_arm(rotations, rest, side, keys, times)
    return smooth_upper_body(quat_from_rotmat(rotations)), pelvis_at - rest[0], contacts


def interpolate_keys(keys: Sequence[Sequence[float]], times: FloatArray) -> FloatArray:
    """Values (F,C) of keys (time, values...) at `times`, with zero velocity at every key."""
    table = np.array(keys, float)
    after = np.clip(np.searchsorted(table[:, 0], times, side="right"), 1, len(table) - 1)
    weight = smooth_step((times - table[after - 1, 0]) / (table[after, 0] - table[after - 1, 0]))[:, None]
    return table[after - 1, 1:] * (1 - weight) + table[after, 1:] * weight


def smooth_step(weight: FloatArray) -> FloatArray:
    """Smooth step from 0 to 1."""
    weight = np.clip(weight, 0, 1)
    return weight**2 * (3 - 2 * weight)


def torso_rotation(pitch: FloatArray, turn: FloatArray, roll: FloatArray) -> FloatArray:
    """Rotation matrices (F,3,3): pitch forward, then roll to the left, then yaw (turn) to the left."""
    zero = np.zeros_like(pitch)
    lean, yaw, side = (quat_from_rotvec(np.stack(parts, -1)) for parts in ((pitch, zero, zero), (zero, turn, zero), (zero, zero, -roll)))
    return rotmat_from_quat(multiply_quat(yaw, multiply_quat(side, lean)))


def solve_leg_ik(
    rotations: FloatArray, rest: FloatArray, sole: float, leg: float, pelvis_at: FloatArray, side: str, foot: FloatArray
) -> FloatArray:
    """Set hip, knee and ankle, in place, so that the foot is at its key position; returns its contact with the floor, (F,).

    rotations: (F,24,3,3) local. rest: (24,3) m. sole: m, height of the pelvis above the sole at rest. leg: m, the leg length.
    pelvis_at: (F,3) m. foot: (F,4), values of LEFT_FOOT or RIGHT_FOOT.
    """
    sign = 1 if side == "left" else -1
    hip, knee, ankle = (rest[JOINT_INDEX[f"{side}_{name}"]] for name in ("hip", "knee", "ankle"))
    turn = quat_from_rotvec(foot[:, 3:] * [[0, sign, 0]])
    pitch = quat_from_rotvec(foot[:, 1:2] * [[2.2, 0, 0]])  # a lifted foot points down
    foot_global = rotmat_from_quat(multiply_quat(turn, pitch))
    forward = foot_global @ [0.0, 0.0, 1.0]
    target = np.stack([leg * foot[:, 0], ankle[1] + sole + leg * foot[:, 1], rest[0, 2] + ankle[2] - rest[0, 2] + leg * foot[:, 2]], -1)
    start = pelvis_at + (rotations[:, 0] @ (hip - rest[0]))
    knee_at = middle_joint(start, target, float(np.linalg.norm(knee - hip)), float(np.linalg.norm(ankle - knee)), forward)
    thigh = frames_from_directions(knee_at - start, forward) @ frames_from_directions(knee - hip, [0.0, 0.0, 1.0]).T
    shin = frames_from_directions(target - knee_at, forward) @ frames_from_directions(ankle - knee, [0.0, 0.0, 1.0]).T
    rotations[:, JOINT_INDEX[f"{side}_hip"]] = transpose(rotations[:, 0]) @ thigh
    rotations[:, JOINT_INDEX[f"{side}_knee"]] = transpose(thigh) @ shin
    rotations[:, JOINT_INDEX[f"{side}_ankle"]] = transpose(shin) @ foot_global
    return (foot[:, 1] < 1e-6).astype(float)


def middle_joint(start: FloatArray, target: FloatArray, upper: float, lower: float, pole: FloatArray) -> FloatArray:
    """The middle joint (F,3) of two bones with lengths `upper` and `lower`, on the pole's side, by the law of cosines."""
    reach = target - start
    distance = np.linalg.norm(reach, axis=-1, keepdims=True)
    if (distance >= upper + lower).any():
        raise ValueError(f"a foot is out of reach by {(distance - upper - lower).max():.3f} m")
    along = reach / distance
    cosine = (upper**2 + distance**2 - lower**2) / (2 * upper * distance)
    outward = pole - (pole * along).sum(-1, keepdims=True) * along
    outward /= np.linalg.norm(outward, axis=-1, keepdims=True)
    return start + upper * (cosine * along + np.sqrt(1 - cosine**2) * outward)


def animate_arm(rotations: FloatArray, rest: FloatArray, side: str, keys: Sequence[ArmKey], times: FloatArray) -> None:
    """Set collar, shoulder and elbow, in place, so that upper arm and forearm have the directions of the keys, in the chest's axes."""
    sign = 1 if side == "left" else -1
    mirror = np.array([sign, 1, 1])
    arms = [arm_quats(rest, side, sign, *(np.array(direction, float) * mirror for direction in pose)) for _, pose in keys]
    moments = np.array([time for time, _ in keys])
    after = np.clip(np.searchsorted(moments, times, side="right"), 1, len(moments) - 1)
    weight = smooth_step((times - moments[after - 1]) / (moments[after] - moments[after - 1]))
    for index, joint in enumerate(("collar", "shoulder", "elbow")):
        quats = np.stack([arm[index] for arm in arms])
        rotations[:, JOINT_INDEX[f"{side}_{joint}"]] = rotmat_from_quat(slerp(quats[after - 1], quats[after], weight))


def arm_quats(rest: FloatArray, side: str, sign: int, upper: FloatArray, fore: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Local quaternions (4,) wxyz of collar, shoulder and elbow for the directions (3,) of upper arm and forearm."""
    upper, fore = upper / np.linalg.norm(upper), fore / np.linalg.norm(fore)
    shoulder, elbow, wrist = (rest[JOINT_INDEX[f"{side}_{name}"]] for name in ("shoulder", "elbow", "wrist"))
    # The collar takes a part of the arm's elevation, as the shoulder blade does.
    collar = quat_from_rotvec([0, 0, sign * 0.22 * np.clip(upper[1], -0.6, 1)])
    # At rest the elbow bends forward about an axis that points down on the left side and up on the right.
    hinge = np.cross(upper, fore)
    shoulder_global = frame_from_directions(upper, hinge) @ frame_from_directions(elbow - shoulder, [0, -sign, 0]).T
    elbow_global = frame_from_directions(fore, hinge) @ frame_from_directions(wrist - elbow, [0, -sign, 0]).T
    collar_global = rotmat_from_quat(collar)
    return collar, quat_from_rotmat(collar_global.T @ shoulder_global), quat_from_rotmat(shoulder_global.T @ elbow_global)


def frame_from_directions(direction: ArrayLike, second: ArrayLike) -> FloatArray:
    """One rotation matrix (3,3) of `frames_from_directions`."""
    return frames_from_directions(np.asarray(direction, float)[None], np.asarray(second, float)[None])[0]


def frames_from_directions(direction: FloatArray, second: ArrayLike) -> FloatArray:
    """Rotation matrices (...,3,3) whose first column is along `direction` and whose second is as close to `second` as possible."""
    first = direction / np.linalg.norm(direction, axis=-1, keepdims=True)
    other = np.broadcast_to(np.asarray(second, float), first.shape)
    other = other - (other * first).sum(-1, keepdims=True) * first
    other = other / np.linalg.norm(other, axis=-1, keepdims=True)
    return np.stack([first, other, np.cross(first, other)], -1)


def smooth_upper_body(quats: FloatArray, sigma: float = 1.6) -> FloatArray:
    """Smooth arms and spine over time by a Gaussian; not legs and pelvis, because feet are planted. quats: (F,24,4); sigma: frames."""
    window = np.arange(-6, 7)
    kernel = np.exp(-0.5 * (window / sigma) ** 2)
    soft = [joint for name, joint in JOINT_INDEX.items() if not any(part in name for part in ("pelvis", "hip", "knee", "ankle", "foot"))]
    frames_at = np.clip(np.arange(len(quats))[:, None] + window, 0, len(quats) - 1)
    near = quats[frames_at][:, :, soft]
    near = near * np.where((near * quats[:, None, soft]).sum(-1, keepdims=True) < 0, -1, 1)
    smoothed = quats.copy()
    smoothed[:, soft] = normalize_quat((near * kernel[None, :, None, None]).sum(1))
    return smoothed


def transpose(matrices: FloatArray) -> FloatArray:
    return np.swapaxes(matrices, -1, -2)
