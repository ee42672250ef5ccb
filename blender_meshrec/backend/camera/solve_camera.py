"""What kind of camera filmed a clip, how it turned and through which lens, from matches of the background.

Each shot is solved by itself. A view that hardly moves is a still camera's. Otherwise all rotations, the focal length and, if the
evidence is clear, a zoom are adjusted to all matches; on the pairs of frames that lie furthest apart the fit is compared with that of a
homography and of an epipolar geometry (GRIC). If one of these explains much more, the camera moves, and no rotation is given that the
matches do not support. Every result has a sentence, and no failure gives a path: what is not known stands still.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np

from ...core.array_types import FloatArray, IntArray
from ...core.messages import Message
from ...core.rotations import angle_between_rotmats
from . import pair_models
from .rotation_adjustment import FIXED, Matches, Turning, adjust, is_finite, residuals
from .tracks import CUT, BackgroundTracks

Kind = Literal["still", "turning", "moving", "unknown"]
STILL_REACH = 1.0  # px of the small image (320 wide) that the view's middle or border moves at most with a still camera
MIN_SEEN = 0.5  # share of a shot's frames whose background was found, from which its kind is known
MAX_MATCHES = 60  # a pair, in the adjustment
CLEAR_ZOOM = 0.015  # logarithm of the focal length's change, from which a zoom counts
ZOOM_GAIN = 0.85  # a zoom has to lower the robust cost to this share
PRIOR_SIGMA = 0.3  # of the logarithm of a focal length that is only a guess
KNOWN_FOCAL = 0.2  # standard deviation of the focal length's logarithm, below which it counts as solved
# That deviation of a turn of one degree, since a hand that turns the camera moves it, too; it falls as the turn grows.
HAND_SIGMA = 0.3
# Focal lengths over the image's diagonal, outside which what looks like turning is a camera that moves, along a wall for example.
SHORTEST_LENS, LONGEST_LENS = 0.3, 3.0
UNEXPLAINED = 1.5  # px of the small image: a match this far from the rotation's place is not explained by it
MIN_EXPLAINED = 0.4  # share of the matches that a turning camera has to explain to be believed
# Share of the matches that only a moving camera explains from which it moves, if its GRIC is so much of the rotations'.
MOVING_GAIN = ((0.15, 1.0), (0.08, 0.9))
TEST_PAIRS, TEST_MATCHES = 40, 24


@dataclass(frozen=True)
class Shot:
    """first, last: rows, last excluded. kind: of the camera. seen: share of its frames in which the background was found.

    focal: px, in its first frame; focal_sigma: px; both nan where the shot does not tell.
    """

    first: int
    last: int
    kind: Kind
    seen: float
    focal: float = float("nan")
    focal_sigma: float = float("nan")


@dataclass(frozen=True)
class CameraPath:
    """A clip's camera, F frames.

    kind: the least still of its shots'. camera_from_first: (F,3,3), turns directions from the axes of the camera in the shot's first frame
    to those in this frame (OpenCV axes: x right, y down, z forward); the identity throughout shots that do not turn. zoom: (F,), focal
    length over that in the shot's first frame. focal: px in the first frame of the longest shot that tells it, and focal_sigma: px, its
    standard deviation; nan if none does. distortion: k1 of undistorted = distorted * (1 + k1 r^2), r in focal lengths, 0 if unknown.
    confidence: (F,) 0..1, 0 where the background was not found. shots: in order. sentences: for the report.
    """

    kind: Kind
    camera_from_first: FloatArray
    zoom: FloatArray
    focal: float
    focal_sigma: float
    distortion: float
    confidence: FloatArray
    shots: tuple[Shot, ...]
    sentences: tuple[Message, ...]


@dataclass(frozen=True)
class _Solved:
    """One shot: its kind, camera and confidence (F,)."""

    kind: Kind
    turning: Turning
    confidence: FloatArray


def solve_camera(
    tracks: BackgroundTracks | None,
    image_size: Sequence[int],
    prior_focal: float,
    num_frames: int = 0,
    prior_sigma: float = PRIOR_SIGMA,
) -> CameraPath:
    """Find a clip's camera.

    Args:
        tracks: its background; None if nobody looked, then num_frames says how many frames it has. image_size: (width, height) px.
        prior_focal: px, the lens before the footage is asked, with which all rotations of a shot that does not tell its focal length
            are found. prior_sigma: the standard deviation of its logarithm, 0 if it is certain.
    """
    if tracks is None or not len(tracks):
        return _unknown(num_frames)
    frames = len(tracks)
    middle = np.tile(np.asarray(image_size, float) / 2, 2)
    prior = (float(np.log(prior_focal)), prior_sigma)
    rotations, zoom, confidence = np.tile(np.eye(3), (frames, 1, 1)), np.ones(frames), np.zeros(frames)
    shots: list[Shot] = []
    distortions: list[float] = []
    for first, last in find_shots(tracks):
        matches = _matches_within(tracks, first, last, middle)
        solved = _solve_shot(matches, last - first, np.asarray(image_size, float), prior)
        confidence[first:last] = solved.confidence
        if solved.kind == "turning":
            rotations[first:last], zoom[first:last] = solved.turning.camera_from_first, np.exp(solved.turning.zoom)
        sigma, focal = solved.turning.sigma[0], float(np.exp(solved.turning.log_focal))
        is_known = solved.kind == "turning" and sigma < KNOWN_FOCAL
        lens = (focal, focal * sigma) if is_known else (float("nan"), float("nan"))
        shots.append(Shot(first, last, solved.kind, float((solved.confidence > 0).mean()), *lens))
        distortions.append(solved.turning.distortion if is_known else 0.0)
    kind = _kind_of_clip(shots)
    telling = [i for i, shot in enumerate(shots) if np.isfinite(shot.focal)]
    best = max(telling, key=lambda i: shots[i].last - shots[i].first, default=None)
    lens = (float("nan"), float("nan"), 0.0) if best is None else (shots[best].focal, shots[best].focal_sigma, distortions[best])
    return CameraPath(kind, rotations, zoom, *lens, confidence, tuple(shots), _sentences(kind, shots, rotations, zoom))


def find_shots(tracks: BackgroundTracks) -> list[tuple[int, int]]:
    """The rows (first, last excluded) of each shot: a cut across which the background was found again, as after a flash, is none."""
    earlier, later = tracks.pairs.T
    cuts = [int(row) for row in np.flatnonzero(tracks.links == CUT) if row and not ((earlier < row) & (later >= row)).any()]
    return list(pairwise([0, *cuts, len(tracks)]))


def _matches_within(tracks: BackgroundTracks, first: int, last: int, middle: FloatArray) -> Matches:
    """The matches of a shot, px from the image's middle; weight 1 where they move as most, else 0."""
    inside = np.flatnonzero((tracks.pairs[:, 0] >= first) & (tracks.pairs[:, 1] < last) & (np.diff(tracks.starts) > 0))
    rows = [np.arange(tracks.starts[pair], tracks.starts[pair + 1]) for pair in inside]
    chosen = np.concatenate([np.zeros(0, int), *rows]).astype(int)
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(int)
    points = tracks.points[chosen] - middle
    weights = np.where(tracks.agrees[chosen], 1.0, 0.0)
    return Matches(tracks.pairs[inside] - first, starts, points[:, :2], points[:, 2:], weights, tracks.pixel)


