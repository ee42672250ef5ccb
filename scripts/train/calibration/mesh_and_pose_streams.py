"""The two streams of PC-HMR on FilmedWindows: generated meshes, and poses lifted from 2D. W windows of F frames."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from blender_meshrec.core.skeletons import H36M17
from blender_meshrec.methods.hmr import project_weak_perspective, window_rotation_to_axis
from blender_meshrec.methods.pc_hmr import BONES
from blender_meshrec.methods.skeleton2mesh import FPS, POINTS, TOKEN_FRAMES, encode_keypoints, lift_clip
from blender_meshrec.methods.skeleton2mesh import rotation_to_optical_axis as turn_onto_ray

_THORAX, _SPINE, _NOSE, _CROWN = (H36M17.index(name) for name in ("thorax", "spine", "nose", "head_top"))
_SHOULDERS = [H36M17.index(f"{side}_shoulder") for side in ("left", "right")]
_PARENTS, _CHILDREN = (list(ends) for ends in zip(*BONES))
_LIMBS = [row for row, child in enumerate(_CHILDREN) if H36M17[child].endswith(("knee", "ankle", "elbow", "wrist"))]


@dataclass
class Meshes:
    """About the hip, camera axes, m. vertices (N,V,3), joints (N,17,3); hips (N,3), where the hips were before; rotmats (N,24,3,3) and
    betas (N,10); camera (N,3) as the generator says it, or None."""

    vertices: torch.Tensor
    joints: torch.Tensor
    hips: torch.Tensor
    rotmats: torch.Tensor
    betas: torch.Tensor
    camera: torch.Tensor | None = None

    def select(self, chosen: torch.Tensor) -> "Meshes":
        camera = None if self.camera is None else self.camera[chosen]
        return Meshes(*(each[chosen] for each in (self.vertices, self.joints, self.hips, self.rotmats, self.betas)), camera)


def pose_meshes(body, projector, betas, rotmats, camera=None):
    """Meshes of betas (N,10) and rotmats (N,24,3,3), camera axes."""
    vertices = body(betas, rotmats[:, 0], rotmats[:, 1:])[1]
    joints = projector @ vertices
    hips = joints[:, 0]
    return Meshes(vertices - hips[:, None], joints - hips[:, None], hips, rotmats, betas, camera)


@torch.no_grad()
def true_meshes(body, projector, pool, chosen=slice(None)):
    """The true Meshes of frames (of W*F)."""
    frames = pool.transl.shape[1]
    betas = pool.betas[:, None].expand(-1, frames, -1).flatten(0, 1)
    return pose_meshes(body, projector, betas[chosen], pool.rotmats.flatten(0, 1)[chosen])


@torch.no_grad()
def generate_meshes(body, projector, network, pool, points, silhouettes):
    """The generator's Meshes of every frame."""
    said = network(points.flatten(0, 1), silhouettes.flatten(0, 1))
    turn = window_rotation_to_axis(pool.windows.flatten(0, 1))
    rotmats = torch.cat([(turn.mT @ said.rotmats[:, 0])[:, None], said.rotmats[:, 1:]], 1)
    return pose_meshes(body, projector, said.betas, rotmats, said.camera)


def lift_keypoints(lifter, rays, confidence, by_frame=False):
    """Poses (W*F,17,3) about the hip, camera axes, in units of the bone-length sum, of rays (W,F,17,2) and confidence (W,F,17).

    by_frame: every frame by itself, as of a single picture.
    """
    if by_frame:
        rays, confidence = (each.flatten(0, 1)[:, None] for each in (rays, confidence))
    lacking = len(POINTS) - rays.shape[2]
    rays, confidence = functional.pad(rays, (0, 0, 0, lacking)), functional.pad(confidence, (0, lacking))
    encoded, towards = encode_keypoints(rays, confidence, torch.zeros(len(rays)))
    frames = rays.shape[1]
    lifted = lifter(functional.pad(encoded, (0, 0, 0, -frames % TOKEN_FRAMES)))[:, :frames]
    return (lifted @ turn_onto_ray(towards)).flatten(0, 1)


@torch.no_grad()
def lift_with_averaging(lifter, rays, confidence, by_frame=False):
    """The same as `lift_keypoints`, averaged over mirror images and phases as the method does it."""
    if by_frame:
        rays, confidence = (each.flatten(0, 1)[:, None] for each in (rays, confidence))
    lacking = len(POINTS) - rays.shape[2]
    rays, confidence = functional.pad(rays, (0, 0, 0, lacking)), functional.pad(confidence, (0, lacking))
    clips = [
        lift_clip(lifter, *(each.numpy() for each in clip), np.arange(rays.shape[1]) / FPS, False)[0] for clip in zip(rays, confidence)
    ]
    return torch.as_tensor(np.concatenate(clips), dtype=torch.float32)


def scale_to_body(pose, joints, frames):
    """Poses (N,17,3) in units of the bone-length sum as targets in metres: their limbs as long as those of joints (N,17,3) are on the
    mean over windows of `frames`; `align_head`."""
    long, unit = ((each[:, _CHILDREN] - each[:, _PARENTS]).norm(dim=-1)[:, _LIMBS].sum(1) for each in (joints, pose))
    size = long.unflatten(0, (-1, frames)).mean(1) / unit.unflatten(0, (-1, frames)).mean(1)
    return align_head(pose * size.repeat_interleave(frames)[:, None, None], joints)


def align_head(pose, joints):
    """Poses (N,17,3), their torsos' middles and heads as a body of joints (N,17,3) has them: recordings begin necks higher up.

    Neck and head keep their directions and take the body's lengths, as backend/fitting/body_fit.py does.
    """
    pose = pose.clone()
    pose[:, _THORAX] = pose[:, _SHOULDERS].mean(1)
    pose[:, _SPINE] = (pose[:, _THORAX] + pose[:, 0]) / 2
    along = pose[:, _NOSE] - pose[:, _THORAX], pose[:, _CROWN] - pose[:, _NOSE]
    lengths = [(joints[:, a] - joints[:, b]).norm(dim=-1, keepdim=True) for a, b in ((_NOSE, _THORAX), (_CROWN, _NOSE))]
    neck, head = (functional.normalize(line, dim=-1) * length for line, length in zip(along, lengths))
    pose[:, _NOSE] = pose[:, _THORAX] + neck
    pose[:, _CROWN] = pose[:, _NOSE] + head
    return pose


def project_generated_joints(meshes, pool):
    """Rays (W,F,17,2) of the generated joints under the generated camera: PC-HMR eq. 3."""
    windows = pool.windows.flatten(0, 1)
    turned = meshes.joints @ window_rotation_to_axis(windows).mT
    return project_weak_perspective(turned, meshes.camera, windows).unflatten(0, pool.transl.shape[:2])
