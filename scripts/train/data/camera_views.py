"""What a camera sees of moving bodies, and what a 2D detector makes of it.

B windows, F frames. Rays are x/z and y/z in camera axes (OpenCV).
"""

from dataclasses import dataclass

import numpy as np

from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skeletons import H36M17, H36M17_PARENTS
from blender_meshrec.methods.skeleton2mesh import POINTS
from scripts.train.data.motion_clips import AXES, NODES, Clip

STATURE = 1.7  # m, of the tallest extent that a camera frames
_Y_DOWN = np.diag([1.0, -1.0, -1.0])

# Keypoint sets by what they lack of POINTS, and how often each is shown.
DETECTOR_SETS = {
    "h36m17": (0.3, ("left_ear", "right_ear", "left_big_toe", "right_big_toe", "left_heel", "right_heel")),
    "coco17": (0.15, ("head_top", "left_big_toe", "right_big_toe", "left_heel", "right_heel")),
    "halpe26": (0.15, ()),
    "openpose25": (0.15, ("head_top",)),
    "blazepose33": (0.25, ("head_top",)),
}
SET_NAMES = tuple(DETECTOR_SETS)
_MISSING_POINTS = np.array([[point in lacks for point in POINTS] for _share, lacks in DETECTOR_SETS.values()])
_SET_PROBABILITIES = np.array([share for share, _lacks in DETECTOR_SETS.values()])

# How unsteady a detector is at each point, by the last word of its name.
_NOISE_FACTORS = {"wrist": 1.6, "ankle": 1.6, "toe": 1.5, "heel": 1.5, "elbow": 1.2, "knee": 1.2, "hip": 1.2}
_NOISE_FACTORS = np.array([_NOISE_FACTORS.get(point.split("_")[-1], 1.0) for point in POINTS])
_LEG_POINTS = ("knee", "ankle", "big_toe", "heel")


def _point_indices(side, names):
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
    """rays (B,F,23,2) as a user's intrinsics give them and confidence (B,F,23) of POINTS; detected (B,) bool; joints
    (B,F,17,3) about the hip in true camera axes, in units of the bone-length sum; zoom (B,), true over assumed focal length;
    valid (B,F). What films them: focal (B,) in image diagonals, turn (B,F,3,3) and transl (B,F,3) m into camera axes."""

    rays: np.ndarray
    confidence: np.ndarray
    detected: np.ndarray
    joints: np.ndarray
    zoom: np.ndarray
    valid: np.ndarray
    focal: np.ndarray
    turn: np.ndarray
    transl: np.ndarray


def film_bodies(rng, points, axes, valid, sets=None, noisy=True, lossy=True, steady=False):
    """Film bodies (B,F,25,3) m, y up, with AXES (B,F,3,3,3), each by a camera of its own.

    sets: (B,) indices of DETECTOR_SETS, drawn if None. noisy: whether the detector errs; lossy: whether it then loses points and
    frames. steady: cameras do not move.
    """
    count = len(points)
    sets = rng.choice(len(DETECTOR_SETS), count, p=_SET_PROBABILITIES) if sets is None else np.asarray(sets)
    detected = np.array([SET_NAMES[s] != "h36m17" for s in sets])
    turn, transl, focal, zoom = _cameras(rng, points, steady)
    camera_points = np.einsum("bfij,bfnj->bfni", turn, points) + transl[:, :, None]
    camera_axes = np.einsum("bfij,bfajk->bfaik", turn, axes)
    joints = camera_points[:, :, : len(H36M17)] - camera_points[:, :, :1]
    bones = joints[:, :, 1:] - joints[:, :, H36M17_PARENTS[1:]]
    bone_sum = np.linalg.norm(bones, axis=-1).sum(-1).mean(1)
    seen = _detector_points(rng, camera_points, camera_axes, detected, noisy)
    rays = seen[..., :2] / seen[..., 2:]
    confidence = np.where(_MISSING_POINTS[sets][:, None], 0.0, 1.0) * valid[..., None]
    if noisy:
        rays, confidence = _add_detection_errors(rng, rays, confidence, seen[..., 2])
        if lossy:
            _drop_points(rng, confidence)
    _average_torso_points(rays, confidence, np.flatnonzero(detected))
    rays, joints = rays * zoom[:, None, None, None], joints / bone_sum[:, None, None, None]
    rays, confidence, joints, zoom = (np.asarray(values, np.float32) for values in (rays, confidence, joints, zoom))
    return Views(rays, confidence, detected, joints, zoom, valid, focal, turn, transl)


