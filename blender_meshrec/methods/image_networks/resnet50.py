"""ResNet50, the image encoder of SPIN and DecoMR, with the parameter names of the published ImageNet weights.

Paper: He et al. 2016, "Deep Residual Learning for Image Recognition"; as in those weights a block's 3x3 convolution has the stride.
"""

import torch
from torch import nn
from torch.nn import functional

BLOCKS = (3, 4, 6, 3)
WIDTHS = (64, 128, 256, 512)
EXPANSION = 4
FEATURE_WIDTH = WIDTHS[-1] * EXPANSION


def _norm_of(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions, added to their input, which is resampled where sizes differ."""

    def __init__(self, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__()
        outputs = EXPANSION * width
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = _norm_of(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = _norm_of(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = _norm_of(outputs)
        is_resampled = stride != 1 or inputs != outputs
        self.downsample = (
            nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), _norm_of(outputs)) if is_resampled else None
        )

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        found = torch.relu(self.bn1(self.conv1(maps)))
        found = torch.relu(self.bn2(self.conv2(found)))
        shortcut = maps if self.downsample is None else self.downsample(maps)
        return torch.relu(self.bn3(self.conv3(found)) + shortcut)


class ResNet50(nn.Module):
    """Images (B,3,224,224) to feature maps; `maps` gives all, `forward` their mean over the picture, (B,2048)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = _norm_of(64)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        inputs, layers = 64, list[nn.Sequential]()
        for level, (count, width) in enumerate(zip(BLOCKS, WIDTHS)):
            first = Bottleneck(inputs, width, stride=1 if level == 0 else 2)
            inputs = EXPANSION * width
            layers.append(nn.Sequential(first, *(Bottleneck(inputs, width) for _ in range(count - 1))))
        self.layer1, self.layer2, self.layer3, self.layer4 = layers

    def maps(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Feature maps of 1/2 (64 channels), 1/4 (256), 1/8 (512), 1/16 (1024) and 1/32 (2048) of the picture's side."""
        found = [torch.relu(self.bn1(self.conv1(images)))]
        found.append(self.layer1(self.pool(found[0])))
        for layer in (self.layer2, self.layer3, self.layer4):
            found.append(layer(found[-1]))
        return found

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return picture_mean(self.maps(images)[-1])


def picture_mean(maps: torch.Tensor) -> torch.Tensor:
    """The means (B,C) of maps (B,C,H,W) over the picture."""
    return functional.avg_pool2d(maps, maps.shape[-2:]).flatten(1)
