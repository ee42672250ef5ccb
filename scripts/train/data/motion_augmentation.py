"""Augmented windows of motion: other proportions and speeds, limbs of other clips, crouching, straighter legs, mirroring, and tumbling.

B windows, F frames, 25 NODES. Positions are metres, y up.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from blender_meshrec.core.array_types import BoolArray, FloatArray, IntArray
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skeletons import mirror_indices
from scripts.train.data.motion_clips import AXES, NODES, Clip, points_from_vectors

_LEGS = {side: [NODES.index(f"{side}_{n}") for n in ("knee", "ankle", "big_toe", "heel")] for side in ("left", "right")}
_ARMS = {side: [NODES.index(f"{side}_{n}") for n in ("elbow", "wrist")] for side in ("left", "right")}
_MIRROR = mirror_indices(NODES)
# Bones that share a length factor; the standard deviation and the mean of its log. A mean other than 0 corrects a bias of the
# recordings' skeletons. Hips and shoulders differ most between performers, because skeletons place those joints differently. Points on
# head and feet share a factor each.
_BONE_SCALES = [
    ([NODES.index(n) for n in names], spread, mean)
    for names, spread, mean in (
        (("left_hip", "right_hip"), 0.14, 0.04), (("left_knee", "right_knee"), 0.08, -0.02), (("left_ankle", "right_ankle"), 0.07, 0),
        (("spine", "thorax"), 0.06, 0), (("left_shoulder", "right_shoulder"), 0.13, 0.05), (("left_elbow", "right_elbow"), 0.07, 0),
        (("left_wrist", "right_wrist"), 0.1, 0), (("nose",), 0.12, 0.02), (("head_top",), 0.14, 0),
        (("left_big_toe", "right_big_toe", "left_heel", "right_heel"), 0.08, 0), (("face", "left_ear", "right_ear", "crown"), 0.08, 0),
    )
]  # fmt: skip

ASYMMETRY_SIGMA = 0.01  # standard deviation of the log lengths of one side
SPEED_RANGE = (0.67, 1.5)
LEG_SWAP_FRACTION, ARM_SWAP_FRACTION = 0.08, 0.15  # of windows whose legs or arms come from another clip
LIMB_TURN_FRACTION, LIMB_TURN_SIGMA = 0.05, 0.3  # fraction of limbs with a large rotation at hip or shoulder; its sigma, rad
POSTURE_SIGMA = 0.08  # rad, of the small rotation of every other limb: people's postures differ
CROUCH_FRACTION, LUNGE_FRACTION = 0.15, 0.3  # of windows that squat, sit or kneel; of those, with independent legs
# Of windows whose legs are made straighter, and by how much at most, rad: the recordings' knees hardly ever bend by less than 15 degrees,
# also where people stand, since their skeletons place the joint in front of the knee. People's do.
STRAIGHTEN_FRACTION, MAX_STRAIGHTENING = 0.7, 0.3
TUMBLE_FRACTION, TUMBLE_SIGMA = 0.06, 1.0  # fraction of windows rotated about any axis; its sigma, rad


class SampledWindows(NamedTuple):
    """Windows of recorded motion: hip (B,F,3), vectors (B,F,25,3), axes (B,F,3,3,3) and valid (B,F)."""

    hip: FloatArray
    vectors: FloatArray
    axes: FloatArray
    valid: BoolArray


class WindowSampler:
    """Draws augmented windows of `frames` frames from clips: `draw(rng, count)`."""

    def __init__(self, clips: Sequence[Clip], frames: int) -> None:
        self.frames = frames
        self.hip = np.concatenate([clip.hip for clip in clips])
        self.vectors = np.concatenate([clip.vectors for clip in clips])
        self.axes = np.concatenate([clip.axes for clip in clips])
        self.valid = np.concatenate([clip.valid for clip in clips])
        lengths = np.array([len(c.hip) for c in clips])
        self.start = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        self.length = lengths
        # Long clips and performers with many clips repeat themselves: their probability grows less than their length.
        performers = np.array([c.subject for c in clips])
        own = np.array([lengths[performers == performer].sum() for performer in performers])
        self.chance = lengths**0.8 * own**-0.3
        self.chance /= self.chance.sum()

    def draw(self, rng: np.random.Generator, count: int) -> tuple[FloatArray, FloatArray, BoolArray]:
        """Points (B,F,25,3) m, axes (B,F,3,3,3) and valid (B,F): frames inside the recording, without its capture errors."""
        slowest, fastest = np.log(SPEED_RANGE)
        speed = np.exp(rng.uniform(slowest, fastest, (count, 1)))
        windows = self._sample(rng, speed)
        legs = self._sample(rng, speed[rng.random(count) < LEG_SWAP_FRACTION])
        arms = self._sample(rng, speed[rng.random(count) < ARM_SWAP_FRACTION])
        chosen = rng.permutation(count)
        _swap_limbs(windows, legs, chosen[: len(legs.hip)], _LEGS, AXES.index("pelvis"))
        chosen = rng.permutation(count)
        _swap_limbs(windows, arms, chosen[: len(arms.hip)], _ARMS, AXES.index("thorax"))
        _rotate_limbs(rng, windows)
        _crouch(rng, windows)
        _straighten_legs(rng, windows.vectors)
        vectors = windows.vectors
        vectors *= draw_bone_scales(rng, count)[:, None, :, None]
        points, axes = points_from_vectors(windows.hip, vectors), windows.axes
        _tumble(rng, points, axes)
        mirror = rng.random(count) < 0.5
        points[mirror], axes[mirror] = mirror_bodies(points[mirror], axes[mirror])
        return points, axes, windows.valid

    def _sample(self, rng: np.random.Generator, speed: FloatArray) -> SampledWindows:
        """Windows at speeds (B,1), interpolated between recorded frames.

        Windows that are longer than their clip hold its first and last frames, which are not valid there.
        """
        count = len(speed)
        clip = rng.choice(len(self.length), count, p=self.chance)[:, None]
        last = self.length[clip] - 1
        span = speed * (self.frames - 1)
        begin = np.where(span < last, rng.random((count, 1)) * (last - span), (last - span) * rng.random((count, 1)))
        position = begin + speed * np.arange(self.frames)
        inside = (position >= 0) & (position <= last)
        position = np.clip(position, 0, last)
        before = np.minimum(position.astype(int), np.maximum(last - 1, 0))
        fraction = (position - before).astype(np.float32)
        before += self.start[clip]
        after = np.minimum(before + 1, len(self.hip) - 1)

        def interpolate(values: FloatArray) -> FloatArray:
            weight = fraction.reshape(*fraction.shape, *(1,) * (values.ndim - 1))
            return values[before] * (1 - weight) + values[after] * weight

        valid = inside & self.valid[before] & self.valid[after]
        return SampledWindows(interpolate(self.hip), interpolate(self.vectors), interpolate(self.axes), valid)


def _swap_limbs(windows: SampledWindows, donors: SampledWindows, rows: IntArray, limbs: dict[str, list[int]], base: int) -> None:
    """Replace limbs of some windows by the donors', with the same rotations relative to the body part `base` of AXES."""
    own_from_donor = windows.axes[rows, :, base] @ np.swapaxes(donors.axes[:, :, base], -1, -2)
    nodes = [node for side in limbs.values() for node in side]
    vectors = np.einsum("bfij,bfnj->bfni", own_from_donor, donors.vectors[:, :, nodes])
    for at, node in enumerate(nodes):
        windows.vectors[rows, :, node] = vectors[:, :, at]
    windows.valid[rows] &= donors.valid


