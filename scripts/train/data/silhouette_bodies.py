"""Random people for silhouettes: poses from motion capture, shapes and cameras; and the estimates that the pipeline would make of them.

B people. Metres and radians; camera axes (OpenCV).
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import roma
import torch

from blender_meshrec.backend.fitting.betas_fit import MEASURED_BONES, bone_lengths_and_jacobian
from blender_meshrec.bodies.lbs import global_rotmats, local_rotmats, smpl_tree
from blender_meshrec.core.array_types import FloatArray, IntArray
from blender_meshrec.core.files.body_template import BodyTemplate
from blender_meshrec.core.silhouettes import BOX_MARGIN
from blender_meshrec.core.skeletons import SMPL_JOINTS, SMPL_PARENTS
from blender_meshrec.methods.silhouette_refinement import NUM_BETAS
from scripts.train.data.recordings import mirror_rotmats, read_recordings, rotmats_from_quats

JOINT_INDEX = {name: index for index, name in enumerate(SMPL_JOINTS)}
BETAS_SIGMA, MAX_BETA = 1.15, 3.0  # a little wider than the population
# Random rotations of the true end joints, rad: in motion capture wrists and head hardly rotate on their own.
END_SIGMAS = {"head": 0.25, "left_wrist": 0.45, "right_wrist": 0.45, "left_ankle": 0.25, "right_ankle": 0.25}
MAX_END_ANGLE = 1.3
FOREARM_TWIST_SIGMA = 0.5

# Errors of estimates, rad, at the highest of a random error level: of bone directions in depth and in the image plane, and of twists.
DEPTH_SIGMA, IMAGE_PLANE_SIGMA, TWIST_SIGMA = 0.2, 0.04, 0.25
TRUNK_FACTOR = 0.5  # errors of the trunk over those of limbs
UNSEEN_ENDS_FRACTION = 0.65  # of estimates without any information on hands and feet
END_SIGMA = 0.3  # rad
DEPTH_ERROR_SIGMA, SIDE_ERROR_SIGMA = 0.03, 0.005  # fractions of the distance
# The axes (24,3) of limbs at rest.
LIMB_AXES = np.zeros((24, 3))
LIMB_AXES[[JOINT_INDEX[f"{side}_{name}"] for side in ("left", "right") for name in ("hip", "knee")], 1] = 1
LIMB_AXES[[JOINT_INDEX[f"{side}_{name}"] for side in ("left", "right") for name in ("shoulder", "elbow")], 0] = 1
_Y_DOWN = torch.diag(torch.tensor([1.0, -1.0, -1.0]))


class People(NamedTuple):
    """Bodies: betas (B,10), rotmats (B,24,3,3) local, the root's in camera axes, and transl (B,3) m."""

    betas: torch.Tensor
    rotmats: torch.Tensor
    transl: torch.Tensor


class LinearShapeModel(NamedTuple):
    """Betas from M measured bone lengths, linearised at the mean body.

    gain: (10,M), betas per length. jacobian: (M,10), lengths per beta. noise: (M,) m, standard deviations of the measured lengths.
    """

    gain: torch.Tensor
    jacobian: torch.Tensor
    noise: FloatArray


def read_rotations(folder: Path, testing: bool) -> IntArray:
    """The quats (N,24,4) of the valid frames of recordings: of the test subjects, or of all others."""
    return np.concatenate([one.quats[one.valid] for one in read_recordings(folder) if one.testing == testing])


