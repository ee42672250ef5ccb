"""Skeleton2Mesh's refinement: from silhouettes, what joints cannot show. Shape, five end rotations, camera, viewpoint.

Paper: Yu et al. 2021, "Skeleton2Mesh: Kinematics Prior Injected Unsupervised Human Mesh Recovery", supplementary figure 2,
the shape matching branch: ResNet18 on the silhouette, then four parallel fully connected heads for betas, the five
rotations of its pose refinement (head, two hands, two feet), camera intrinsics s and t, and viewpoint R. ResNet18 after
He et al. 2016, "Deep Residual Learning for Image Recognition".

Deviations, ours:

* The network gets, beside the silhouette, a rendering of the present estimate in the same window of the picture
  (its silhouette, and how near its surface is), and the estimate's parameters. Each head gives a correction of that estimate,
  not a value from nothing. Applied again it corrects what is left.
* Trained with full supervision on renderings of the open body (scripts/train/silhouettes.py), not adversarially.
* Betas and ends come with their expected errors (the scale of a Laplace distribution), for pooling over a clip.
* Width 32 at the first stage instead of 64, 256 in the heads instead of 1024, 96 pixels a side instead of 224.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import roma
import torch
from torch import nn
from torch.nn import functional

from ..bodies import network_file
from ..bodies.alignment import rotation_to_optical_axis
from ..bodies.lbs import KinematicTree, global_rotmats
from ..bodies.silhouette_rendering import SurfacePoints, rasterise
from ..core.skeletons import SMPL_JOINTS

WEIGHTS_FILE = "silhouettes.safetensors"
NUM_BETAS = 10
END_JOINTS = ("head", "left_wrist", "right_wrist", "left_ankle", "right_ankle")
END_JOINT_INDICES = tuple(SMPL_JOINTS.index(name) for name in END_JOINTS)
# Factors from the network's outputs, which are near 1, to betas, rad, log of the scale and fractions of the window's side, rad.
BETAS_SCALE, ENDS_SCALE, CAMERA_SCALE, VIEW_SCALE = 0.7, 0.35, 0.03, 0.1


# ---- the network ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RefinerConfig:
    """Sizes of the network: channels of ResNet18's first stage, and of the hidden layer of each head."""

    width: int = 32
    head: int = 256

    @property
    def num_inputs(self) -> int:
        """Parameters of the present estimate that the heads get: rotations as six numbers each, betas, size, position."""
        return 6 * len(SMPL_JOINTS) + NUM_BETAS + 3


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut. Source: He et al. 2016, figure 5, left."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(inputs, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width),
        )  # fmt: skip
        shortcut = (nn.Conv2d(inputs, width, 1, stride, bias=False), nn.BatchNorm2d(width)) if stride > 1 else ()
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.main(features) + self.shortcut(features))


