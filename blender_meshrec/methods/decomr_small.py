"""DecoMR at a size that two processor cores can train: what `--method decomr` is without the released checkpoint.

Paper: Zeng et al. 2020, "3D Human Mesh Regression with Dense Correspondence", sections 3.1-3.3, figure 2; methods/decomr.py is the same
method in the released configuration, whose blocks and warping are used here.

Deviations, ours:

* Besides the picture the network sees the person's 17 joints (h36m17) as the detector reports them: as heat maps beside the first
  features, and as numbers in the whole picture's feature. They are known for any footage, and rendered bodies in procedural places teach
  little about how people look in pictures. The person's mask is no input: CNet estimates it.
* LNet's reference map is not the body at rest but in the pose that HMR's generator (methods/hmr.py, frozen) regresses from the same
  joints, and LNet estimates the difference from it. From the rest pose, this size needs a hundred times the crops. The camera is
  the difference from the one that projects that body nearest to the joints.
* Crops of 128 px, IUV and warped features of 32, location maps of 64 texels. CNet is a residual network of 4 stages, not ResNet50.
* The whole picture's feature is not repeated for every texel: a linear layer makes a map of 8 x 8 from it, so that each part of the
  body gets its own mixture. LNet's hourglass halves a map before its residual block, not after.
* The UV map is the open body's own, its parts moved and stretched (bodies/open_body_uv.py); the paper's has no seams at all.
* Positions are relative to the hip, in the axes of a camera that looks straight at the crop's centre.
"""

from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from ..bodies import network_file
from ..bodies.lbs import KinematicTree, Skin, forward_kinematics, pose_skin
from ..bodies.make_body import make_body
from ..bodies.open_body_uv import open_body_uv
from ..bodies.uv_map import MapPainter
from ..bodies.window_regression import MIN_CONFIDENCE, SILHOUETTE_SIZE, WindowNetwork, window_coordinates, windows_around
from ..core.array_types import FloatArray
from ..core.files.body_template import load_body
from ..core.skeletons import H36M17
from .decomr import ConvBottleneck, DecomrOutput, warp_features

WEIGHTS_FILE = "decomr.safetensors"
CROP_SIZE, IUV_SIZE, MAP_SIZE = 128, 32, 64  # px, px, texels
WARP_SIZE = 32  # texels
CHANNELS = (32, 64, 128, 192)  # of CNet's maps of 1/4 to 1/32 of the picture
FEATURES = 32  # channels of the map that is carried to UV space
WHOLE = 256  # units of the whole picture's feature
SPREAD_CHANNELS, SPREAD_SIZE = 32, 8  # of the map that is made from it
LOCATION_CHANNELS = (48, 80, 128, 160)  # of LNet's maps of 32 to 4 texels
CAMERA_RIDGE = 0.05  # m^2: how much weight HMR's scale has beside the joints' spread
HEAT_SIGMA = 1.2  # px of the IUV
TEXELS = MAP_SIZE // WARP_SIZE  # of a location map, along a side of a texel of the features


class Crops(NamedTuple):
    """images (B,3,128,128), ImageNet's normalisation; points (B,17,3), x and y in half crops from the centre, and confidence;
    of StartPose: start_map (B,64,64,3) m, start_camera (B,3)."""

    images: torch.Tensor
    points: torch.Tensor
    start_map: torch.Tensor
    start_camera: torch.Tensor