def film_clip(rng: np.random.Generator, clip: Clip, keypoint_set: str, cameras: int = 1, noisy: bool = True) -> Views:
    """Film the whole of a clip by static cameras, for evaluation: no frames or points are dropped, and every camera is a window."""
    whole = (np.repeat(array[None], cameras, 0) for array in (clip.points(), clip.axes, clip.valid))
    return film_bodies(rng, *whole, sets=[SET_NAMES.index(keypoint_set)] * cameras, noisy=noisy, lossy=False, steady=True)


def _cameras(rng, points, steady):
    """Rotations (B,F,3,3) and translations (B,F,3) into camera axes; focal lengths (B,), in image diagonals, and those over the assumed."""
    count, frames = points.shape[:2]
    focal = np.exp(rng.uniform(np.log(0.6), np.log(2.2), count))  # in image diagonals
    # Half the users give the lens, more or less; for the others the diagonal is assumed (core/cameras.py).
    zoom = np.where(rng.random(count) < 0.5, focal, np.exp(rng.normal(0, 0.05, count)))
    half = 0.5 * np.where(rng.random((count, 1)) < 0.65, [[0.87, 0.49]], [[0.49, 0.87]]) / focal[:, None]  # of the image, as rays
    fill = np.exp(rng.uniform(np.log(0.18), np.log(1.1), count))  # the person's height over the image's
    distance = np.clip(STATURE / (2 * half[:, 1] * fill), 1.5, 25)
    steep = np.where(rng.random(count) < 0.77, rng.uniform(-0.4, 0.8, count), rng.uniform(-0.6, 1.4, count))
    pitch = np.where(rng.random(count) < 0.7, rng.normal(0.08, 0.12, count), steep)
    aim = rng.uniform(-1, 1, (count, 2)) * np.maximum(half - 0.3 / distance[:, None], 0.15 * half)
    roll, yaw = rng.normal(0, 0.06, count), rng.uniform(-np.pi, np.pi, count)
    zero = np.zeros(count)
    stand = (
        rotmat_from_rotvec(np.stack([zero, zero, roll], -1))
        @ rotmat_from_rotvec(np.stack([pitch, zero, zero], -1))  # a positive pitch looks down
        @ _Y_DOWN
        @ rotmat_from_rotvec(np.stack([zero, yaw, zero], -1))
    )
    middle = points[:, :, 0].mean(1)
    transl = np.concatenate([aim, np.ones((count, 1))], -1) * distance[:, None] - np.einsum("bij,bj->bi", stand, middle)
    turn, transl = np.repeat(stand[:, None], frames, 1), np.repeat(transl[:, None], frames, 1)
    if not steady:
        _move_cameras(rng, points, middle, turn, transl)
    # Who films steps back until the hip stays in the picture and nothing comes nearer than an arm.
    hip = np.einsum("bfij,bfj->bfi", turn, points[:, :, 0]) + transl
    aside = (np.abs(hip[..., :2]) / half[:, None] - hip[..., 2:]).max((1, 2))
    near = 0.8 - np.einsum("bfj,bfnj->bfn", turn[:, :, 2], points).min(2).min(1) - transl[..., 2].min(1)
    transl[..., 2] += np.maximum(np.maximum(aside, near), 0)[:, None]
    return turn.astype(np.float32), transl.astype(np.float32), focal, zoom