def _solve_shot(matches: Matches, frames: int, image_size: FloatArray, prior: tuple[float, float]) -> _Solved:
    still = Turning(np.tile(np.eye(3), (frames, 1, 1)), np.zeros(frames), prior[0])
    confidence = _confidence(matches, frames)
    if frames > 1 and (confidence > 0).mean() < MIN_SEEN:
        return _Solved("unknown", still, confidence)
    if frames == 1 or not len(matches.pairs):
        return _Solved("still" if frames == 1 else "unknown", still, confidence)
    similarities = pair_models.fit_similarities(matches.before, matches.after, matches.weights, matches.starts)
    if _reach(_chain_similarities(similarities, matches.pairs, frames, image_size), matches.pixel) < STILL_REACH:
        return _Solved("still", still, confidence)
    thinned = _thin(matches)
    start = replace(still, camera_from_first=_chain_rotations(thinned, similarities, np.exp(prior[0]), frames))
    turning = _fit_turning(thinned, start, _chain_zoom(similarities, matches.pairs, frames), prior)
    if not is_finite(turning):
        return _Solved("unknown", still, np.zeros(frames))
    if explains_still(thinned, turning):
        return _Solved("still", still, confidence)
    if is_moving(matches, turning, image_size):
        return _Solved("moving", still, confidence)
    if (np.linalg.norm(residuals(thinned, turning), axis=1) < UNEXPLAINED).mean() < MIN_EXPLAINED:
        return _Solved("unknown", still, confidence)
    return _Solved("turning", _settle_lens(thinned, turning, prior), confidence)


