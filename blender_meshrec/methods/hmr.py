"""A mesh generator of the HMR kind: pose, shape and camera of one frame, regressed from 2D joints and a silhouette.

Paper: Kanazawa et al. 2018, "End-to-end Recovery of Human Shape and Pose" (HMR): features, then a regressor that is shown its own
last answer and corrects it, three times; a weak-perspective camera. It is the mesh stream of PC-HMR (methods/pc_hmr.py).

Deviations, ours:

* Features come from 17 joints (h36m17) and a silhouette, not from the picture: what a detector gives of any footage.
* Rotations are six numbers each (Zhou et al. 2019, "On the Continuity of Rotation Representations"), not axis and angle.
* The root is regressed as a camera sees it that looks straight at the person, so that a place in the picture is no turn.
* No adversary: every sample has its true pose and shape (scripts/train/hmr.py).
* A clip has silhouettes of some frames only: they count where every frame has one, as in pictures, so that no frame is seen
  otherwise than its neighbours. In training half the silhouettes are empty.

It knows no bones' directions and nothing of other frames.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import roma
import torch
from torch import nn

from ..bodies.alignment import rotation_to_optical_axis as turn_onto_ray
from ..bodies.make_body import make_body
from ..bodies.network_file import load_weights, read_weights
from ..core.cameras import rays_from_pixels
from ..core.files.body_template import load_body
from ..core.files.model_files import model_file
from ..core.records import BodyParams, GeneratedMesh
from ..core.silhouettes import BOX_MARGIN
from ..core.skeletons import H36M17, SMPL_JOINTS, to_h36m17

WEIGHTS_FILE = "hmr.safetensors"
SILHOUETTE_SIZE = 48  # px of the silhouette's window
NUM_BETAS, NUM_CAMERA_PARAMS = 10, 3
CHUNK_FRAMES = 1024  # frames regressed at once
NUM_JOINTS = len(SMPL_JOINTS)
MIN_CONFIDENCE = 0.3  # confidence from which a point counts


@dataclass(frozen=True)
class HmrConfig:
    """Sizes: channels of the silhouette's first layer, units of features and regressor, iterations of correction."""

    channels: int = 16
    width: int = 512
    iterations: int = 3


class HmrOutput(NamedTuple):
    """rotmats (B,24,3,3), local, the root's in the straight-looking camera; betas (B,10); camera (B,3): size of a metre in half
    windows, and where the hip is, in half windows from the middle."""

    rotmats: torch.Tensor
    betas: torch.Tensor
    camera: torch.Tensor


