"""The performance of the demo clip, written down as key poses: a wave, arms up, a squat and a step to the side.

Legs follow from where the pelvis and the feet are (two-bone inverse kinematics), so a planted foot stands still by
construction; arms are given as directions of upper arm and forearm, the spine as rotations. Everything is in the body's
own axes: y up, the performer faces +z, metres and radians, in units of the leg's length where the body's size matters.
"""

import numpy as np

from blender_meshrec.core.rotations import multiply_quat, normalize_quat, quat_from_rotmat, quat_from_rotvec, rotmat_from_quat, slerp
from blender_meshrec.core.skeletons import SMPL_JOINTS

FPS = 25
SECONDS = 5.2
JOINT_INDEX = {name: index for index, name in enumerate(SMPL_JOINTS)}

# Arms: time s, then for each side the directions (outward, up, forward) of upper arm and forearm.
HANGING = ((0.22, -1, 0.02), (0.12, -1, 0.22))
RAISED = ((0.55, 1, 0.05), (-0.12, 1, 0.08))
FORWARD = ((0.25, 0.42, 1), (-0.12, 0.55, 1))
READY = ((0.35, -1, 0.0), (0.2, -0.75, 0.6))
RIGHT_ARM = [
    (0.0, HANGING), (0.3, HANGING), (0.75, ((1, -0.12, 0.15), (0.35, 1, 0.25))), (0.95, ((1, -0.1, 0.15), (-0.35, 1, 0.2))),
    (1.15, ((1, -0.1, 0.15), (0.5, 1, 0.25))), (1.35, ((1, -0.1, 0.15), (-0.3, 1, 0.2))), (1.55, ((1, -0.12, 0.15), (0.4, 1, 0.25))),
    (2.0, RAISED), (2.3, RAISED), (2.95, FORWARD), (3.2, FORWARD), (3.8, READY), (4.3, HANGING), (SECONDS, HANGING),
]  # fmt: skip
LEFT_ARM = [
    (0.0, HANGING), (0.4, HANGING), (0.9, READY), (1.5, READY), (2.0, RAISED), (2.3, RAISED), (2.95, FORWARD), (3.2, FORWARD),
    (3.8, READY), (4.35, HANGING), (SECONDS, HANGING),
]  # fmt: skip

# Pelvis: time, sideways, height lost, forward (leg lengths), then pitch, turn to the left, roll to the left (rad).
PELVIS = [
    (0.0, 0.00, 0.015, 0.0, 0.00, 0.15, 0.00), (0.8, 0.05, 0.015, 0.0, 0.00, 0.12, -0.03), (1.5, 0.05, 0.015, 0.0, 0.00, 0.10, -0.03),
    (2.05, 0.00, 0.01, 0.01, -0.03, 0.10, 0.00), (2.4, 0.00, 0.03, 0.0, 0.05, 0.10, 0.00), (2.95, 0.00, 0.48, -0.16, 0.50, 0.10, 0.00),
    (3.15, 0.00, 0.48, -0.16, 0.50, 0.10, 0.00), (3.65, -0.05, 0.03, 0.0, 0.06, 0.05, 0.00), (4.05, 0.16, 0.06, 0.0, 0.04, 0.0, 0.03),
    (4.45, 0.36, 0.03, 0.0, 0.03, -0.12, -0.02), (SECONDS, 0.34, 0.015, 0.0, 0.00, -0.15, 0.00),
]  # fmt: skip

# Feet: time, sideways, lifted, forward (leg lengths), turned outward (rad). The last step goes to the left.
LEFT_FOOT = [
    (0.0, 0.155, 0, 0, 0.12), (3.6, 0.155, 0, 0, 0.12), (3.8, 0.26, 0.13, 0.02, 0.12), (4.02, 0.50, 0, 0.02, 0.16),
    (SECONDS, 0.50, 0, 0.02, 0.16),
]  # fmt: skip
RIGHT_FOOT = [
    (0.0, -0.155, 0, 0, 0.12), (4.16, -0.155, 0, 0, 0.12), (4.36, -0.02, 0.11, 0.02, 0.1), (4.58, 0.18, 0, 0.0, 0.14),
    (SECONDS, 0.18, 0, 0.0, 0.14),
]  # fmt: skip

# Spine and head: time, bend forward, bend to the left, turn to the left (rad), shared by spine1-3; then nod and turn of the head.
SPINE = [
    (0.0, 0.02, 0.0, -0.05, 0.02, -0.08), (0.9, 0.0, -0.10, 0.06, 0.0, -0.10), (1.5, 0.0, -0.10, 0.04, 0.0, -0.06),
    (2.05, -0.14, 0.0, 0.0, -0.22, 0.0), (2.35, -0.10, 0.0, 0.0, -0.15, 0.0), (2.95, 0.12, 0.0, 0.0, -0.38, 0.0),
    (3.2, 0.12, 0.0, 0.0, -0.38, 0.0), (3.7, 0.02, 0.0, 0.05, 0.02, 0.20), (4.3, 0.03, -0.05, 0.05, 0.05, 0.15),
    (SECONDS, 0.02, 0.0, 0.0, 0.0, 0.05),
]  # fmt: skip


