"""MoveNet Thunder: the 17 keypoints of COCO of the person in the middle of a square picture, and how sure each is.

Source: the released network (Google 2021, Apache-2.0), and its model card. A network of the kind of Zhou et al. 2019, "Objects as Points":
MobileNetV2 with a feature pyramid, and four heads at a quarter of the picture's resolution: where people's centres are, where a person's
keypoints are seen from the centre, a heat map for each keypoint, and offsets within a cell of the map.

Deviations: none in the computation. Batch normalisation is folded into the convolutions, as in the released file.
"""

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from ..bodies import network_file
from ..core.array_types import FloatArray, ImageArray
from ..core.skeletons import COCO17

WEIGHTS_FILE = "movenet_thunder.safetensors"
SIDE, CELLS = 256, 64  # px of the picture, cells of a head's map, along an edge
NUM_KEYPOINTS = len(COCO17)
STEM, DEEPEST, HEAD = 56, 1280, 96  # channels
PYRAMID = (24, 32, 64, 64)  # channels of its levels, fine to coarse
# MobileNetV2's stages after the first block: channels, blocks, and the stride of their first (Sandler et al. 2018, table 2, 1.75 wide).
STAGES = ((40, 2, 2), (56, 3, 2), (112, 4, 2), (168, 3, 1), (280, 3, 2), (560, 1, 1))
FIRST_BLOCK, EXPANSION = 32, 6  # its channels; of the channels within a block
PYRAMID_STAGES = (0, 1, 2)  # after which the finer levels are taken
NEARNESS = 1.8  # cells: a heat map's value counts by 1 / (NEARNESS + distance from where the centre expects the keypoint)


