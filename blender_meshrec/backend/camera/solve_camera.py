"""What kind of camera filmed a clip, how it turned and through which lens, from matches of the background.

Each shot is solved by itself. A view that hardly moves is a still camera's. Otherwise all rotations, the focal length and, if the
evidence is clear, a zoom are adjusted to all matches; on the pairs of frames that lie furthest apart the fit is compared with that of a
homography and of an epipolar geometry (GRIC). If one of these explains much more, the camera moves, and its path is solved
(moving_path.py); if that fails, it is taken to turn where this explains most of the background, else to stand still. Every result has a
sentence, and no failure gives a path: what is not known stands still.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ...core.array_types import FloatArray, IntArray
from ...core.messages import Message
from ...core.rotations import angle_between_rotmats
from . import pair_models
from .camera_path import CameraPath, Kind, Shot, camera_sentences, unknown_camera
from .moving_path import MovingPath, OnStep, solve_moving_path
from .rotation_adjustment import FIXED, Matches, Turning, adjust, is_finite, residuals
from .tracks import CUT, BackgroundTracks

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
NEARLY_TURNING = 0.8  # the same, of a camera that moves on a path that is not found, to be taken as turning
# A turning camera that explains less than the first share of the matches, or seems to zoom, may be one that is carried: it is if its path
# explains more by the second.
WELL_EXPLAINED, PATH_GAIN = 0.9, 0.05
# Share of the background that a path explains, and its uncertainty, as a share of its extent, from which it is called doubtful.
DOUBTED_SHARE, DOUBTED_UNCERTAINTY = 0.75, 0.15
PATH_FOCAL = 0.05  # least standard deviation of a focal length's logarithm that a path tells: its lens is taken to be without distortion
# Share of the matches that only a moving camera explains from which it moves, if its GRIC is so much of the rotations'.
MOVING_GAIN = ((0.15, 1.0), (0.08, 0.9))
TEST_PAIRS, TEST_MATCHES = 40, 24


@dataclass(frozen=True)
class _Solved:
    """One shot: its kind, camera and confidence (F,). path: of a moving camera, or why it has none. doubt: of a turn."""

    kind: Kind
    turning: Turning
    confidence: FloatArray
    path: MovingPath | Message | None = None
    doubt: Message | None = None

    def shot(self, first: int, last: int) -> Shot:
        """What is known of the shot."""
        sigma, focal = self.turning.sigma[0], self.turning_focal
        is_known = (self.kind == "turning" or isinstance(self.path, MovingPath)) and sigma < KNOWN_FOCAL
        lens = (focal, focal * sigma) if is_known else (float("nan"), float("nan"))
        seen = float((self.confidence > 0).mean())
        if isinstance(self.path, MovingPath):
            found = (self.path.explained, self.path.uncertainty)
            return Shot(first, last, self.kind, seen, *lens, *found, points=self.path.seen, doubt=_doubt_of_path(self.path))
        return Shot(first, last, self.kind, seen, *lens, problem=self.path, doubt=self.doubt)

    @property
    def turning_focal(self) -> float:
        """px."""
        return float(np.exp(self.turning.log_focal))


def solve_camera(
    tracks: BackgroundTracks | None,
    image_size: Sequence[int],
    prior_focal: float,
    num_frames: int = 0,
    prior_sigma: float = PRIOR_SIGMA,
    on_step: OnStep = lambda done, total: None,
    rate: float = 30.0,
) -> CameraPath:
    """Find a clip's camera.

    Args:
        tracks: its background; None if nobody looked, then num_frames says how many frames it has. image_size: (width, height) px.
        prior_focal: px, the lens before the footage is asked, with which all rotations of a shot that does not tell its focal length
            are found. prior_sigma: the standard deviation of its logarithm, 0 if it is certain. on_step: called with the steps done and
            their number while a path is solved, and before each shot; an exception from it ends the solve. rate: frames a second.
    """
    if tracks is None or not len(tracks):
        return unknown_camera(num_frames)
    frames = len(tracks)
    middle = np.tile(np.asarray(image_size, float) / 2, 2)
    prior = (float(np.log(prior_focal)), prior_sigma)
    rotations, zoom, confidence = np.tile(np.eye(3), (frames, 1, 1)), np.ones(frames), np.zeros(frames)
    centres = np.zeros((frames, 3))
    shots: list[Shot] = []
    distortions: list[float] = []
    for first, last in find_shots(tracks):
        on_step(first, frames)
        matches = replace(_matches_within(tracks, first, last, middle), rate=rate)
        solved = _solve_shot(matches, last - first, np.asarray(image_size, float), prior, on_step)
        confidence[first:last] = solved.confidence
        rotations[first:last], zoom[first:last] = solved.turning.camera_from_first, np.exp(solved.turning.zoom)
        if isinstance(solved.path, MovingPath):
            centres[first:last] = solved.path.centres
        shots.append(solved.shot(first, last))
        distortions.append(solved.turning.distortion if np.isfinite(shots[-1].focal) else 0.0)
    kind = _kind_of_clip(shots)
    telling = [i for i, shot in enumerate(shots) if np.isfinite(shot.focal)]
    best = max(telling, key=lambda i: shots[i].last - shots[i].first, default=None)
    lens = (float("nan"), float("nan"), 0.0) if best is None else (shots[best].focal, shots[best].focal_sigma, distortions[best])
    sentences = camera_sentences(kind, shots, rotations, zoom)
    known_centres = centres if any(shot.has_path for shot in shots) else None
    return CameraPath(kind, rotations, zoom, *lens, confidence, tuple(shots), sentences, known_centres)


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


def _solve_shot(matches: Matches, frames: int, image_size: FloatArray, prior: tuple[float, float], on_step: OnStep) -> _Solved:
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
        solved = _Solved("moving", still, confidence, _find_path(matches, frames, image_size, prior, on_step))
        return _solve_moving(solved, thinned, turning, image_size, prior)
    if _explained(thinned, turning) < MIN_EXPLAINED:
        return _Solved("unknown", still, confidence)
    settled = _Solved("turning", _settle_lens(thinned, turning, prior), confidence)
    share = _explained(matches, turning)
    if share >= WELL_EXPLAINED and not turning.zoom.any():
        return settled
    path = _find_path(matches, frames, image_size, prior, on_step)
    if not isinstance(path, MovingPath) or path.explained < share + PATH_GAIN:
        return replace(settled, doubt=_doubt_of_turn(share))
    return _solve_moving(_Solved("moving", still, confidence, path), thinned, turning, image_size, prior)


def _doubt_of_turn(share: float) -> Message | None:
    """Why a turn that explains a share of the background may be wrong, if it may."""
    if share >= WELL_EXPLAINED:
        return None
    text = "This is doubtful: a turn explains only {share:.0f} % of the background, and the camera may move as well."
    return Message("camera-turning-doubtful", text, share=100 * share)


def _doubt_of_path(path: MovingPath) -> Message | None:
    """Why a path may be wrong, if it may."""
    if path.explained >= DOUBTED_SHARE and path.uncertainty <= DOUBTED_UNCERTAINTY:
        return None
    text = "Its path is doubtful: it explains {share:.0f} % of the background, and is known to {sigma:.0f} % of its extent."
    return Message("camera-path-doubtful", text, share=100 * path.explained, sigma=100 * path.uncertainty)


def _explained(matches: Matches, turning: Turning) -> float:
    """The share of the matches that a turning camera explains."""
    return float((np.linalg.norm(residuals(matches, turning), axis=1) < UNEXPLAINED).mean())


def _find_path(matches: Matches, frames: int, image_size: FloatArray, prior: tuple[float, float], on_step: OnStep) -> MovingPath | Message:
    """The path of a moving camera through a lens that there is, or why there is none."""
    path = solve_moving_path(matches, frames, prior, on_step)
    if isinstance(path, MovingPath) and not _is_lens(path.log_focal, image_size):
        return Message("camera-path-odd-lens", "its path would need a lens that no camera has")
    return path


def _is_lens(log_focal: float, image_size: FloatArray) -> bool:
    return bool(SHORTEST_LENS < np.exp(log_focal) / np.linalg.norm(image_size) < LONGEST_LENS)


def _solve_moving(solved: _Solved, thinned: Matches, turning: Turning, image_size: FloatArray, prior: tuple[float, float]) -> _Solved:
    """A moving camera with its path, or else with the turn that explains most of the background, or else one that stands still."""
    path = solved.path
    if isinstance(path, MovingPath):
        sigma = min(float(np.hypot(path.log_focal_sigma, PATH_FOCAL)), prior[1])
        turned = Turning(path.camera_from_first, np.zeros(len(path.centres)), path.log_focal, sigma=(sigma, float("inf")))
        return replace(solved, turning=turned, confidence=path.confidence)
    if _explained(thinned, turning) < NEARLY_TURNING or not _is_lens(turning.log_focal, image_size):
        return solved
    return replace(solved, kind="turning", turning=_settle_lens(thinned, turning, prior))


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
    if not _is_lens(turning.log_focal, image_size):
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
