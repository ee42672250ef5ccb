"""Skeleton2Mesh's lifting network: 2D keypoints of one person to 3D joints, single images and clips.

Paper: Yu et al. 2021, "Skeleton2Mesh: Kinematics Prior Injected Unsupervised Human Mesh Recovery", supplementary figures
1 and 2: five residual blocks, one Res1 and four Res2, each main branch of convolutions with batch normalisation, ReLU and
dropout, each shortcut a convolution over the features together with the 2D input. The joints become rotations in dik.py.

Deviations, ours:

* Supervised by motion capture seen by random cameras (scripts/train/lifter.py), not adversarially.
* Time: three frames make one token, and one convolution of every Res2 block has kernel 3 over tokens, dilated by 1, 3, 9
  and 1, so that a joint is judged from 2.9 s of motion. The paper lifts single frames; here one frame is a clip of length 1.
* Width 384 instead of 1024. The paper leaves open Res1's shortcut (here it takes the 2D input) and the rate of dropout
  (here 0: no window is seen twice).
* Input: coordinates on the image plane of a camera turned towards the person, about the torso, by the person's size; each
  with its confidence, zero where it is unsure; where the person is and how large. Besides the 17 joints, the ears, heels
  and big toes of detectors that have them: they tell which way head and feet point.
* A flag says whether points are joints (h36m17) or a detector's, whose nose is on the face and whose hips lie elsewhere.
* Output: joints about the hip in the turned camera's axes, in units of the skeleton's bone-length sum. One view cannot
  know a person's size: metres come from a stature of 1.70 m.
* A second, small network tells when heels and toes touch the ground from how legs move in the picture and how they are lifted:
  2D points show feet at rest better than lifted feet do (scripts/train/contacts.py).
* The paper's single pass becomes six, averaged: three ways to part the frames into tokens, each also mirrored.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..bodies.alignment import rotation_to_optical_axis
from ..bodies.network_file import load_weights, read_weights
from ..core.cameras import rays_from_pixels
from ..core.files.model_files import model_file
from ..core.records import Estimate
from ..core.skeletons import H36M17, KEYPOINT_SETS, h36m17_weights, mirror_indices, to_h36m17

WEIGHTS_FILE, CONTACT_WEIGHTS_FILE = "lifter.safetensors", "contacts.safetensors"
POINTS = (*H36M17, "left_ear", "right_ear", "left_big_toe", "right_big_toe", "left_heel", "right_heel")
# Joints of h36m17 that may be made of others; head_top may not: ears say more than a guess from them.
AVERAGED_POINTS = ("hip", "thorax", "spine")

FPS = 30.0  # of the training motion, played at 2/3 to 3/2 of its speed
TOKEN_FRAMES = 3  # frames
RECEPTIVE_TOKENS = 14  # tokens on either side that a token's result depends on
CHUNK_TOKENS = 1024  # tokens lifted at once: bounds the memory for long clips
MIN_CONFIDENCE = 0.3  # confidence from which a point counts
OUTPUT_SCALE = 0.1  # of the bone-length sum: how far joints spread, so that the network's own numbers are near 1
VIEW_WINDOW, SIZE_WINDOW = 5, 81  # frames over which the viewing direction and the size are averaged

# Ours: a bone-length sum of 2.32 statures is the mean of the motion-capture performers.
STATURE = 1.70  # m
TOTAL_BONE_LENGTH = 2.32 * STATURE

_TORSO = [POINTS.index(p) for p in ("left_shoulder", "right_shoulder", "left_hip", "right_hip")]
_MIRROR = mirror_indices(POINTS).tolist()
H36M17_MIRROR = _MIRROR[: len(H36M17)]
_SIZE_JOINTS = [H36M17.index(p) for p in H36M17 if p not in ("hip", "spine", "thorax", "head_top")]

CONTACT_WIDTH, CONTACT_DILATIONS = 96, (1, 2, 4, 8, 16)
MAX_GAP = 0.25  # s: 2D points this far apart in time are joined by a straight line
CONTACT_WINDOW = 31  # frames over which a foot's mean place and the lowest ankle are taken: half a second either side
_LEG_POINTS = [POINTS.index(f"{side}_{p}") for side in ("left", "right") for p in ("hip", "knee", "ankle", "big_toe", "heel")]
_HIPS, _ANKLES = ([POINTS.index(f"{side}_{p}") for side in ("left", "right")] for p in ("hip", "ankle"))
_LIFTED_LEG_JOINTS = [*(i for i in _LEG_POINTS if i < len(H36M17)), H36M17.index("thorax")]
# Seven numbers for each point of the legs and for the hip, three for each lifted joint, two ankles, two, one, one, one.
NUM_CONTACT_FEATURES = 7 * (len(_LEG_POINTS) + 1) + 3 * len(_LIFTED_LEG_JOINTS) + 7


# ---- the network ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LifterConfig:
    """Sizes of the lifting network; `dilations` gives one Res2 block each."""

    width: int = 384
    dilations: tuple = (1, 3, 9, 1)
    dropout: float = 0.0

    @property
    def inputs(self):
        """Input channels of a token: three numbers a point and eight of the whole, for each frame."""
        return TOKEN_FRAMES * (3 * len(POINTS) + 8)


def _conv_layer(inputs, width, dropout, kernel=1, dilation=1):
    """Convolution, batch normalisation, ReLU, dropout: the unit that the paper's figure 1 repeats."""
    convolution = nn.Conv1d(inputs, width, kernel, padding=dilation * (kernel // 2), dilation=dilation, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(dropout))


class Res1Block(nn.Module):
    """The paper's Res1: one layer takes in the 2D input, two more make the main branch; the shortcut starts at the input."""

    def __init__(self, config):
        super().__init__()
        self.enter = _conv_layer(config.inputs, config.width, config.dropout)
        self.main = nn.Sequential(*(_conv_layer(config.width, config.width, config.dropout) for _ in range(2)))
        self.skip = nn.Conv1d(config.inputs, config.width, 1)

    def forward(self, points):
        return self.main(self.enter(points)) + self.skip(points)


class Res2Block(nn.Module):
    """The paper's Res2: two layers, and a shortcut over the features together with the 2D input; the first layer sees time."""

    def __init__(self, config, dilation):
        super().__init__()
        first = _conv_layer(config.width, config.width, config.dropout, kernel=3, dilation=dilation)
        self.main = nn.Sequential(first, _conv_layer(config.width, config.width, config.dropout))
        self.skip = nn.Conv1d(config.width + config.inputs, config.width, 1)

    def forward(self, features, points):
        return self.main(features) + self.skip(torch.cat([features, points], 1))


class Lifter(nn.Module):
    """Encoded frames (B,F,C), F a multiple of TOKEN_FRAMES, to joints (B,F,17,3) in units of the bone-length sum, about the hip."""

    def __init__(self, config=None):
        super().__init__()
        config = config or LifterConfig()
        self.res1 = Res1Block(config)
        self.res2 = nn.ModuleList(Res2Block(config, dilation) for dilation in config.dilations)
        self.out = nn.Conv1d(config.width, TOKEN_FRAMES * len(H36M17) * 3, 1)

    def forward(self, encoded):
        batch, frames, channels = encoded.shape
        points = encoded.reshape(batch, frames // TOKEN_FRAMES, TOKEN_FRAMES * channels).transpose(1, 2)
        features = self.res1(points)
        for block in self.res2:
            features = block(features, points)
        joints = self.out(features).float().transpose(1, 2).reshape(batch, frames, len(H36M17), 3)
        return OUTPUT_SCALE * (joints - joints[:, :, :1])


class ContactNetwork(nn.Module):
    """Frames (B,F,NUM_CONTACT_FEATURES), of `contact_features`, to logits (B,F,2): contact of the left heel and of the left toe.

    The right foot is the left one in a mirror.
    """

    def __init__(self):
        super().__init__()
        self.enter = nn.Conv1d(NUM_CONTACT_FEATURES, CONTACT_WIDTH, 3, padding=1)
        blocks = (nn.Conv1d(CONTACT_WIDTH, CONTACT_WIDTH, 3, padding=dilation, dilation=dilation) for dilation in CONTACT_DILATIONS)
        self.blocks = nn.ModuleList(nn.Sequential(nn.ReLU(), block) for block in blocks)
        self.leave = nn.Sequential(nn.ReLU(), nn.Conv1d(CONTACT_WIDTH, 2, 1))

    def forward(self, seen):
        features = self.enter(seen.transpose(1, 2))
        for block in self.blocks:
            features = features + block(features)
        return self.leave(features).transpose(1, 2)


# ---- what it sees -----------------------------------------------------------------------------------------------------


@lru_cache
def point_weights(keypoint_set):
    """Linear map from a keypoint set to POINTS, (23,K); rows of zeros where the set has no such point."""
    names = KEYPOINT_SETS[keypoint_set].index
    weights = np.zeros((len(POINTS), len(names)))
    for row, point in enumerate(POINTS):
        if point in names:
            weights[row, names[point]] = 1
        elif point in AVERAGED_POINTS:
            weights[row] = h36m17_weights(keypoint_set)[H36M17.index(point)]
    return weights


def input_points(keypoints, keypoint_set):
    """Keypoints (F,K,3) as POINTS (F,23,3); what the set lacks has confidence 0, a mixture the least of its parts."""
    weights = point_weights(keypoint_set)
    points = np.einsum("pk,fkc->fpc", weights, np.asarray(keypoints, float))
    for row, used in enumerate(weights != 0):
        points[:, row, 2] = np.asarray(keypoints)[:, used, 2].min(-1) if used.any() else 0
    return points


def encode_keypoints(rays, confidence, detected):
    """What the network sees of 2D points.

    Args:
        rays: (B,F,23,2), x/z and y/z of POINTS. confidence: (B,F,23). detected: (B,), 0 for h36m17, 1 for a detector's sets.

    Returns:
        encoded (B,F,C), and towards (B,F,2): the line of sight that the turned camera looks along.
    """
    seen = (confidence >= MIN_CONFIDENCE).to(rays)
    centre = _torso_centre(rays, seen)
    towards = _moving_average(centre, VIEW_WINDOW)
    points = _project(_rotate_rays(rotation_to_optical_axis(towards), rays))
    middle = _project(_rotate_rays(rotation_to_optical_axis(towards), centre[:, :, None]))
    offset = points - middle
    spread, count = _squared_spread(offset, seen)
    size = (_moving_average(spread, SIZE_WINDOW) / _moving_average(count, SIZE_WINDOW).clamp_min(1e-6)).sqrt().clamp_min(1e-4)
    own_size = (spread / count.clamp_min(1e-6)).sqrt().clamp_min(1e-4)
    present = (seen.sum(-1, keepdim=True) > 0).to(rays)
    moved = (centre - _moving_average(centre, SIZE_WINDOW)) / size
    whole = [
        towards,
        size.log() + 2,
        (own_size / size).log().clamp(-2, 2),
        moved.clamp(-5, 5),
        present,
        detected[:, None, None].expand_as(present).to(rays),
    ]
    coordinates = (offset / size[..., None]).clamp(-5, 5) * seen[..., None]
    each = torch.cat([coordinates, (confidence * seen)[..., None]], -1).flatten(2)
    # Frames without a single point are all zero, as are those added to fill a token.
    return torch.cat([each, *whole], -1) * present, towards


def _rotate_rays(rotation, rays):
    """Rotations (B,F,3,3) applied to rays (B,F,P,2): directions (B,F,P,3)."""
    directions = torch.cat([rays, torch.ones_like(rays[..., :1])], -1)
    return directions @ rotation.transpose(-1, -2)


def _project(directions):
    return directions[..., :2] / directions[..., 2:].clamp_min(0.05)


def _torso_centre(rays, seen):
    """The torso's middle (B,F,2): of its seen points, else of any seen point, else of the frames around, else of all."""
    weight = 0.02 * seen
    weight[..., _TORSO] = seen[..., _TORSO]
    total = weight.sum(-1, keepdim=True)
    ray = (weight[..., None] * rays).sum(-2)
    near, far = _moving_average(total, SIZE_WINDOW), total.mean(1, keepdim=True)
    top = ray + 1e-3 * _moving_average(ray, SIZE_WINDOW) + 1e-6 * ray.mean(1, keepdim=True)
    return top / (total + 1e-3 * near + 1e-6 * far).clamp_min(1e-9)


def _squared_spread(offset, seen):
    """Sum of squared distances from the middle over the sized joints that are seen, and how many: (B,F,1) each."""
    seen = seen[..., _SIZE_JOINTS]
    return (offset[..., _SIZE_JOINTS, :].square().sum(-1) * seen).sum(-1, keepdim=True), seen.sum(-1, keepdim=True)


def _moving_average(values, frames):
    """Running mean of (B,F,C) over an odd number of frames, of what there is at the ends."""
    return functional.avg_pool1d(values.transpose(1, 2), frames, 1, frames // 2, count_include_pad=False).transpose(1, 2)


def mirror_points(rays, confidence):
    """POINTS as seen in a mirror: x turned round, left and right exchanged."""
    flip = torch.tensor([-1.0, 1.0]).to(rays)
    return rays[..., _MIRROR, :] * flip, confidence[..., _MIRROR]


def mirror_joints(joints):
    """Joints (...,17,3) in camera axes, as a mirror shows them."""
    return joints[..., H36M17_MIRROR, :] * torch.tensor([-1.0, 1.0, 1.0]).to(joints)


def contact_features(rays, confidence, joints, detected, time_step):
    """What the network for contacts sees of 2D points and of the joints they were lifted to.

    Args:
        rays: (B,F,23,2), x/z and y/z of POINTS. confidence: (B,F,23). joints: (B,F,17,3) about the hip, camera axes, in units
            of the bone-length sum. detected: (B,), 0 for h36m17, 1 for a detector's sets. time_step: (B,) s from frame to frame.

    Returns:
        (B,F,NUM_CONTACT_FEATURES): for each point of the legs how it moves to the next frame, how far it is from where it is on average and
        from the hip, in metres of a person of 1.70 m, and its confidence; how high the ankles are above the lowest in the
        picture; the lifted legs and thorax; of the whole: the hip's line of sight, how the hip moves, how large the person is.
    """
    rays, confidence, joints = rays.float(), confidence.float(), TOTAL_BONE_LENGTH * joints.float()
    sure = (confidence >= MIN_CONFIDENCE).to(rays)
    size = _rays_per_metre(rays, sure, joints)[..., None]
    points = torch.cat([rays[..., _LEG_POINTS, :], rays[..., _HIPS, :].mean(-2, keepdim=True)], -2)
    weight = torch.cat([sure[..., _LEG_POINTS], sure[..., _HIPS].amin(-1, keepdim=True)], -1)[..., None]
    frames, hip = rays.shape[1], points[..., -1:, :]
    both = weight[:, 1:] * weight[:, :-1]
    velocity = functional.pad((points[:, 1:] - points[:, :-1]) / size[:, 1:] * both, (0, 0, 0, 0, 0, 1)) / time_step[:, None, None, None]
    mean = _moving_average((points * weight).flatten(2), CONTACT_WINDOW) / _moving_average(
        weight.expand_as(points).flatten(2), CONTACT_WINDOW
    ).clamp_min(1e-6)
    moved = (points - mean.unflatten(2, (-1, 2))) / size * weight
    hung = (points - hip) / size * weight * weight[..., -1:, :]
    ankles, seen = rays[..., _ANKLES, 1], sure[..., _ANKLES]
    lowest = torch.where(seen > 0, ankles, -100.0).amax(-1)
    lowest = functional.max_pool1d(lowest[:, None], CONTACT_WINDOW, 1, CONTACT_WINDOW // 2)[:, 0, :, None]
    raised = ((lowest - ankles) / size[..., 0]).clamp(0, 1) * seen
    of_points = [(velocity / 0.5).clamp(-8, 8), (10 * moved).clamp(-5, 5), hung.clamp(-3, 3), weight]
    whole = [5 * raised, joints[..., _LIFTED_LEG_JOINTS, :].flatten(2), hip[..., 0, :], size[..., 0].log(), weight[..., -1, :]]
    constant = detected.to(rays)[:, None, None].expand(-1, frames, 1)
    return torch.cat([torch.cat(of_points, -1).flatten(2), *whole, constant], -1)


def _rays_per_metre(rays, sure, joints):
    """By how much rays (B,F,23,2) differ over a metre at the person's distance, (B,F,1): of many frames, as joints (B,F,17,3) m fit."""
    hips = rays[..., _HIPS, :].mean(-2, keepdim=True)
    limbs = joints[..., _SIZE_JOINTS, :]
    # A point that is nearer than the hip by z lies that much of a metre farther out.
    across = limbs[..., :2] - limbs[..., 2:] * hips
    weight = (sure[..., _SIZE_JOINTS] * sure[..., _HIPS].amin(-1, keepdim=True))[..., None]
    product = ((rays[..., _SIZE_JOINTS, :] - hips) * across * weight).sum((-1, -2))[..., None]
    square = (across.square() * weight).sum((-1, -2))[..., None]
    product, square = (_moving_average(values, SIZE_WINDOW) + 1e-3 * values.mean(1, keepdim=True) for values in (product, square))
    return (product / square.clamp_min(1e-6)).clamp(0.01, 2)


# ---- inference --------------------------------------------------------------------------------------------------------


def estimate(observations, intrinsics, timestamps, device, weights=WEIGHTS_FILE):
    """Lift one person's 2D keypoints to 3D joints.

    Args:
        observations: one person of F frames, any keypoint set. intrinsics: (3,3) px. timestamps: (F,) s. device: torch's.
        weights: the file of a lifter that something else has tuned.

    Returns:
        an Estimate: h36m17 joints about the hip, camera axes, metres of a person of 1.70 m, and contacts. Rows without the
        person hold zeros and confidence 0.

    Raises:
        ModelError: the weights are missing or damaged.
    """
    points = input_points(observations.keypoints, observations.keypoint_set)
    points[..., 2] *= observations.visible[:, None]
    rays = rays_from_pixels(points[..., :2], intrinsics)
    detected = observations.keypoint_set != "h36m17"
    networks = load_lifter(str(device), weights), load_contact_network(str(device))
    joints, contacts = lift_clip(networks[0], rays, points[..., 2], timestamps, detected, device, networks[1])
    confidence = np.clip(to_h36m17(observations.keypoints, observations.keypoint_set)[..., 2], 0, 1)
    seen = observations.visible[:, None]
    joints = joints * TOTAL_BONE_LENGTH * seen[..., None]
    return Estimate(joints=joints, confidence=confidence * seen, contacts=contacts * seen, is_temporal=True)


def lift_clip(lifter, rays, confidence, timestamps, detected, device="cpu", contact_network=None):
    """Lift a clip at any frame rate, and tell contacts of it.

    Args:
        rays: (F,23,2), x/z and y/z of POINTS. confidence: (F,23). timestamps: (F,) s. detected: False for h36m17.

    Returns:
        joints (F,17,3) about the hip, camera axes, in units of the bone-length sum; and how surely left heel, left toe, right
        heel and right toe touch the ground, (F,4) 0..1, or None without a network that tells.
    """
    times, ways = resample_times(timestamps)
    slots, known = _resample(np.concatenate([rays, confidence[..., None]], -1), timestamps, times)
    slots[..., 2] *= known[:, None]
    lifted, contacts = np.zeros((len(times), len(H36M17), 3)), np.zeros((len(times), 4))
    step = ways * (times[1] - times[0]) if len(times) > 1 else 1 / FPS
    for way in range(min(ways, len(times))):
        part = slots[way::ways]
        joints = _lift_averaged(lifter, *_slot_tensors(part, device), float(detected))
        lifted[way::ways] = joints.double().cpu().numpy()
        if contact_network is not None:
            told = _predict_contacts(contact_network, *_slot_tensors(fill_gaps(part, step), device), float(detected), joints, step)
            contacts[way::ways] = told.double().cpu().numpy()
    return _interpolate(lifted, times, timestamps), None if contact_network is None else _interpolate(contacts, times, timestamps)


def fill_gaps(slots, time_step):
    """Slots (F,P,3), `time_step` s apart, with those that hold no point filled between neighbours at most MAX_GAP s apart.

    How feet move from slot to slot is what tells contacts: without it those of slow clips are guesses.
    """
    known = np.flatnonzero((slots[..., 2] > 0).any(1))
    if len(known) < 2:
        return slots
    place = np.arange(len(slots))
    after = np.clip(np.searchsorted(known, place), 1, len(known) - 1)
    one, other = known[after - 1], known[after]
    share = ((place - one) / (other - one))[:, None, None]
    mixed = slots[one] * (1 - share) + slots[other] * share
    mixed[..., 2] = np.minimum(slots[one, :, 2], slots[other, :, 2])
    inside = (one < place) & (place < other) & ((other - one) * time_step <= MAX_GAP)
    return np.where(inside[:, None, None], mixed, slots)


def _slot_tensors(slots, device):
    """Rays (1,F,P,2) and confidence (1,F,P) of slots (F,P,3)."""
    values = torch.as_tensor(slots, dtype=torch.float32, device=device)[None]
    return values[..., :2], values[..., 2]


def resample_times(timestamps):
    """The even times that a clip is lifted at.

    Args:
        timestamps: (F,) s, rising.

    Returns:
        times (T,) s, which meet the timestamps of a constant rate exactly, and ways: every ways-th of them is near the
        network's rate, so that faster clips are lifted as that many interleaved ones. Slower clips have empty times between.
    """
    timestamps = np.asarray(timestamps, float)
    if len(timestamps) < 2:
        return timestamps[:1], 1
    step = max(float(np.median(np.diff(timestamps))), 1e-4)
    between = max(1, round(FPS * step))
    ways = max(1, round(1 / (FPS * step)))
    step /= between
    return timestamps[0] + step * np.arange(round((timestamps[-1] - timestamps[0]) / step) + 1), ways


def _resample(values, timestamps, times):
    """Values (F,P,3) at even times (T,P,3), and which times have any (T,): between neighbours close in time, or at a frame."""
    if len(times) == len(timestamps) and np.allclose(times, timestamps, atol=1e-4):
        return np.array(values), np.ones(len(times), bool)
    timestamps = np.asarray(timestamps, float)
    after = np.clip(np.searchsorted(timestamps, times), 1, len(timestamps) - 1)
    gap = timestamps[after] - timestamps[after - 1]
    share = np.clip((times - timestamps[after - 1]) / np.maximum(gap, 1e-9), 0, 1)
    nearest = np.where(share > 0.5, after, after - 1)
    close = gap < 1.5 / FPS
    share = np.where(close, share, share > 0.5)
    mixed = values[after - 1] + share[:, None, None] * (values[after] - values[after - 1])
    # A mixture is as sure as its surer half is unsure: a point known at one end only would pull the other's zero in.
    inside = close & (share > 1e-6) & (share < 1 - 1e-6)
    mixed[inside, :, 2] = np.minimum(values[after - 1, :, 2], values[after, :, 2])[inside]
    return mixed, close | (np.abs(times - timestamps[nearest]) < 0.5 * (times[1] - times[0]))


def _interpolate(values, times, wanted):
    """Values (T, ...) at even times, taken linearly at wanted times (F,)."""
    if len(times) == 1:
        return np.repeat(values, len(wanted), 0)
    place = np.clip((np.asarray(wanted, float) - times[0]) / (times[1] - times[0]), 0, len(times) - 1)
    place = np.where(np.abs(place - np.round(place)) < 1e-3, np.round(place), place)
    before = np.minimum(place.astype(int), len(times) - 2)
    share = (place - before).reshape(-1, *(1,) * (values.ndim - 1))
    return values[before] * (1 - share) + values[before + 1] * share


@torch.inference_mode()
def _lift_averaged(lifter, rays, confidence, detected):
    """The mean over token phases and mirror images: rays (1,F,23,2), confidence (1,F,23) -> (F,17,3), camera axes."""
    frames = rays.shape[1]
    detected = torch.tensor([detected, detected]).to(rays)
    both = [torch.cat(pair) for pair in zip((rays, confidence), mirror_points(rays, confidence))]
    encoded, towards = encode_keypoints(*both, detected)
    joints = 0
    for phase in range(TOKEN_FRAMES):
        behind = -(frames + phase) % TOKEN_FRAMES
        joints = joints + _lift_in_chunks(lifter, functional.pad(encoded, (0, 0, phase, behind)))[:, phase : phase + frames]
    plain, mirror = joints / TOKEN_FRAMES
    # Back from the turned camera: row vectors times the rotation are its inverse applied.
    return 0.5 * (plain + mirror_joints(mirror)) @ rotation_to_optical_axis(towards[0])


def _lift_in_chunks(lifter, encoded):
    """The network over a clip of any length, in chunks that overlap by its reach: the same as at once, in bounded memory."""
    reach, chunk = TOKEN_FRAMES * RECEPTIVE_TOKENS, TOKEN_FRAMES * CHUNK_TOKENS
    parts = []
    for start in range(0, encoded.shape[1], chunk):
        first = max(start - reach, 0)
        parts.append(lifter(encoded[:, first : start + chunk + reach])[:, start - first : start - first + chunk])
    return torch.cat(parts, 1)


@torch.inference_mode()
def _predict_contacts(network, rays, confidence, detected, joints, time_step):
    """How surely left heel, left toe, right heel and right toe touch, (F,4) 0..1, of rays (1,F,23,2), confidence (1,F,23) and
    lifted joints (F,17,3)."""
    both = [torch.cat(pair) for pair in zip((rays, confidence), mirror_points(rays, confidence))]
    joints = torch.stack([joints, mirror_joints(joints)])
    seen = contact_features(*both, joints, torch.tensor([detected, detected]), torch.tensor([time_step, time_step]).to(joints))
    return torch.sigmoid(torch.cat(tuple(network(seen)), -1))


@lru_cache(maxsize=4)
def load_lifter(device="cpu", weights=WEIGHTS_FILE):
    """The trained network, in evaluation mode; of the add-on's file `weights`.

    Raises:
        ModelError: the weights are missing, damaged or of another network.
    """
    return read_lifter(model_file(weights)).to(device)


def read_lifter(path):
    """A network from a safetensors file that `scripts/train/lifter.py` wrote. Raises ModelError."""
    # The file holds a branch for contacts, too, that the network for contacts has replaced.
    weights = {name: value for name, value in read_weights(path).items() if not name.startswith("touch.")}
    width = weights["out.weight"].shape[1] if "out.weight" in weights else LifterConfig.width
    return load_weights(Lifter(LifterConfig(width=width)), weights, path, "a lifting network")


@lru_cache(maxsize=2)
def load_contact_network(device="cpu"):
    """The trained network that tells contacts, in evaluation mode.

    Raises:
        ModelError: the weights are missing, damaged or of another network.
    """
    return read_contact_network(model_file(CONTACT_WEIGHTS_FILE)).to(device)


def read_contact_network(path):
    """A network from a safetensors file that `scripts/train/contacts.py` wrote. Raises ModelError."""
    return load_weights(ContactNetwork(), read_weights(path), path, "a contact network")