def _rotate_limbs(rng: np.random.Generator, windows: SampledWindows) -> None:
    """Rotate whole limbs at hip and shoulder, by one rotation per window."""
    vectors, count = windows.vectors, len(windows.vectors)
    for limbs, base in ((_LEGS, AXES.index("pelvis")), (_ARMS, AXES.index("thorax"))):
        for side in limbs.values():
            spread = np.where(rng.random((count, 1)) < LIMB_TURN_FRACTION, LIMB_TURN_SIGMA, POSTURE_SIGMA)
            local = rotmat_from_rotvec(spread * rng.normal(size=(count, 3))).astype(np.float32)
            frame = windows.axes[:, :, base]
            rotmats = frame @ local[:, None] @ np.swapaxes(frame, -1, -2)
            vectors[:, :, side] = np.einsum("bfij,bfnj->bfni", rotmats, vectors[:, :, side])


def mirror_bodies(points: FloatArray, axes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Points (B,F,25,3) and axes (B,F,3,3,3) of the mirrored bodies."""
    flip = np.array([-1, 1, 1], np.float32)
    return points[:, :, _MIRROR] * flip, axes * flip[:, None] * flip  # M A M: still a rotation


def _crouch(rng: np.random.Generator, windows: SampledWindows) -> None:
    """Let some windows crouch, constantly or up and down: thighs forward, shins back, torso forward. Recordings contain few crouches."""
    hip, vectors, axes, _ = windows
    count, frames = vectors.shape[:2]
    rows = np.flatnonzero(rng.random(count) < CROUCH_FRACTION)
    period = rng.uniform(30, 150, (len(rows), 1))  # frames
    wave = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(frames) / period + rng.random((len(rows), 1))))
    amount = np.where(rng.random((len(rows), 1)) < 0.3, 1.0, wave)[..., None]  # constant, or up and down
    across = axes[rows, :, AXES.index("pelvis"), :, 0]
    standing = _lower_ankle_height(vectors[rows])
    thigh, lean = rng.uniform(0.1, 2.2, len(rows)), rng.uniform(-0.05, 0.45, len(rows))
    is_lunge = rng.random(len(rows)) < LUNGE_FRACTION

    def rotation_across(angle: FloatArray) -> FloatArray:
        """Rotations (B,F,3,3) about the axis across the pelvis by `amount` of an angle (B,) rad."""
        return rotmat_from_rotvec(angle[:, None, None] * amount * across).astype(np.float32)

    for limb in _LEGS.values():
        own = np.where(is_lunge, rng.uniform(-0.5, 2.0, len(rows)), thigh)
        shin = np.abs(rng.normal(0.3, 0.35, len(rows)))
        for node, angle in ((limb[0], -own), (limb[1], shin)):
            vectors[rows, :, node] = np.einsum("bfij,bfj->bfi", rotation_across(angle), vectors[rows, :, node])
    upper = [node for node in range(len(NODES)) if not any(node in limb for limb in _LEGS.values())]
    torso = rotation_across(lean * thigh)
    vectors[np.ix_(rows, np.arange(frames), np.array(upper))] = np.einsum("bfij,bfnj->bfni", torso, vectors[rows][:, :, upper])
    axes[rows] = torso[:, :, None] @ axes[rows]
    hip[rows, :, 1] += standing - _lower_ankle_height(vectors[rows])


def _straighten_legs(rng: np.random.Generator, vectors: FloatArray) -> None:
    """Turn thighs and shins of some windows (B,F,25,3) towards each other, in place, until the knee is straight; feet stay as turned."""
    rows = np.flatnonzero(rng.random(len(vectors)) < STRAIGHTEN_FRACTION)
    most = rng.uniform(0, MAX_STRAIGHTENING, (len(rows), 1))
    for knee, ankle, *_foot in _LEGS.values():
        thigh, shin = vectors[rows, :, knee], vectors[rows, :, ankle]
        axis = np.cross(thigh, shin)
        sine, cosine = np.linalg.norm(axis, axis=-1), (thigh * shin).sum(-1)
        half = 0.5 * np.minimum(most, np.arctan2(sine, cosine))
        turn = (half / np.maximum(sine, 1e-9))[..., None] * axis
        vectors[rows, :, knee] = (rotmat_from_rotvec(turn) @ thigh[..., None])[..., 0]
        vectors[rows, :, ankle] = (rotmat_from_rotvec(-turn) @ shin[..., None])[..., 0]


def _lower_ankle_height(vectors: FloatArray) -> FloatArray:
    """The height (B,F) m of the lower ankle above the hip."""
    return np.min([vectors[:, :, [NODES.index(f"{side}_hip"), *limb[:2]], 1].sum(2) for side, limb in _LEGS.items()], 0)


def draw_bone_scales(rng: np.random.Generator, count: int) -> FloatArray:
    """Random length factors of the vectors, (B,25)."""
    factors = np.ones((count, len(NODES)), np.float32)
    for nodes, spread, mean in _BONE_SCALES:
        factors[:, nodes] = np.exp(rng.normal(mean, spread, (count, 1)) + rng.normal(0, ASYMMETRY_SIGMA, (count, len(nodes))))
    factors[:, NODES.index("thorax")] = factors[:, NODES.index("spine")]
    return factors


def _tumble(rng: np.random.Generator, points: FloatArray, axes: FloatArray) -> None:
    """Rotate some windows as a whole about the hip, in place, as in cartwheels and on the ground."""
    rows = np.flatnonzero(rng.random(len(points)) < TUMBLE_FRACTION)
    rotmats = rotmat_from_rotvec(rng.normal(0, TUMBLE_SIGMA, (len(rows), 3))).astype(np.float32)
    centre = points[rows][:, :, :1].mean(1, keepdims=True)
    points[rows] = np.einsum("bij,bfnj->bfni", rotmats, points[rows] - centre) + centre
    axes[rows] = rotmats[:, None, None] @ axes[rows]
