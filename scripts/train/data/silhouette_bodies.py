"""People to draw silhouettes of: poses from motion capture, shapes, cameras, and what a pipeline would have made of them.

B people. Metres and radians; camera axes (OpenCV).
"""

from typing import NamedTuple

import numpy as np
import roma
import torch

from blender_meshrec.backend.fitting.betas_fit import MEASURED_BONES, bone_lengths_and_jacobian
from blender_meshrec.bodies.lbs import global_rotmats, local_rotmats, smpl_tree
from blender_meshrec.core.silhouettes import BOX_MARGIN
from blender_meshrec.core.skeletons import SMPL_JOINTS, SMPL_PARENTS
from blender_meshrec.methods.silhouette_refinement import NUM_BETAS
from scripts.train.data.recordings import mirror_rotmats, read_recordings, rotmats_from_quats

JOINT_INDEX = {name: index for index, name in enumerate(SMPL_JOINTS)}
BETAS_SIGMA, MAX_BETA = 1.15, 3.0  # of betas: a little wider than the population
# How far true ends stray from the recording's, rad: motion capture's own wrists and heads hardly move by themselves.
END_SIGMAS = {"head": 0.25, "left_wrist": 0.45, "right_wrist": 0.45, "left_ankle": 0.25, "right_ankle": 0.25}
MAX_END_ANGLE = 1.3
FOREARM_TWIST_SIGMA = 0.5

# How wrong estimates are, rad, at a level between 0 and 1 that each draws: bones' directions in depth, in the picture, where a
# detector sees them, and turns about the bone.
DEPTH_SIGMA, IMAGE_PLANE_SIGMA, TWIST_SIGMA = 0.2, 0.04, 0.25
TRUNK_FACTOR = 0.5  # the trunk's share of these
UNSEEN_ENDS_SHARE = 0.65  # share of estimates that know nothing of hands and feet
END_SIGMA = 0.3
DEPTH_ERROR_SIGMA, SIDE_ERROR_SIGMA = 0.03, 0.005  # shares of the distance
# Axes (24,3) that limbs point along at rest.
LIMB_AXES = np.zeros((24, 3))
LIMB_AXES[[JOINT_INDEX[f"{side}_{name}"] for side in ("left", "right") for name in ("hip", "knee")], 1] = 1
LIMB_AXES[[JOINT_INDEX[f"{side}_{name}"] for side in ("left", "right") for name in ("shoulder", "elbow")], 0] = 1
_Y_DOWN = torch.diag(torch.tensor([1.0, -1.0, -1.0]))


class People(NamedTuple):
    """betas (B,10), rotmats (B,24,3,3) local, the root's in camera axes, and transl (B,3) m."""

    betas: torch.Tensor
    rotmats: torch.Tensor
    transl: torch.Tensor


def read_rotations(folder, testing):
    """The quats (N,24,4) of recordings' valid frames: of the test subjects, or of all others."""
    return np.concatenate([one.quats[one.valid] for one in read_recordings(folder) if one.testing == testing])


def draw_people(rng, quats, count):
    """People (truth): rows of the motion capture, half of them mirrored, with other shapes, ends turned, before cameras."""
    rotmats = rotmats_from_quats(quats[np.sort(rng.choice(len(quats), count))])
    mirror = rng.random(count) < 0.5
    rotmats[mirror] = mirror_rotmats(rotmats[mirror])
    rotmats = torch.as_tensor(rotmats, dtype=torch.float32)
    for name, spread in END_SIGMAS.items():
        rotvec = roma.rotmat_to_rotvec(rotmats[:, JOINT_INDEX[name]] @ random_rotations(rng, count, spread))
        rotmats[:, JOINT_INDEX[name]] = roma.rotvec_to_rotmat(
            rotvec * (MAX_END_ANGLE / rotvec.norm(dim=-1, keepdim=True).clamp_min(MAX_END_ANGLE))
        )
    for name in ("left_elbow", "right_elbow"):
        # About the forearm, which lies along x at rest.
        twist = torch.zeros(count, 3)
        twist[:, 0] = torch.as_tensor(rng.normal(0, FOREARM_TWIST_SIGMA, count))
        rotmats[:, JOINT_INDEX[name]] = rotmats[:, JOINT_INDEX[name]] @ roma.rotvec_to_rotmat(twist)
    betas = torch.as_tensor(np.clip(rng.normal(0, BETAS_SIGMA, (count, NUM_BETAS)), -MAX_BETA, MAX_BETA), dtype=torch.float32)
    turn, transl = draw_cameras(rng, count)
    rotmats[:, 0] = turn @ rotmats[:, 0]
    return People(betas, rotmats, transl)