def make_motion(template, betas):
    """The performance as a body motion.

    Args:
        template: a BodyTemplate with SMPL's joints. betas: its shape.

    Returns:
        local rotations (F,24,4) wxyz, transl (F,3) m (added to the posed body), contacts (F,4).
    """
    times = np.arange(round(SECONDS * FPS)) / FPS
    rest = template.rest_joints(betas)
    sole = -template.rest_vertices(betas)[:, 1].min()
    leg = np.linalg.norm(rest[JOINT_INDEX["left_ankle"]] - rest[JOINT_INDEX["left_hip"]])
    rotations = np.zeros((len(times), 24, 3, 3))
    rotations[:] = np.eye(3)

    pelvis = interpolate_keys(PELVIS, times)
    standing = rest[0] + [0, sole, 0]
    pelvis_at = standing + leg * (pelvis[:, :3] * [1, -1, 1])
    rotations[:, 0] = torso_rotation(pelvis[:, 3], pelvis[:, 4], pelvis[:, 5])
    contacts = np.zeros((len(times), 4))
    for column, (side, keys) in enumerate((("left", LEFT_FOOT), ("right", RIGHT_FOOT))):
        contacts[:, 2 * column : 2 * column + 2] = solve_leg_ik(rotations, rest, sole, leg, pelvis_at, side, interpolate_keys(keys, times))[
            :, None
        ]

    spine = interpolate_keys(SPINE, times)
    for joint in ("spine1", "spine2", "spine3"):
        rotations[:, JOINT_INDEX[joint]] = torso_rotation(*(spine[:, :3].T[[0, 2, 1]] / 3))
    for joint in ("neck", "head"):
        rotations[:, JOINT_INDEX[joint]] = torso_rotation(spine[:, 3] / 2, spine[:, 4] / 2, np.zeros(len(times)))
    for side, keys in (("left", LEFT_ARM), ("right", RIGHT_ARM)):
        animate_arm(rotations, rest, side, keys, times)
    return smooth_upper_body(quat_from_rotmat(rotations)), pelvis_at - rest[0], contacts


def interpolate_keys(keys, times):
    """Key values (time, values...) at `times`, (F,C): eased, so that every key is a moment of rest."""
    keys = np.array(keys, float)
    after = np.clip(np.searchsorted(keys[:, 0], times, side="right"), 1, len(keys) - 1)
    weight = smooth_step((times - keys[after - 1, 0]) / (keys[after, 0] - keys[after - 1, 0]))[:, None]
    return keys[after - 1, 1:] * (1 - weight) + keys[after, 1:] * weight


def smooth_step(weight):
    weight = np.clip(weight, 0, 1)
    return weight**2 * (3 - 2 * weight)


def torso_rotation(pitch, turn, roll):
    """Rotation matrices (F,3,3): lean forward, then turn to the left, then lean to the left."""
    zero = np.zeros_like(pitch)
    lean, yaw, side = (quat_from_rotvec(np.stack(parts, -1)) for parts in ((pitch, zero, zero), (zero, turn, zero), (zero, zero, -roll)))
    return rotmat_from_quat(multiply_quat(yaw, multiply_quat(side, lean)))


def solve_leg_ik(rotations, rest, sole, leg, pelvis_at, side, foot):
    """Turn hip, knee and ankle so that the foot stands where it should; returns whether it touches the floor, (F,)."""
    sign = 1 if side == "left" else -1
    hip, knee, ankle = (rest[JOINT_INDEX[f"{side}_{name}"]] for name in ("hip", "knee", "ankle"))
    turn = quat_from_rotvec(foot[:, 3:] * [[0, sign, 0]])
    pitch = quat_from_rotvec(foot[:, 1:2] * [[2.2, 0, 0]])  # a lifted foot points down
    foot_global = rotmat_from_quat(multiply_quat(turn, pitch))
    forward = foot_global @ [0.0, 0.0, 1.0]
    target = np.stack([leg * foot[:, 0], ankle[1] + sole + leg * foot[:, 1], rest[0, 2] + ankle[2] - rest[0, 2] + leg * foot[:, 2]], -1)
    start = pelvis_at + (rotations[:, 0] @ (hip - rest[0]))
    knee_at = middle_joint(start, target, np.linalg.norm(knee - hip), np.linalg.norm(ankle - knee), forward)
    thigh = frames_from_directions(knee_at - start, forward) @ frames_from_directions(knee - hip, [0.0, 0.0, 1.0]).T
    shin = frames_from_directions(target - knee_at, forward) @ frames_from_directions(ankle - knee, [0.0, 0.0, 1.0]).T
    rotations[:, JOINT_INDEX[f"{side}_hip"]] = transpose(rotations[:, 0]) @ thigh
    rotations[:, JOINT_INDEX[f"{side}_knee"]] = transpose(thigh) @ shin
    rotations[:, JOINT_INDEX[f"{side}_ankle"]] = transpose(shin) @ foot_global
    return (foot[:, 1] < 1e-6).astype(float)


