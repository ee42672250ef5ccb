"""Contact labels of motion capture, and augmentation of recordings that preserves these labels.

The contact network is trained on them with 2D inputs: the image shows better that a foot comes to rest than a 3D estimate shows its
height.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from blender_meshrec.core.array_types import BoolArray, FloatArray
from blender_meshrec.core.contacts import detect_contacts
from scripts.train.data.motion_augmentation import draw_bone_scales, mirror_bodies
from scripts.train.data.motion_clips import AXES, NODES, Clip, points_from_vectors
from scripts.train.data.recordings import FPS

FEET = [NODES.index(point) for point in ("left_heel", "left_big_toe", "right_heel", "right_big_toe")]
MIRRORED_COLUMNS = [2, 3, 0, 1]
# The ground below a sole point is a low quantile of the point's heights: the offsets of heels and toes in the recordings are unknown.
GROUND_QUANTILE = 0.02
PIECE_FRAMES, MIN_FRAMES = 400, 20  # frames: long recordings are split into pieces of about this length; shorter pieces are left out
SPEED_RANGE = (0.8, 1.25)  # of the motion
FRAME_RATE_RANGE = (22.0, 42.0)  # frames a second, of the camera
OTHER_RATE_FRACTION = 0.5  # of pieces whose frame rate is not 30
LEG_SCALE_SIGMA = 0.07  # standard deviation of the log size of legs
CROUCH_FRACTION = 0.3  # of pieces
CROUCH_DEPTHS = (0.05, 0.5)  # m
MAX_CROUCH_BACK = 0.5  # distance that the hip moves back, over the depth
_LEGS = [NODES.index(f"{side}_{n}") for side in ("left", "right") for n in ("hip", "knee", "ankle", "big_toe", "heel")]


@dataclass(frozen=True)
class Piece:
    """A part of a recording: its Clip, its frames, and the ground heights (4,) m of the sole points in the whole recording."""

    clip: Clip
    frames: slice
    ground: FloatArray


class AugmentedPiece(NamedTuple):
    """An augmented Piece: points (F,25,3) m, axes (F,3,3,3), valid (F,), contacts (F,4) bool, and the time between frames, s."""

    points: FloatArray
    axes: FloatArray
    valid: BoolArray
    contacts: BoolArray
    time_step: float


def align_to_ground(points: FloatArray) -> FloatArray:
    """Points (F,4,3) m, z up, each shifted so that its ground height is z = 0."""
    return points - _ground_heights(points)[:, None] * [0, 0, 1]


def split_into_pieces(clips: Sequence[Clip]) -> list[Piece]:
    """The Pieces of all clips, without pieces shorter than MIN_FRAMES."""
    pieces: list[Piece] = []
    for clip in clips:
        ends = np.linspace(0, len(clip.hip), max(1, round(len(clip.hip) / PIECE_FRAMES)) + 1).astype(int)
        ground = _ground_heights(_soles(clip.points()))
        pieces += [Piece(clip, slice(a, b), ground) for a, b in pairwise(ends) if b - a >= MIN_FRAMES]
    return pieces


def augment_piece(rng: np.random.Generator, piece: Piece) -> AugmentedPiece:
    """A Piece with random speed, frame rate, body size, crouching and mirroring; feet at rest stay at rest."""
    speed = np.exp(rng.uniform(*np.log(SPEED_RANGE)))
    rate = rng.uniform(*FRAME_RATE_RANGE) if rng.random() < OTHER_RATE_FRACTION else FPS
    position = np.arange(0, piece.frames.stop - piece.frames.start - 1, speed * FPS / rate)
    before = position.astype(int)
    fraction = (position - before).astype(np.float32)

    def interpolate(values: FloatArray) -> FloatArray:
        values = values[piece.frames]
        weight = fraction.reshape(-1, *(1,) * (values.ndim - 1))
        return values[before] * (1 - weight) + values[before + 1] * weight

    hip, vectors, axes = (interpolate(values) for values in (piece.clip.hip, piece.clip.vectors, piece.clip.axes))
    valid = piece.clip.valid[piece.frames]
    # Legs and the path of the hip have one common factor, so that feet at rest stay at rest.
    size, factors = np.exp(rng.normal(0, LEG_SCALE_SIGMA)).astype(np.float32), draw_bone_scales(rng, 1)[0]
    factors[_LEGS] = size
    points = points_from_vectors(size * hip, vectors * factors[:, None])
    soles = _soles(points) - (size * piece.ground)[:, None] * [0, 0, 1]
    contacts = detect_contacts(soles, np.arange(len(soles)) / rate) > 0.5
    if rng.random() < CROUCH_FRACTION:
        points = make_crouch(rng, points, axes, rate)
    if rng.random() < 0.5:
        points, axes = (values[0] for values in mirror_bodies(points[None], axes[None]))
        contacts = contacts[:, MIRRORED_COLUMNS]
    return AugmentedPiece(points, axes, valid[before] & valid[before + 1], contacts, 1 / rate)


def make_crouch(rng: np.random.Generator, points: FloatArray, axes: FloatArray, rate: float) -> FloatArray:
    """Points (F,25,3) m of a person who crouches, constantly or up and down, with unchanged feet; recordings contain few crouches.

    rate: frames a second.
    """
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


def _bent_knee(leg: FloatArray, hip: FloatArray, front: FloatArray) -> FloatArray:
    """Two-bone IK: the knee (F,3) m for a new hip (F,3) m and the same ankle, in the same bend direction.

    leg: (F,3,3) m, hip, knee and ankle before. front: (F,3), the bend direction of a straight leg.
    """
    thigh, shin = (np.linalg.norm(leg[:, at + 1] - leg[:, at], axis=-1, keepdims=True) for at in (0, 1))
    axis = leg[:, 2] - hip
    length = np.clip(np.linalg.norm(axis, axis=-1, keepdims=True), 0.05, 0.999 * (thigh + shin))
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    bend = leg[:, 1] - 0.5 * (leg[:, 0] + leg[:, 2]) + 0.1 * front
    bend -= (bend * axis).sum(-1, keepdims=True) * axis
    bend /= np.maximum(np.linalg.norm(bend, axis=-1, keepdims=True), 1e-6)
    along = (thigh**2 - shin**2 + length**2) / (2 * length)
    return hip + along * axis + np.sqrt(np.maximum(thigh**2 - along**2, 0)) * bend


def label_contacts(clip: Clip) -> BoolArray:
    """Contacts of a Clip (F,4) bool: left heel, left toe, right heel, right toe."""
    soles = align_to_ground(_soles(clip.points()))
    return detect_contacts(soles, np.arange(len(soles)) / FPS) > 0.5


def _soles(points: FloatArray) -> FloatArray:
    """Heels and toes (F,4,3) m, z up, from NODES (F,25,3) m, y up."""
    return points[:, FEET].astype(float)[..., [0, 2, 1]] * [1, -1, 1]


def _ground_heights(points: FloatArray) -> FloatArray:
    """The ground height (4,) m below each of points (F,4,3) m, z up."""
    return np.quantile(points[..., 2], GROUND_QUANTILE, axis=0)
