"""Ours: where a person's joints are in the picture, given what a detector reports, and how sure that is.

A detector puts joints beside those of a skeleton: an ankle above it, hips too far apart, a far leg over the near one. How far depends on
the pose and is alike in neighbouring frames, so that no smoothness over the clip shows it. The network has learnt it from rendered bodies,
of which both are known. Trained by scripts/train/joints_in_picture.py.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from ...bodies import network_file
from ...bodies.tensors import to_tensor
from ...core.array_types import ArrayLike, FloatArray
from ...core.cameras import rays_from_pixels
from ...core.records import Observations
from ...core.skeletons import H36M17, to_h36m17
from .even_times import resample_times
from .lifter_input import (
    H36M17_MIRROR,
    MIN_CONFIDENCE,
    NUM_CHANNELS,
    encode_keypoints,
    input_points,
    mirror_joints,
    own_joints,
    rays_of_turned,
    to_tensors,
    turned_points,
    with_mirror_image,
)

WEIGHTS_FILE = "joints_in_picture.safetensors"
KEYPOINT_SET = "blazepose33"  # whose errors it has learnt
WIDTH, DILATIONS = 192, (1, 2, 4, 8)  # channels, and of the convolutions over frames
SHIFT_SCALE, SPREAD_SCALE, MAX_LOG_SPREAD = 0.1, 0.05, 4.0  # of the person's size: usual shifts and spreads
# Standard deviation along an axis, in spreads, of an error whose density falls with its length r as exp(-r / spread).
SIGMA_OF_SPREAD = 3**0.5
UNSEEN_SIGMA = 0.3  # of the person's size, of joints that are hardly seen
# Of the person's size, the largest shift and standard deviation of joints that are seen. In poses in which the detector is often lost it is
# not always lost: that is for the solve to tell, whose loss is robust.
MAX_SHIFT, MAX_SIGMA = 0.1, 0.045


class PictureNetwork(nn.Module):
    """Encoded frames (B,F,C) of lifter_input.py to shifts (B,F,17,2) from keypoint to joint and the logarithms (B,F,17) of their spreads,
    about the view and in units of the person's size."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv1d(NUM_CHANNELS, WIDTH, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.ReLU(), nn.Conv1d(WIDTH, WIDTH, 3, padding=dilation, dilation=dilation), nn.ReLU(), nn.Conv1d(WIDTH, WIDTH, 1))
            for dilation in DILATIONS
        )
        self.leave = nn.Sequential(nn.ReLU(), nn.Conv1d(WIDTH, 3 * len(H36M17), 1))

    def forward(self, encoded: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.enter(encoded.transpose(1, 2))
        for block in self.blocks:
            features = features + block(features)
        found = self.leave(features).transpose(1, 2).unflatten(2, (len(H36M17), 3)).float()
        log_spread = found[..., 2].clamp(-MAX_LOG_SPREAD, MAX_LOG_SPREAD)
        return SHIFT_SCALE * found[..., :2], log_spread + float(np.log(SPREAD_SCALE))


def joints_in_picture(
    observations: Observations, intrinsics: FloatArray, timestamps: ArrayLike, device: torch.device | str = "cpu"
) -> FloatArray | None:
    """Where the h36m17 joints (F,17,3) of one person are in the picture: x px, y px and standard deviation px.

    Args:
        observations: one person of F frames. intrinsics: (3,3) px. timestamps: (F,) s.

    Returns:
        None for keypoints of a detector whose errors are not known. Rows without the person hold zeros.

    Raises:
        ModelError: the weights are missing or damaged.
    """
    if observations.keypoint_set != KEYPOINT_SET:
        return None
    return find_joints(load_picture_network(str(device)), observations, intrinsics, timestamps, device)


def find_joints(
    network: PictureNetwork, observations: Observations, intrinsics: FloatArray, timestamps: ArrayLike, device: torch.device | str = "cpu"
) -> FloatArray:
    """What `joints_in_picture` returns, by a network."""
    points = input_points(observations.keypoints, observations.keypoint_set)
    points[..., 2] *= observations.visible[:, None]
    points[..., :2] = rays_from_pixels(points[..., :2], intrinsics)
    own = own_joints(observations)
    own = np.zeros((len(points), len(H36M17), 3)) if own is None else own
    _times, interleave = resample_times(timestamps)  # of a fast clip, every so many frames are near the network's own rate
    found = np.zeros_like(own)
    for first in range(min(interleave, len(points))):
        rows = slice(first, None, interleave)
        its_own = to_tensor(own[rows], device=device)
        found[rows] = predict_shifts(network, *to_tensors(points[rows], device), its_own[None]).cpu().double().numpy()
    keypoints = to_h36m17(observations.keypoints, observations.keypoint_set)[..., :2]
    is_seen = points[:, : len(H36M17), 2:] >= MIN_CONFIDENCE
    focal = np.diag(intrinsics)[:2]
    joints = np.concatenate([keypoints + np.where(is_seen, found[..., :2] * focal, 0.0), found[..., 2:] * focal.mean()], -1)
    return joints * observations.visible[:, None, None]


@torch.inference_mode()
def predict_shifts(network: PictureNetwork, rays: torch.Tensor, confidence: torch.Tensor, own_3d: torch.Tensor) -> torch.Tensor:
    """Shifts from keypoints to joints, as rays, and their standard deviations, (F,17,3): the mean of the clip's and its mirror image's.

    Args:
        rays: (1,F,23,2). confidence: (1,F,23). own_3d: (1,F,17,3) m, as of `encode_keypoints`.
    """
    both = with_mirror_image(rays, confidence)
    encoded, person = encode_keypoints(*both, torch.ones(2).to(rays), torch.cat([own_3d, mirror_joints(own_3d)]))
    shifts, log_spreads = network(encoded)
    mirrored = shifts[1][:, H36M17_MIRROR] * torch.tensor([-1.0, 1.0]).to(rays)
    view, size = person.view[:1], person.size[0]
    seen, shift = rays[:, :, : len(H36M17)], 0.5 * (shifts[0] + mirrored)
    shift = shift * (MAX_SHIFT / shift.norm(dim=-1, keepdim=True).clamp_min(MAX_SHIFT))
    joints = turned_points(view, seen) + (shift * size[..., None])[None]
    sigma = (SIGMA_OF_SPREAD * (0.5 * (log_spreads[0] + log_spreads[1][:, H36M17_MIRROR])).exp()).clamp_max(MAX_SIGMA)
    sigma = torch.where(confidence[0, :, : len(H36M17)] >= MIN_CONFIDENCE, sigma, UNSEEN_SIGMA) * size
    return torch.cat([(rays_of_turned(view, joints) - seen)[0], sigma[..., None]], -1)


def load_picture_network(device: str = "cpu") -> PictureNetwork:
    """The network with the weights that ship. Raises ModelError."""
    return network_file.load_network(read_picture_network, WEIGHTS_FILE, device)


def read_picture_network(path: Path | str) -> PictureNetwork:
    """The network with the weights of a file that `scripts/train/joints_in_picture.py` wrote. Raises ModelError."""
    return network_file.load_weights(PictureNetwork(), network_file.read_weights(path), path, "a network of joints in the picture")