def _move_cameras(rng, points, middle, turn, transl):
    """Some cameras pan unsteadily, some travel along with the person."""
    count, frames = points.shape[:2]
    travel = np.where(rng.random(count) < 0.12, rng.random(count), 0)[:, None, None]
    transl -= np.einsum("bfij,bfj->bfi", turn, travel * (points[:, :, 0] - middle[:, None]) * [1, 0, 1])
    rows = np.flatnonzero(rng.random(count) < 0.2)
    moment = np.linspace(-1, 1, frames)[:, None]
    shake, phase = rng.normal(0, 0.03, (len(rows), 1, 3)), 6 * rng.random((len(rows), 1, 1))
    pan = rng.normal(0, 0.1, (len(rows), 1, 3)) * moment + shake * np.sin(3 * moment + phase)
    pan = rotmat_from_rotvec(pan * [1, 1, 0.2])
    turn[rows] = pan @ turn[rows]
    transl[rows] = np.einsum("bfij,bfj->bfi", pan, transl[rows])


def _detector_points(rng, points, axes, detected, noisy):
    """POINTS (B,F,23,3) in camera axes where a detector would put them: not quite at the joints, by an offset kept for the clip."""
    count = len(points)
    node = {name: points[:, :, NODES.index(name)] for name in NODES}
    seen = np.stack([node[name] for name in POINTS], 2)

    def moved(rows, name, base, frame, mean, spread):
        offset = rng.normal(mean, spread, (len(rows), 3)) if noisy else np.tile(np.asarray(mean, float), (len(rows), 1))
        seen[rows, :, POINTS.index(name)] = node[base][rows] + np.einsum("bfij,bj->bfi", axes[rows][:, :, AXES.index(frame)], offset)
        return offset

    rows = np.flatnonzero(detected)
    for kind, frame, mean, spread in (
        ("hip", "pelvis", (0.02, 0.02, 0.0), (0.025, 0.03, 0.015)),
        ("shoulder", "thorax", (0.015, 0.0, 0.0), (0.025, 0.025, 0.015)),
    ):
        offset = moved(rows, f"left_{kind}", f"left_{kind}", frame, mean, spread) * [-1, 1, 1]
        moved(rows, f"right_{kind}", f"right_{kind}", frame, offset, 0.007)
    for name, base in (("left_ear", "left_ear"), ("right_ear", "right_ear"), ("head_top", "crown")):
        moved(rows, name, base, "head", (0, 0, 0), 0.015)
    # Files of h36m17 differ in what they call the nose: motion capture's head joint, or the nose.
    moved(np.flatnonzero(detected | (noisy & (rng.random(count) < 0.4))), "nose", "face", "head", (0, 0, 0), 0.02)
    if noisy:
        rest = [POINTS.index(p) for p in POINTS if p.split("_")[-1] in ("knee", "ankle", "elbow", "wrist", "toe", "heel")]
        offset = rng.normal(0, 0.014, (count, 1, len(rest), 3)) * np.where(detected | (rng.random(count) < 0.3), 1, 0)[:, None, None, None]
        seen[:, :, rest] += offset
    return seen


def _average_torso_points(rays, confidence, rows):
    """Hip, thorax and spine of a detector's sets are means of what it saw, and as sure as the least of it."""
    for name, used in _TORSO_POINTS.items():
        rays[rows, :, POINTS.index(name)] = rays[rows][:, :, used].mean(2)
        confidence[rows, :, POINTS.index(name)] = confidence[rows][:, :, used].min(2)


def _add_detection_errors(rng, rays, confidence, depth):
    """A detector's errors: trembling, slips, sides exchanged, points and frames lost; and how sure it says it is."""
    count, frames, _points = confidence.shape
    height = STATURE / np.maximum(depth, 0.3)  # a person's height as seen at each point
    clean = rng.random(count) < 0.2
    level = np.where(clean, 0, rng.uniform(0, 0.022, count))[:, None, None] * _NOISE_FACTORS
    # Points hidden behind the torso are guessed.
    behind = depth - depth[:, :, [POINTS.index("hip")]]
    aside = np.linalg.norm(rays - rays[:, :, [POINTS.index("spine")]], axis=-1) / height
    hidden = (behind > 0.06) & (aside < 0.13)
    share = rng.uniform(0.2, 1, (count, 1, 1, 1))  # of the noise that is slow
    keep = rng.uniform(0.6, 0.95, (count, 1, 1))
    slow = rng.normal(size=rays.shape).astype(np.float32)
    for frame in range(1, frames):
        slow[:, frame] = keep * slow[:, frame - 1] + np.sqrt(1 - keep**2) * slow[:, frame]
    error = (np.sqrt(share) * slow + np.sqrt(1 - share) * rng.normal(size=rays.shape)) * (level * (1 + 1.5 * hidden))[..., None]
    sureness = _confidence(rng, error, hidden, clean)
    _add_outliers(rng, error, sureness, clean)
    rays = rays + error * height[..., None]
    _swap_sides(rng, rays, sureness, clean)
    return rays, confidence * sureness


