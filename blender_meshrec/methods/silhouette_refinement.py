"""Skeleton2Mesh's refinement: what silhouettes say that joints cannot show. Shape, five end rotations, camera, viewpoint.

Paper: Yu et al. 2021, "Skeleton2Mesh: Kinematics Prior Injected Unsupervised Human Mesh Recovery", supplementary figure 2,
the shape matching branch: ResNet18 on the silhouette, then four parallel fully connected heads for betas, the five
rotations of its pose refinement (head, two hands, two feet), camera intrinsics s and t, and viewpoint R. ResNet18 after
He et al. 2016, "Deep residual learning for image recognition".

Deviations, ours:

* The network sees, beside the silhouette, what the present estimate would look like in the same window of the picture
  (its silhouette, and how near its surface is), and its numbers; each head gives a correction of that estimate, not a
  value from nothing. Applied again it corrects what is left.
* Trained with full supervision on renderings of the open body (scripts/train/silhouettes.py), not adversarially.
* Betas and ends come with how sure they are (the scale of a Laplace distribution), for pooling over a clip.
* Width 32 at the first stage instead of 64, 256 in the heads instead of 1024, 96 pixels a side instead of 224.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import roma
import torch
from torch import nn
from torch.nn import functional

from ..bodies.alignment import rotation_to_optical_axis
from ..bodies.lbs import forward_kinematics
from ..bodies.network_file import load_weights, read_weights
from ..bodies.silhouette_rendering import rasterise
from ..core.files.model_files import model_file
from ..core.skeletons import SMPL_JOINTS

WEIGHTS_FILE = "silhouettes.safetensors"
NUM_BETAS = 10
END_JOINTS = ("head", "left_wrist", "right_wrist", "left_ankle", "right_ankle")
END_JOINT_INDICES = tuple(SMPL_JOINTS.index(name) for name in END_JOINTS)
# What the network's own numbers are multiplied by, so that they are near 1: betas, rad, log of the scale and shares of
# the window's side, rad.
BETAS_SCALE, ENDS_SCALE, CAMERA_SCALE, VIEW_SCALE = 0.7, 0.35, 0.03, 0.1


# ---- the network ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RefinerConfig:
    """Sizes of the network: channels of ResNet18's first stage, and of the hidden layer of each head."""

    width: int = 32
    head: int = 256

    @property
    def num_inputs(self):
        """How many numbers of the present estimate the heads see: rotations as six numbers each, betas, size, where it is."""
        return 6 * len(SMPL_JOINTS) + NUM_BETAS + 3


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut. Source: He et al. 2016, figure 5, left."""

    def __init__(self, inputs, width, stride):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(inputs, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width),
        )  # fmt: skip
        shortcut = (nn.Conv2d(inputs, width, 1, stride, bias=False), nn.BatchNorm2d(width)) if stride > 1 else ()
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, features):
        return functional.relu(self.main(features) + self.shortcut(features))


class ResNet18(nn.Module):
    """Pictures (B,C,S,S) to features (B,8 width). Source: He et al. 2016, table 1, the column "18-layer"."""

    def __init__(self, channels, width):
        super().__init__()
        stem = nn.Conv2d(channels, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
        stages = (width, 2 * width, 4 * width, 8 * width)
        blocks = []
        for above, here in zip((width, *stages), stages):
            blocks += [BasicBlock(above, here, 2 if here > above else 1), BasicBlock(here, here, 1)]
        self.layers = nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, pictures):
        return self.layers(pictures)


class Corrections(NamedTuple):
    """What to change of an estimate. B silhouettes.

    betas: (B,10) to add. ends: (B,5,3) rad, rotation vectors to multiply the local rotations of END_JOINTS with, from the right.
    camera: (B,3), log of the scale, and the shift in sides of the window. view: (B,3) rad, a rotation vector to multiply
    the root's rotation with, from the left, in axes turned along the line of sight. log_scale_betas (B,10), log_scale_ends (B,5): logs
    of the scales of the errors to expect, in units of betas and rad.
    """

    betas: torch.Tensor
    ends: torch.Tensor
    camera: torch.Tensor
    view: torch.Tensor
    log_scale_betas: torch.Tensor
    log_scale_ends: torch.Tensor


class SilhouetteNetwork(nn.Module):
    """Pictures (B,4,S,S) and numbers (B,N), both of `encode_inputs`, to Corrections."""

    def __init__(self, config=None):
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

    def forward(self, pictures, numbers):
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


# ---- what it sees -----------------------------------------------------------------------------------------------------


class SilhouetteCrops(NamedTuple):
    """Silhouettes (B,S,S) bool; inside (B,S,S) bool, which pixels lie in the picture; windows (B,4), left, top, width and
    height as x/z and y/z."""

    silhouettes: torch.Tensor
    inside: torch.Tensor
    windows: torch.Tensor


def encode_inputs(surface, seen, betas, rotmats, transl):
    """What the network sees of silhouettes and of the present estimate.

    Args:
        surface: a bodies.silhouettes.Surface. seen: Seen. betas: (B,10). rotmats: (B,J,3,3), local, of SMPL's 24 joints or
        more. transl: (B,3) m, camera axes.

    Returns:
        pictures (B,4,S,S): the silhouette, the estimate's own, its relief, and what lies in the picture. numbers (B,N).
    """
    points, joints = surface.pose(betas, rotmats, transl)
    silhouettes, nearness = rasterise(points, seen.windows, seen.silhouettes.shape[-1])
    depth = joints[:, 0, 2].clamp_min(0.1)
    # Half a metre nearer than the pelvis is one, half a metre farther minus one.
    relief = (2 * (depth[:, None, None] - 1 / nearness.clamp_min(1e-3))).clamp(-2, 2) * silhouettes
    pictures = torch.stack([seen.silhouettes.to(relief), silhouettes.to(relief), relief, seen.inside.to(relief)], 1)
    return pictures, encode_estimate(betas, rotmats[:, surface.smpl_joint_indices], depth, seen.windows)


def encode_estimate(betas, rotmats, depth, windows):
    """An estimate's numbers (B,N): rotations, the root's as seen along the line of sight; betas; how large it is and where."""
    middle = windows[:, :2] + windows[:, 2:] / 2
    root = rotation_to_optical_axis(middle) @ rotmats[:, 0]
    rotations = torch.cat([root[:, None], rotmats[:, 1:]], 1)[..., :2].flatten(1)
    size = (windows[:, 3] * depth).clamp_min(1e-3).log()
    return torch.cat([rotations, betas, size[:, None], middle], 1)


# ---- inference --------------------------------------------------------------------------------------------------------


@torch.inference_mode()
def predict_corrections(network, surface, seen, betas, rotmats, transl):
    """The network's Corrections of an estimate; arguments as of `encode_inputs`."""
    return network(*encode_inputs(surface, seen, betas, rotmats, transl))


