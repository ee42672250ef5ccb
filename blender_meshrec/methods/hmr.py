"""A mesh generator of the HMR kind: pose, shape and camera of one frame, regressed from 2D joints and a silhouette.

Paper: Kanazawa et al. 2018, "End-to-end Recovery of Human Shape and Pose" (HMR), section 3 and figure 2: features, then a
regressor that gets its own last answer and corrects it, three times; a weak-perspective camera. Here it is the mesh stream of
PC-HMR (methods/pc_hmr.py).

Deviations, ours:

* Features come from 17 joints (h36m17) and a silhouette, not from the image: any detector gives these for any footage.
* Rotations are six numbers each (Zhou et al. 2019, "On the Continuity of Rotation Representations"), not axis and angle.
* The root rotation is in the axes of a camera that looks straight at the person, so that it does not depend on the position in
  the picture.
* No discriminator: every sample has its true pose and shape (scripts/train/hmr.py).
* A clip has silhouettes of some frames only. They are used where every frame has one, as single images have; otherwise frames
  with and without one would get different answers. In training half the silhouettes are empty.

It uses no bone directions and no other frames.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import roma
import torch
from torch import nn

from ..bodies import network_file
from ..bodies.alignment import rotation_to_optical_axis
from ..bodies.make_body import make_body
from ..bodies.rotations import IDENTITY_COLUMNS, rotmats_from_columns
from ..bodies.tensors import to_tensor
from ..core.array_types import FloatArray
from ..core.cameras import rays_from_pixels
from ..core.files.body_template import load_body
from ..core.records import BodyParams, GeneratedMesh, Observations
from ..core.silhouettes import BOX_MARGIN
from ..core.skeletons import H36M17, SMPL_JOINTS, to_h36m17

WEIGHTS_FILE = "hmr.safetensors"
SILHOUETTE_SIZE = 48  # px, a side of the silhouette's window
NUM_BETAS, NUM_CAMERA_PARAMS = 10, 3
CHUNK_FRAMES = 1024  # frames regressed at once
NUM_JOINTS = len(SMPL_JOINTS)
MIN_CONFIDENCE = 0.3  # confidence from which a keypoint is used
# A person upright and facing the camera, whose y axis points down.
FACING_CAMERA_COLUMNS = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0)


# ---- the network ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HmrConfig:
    """Sizes: channels of the silhouette's first layer, units of features and regressor, iterations of correction."""

    channels: int = 16
    width: int = 512
    iterations: int = 3


class HmrOutput(NamedTuple):
    """rotmats (B,24,3,3), local, the root's in the axes of the camera that looks straight at the person; betas (B,10);
    camera (B,3): the scale s, half windows per metre, and the hip's position t in half windows from the centre."""

    rotmats: torch.Tensor
    betas: torch.Tensor
    camera: torch.Tensor