def _settle_lens(matches: Matches, turning: Turning, prior: tuple[float, float]) -> Turning:
    """Rotations through the lens that is taken: the solved one if the turn tells it, else the prior one."""
    angle = max(float(np.degrees(angle_between_rotmats(np.eye(3), turning.camera_from_first)).max()), 1e-3)
    sigma = min(float(np.hypot(turning.sigma[0], HAND_SIGMA / angle)), prior[1])
    if sigma >= KNOWN_FOCAL:
        start = replace(turning, log_focal=prior[0], distortion=0.0)
        turning = adjust(matches, start, (prior[0], 0.0), bool(turning.zoom.any()), distortion_sigma=FIXED)
    return replace(turning, sigma=(sigma, turning.sigma[1]))


def _fit_turning(matches: Matches, start: Turning, start_zoom: FloatArray, prior: tuple[float, float]) -> Turning:
    """Rotations and lens of a shot without a zoom, or with one if the evidence is clear."""
    turning = adjust(matches, start, prior, is_zoom_free=False)
    zooming = adjust(matches, replace(start, zoom=start_zoom), prior, is_zoom_free=True)
    if not is_finite(zooming):
        return turning
    if _cost(matches, zooming) < ZOOM_GAIN * _cost(matches, turning):  # a better start, perhaps
        again = adjust(matches, replace(zooming, zoom=np.zeros_like(start_zoom)), prior, is_zoom_free=False)
        turning = again if _cost(matches, again) < _cost(matches, turning) else turning
    is_clear = np.ptp(zooming.zoom) > CLEAR_ZOOM and _cost(matches, zooming) < ZOOM_GAIN * _cost(matches, turning)
    return zooming if is_clear else turning


def _confidence(matches: Matches, frames: int) -> FloatArray:
    """(F,): how many matches of a frame agree and what share, the first frame's as of the second."""
    agreeing = pair_models.sum_by_pair(matches.weights, matches.starts)
    share = agreeing / np.maximum(np.diff(matches.starts), 1)
    confidence = np.zeros(frames)
    np.maximum.at(confidence, matches.pairs[:, 1], np.clip(agreeing / 30, 0, 1) * np.clip(1.5 * share, 0, 1))
    np.maximum.at(confidence, matches.pairs[:, 0], confidence[matches.pairs[:, 1]])
    return confidence


def _chain_similarities(similarities: FloatArray, pairs: IntArray, frames: int, image_size: FloatArray) -> FloatArray:
    """(F,4) px: how far the view's middle (2), and its border by growth and by turn, moved since the first frame."""
    scale = np.array([1, 1, np.linalg.norm(image_size) / 4, np.linalg.norm(image_size) / 4])
    state = np.zeros((frames, 4))
    known = np.zeros(frames, bool)
    for (a, b), step in zip(pairs, similarities * scale, strict=True):
        if not known[b]:
            state[b], known[b] = state[a] + step, True
    return state


