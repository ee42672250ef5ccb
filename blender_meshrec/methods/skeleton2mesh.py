"""Skeleton2Mesh's lifting network: 2D keypoints of one person to 3D joints, single images and clips.

Paper: Yu et al. 2021, "Skeleton2Mesh: Kinematics Prior Injected Unsupervised Human Mesh Recovery", supplementary figures
1 and 2: five residual blocks, one Res1 and four Res2, each main branch of convolutions with batch normalisation, ReLU and
dropout, each shortcut a convolution over the features together with the 2D input. methods/dik.py turns the joints into rotations.

Deviations, ours:

* Supervised by motion capture projected by random cameras (scripts/train/lifter.py), not adversarially.
* Time: three frames make one token, and one convolution of every Res2 block has kernel 3 over tokens, dilated by 1, 3, 9
  and 1, so that a joint is estimated from 2.9 s of motion. The paper lifts single frames; here one frame is a clip of length 1.
* Width 512 instead of 1024. The paper leaves open Res1's shortcut (here it takes the 2D input) and the rate of dropout
  (here 0: no window of the training motion comes twice).
* Input (lifter/lifter_input.py): coordinates on the image plane of a camera turned towards the person, relative to the torso, in units of
  the person's size; each with its confidence, zero below MIN_CONFIDENCE; the person's position and size. Besides the 17 joints, the ears,
  heels and big toes of detectors that have them: they show the orientation of head and feet.
* A flag tells joints (h36m17) from a detector's keypoints, whose nose is on the face and whose hips are elsewhere.
* A detector's own 3D joints, where it has them (BlazePose), are a further input: they come from the image, the lifter's depth from
  motion, and the network learns which to believe.
* Output: joints relative to the hip in the turned camera's axes, in units of the skeleton's bone-length sum. One view does not
  show a person's size: metres come from a stature of 1.70 m.
* A second output says how sure each is: the spread of a joint relative to its parent, within which 68 % of the errors lie.
* Knees are straightened by what captured legs are too long (lifter/knees.py).
* A second, small network predicts the ground contacts of heels and toes (lifter/foot_contacts.py).
* Clips of any frame rate are lifted at even times near that of the training motion (lifter/even_times.py).
* The paper's single pass becomes six, averaged: three ways to divide the frames into tokens, each also mirrored. Where a detector
  has its own 3D, they become twelve: with it and without.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..bodies import network_file
from ..bodies.alignment import rotation_to_optical_axis
from ..bodies.tensors import to_tensor
from ..core.array_types import ArrayLike, BoolArray, FloatArray
from ..core.cameras import rays_from_pixels
from ..core.records import Estimate, Observations
from ..core.skeletons import H36M17, to_h36m17
from .lifter.even_times import FPS, interpolate_values, nearest_values, resample_points, resample_times
from .lifter.foot_contacts import ContactNetwork, fill_gaps, load_contact_network, predict_contacts
from .lifter.knees import straighten_knees
from .lifter.lifter_input import (
    H36M17_MIRROR,
    OUTPUT_SCALE,
    PARENTS,
    POINTS,
    TOTAL_BONE_LENGTH,
    encode_keypoints,
    input_points,
    mirror_joints,
    own_joints,
    to_tensors,
    with_mirror_image,
)

WEIGHTS_FILE = "lifter.safetensors"
TOKEN_FRAMES = 3  # frames
RECEPTIVE_TOKENS = 14  # tokens on either side that a token's result depends on
CHUNK_TOKENS = 1024  # tokens lifted at once: bounds the memory for long clips
SPREAD_SCALE, SPREAD_WIDTH = 0.01, 128  # of the bone-length sum: a usual spread; channels of the layer that predicts it


# ---- the network -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LifterConfig:
    """Sizes of the lifting network; `dilations` gives one Res2 block each.

    takes_own_3d: whether a detector's own 3D joints are an input. has_spread: whether it says how sure it is.
    """

    width: int = 512
    dilations: tuple[int, ...] = (1, 3, 9, 1)
    dropout: float = 0.0
    takes_own_3d: bool = True
    has_spread: bool = True

    @property
    def channels(self) -> int:
        """Numbers of a frame: three per point, eight of the whole, and three per joint of a detector's own and whether it has them."""
        return 3 * len(POINTS) + 8 + self.takes_own_3d * (3 * len(H36M17) + 1)

    @property
    def inputs(self) -> int:
        """Input channels of a token."""
        return TOKEN_FRAMES * self.channels