def middle_joint(start, target, upper, lower, pole):
    """Where the middle joint of two bones is, (F,3): on the pole's side, by the law of cosines."""
    reach = target - start
    distance = np.linalg.norm(reach, axis=-1, keepdims=True)
    if (distance >= upper + lower).any():
        raise ValueError(f"a foot is out of reach by {(distance - upper - lower).max():.3f} m")
    along = reach / distance
    cosine = (upper**2 + distance**2 - lower**2) / (2 * upper * distance)
    outward = pole - (pole * along).sum(-1, keepdims=True) * along
    outward /= np.linalg.norm(outward, axis=-1, keepdims=True)
    return start + upper * (cosine * along + np.sqrt(1 - cosine**2) * outward)


def animate_arm(rotations, rest, side, keys, times):
    """Turn collar, shoulder and elbow so that upper arm and forearm point as the keys say, in the chest's axes."""
    sign = 1 if side == "left" else -1
    mirror = np.array([sign, 1, 1])
    arms = [arm_quats(rest, side, sign, *(np.array(direction, float) * mirror for direction in pose)) for _, pose in keys]
    moments = np.array([time for time, _ in keys])
    after = np.clip(np.searchsorted(moments, times, side="right"), 1, len(moments) - 1)
    weight = smooth_step((times - moments[after - 1]) / (moments[after] - moments[after - 1]))
    for index, joint in enumerate(("collar", "shoulder", "elbow")):
        quats = np.stack([arm[index] for arm in arms])
        rotations[:, JOINT_INDEX[f"{side}_{joint}"]] = rotmat_from_quat(slerp(quats[after - 1], quats[after], weight))


def arm_quats(rest, side, sign, upper, fore):
    """Local quaternions of collar, shoulder and elbow for the directions of upper arm and forearm."""
    upper, fore = upper / np.linalg.norm(upper), fore / np.linalg.norm(fore)
    shoulder, elbow, wrist = (rest[JOINT_INDEX[f"{side}_{name}"]] for name in ("shoulder", "elbow", "wrist"))
    # The collar carries a part of what the arm does above and below the horizontal: the shoulder blade's share.
    collar = quat_from_rotvec([0, 0, sign * 0.22 * np.clip(upper[1], -0.6, 1)])
    # At rest the elbow bends forward, about an axis that points down on the left and up on the right.
    hinge = np.cross(upper, fore)
    shoulder_global = frame_from_directions(upper, hinge) @ frame_from_directions(elbow - shoulder, [0, -sign, 0]).T
    elbow_global = frame_from_directions(fore, hinge) @ frame_from_directions(wrist - elbow, [0, -sign, 0]).T
    collar_global = rotmat_from_quat(collar)
    return collar, quat_from_rotmat(collar_global.T @ shoulder_global), quat_from_rotmat(shoulder_global.T @ elbow_global)


def frame_from_directions(direction, second):
    return frames_from_directions(np.asarray(direction, float)[None], np.asarray(second, float)[None])[0]


def frames_from_directions(direction, second):
    """Rotation matrices (...,3,3) whose first column is `direction` and whose second leans to `second`."""
    first = direction / np.linalg.norm(direction, axis=-1, keepdims=True)
    second = np.broadcast_to(np.asarray(second, float), first.shape)
    second = second - (second * first).sum(-1, keepdims=True) * first
    second = second / np.linalg.norm(second, axis=-1, keepdims=True)
    return np.stack([first, second, np.cross(first, second)], -1)


def smooth_upper_body(quats, sigma=1.6):
    """Arms and spine (not legs and pelvis, whose feet are planted) softened by a Gaussian over time, quats (F,24,4)."""
    reach = np.arange(-6, 7)
    kernel = np.exp(-0.5 * (reach / sigma) ** 2)
    soft = [joint for name, joint in JOINT_INDEX.items() if not any(part in name for part in ("pelvis", "hip", "knee", "ankle", "foot"))]
    frames_at = np.clip(np.arange(len(quats))[:, None] + reach, 0, len(quats) - 1)
    near = quats[frames_at][:, :, soft]
    near = near * np.where((near * quats[:, None, soft]).sum(-1, keepdims=True) < 0, -1, 1)
    smoothed = quats.copy()
    smoothed[:, soft] = normalize_quat((near * kernel[None, :, None, None]).sum(1))
    return smoothed


def transpose(matrices):
    return np.swapaxes(matrices, -1, -2)