class ResNet18(nn.Module):
    """Pictures (B,C,S,S) to features (B,8 width). Source: He et al. 2016, table 1, the column "18-layer"."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        stem = nn.Conv2d(channels, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
        stages = (width, 2 * width, 4 * width, 8 * width)
        blocks: list[BasicBlock] = []
        for inputs, outputs in zip((width, *stages), stages):
            blocks += [BasicBlock(inputs, outputs, 2 if outputs > inputs else 1), BasicBlock(outputs, outputs, 1)]
        self.layers = nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.layers(pictures)


class Corrections(NamedTuple):
    """Corrections of an estimate for B silhouettes.

    betas: (B,10) to add. ends: (B,5,3) rad, rotation vectors to multiply the local rotations of END_JOINTS with, from the right.
    camera: (B,3), log of the scale, and the shift in sides of the window. view: (B,3) rad, a rotation vector to multiply the root's
    rotation with, from the left, in axes whose z is the line of sight. log_scale_betas (B,10), log_scale_ends (B,5): logs of the
    scales of the expected errors, of betas and in rad.
    """

    betas: torch.Tensor
    ends: torch.Tensor
    camera: torch.Tensor
    view: torch.Tensor
    log_scale_betas: torch.Tensor
    log_scale_ends: torch.Tensor


class SilhouetteNetwork(nn.Module):
    """Pictures (B,4,S,S) and numbers (B,N), both of `encode_inputs`, to Corrections."""

    def __init__(self, config: RefinerConfig | None = None) -> None:
        super().__init__()
        config = config or RefinerConfig()
        self.features = ResNet18(4, config.width)
        self.numbers = nn.Sequential(nn.Linear(config.num_inputs, config.head), nn.ReLU())
        sizes = {"shape": 2 * NUM_BETAS, "ends": 4 * len(END_JOINTS), "camera": 3, "view": 3}
        self.heads = nn.ModuleDict(
            {
                name: nn.Sequential(nn.Linear(8 * config.width + config.head, config.head), nn.ReLU(), nn.Linear(config.head, size))
                for name, size in sizes.items()
            }
        )

    def forward(self, pictures: torch.Tensor, numbers: torch.Tensor) -> Corrections:
        features = torch.cat([self.features(pictures), self.numbers(numbers)], 1)
        shape, ends, camera, view = (self.heads[name](features).float() for name in ("shape", "ends", "camera", "view"))
        ends = ends.unflatten(1, (len(END_JOINTS), 4))
        return Corrections(
            betas=BETAS_SCALE * shape[:, :NUM_BETAS],
            ends=ENDS_SCALE * ends[..., :3],
            camera=CAMERA_SCALE * camera,
            view=VIEW_SCALE * view,
            log_scale_betas=shape[:, NUM_BETAS:].clamp(-4, 3),
            log_scale_ends=ends[..., 3].clamp(-4, 3),
        )


# ---- the network's input ----------------------------------------------------------------------------------------------


class SilhouetteCrops(NamedTuple):
    """Silhouettes (B,S,S) bool in windows of the picture.

    inside: (B,S,S) bool, which pixels lie in the picture. windows: (B,4), left, top, width and height as x/z and y/z.
    """

    silhouettes: torch.Tensor
    inside: torch.Tensor
    windows: torch.Tensor


def encode_inputs(
    surface: SurfacePoints, crops: SilhouetteCrops, betas: torch.Tensor, rotmats: torch.Tensor, transl: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The network's inputs from silhouettes and the present estimate.

    Args:
        betas: (B,10). rotmats: (B,J,3,3), local, of SMPL's 24 joints or more. transl: (B,3) m, camera axes.

    Returns:
        pictures (B,4,S,S): the silhouette, the estimate's silhouette, the estimate's relief, and which pixels lie in the
        picture. numbers (B,N): the estimate's parameters.
    """
    points, joints = surface.pose(betas, rotmats, transl)
    silhouettes, nearness = rasterise(points, crops.windows, crops.silhouettes.shape[-1])
    depth = joints[:, 0, 2].clamp_min(0.1)
    # Half a metre nearer than the pelvis is one, half a metre farther minus one.
    relief = (2 * (depth[:, None, None] - 1 / nearness.clamp_min(1e-3))).clamp(-2, 2) * silhouettes
    pictures = torch.stack([crops.silhouettes.to(relief), silhouettes.to(relief), relief, crops.inside.to(relief)], 1)
    return pictures, encode_estimate(betas, rotmats[:, surface.smpl_joint_indices], depth, crops.windows)


def encode_estimate(betas: torch.Tensor, rotmats: torch.Tensor, depth: torch.Tensor, windows: torch.Tensor) -> torch.Tensor:
    """An estimate's parameters (B,N): rotations, the root's in axes whose z is the line of sight; betas; size and position."""
    centre = windows[:, :2] + windows[:, 2:] / 2
    root = rotation_to_optical_axis(centre) @ rotmats[:, 0]
    rotations = torch.cat([root[:, None], rotmats[:, 1:]], 1)[..., :2].flatten(1)
    size = (windows[:, 3] * depth).clamp_min(1e-3).log()
    return torch.cat([rotations, betas, size[:, None], centre], 1)


# ---- inference --------------------------------------------------------------------------------------------------------


@torch.inference_mode()
def predict_corrections(
    network: SilhouetteNetwork,
    surface: SurfacePoints,
    crops: SilhouetteCrops,
    betas: torch.Tensor,
    rotmats: torch.Tensor,
    transl: torch.Tensor,
) -> Corrections:
    """The network's Corrections of an estimate; arguments as of `encode_inputs`."""
    return network(*encode_inputs(surface, crops, betas, rotmats, transl))


def apply_end_corrections(rotmats: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    """Local rotations (B,J,3,3) with corrections (B,5,3) rad of END_JOINTS applied."""
    corrected = rotmats.clone()
    corrected[:, END_JOINT_INDICES] = rotmats[:, END_JOINT_INDICES] @ roma.rotvec_to_rotmat(ends)
    return corrected


def end_rotmats(rotmats: torch.Tensor, tree: KinematicTree) -> torch.Tensor:
    """Global rotations (B,5,3,3) of END_JOINTS of local rotations (B,J,3,3)."""
    return global_rotmats(rotmats, tree)[:, END_JOINT_INDICES]


def load_network(device: str = "cpu") -> SilhouetteNetwork:
    """The network with the weights that ship. Raises ModelError."""
    return network_file.load_network(read_network, WEIGHTS_FILE, device)


def read_network(path: Path | str) -> SilhouetteNetwork:
    """The network with the weights of a file that `scripts/train/silhouettes.py` wrote. Raises ModelError."""
    weights, first = network_file.read_weights(path), "features.layers.0.weight"
    width = weights[first].shape[0] if first in weights else RefinerConfig.width
    return network_file.load_weights(SilhouetteNetwork(RefinerConfig(width=width)), weights, path, "a silhouette network")
