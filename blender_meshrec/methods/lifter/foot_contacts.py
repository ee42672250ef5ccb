"""Ours: ground contact of heels and toes from 2D keypoints and their lifted joints.

2D keypoints show that a foot rests more accurately than lifted joints do. Trained by scripts/train/contacts.py.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ...bodies import network_file
from ...core.array_types import FloatArray
from ...core.skeletons import H36M17
from .even_times import blend_points
from .lifter_input import (
    MIN_CONFIDENCE,
    POINTS,
    SIZE_JOINTS,
    SIZE_WINDOW,
    TOTAL_BONE_LENGTH,
    mirror_joints,
    moving_average,
    with_mirror_image,
)

CONTACT_WEIGHTS_FILE = "contacts.safetensors"
CONTACT_WIDTH, CONTACT_DILATIONS = 96, (1, 2, 4, 8, 16)
MAX_GAP = 0.25  # s: keypoints this far apart in time are joined by a straight line
CONTACT_WINDOW = 31  # frames for a foot's mean position and the lowest ankle: half a second on either side
_LEG_POINTS = [POINTS.index(f"{side}_{p}") for side in ("left", "right") for p in ("hip", "knee", "ankle", "big_toe", "heel")]
_HIPS, _ANKLES = ([POINTS.index(f"{side}_{p}") for side in ("left", "right")] for p in ("hip", "ankle"))
_LIFTED_LEG_JOINTS = [*(i for i in _LEG_POINTS if i < len(H36M17)), H36M17.index("thorax")]
# Seven numbers for each point of the legs and for the hip, three for each lifted joint, and seven of the whole person.
NUM_CONTACT_FEATURES = 7 * (len(_LEG_POINTS) + 1) + 3 * len(_LIFTED_LEG_JOINTS) + 7


class ContactNetwork(nn.Module):
    """Frames (B,F,NUM_CONTACT_FEATURES), of `contact_features`, to logits (B,F,2) of contact of left heel and left toe.

    The right foot is the left one in a mirror.
    """

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv1d(NUM_CONTACT_FEATURES, CONTACT_WIDTH, 3, padding=1)
        blocks = (nn.Conv1d(CONTACT_WIDTH, CONTACT_WIDTH, 3, padding=dilation, dilation=dilation) for dilation in CONTACT_DILATIONS)
        self.blocks = nn.ModuleList(nn.Sequential(nn.ReLU(), block) for block in blocks)
        self.leave = nn.Sequential(nn.ReLU(), nn.Conv1d(CONTACT_WIDTH, 2, 1))

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        features = self.enter(frames.transpose(1, 2))
        for block in self.blocks:
            features = features + block(features)
        return self.leave(features).transpose(1, 2)


def contact_features(
    rays: torch.Tensor, confidence: torch.Tensor, joints: torch.Tensor, detected: torch.Tensor, time_step: torch.Tensor
) -> torch.Tensor:
    """The contact network's input from 2D keypoints and their lifted joints.

    Args:
        rays: (B,F,23,2), x/z and y/z of POINTS. confidence: (B,F,23). joints: (B,F,17,3) relative to the hip, camera axes, in units
            of the bone-length sum. detected: (B,), 0 for h36m17, 1 for a detector's sets. time_step: (B,) s from frame to frame.

    Returns:
        (B,F,NUM_CONTACT_FEATURES): the features of `_leg_point_features`, the ankles' heights of `_ankle_heights`, the lifted joints
        of legs and thorax, and of the whole person the hip's ray, the size in the picture, the hip's weight and `detected`.
    """
    rays, confidence, joints = rays.float(), confidence.float(), TOTAL_BONE_LENGTH * joints.float()
    usable = (confidence >= MIN_CONFIDENCE).to(rays)
    rays_per_metre = _rays_per_metre(rays, usable, joints)
    hip = rays[..., _HIPS, :].mean(-2, keepdim=True)
    points = torch.cat([rays[..., _LEG_POINTS, :], hip], -2)
    weight = torch.cat([usable[..., _LEG_POINTS], usable[..., _HIPS].amin(-1, keepdim=True)], -1)[..., None]
    of_points = _leg_point_features(points, weight, rays_per_metre[..., None], time_step)
    heights = _ankle_heights(rays[..., _ANKLES, 1], usable[..., _ANKLES], rays_per_metre)
    of_whole = [hip[..., 0, :], rays_per_metre.log(), weight[..., -1, :], detected.to(rays)[:, None, None].expand(-1, rays.shape[1], 1)]
    return torch.cat([of_points, 5 * heights, joints[..., _LIFTED_LEG_JOINTS, :].flatten(2), *of_whole], -1)


def _leg_point_features(points: torch.Tensor, weight: torch.Tensor, rays_per_metre: torch.Tensor, time_step: torch.Tensor) -> torch.Tensor:
    """Seven numbers for each point of the legs (B,F,P,2), whose last is the hip, flattened: its velocity, its offsets from its
    mean position and from the hip, in metres of a person of 1.70 m, and its weight (B,F,P,1)."""
    both = weight[:, 1:] * weight[:, :-1]
    velocity = functional.pad((points[:, 1:] - points[:, :-1]) / rays_per_metre[:, 1:] * both, (0, 0, 0, 0, 0, 1))
    velocity = velocity / time_step[:, None, None, None]
    total = moving_average((points * weight).flatten(2), CONTACT_WINDOW)
    mean = total / moving_average(weight.expand_as(points).flatten(2), CONTACT_WINDOW).clamp_min(1e-6)
    from_mean = (points - mean.unflatten(2, (-1, 2))) / rays_per_metre * weight
    from_hip = (points - points[..., -1:, :]) / rays_per_metre * weight * weight[..., -1:, :]
    features = [(velocity / 0.5).clamp(-8, 8), (10 * from_mean).clamp(-5, 5), from_hip.clamp(-3, 3), weight]
    return torch.cat(features, -1).flatten(2)


def _ankle_heights(ankles: torch.Tensor, usable: torch.Tensor, rays_per_metre: torch.Tensor) -> torch.Tensor:
    """Heights (B,F,2) m, at most 1, of the ankles' y/z (B,F,2) above the lowest ankle in the picture over CONTACT_WINDOW."""
    lowest = torch.where(usable > 0, ankles, -100.0).amax(-1)
    lowest = functional.max_pool1d(lowest[:, None], CONTACT_WINDOW, 1, CONTACT_WINDOW // 2)[:, 0, :, None]
    return ((lowest - ankles) / rays_per_metre).clamp(0, 1) * usable


def _rays_per_metre(rays: torch.Tensor, usable: torch.Tensor, joints: torch.Tensor) -> torch.Tensor:
    """The difference in rays (B,F,23,2) over a metre at the person's distance, (B,F,1): fitted to joints (B,F,17,3) m over SIZE_WINDOW."""
    hips = rays[..., _HIPS, :].mean(-2, keepdim=True)
    limbs = joints[..., SIZE_JOINTS, :]
    # A point that is nearer than the hip by z appears shifted outwards by z times the hip's ray.
    across = limbs[..., :2] - limbs[..., 2:] * hips
    weight = (usable[..., SIZE_JOINTS] * usable[..., _HIPS].amin(-1, keepdim=True))[..., None]
    product = ((rays[..., SIZE_JOINTS, :] - hips) * across * weight).sum((-1, -2))[..., None]
    square = (across.square() * weight).sum((-1, -2))[..., None]
    product, square = (moving_average(values, SIZE_WINDOW) + 1e-3 * values.mean(1, keepdim=True) for values in (product, square))
    return (product / square.clamp_min(1e-6)).clamp(0.01, 2)


def fill_gaps(points: FloatArray, time_step: float) -> FloatArray:
    """Points (F,P,3), `time_step` s apart; frames without any are interpolated between neighbours at most MAX_GAP s apart.

    Contacts show in the feet's motion from frame to frame: without the filled frames those of slow clips are guesses.
    """
    known = np.flatnonzero((points[..., 2] > 0).any(1))
    if len(known) < 2:
        return points
    frames = np.arange(len(points))
    next_known = np.clip(np.searchsorted(known, frames), 1, len(known) - 1)
    before, after = known[next_known - 1], known[next_known]
    blended = blend_points(points[before], points[after], (frames - before) / (after - before))
    inside = (before < frames) & (frames < after) & ((after - before) * time_step <= MAX_GAP)
    return np.where(inside[:, None, None], blended, points)


@torch.inference_mode()
def predict_contacts(
    network: ContactNetwork, rays: torch.Tensor, confidence: torch.Tensor, detected: float, joints: torch.Tensor, time_step: float
) -> torch.Tensor:
    """Probabilities (F,4) that left heel, left toe, right heel and right toe touch the ground.

    Args:
        rays: (1,F,23,2). confidence: (1,F,23). joints: (F,17,3), lifted. time_step: s.
    """
    both = with_mirror_image(rays, confidence)
    joints = torch.stack([joints, mirror_joints(joints)])
    features = contact_features(*both, joints, torch.tensor([detected, detected]), torch.tensor([time_step, time_step]).to(joints))
    return torch.sigmoid(torch.cat(tuple(network(features)), -1))


def load_contact_network(device: str = "cpu") -> ContactNetwork:
    """The contact network with the weights that ship. Raises ModelError."""
    return network_file.load_network(read_contact_network, CONTACT_WEIGHTS_FILE, device)


def read_contact_network(path: Path | str) -> ContactNetwork:
    """The contact network with the weights of a file that `scripts/train/contacts.py` wrote. Raises ModelError."""
    return network_file.load_weights(ContactNetwork(), network_file.read_weights(path), path, "a contact network")
