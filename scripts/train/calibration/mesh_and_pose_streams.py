"""The two streams of PC-HMR on FilmedWindows: generated meshes, and poses lifted from 2D. W windows of F frames."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from blender_meshrec.bodies.alignment import rotation_to_optical_axis
from blender_meshrec.bodies.smpl import Smpl
from blender_meshrec.bodies.window_regression import WindowNetwork, project_weak_perspective, window_rotation_to_axis
from blender_meshrec.core.skeletons import H36M17
from blender_meshrec.methods.lifter.even_times import FPS
from blender_meshrec.methods.lifter.lifter_input import POINTS, encode_keypoints
from blender_meshrec.methods.pc_hmr import BONES
from blender_meshrec.methods.skeleton2mesh import TOKEN_FRAMES, Lifter, lift_clip
from scripts.train.calibration.filmed_windows import FilmedWindows

_THORAX, _SPINE, _NOSE, _CROWN = (H36M17.index(name) for name in ("thorax", "spine", "nose", "head_top"))
_SHOULDERS = [H36M17.index(f"{side}_shoulder") for side in ("left", "right")]
_PARENTS, _CHILDREN = (list(ends) for ends in zip(*BONES))
_LIMBS = [row for row, child in enumerate(_CHILDREN) if H36M17[child].endswith(("knee", "ankle", "elbow", "wrist"))]


@dataclass
class Meshes:
    """Meshes in camera axes, relative to the hip, m.

    vertices (N,V,3), joints (N,17,3). hips: (N,3), the hip in camera axes. rotmats (N,24,3,3) and betas (N,10): the body.
    camera: (N,3), the generator's weak-perspective camera, or None.
    """

    vertices: torch.Tensor
    joints: torch.Tensor
    hips: torch.Tensor
    rotmats: torch.Tensor
    betas: torch.Tensor
    camera: torch.Tensor | None = None

    def select(self, chosen: torch.Tensor) -> "Meshes":
        camera = None if self.camera is None else self.camera[chosen]
        vertices, joints, hips, rotmats, betas = (
            each[chosen] for each in (self.vertices, self.joints, self.hips, self.rotmats, self.betas)
        )
        return Meshes(vertices, joints, hips, rotmats, betas, camera)


def pose_meshes(
    body: Smpl, projector: torch.Tensor, betas: torch.Tensor, rotmats: torch.Tensor, camera: torch.Tensor | None = None
) -> Meshes:
    """Meshes of betas (N,10) and rotmats (N,24,3,3) in camera axes; projector: (17,V), U."""
    vertices = body(betas, rotmats[:, 0], rotmats[:, 1:])[1]
    joints = projector @ vertices
    hips = joints[:, 0]
    return Meshes(vertices - hips[:, None], joints - hips[:, None], hips, rotmats, betas, camera)


@torch.no_grad()
def true_meshes(body: Smpl, projector: torch.Tensor, pool: FilmedWindows) -> Meshes:
    """The true Meshes of all W*F frames."""
    frames = pool.transl.shape[1]
    betas = pool.betas[:, None].expand(-1, frames, -1).flatten(0, 1)
    return pose_meshes(body, projector, betas, pool.rotmats.flatten(0, 1))


@torch.no_grad()
def generate_meshes(
    body: Smpl, projector: torch.Tensor, network: WindowNetwork, pool: FilmedWindows, points: torch.Tensor, silhouettes: torch.Tensor
) -> Meshes:
    """The generator's Meshes of all W*F frames; points and silhouettes: of `generator_inputs`."""
    output = network(points.flatten(0, 1), silhouettes.flatten(0, 1))
    window_from_camera = window_rotation_to_axis(pool.windows.flatten(0, 1))
    rotmats = torch.cat([(window_from_camera.mT @ output.rotmats[:, 0])[:, None], output.rotmats[:, 1:]], 1)
    return pose_meshes(body, projector, output.betas, rotmats, output.camera)


