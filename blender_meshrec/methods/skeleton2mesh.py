"""Skeleton2Mesh's lifting network: 2D keypoints of one person to 3D joints, single images and clips.

Paper: Yu et al. 2021, "Skeleton2Mesh: Kinematics Prior Injected Unsupervised Human Mesh Recovery", supplementary figures
1 and 2: five residual blocks, one Res1 and four Res2, each main branch of convolutions with batch normalisation, ReLU and
dropout, each shortcut a convolution over the features together with the 2D input. methods/dik.py turns the joints into rotations.

Deviations, ours:

* Supervised by motion capture projected by random cameras (scripts/train/lifter.py), not adversarially.
* Time: three frames make one token, and one convolution of every Res2 block has kernel 3 over tokens, dilated by 1, 3, 9
  and 1, so that a joint is estimated from 2.9 s of motion. The paper lifts single frames; here one frame is a clip of length 1.
* Width 384 instead of 1024. The paper leaves open Res1's shortcut (here it takes the 2D input) and the rate of dropout
  (here 0: no window of the training motion comes twice).
* Input: coordinates on the image plane of a camera turned towards the person, relative to the torso, in units of the person's
  size; each with its confidence, zero below MIN_CONFIDENCE; the person's position and size. Besides the 17 joints, the ears,
  heels and big toes of detectors that have them: they show the orientation of head and feet.
* A flag tells joints (h36m17) from a detector's keypoints, whose nose is on the face and whose hips are elsewhere.
* Output: joints relative to the hip in the turned camera's axes, in units of the skeleton's bone-length sum. One view does not
  show a person's size: metres come from a stature of 1.70 m.
* A second, small network predicts the ground contacts of heels and toes from the legs' motion in the picture and their lifted
  joints: 2D keypoints show that a foot rests more accurately than lifted joints (scripts/train/contacts.py).
* The paper's single pass becomes six, averaged: three ways to divide the frames into tokens, each also mirrored.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

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
from ..core.skeletons import H36M17, KEYPOINT_SETS, h36m17_weights, mirror_indices, mix_keypoints, to_h36m17
from ..core.time_series import interpolate_over_time

WEIGHTS_FILE, CONTACT_WEIGHTS_FILE = "lifter.safetensors", "contacts.safetensors"
POINTS = (*H36M17, "left_ear", "right_ear", "left_big_toe", "right_big_toe", "left_heel", "right_heel")
# Joints of h36m17 that may be mixed from others. head_top may not: ears carry more information than a head_top mixed from them.
AVERAGED_POINTS = ("hip", "thorax", "spine")

FPS = 30.0  # of the training motion, played at 2/3 to 3/2 of its speed
TOKEN_FRAMES = 3  # frames
RECEPTIVE_TOKENS = 14  # tokens on either side that a token's result depends on
CHUNK_TOKENS = 1024  # tokens lifted at once: bounds the memory for long clips
MIN_CONFIDENCE = 0.3  # confidence from which a keypoint is used
OUTPUT_SCALE = 0.1  # of the bone-length sum: the spread of joints, so that the network's own numbers are near 1
VIEW_WINDOW, SIZE_WINDOW = 5, 81  # frames over which the viewing direction and the size are averaged

# Ours: the motion-capture performers have a mean bone-length sum of 2.32 statures.
STATURE = 1.70  # m
TOTAL_BONE_LENGTH = 2.32 * STATURE

_TORSO = [POINTS.index(p) for p in ("left_shoulder", "right_shoulder", "left_hip", "right_hip")]
_MIRROR: list[int] = mirror_indices(POINTS).tolist()
H36M17_MIRROR = _MIRROR[: len(H36M17)]
# Joints whose distances measure the person's size.
_SIZE_JOINTS = [H36M17.index(p) for p in H36M17 if p not in ("hip", "spine", "thorax", "head_top")]

CONTACT_WIDTH, CONTACT_DILATIONS = 96, (1, 2, 4, 8, 16)
MAX_GAP = 0.25  # s: keypoints this far apart in time are joined by a straight line
CONTACT_WINDOW = 31  # frames for a foot's mean position and the lowest ankle: half a second on either side
_LEG_POINTS = [POINTS.index(f"{side}_{p}") for side in ("left", "right") for p in ("hip", "knee", "ankle", "big_toe", "heel")]
_HIPS, _ANKLES = ([POINTS.index(f"{side}_{p}") for side in ("left", "right")] for p in ("hip", "ankle"))
_LIFTED_LEG_JOINTS = [*(i for i in _LEG_POINTS if i < len(H36M17)), H36M17.index("thorax")]
# Seven numbers for each point of the legs and for the hip, three for each lifted joint, and seven of the whole person.
NUM_CONTACT_FEATURES = 7 * (len(_LEG_POINTS) + 1) + 3 * len(_LIFTED_LEG_JOINTS) + 7


# ---- the networks -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LifterConfig:
    """Sizes of the lifting network; `dilations` gives one Res2 block each."""

    width: int = 384
    dilations: tuple[int, ...] = (1, 3, 9, 1)
    dropout: float = 0.0

    @property
    def inputs(self) -> int:
        """Input channels of a token: three numbers per point and eight of the whole, for each frame."""
        return TOKEN_FRAMES * (3 * len(POINTS) + 8)


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
    """Figure 2, the lifting network.

    Encoded frames (B,F,C), F a multiple of TOKEN_FRAMES, to joints (B,F,17,3) relative to the hip, in units of the bone-length sum.
    """

    def __init__(self, config: LifterConfig | None = None) -> None:
        super().__init__()
        config = config or LifterConfig()
        self.res1 = Res1Block(config)
        self.res2 = nn.ModuleList(Res2Block(config, dilation) for dilation in config.dilations)
        self.out = nn.Conv1d(config.width, TOKEN_FRAMES * len(H36M17) * 3, 1)

    def forward(self, encoded: torch.Tensor) -> torch.Tensor:
        batch, frames, channels = encoded.shape
        points = encoded.reshape(batch, frames // TOKEN_FRAMES, TOKEN_FRAMES * channels).transpose(1, 2)
        features = self.res1(points)
        for block in self.res2:
            features = block(features, points)
        joints = self.out(features).float().transpose(1, 2).reshape(batch, frames, len(H36M17), 3)
        return OUTPUT_SCALE * (joints - joints[:, :, :1])


class ContactNetwork(nn.Module):
    """Ours: frames (B,F,NUM_CONTACT_FEATURES), of `contact_features`, to logits (B,F,2) of contact of left heel and left toe.

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


