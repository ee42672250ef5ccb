"""DecoMR at a size that two processor cores can train: what `--method decomr` is without the released checkpoint.

Paper: Zeng et al. 2020, "3D Human Mesh Regression with Dense Correspondence", sections 3.1-3.3, figure 2; methods/decomr.py is the same
method in the released configuration, whose blocks and warping are used here.

Deviations, ours:

* Besides the picture the network sees the person's 17 joints (h36m17) as the detector reports them: as heat maps beside the first
  features, and as numbers in the whole picture's feature. They are known for any footage, and rendered bodies in procedural places teach
  little about how people look in pictures. The person's mask is no input: CNet estimates it.
* LNet's reference map is not the body at rest but in the pose that HKMR (methods/hkmr.py, frozen) regresses from the same joints, and
  LNet estimates the difference from it. From the rest pose, this size needs a hundred times the crops. The camera is the difference
  from the one that projects that body nearest to the joints. CNet estimates the correspondence as the difference from that body's,
  which it sees beside the first features; LNet sees the features where that body's texels are projected, too.
* Crops of 128 px, IUV and warped features of 32, location maps of 64 texels. CNet is a residual network of 4 stages, not ResNet50.
* The whole picture's feature is not repeated for every texel: a linear layer makes a map of 8 x 8 from it, so that each part of the
  body gets its own mixture. LNet's hourglass halves a map before its residual block, not after.
* The UV map is the open body's own, its parts moved and stretched (bodies/open_body_uv.py); the paper's has no seams at all.
* Positions are relative to the hip, in the axes of a camera that looks straight at the crop's centre.
"""

from functools import lru_cache
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
START_LOGIT = 2.0  # of the mask, where the start shows the person; negative elsewhere
LEAST_UV = 0.01  # u and v nearer to the edges of the map are moved there, so that their logits are finite
BEHIND = 0.1  # m behind what the start shows, at which a texel is hidden by half
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
        self.first = ConvBottleneck(CHANNELS[0] + len(H36M17) + StartImage.CHANNELS, CHANNELS[0])
        pairs = list(pairwise(CHANNELS))
        self.down_layers = nn.ModuleList(
            nn.Sequential(nn.MaxPool2d(2), ConvBottleneck(fine, coarse), ConvBottleneck(coarse, coarse)) for fine, coarse in pairs
        )
        self.up_layers = nn.ModuleList(nn.Sequential(ConvBottleneck(coarse, fine), nn.Upsample(scale_factor=2)) for fine, coarse in pairs)
        self.points, self.whole = two_layers(3 * len(H36M17)), two_layers(CHANNELS[-1] + WHOLE)
        self.mask_end, self.uv_end = (
            nn.Sequential(ConvBottleneck(FEATURES, FEATURES), zeroed(nn.Conv2d(FEATURES, outputs, 1))) for outputs in (1, 2)
        )

    def forward(self, crops: Crops, start: "StartImage") -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        known = (crops.points[..., 2:] >= MIN_CONFIDENCE).to(crops.points)
        places = crops.points[..., :2] * known
        maps = [self.first(torch.cat([self.stem(crops.images), heat_maps(places) * known[..., None], start.inputs()], 1))]
        for layer in self.down_layers:
            maps.append(layer(maps[-1]))
        whole = torch.cat([maps[-1].mean((2, 3)), self.points(torch.cat([places, known], -1).flatten(1))], 1)
        found = maps.pop()
        for layer, finer in zip(reversed(self.up_layers), reversed(maps)):
            found = layer(found) + finer
        mask, uv = start.logits()
        return torch.sigmoid(torch.cat([mask + self.mask_end(found), uv + self.uv_end(found)], 1)), found, self.whole(whole)


def two_layers(inputs: int) -> nn.Sequential:
    """Two layers of WHOLE units. Without normalisation two thirds of the units end up giving 0 for every picture."""
    first, second = nn.Linear(inputs, WHOLE), nn.Linear(WHOLE, WHOLE)
    return nn.Sequential(first, nn.LayerNorm(WHOLE), nn.ReLU(), second, nn.LayerNorm(WHOLE), nn.ReLU())