def apply_end_corrections(rotmats, ends):
    """Local rotations (B,J,3,3) with corrections (B,5,3) rad of END_JOINTS applied."""
    turned = rotmats.clone()
    turned[:, END_JOINT_INDICES] = rotmats[:, END_JOINT_INDICES] @ roma.rotvec_to_rotmat(ends)
    return turned


def end_rotmats(rotmats, tree):
    """Rotations of END_JOINTS in the axes of the root's, (B,5,3,3), of local rotations (B,J,3,3)."""
    return forward_kinematics(rotmats, rotmats.new_zeros(1, rotmats.shape[1], 3), tree)[1][:, END_JOINT_INDICES]


@lru_cache(maxsize=2)
def load_network(device="cpu"):
    """The trained network, in evaluation mode.

    Raises:
        ModelError: the weights are missing, damaged or of another network.
    """
    return read_network(model_file(WEIGHTS_FILE)).to(device)


def read_network(path):
    """A network from a safetensors file that `scripts/train/silhouettes.py` wrote. Raises ModelError."""
    weights, first = read_weights(path), "features.layers.0.weight"
    width = weights[first].shape[0] if first in weights else RefinerConfig.width
    return load_weights(SilhouetteNetwork(RefinerConfig(width=width)), weights, path, "a silhouette network")
