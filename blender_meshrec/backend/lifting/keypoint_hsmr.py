"""HSMR by the user's released network, which has seen the picture, else by the one that ships, which sees keypoints and silhouettes."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from ...bodies.joint_projector import JointProjector
from ...bodies.make_body import make_body
from ...bodies.skel import Skel
from ...bodies.skel_rotations import turned_pelvis
from ...bodies.window_regression import CHUNK_FRAMES, WindowBodies, generate_mesh, window_inputs, window_rotation_to_axis
from ...core.array_types import FloatArray
from ...core.files.body_template import load_body
from ...core.records import Estimate, GeneratedMesh, Observations
from ...core.skel.template import load_skel
from ...core.skeletons import to_h36m17
from ...methods.hsmr_network import SkelRegression, load_keypoint_hsmr
from ...methods.skel_to_smpl import smpl_rotmats_of_bones
from .image_estimates import estimate_from_crops


def estimate_with_hsmr(observations: Observations, intrinsics: FloatArray, timestamps: FloatArray, device: torch.device) -> Estimate:
    """The Estimator: SKEL's angles of every frame, the joints of its body, and SMPL's rotations of its bones.

    Args:
        observations: one person of F frames, any keypoint set. intrinsics: (3,3) px. timestamps: (F,) s.

    Raises:
        ModelError: the weights are missing or damaged.
    """
    if observations.regression is not None:
        return estimate_from_crops(observations, intrinsics, timestamps, device)
    visible = np.array(observations.visible)
    regression = regress_keypoints(observations, intrinsics, device)
    shown = torch.as_tensor(visible, device=device)
    betas = (regression.betas[shown] if visible.any() else regression.betas).mean(0)
    joints, rotmats = joints_and_rotations(regression.q, betas, device)
    rotmats[~shown] = torch.eye(3, device=device)
    confidence = np.clip(to_h36m17(observations.keypoints, observations.keypoint_set)[..., 2], 0, 1)
    return Estimate(
        joints=joints.cpu().numpy() * visible[:, None, None],
        confidence=confidence * visible[:, None],
        rotmats=rotmats.cpu().numpy(),
        q=regression.q.cpu().numpy() * visible[:, None],
    )


@torch.no_grad()
def generate_with_hsmr(observations: Observations, intrinsics: FloatArray, timestamps: FloatArray, device: torch.device) -> GeneratedMesh:
    """The Generator: the network that ships, as a mesh of SMPL's rotations. Arguments and errors as of `estimate_with_hsmr`."""
    network = load_keypoint_hsmr(str(device))

    def regress(points: torch.Tensor, silhouettes: torch.Tensor) -> WindowBodies:
        found = network(points, silhouettes)
        posed = _open_bodies(str(device)).skel(found.q, found.betas, with_skin=False)
        return WindowBodies(smpl_rotmats_of_bones(posed.rotations), found.betas, found.camera)

    return generate_mesh(regress, observations, intrinsics, device)


@torch.no_grad()
def regress_keypoints(observations: Observations, intrinsics: FloatArray, device: torch.device) -> SkelRegression:
    """The network's answers in camera axes: q (F,46) rad, within SKEL's limits, betas (F,10) and camera (F,3) of the frames' windows.

    Each frame is regressed by itself; rows without the person are undefined. Raises ModelError.
    """
    network = load_keypoint_hsmr(str(device))
    windows, points, silhouettes = window_inputs(observations, intrinsics, device)
    parts = [network(points[rows], silhouettes[rows]) for rows in torch.arange(len(points)).split(CHUNK_FRAMES)]
    found = SkelRegression(*(torch.cat(part) for part in zip(*parts)))
    camera_from_window = window_rotation_to_axis(windows).mT
    return found._replace(q=turned_pelvis(found.q, camera_from_window, _open_bodies(str(device)).pelvis_frame))


@torch.no_grad()
def joints_and_rotations(q: torch.Tensor, betas: torch.Tensor, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """h36m17 (F,17,3) m relative to the hip, and SMPL's local rotations (F,24,3,3), of q (F,46) rad and betas (10,) on the open body."""
    bodies = _open_bodies(str(device))
    posed = bodies.skel(q, betas, skin=bodies.skel.subset(bodies.vertices))
    assert posed.vertices is not None
    joints = bodies.projector @ posed.vertices
    return joints - joints[:, :1], smpl_rotmats_of_bones(posed.rotations)


@dataclass(frozen=True)
class _OpenBodies:
    """The open SKEL body; `vertices` of its skin that U needs, and U (17,N) over them; the pelvis's frame (3,3) at rest."""

    skel: Skel
    vertices: FloatArray
    projector: torch.Tensor
    pelvis_frame: torch.Tensor


@lru_cache
def _open_bodies(device: str) -> _OpenBodies:
    skel = Skel(load_skel(), device)
    projector = JointProjector(make_body(load_body(), device)).h36m17_image
    vertices = projector.any(0).nonzero()[:, 0]
    frame = skel.J_template.new_tensor(skel.template.bone_frames(np.zeros(10))[0])
    return _OpenBodies(skel, vertices.cpu().numpy(), projector[:, vertices], frame)