# ---- the lifter's input -----------------------------------------------------------------------------------------------


@lru_cache
def point_weights(keypoint_set: str) -> FloatArray:
    """Linear map from a keypoint set to POINTS, (23,K); rows of zeros where the set has no such point."""
    names = KEYPOINT_SETS[keypoint_set].index
    weights = np.zeros((len(POINTS), len(names)))
    for row, point in enumerate(POINTS):
        if point in names:
            weights[row, names[point]] = 1
        elif point in AVERAGED_POINTS:
            weights[row] = h36m17_weights(keypoint_set)[H36M17.index(point)]
    return weights


def input_points(keypoints: ArrayLike, keypoint_set: str) -> FloatArray:
    """Keypoints (F,K,3) as POINTS (F,23,3); what the set lacks has confidence 0, a mixture the lowest of its parts."""
    return mix_keypoints(keypoints, point_weights(keypoint_set))


def encode_keypoints(rays: torch.Tensor, confidence: torch.Tensor, detected: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The lifter's input from 2D keypoints.

    Args:
        rays: (B,F,23,2), x/z and y/z of POINTS. confidence: (B,F,23). detected: (B,), 0 for h36m17, 1 for a detector's sets.

    Returns:
        encoded (B,F,C), and view (B,F,2): the optical axis of the turned camera, as a ray.
    """
    usable = (confidence >= MIN_CONFIDENCE).to(rays)
    centre = _torso_centre(rays, usable)
    view = _moving_average(centre, VIEW_WINDOW)
    points = _project(_rotate_rays(rotation_to_optical_axis(view), rays))
    turned_centre = _project(_rotate_rays(rotation_to_optical_axis(view), centre[:, :, None]))
    offset = points - turned_centre
    spread, count = _squared_spread(offset, usable)
    size = (_moving_average(spread, SIZE_WINDOW) / _moving_average(count, SIZE_WINDOW).clamp_min(1e-6)).sqrt().clamp_min(1e-4)
    frame_size = (spread / count.clamp_min(1e-6)).sqrt().clamp_min(1e-4)
    present = (usable.sum(-1, keepdim=True) > 0).to(rays)
    displacement = (centre - _moving_average(centre, SIZE_WINDOW)) / size
    of_whole = [
        view,
        size.log() + 2,
        (frame_size / size).log().clamp(-2, 2),
        displacement.clamp(-5, 5),
        present,
        detected[:, None, None].expand_as(present).to(rays),
    ]
    coordinates = (offset / size[..., None]).clamp(-5, 5) * usable[..., None]
    of_points = torch.cat([coordinates, (confidence * usable)[..., None]], -1).flatten(2)
    # Frames without a single point are all zero, as are those added to fill a token.
    return torch.cat([of_points, *of_whole], -1) * present, view


def _rotate_rays(rotation: torch.Tensor, rays: torch.Tensor) -> torch.Tensor:
    """Rotations (B,F,3,3) applied to rays (B,F,P,2): directions (B,F,P,3)."""
    directions = torch.cat([rays, torch.ones_like(rays[..., :1])], -1)
    return directions @ rotation.transpose(-1, -2)


def _project(directions: torch.Tensor) -> torch.Tensor:
    return directions[..., :2] / directions[..., 2:].clamp_min(0.05)


def _torso_centre(rays: torch.Tensor, usable: torch.Tensor) -> torch.Tensor:
    """The torso's centre (B,F,2): of its usable points, else of any usable point, else of the frames around, else of all frames."""
    weight = 0.02 * usable
    weight[..., _TORSO] = usable[..., _TORSO]
    total = weight.sum(-1, keepdim=True)
    ray = (weight[..., None] * rays).sum(-2)
    total_around, total_of_clip = _moving_average(total, SIZE_WINDOW), total.mean(1, keepdim=True)
    ray = ray + 1e-3 * _moving_average(ray, SIZE_WINDOW) + 1e-6 * ray.mean(1, keepdim=True)
    return ray / (total + 1e-3 * total_around + 1e-6 * total_of_clip).clamp_min(1e-9)


def _squared_spread(offset: torch.Tensor, usable: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Sum of squared distances from the torso's centre over the usable _SIZE_JOINTS, and their number: (B,F,1) each."""
    usable = usable[..., _SIZE_JOINTS]
    return (offset[..., _SIZE_JOINTS, :].square().sum(-1) * usable).sum(-1, keepdim=True), usable.sum(-1, keepdim=True)


def _moving_average(values: torch.Tensor, frames: int) -> torch.Tensor:
    """Running mean of (B,F,C) over an odd number of frames; at the ends over those that exist."""
    return functional.avg_pool1d(values.transpose(1, 2), frames, 1, frames // 2, count_include_pad=False).transpose(1, 2)


def mirror_points(rays: torch.Tensor, confidence: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """POINTS as in a mirror: x negated, left and right exchanged."""
    flip = torch.tensor([-1.0, 1.0]).to(rays)
    return rays[..., _MIRROR, :] * flip, confidence[..., _MIRROR]


def mirror_joints(joints: torch.Tensor) -> torch.Tensor:
    """Joints (...,17,3) in camera axes, as in a mirror."""
    return joints[..., H36M17_MIRROR, :] * torch.tensor([-1.0, 1.0, 1.0]).to(joints)


# ---- the contact network's input; ours --------------------------------------------------------------------------------


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
    total = _moving_average((points * weight).flatten(2), CONTACT_WINDOW)
    mean = total / _moving_average(weight.expand_as(points).flatten(2), CONTACT_WINDOW).clamp_min(1e-6)
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
    limbs = joints[..., _SIZE_JOINTS, :]
    # A point that is nearer than the hip by z appears shifted outwards by z times the hip's ray.
    across = limbs[..., :2] - limbs[..., 2:] * hips
    weight = (usable[..., _SIZE_JOINTS] * usable[..., _HIPS].amin(-1, keepdim=True))[..., None]
    product = ((rays[..., _SIZE_JOINTS, :] - hips) * across * weight).sum((-1, -2))[..., None]
    square = (across.square() * weight).sum((-1, -2))[..., None]
    product, square = (_moving_average(values, SIZE_WINDOW) + 1e-3 * values.mean(1, keepdim=True) for values in (product, square))
    return (product / square.clamp_min(1e-6)).clamp(0.01, 2)


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
    joints, contacts = lift_clip(lifter, rays, points[..., 2], timestamps, detected, device, contact_network)
    confidence = np.clip(to_h36m17(observations.keypoints, observations.keypoint_set)[..., 2], 0, 1)
    visible = observations.visible[:, None]
    joints = joints * TOTAL_BONE_LENGTH * visible[..., None]
    contacts = None if contacts is None else contacts * visible
    return Estimate(joints=joints, confidence=confidence * visible, contacts=contacts, is_temporal=True)


def lift_clip(
    lifter: Lifter,
    rays: FloatArray,
    confidence: FloatArray,
    timestamps: ArrayLike,
    detected: bool,
    device: torch.device | str = "cpu",
    contact_network: ContactNetwork | None = None,
) -> tuple[FloatArray, FloatArray | None]:
    """Lift a clip of any frame rate, and predict its contacts.

    Args:
        rays: (F,23,2), x/z and y/z of POINTS. confidence: (F,23). timestamps: (F,) s. detected: False for h36m17.

    Returns:
        joints (F,17,3) relative to the hip, camera axes, in units of the bone-length sum; and probabilities (F,4) that left heel,
        left toe, right heel and right toe touch the ground, or None without a contact network.
    """
    times, interleave = resample_times(timestamps)
    points, known = _resample(np.concatenate([rays, confidence[..., None]], -1), timestamps, times)
    points[..., 2] *= known[:, None]
    lifted, contacts = np.zeros((len(times), len(H36M17), 3)), np.zeros((len(times), 4))
    step = interleave * (times[1] - times[0]) if len(times) > 1 else 1 / FPS
    for first in range(min(interleave, len(times))):
        part = points[first::interleave]
        joints = _lift_averaged(lifter, *_to_tensors(part, device), float(detected))
        lifted[first::interleave] = joints.double().cpu().numpy()
        if contact_network is not None:
            predicted = _predict_contacts(contact_network, *_to_tensors(fill_gaps(part, step), device), float(detected), joints, step)
            contacts[first::interleave] = predicted.double().cpu().numpy()
    lifted, contacts = (_interpolate(values, times, timestamps) for values in (lifted, contacts))
    return lifted, None if contact_network is None else contacts


def resample_times(timestamps: ArrayLike) -> tuple[FloatArray, int]:
    """The evenly spaced times at which a clip is lifted.

    Args:
        timestamps: (F,) s, rising.

    Returns:
        times (T,) s, which include the timestamps of a constant rate exactly, and the number of interleaved clips that they are
        lifted as: every such clip is near the network's rate. Slower clips get times without frames in between.
    """
    timestamps = np.asarray(timestamps, float)
    if len(timestamps) < 2:
        return timestamps[:1], 1
    step = max(float(np.median(np.diff(timestamps))), 1e-4)
    subdivision = max(1, round(FPS * step))
    interleave = max(1, round(1 / (FPS * step)))
    step /= subdivision
    return timestamps[0] + step * np.arange(round((timestamps[-1] - timestamps[0]) / step) + 1), interleave


def _resample(points: FloatArray, timestamps: ArrayLike, times: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Points (F,P,3) at even times (T,P,3), and which times have any (T,): between frames close in time, or near a frame."""
    timestamps = np.asarray(timestamps, float)
    if len(times) == len(timestamps) and np.allclose(times, timestamps, atol=1e-4):
        return np.array(points), np.ones(len(times), bool)
    after = np.clip(np.searchsorted(timestamps, times), 1, len(timestamps) - 1)
    gap = timestamps[after] - timestamps[after - 1]
    fraction = np.clip((times - timestamps[after - 1]) / np.maximum(gap, 1e-9), 0, 1)
    nearest = np.where(fraction > 0.5, after, after - 1)
    close = gap < 1.5 / FPS
    blended = _blend_points(points[after - 1], points[after], np.where(close, fraction, fraction > 0.5))
    return blended, close | (np.abs(times - timestamps[nearest]) < 0.5 * (times[1] - times[0]))


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
    blended = _blend_points(points[before], points[after], (frames - before) / (after - before))
    inside = (before < frames) & (frames < after) & ((after - before) * time_step <= MAX_GAP)
    return np.where(inside[:, None, None], blended, points)


def _blend_points(before: FloatArray, after: FloatArray, fraction: FloatArray) -> FloatArray:
    """Points (F,P,3) at a fraction (F,) of the way between two. Strictly between, the confidence is the lower of the two.

    Otherwise the zeros of a point that is known on one side only would be mixed in.
    """
    blended = before + fraction[:, None, None] * (after - before)
    inside = (fraction > 1e-6) & (fraction < 1 - 1e-6)
    blended[inside, :, 2] = np.minimum(before[..., 2], after[..., 2])[inside]
    return blended


def _to_tensors(points: FloatArray, device: torch.device | str) -> tuple[torch.Tensor, torch.Tensor]:
    """Rays (1,F,P,2) and confidence (1,F,P) of points (F,P,3)."""
    values = to_tensor(points, device=device)[None]
    return values[..., :2], values[..., 2]


def _interpolate(values: FloatArray, times: FloatArray, wanted: ArrayLike) -> FloatArray:
    """Values (T, ...) at even times, interpolated at `wanted` times (F,); a wanted time next to an even one takes its value."""
    if len(times) == 1:
        return np.repeat(values, np.size(wanted), 0)
    position = (np.asarray(wanted, float) - times[0]) / (times[1] - times[0])
    nearest = np.round(position)
    return interpolate_over_time(np.where(np.abs(position - nearest) < 1e-3, nearest, position), np.arange(len(times), dtype=float), values)


@torch.inference_mode()
def _lift_averaged(lifter: Lifter, rays: torch.Tensor, confidence: torch.Tensor, detected: float) -> torch.Tensor:
    """The mean over token phases and mirror images: rays (1,F,23,2), confidence (1,F,23) -> (F,17,3), camera axes."""
    frames = rays.shape[1]
    both = _with_mirror_image(rays, confidence)
    encoded, view = encode_keypoints(*both, torch.tensor([detected, detected]).to(rays))
    joints = encoded.new_zeros(2, frames, len(H36M17), 3)
    for phase in range(TOKEN_FRAMES):
        padding = -(frames + phase) % TOKEN_FRAMES
        joints = joints + _lift_in_chunks(lifter, functional.pad(encoded, (0, 0, phase, padding)))[:, phase : phase + frames]
    plain, mirror = joints / TOKEN_FRAMES
    # Back to the camera's axes: a row vector times the rotation is the inverse rotation of the vector.
    return 0.5 * (plain + mirror_joints(mirror)) @ rotation_to_optical_axis(view[0])


def _with_mirror_image(rays: torch.Tensor, confidence: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rays (2,F,23,2) and confidence (2,F,23) of one clip and of its mirror image."""
    mirrored_rays, mirrored_confidence = mirror_points(rays, confidence)
    return torch.cat([rays, mirrored_rays]), torch.cat([confidence, mirrored_confidence])


def _lift_in_chunks(lifter: Lifter, encoded: torch.Tensor) -> torch.Tensor:
    """The network over a clip of any length in bounded memory, in chunks that overlap by its receptive field."""
    radius, chunk = TOKEN_FRAMES * RECEPTIVE_TOKENS, TOKEN_FRAMES * CHUNK_TOKENS
    chunks = []
    for start in range(0, encoded.shape[1], chunk):
        first = max(start - radius, 0)
        chunks.append(lifter(encoded[:, first : start + chunk + radius])[:, start - first : start - first + chunk])
    return torch.cat(chunks, 1)


@torch.inference_mode()
def _predict_contacts(
    network: ContactNetwork, rays: torch.Tensor, confidence: torch.Tensor, detected: float, joints: torch.Tensor, time_step: float
) -> torch.Tensor:
    """Probabilities (F,4) that left heel, left toe, right heel and right toe touch the ground.

    Args:
        rays: (1,F,23,2). confidence: (1,F,23). joints: (F,17,3), lifted. time_step: s.
    """
    both = _with_mirror_image(rays, confidence)
    joints = torch.stack([joints, mirror_joints(joints)])
    features = contact_features(*both, joints, torch.tensor([detected, detected]), torch.tensor([time_step, time_step]).to(joints))
    return torch.sigmoid(torch.cat(tuple(network(features)), -1))


def load_lifter(device: str = "cpu", weights: str = WEIGHTS_FILE) -> Lifter:
    """The lifter with the weights of a file that ships. Raises ModelError."""
    return network_file.load_network(read_lifter, weights, device)


def read_lifter(path: Path | str) -> Lifter:
    """The lifter with the weights of a file that `scripts/train/lifter.py` wrote. Raises ModelError."""
    # The file also holds a branch for contacts, which the contact network has replaced.
    weights = {name: value for name, value in network_file.read_weights(path).items() if not name.startswith("touch.")}
    width = weights["out.weight"].shape[1] if "out.weight" in weights else LifterConfig.width
    return network_file.load_weights(Lifter(LifterConfig(width=width)), weights, path, "a lifting network")


def load_contact_network(device: str = "cpu") -> ContactNetwork:
    """The contact network with the weights that ship. Raises ModelError."""
    return network_file.load_network(read_contact_network, CONTACT_WEIGHTS_FILE, device)


def read_contact_network(path: Path | str) -> ContactNetwork:
    """The contact network with the weights of a file that `scripts/train/contacts.py` wrote. Raises ModelError."""
    return network_file.load_weights(ContactNetwork(), network_file.read_weights(path), path, "a contact network")
