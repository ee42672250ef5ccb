"""VideoPose3D: 3D joints from a clip's 2D keypoints by dilated convolutions over time. For the released checkpoints, which users bring.

Paper: Pavllo et al. 2019, "3D Human Pose Estimation in Video with Temporal Convolutions and Semi-supervised Training", section 3 and
figure 2: 3-frame convolutions, each dilated by three times the one before, so that three see 27 frames and five 243; residual blocks.

Parameter names are the checkpoints' (`model_pos`, and `model_traj` of the semi-supervised ones, which gives the hip's path). Nothing is
trained here. As in the reference, a clip is padded with copies of its first and last frame, and the mirrored clip is averaged.

Deviations, ours:

* Frames without the person are interpolated before, and hold zeros after.
* The clip's own frame rate is used; the released weights were trained at 50 frames a second.
* Two released files of the same sizes take different keypoints: Human3.6M's 17 joints, or COCO's. core/released_models.py tells which.
* The hip's path of `model_traj` is not used: the whole-clip solve finds it from the footage's own lens.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from ..core.array_types import BoolArray, FloatArray
from ..core.errors import InputError
from ..core.skeletons import COCO17, H36M17, KEYPOINT_SETS, mirror_indices, mix_keypoints, to_h36m17

NUM_JOINTS, KERNEL, CHANNELS = 17, 3, 1024
CHUNK_FRAMES = 4096  # frames of which the network is run at once, beside those that it sees around them


class VideoPose3D(nn.Module):
    """2D joints (B,F,17,2) to 3D joints (B,F-N+1,J,3), where N is `num_frames`, the frames that one result sees.

    num_layers: of 3-frame convolutions; num_outputs: J, 17 or, of the path, 1. causal: results see no frame after theirs.
    """

    def __init__(self, num_layers: int = 5, num_outputs: int = NUM_JOINTS, causal: bool = False, channels: int = CHANNELS) -> None:
        super().__init__()
        self.num_layers, self.num_outputs, self.causal = num_layers, num_outputs, causal
        self.expand_conv = nn.Conv1d(2 * NUM_JOINTS, channels, KERNEL, bias=False)
        self.expand_bn = nn.BatchNorm1d(channels)
        convolutions = [
            convolution
            for level in range(1, num_layers)
            for convolution in (
                nn.Conv1d(channels, channels, KERNEL, dilation=KERNEL**level, bias=False),
                nn.Conv1d(channels, channels, 1, bias=False),
            )
        ]
        self.layers_conv = nn.ModuleList(convolutions)
        self.layers_bn = nn.ModuleList(nn.BatchNorm1d(channels) for _ in convolutions)
        self.shrink = nn.Conv1d(channels, 3 * num_outputs, 1)

    @property
    def num_frames(self) -> int:
        """Frames that one result sees."""
        return KERNEL**self.num_layers

    @property
    def padding(self) -> tuple[int, int]:
        """Frames to add before and after a clip, so that every frame has a result."""
        return (self.num_frames - 1, 0) if self.causal else (self.num_frames // 2, self.num_frames // 2)

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        found = torch.relu(self.expand_bn(self.expand_conv(points.flatten(2).mT)))
        for level in range(1, self.num_layers):
            dilation, layer = KERNEL**level, 2 * (level - 1)
            # Of 2 * dilation frames that a block leaves out, a causal one leaves out those before the result, the other as many after.
            first = 2 * dilation if self.causal else dilation
            shortcut = found[..., first : found.shape[-1] - 2 * dilation + first]
            found = torch.relu(self.layers_bn[layer](self.layers_conv[layer](found)))
            found = shortcut + torch.relu(self.layers_bn[layer + 1](self.layers_conv[layer + 1](found)))
        return self.shrink(found).mT.unflatten(-1, (self.num_outputs, 3))


@torch.inference_mode()
def lift(network: VideoPose3D, points: torch.Tensor) -> torch.Tensor:
    """Joints (F,J,3) m of every frame of a clip, from normalised 2D joints (F,17,2), in chunks of bounded memory."""
    before, after = network.padding
    padded = torch.cat([points[:1].expand(before, -1, -1), points, points[-1:].expand(after, -1, -1)])
    chunks = [network(padded[None, start : start + CHUNK_FRAMES + before + after])[0] for start in range(0, len(points), CHUNK_FRAMES)]
    return torch.cat(chunks)


def lift_clip(network: VideoPose3D, points: FloatArray, names: Sequence[str], device: torch.device | str = "cpu") -> FloatArray:
    """The mean of a clip's joints and of its mirror image's, (F,17,3) m relative to the hip, camera axes.

    points: (F,17,2), normalised; names: of the 17.
    """
    mirrored = points[:, mirror_indices(names)] * [-1, 1]
    both = [lift(network, torch.as_tensor(clip, dtype=torch.float32, device=device)).cpu().double().numpy() for clip in (points, mirrored)]
    joints = (both[0] + both[1][:, mirror_indices(H36M17)] * [-1, 1, 1]) / 2
    return joints - joints[:, :1]


def normalise_points(pixels: FloatArray, image_size: tuple[float, float]) -> FloatArray:
    """Pixels (...,2) with the picture's width as -1 to 1 and its proportions kept; image_size: (width, height) px."""
    width, height = image_size
    return np.asarray(pixels, float) / width * 2 - [1, height / width]


def input_points(keypoints: FloatArray, keypoint_set: str, names: Sequence[str], visible: BoolArray) -> FloatArray:
    """The 17 keypoints (F,17,2) px that a checkpoint takes, `names`; frames without the person are interpolated.

    keypoints: (F,K,3) px and confidence. Raises InputError: the detector does not give them.
    """
    points = to_h36m17(keypoints, keypoint_set) if tuple(names) == H36M17 else _coco_points(keypoints, keypoint_set)
    rows, known = np.arange(len(points)), np.flatnonzero(visible)
    flat = points[..., :2].reshape(len(points), -1)
    return np.stack([np.interp(rows, known, column[known]) for column in flat.T], 1).reshape(len(points), -1, 2)


def _coco_points(keypoints: FloatArray, keypoint_set: str) -> FloatArray:
    index = KEYPOINT_SETS[keypoint_set].index
    if missing := [name for name in COCO17 if name not in index]:
        raise InputError(
            "videopose3d-needs-coco",
            "These weights of VideoPose3D take COCO's keypoints, and these keypoints have no {missing}.",
            "Give the footage itself, or add weights that take Human3.6M's joints.",
            missing=[name.replace("_", " ") for name in missing],
        )
    weights = np.zeros((len(COCO17), len(index)))
    weights[range(len(COCO17)), [index[name] for name in COCO17]] = 1
    return mix_keypoints(keypoints, weights)