def draw_cameras(rng, count):
    """Rotations (B,3,3) from the recording's y-up axes to a camera's, and where the pelvis is, (B,3) m."""
    pitch = np.where(rng.random(count) < 0.75, rng.normal(0.08, 0.12, count), rng.uniform(-0.5, 1.2, count))
    roll, yaw = rng.normal(0, 0.06, count), rng.uniform(-np.pi, np.pi, count)

    def about(axis, angle):
        rotvec = torch.zeros(count, 3)
        rotvec[:, axis] = torch.as_tensor(angle)
        return roma.rotvec_to_rotmat(rotvec)

    turn = about(2, roll) @ about(0, pitch) @ _Y_DOWN @ about(1, yaw)
    distance = np.exp(rng.uniform(np.log(1.9), np.log(10.0), count))
    aim = rng.uniform(-1, 1, (count, 2)) * [0.45, 0.25]
    transl = np.concatenate([aim, np.ones((count, 1))], 1) * distance[:, None]
    return turn, torch.as_tensor(transl, dtype=torch.float32)


def random_rotations(rng, count, spread):
    """Random rotations (B,3,3), rotation vectors with `spread` rad an axis; spread may be (B,)."""
    spread = np.broadcast_to(np.asarray(spread, float), (count,))[:, None]
    return roma.rotvec_to_rotmat(torch.as_tensor(rng.normal(size=(count, 3)) * spread, dtype=torch.float32))


def perturb_estimate(rng, truth, gain, noise):
    """People as a pipeline that sees no silhouettes might have them.

    gain, noise: of `betas_from_bone_lengths`. Joints are off a little, forearms untwisted, hands and feet unknown or wrong, the shape
    as far as bone lengths tell it, and the body not quite where it is.
    """
    count = len(truth.betas)
    rotmats = perturb_rotations(rng, truth.rotmats)
    for side in ("left", "right"):
        elbow = rotmats[:, JOINT_INDEX[f"{side}_elbow"]]
        untwisted = torch.as_tensor(rng.random(count) < 0.8)
        rotmats[:, JOINT_INDEX[f"{side}_elbow"]] = torch.where(untwisted[:, None, None], remove_twist(elbow), elbow)
    unseen = torch.as_tensor(rng.random(count) < UNSEEN_ENDS_SHARE)[:, None, None]
    for name in END_SIGMAS:
        near = rotmats[:, JOINT_INDEX[name]] @ random_rotations(rng, count, END_SIGMA)
        rotmats[:, JOINT_INDEX[name]] = near if name == "head" else torch.where(unseen, torch.eye(3), near)
    lengths = truth.betas @ gain[1].T + torch.as_tensor(rng.normal(size=(count, len(noise))) * noise, dtype=torch.float32)
    betas = lengths @ gain[0].T
    # Some have been corrected before.
    share = torch.as_tensor(np.where(rng.random(count) < 0.3, rng.random(count), 0), dtype=torch.float32)[:, None]
    betas = betas + share * (truth.betas - betas)
    distance = truth.transl[:, 2:]
    errors = rng.normal(size=(count, 3)) * [SIDE_ERROR_SIGMA, SIDE_ERROR_SIGMA, DEPTH_ERROR_SIGMA]
    transl = truth.transl * (1 + torch.as_tensor(errors[:, 2:], dtype=torch.float32))
    transl[:, :2] += distance * torch.as_tensor(errors[:, :2], dtype=torch.float32)
    return People(betas.clamp(-MAX_BETA, MAX_BETA), rotmats, transl)