class Lifted(NamedTuple):
    """Joints (B,F,17,3) relative to the hip, and spreads (B,F,17,3) of joints relative to their parents (the hip's means nothing), or
    None. Both in the turned camera's axes, in units of the bone-length sum."""

    joints: torch.Tensor
    spread: torch.Tensor | None


def _conv_layer(inputs: int, width: int, dropout: float, kernel: int = 1, dilation: int = 1) -> nn.Sequential:
    """Figure 1: convolution, batch normalisation, ReLU, dropout."""
    convolution = nn.Conv1d(inputs, width, kernel, padding=dilation * (kernel // 2), dilation=dilation, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(dropout))


class Res1Block(nn.Module):
    """Figure 1, Res1: one layer takes the 2D input, two more make the main branch; the shortcut starts at the input."""

    def __init__(self, config: LifterConfig) -> None:
        super().__init__()
        self.enter = _conv_layer(config.inputs, config.width, config.dropout)
        self.main = nn.Sequential(*(_conv_layer(config.width, config.width, config.dropout) for _ in range(2)))
        self.skip = nn.Conv1d(config.inputs, config.width, 1)

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        return self.main(self.enter(points)) + self.skip(points)


class Res2Block(nn.Module):
    """Figure 1, Res2: two layers, and a shortcut over the features together with the 2D input; the first layer spans time."""

    def __init__(self, config: LifterConfig, dilation: int) -> None:
        super().__init__()
        first = _conv_layer(config.width, config.width, config.dropout, kernel=3, dilation=dilation)
        self.main = nn.Sequential(first, _conv_layer(config.width, config.width, config.dropout))
        self.skip = nn.Conv1d(config.width + config.inputs, config.width, 1)

    def forward(self, features: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        return self.main(features) + self.skip(torch.cat([features, points], 1))


class Lifter(nn.Module):
    """Figure 2, the lifting network. Encoded frames (B,F,C), F a multiple of TOKEN_FRAMES, to what it lifts them to."""

    def __init__(self, config: LifterConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or LifterConfig()
        self.res1 = Res1Block(config)
        self.res2 = nn.ModuleList(Res2Block(config, dilation) for dilation in config.dilations)
        outputs = TOKEN_FRAMES * len(H36M17) * 3
        self.out = nn.Conv1d(config.width, outputs, 1)
        if config.has_spread:
            layers = nn.Conv1d(config.width, SPREAD_WIDTH, 1), nn.ReLU(), nn.Conv1d(SPREAD_WIDTH, outputs, 1)
            self.spread = nn.Sequential(*layers)

    def forward(self, encoded: torch.Tensor) -> Lifted:
        batch, frames, _channels = encoded.shape
        used = encoded[..., : self.config.channels]
        points = used.reshape(batch, frames // TOKEN_FRAMES, self.config.inputs).transpose(1, 2)
        features = self.res1(points)
        for block in self.res2:
            features = block(features, points)

        def by_joint(outputs: torch.Tensor) -> torch.Tensor:
            return outputs.float().transpose(1, 2).reshape(batch, frames, len(H36M17), 3)

        joints = by_joint(self.out(features))
        # The spread learns from the features and leaves them as the joints need them.
        spread = SPREAD_SCALE * by_joint(self.spread(features.detach())).clamp(-5, 5).exp() if self.config.has_spread else None
        return Lifted(OUTPUT_SCALE * (joints - joints[:, :, :1]), spread)


# ---- inference --------------------------------------------------------------------------------------------------------


def estimate(
    observations: Observations, intrinsics: FloatArray, timestamps: FloatArray, device: torch.device, weights: str = WEIGHTS_FILE
) -> Estimate:
    """Lift one person's 2D keypoints to 3D joints.

    Args:
        observations: one person of F frames, any keypoint set. intrinsics: (3,3) px. timestamps: (F,) s.
        weights: the file name of the lifter's weights, for a lifter tuned with another method.

    Returns:
        an Estimate: h36m17 joints relative to the hip, camera axes, metres of a person of 1.70 m, and contacts. Rows without the
        person hold zeros and confidence 0.

    Raises:
        ModelError: the weights are missing or damaged.
    """
    points = input_points(observations.keypoints, observations.keypoint_set)
    points[..., 2] *= observations.visible[:, None]
    rays = rays_from_pixels(points[..., :2], intrinsics)
    detected = observations.keypoint_set != "h36m17"
    lifter, contact_network = load_lifter(str(device), weights), load_contact_network(str(device))
    lifted = lift_clip(lifter, rays, points[..., 2], timestamps, detected, device, contact_network, own_joints(observations))
    confidence = np.clip(to_h36m17(observations.keypoints, observations.keypoint_set)[..., 2], 0, 1)
    visible = observations.visible[:, None]
    return Estimate(
        joints=straighten_knees(lifted.joints * TOTAL_BONE_LENGTH) * visible[..., None],
        confidence=confidence * visible,
        contacts=None if lifted.contacts is None else lifted.contacts * visible,
        spread=None if lifted.spread is None else lifted.spread * TOTAL_BONE_LENGTH * visible[..., None],
        is_temporal=True,
    )


class LiftedClip(NamedTuple):
    """Joints (F,17,3) relative to the hip in camera axes, in units of the bone-length sum; probabilities (F,4) that left heel, left
    toe, right heel and right toe touch the ground, or None; spreads (F,17,3) of joints relative to their parents across and along the
    line of sight, in the same units, or None."""

    joints: FloatArray
    contacts: FloatArray | None
    spread: FloatArray | None


def lift_clip(
    lifter: Lifter,
    rays: FloatArray,
    confidence: FloatArray,
    timestamps: ArrayLike,
    detected: bool,
    device: torch.device | str = "cpu",
    contact_network: ContactNetwork | None = None,
    own_3d: FloatArray | None = None,
) -> LiftedClip:
    """Lift a clip of any frame rate, and predict its contacts if a network for them is given.

    Args:
        rays: (F,23,2), x/z and y/z of POINTS. confidence: (F,23). timestamps: (F,) s. detected: False for h36m17.
        own_3d: (F,17,3) m, the detector's own joints relative to the hip, z along the line of sight, zero where it has none.
    """
    times, interleave = resample_times(timestamps)
    points, known = _points_at(times, rays, confidence, timestamps)
    own = np.zeros((len(rays), len(H36M17), 3)) if own_3d is None else own_3d
    own = nearest_values(own, timestamps, times) * known[:, None, None]
    lifted, spread = np.zeros_like(own), np.zeros_like(own)
    for first in range(min(interleave, len(times))):
        part, its_own = points[first::interleave], to_tensor(own[first::interleave], device=device)
        mean = _lift_averaged(lifter, *to_tensors(part, device), float(detected), its_own[None])
        lifted[first::interleave] = mean.joints.cpu().double().numpy()
        if mean.spread is not None:
            spread[first::interleave] = mean.spread.cpu().double().numpy()
    contacts = None
    if contact_network is not None:
        contacts = interpolate_values(_contacts_at(contact_network, times, interleave, points, lifted, detected), times, timestamps)
    lifted, spread = (interpolate_values(values, times, timestamps) for values in (lifted, spread))
    return LiftedClip(lifted, contacts, spread if lifter.config.has_spread else None)


def contacts_of_joints(
    rays: FloatArray, confidence: FloatArray, joints: FloatArray, timestamps: ArrayLike, detected: bool, device: torch.device | str = "cpu"
) -> FloatArray:
    """The contact network's probabilities (F,4), of left heel, left toe, right heel and right toe, for a clip of any frame rate.

    Args:
        rays: (F,23,2), x/z and y/z of POINTS. confidence: (F,23). joints: (F,17,3), lifted, relative to the hip, of any size.
        timestamps: (F,) s. detected: False for h36m17.

    Raises:
        ModelError: the weights are missing or damaged.
    """
    times, interleave = resample_times(timestamps)
    points, _known = _points_at(times, rays, confidence, timestamps)
    size = np.linalg.norm(joints[:, 1:] - joints[:, PARENTS[1:]], axis=-1).sum(1)
    lifted = interpolate_values(joints / max(float(np.median(size)), 1e-6), np.asarray(timestamps, float), times)
    found = _contacts_at(load_contact_network(str(device)), times, interleave, points, lifted, detected)
    return interpolate_values(found, times, timestamps)


def _points_at(times: FloatArray, rays: FloatArray, confidence: FloatArray, timestamps: ArrayLike) -> tuple[FloatArray, BoolArray]:
    """POINTS (T,23,3), rays and confidence, at even times (T,), and at which of them the clip has any (T,)."""
    points, known = resample_points(np.concatenate([rays, confidence[..., None]], -1), timestamps, times)
    points[..., 2] *= known[:, None]
    return points, known


def _contacts_at(
    network: ContactNetwork, times: FloatArray, interleave: int, points: FloatArray, lifted: FloatArray, detected: bool
) -> FloatArray:
    """Contact probabilities (T,4) at even times (T,) of `interleave` clips, from points (T,23,3) and lifted joints (T,17,3)."""
    device = next(network.parameters()).device
    contacts, step = np.zeros((len(times), 4)), interleave * (times[1] - times[0]) if len(times) > 1 else 1 / FPS
    for first in range(min(interleave, len(times))):
        filled = to_tensors(fill_gaps(points[first::interleave], step), device)
        joints = to_tensor(lifted[first::interleave], device=device)
        contacts[first::interleave] = predict_contacts(network, *filled, float(detected), joints, step).cpu().double().numpy()
    return contacts


@torch.inference_mode()
def _lift_averaged(lifter: Lifter, rays: torch.Tensor, confidence: torch.Tensor, detected: float, own_3d: torch.Tensor) -> Lifted:
    """The mean with and without the detector's own 3D, if it has any; of the shapes of `_lift_with`."""
    own = [own_3d, torch.zeros_like(own_3d)] if lifter.config.takes_own_3d and bool(own_3d.any()) else [own_3d]
    lifted = [_lift_with(lifter, rays, confidence, detected, given) for given in own]
    spreads = [each.spread for each in lifted if each.spread is not None]
    return Lifted(torch.stack([each.joints for each in lifted]).mean(0), torch.stack(spreads).mean(0) if spreads else None)


def _lift_with(lifter: Lifter, rays: torch.Tensor, confidence: torch.Tensor, detected: float, own_3d: torch.Tensor) -> Lifted:
    """The mean over token phases and mirror images: rays (1,F,23,2), confidence (1,F,23), own_3d (1,F,17,3) -> (F,17,3) each.

    The joints are in camera axes, the spreads across and along the line of sight.
    """
    frames = rays.shape[1]
    both = with_mirror_image(rays, confidence)
    own_3d = torch.cat([own_3d, mirror_joints(own_3d)])
    encoded, person = encode_keypoints(*both, torch.tensor([detected, detected]).to(rays), own_3d)
    joints, spread = (encoded.new_zeros(2, frames, len(H36M17), 3) for _ in range(2))
    for phase in range(TOKEN_FRAMES):
        padding = -(frames + phase) % TOKEN_FRAMES
        lifted = _lift_in_chunks(lifter, functional.pad(encoded, (0, 0, phase, padding)))
        joints = joints + lifted.joints[:, phase : phase + frames]
        spread = spread + (0 if lifted.spread is None else lifted.spread[:, phase : phase + frames])
    plain, mirror = joints / TOKEN_FRAMES
    # Back to the camera's axes: a row vector times the rotation is the inverse rotation of the vector.
    mean = 0.5 * (plain + mirror_joints(mirror)) @ rotation_to_optical_axis(person.view[0])
    spread = 0.5 * (spread[0] + spread[1][..., H36M17_MIRROR, :]) / TOKEN_FRAMES
    return Lifted(mean, spread if lifter.config.has_spread else None)


def _lift_in_chunks(lifter: Lifter, encoded: torch.Tensor) -> Lifted:
    """The network over a clip of any length in bounded memory, in chunks that overlap by its receptive field."""
    radius, chunk = TOKEN_FRAMES * RECEPTIVE_TOKENS, TOKEN_FRAMES * CHUNK_TOKENS
    joints: list[torch.Tensor] = []
    spreads: list[torch.Tensor] = []
    for start in range(0, encoded.shape[1], chunk):
        first = max(start - radius, 0)
        lifted = lifter(encoded[:, first : start + chunk + radius])
        rows = slice(start - first, start - first + chunk)
        joints.append(lifted.joints[:, rows])
        if lifted.spread is not None:
            spreads.append(lifted.spread[:, rows])
    return Lifted(torch.cat(joints, 1), torch.cat(spreads, 1) if spreads else None)


def load_lifter(device: str = "cpu", weights: str = WEIGHTS_FILE) -> Lifter:
    """The lifter with the weights of a file that ships. Raises ModelError."""
    return network_file.load_network(read_lifter, weights, device)


def read_lifter(path: Path | str) -> Lifter:
    """The lifter with the weights of a file that `scripts/train/lifter.py` wrote. Raises ModelError."""
    weights = network_file.read_weights(path)
    return network_file.load_weights(Lifter(_config_of_weights(weights)), weights, path, "a lifting network")


def _config_of_weights(weights: network_file.Weights) -> LifterConfig:
    """The configuration of a file's weights: older files have neither a detector's own 3D nor a spread."""
    if "out.weight" not in weights or "res1.skip.weight" not in weights:
        return LifterConfig()
    takes_own_3d = weights["res1.skip.weight"].shape[1] == LifterConfig().inputs
    has_spread = any(name.startswith("spread.") for name in weights)
    return LifterConfig(width=weights["out.weight"].shape[1], takes_own_3d=takes_own_3d, has_spread=has_spread)
