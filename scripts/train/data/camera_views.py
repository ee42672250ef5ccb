"""Simulated views of moving bodies: random cameras, and 2D points with the errors of a detector.

B windows, F frames, P points. Rays are x/z and y/z in camera axes (OpenCV).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from blender_meshrec.core.array_types import ArrayLike, BoolArray, FloatArray, IntArray
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skeletons import H36M17, H36M17_PARENTS
from blender_meshrec.methods.lifter.lifter_input import POINTS
from scripts.train.data.motion_clips import AXES, NODES, Clip

STATURE = 1.7  # m, the height of a person that sizes in the image refer to
_Y_DOWN = np.diag([1.0, -1.0, -1.0])

# Keypoint sets: the probability of each, and the POINTS that it does not have.
DETECTOR_SETS = {
    "h36m17": (0.3, ("left_ear", "right_ear", "left_big_toe", "right_big_toe", "left_heel", "right_heel")),
    "coco17": (0.15, ("head_top", "left_big_toe", "right_big_toe", "left_heel", "right_heel")),
    "halpe26": (0.15, ()),
    "openpose25": (0.15, ("head_top",)),
    "blazepose33": (0.25, ("head_top",)),
}
SET_NAMES = tuple(DETECTOR_SETS)
_MISSING_POINTS = np.array([[point in missing for point in POINTS] for _probability, missing in DETECTOR_SETS.values()])
_SET_PROBABILITIES = np.array([probability for probability, _missing in DETECTOR_SETS.values()])

# Factors of a detector's noise at each point, by the last word of the point's name.
_NOISE_FACTOR_BY_WORD = {"wrist": 1.6, "ankle": 1.6, "toe": 1.5, "heel": 1.5, "elbow": 1.2, "knee": 1.2, "hip": 1.2}
_NOISE_FACTORS = np.array([_NOISE_FACTOR_BY_WORD.get(point.split("_")[-1], 1.0) for point in POINTS])
_LEG_POINTS = ("knee", "ankle", "big_toe", "heel")


def _point_indices(side: str, names: Sequence[str]) -> list[int]:
    return [POINTS.index(f"{side}_{name}") for name in names]


_LIMBS = [_point_indices(side, names) for side in ("left", "right") for names in (("elbow", "wrist"), _LEG_POINTS)]
_SIDES = {
    kind: (_point_indices("left", names), _point_indices("right", names))
    for kind, names in {"arms": ("shoulder", "elbow", "wrist"), "legs": ("hip", *_LEG_POINTS), "face": ("ear",)}.items()
}
_HIPS, _SHOULDERS = ([POINTS.index(f"{side}_{name}") for side in ("left", "right")] for name in ("hip", "shoulder"))
_TORSO_POINTS = {"hip": _HIPS, "thorax": _SHOULDERS, "spine": _HIPS + _SHOULDERS}


@dataclass(frozen=True)
class Views:
    """Filmed windows.

    rays (B,F,23,2) and confidence (B,F,23) of POINTS; the rays are those of the intrinsics that the user assumes. detected: (B,) bool,
    whether the points are those of a detector, not joints. joints: (B,F,17,3) relative to the hip in true camera axes, in units of the
    bone-length sum. zoom: (B,), true over assumed focal length. valid: (B,F). The cameras: focal (B,) in image diagonals; rotmats (B,F,3,3)
    and transl (B,F,3) m, the transform to camera axes. own_3d: (B,F,17,3) m, a real detector's own joints relative to the hip, z along the
    line of sight, zero where it has none; or None. joint_rays: (B,F,17,2), where the joints are in the picture, as rays, or None.
    """

    rays: FloatArray
    confidence: FloatArray
    detected: BoolArray
    joints: FloatArray
    zoom: FloatArray
    valid: BoolArray
    focal: FloatArray
    rotmats: FloatArray
    transl: FloatArray
    own_3d: FloatArray | None = None
    joint_rays: FloatArray | None = None


class Cameras(NamedTuple):
    """Rotations (B,F,3,3) and translations (B,F,3) m to camera axes; focal lengths (B,), in image diagonals; zoom (B,)."""

    rotmats: FloatArray
    transl: FloatArray
    focal: FloatArray
    zoom: FloatArray


def film_bodies(
    rng: np.random.Generator,
    points: FloatArray,
    axes: FloatArray,
    valid: BoolArray,
    sets: ArrayLike | None = None,
    noisy: bool = True,
    lossy: bool = True,
    static: bool = False,
    cameras: Cameras | None = None,
) -> Views:
    """Film bodies (B,F,25,3) m, y up, with AXES (B,F,3,3,3), each by its own random camera, or by the given one.

    sets: (B,) indices of DETECTOR_SETS, drawn if None. noisy: with detection errors; lossy: and with missing points and frames.
    static: cameras do not move.
    """
    count = len(points)
    sets = rng.choice(len(DETECTOR_SETS), count, p=_SET_PROBABILITIES) if sets is None else np.asarray(sets)
    detected = np.array([SET_NAMES[s] != "h36m17" for s in sets])
    cameras = cameras or draw_cameras(rng, points, static)
    camera_points = np.einsum("bfij,bfnj->bfni", cameras.rotmats, points) + cameras.transl[:, :, None]
    camera_axes = np.einsum("bfij,bfajk->bfaik", cameras.rotmats, axes)
    joints = camera_points[:, :, : len(H36M17)] - camera_points[:, :, :1]
    bones = joints[:, :, 1:] - joints[:, :, H36M17_PARENTS[1:]]
    bone_sum = np.linalg.norm(bones, axis=-1).sum(-1).mean(1)
    detector_points = _detector_points(rng, camera_points, camera_axes, detected, noisy)
    rays = detector_points[..., :2] / detector_points[..., 2:]
    confidence = np.where(_MISSING_POINTS[sets][:, None], 0.0, 1.0) * valid[..., None]
    if noisy:
        rays, confidence = _add_detection_errors(rng, rays, confidence, detector_points[..., 2])
        if lossy:
            drop_points(rng, confidence)
    _average_torso_points(rays, confidence, np.flatnonzero(detected))
    rays, joints = rays * cameras.zoom[:, None, None, None], joints / bone_sum[:, None, None, None]
    rays, confidence, joints, zoom = (np.asarray(values, np.float32) for values in (rays, confidence, joints, cameras.zoom))
    return Views(rays, confidence, detected, joints, zoom, valid, cameras.focal, cameras.rotmats, cameras.transl)


def film_clip(rng: np.random.Generator, clip: Clip, keypoint_set: str, cameras: int = 1, noisy: bool = True) -> Views:
    """Film a whole clip by static cameras, for evaluation: no frames or points are missing, and every camera is a window."""
    points, axes = (np.repeat(array[None], cameras, 0) for array in (clip.points(), clip.axes))
    valid = np.repeat(clip.valid[None], cameras, 0)
    sets = [SET_NAMES.index(keypoint_set)] * cameras
    return film_bodies(rng, points, axes, valid, sets=sets, noisy=noisy, lossy=False, static=True)


def draw_cameras(rng: np.random.Generator, points: FloatArray, static: bool) -> Cameras:
    """Random cameras for bodies (B,F,25,3) m, y up."""
    count, frames = points.shape[:2]
    focal = np.exp(rng.uniform(np.log(0.6), np.log(2.2), count))  # in image diagonals
    zoom = draw_zoom(rng, focal)
    half = 0.5 * np.where(rng.random((count, 1)) < 0.65, [[0.87, 0.49]], [[0.49, 0.87]]) / focal[:, None]  # half image size, as rays
    fill = np.exp(rng.uniform(np.log(0.18), np.log(1.1), count))  # height of the person over the height of the image
    distance = np.clip(STATURE / (2 * half[:, 1] * fill), 1.5, 25)
    steep = np.where(rng.random(count) < 0.77, rng.uniform(-0.4, 0.8, count), rng.uniform(-0.6, 1.4, count))
    pitch = np.where(rng.random(count) < 0.7, rng.normal(0.08, 0.12, count), steep)
    aim = rng.uniform(-1, 1, (count, 2)) * np.maximum(half - 0.3 / distance[:, None], 0.15 * half)
    roll, yaw = rng.normal(0, 0.06, count), rng.uniform(-np.pi, np.pi, count)
    zero = np.zeros(count)
    fixed_rotmats = (
        rotmat_from_rotvec(np.stack([zero, zero, roll], -1))
        @ rotmat_from_rotvec(np.stack([pitch, zero, zero], -1))  # a positive pitch looks down
        @ _Y_DOWN
        @ rotmat_from_rotvec(np.stack([zero, yaw, zero], -1))
    )
    middle = points[:, :, 0].mean(1)
    transl = np.concatenate([aim, np.ones((count, 1))], -1) * distance[:, None] - np.einsum("bij,bj->bi", fixed_rotmats, middle)
    rotmats, transl = np.repeat(fixed_rotmats[:, None], frames, 1), np.repeat(transl[:, None], frames, 1)
    if not static:
        _move_cameras(rng, points, middle, rotmats, transl)
    # Move the camera back until the hip is in the image in every frame and no point is closer than 0.8 m.
    hip = np.einsum("bfij,bfj->bfi", rotmats, points[:, :, 0]) + transl
    too_far_aside = (np.abs(hip[..., :2]) / half[:, None] - hip[..., 2:]).max((1, 2))
    too_close = 0.8 - np.einsum("bfj,bfnj->bfn", rotmats[:, :, 2], points).min(2).min(1) - transl[..., 2].min(1)
    transl[..., 2] += np.maximum(np.maximum(too_far_aside, too_close), 0)[:, None]
    return Cameras(rotmats.astype(np.float32), transl.astype(np.float32), focal, zoom)


def draw_zoom(rng: np.random.Generator, focal: FloatArray) -> FloatArray:
    """True over assumed focal lengths (B,) of cameras with focal lengths (B,) in image diagonals.

    Half of the users give approximate intrinsics; for the others the focal length is the image diagonal (core/cameras.py).
    """
    return np.where(rng.random(len(focal)) < 0.5, focal, np.exp(rng.normal(0, 0.05, len(focal))))


def _move_cameras(rng: np.random.Generator, points: FloatArray, middle: FloatArray, rotmats: FloatArray, transl: FloatArray) -> None:
    """Add motion to some cameras, in place: some pan with shake, some travel with the person. middle: (B,3) m, mean of the hip's path."""
    count, frames = points.shape[:2]
    travel = np.where(rng.random(count) < 0.12, rng.random(count), 0)[:, None, None]
    transl -= np.einsum("bfij,bfj->bfi", rotmats, travel * (points[:, :, 0] - middle[:, None]) * [1, 0, 1])
    rows = np.flatnonzero(rng.random(count) < 0.2)
    moment = np.linspace(-1, 1, frames)[:, None]
    shake, phase = rng.normal(0, 0.03, (len(rows), 1, 3)), 6 * rng.random((len(rows), 1, 1))
    pan = rng.normal(0, 0.1, (len(rows), 1, 3)) * moment + shake * np.sin(3 * moment + phase)
    pan = rotmat_from_rotvec(pan * [1, 1, 0.2])
    rotmats[rows] = pan @ rotmats[rows]
    transl[rows] = np.einsum("bfij,bfj->bfi", pan, transl[rows])