class CNet(nn.Module):
    """Correspondence: Crops to IUV (B,3,32,32), features (B,32,32,32) and the whole picture's (B,256)."""

    def __init__(self) -> None:
        super().__init__()
        half = CHANNELS[0] // 2
        self.stem = nn.Sequential(
            nn.Conv2d(3, half, 3, 2, 1), nn.GroupNorm(half // 8, half), nn.ReLU(),
            nn.Conv2d(half, CHANNELS[0], 3, 2, 1), nn.GroupNorm(CHANNELS[0] // 8, CHANNELS[0]), nn.ReLU(),
        )  # fmt: skip
        self.first = ConvBottleneck(CHANNELS[0] + len(H36M17), CHANNELS[0])
        pairs = list(pairwise(CHANNELS))
        self.down_layers = nn.ModuleList(
            nn.Sequential(nn.MaxPool2d(2), ConvBottleneck(fine, coarse), ConvBottleneck(coarse, coarse)) for fine, coarse in pairs
        )
        self.up_layers = nn.ModuleList(nn.Sequential(ConvBottleneck(coarse, fine), nn.Upsample(scale_factor=2)) for fine, coarse in pairs)
        self.points = nn.Sequential(nn.Linear(3 * len(H36M17), WHOLE), nn.ReLU(), nn.Linear(WHOLE, WHOLE), nn.ReLU())
        self.whole = nn.Sequential(nn.Linear(CHANNELS[-1] + WHOLE, WHOLE), nn.ReLU(), nn.Linear(WHOLE, WHOLE), nn.ReLU())
        self.mask_end, self.uv_end = (
            nn.Sequential(ConvBottleneck(FEATURES, FEATURES), nn.Conv2d(FEATURES, outputs, 1), nn.Sigmoid()) for outputs in (1, 2)
        )

    def forward(self, crops: Crops) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        known = (crops.points[..., 2:] >= MIN_CONFIDENCE).to(crops.points)
        places = crops.points[..., :2] * known
        maps = [self.first(torch.cat([self.stem(crops.images), heat_maps(places) * known[..., None]], 1))]
        for layer in self.down_layers:
            maps.append(layer(maps[-1]))
        whole = torch.cat([maps[-1].mean((2, 3)), self.points(torch.cat([places, known], -1).flatten(1))], 1)
        found = maps.pop()
        for layer, finer in zip(reversed(self.up_layers), reversed(maps)):
            found = layer(found) + finer
        return torch.cat([self.mask_end(found), self.uv_end(found)], 1), found, self.whole(whole)


def heat_maps(places: torch.Tensor, size: int = IUV_SIZE) -> torch.Tensor:
    """Heat maps (B,17,size,size), 1 at each of the places (B,17,2), in half crops from the centre."""
    centres = (torch.arange(size).to(places) + 0.5) * 2 / size - 1
    squared = (places[..., None] - centres).square() * (size / 2 / HEAT_SIGMA) ** 2  # (B,17,2,size)
    across, down = torch.exp(-squared / 2).unbind(2)
    return down[..., None] * across[..., None, :]


class LNet(nn.Module):
    """Location: what CNet gives, and the start's map and camera, to a location map (B,64,64,3) m and a camera (B,3)."""

    def __init__(self) -> None:
        super().__init__()
        self.spread = nn.Linear(WHOLE, SPREAD_CHANNELS * SPREAD_SIZE**2)
        inputs, wide = FEATURES + 3 + SPREAD_CHANNELS + 3 * TEXELS**2, LOCATION_CHANNELS[0]
        self.uv_conv1 = nn.Sequential(nn.Conv2d(inputs, wide, 1), nn.ReLU(), ConvBottleneck(wide, wide))
        pairs = list(pairwise(LOCATION_CHANNELS))
        self.down_layers = nn.ModuleList(nn.Sequential(nn.MaxPool2d(2), ConvBottleneck(fine, coarse)) for fine, coarse in pairs)
        self.up_layers = nn.ModuleList(nn.Sequential(ConvBottleneck(coarse, fine), nn.Upsample(scale_factor=2)) for fine, coarse in pairs)
        self.coarsest = nn.Linear(WHOLE, LOCATION_CHANNELS[-1] * (WARP_SIZE // 8) ** 2)
        # Four texels of the map from each one of the features.
        last, last_of_camera = nn.Conv2d(wide, 3 * TEXELS**2, 1), nn.Linear(128, 3)
        self.uv_end = nn.Sequential(ConvBottleneck(wide, wide), last, nn.PixelShuffle(TEXELS))
        self.camera = nn.Sequential(nn.Linear(WHOLE, 128), nn.ReLU(), last_of_camera)
        for layer in (last, last_of_camera):  # an untrained network gives the start itself
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)

    def forward(self, iuv: torch.Tensor, features: torch.Tensor, whole: torch.Tensor, crops: Crops) -> tuple[torch.Tensor, torch.Tensor]:
        spread = self.spread(whole).unflatten(1, (SPREAD_CHANNELS, SPREAD_SIZE, SPREAD_SIZE))
        spread = nn.functional.interpolate(spread, size=(WARP_SIZE, WARP_SIZE), mode="bilinear")
        reference = nn.functional.pixel_unshuffle(crops.start_map.permute(0, 3, 1, 2), TEXELS)
        maps = [self.uv_conv1(torch.cat([warp_features(iuv, features, WARP_SIZE), spread.to(features), reference], 1))]
        for layer in self.down_layers:
            maps.append(layer(maps[-1]))
        coarsest = maps.pop()
        found = coarsest + self.coarsest(whole).view_as(coarsest)
        for layer, finer in zip(reversed(self.up_layers), reversed(maps)):
            found = layer(found) + finer
        return crops.start_map + self.uv_end(found).permute(0, 2, 3, 1), crops.start_camera + self.camera(whole)


class DecomrSmall(nn.Module):
    """Crops to a DecomrOutput."""

    def __init__(self) -> None:
        super().__init__()
        self.CNet, self.LNet = CNet(), LNet()

    def forward(self, crops: Crops) -> DecomrOutput:
        iuv, features, whole = self.CNet(crops)
        location_map, camera = self.LNet(iuv, features, whole, crops)
        return DecomrOutput(iuv, location_map, camera)


class StartPose:
    """The body that HMR's generator regresses from the joints of crops, as location maps and cameras of the crops.

    Its axes are those of a camera that looks straight at the joints' middle, which lies near the crop's.
    """

    def __init__(self, network: WindowNetwork, device: torch.device | str = "cpu") -> None:
        self.network, body = network, make_body(load_body(), device)
        painter = MapPainter(open_body_uv(), MAP_SIZE)
        self._covered = torch.as_tensor(painter.is_covered, device=device)
        corners = torch.as_tensor(painter.vertex_indices[painter.is_covered], device=device)
        weights = torch.as_tensor(painter.weights[painter.is_covered], dtype=torch.float32, device=device)
        self._body, self._tree = body, KinematicTree(body.template.parents, device)
        # The texels as points of the skin, which are posed like vertices.
        v_template, shapedirs, lbs_weights = (
            torch.einsum("tc,tc...->t...", weights, part[corners]) for part in (body.v_template, body.shapedirs, body.lbs_weights)
        )
        posedirs = None if body.posedirs is None else torch.einsum("tc,tc...->t...", weights, body.posedirs[corners])
        self._skin = Skin(v_template, shapedirs, posedirs, lbs_weights)

    @torch.no_grad()
    def __call__(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """start_map (B,64,64,3) m relative to the hip, and start_camera (B,3), of points (B,17,3) of Crops."""
        windows = windows_around(points[..., :2], points[..., 2] >= MIN_CONFIDENCE)  # in half crops
        seen = torch.cat([window_coordinates(points[..., :2], windows), points[..., 2:]], -1)
        found = self.network(seen, points.new_zeros(len(points), SILHOUETTE_SIZE, SILHOUETTE_SIZE))
        rest = self._body.rest_joints(found.betas)
        joints, rotations = forward_kinematics(found.rotmats, rest, self._tree)
        placed = pose_skin(self._skin, found.betas, found.rotmats, joints, rotations, rest) - (joints[:, 1:2] + joints[:, 2:3]) / 2
        start = placed.new_zeros(len(points), MAP_SIZE, MAP_SIZE, 3)
        start[:, self._covered] = placed
        h36m17 = self._body.h36m17(found.betas, found.rotmats[:, 0], found.rotmats[:, 1:])
        return start, fit_cameras(h36m17 - h36m17[:, :1], points, found.camera[:, :1] * windows[:, 2:3] / 2)

    def crops(self, images: torch.Tensor, points: torch.Tensor) -> Crops:
        """The Crops of images (B,3,128,128) and points (B,17,3)."""
        return Crops(images, points, *self(points))


def fit_cameras(joints: torch.Tensor, points: torch.Tensor, likely: torch.Tensor) -> torch.Tensor:
    """The cameras (B,3), s and t, that project joints (B,17,3) m nearest to the known ones of points (B,17,3).

    likely: (B,1), the s that few joints, or joints close together, do not change.
    """
    known = (points[..., 2:] >= MIN_CONFIDENCE).to(joints)
    count = known.sum(1, keepdim=True).clamp_min(1)
    middle, place = ((values[..., :2] * known).sum(1, keepdim=True) / count for values in (joints, points))
    across = (joints[..., :2] - middle) * known
    scale = ((across * (points[..., :2] - place)).sum((1, 2)) + CAMERA_RIDGE * likely[:, 0]) / (across.square().sum((1, 2)) + CAMERA_RIDGE)
    scale = torch.maximum(scale, likely[:, 0] / 3)[:, None]
    return torch.cat([scale, place[:, 0] - scale * middle[:, 0]], 1)


def points_in_crops(keypoints: FloatArray, squares: FloatArray) -> FloatArray:
    """Points (N,17,3) of Crops, from keypoints (N,17,3), px of the picture and confidence, and squares (N,3) px, centre and side."""
    places = 2 * (keypoints[..., :2] - squares[:, None, :2]) / squares[:, None, 2:]
    return np.concatenate([places, keypoints[..., 2:]], -1)


def read_decomr(path: Path | str) -> DecomrSmall:
    """The network with the weights of a file that `scripts/train/decomr.py` wrote. Raises ModelError."""
    return network_file.load_weights(DecomrSmall(), network_file.read_weights(path), path, "DecoMR's network")