def zeroed(layer: nn.Conv2d | nn.Linear) -> nn.Conv2d | nn.Linear:
    """A layer whose parameters are 0: an untrained network gives the start itself."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


@lru_cache(maxsize=1)
def map_painter() -> MapPainter:
    """Which vertices make the texels of a location map."""
    return MapPainter(open_body_uv(), MAP_SIZE)


class StartImage:
    """The start's body as the crop would show it, by its texels: a z-buffer of 32 x 32 px.

    mask (B,1,32,32), uv (B,2,32,32), depth (B,1,32,32) m; 0 where the body is not. places (B,32,32,2): where every second texel along
    each side is projected, in half crops; hidden (B,1,32,32): how far it is behind what the pixel there shows, 0 to 1.
    """

    CHANNELS = 4

    def __init__(self, crops: Crops, is_covered: torch.Tensor) -> None:
        texels = crops.start_map[:, is_covered]  # (B,T,3)
        places = project(texels, crops.start_camera)
        cells = ((places + 1) * IUV_SIZE / 2).floor().long()
        inside = ((cells >= 0) & (cells < IUV_SIZE)).all(-1)
        index = (cells[..., 1] * IUV_SIZE + cells[..., 0]).masked_fill(~inside, IUV_SIZE**2)
        far = texels.new_full((len(texels), IUV_SIZE**2 + 1), torch.inf)
        nearest = far.scatter_reduce(1, index, texels[..., 2], "amin")
        is_nearest = inside & (texels[..., 2] <= nearest.gather(1, index))
        rows, columns = torch.nonzero(is_covered, as_tuple=True)
        own_uv = torch.stack([columns, rows], -1).to(texels) / (MAP_SIZE - 1)
        uv = texels.new_zeros(len(texels), IUV_SIZE**2 + 1, 2)
        crop, texel = torch.nonzero(is_nearest, as_tuple=True)
        uv[crop, index[crop, texel]] = own_uv[texel]
        shown = nearest[:, :-1] < torch.inf
        self.mask = shown.to(texels).view(-1, 1, IUV_SIZE, IUV_SIZE)
        self.uv = uv[:, :-1].mT.reshape(-1, 2, IUV_SIZE, IUV_SIZE)
        self.depth = nearest[:, :-1].masked_fill(~shown, 0).view(-1, 1, IUV_SIZE, IUV_SIZE)
        every = crops.start_map[:, ::TEXELS, ::TEXELS]
        self.places = project(every.flatten(1, 2), crops.start_camera).view(*every.shape[:3], 2)
        behind = every[..., 2] - sample(self.depth, self.places)[:, 0]
        self.hidden = torch.sigmoid(4 * (behind / BEHIND - 1))[:, None]

    def inputs(self) -> torch.Tensor:
        """What CNet sees of it, (B,4,32,32)."""
        return torch.cat([self.mask, self.uv, self.depth], 1)

    def logits(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The mask (B,1,32,32) and u and v (B,2,32,32) as logits; those of u and v are 0 where the body is not."""
        return START_LOGIT * (2 * self.mask - 1), self.uv.clamp(LEAST_UV, 1 - LEAST_UV).logit() * self.mask


def project(points: torch.Tensor, camera: torch.Tensor) -> torch.Tensor:
    """Points (B,N,3) m by weak-perspective cameras (B,3), s and t: (B,N,2) half crops from the centre."""
    return camera[:, None, :1] * points[..., :2] + camera[:, None, 1:]


