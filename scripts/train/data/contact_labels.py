"""When heels and toes touch the ground in motion capture, and recordings varied so that it stays known.

What a network learns from them it can tell from 2D alone: how feet come to rest shows in the picture better than their height
shows in a 3D estimate of it.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from blender_meshrec.core.contacts import detect_contacts
from scripts.train.data.motion_augmentation import draw_bone_scales, mirror_bodies
from scripts.train.data.motion_clips import AXES, NODES, Clip, points_from_vectors
from scripts.train.data.recordings import FPS

FEET = [NODES.index(point) for point in ("left_heel", "left_big_toe", "right_heel", "right_big_toe")]
MIRRORED_COLUMNS = [2, 3, 0, 1]
# Each point's ground is the height it is seldom below: where heels and toes lie in a recording's feet nobody has measured.
GROUND_QUANTILE = 0.02
PIECE_FRAMES, MIN_FRAMES = 400, 20  # frames: long recordings are varied in pieces of about this length; shorter ones tell nothing
SPEED_RANGE, FRAME_RATE_RANGE, OTHER_RATE_SHARE = (
    (0.8, 1.25),
    (22.0, 42.0),
    0.5,
)  # of the motion; of the camera, a second, and how often it is not 30
LEG_SCALE_SIGMA = 0.07  # standard deviation of the log size of legs
CROUCH_SHARE, CROUCH_DEPTHS, MAX_CROUCH_BACK = (
    0.3,
    (0.05, 0.5),
    0.5,
)  # share that crouches on the feet it has, by how much, m, and how far back the hip goes
_LEGS = [NODES.index(f"{side}_{n}") for side in ("left", "right") for n in ("hip", "knee", "ankle", "big_toe", "heel")]


@dataclass(frozen=True)
class Piece:
    """A part of a recording: its Clip, which frames of it, and each sole point's ground (4,) m in the whole of it."""

    clip: Clip
    frames: slice
    ground: np.ndarray


def align_to_ground(points):
    """Points (F,4,3) m, z up, each moved so that it is seldom below z = 0."""
    return points - _ground_heights(points)[:, None] * [0, 0, 1]


def split_into_pieces(clips):
    """The Pieces of all clips that are not too short."""
    pieces = []
    for clip in clips:
        ends = np.linspace(0, len(clip.hip), max(1, round(len(clip.hip) / PIECE_FRAMES)) + 1).astype(int)
        ground = _ground_heights(_soles(clip.points()))
        pieces += [Piece(clip, slice(a, b), ground) for a, b in pairwise(ends) if b - a >= MIN_FRAMES]
    return pieces


def augment_piece(rng, piece):
    """A Piece at another speed, filmed at another rate, by a person of another size, perhaps in a mirror: feet at rest stay at rest.

    Returns:
        points (F,25,3) m, axes (F,3,3,3), valid (F,), contacts (F,4) bool, and the time from frame to frame, s.
    """
    speed = np.exp(rng.uniform(*np.log(SPEED_RANGE)))
    rate = rng.uniform(*FRAME_RATE_RANGE) if rng.random() < OTHER_RATE_SHARE else FPS
    place = np.arange(0, piece.frames.stop - piece.frames.start - 1, speed * FPS / rate)
    before = place.astype(int)
    share = (place - before).astype(np.float32)

    def between(values):
        values = values[piece.frames]
        weight = share.reshape(-1, *(1,) * (values.ndim - 1))
        return values[before] * (1 - weight) + values[before + 1] * weight

    hip, vectors, axes = (between(values) for values in (piece.clip.hip, piece.clip.vectors, piece.clip.axes))
    valid = piece.clip.valid[piece.frames]
    # Only a leg that is enlarged as a whole, together with its way, stands where it stood.
    size, factors = np.exp(rng.normal(0, LEG_SCALE_SIGMA)).astype(np.float32), draw_bone_scales(rng, 1)[0]
    factors[_LEGS] = size
    points = points_from_vectors(size * hip, vectors * factors[:, None])
    soles = _soles(points) - (size * piece.ground)[:, None] * [0, 0, 1]
    contacts = detect_contacts(soles, np.arange(len(soles)) / rate) > 0.5
    if rng.random() < CROUCH_SHARE:
        points = make_crouch(rng, points, axes, rate)
    if rng.random() < 0.5:
        points, axes = (values[0] for values in mirror_bodies(points[None], axes[None]))
        contacts = contacts[:, MIRRORED_COLUMNS]
    return points, axes, valid[before] & valid[before + 1], contacts, 1 / rate


def make_crouch(rng, points, axes, rate):
    """Points (F,25,3) m of somebody who goes down, or up and down, while the feet do what they did; recordings have few of these."""
    period, phase = rng.uniform(1.0, 5.0), rng.random()  # s
    wave = 1.0 if rng.random() < 0.3 else 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(len(points)) / rate / period + phase))
    front = axes[:, AXES.index("pelvis"), :, 2] * [1, 0, 1]
    down = rng.uniform(*CROUCH_DEPTHS) * np.reshape(wave, (-1, 1)) * ([0, -1, 0] - rng.uniform(0, MAX_CROUCH_BACK) * front)
    lowered = points + down[:, None]
    for side in ("left", "right"):
        hip, knee, *foot = (NODES.index(f"{side}_{n}") for n in ("hip", "knee", "ankle", "big_toe", "heel"))
        lowered[:, foot] = points[:, foot]
        lowered[:, knee] = _bent_knee(points[:, [hip, knee, foot[0]]], lowered[:, hip], axes[:, AXES.index("pelvis"), :, 2])
    return lowered.astype(np.float32)


def _bent_knee(leg, hip, front):
    """Where the knee of a leg (F,3,3) m, hip, knee and ankle, is when the hip moves to (F,3) and the ankle stays; it bends as it did."""
    thigh, shin = (np.linalg.norm(leg[:, at + 1] - leg[:, at], axis=-1, keepdims=True) for at in (0, 1))
    way = leg[:, 2] - hip
    length = np.clip(np.linalg.norm(way, axis=-1, keepdims=True), 0.05, 0.999 * (thigh + shin))
    way /= np.linalg.norm(way, axis=-1, keepdims=True)
    aside = leg[:, 1] - 0.5 * (leg[:, 0] + leg[:, 2]) + 0.1 * front
    aside -= (aside * way).sum(-1, keepdims=True) * way
    aside /= np.maximum(np.linalg.norm(aside, axis=-1, keepdims=True), 1e-6)
    along = (thigh**2 - shin**2 + length**2) / (2 * length)
    return hip + along * way + np.sqrt(np.maximum(thigh**2 - along**2, 0)) * aside


def label_contacts(clip):
    """Whether heels and toes of a Clip touch, (F,4) bool, left heel, left toe, right heel, right toe."""
    soles = align_to_ground(_soles(clip.points()))
    return detect_contacts(soles, np.arange(len(soles)) / FPS) > 0.5


def _soles(points):
    """Heels and toes (F,4,3) m, z up, of NODES (F,25,3) m, y up."""
    return points[:, FEET].astype(float)[..., [0, 2, 1]] * [1, -1, 1]


def _ground_heights(points):
    """The height (4,) m that each of points (F,4,3) is seldom below."""
    return np.quantile(points[..., 2], GROUND_QUANTILE, axis=0)