def _reach(state: FloatArray, pixel: float) -> float:
    """How far the view moves over most frames, px of the small image."""
    if not len(state):
        return 0.0
    low, high = np.quantile(state, [0.02, 0.98], axis=0)
    return float((high - low).max() / pixel)


def _thin(matches: Matches) -> Matches:
    """At most MAX_MATCHES matches of each pair, spread over it, those that agree first."""
    rows = []
    for begin, end in zip(matches.starts[:-1], matches.starts[1:]):
        order = begin + np.argsort(-matches.weights[begin:end], kind="stable")
        agreeing = int((matches.weights[begin:end] == 1).sum())
        pool = order[: max(agreeing, MAX_MATCHES)]
        rows.append(pool if len(pool) <= MAX_MATCHES else pool[np.linspace(0, len(pool) - 1, MAX_MATCHES).astype(int)])
    chosen = np.concatenate(rows)
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(int)
    return replace(matches, starts=starts, before=matches.before[chosen], after=matches.after[chosen], weights=matches.weights[chosen])


def _chain_rotations(matches: Matches, similarities: FloatArray, focal: float, frames: int) -> FloatArray:
    """Start of the rotations (F,3,3): each frame turned from the first one that it is matched with."""
    growth = np.exp(similarities[:, 2])[matches.pair_of, None]
    before, after = (np.column_stack([points / focal, np.ones(len(points))]) for points in (matches.before * growth, matches.after))
    relative = pair_models.fit_rotations(before, after, matches.weights, matches.starts)
    rotations = np.tile(np.eye(3), (frames, 1, 1))
    rows, firsts = np.unique(matches.pairs[:, 1], return_index=True)
    first_pair = dict(zip(rows.tolist(), firsts.tolist(), strict=True))
    for row in range(1, frames):
        pair = first_pair.get(row)
        rotations[row] = rotations[row - 1] if pair is None else relative[pair] @ rotations[matches.pairs[pair, 0]]
    return rotations


def _chain_zoom(similarities: FloatArray, pairs: IntArray, frames: int) -> FloatArray:
    """Start of the zoom's logarithm (F,)."""
    return _chain_similarities(similarities, pairs, frames, np.array([4.0, 0.0]))[:, 2]


def _cost(matches: Matches, state: Turning) -> float:
    """Sum over the matches of their squared errors, at most UNEXPLAINED each, px^2 of the small image."""
    errors = (residuals(matches, state) ** 2).sum(-1)
    return float(np.minimum(errors, UNEXPLAINED**2).sum())


def explains_still(matches: Matches, turning: Turning) -> bool:
    """Whether no motion at all explains the matches about as well as a turning camera."""
    noise = pair_models.NOISE
    moved = np.linalg.norm(matches.after - matches.before, axis=1) / matches.pixel
    turned = np.linalg.norm(residuals(matches, turning), axis=1)
    if (moved < UNEXPLAINED).mean() < MIN_EXPLAINED:
        return False
    return pair_models.gric(moved, 2, 0, noise) <= pair_models.gric(turned, 2, 3 * (len(turning.zoom) - 1), noise)


def is_moving(matches: Matches, turning: Turning, image_size: FloatArray) -> bool:
    """Whether a homography or an epipolar geometry explains much more of the background's motion than the rotations do."""
    if not SHORTEST_LENS < np.exp(turning.log_focal) / np.linalg.norm(image_size) < LONGEST_LENS:
        return True
    tests = compare_models(matches, turning)
    if not len(tests):
        return False
    gric, explained = tests[:, :3].sum(0), tests[:, 3:6].sum(0) / tests[:, 6].sum()
    gain, ratio = max(explained[1:]) - explained[0], min(gric[1:]) / gric[0]
    return any(gain > enough and ratio < limit for enough, limit in MOVING_GAIN)