def convolution(inputs: int, outputs: int, size: int = 1, stride: int = 1, is_depthwise: bool = False, bias: bool = True) -> nn.Module:
    """A convolution whose padding is TensorFlow's "same": at stride 2 only to the right and below."""
    groups = inputs if is_depthwise else 1
    layer = nn.Conv2d(inputs, outputs, size, stride, size // 2 if stride == 1 else 0, groups=groups, bias=bias)
    return layer if stride == 1 else nn.Sequential(PadRightAndBelow(), layer)


class PadRightAndBelow(nn.Module):
    """A column and a row of zeros to the right and below of (N,C,H,W), in half the time of `nn.ZeroPad2d`."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        count, channels, height, width = features.shape
        shape = count, channels, height + 1, width + 1
        padded = torch.empty(shape, dtype=features.dtype, device=features.device, memory_format=torch.channels_last)
        padded[:, :, :height, :width] = features
        padded[:, :, height], padded[:, :, :, width] = 0, 0
        return padded


class Block(nn.Module):
    """An inverted residual block of MobileNetV2."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int = EXPANSION) -> None:
        super().__init__()
        inner, self.is_residual = inputs * expansion, stride == 1 and inputs == outputs
        self.expand = nn.Sequential(convolution(inputs, inner), nn.ReLU6(inplace=True)) if expansion > 1 else nn.Identity()
        self.filter = nn.Sequential(convolution(inner, inner, 3, stride, is_depthwise=True), nn.ReLU6(inplace=True))
        self.project = convolution(inner, outputs)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        found = self.project(self.filter(self.expand(features)))
        return features + found if self.is_residual else found


def separable(inputs: int, outputs: int) -> nn.Sequential:
    """A convolution over each channel's neighbourhood, then over channels."""
    filters = convolution(inputs, inputs, 3, is_depthwise=True, bias=False)
    return nn.Sequential(filters, convolution(inputs, outputs), nn.ReLU(inplace=True))


def head(outputs: int) -> nn.Sequential:
    """What one head makes of the finest level of the pyramid."""
    return nn.Sequential(separable(PYRAMID[0], HEAD), convolution(HEAD, outputs))


class MoveNet(nn.Module):
    """Pictures (N,3,256,256), values -1..1, to maps (N,C,64,64): logits of keypoints (17) and of centres (1), and in cells, y first, where
    keypoints are from a centre (34) and from their cell's corner (34)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(convolution(3, STEM, 3, 2), nn.ReLU6(inplace=True))
        self.first = Block(STEM, FIRST_BLOCK, 1, expansion=1)
        stages, channels = list[nn.Module](), FIRST_BLOCK
        for outputs, blocks, stride in STAGES:
            stages.append(nn.Sequential(*(Block(outputs if b else channels, outputs, 1 if b else stride) for b in range(blocks))))
            channels = outputs
        self.stages = nn.ModuleList(stages)
        self.deepest = nn.Sequential(convolution(channels, DEEPEST), nn.ReLU6(inplace=True))
        sources = (*(STAGES[stage][0] for stage in PYRAMID_STAGES), DEEPEST)
        self.laterals = nn.ModuleList(convolution(source, level) for source, level in zip(sources, PYRAMID, strict=True))
        self.merges = nn.ModuleList(separable(level, PYRAMID[max(k - 1, 0)]) for k, level in enumerate(PYRAMID[:-1]))
        self.keypoints, self.centre = head(NUM_KEYPOINTS), head(1)
        self.from_centre, self.offsets = head(2 * NUM_KEYPOINTS), head(2 * NUM_KEYPOINTS)

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        features, levels = self.first(self.stem(pictures)), list[torch.Tensor]()
        for stage in self.stages:
            features = stage(features)
            levels.append(features)
        sources = [*(levels[stage] for stage in PYRAMID_STAGES), self.deepest(features)]
        level = self.laterals[-1](sources[-1])
        for number in reversed(range(len(PYRAMID) - 1)):
            finer = functional.interpolate(level, scale_factor=2, mode="bilinear", align_corners=False)
            level = self.merges[number](finer + self.laterals[number](sources[number]))
        return self.keypoints(level), self.centre(level), self.from_centre(level), self.offsets(level)


@torch.inference_mode()
def find_keypoints(network: MoveNet, pictures: ImageArray) -> FloatArray:
    """The keypoints (N,17,3) of the person in the middle of each picture (N,256,256,3) uint8 RGB: x and y, as fractions of its side, and
    confidence 0..1."""
    weight = next(network.parameters())
    values = torch.as_tensor(pictures, device=weight.device).permute(0, 3, 1, 2).to(weight) / 127.5 - 1
    return decode(*network(values.contiguous(memory_format=torch.channels_last))).cpu().double().numpy()


def decode(keypoints: torch.Tensor, centre: torch.Tensor, from_centre: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """The keypoints (N,17,3) of `find_keypoints`, of the maps of `MoveNet`."""
    count, (rows, columns) = len(centre), centre.shape[-2:]
    y, x = torch.meshgrid(*(torch.arange(cells).to(centre) for cells in (rows, columns)), indexing="ij")
    centrality = 1 / (NEARNESS + torch.hypot(y - rows / 2, x - columns / 2))
    at = (centre[:, 0].sigmoid() * centrality).flatten(1).argmax(1)
    expected = from_centre.flatten(2).gather(2, at[:, None, None].expand(-1, 2 * NUM_KEYPOINTS, 1)).view(count, NUM_KEYPOINTS, 2)
    expected = expected + torch.stack([at // columns, at % columns], -1).to(centre)[:, None]
    distance = torch.hypot(y - expected[..., 0, None, None], x - expected[..., 1, None, None])
    scores = keypoints.sigmoid()
    cells = (scores / (NEARNESS + distance)).flatten(2).argmax(2)
    within = offsets.view(count, NUM_KEYPOINTS, 2, -1).gather(3, cells[..., None, None].expand(-1, -1, 2, 1))[..., 0]
    found_y, found_x = (cells // columns + within[..., 0]) / rows, (cells % columns + within[..., 1]) / columns
    return torch.stack([found_x, found_y, scores.flatten(2).gather(2, cells[..., None])[..., 0]], -1)


def load_movenet(device: str = "cpu") -> MoveNet:
    """The network, read once for each device. Raises ModelError: its file is missing or damaged."""
    return network_file.load_network(read_movenet, WEIGHTS_FILE, device)


def read_movenet(path: Path | str) -> MoveNet:
    """The network with the weights of a file that `scripts/assets/movenet_weights.py` wrote. Raises ModelError."""
    network = network_file.load_weights(MoveNet(), network_file.read_weights(path), path, "MoveNet")
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)  # in which the processor computes a fifth faster
    return network