def _detector_points(rng: np.random.Generator, points: FloatArray, axes: FloatArray, detected: BoolArray, noisy: bool) -> FloatArray:
    """POINTS (B,F,23,3) m in camera axes as a detector locates them: offset from the joints, by a constant offset per window.

    Args:
        points: NODES (B,F,25,3) m and axes: AXES (B,F,3,3,3), in camera axes. detected: (B,), windows of detectors. noisy: random offsets.
    """
    count = len(points)
    node = {name: points[:, :, NODES.index(name)] for name in NODES}
    located = np.stack([node[name] for name in POINTS], 2)

    def offset_point(rows: IntArray, name: str, base: str, frame: str, mean: ArrayLike, sigma: ArrayLike) -> FloatArray:
        """Place a point of some windows at an offset from a node, in axes of the body; returns the offsets (R,3) m."""
        if noisy:
            offset = rng.normal(np.asarray(mean, float), np.asarray(sigma, float), (len(rows), 3))
        else:
            offset = np.tile(np.asarray(mean, float), (len(rows), 1))
        located[rows, :, POINTS.index(name)] = node[base][rows] + np.einsum("bfij,bj->bfi", axes[rows][:, :, AXES.index(frame)], offset)
        return offset

    rows = np.flatnonzero(detected)
    for kind, frame, mean, sigma in (
        ("hip", "pelvis", (0.02, 0.02, 0.0), (0.025, 0.03, 0.015)),
        ("shoulder", "thorax", (0.015, 0.0, 0.0), (0.025, 0.025, 0.015)),
    ):
        offset = offset_point(rows, f"left_{kind}", f"left_{kind}", frame, mean, sigma) * [-1, 1, 1]
        offset_point(rows, f"right_{kind}", f"right_{kind}", frame, offset, 0.007)
    for name, base in (("left_ear", "left_ear"), ("right_ear", "right_ear"), ("head_top", "crown")):
        offset_point(rows, name, base, "head", (0, 0, 0), 0.015)
    # In h36m17 files "nose" is the nose, or motion capture's head joint.
    offset_point(np.flatnonzero(detected | (noisy & (rng.random(count) < 0.4))), "nose", "face", "head", (0, 0, 0), 0.02)
    if noisy:
        rest = [POINTS.index(p) for p in POINTS if p.split("_")[-1] in ("knee", "ankle", "elbow", "wrist", "toe", "heel")]
        offset = rng.normal(0, 0.014, (count, 1, len(rest), 3)) * np.where(detected | (rng.random(count) < 0.3), 1, 0)[:, None, None, None]
        located[:, :, rest] += offset
    return located


