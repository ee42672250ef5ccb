"""The start of a camera's path: two frames far apart, then one frame after another, each by the points that those before it show.

K key frames, P points, lines of sight in focal lengths.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from ...core.array_types import BoolArray, FloatArray, IntArray
from ...core.rotations import angle_between_rotmats
from .point_tracks import PointTracks
from .scene_adjustment import NEAREST, Scene, adjust_scene

MIN_KEYS, MANY_KEYS, MAX_KEYS = 16, 36, 100
# px of the small image, that most points move by from key frame to key frame: more if they would be MANY_KEYS, but not so much more that
# few points are seen in several.
KEY_SHIFT, LARGEST_SHIFT = 4.0, 20.0
MIN_SHARED, MIN_PLACED = 16, 10  # points that two frames, or a frame and the points placed so far, have to share
TRIED_PAIRS, STARTS = 14, 4
SAME_TURN = np.radians(0.5)  # between two ways of a pair that are one
START_REACH = 3.0  # px of the small image, within which an observation agrees with a start
MIN_ANGLE = np.radians(0.5)  # between two lines of sight, from which they place a point
WIDE_ANGLE = np.radians(8.0)  # a start's pair of frames does not become better beyond it


@dataclass(frozen=True)
class TwoViews:
    """Two key frames of a start: rotation (3,3), second from first, and the second's centre (3,) in the first's axes. score: the more, the
    better.
    """

    first: int
    second: int
    rotation: FloatArray
    centre: FloatArray
    score: float


def choose_key_frames(tracks: PointTracks) -> BoolArray:
    """The key frames (F,): most points move by KEY_SHIFT or more between them; the first and the last that see anything are two."""
    seen = np.flatnonzero(np.bincount(tracks.frames, minlength=tracks.num_frames) >= MIN_SHARED)
    way = np.zeros(len(seen))
    places = _places_by_frame(tracks)
    for i in range(1, len(seen)):
        way[i] = way[i - 1] + min(_median_shift(*(places[row] for row in seen[i - 1 : i + 1])) / tracks.pixel, 10 * KEY_SHIFT)
    is_key = np.zeros(tracks.num_frames, bool)
    if len(seen):
        wanted = max(min(way[-1] / KEY_SHIFT, MANY_KEYS), way[-1] / LARGEST_SHIFT)
        count = int(np.clip(wanted, MIN_KEYS, MAX_KEYS)) + 1
        is_key[seen[np.searchsorted(way, np.linspace(0, way[-1], count), side="left").clip(0, len(seen) - 1)]] = True
        is_key[seen[[0, -1]]] = True
    return is_key


def _places_by_frame(tracks: PointTracks) -> list[tuple[IntArray, FloatArray]]:
    """The points that each frame sees, once each in their order, and where (n,2) px."""
    found = []
    for row in range(tracks.num_frames):
        own = np.flatnonzero(tracks.frames == row)
        points, firsts = np.unique(tracks.points[own], return_index=True)
        found.append((points, tracks.pixels[own[firsts]]))
    return found


def _shared(one: tuple[IntArray, FloatArray], other: tuple[IntArray, FloatArray]) -> tuple[FloatArray, FloatArray, IntArray]:
    points, a, b = np.intersect1d(one[0], other[0], assume_unique=True, return_indices=True)
    return one[1][a], other[1][b], points


def _median_shift(one: tuple[IntArray, FloatArray], other: tuple[IntArray, FloatArray]) -> float:
    before, after, _points = _shared(one, other)
    return float(np.median(np.linalg.norm(after - before, axis=1))) if len(before) else np.inf


def two_view_starts(tracks: PointTracks, focal: float) -> list[list[TwoViews]]:
    """Pairs of key frames that see much of each other from far apart, and how the second camera may lie to the first; the best first.

    Most points on one plane leave two ways or more, which only further frames tell apart.
    """
    places = _places_by_frame(tracks)
    pairs: list[tuple[float, int, int]] = []
    for i in range(len(places)):
        for j in range(i + 1, len(places)):
            before, after, _points = _shared(places[i], places[j])
            if len(before) >= MIN_SHARED:
                shift = float(np.median(np.linalg.norm(after - before, axis=1))) / tracks.pixel
                pairs.append((min(len(before), 60) * min(shift, 40.0), i, j))
    pairs.sort(reverse=True)
    spread = pairs[:: max(1, min(len(pairs) // TRIED_PAIRS, 4))][:TRIED_PAIRS]
    related = [_distinct(_relate(i, j, places[i], places[j], focal, tracks.pixel)) for _score, i, j in spread]
    found = sorted((ways for ways in related if ways), key=lambda ways: -float(np.median([way.score for way in ways])))
    chosen: list[list[TwoViews]] = []
    for ways in found:
        if all(abs(ways[0].first - other[0].first) + abs(ways[0].second - other[0].second) > 2 for other in chosen):
            chosen.append(ways)
    return chosen[:STARTS]


def _distinct(ways: Iterable[TwoViews]) -> list[TwoViews]:
    """Those of one pair's ways that differ from the ones before."""
    kept: list[TwoViews] = []
    for way in sorted(ways, key=lambda way: -way.score):
        if all(angle_between_rotmats(way.rotation, other.rotation) > SAME_TURN or way.centre @ other.centre < 0.99 for other in kept):
            kept.append(way)
    return kept


