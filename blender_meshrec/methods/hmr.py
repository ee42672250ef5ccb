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

import torch
from torch import nn

from ..bodies import network_file
from ..bodies.rotations import IDENTITY_COLUMNS, rotmats_from_columns
from ..bodies.window_regression import (
    MIN_CONFIDENCE,
    SILHOUETTE_SIZE,
    WindowBodies,
    crop_silhouettes,
    generate_mesh,
    project_weak_perspective,
    window_coordinates,
    window_rotation_to_axis,
    windows_around,
)
from ..core.array_types import FloatArray
from ..core.records import GeneratedMesh, Observations
from ..core.skeletons import H36M17, SMPL_JOINTS

# With the coordinates of its windows, which are those of every generator of this kind.
__all__ = [
    "SILHOUETTE_SIZE",
    "Hmr",
    "HmrConfig",
    "crop_silhouettes",
    "generate",
    "load_hmr",
    "project_weak_perspective",
    "read_hmr",
    "window_coordinates",
    "window_rotation_to_axis",
    "windows_around",
]

WEIGHTS_FILE = "hmr.safetensors"
NUM_BETAS, NUM_CAMERA_PARAMS = 10, 3
NUM_JOINTS = len(SMPL_JOINTS)
# A person upright and facing the camera, whose y axis points down.
FACING_CAMERA_COLUMNS = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0)


# ---- the network ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HmrConfig:
    """Sizes: channels of the silhouette's first layer, units of features and regressor, iterations of correction."""

    channels: int = 16
    width: int = 512
    iterations: int = 3


class Hmr(nn.Module):
    """Points (B,17,3), x and y in half windows and confidence, and silhouettes (B,S,S), to WindowBodies."""

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

    def forward(self, points: torch.Tensor, silhouettes: torch.Tensor) -> WindowBodies:
        is_confident = (points[..., 2:] >= MIN_CONFIDENCE).to(points)
        inputs = torch.cat([points[..., :2] * is_confident, is_confident], -1).flatten(1)
        features = torch.cat([self.points(inputs), self.silhouette(silhouettes[:, None])], 1)
        # HMR section 3.2, iterative error feedback: theta_(t+1) = theta_t + delta theta_t.
        answer = self.first.expand(len(features), -1)
        for _ in range(self.iterations):
            answer = answer + self.regressor(torch.cat([features, answer], 1))
        columns, betas, camera = answer.split([6 * NUM_JOINTS, NUM_BETAS, NUM_CAMERA_PARAMS], 1)
        return WindowBodies(rotmats_from_columns(columns.unflatten(1, (NUM_JOINTS, 2, 3))), betas, camera)


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
    return generate_mesh(load_hmr(str(device)), observations, intrinsics, device)


def load_hmr(device: str = "cpu") -> Hmr:
    """The generator with the weights that ship. Raises ModelError."""
    return network_file.load_network(read_hmr, WEIGHTS_FILE, device)


def read_hmr(path: Path | str) -> Hmr:
    """The generator with the weights of a file. Raises ModelError."""
    return network_file.load_weights(Hmr(), network_file.read_weights(path), path, "a mesh generator")