class Hmr(nn.Module):
    """Points (B,17,3), x and y in half windows and confidence, and silhouettes (B,S,S), to Generated."""

    def __init__(self, config=None):
        super().__init__()
        config = config or HmrConfig()
        c, width, self.iterations = config.channels, config.width, config.iterations
        layers, inputs = [], 1
        for channels in (c, 2 * c, 4 * c, 8 * c):
            layers += [nn.Conv2d(inputs, channels, 3, 2, 1), nn.BatchNorm2d(channels), nn.ReLU()]
            inputs = channels
        self.silhouette = nn.Sequential(*layers, nn.Flatten(), nn.Linear(inputs * (SILHOUETTE_SIZE // 16) ** 2, width // 2), nn.ReLU())
        self.points = nn.Sequential(nn.Linear(3 * len(H36M17), width), nn.ReLU(), nn.Linear(width, width // 2), nn.ReLU())
        answer = 6 * NUM_JOINTS + NUM_BETAS + NUM_CAMERA_PARAMS
        self.regressor = nn.Sequential(
            nn.Linear(width + answer, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, answer)
        )
        first = torch.zeros(answer)
        first[: 6 * NUM_JOINTS] = torch.tensor([1.0, 0, 0, 0, 1, 0]).repeat(NUM_JOINTS)
        first[:6] = torch.tensor([1.0, 0, 0, 0, -1, 0])  # upright, towards the camera
        first[-NUM_CAMERA_PARAMS] = 1.0
        self.register_buffer("first", first)
        nn.init.normal_(self.regressor[-1].weight, std=1e-3)

    def forward(self, points, silhouettes):
        sure = (points[..., 2:] >= MIN_CONFIDENCE).to(points)
        seen = torch.cat([points[..., :2] * sure, sure], -1).flatten(1)
        features = torch.cat([self.points(seen), self.silhouette(silhouettes[:, None])], 1)
        answer = self.first.expand(len(features), -1)
        for _ in range(self.iterations):
            answer = answer + self.regressor(torch.cat([features, answer], 1))
        rotmats = roma.special_gramschmidt(answer[:, : 6 * NUM_JOINTS].unflatten(1, (NUM_JOINTS, 2, 3)).mT)
        return HmrOutput(rotmats, answer[:, 6 * NUM_JOINTS : -NUM_CAMERA_PARAMS], answer[:, -NUM_CAMERA_PARAMS:])


@torch.inference_mode()
def generate(observations, intrinsics, timestamps, device):
    """The mesh of every frame, each by itself.

    Args:
        observations: one person of F frames, any keypoint set. intrinsics: (3,3) px. timestamps: (F,) s, not looked at. device: torch's.

    Returns:
        a GeneratedMesh in camera axes, the hip in the origin; rows without the person are of no meaning.

    Raises:
        ModelError: the weights are missing or damaged.
    """
    network = load_hmr(str(device))
    keypoints = to_h36m17(observations.keypoints, observations.keypoint_set)
    rays = torch.as_tensor(rays_from_pixels(keypoints[..., :2], intrinsics), dtype=torch.float32, device=device)
    confidence = torch.as_tensor(keypoints[..., 2] * observations.visible[:, None], dtype=torch.float32, device=device)
    windows = windows_around(rays, confidence >= MIN_CONFIDENCE)
    points = torch.cat([window_coordinates(rays, windows), confidence[..., None]], -1)
    silhouettes = crop_silhouettes(observations, windows, intrinsics)
    parts = [network(points[i : i + CHUNK_FRAMES], silhouettes[i : i + CHUNK_FRAMES]) for i in range(0, len(points), CHUNK_FRAMES)]
    said = HmrOutput(*(torch.cat(each) for each in zip(*parts)))
    seen = torch.as_tensor(np.array(observations.visible), device=device)
    betas = (said.betas[seen] if seen.any() else said.betas).mean(0)
    body = make_body(load_body(), device)
    hips = body.h36m17(betas, said.rotmats[:, 0], said.rotmats[:, 1:])
    shown = project_weak_perspective(hips - hips[:, :1], said.camera, windows)
    pixels = torch.cat([shown, torch.ones_like(shown[..., :1])], -1).double().cpu().numpy() @ np.asarray(intrinsics, float).T
    rotmats = torch.cat([(window_rotation_to_axis(windows).mT @ said.rotmats[:, 0])[:, None], said.rotmats[:, 1:]], 1)
    poses = roma.rotmat_to_rotvec(rotmats).cpu().numpy()
    transl = np.zeros((len(poses), 3))
    params = BodyParams("open", betas.cpu().numpy(), poses[:, 0], poses[:, 1:].reshape(len(poses), -1), transl)
    return GeneratedMesh(body=params, points=pixels[..., :2])


def windows_around(rays, valid):
    """Windows (B,4), left, top, width, height as rays, round the sure ones (B,J) of rays (B,J,2); round the axis where there are none."""
    valid = valid | ~valid.any(1, keepdim=True)
    low = rays.masked_fill(~valid[..., None], torch.inf).amin(1)
    high = rays.masked_fill(~valid[..., None], -torch.inf).amax(1)
    side = (high - low).amax(1, keepdim=True).clamp_min(1e-3) * BOX_MARGIN
    return torch.cat([(low + high) / 2 - side / 2, side.expand(-1, 2)], 1)


def window_coordinates(rays, windows):
    """Rays (B,J,2) in half windows from the middles of windows (B,4)."""
    return 2 * (rays - windows[:, None, :2]) / windows[:, None, 2:] - 1


def project_weak_perspective(joints, camera, windows):
    """Rays (B,J,2) of joints (B,J,3) m about the hip in the straight-looking camera. Source: PC-HMR eq. 3."""
    at = camera[:, None, 1:] + camera[:, None, :1] * joints[..., :2]
    return windows[:, None, :2] + (at + 1) / 2 * windows[:, None, 2:]


def crop_silhouettes(observations, windows, intrinsics):
    """Silhouettes (B,S,S) in windows (B,4), where all visible frames have one; elsewhere empty."""
    known = observations.silhouettes
    empty = windows.new_zeros(len(windows), SILHOUETTE_SIZE, SILHOUETTE_SIZE)
    if known is None or not observations.visible.any() or not np.isin(np.flatnonzero(observations.visible), known.rows).all():
        return empty
    rows = torch.as_tensor(np.array(known.rows), device=windows.device)
    squares = torch.as_tensor(np.array(known.squares)).to(windows)
    masks = torch.as_tensor(np.array(known.masks)).to(windows)
    focal = windows.new_tensor([intrinsics[0, 0], intrinsics[1, 1]])
    centre = windows.new_tensor([intrinsics[0, 2], intrinsics[1, 2]])
    step = (torch.arange(SILHOUETTE_SIZE).to(windows) + 0.5) / SILHOUETTE_SIZE
    grid = torch.stack(torch.meshgrid(step, step, indexing="xy"), -1)  # (S,S,2), of a window
    pixels = (windows[rows, None, None, :2] + grid * windows[rows, None, None, 2:]) * focal + centre
    places = 2 * (pixels - squares[:, None, None, :2]) / squares[:, None, None, 2:]
    empty[rows] = nn.functional.grid_sample(masks[:, None], places, align_corners=False)[:, 0].round()
    return empty


def window_rotation_to_axis(windows):
    """(B,3,3): the least rotation that turns the line of sight to the middles of windows (B,4) onto the z axis."""
    return turn_onto_ray(windows[:, :2] + windows[:, 2:] / 2)


@lru_cache(maxsize=2)
def load_hmr(device="cpu"):
    """The generator with the weights that ship; read once a device. Raises ModelError."""
    return read_hmr(model_file(WEIGHTS_FILE)).to(device)


def read_hmr(path):
    """The generator with the weights of a file. Raises ModelError."""
    return load_weights(Hmr(), read_weights(path), path, "a mesh generator")