def _relate(
    i: int, j: int, one: tuple[IntArray, FloatArray], other: tuple[IntArray, FloatArray], focal: float, pixel: float
) -> Iterator[TwoViews]:
    """The second camera from the first, by the essential matrix, and by a plane's homography if most points lie on one."""
    before, after = (np.ascontiguousarray(places / focal) for places in _shared(one, other)[:2])
    reach = 1.0 * pixel / focal
    for rotation, centre in [*_by_essential(before, after, reach), *_by_plane(before, after, reach)]:
        x, depth, angle = triangulate_pair(before, after, rotation, centre)
        seen = (x - centre) @ rotation.T
        error = np.linalg.norm(seen[:, :2] / np.maximum(seen[:, 2:], NEAREST) - after, axis=1)
        is_good = (depth > 0) & (seen[:, 2] > 0) & (error < 2 * reach)
        if is_good.sum() >= MIN_SHARED // 2:
            yield TwoViews(i, j, rotation, centre, float(is_good.sum()) * min(float(np.median(angle[is_good])), WIDE_ANGLE))


def _by_essential(before: FloatArray, after: FloatArray, reach: float) -> list[tuple[FloatArray, FloatArray]]:
    """Source: Nister 2004, "An efficient solution to the five-point relative pose problem"."""
    try:
        matrix, inliers = cv2.findEssentialMat(before, after, np.eye(3), cv2.RANSAC, 0.999, reach, 1000)
        if matrix is None or matrix.shape != (3, 3):
            return []
        _count, rotation, shift, _mask = cv2.recoverPose(matrix, before, after, np.eye(3), mask=inliers.copy())
    except cv2.error:
        return []
    turn: FloatArray = np.asarray(rotation, float)
    return [(turn, -(turn.T @ shift[:, 0]))]


def _by_plane(before: FloatArray, after: FloatArray, reach: float) -> list[tuple[FloatArray, FloatArray]]:
    """Source: Malis and Vargas 2007, "Deeper understanding of the homography decomposition"."""
    matrix, inliers = cv2.findHomography(before, after, cv2.USAC_MAGSAC, 2 * reach, maxIters=1000)
    if matrix is None or inliers.mean() < 0.5:
        return []
    _count, rotations, shifts, _normals = cv2.decomposeHomographyMat(matrix, np.eye(3))
    found: list[tuple[FloatArray, FloatArray]] = []
    for turn, shift in zip(np.asarray(rotations, float), np.asarray(shifts, float)[:, :, 0], strict=True):
        if np.linalg.norm(shift) > 1e-4:
            found.append((turn, -(turn.T @ shift) / np.linalg.norm(shift)))
    return found