def perturb_rotations(rng, rotmats):
    """Local rotations (B,24,3,3) whose bones are off in the camera's axes, each by itself: mostly in depth."""
    count = len(rotmats)
    turned = global_rotmats(rotmats, smpl_tree())
    errors = rng.normal(size=(count, 24, 3)) * [DEPTH_SIGMA, DEPTH_SIGMA, IMAGE_PLANE_SIGMA] * rng.random((count, 1, 1))
    twists = rng.normal(size=(count, 24, 3)) * TWIST_SIGMA * rng.random((count, 1, 1)) * LIMB_AXES
    trunk = [JOINT_INDEX[name] for name in ("pelvis", "spine1", "spine2", "spine3", "neck", "left_collar", "right_collar")]
    errors[:, trunk] *= TRUNK_FACTOR
    errors[:, [JOINT_INDEX["spine1"], JOINT_INDEX["spine2"]]] = errors[:, :1]
    ends = [JOINT_INDEX[name] for name in (*END_SIGMAS, "left_foot", "right_foot", "left_hand", "right_hand")]
    errors[:, ends] = errors[:, SMPL_PARENTS[ends]]
    turn, twist = (roma.rotvec_to_rotmat(torch.as_tensor(values, dtype=torch.float32)) for values in (errors, twists))
    turned = turn @ turned @ twist
    return local_rotmats(turned, smpl_tree())


def remove_twist(rotmats):
    """Rotations (B,3,3) less what they turn about x, after bending: R = bend @ twist -> bend."""
    quat = roma.rotmat_to_unitquat(rotmats)
    twist = 2 * torch.atan2(quat[:, 0], quat[:, 3])
    return rotmats @ roma.rotvec_to_rotmat(torch.stack([-twist, *torch.zeros(2, len(twist))], -1))


def betas_from_bone_lengths(template):
    """How betas follow from bone lengths, to first order about the mean: (gain (10,M), slopes (M,10)) and noise (M,) m.

    The same measures and deviations that `backend/fitting/betas_fit.py` weighs.
    """
    _lengths, rows = bone_lengths_and_jacobian(template, np.zeros(template.J_shapedirs.shape[-1]))
    noise = np.array([bone.sigma for bone in MEASURED_BONES])
    gain = np.linalg.solve(np.eye(rows.shape[1]) + rows.T @ (rows / noise[:, None] ** 2), (rows / noise[:, None] ** 2).T)
    return tuple(torch.as_tensor(value, dtype=torch.float32) for value in (gain, rows)), noise


def crop_windows(rng, joints, count):
    """Windows (B,4), left, top, width, height as x/z and y/z, round joints (B,24,3), as a detector's box would give them."""
    crown = joints[:, JOINT_INDEX["head"]] + 1.5 * (joints[:, JOINT_INDEX["head"]] - joints[:, JOINT_INDEX["neck"]])
    points = torch.cat([joints, crown[:, None]], 1)
    rays = points[..., :2] / points[..., 2:].clamp_min(0.2)
    low, high = rays.amin(1), rays.amax(1)
    side = (high - low).amax(1) * BOX_MARGIN * torch.as_tensor(np.exp(rng.normal(0, 0.05, count)), dtype=torch.float32)
    middle = (low + high) / 2 + side[:, None] * torch.as_tensor(rng.normal(0, 0.015, (count, 2)), dtype=torch.float32)
    return torch.cat([middle - side[:, None] / 2, side[:, None].expand(-1, 2)], 1)
