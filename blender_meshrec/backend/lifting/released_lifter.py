"""VideoPose3D with the user's checkpoint, as an Estimator."""

from pathlib import Path

import numpy as np
import torch

from ...bodies import network_file
from ...core.array_types import FloatArray
from ...core.files.safetensors import read_tensor_table
from ...core.files.user_models import user_checkpoint
from ...core.records import Estimate, Observations
from ...core.released_models import KEYPOINT_NAMES, KEYPOINTS_NOTE
from ...core.skeletons import to_h36m17
from ...methods.videopose3d import VideoPose3D, input_points, lift_clip, normalise_points


def lift_with_videopose3d(observations: Observations, intrinsics: FloatArray, timestamps: FloatArray, device: torch.device) -> Estimate:
    """Lift one person's 2D keypoints by the VideoPose3D that the user added.

    Args:
        observations: one person of F frames. intrinsics: (3,3) px, with the picture's centre as principal point. timestamps: not used.

    Raises:
        ModelError: there is no such checkpoint. InputError: the keypoints are not those that it takes.
    """
    path = user_checkpoint("videopose3d")
    network, names = load_videopose3d(path).to(device), KEYPOINT_NAMES[read_tensor_table(path).notes.get(KEYPOINTS_NOTE, "h36m17")]
    visible = np.array(observations.visible)
    confidence = np.clip(to_h36m17(observations.keypoints, observations.keypoint_set)[..., 2], 0, 1) * visible[:, None]
    if not visible.any():
        return Estimate(joints=np.zeros((len(visible), 17, 3)), confidence=confidence)
    pixels = input_points(observations.keypoints, observations.keypoint_set, names, visible)
    points = normalise_points(pixels, (2 * float(intrinsics[0, 2]), 2 * float(intrinsics[1, 2])))
    joints = lift_clip(network, points, names, device) * visible[:, None, None]
    return Estimate(joints=joints, confidence=confidence, is_temporal=True)


def load_videopose3d(path: Path) -> VideoPose3D:
    """The network of a kept checkpoint, without the hip's path. Raises ModelError."""
    weights = {
        name.removeprefix("model_pos."): tensor for name, tensor in network_file.read_weights(path).items() if name.startswith("model_pos.")
    }
    num_layers = sum(name.startswith("layers_conv.") for name in weights) // 2 + 1
    return network_file.load_weights(VideoPose3D(num_layers), weights, path, "VideoPose3D")