def draw_people(rng: np.random.Generator, quats: IntArray, count: int) -> People:
    """True People: random frames of motion capture, half of them mirrored, with random shapes, end joints and cameras."""
    local = rotmats_from_quats(quats[np.sort(rng.choice(len(quats), count))])
    mirror = rng.random(count) < 0.5
    local[mirror] = mirror_rotmats(local[mirror])
    rotmats = torch.as_tensor(local, dtype=torch.float32)
    for name, spread in END_SIGMAS.items():
        rotvec = roma.rotmat_to_rotvec(rotmats[:, JOINT_INDEX[name]] @ random_rotations(rng, count, spread))
        rotmats[:, JOINT_INDEX[name]] = roma.rotvec_to_rotmat(
            rotvec * (MAX_END_ANGLE / rotvec.norm(dim=-1, keepdim=True).clamp_min(MAX_END_ANGLE))
        )
    for name in ("left_elbow", "right_elbow"):
        # About the forearm, which points along x at rest.
        twist = torch.zeros(count, 3)
        twist[:, 0] = torch.as_tensor(rng.normal(0, FOREARM_TWIST_SIGMA, count))
        rotmats[:, JOINT_INDEX[name]] = rotmats[:, JOINT_INDEX[name]] @ roma.rotvec_to_rotmat(twist)
    betas = torch.as_tensor(np.clip(rng.normal(0, BETAS_SIGMA, (count, NUM_BETAS)), -MAX_BETA, MAX_BETA), dtype=torch.float32)
    camera_rotmats, transl = draw_cameras(rng, count)
    rotmats[:, 0] = camera_rotmats @ rotmats[:, 0]
    return People(betas, rotmats, transl)