def lift_keypoints(lifter: Lifter, rays: torch.Tensor, confidence: torch.Tensor, by_frame: bool = False) -> torch.Tensor:
    """Lift rays (W,F,17,2) with confidence (W,F,17).

    Returns poses (W*F,17,3) relative to the hip in camera axes, in units of the bone-length sum. by_frame: lift each frame independently.
    """
    rays, confidence = _lifter_inputs(rays, confidence, by_frame)
    encoded, person = encode_keypoints(rays, confidence, torch.zeros(len(rays)))
    frames = rays.shape[1]
    lifted = lifter(functional.pad(encoded, (0, 0, 0, -frames % TOKEN_FRAMES))).joints[:, :frames]
    return (lifted @ rotation_to_optical_axis(person.view)).flatten(0, 1)


@torch.no_grad()
def lift_with_averaging(lifter: Lifter, rays: torch.Tensor, confidence: torch.Tensor, by_frame: bool = False) -> torch.Tensor:
    """The same as `lift_keypoints`, averaged over mirror images and phases as `skeleton2mesh.lift_clip` does it."""
    rays, confidence = _lifter_inputs(rays, confidence, by_frame)
    times = np.arange(rays.shape[1]) / FPS
    clips = [lift_clip(lifter, clip.numpy(), weights.numpy(), times, False).joints for clip, weights in zip(rays, confidence)]
    return torch.as_tensor(np.concatenate(clips), dtype=torch.float32)


def _lifter_inputs(rays: torch.Tensor, confidence: torch.Tensor, by_frame: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Rays and confidence padded to the lifter's POINTS; by_frame: as clips of one frame."""
    if by_frame:
        rays, confidence = rays.flatten(0, 1)[:, None], confidence.flatten(0, 1)[:, None]
    num_missing = len(POINTS) - rays.shape[2]
    return functional.pad(rays, (0, 0, 0, num_missing)), functional.pad(confidence, (0, num_missing))


def scale_to_body(pose: torch.Tensor, joints: torch.Tensor, frames: int) -> torch.Tensor:
    """Scale poses (N,17,3) from units of the bone-length sum to metres, and align their heads (`align_head`).

    The scale of a window of `frames` frames makes the mean limb length equal to that of joints (N,17,3) m.
    """
    length, unit_length = ((each[:, _CHILDREN] - each[:, _PARENTS]).norm(dim=-1)[:, _LIMBS].sum(1) for each in (joints, pose))
    scale = length.unflatten(0, (-1, frames)).mean(1) / unit_length.unflatten(0, (-1, frames)).mean(1)
    return align_head(pose * scale.repeat_interleave(frames)[:, None, None], joints)


def align_head(pose: torch.Tensor, joints: torch.Tensor) -> torch.Tensor:
    """Poses (N,17,3) m with thorax, spine and head as on a body of joints (N,17,3) m: in recordings the neck starts higher.

    Neck and head keep their directions and take the body's lengths, as in backend/fitting/body_fit.py.
    """
    pose = pose.clone()
    pose[:, _THORAX] = pose[:, _SHOULDERS].mean(1)
    pose[:, _SPINE] = (pose[:, _THORAX] + pose[:, 0]) / 2
    directions = pose[:, _NOSE] - pose[:, _THORAX], pose[:, _CROWN] - pose[:, _NOSE]
    lengths = [(joints[:, a] - joints[:, b]).norm(dim=-1, keepdim=True) for a, b in ((_NOSE, _THORAX), (_CROWN, _NOSE))]
    neck, head = (functional.normalize(direction, dim=-1) * length for direction, length in zip(directions, lengths))
    pose[:, _NOSE] = pose[:, _THORAX] + neck
    pose[:, _CROWN] = pose[:, _NOSE] + head
    return pose


def project_generated_joints(meshes: Meshes, pool: FilmedWindows) -> torch.Tensor:
    """Rays (W,F,17,2) of the generated joints in the generated camera: PC-HMR eq. 3.

    Raises:
        ValueError: the meshes have no camera.
    """
    if meshes.camera is None:
        raise ValueError("only generated meshes have a camera")
    windows = pool.windows.flatten(0, 1)
    joints_in_window = meshes.joints @ window_rotation_to_axis(windows).mT
    return project_weak_perspective(joints_in_window, meshes.camera, windows).unflatten(0, pool.transl.shape[:2])