def _average_torso_points(rays: FloatArray, confidence: FloatArray, rows: IntArray) -> None:
    """Set hip, thorax and spine of some windows to the means of their points, with the smallest of their confidences."""
    for name, used in _TORSO_POINTS.items():
        rays[rows, :, POINTS.index(name)] = rays[rows][:, :, used].mean(2)
        confidence[rows, :, POINTS.index(name)] = confidence[rows][:, :, used].min(2)


def _add_detection_errors(
    rng: np.random.Generator, rays: FloatArray, confidence: FloatArray, depth: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Rays (B,F,P,2) and confidence (B,F,P) with a detector's errors: noise, outliers and swapped sides; depth: (B,F,P) m."""
    count, frames, _points = confidence.shape
    height = STATURE / np.maximum(depth, 0.3)  # height of a person at each point's depth, as rays
    clean = rng.random(count) < 0.2
    level = np.where(clean, 0, rng.uniform(0, 0.022, count))[:, None, None] * _NOISE_FACTORS
    # Points behind the torso have more noise.
    behind = depth - depth[:, :, [POINTS.index("hip")]]
    from_spine = np.linalg.norm(rays - rays[:, :, [POINTS.index("spine")]], axis=-1) / height
    hidden = (behind > 0.06) & (from_spine < 0.13)
    slow_fraction = rng.uniform(0.2, 1, (count, 1, 1, 1))  # of the noise variance
    autocorrelation = rng.uniform(0.6, 0.95, (count, 1, 1))
    slow = rng.normal(size=rays.shape).astype(np.float32)
    for frame in range(1, frames):
        slow[:, frame] = autocorrelation * slow[:, frame - 1] + np.sqrt(1 - autocorrelation**2) * slow[:, frame]
    noise = np.sqrt(slow_fraction) * slow + np.sqrt(1 - slow_fraction) * rng.normal(size=rays.shape)
    error = noise * (level * (1 + 1.5 * hidden))[..., None]
    error_confidence = _confidence(rng, error, hidden, clean)
    _add_outliers(rng, error, error_confidence, clean)
    rays = rays + error * height[..., None]
    _swap_sides(rng, rays, error_confidence, clean)
    return rays, confidence * error_confidence


def _confidence(rng: np.random.Generator, error: FloatArray, hidden: BoolArray, clean: BoolArray) -> FloatArray:
    """Confidence (B,F,P) that decreases with the error; the relation differs between windows."""
    count = len(error)
    highest, slope = rng.uniform(0.65, 1, (count, 1, 1)), rng.uniform(0, 12, (count, 1, 1))
    penalty = rng.uniform(0, 0.5, (count, 1, 1)) * hidden
    confidence = highest - slope * np.linalg.norm(error, axis=-1) - penalty + rng.normal(0, 0.05, error.shape[:-1])
    return np.where((clean & (rng.random(count) < 0.8))[:, None, None], 1, np.clip(confidence, 0.02, 1))


def _add_outliers(rng: np.random.Generator, error: FloatArray, confidence: FloatArray, clean: BoolArray) -> None:
    """Add outliers to single points for a few frames, in place; most of them get a lower confidence."""
    count, frames, points = confidence.shape
    num_outliers = rng.poisson(0.6, count) * ~clean
    for row in np.repeat(np.arange(count), num_outliers):
        begin, length, point = rng.integers(frames), rng.integers(1, 12), rng.integers(points)
        span = slice(begin, begin + length)
        error[row, span, point] += rng.normal(0, 0.09, 2)
        if rng.random() < 0.7:
            confidence[row, span, point] *= rng.uniform(0.1, 0.8)


def _swap_sides(rng: np.random.Generator, rays: FloatArray, confidence: FloatArray, clean: BoolArray) -> None:
    """Swap left and right arms, legs or all sides for some frames, in place."""
    count, frames, _points = confidence.shape
    for row in np.flatnonzero((rng.random(count) < 0.15) & ~clean):
        for _ in range(rng.integers(1, 4)):
            begin, length = rng.integers(frames), rng.integers(1, 14)
            kinds = _SIDES if rng.random() < 0.4 else [rng.choice(["arms", "legs"])]
            for kind in kinds:
                left, right = _SIDES[kind]
                for values in (rays, confidence):
                    part = values[row, begin : begin + length]
                    part[:, left + right] = part[:, right + left]


def drop_points(rng: np.random.Generator, confidence: FloatArray) -> None:
    """Remove points, limbs, lower bodies and whole frames, in place; some windows become short clips or have a low frame rate."""
    count = len(confidence)
    kind = rng.random(count)
    for row in range(count):
        _drop_body_parts(rng, confidence[row], kind[row])
        _drop_frames(rng, confidence[row])


def _drop_body_parts(rng: np.random.Generator, confidence: FloatArray, kind: float) -> None:
    """Remove points of one window (F,P), in place; kind: 0..1, chooses which."""
    frames, points = confidence.shape
    if kind < 0.06:  # cut off at the waist or the knees
        confidence[:, [point for side in ("left", "right") for point in _point_indices(side, _LEG_POINTS[rng.integers(2) :])]] = 0
    elif kind < 0.2:  # an occluded limb
        begin = rng.integers(frames)
        confidence[begin : begin + rng.integers(3, frames), _LIMBS[rng.integers(len(_LIMBS))]] *= rng.choice([0, 0.3])
    elif kind < 0.4:  # single points
        confidence *= rng.random((1, points)) > rng.uniform(0, 0.15)
        confidence *= rng.random((frames, points)) > rng.uniform(0, 0.15)


def _drop_frames(rng: np.random.Generator, confidence: FloatArray) -> None:
    """Remove frames of one window (F,P), in place."""
    frames = len(confidence)
    rows, kind = np.arange(frames), rng.random()
    if kind < 0.13:  # a short clip, often a single frame
        length = 1 if rng.random() < 0.5 else rng.integers(2, frames // 2)
        begin = rng.integers(frames - length + 1)
        confidence[(rows < begin) | (rows >= begin + length)] = 0
    elif kind < 0.21:  # a low frame rate
        every = rng.integers(2, 9)
        confidence[(rows + rng.integers(every)) % every > 0] = 0
    elif kind < 0.29:  # a gap
        begin = rng.integers(frames)
        confidence[begin : begin + rng.integers(1, 15)] = 0