def compare_models(matches: Matches, turning: Turning) -> FloatArray:
    """On the pairs of frames that lie furthest apart (T,7): GRIC of rotation, homography and epipolar geometry, how many matches each
    explains, and how many there are.
    """
    shift = np.linalg.norm(matches.after - matches.before, axis=1)
    shifts = pair_models.sum_by_pair(shift * matches.weights, matches.starts) / np.maximum(
        pair_models.sum_by_pair(matches.weights, matches.starts), 1
    )
    chosen = pair_models.widest_pairs(shifts, np.diff(matches.starts), matches.pairs[:, 0], TEST_MATCHES, TEST_PAIRS)
    turned = np.linalg.norm(residuals(matches, turning), axis=1)
    noise = pair_models.NOISE
    rows = []
    for pair in chosen:
        part = slice(matches.starts[pair], matches.starts[pair + 1])
        before, after = matches.before[part] / matches.pixel, matches.after[part] / matches.pixel
        errors = (turned[part], pair_models.homography_errors(before, after, noise), pair_models.epipolar_errors(before, after, noise))
        scores = [pair_models.gric(error, *kind, noise) for error, kind in zip(errors, ((2, 3), (2, 8), (3, 7)), strict=True)]
        explained = [(error < UNEXPLAINED).sum() for error in errors]
        rows.append([*scores, *explained, len(before)])
    return np.array(rows, float).reshape(-1, 7)


def _kind_of_clip(shots: Sequence[Shot]) -> Kind:
    order: tuple[Kind, ...] = ("moving", "turning", "still")
    return next((kind for kind in order if any(shot.kind == kind for shot in shots)), "unknown")


def _unknown(frames: int) -> CameraPath:
    nan = float("nan")
    sentence = Message("camera-not-looked-at", "The camera is taken to stand still: its background was not stored.")
    shots = (Shot(0, frames, "unknown", 0.0),)
    return CameraPath("unknown", np.tile(np.eye(3), (frames, 1, 1)), np.ones(frames), nan, nan, 0.0, np.zeros(frames), shots, (sentence,))


def _sentences(kind: Kind, shots: Sequence[Shot], rotations: FloatArray, zoom: FloatArray) -> tuple[Message, ...]:
    """What the report says of the camera."""
    said: list[Message] = []
    if kind == "unknown":
        said.append(Message("camera-unknown", "The camera is taken to stand still: the background shows too little to follow."))
    elif kind == "still":
        said.append(Message("camera-still", "The camera stands still."))
    elif kind == "moving":
        said.append(Message("camera-moving", "The camera moves through the scene; its motion is not taken out."))
    else:
        parts = [slice(shot.first, shot.last) for shot in shots]
        angle = max(float(np.degrees(angle_between_rotmats(np.eye(3), rotations[part])).max()) for part in parts)
        growth = 100 * max(float(np.exp(np.ptp(np.log(zoom[part])))) - 1 for part in parts)
        if growth > 0:
            said.append(
                Message(
                    "camera-turning-and-zooming",
                    "The camera turns in place by up to {angle:.1f} degrees and zooms by {growth:.0f} %.",
                    angle=angle,
                    growth=growth,
                )
            )
        else:
            said.append(Message("camera-turning", "The camera turns in place by up to {angle:.1f} degrees.", angle=angle))
    if len(shots) > 1:
        said.append(Message("camera-shots", "The footage has {shots} shots; each has a camera of its own.", shots=len(shots)))
    unseen = 1 - sum((shot.last - shot.first) * shot.seen for shot in shots) / max(shots[-1].last, 1)
    if kind != "unknown" and unseen > 0.02:
        said.append(
            Message(
                "camera-unseen-at-times",
                "In {share:.0f} % of the frames the background was not found; the camera is interpolated there.",
                share=100 * unseen,
            )
        )
    return tuple(said)