def _confidence(rng, error, hidden, clean):
    """Confidence (B,F,P) that falls with the error, in a way that differs from clip to clip."""
    count = len(error)
    top, slope = rng.uniform(0.65, 1, (count, 1, 1)), rng.uniform(0, 12, (count, 1, 1))
    doubt = rng.uniform(0, 0.5, (count, 1, 1)) * hidden
    sureness = top - slope * np.linalg.norm(error, axis=-1) - doubt + rng.normal(0, 0.05, error.shape[:-1])
    return np.where((clean & (rng.random(count) < 0.8))[:, None, None], 1, np.clip(sureness, 0.02, 1))


def _add_outliers(rng, error, sureness, clean):
    """For some frames single points lie elsewhere; the detector may know."""
    count, frames, points = sureness.shape
    slips = rng.poisson(0.6, count) * ~clean
    for row in np.repeat(np.arange(count), slips):
        begin, length, point = rng.integers(frames), rng.integers(1, 12), rng.integers(points)
        span = slice(begin, begin + length)
        error[row, span, point] += rng.normal(0, 0.09, 2)
        if rng.random() < 0.7:
            sureness[row, span, point] *= rng.uniform(0.1, 0.8)


def _swap_sides(rng, rays, sureness, clean):
    """For some frames arms, legs or all are taken for those of the other side."""
    count, frames, _points = sureness.shape
    for row in np.flatnonzero((rng.random(count) < 0.15) & ~clean):
        for _ in range(rng.integers(1, 4)):
            begin, length = rng.integers(frames), rng.integers(1, 14)
            kinds = _SIDES if rng.random() < 0.4 else [rng.choice(["arms", "legs"])]
            for kind in kinds:
                left, right = _SIDES[kind]
                for values in (rays, sureness):
                    part = values[row, begin : begin + length]
                    part[:, left + right] = part[:, right + left]


def _drop_points(rng, confidence):
    """Points, limbs, lower bodies and whole frames that are not there; clips that are short, and slow ones."""
    count, frames, points = confidence.shape
    kind = rng.random(count)
    moment = np.arange(frames)
    for row in range(count):
        lost = confidence[row]
        if kind[row] < 0.06:  # cut at the waist or the knees
            lost[:, [point for side in ("left", "right") for point in _point_indices(side, _LEG_POINTS[rng.integers(2) :])]] = 0
        elif kind[row] < 0.2:  # a limb out of sight for a while
            begin = rng.integers(frames)
            lost[begin : begin + rng.integers(3, frames), _LIMBS[rng.integers(len(_LIMBS))]] *= rng.choice([0, 0.3])
        elif kind[row] < 0.4:  # single points
            lost *= rng.random((1, points)) > rng.uniform(0, 0.15)
            lost *= rng.random((frames, points)) > rng.uniform(0, 0.15)
        way = rng.random()
        if way < 0.13:  # a short clip, often a single frame
            length = 1 if rng.random() < 0.5 else rng.integers(2, frames // 2)
            begin = rng.integers(frames - length + 1)
            lost[(moment < begin) | (moment >= begin + length)] = 0
        elif way < 0.21:  # few frames per second
            every = rng.integers(2, 9)
            lost[(moment + rng.integers(every)) % every > 0] = 0
        elif way < 0.29:  # gaps
            begin = rng.integers(frames)
            lost[begin : begin + rng.integers(1, 15)] = 0