def triangulate_pair(
    before: FloatArray, after: FloatArray, rotation: FloatArray, centre: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Points (N,3) in the first camera's axes, their depths (N,) there, and the angles (N,) rad between their lines of sight."""
    a = np.column_stack([before, np.ones(len(before))])
    b = np.column_stack([after, np.ones(len(after))]) @ rotation
    a, b = (line / np.linalg.norm(line, axis=1, keepdims=True) for line in (a, b))
    cosine = (a * b).sum(1)
    along = ((a @ centre) - cosine * (b @ centre)) / np.maximum(1 - cosine**2, 1e-9)
    points = along[:, None] * a
    return points, points[:, 2], np.arccos(np.clip(cosine, -1, 1))


def place_points(tracks: PointTracks, rotations: FloatArray, centres: FloatArray, is_placed: BoolArray, focal: float) -> Scene:
    """All points from where the placed (K,) cameras see them; the inverse distance is nan where these do not place a point.

    Source: the point with the least squared distance from its lines of sight.
    """
    used = np.flatnonzero(is_placed[tracks.frames])
    frames, points = tracks.frames[used], tracks.points[used]
    lines = np.column_stack([tracks.pixels[used] / focal, np.ones(len(used))])
    lines = (np.swapaxes(rotations[frames], 1, 2) @ (lines / np.linalg.norm(lines, axis=1, keepdims=True))[:, :, None])[:, :, 0]
    across = np.eye(3) - lines[:, :, None] * lines[:, None, :]
    matrix, right = np.zeros((tracks.num_points, 3, 3)), np.zeros((tracks.num_points, 3))
    np.add.at(matrix, points, across)
    np.add.at(right, points, (across @ centres[frames][:, :, None])[:, :, 0])
    mean = np.zeros((tracks.num_points, 3))
    np.add.at(mean, points, lines)
    count = np.maximum(np.bincount(points, minlength=tracks.num_points), 1)
    # The smallest eigenvalue of the mean is about the mean squared angle from the lines' mean direction.
    values = np.linalg.eigvalsh(matrix / count[:, None, None])
    places = np.linalg.solve(matrix + 1e-9 * np.eye(3), right[:, :, None])[:, :, 0]
    base = np.zeros((tracks.num_points, 3))
    base[points[::-1]] = centres[frames[::-1]]
    way = places - base
    distance = np.maximum(np.linalg.norm(way, axis=1), 1e-9)
    is_known = (count >= 2) & (values[:, 0] > (MIN_ANGLE / 2) ** 2) & ((way * mean).sum(1) > 0)
    mean /= np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-9)
    directions = np.where(is_known[:, None], way / distance[:, None], mean)
    return Scene(rotations, centres, base, directions, np.where(is_known, 1 / distance, np.nan), float(np.log(focal)))