class Hmr(nn.Module):
    """Points (B,17,3), x and y in half windows and confidence, and silhouettes (B,S,S), to an HmrOutput."""

    first: torch.Tensor

    def __init__(self, config: HmrConfig | None = None) -> None:
        super().__init__()
        config = config or HmrConfig()
        c, width, self.iterations = config.channels, config.width, config.iterations
        layers: list[nn.Module] = []
        inputs = 1
        for channels in (c, 2 * c, 4 * c, 8 * c):
            layers += [nn.Conv2d(inputs, channels, 3, 2, 1), nn.BatchNorm2d(channels), nn.ReLU()]
            inputs = channels
        self.silhouette = nn.Sequential(*layers, nn.Flatten(), nn.Linear(inputs * (SILHOUETTE_SIZE // 16) ** 2, width // 2), nn.ReLU())
        self.points = nn.Sequential(nn.Linear(3 * len(H36M17), width), nn.ReLU(), nn.Linear(width, width // 2), nn.ReLU())
        first = torch.tensor([*FACING_CAMERA_COLUMNS, *IDENTITY_COLUMNS * (NUM_JOINTS - 1), *[0.0] * NUM_BETAS, 1.0, 0.0, 0.0])
        fc1, fc2, fc3 = nn.Linear(width + len(first), width), nn.Linear(width, width), nn.Linear(width, len(first))
        self.regressor = nn.Sequential(fc1, nn.ReLU(), fc2, nn.ReLU(), fc3)
        self.register_buffer("first", first)
        nn.init.normal_(fc3.weight, std=1e-3)

    def forward(self, points: torch.Tensor, silhouettes: torch.Tensor) -> HmrOutput:
        is_confident = (points[..., 2:] >= MIN_CONFIDENCE).to(points)
        inputs = torch.cat([points[..., :2] * is_confident, is_confident], -1).flatten(1)
        features = torch.cat([self.points(inputs), self.silhouette(silhouettes[:, None])], 1)
        # HMR section 3.2, iterative error feedback: theta_(t+1) = theta_t + delta theta_t.
        answer = self.first.expand(len(features), -1)
        for _ in range(self.iterations):
            answer = answer + self.regressor(torch.cat([features, answer], 1))
        columns, betas, camera = answer.split([6 * NUM_JOINTS, NUM_BETAS, NUM_CAMERA_PARAMS], 1)
        return HmrOutput(rotmats_from_columns(columns.unflatten(1, (NUM_JOINTS, 2, 3))), betas, camera)


def project_weak_perspective(joints: torch.Tensor, camera: torch.Tensor, windows: torch.Tensor) -> torch.Tensor:
    """Rays (B,J,2) of joints (B,J,3) m relative to the hip in the axes of the camera that looks straight at the person.

    Source: HMR eq. 1 and PC-HMR eq. 3, x = s X + t.
    """
    position = camera[:, None, 1:] + camera[:, None, :1] * joints[..., :2]
    return windows[:, None, :2] + (position + 1) / 2 * windows[:, None, 2:]


# ---- the network's input ----------------------------------------------------------------------------------------------


def windows_around(rays: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Square windows (B,4), left, top, width, height as rays, around the `valid` (B,J) of rays (B,J,2); around all where none is."""
    valid = valid | ~valid.any(1, keepdim=True)
    low = rays.masked_fill(~valid[..., None], torch.inf).amin(1)
    high = rays.masked_fill(~valid[..., None], -torch.inf).amax(1)
    side = (high - low).amax(1, keepdim=True).clamp_min(1e-3) * BOX_MARGIN
    return torch.cat([(low + high) / 2 - side / 2, side.expand(-1, 2)], 1)


def window_coordinates(rays: torch.Tensor, windows: torch.Tensor) -> torch.Tensor:
    """Rays (B,J,2) in half windows from the centres of windows (B,4)."""
    return 2 * (rays - windows[:, None, :2]) / windows[:, None, 2:] - 1


def window_rotation_to_axis(windows: torch.Tensor) -> torch.Tensor:
    """(B,3,3): the least rotation that turns the line of sight to the centres of windows (B,4) onto the z axis."""
    return rotation_to_optical_axis(windows[:, :2] + windows[:, 2:] / 2)


def crop_silhouettes(observations: Observations, windows: torch.Tensor, intrinsics: FloatArray) -> torch.Tensor:
    """Silhouettes (B,S,S) in windows (B,4) where all visible frames have one; else all are empty."""
    known = observations.silhouettes
    crops = windows.new_zeros(len(windows), SILHOUETTE_SIZE, SILHOUETTE_SIZE)
    if known is None or not observations.visible.any() or not np.isin(np.flatnonzero(observations.visible), known.rows).all():
        return crops
    rows = torch.as_tensor(np.array(known.rows), device=windows.device)
    squares, masks = (to_tensor(value, windows.dtype, windows.device) for value in (known.squares, known.masks))
    focal = windows.new_tensor([intrinsics[0, 0], intrinsics[1, 1]])
    principal_point = windows.new_tensor([intrinsics[0, 2], intrinsics[1, 2]])
    step = (torch.arange(SILHOUETTE_SIZE).to(windows) + 0.5) / SILHOUETTE_SIZE
    grid = torch.stack(torch.meshgrid(step, step, indexing="xy"), -1)  # (S,S,2), fractions of a window
    pixels = (windows[rows, None, None, :2] + grid * windows[rows, None, None, 2:]) * focal + principal_point
    positions = 2 * (pixels - squares[:, None, None, :2]) / squares[:, None, None, 2:]
    crops[rows] = nn.functional.grid_sample(masks[:, None], positions, align_corners=False)[:, 0].round()
    return crops


# ---- inference --------------------------------------------------------------------------------------------------------


@torch.inference_mode()
def generate(observations: Observations, intrinsics: FloatArray, timestamps: FloatArray, device: torch.device) -> GeneratedMesh:
    """The mesh of every frame, each independent of the others.

    Args:
        observations: one person of F frames, any keypoint set. intrinsics: (3,3) px. timestamps: (F,) s, not used.

    Returns:
        a GeneratedMesh in camera axes, the hip in the origin. Rows without the person are undefined.

    Raises:
        ModelError: the weights are missing or damaged.
    """
    keypoints = to_h36m17(observations.keypoints, observations.keypoint_set)
    rays = to_tensor(rays_from_pixels(keypoints[..., :2], intrinsics), device=device)
    confidence = to_tensor(keypoints[..., 2] * observations.visible[:, None], device=device)
    windows = windows_around(rays, confidence >= MIN_CONFIDENCE)
    points = torch.cat([window_coordinates(rays, windows), confidence[..., None]], -1)
    output = _run_in_chunks(load_hmr(str(device)), points, crop_silhouettes(observations, windows, intrinsics))
    visible = torch.as_tensor(np.array(observations.visible), device=device)
    betas = (output.betas[visible] if visible.any() else output.betas).mean(0)
    return _mesh_from_output(output, betas, windows, np.asarray(intrinsics, float))


def _run_in_chunks(network: Hmr, points: torch.Tensor, silhouettes: torch.Tensor) -> HmrOutput:
    """The network over any number of frames in bounded memory."""
    chunks = [slice(start, start + CHUNK_FRAMES) for start in range(0, len(points), CHUNK_FRAMES)]
    outputs = [network(points[rows], silhouettes[rows]) for rows in chunks]
    return HmrOutput(*(torch.cat(parts) for parts in zip(*outputs)))


def _mesh_from_output(output: HmrOutput, betas: torch.Tensor, windows: torch.Tensor, intrinsics: FloatArray) -> GeneratedMesh:
    """The network's answers with one shape betas (10,) in camera axes, and its joints projected into the picture."""
    body = make_body(load_body(), betas.device)
    joints = body.h36m17(betas, output.rotmats[:, 0], output.rotmats[:, 1:])
    rays = project_weak_perspective(joints - joints[:, :1], output.camera, windows)
    pixels = torch.cat([rays, torch.ones_like(rays[..., :1])], -1).double().cpu().numpy() @ intrinsics.T
    root = window_rotation_to_axis(windows).mT @ output.rotmats[:, 0]
    poses = roma.rotmat_to_rotvec(torch.cat([root[:, None], output.rotmats[:, 1:]], 1)).cpu().numpy()
    params = BodyParams("open", betas.cpu().numpy(), poses[:, 0], poses[:, 1:].reshape(len(poses), -1), np.zeros((len(poses), 3)))
    return GeneratedMesh(body=params, points=pixels[..., :2])


def load_hmr(device: str = "cpu") -> Hmr:
    """The generator with the weights that ship. Raises ModelError."""
    return network_file.load_network(read_hmr, WEIGHTS_FILE, device)


def read_hmr(path: Path | str) -> Hmr:
    """The generator with the weights of a file. Raises ModelError."""
    return network_file.load_weights(Hmr(), network_file.read_weights(path), path, "a mesh generator")
