"""DecoMR: dense correspondence from a picture to the body's UV map, and from there to its vertices. For the released checkpoint.

Paper: Zeng et al. 2020, "3D Human Mesh Regression with Dense Correspondence", section 3: CNet finds for every pixel whether it shows the
person and where on the UV map (figure 2, above); features are carried to the UV map along that correspondence; LNet completes them to a
location map, whose texels are positions on the body. It gives no pose: DIK turns its mesh into one.

Parameter names are the released checkpoint's (`CNet`, `LNet`), in its configuration: features of 1/4 of the picture, maps of 64 texels
inside LNet and 128 at its end, group normalisation with eight channels a group, the boundary-free UV map. Nothing is trained here.
LNet's reference map, the rest pose as a location map, is no part of the checkpoint and comes with it as a file of its own.
"""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import nn

from ..bodies.uv_map import UvLayout, vertices_from_map
from .image_networks.resnet50 import FEATURE_WIDTH, ResNet50, picture_mean

CHANNELS = (64, 256, 512, 1024, 2048)  # of ResNet50's maps, from 1/2 to 1/32 of the picture
FEATURES = 256  # channels of the map that is carried to UV space
WARP_SIZE = 64  # texels
FOREGROUND = 0.5  # mask from which a pixel shows the person
NUM_CLASSES = 1000  # of the ImageNet layer that the checkpoint still has


class DecomrOutput(NamedTuple):
    """iuv (B,3,56,56): mask, u and v, 0..1; location_map (B,128,128,3) m; camera (B,3), see crop_camera."""

    iuv: torch.Tensor
    location_map: torch.Tensor
    camera: torch.Tensor


class ConvBottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions with group normalisation, added to their input. Maps (B,C,H,W) to (B,D,H,W)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        self.conv1, self.conv2, self.conv3 = nn.Conv2d(inputs, half, 1), nn.Conv2d(half, half, 3, padding=1), nn.Conv2d(half, outputs, 1)
        self.norm1, self.norm2, self.norm3 = (nn.GroupNorm(channels // 8, channels) for channels in (half, half, outputs))
        self.skip_conv = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else None

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        found = torch.relu(self.norm1(self.conv1(maps)))
        found = torch.relu(self.norm2(self.conv2(found)))
        shortcut = maps if self.skip_conv is None else self.skip_conv(maps)
        return torch.relu(self.norm3(self.conv3(found)) + shortcut)


class Hourglass(nn.Module):
    """Maps (B,C,H,W) to (B,C,H,W), seen at `levels` coarser sizes on the way; each level adds what the one below found."""

    def __init__(self, channels: int, levels: int) -> None:
        super().__init__()
        widths = [channels * 2**level for level in range(levels + 1)]
        pairs = list(pairwise(widths))
        self.norm = nn.GroupNorm(channels // 8, channels)
        self.down_layers = nn.ModuleList(nn.Sequential(ConvBottleneck(fine, coarse), nn.MaxPool2d(2)) for fine, coarse in pairs)
        self.up_layers = nn.ModuleList(nn.Sequential(nn.Upsample(scale_factor=2), ConvBottleneck(coarse, fine)) for fine, coarse in pairs)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        levels = [maps]
        for layer in self.down_layers:
            levels.append(layer(levels[-1]))
        found = levels.pop()
        for layer, finer in zip(reversed(self.up_layers), reversed(levels)):
            found = layer(found) + finer
        return self.norm(found)


class _ImageNetEncoder(ResNet50):
    """ResNet50 with the classes' layer, which the checkpoint holds and nothing uses."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(FEATURE_WIDTH, NUM_CLASSES)


class CNet(nn.Module):
    """Correspondence: normalised crops (B,3,224,224) to IUV (B,3,56,56), features (B,256,56,56) and the whole picture's (B,2048)."""

    def __init__(self) -> None:
        super().__init__()
        self.resnet = _ImageNetEncoder()
        pairs = list(pairwise(CHANNELS[1:]))
        self.dp_layers = nn.ModuleList(nn.Sequential(nn.Upsample(scale_factor=2), ConvBottleneck(coarse, fine)) for fine, coarse in pairs)
        self.dp_uv_end, self.dp_mask_end = (
            nn.Sequential(ConvBottleneck(FEATURES, 32), nn.Conv2d(32, outputs, 1), nn.Sigmoid()) for outputs in (2, 1)
        )

    def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        maps = self.resnet.maps(crops)
        found = maps[-1]
        for layer, finer in zip(reversed(self.dp_layers), reversed(maps[1:-1])):
            found = layer(found) + finer
        return torch.cat([self.dp_mask_end(found), self.dp_uv_end(found)], 1), found, picture_mean(maps[-1])


def warp_features(iuv: torch.Tensor, features: torch.Tensor, size: int = WARP_SIZE) -> torch.Tensor:
    """Carry the features of the pixels that show the person to the texels that they show; section 3.2.

    Args:
        iuv: (B,3,H,W), mask, u and v. features: (B,C,H,W).

    Returns:
        (B,C+3,size,size): the mean feature of each texel's pixels, their mean x and y from -1 to 1, and 1 where there is any.
    """
    batch, channels, height, width = features.shape
    across, down = torch.linspace(-1, 1, width).to(features), torch.linspace(-1, 1, height).to(features)
    places = torch.stack(torch.meshgrid(across, down, indexing="xy")).expand(batch, -1, -1, -1)
    values = torch.cat([features, places], 1).flatten(2).mT  # (B,HW,C+2)
    texels = (iuv[:, 1:] * (size - 1)).round().long().clamp(0, size - 1).flatten(2)
    index = texels[:, 1] * size + texels[:, 0] + size**2 * torch.arange(batch, device=iuv.device)[:, None]
    is_shown = (iuv[:, 0] > FOREGROUND).flatten(1)
    count = values.new_zeros(batch * size**2, 1).index_add(0, index[is_shown], values.new_ones(int(is_shown.sum()), 1))
    total = values.new_zeros(batch * size**2, channels + 2).index_add(0, index[is_shown], values[is_shown])
    mean = torch.cat([total / count.clamp_min(1), (count > 0).to(values)], 1)
    return mean.unflatten(0, (batch, size, size)).permute(0, 3, 1, 2)


class LNet(nn.Module):
    """Location: what CNet gives to a location map (B,128,128,3) and a camera (B,3)."""

    ref_map: torch.Tensor

    def __init__(self, uv_channels: int = 64) -> None:
        super().__init__()
        self.fc_head = nn.Sequential(nn.Linear(FEATURE_WIDTH, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 256))
        self.camera = nn.Sequential(
            nn.Linear(FEATURE_WIDTH, 512), nn.BatchNorm1d(512), nn.ReLU(),
            nn.Linear(512, 256), nn.BatchNorm1d(256), nn.LeakyReLU(0.2), nn.Linear(256, 3),
        )  # fmt: skip
        wide, inputs = 2 * FEATURES, FEATURES + 3 + 256 + 3
        convolutions = nn.Conv2d(inputs, wide, 1), nn.ReLU(), nn.Conv2d(wide, wide, 1), nn.ReLU(), nn.Conv2d(wide, FEATURES, 1)
        self.uv_conv1 = nn.Sequential(*convolutions)
        self.hg = Hourglass(FEATURES, 3)
        self.uv_conv2 = ConvBottleneck(FEATURES, 2 * uv_channels)
        upsample = nn.Upsample(scale_factor=2, mode="bilinear")
        self.decoder = nn.Sequential(nn.Sequential(upsample, ConvBottleneck(2 * uv_channels, uv_channels)))
        self.uv_end = nn.Sequential(ConvBottleneck(uv_channels, 32), nn.Conv2d(32, 3, 1))
        self.register_buffer("ref_map", torch.zeros(1, 3, WARP_SIZE, WARP_SIZE), persistent=False)

    def forward(self, iuv: torch.Tensor, features: torch.Tensor, whole: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        spread = self.fc_head(whole)[:, :, None, None].expand(-1, -1, WARP_SIZE, WARP_SIZE)
        reference = self.ref_map.to(features).expand(len(features), -1, -1, -1)
        found = self.uv_conv1(torch.cat([warp_features(iuv, features), spread, reference], 1))
        found = self.decoder(self.uv_conv2(self.hg(found)))
        return self.uv_end(found).permute(0, 2, 3, 1), self.camera(whole)


class Decomr(nn.Module):
    """Normalised crops (B,3,224,224) to a DecomrOutput."""

    def __init__(self) -> None:
        super().__init__()
        self.CNet, self.LNet = CNet(), LNet()

    def forward(self, crops: torch.Tensor) -> DecomrOutput:
        iuv, features, whole = self.CNet(crops)
        location_map, camera = self.LNet(iuv, features, whole)
        return DecomrOutput(iuv, location_map, camera)

    def vertices(self, output: DecomrOutput, layout: UvLayout) -> torch.Tensor:
        """Vertices (B,V,3) m, in the axes of the crop's camera."""
        return vertices_from_map(output.location_map.float(), layout)