def draw_cameras(rng: np.random.Generator, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rotations (B,3,3) from the recordings' y-up axes to camera axes, and the pelvis's position (B,3) m in camera axes."""
    pitch = np.where(rng.random(count) < 0.75, rng.normal(0.08, 0.12, count), rng.uniform(-0.5, 1.2, count))
    roll, yaw = rng.normal(0, 0.06, count), rng.uniform(-np.pi, np.pi, count)

    def about_axis(axis: int, angle: FloatArray) -> torch.Tensor:
        rotvec = torch.zeros(count, 3)
        rotvec[:, axis] = torch.as_tensor(angle)
        return roma.rotvec_to_rotmat(rotvec)

    rotmats = about_axis(2, roll) @ about_axis(0, pitch) @ _Y_DOWN @ about_axis(1, yaw)
    distance = np.exp(rng.uniform(np.log(1.9), np.log(10.0), count))
    aim = rng.uniform(-1, 1, (count, 2)) * [0.45, 0.25]
    transl = np.concatenate([aim, np.ones((count, 1))], 1) * distance[:, None]
    return rotmats, torch.as_tensor(transl, dtype=torch.float32)


def random_rotations(rng: np.random.Generator, count: int, sigma: float) -> torch.Tensor:
    """Random rotations (B,3,3) whose rotation vectors have a standard deviation of `sigma` rad per axis."""
    return roma.rotvec_to_rotmat(torch.as_tensor(rng.normal(size=(count, 3)) * sigma, dtype=torch.float32))


def perturb_estimate(rng: np.random.Generator, truth: People, shape_model: LinearShapeModel) -> People:
    """The People that the pipeline might estimate without silhouettes.

    Bone directions have errors, most forearms have no twist, hands and feet are unknown or wrong, betas follow from noisy bone lengths,
    and the position has errors.
    """
    count = len(truth.betas)
    rotmats = perturb_rotations(rng, truth.rotmats)
    for side in ("left", "right"):
        elbow = rotmats[:, JOINT_INDEX[f"{side}_elbow"]]
        untwisted = torch.as_tensor(rng.random(count) < 0.8)
        rotmats[:, JOINT_INDEX[f"{side}_elbow"]] = torch.where(untwisted[:, None, None], remove_twist(elbow), elbow)
    unseen = torch.as_tensor(rng.random(count) < UNSEEN_ENDS_FRACTION)[:, None, None]
    for name in END_SIGMAS:
        perturbed = rotmats[:, JOINT_INDEX[name]] @ random_rotations(rng, count, END_SIGMA)
        rotmats[:, JOINT_INDEX[name]] = perturbed if name == "head" else torch.where(unseen, torch.eye(3), perturbed)
    noise = torch.as_tensor(rng.normal(size=(count, len(shape_model.noise))) * shape_model.noise, dtype=torch.float32)
    lengths = truth.betas @ shape_model.jacobian.T + noise
    betas = lengths @ shape_model.gain.T
    # Some estimates are partly corrected already.
    fraction = torch.as_tensor(np.where(rng.random(count) < 0.3, rng.random(count), 0), dtype=torch.float32)[:, None]
    betas = betas + fraction * (truth.betas - betas)
    distance = truth.transl[:, 2:]
    errors = rng.normal(size=(count, 3)) * [SIDE_ERROR_SIGMA, SIDE_ERROR_SIGMA, DEPTH_ERROR_SIGMA]
    transl = truth.transl * (1 + torch.as_tensor(errors[:, 2:], dtype=torch.float32))
    transl[:, :2] += distance * torch.as_tensor(errors[:, :2], dtype=torch.float32)
    return People(betas.clamp(-MAX_BETA, MAX_BETA), rotmats, transl)


def perturb_rotations(rng: np.random.Generator, rotmats: torch.Tensor) -> torch.Tensor:
    """Local rotations (B,24,3,3) with independent errors of the bones' directions in camera axes, mostly in depth, and of their twists."""
    count = len(rotmats)
    rotations = global_rotmats(rotmats, smpl_tree())
    errors = rng.normal(size=(count, 24, 3)) * [DEPTH_SIGMA, DEPTH_SIGMA, IMAGE_PLANE_SIGMA] * rng.random((count, 1, 1))
    twists = rng.normal(size=(count, 24, 3)) * TWIST_SIGMA * rng.random((count, 1, 1)) * LIMB_AXES
    trunk = [JOINT_INDEX[name] for name in ("pelvis", "spine1", "spine2", "spine3", "neck", "left_collar", "right_collar")]
    errors[:, trunk] *= TRUNK_FACTOR
    errors[:, [JOINT_INDEX["spine1"], JOINT_INDEX["spine2"]]] = errors[:, :1]
    ends = [JOINT_INDEX[name] for name in (*END_SIGMAS, "left_foot", "right_foot", "left_hand", "right_hand")]
    errors[:, ends] = errors[:, SMPL_PARENTS[ends]]
    swing, twist = (roma.rotvec_to_rotmat(torch.as_tensor(values, dtype=torch.float32)) for values in (errors, twists))
    return local_rotmats(swing @ rotations @ twist, smpl_tree())


def remove_twist(rotmats: torch.Tensor) -> torch.Tensor:
    """Rotations (B,3,3) without their twist about x: R = swing @ twist -> swing."""
    quat = roma.rotmat_to_unitquat(rotmats)
    twist = 2 * torch.atan2(quat[:, 0], quat[:, 3])
    return rotmats @ roma.rotvec_to_rotmat(torch.stack([-twist, *torch.zeros(2, len(twist))], -1))


def betas_from_bone_lengths(template: BodyTemplate) -> LinearShapeModel:
    """The LinearShapeModel of a body, with the measurements and deviations of `backend/fitting/betas_fit.py`."""
    _lengths, jacobian = bone_lengths_and_jacobian(template, np.zeros(template.J_shapedirs.shape[-1]))
    noise = np.array([bone.sigma for bone in MEASURED_BONES])
    weighted = jacobian / noise[:, None] ** 2
    gain = np.linalg.solve(np.eye(jacobian.shape[1]) + jacobian.T @ weighted, weighted.T)
    return LinearShapeModel(torch.as_tensor(gain, dtype=torch.float32), torch.as_tensor(jacobian, dtype=torch.float32), noise)


def crop_windows(rng: np.random.Generator, joints: torch.Tensor, count: int) -> torch.Tensor:
    """Windows (B,4), left, top, width, height as x/z and y/z, around joints (B,24,3) m, with the errors of a detector's box."""
    crown = joints[:, JOINT_INDEX["head"]] + 1.5 * (joints[:, JOINT_INDEX["head"]] - joints[:, JOINT_INDEX["neck"]])
    points = torch.cat([joints, crown[:, None]], 1)
    rays = points[..., :2] / points[..., 2:].clamp_min(0.2)
    low, high = rays.amin(1), rays.amax(1)
    side = (high - low).amax(1) * BOX_MARGIN * torch.as_tensor(np.exp(rng.normal(0, 0.05, count)), dtype=torch.float32)
    middle = (low + high) / 2 + side[:, None] * torch.as_tensor(rng.normal(0, 0.015, (count, 2)), dtype=torch.float32)
    return torch.cat([middle - side[:, None] / 2, side[:, None].expand(-1, 2)], 1)