class PathGrowth:
    """The key frames that are placed so far, and the points that they show."""

    def __init__(self, tracks: PointTracks, start: TwoViews, prior: tuple[float, float]) -> None:
        self._tracks, self._prior = tracks, prior
        rotations, centres = np.tile(np.eye(3), (tracks.num_frames, 1, 1)), np.zeros((tracks.num_frames, 3))
        rotations[start.second], centres[start.second] = start.rotation, start.centre
        self.is_placed = np.zeros(tracks.num_frames, bool)
        self.is_placed[[start.first, start.second]] = True
        self._first = start.first
        self.scene = self._adjust(place_points(tracks, rotations, centres, self.is_placed, float(np.exp(prior[0]))), 5)

    def grow(self, most: int | None = None) -> None:
        """Place all key frames that can be, or the first ones, `most` together."""
        failed: set[int] = set()
        settled = 2
        while True:
            frame = self._next(failed)
            if frame is None or (most is not None and self.is_placed.sum() >= most):
                return
            pose = self._resect(frame)
            if pose is None:
                failed.add(frame)
                continue
            self.scene.rotations[frame], self.scene.centres[frame] = pose
            self.is_placed[frame] = True
            failed.clear()
            self.scene = place_points(self._tracks, self.scene.rotations, self.scene.centres, self.is_placed, self.scene.focal)
            placed = int(self.is_placed.sum())
            if placed <= 5 or placed >= 1.25 * settled:
                self.scene, settled = self._adjust(self.scene, 4), placed

    def _known(self, frame: int) -> IntArray:
        """The observations of placed points in a frame."""
        own = np.flatnonzero(self._tracks.frames == frame)
        return own[np.isfinite(self.scene.inverse[self._tracks.points[own]])]

    def _next(self, failed: set[int]) -> int | None:
        """The frame that sees the most placed points."""
        known = np.isfinite(self.scene.inverse[self._tracks.points])
        counts = np.bincount(self._tracks.frames[known], minlength=self._tracks.num_frames)
        counts[self.is_placed] = 0
        counts[list(failed)] = 0
        best = int(counts.argmax())
        return best if counts[best] >= MIN_PLACED else None

    def _resect(self, frame: int) -> tuple[FloatArray, FloatArray] | None:
        """A camera (rotation, centre) from the placed points that it sees; the nearest placed frame's is the start."""
        own = self._known(frame)
        places = self.scene.places[self._tracks.points[own]]
        pixels = self._tracks.pixels[own] / self.scene.focal
        near = int(np.flatnonzero(self.is_placed)[np.abs(np.flatnonzero(self.is_placed) - frame).argmin()])
        turn = cv2.Rodrigues(self.scene.rotations[near])[0]
        shift = -(self.scene.rotations[near] @ self.scene.centres[near])[:, None]
        reach = START_REACH * self._tracks.pixel / self.scene.focal
        try:
            is_found, turn, shift, inliers = cv2.solvePnPRansac(
                places, pixels, np.eye(3), None, turn.copy(), shift.copy(), True, 200, reach, flags=cv2.SOLVEPNP_ITERATIVE
            )
            if not is_found or inliers is None or len(inliers) < max(MIN_PLACED, 0.4 * len(own)):
                return None
            chosen = inliers.ravel()
            turn, shift = cv2.solvePnPRefineLM(places[chosen], pixels[chosen], np.eye(3), None, turn, shift)
        except cv2.error:
            return None
        rotation: FloatArray = np.asarray(cv2.Rodrigues(turn)[0], float)
        return rotation, -(rotation.T @ shift[:, 0])

    def _adjust(self, scene: Scene, steps: int) -> Scene:
        """Adjust the placed frames and points; the pair of the start holds place and size."""
        return adjust_part(self._tracks, scene, self.is_placed, self._prior, steps, START_REACH, self._first)


def adjust_part(
    tracks: PointTracks, scene: Scene, is_placed: BoolArray, prior: tuple[float, float], steps: int, scale: float, first: int
) -> Scene:
    """A scene whose placed frames (K,) and points are adjusted, about the camera `first`; the others stay."""
    chosen = is_placed[tracks.frames] & np.isfinite(scene.inverse[tracks.points])
    if not chosen.any():
        return scene
    part, cameras, points = placed_part(tracks, chosen, is_placed, first)
    solved = adjust_scene(part, scene.some(cameras, points), prior, steps, scale)
    rotations, centres, base = scene.rotations.copy(), scene.centres.copy(), scene.base.copy()
    directions, inverse = scene.directions.copy(), scene.inverse.copy()
    rotations[cameras], centres[cameras] = solved.rotations, solved.centres
    base[points], directions[points], inverse[points] = solved.base, solved.directions, solved.inverse
    return Scene(rotations, centres, base, directions, inverse, solved.log_focal)


def placed_part(tracks: PointTracks, chosen: BoolArray, is_placed: BoolArray, first: int) -> tuple[PointTracks, IntArray, IntArray]:
    """The chosen (N,) observations with the numbers of the placed (K,) cameras, `first` first, and of their points; and these numbers."""
    cameras = np.append(first, np.setdiff1d(np.flatnonzero(is_placed), [first]))
    points, numbered = np.unique(tracks.points[chosen], return_inverse=True)
    number = np.zeros(len(is_placed), int)
    number[cameras] = np.arange(len(cameras))
    frames = number[tracks.frames[chosen]]
    part = PointTracks(frames, numbered, tracks.pixels[chosen], len(points), tracks.pixel, tracks.times[cameras], tracks.rate)
    return part, cameras, points