def sample(maps: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Maps (B,C,H,W) of a crop at places (B,h,w,2) in half crops: (B,C,h,w), 0 outside."""
    return nn.functional.grid_sample(maps, places, align_corners=False)


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
        inputs, wide = 2 * FEATURES + 9 + SPREAD_CHANNELS + 3 * TEXELS**2, LOCATION_CHANNELS[0]
        self.uv_conv1 = nn.Sequential(nn.Conv2d(inputs, wide, 1), nn.ReLU(), ConvBottleneck(wide, wide))
        pairs = list(pairwise(LOCATION_CHANNELS))
        self.down_layers = nn.ModuleList(nn.Sequential(nn.MaxPool2d(2), ConvBottleneck(fine, coarse)) for fine, coarse in pairs)
        self.up_layers = nn.ModuleList(nn.Sequential(ConvBottleneck(coarse, fine), nn.Upsample(scale_factor=2)) for fine, coarse in pairs)
        self.coarsest = nn.Linear(WHOLE, LOCATION_CHANNELS[-1] * (WARP_SIZE // 8) ** 2)
        # Four texels of the map from each one of the features.
        self.uv_end = nn.Sequential(ConvBottleneck(wide, wide), zeroed(nn.Conv2d(wide, 3 * TEXELS**2, 1)), nn.PixelShuffle(TEXELS))
        self.camera = nn.Sequential(nn.Linear(WHOLE, 128), nn.ReLU(), zeroed(nn.Linear(128, 3)))

    def forward(
        self, iuv: torch.Tensor, features: torch.Tensor, whole: torch.Tensor, crops: Crops, start: StartImage
    ) -> tuple[torch.Tensor, torch.Tensor]:
        spread = self.spread(whole).unflatten(1, (SPREAD_CHANNELS, SPREAD_SIZE, SPREAD_SIZE))
        spread = nn.functional.interpolate(spread, size=(WARP_SIZE, WARP_SIZE), mode="bilinear")
        reference = nn.functional.pixel_unshuffle(crops.start_map.permute(0, 3, 1, 2), TEXELS)
        # Along CNet's correspondence, and where the start's texels are projected; the difference is how far the start is off.
        warped = warp_features(iuv, features, WARP_SIZE)
        places = start.places.permute(0, 3, 1, 2)
        off = (warped[:, FEATURES : FEATURES + 2] * (1 - 1 / IUV_SIZE) - places) * warped[:, -1:]
        there = [sample(torch.cat([features, iuv[:, :1]], 1), start.places), places, off, start.hidden]
        maps = [self.uv_conv1(torch.cat([warped, *there, spread.to(features), reference], 1))]
        for layer in self.down_layers:
            maps.append(layer(maps[-1]))
        coarsest = maps.pop()
        found = coarsest + self.coarsest(whole).view_as(coarsest)
        for layer, finer in zip(reversed(self.up_layers), reversed(maps)):
            found = layer(found) + finer
        return crops.start_map + self.uv_end(found).permute(0, 2, 3, 1), crops.start_camera + self.camera(whole)


class DecomrSmall(nn.Module):
    """Crops to a DecomrOutput."""

    is_covered: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.CNet, self.LNet = CNet(), LNet()
        self.register_buffer("is_covered", torch.as_tensor(map_painter().is_covered), persistent=False)

    def correspondence(self, crops: Crops) -> torch.Tensor:
        """CNet's IUV (B,3,32,32) alone."""
        return self.CNet(crops, StartImage(crops, self.is_covered))[0]

    def forward(self, crops: Crops) -> DecomrOutput:
        start = StartImage(crops, self.is_covered)
        iuv, features, whole = self.CNet(crops, start)
        location_map, camera = self.LNet(iuv, features, whole, crops, start)
        return DecomrOutput(iuv, location_map, camera)


class StartPose:
    """The body that a generator, HKMR, regresses from the joints of crops, as location maps and cameras of the crops.

    Its axes are those of a camera that looks straight at the joints' middle, which lies near the crop's.
    """

    def __init__(self, network: WindowNetwork, device: torch.device | str = "cpu") -> None:
        self.network, body = network, make_body(load_body(), device)
        painter = map_painter()
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
