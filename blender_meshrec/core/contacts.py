"""Ground contact of heels and toes, from their heights and speeds or from a network's probabilities."""

import numpy as np

from .array_types import ArrayLike, BoolArray, FloatArray, IntArray
from .time_series import interpolate_over_time, smoothstep, windowed_minimum

# A point slower than the first speed is at rest, one faster than the second is moving; in between the score falls. m/s.
CONTACT_SPEEDS = (0.15, 0.5)
# The same for heights above the support, m. A heel that lifts while its toe stays is 3 cm up within a few hundredths of a second.
CONTACT_HEIGHTS = (0.03, 0.10)
# A contact begins above the first score and ends below the second.
BEGIN_SCORE, END_SCORE = 0.6, 0.3
# The same for a network's contact probability.
PROBABILITY_THRESHOLDS = 0.5, 0.4
# A point that moves faster than this, m/s, or drifts farther than this, m, is not in contact, whatever the network's probability.
# Movement along the line of sight, which the network judges better than the 3D joints do, counts by these weights.
NETWORK_MAX_SPEED, NETWORK_MAX_DRIFT = 0.85, 0.1
NETWORK_SPEED_DEPTH_WEIGHT, NETWORK_DRIFT_DEPTH_WEIGHT = 0.1, 0.05
# The height of the support is that of the lowest point within this time on either side, s: longer than half of a jump's flight, so
# that no contact is found in mid-air, and shorter than stepping down from a box takes.
SUPPORT_HALF_WINDOW = 0.5
# Shorter contacts are chance, shorter gaps within a contact are noise, s. The flight phase of a skip takes 0.1 s.
MIN_CONTACT_DURATION, MIN_GAP_DURATION = 0.08, 0.07
# A foot at rest moves slower than this, m/s; a foot this much above the lowest one bears little weight, m; a foot whose
# weight-bearing score exceeds the threshold counts as loaded.
REST_SPEED, RAISED_HEIGHT, WEIGHT_BEARING_THRESHOLD = 0.4, 0.2, 0.3
# A point that drifts this far during a supposed contact was not at rest, m across the line of sight; movement along the line of
# sight is less certain and counts by the second number. While the point moves on at more than DRAG_SPEED, m/s, it is not in contact.
MAX_DRIFT, DRIFT_DEPTH_WEIGHT, DRAG_SPEED = 0.05, 0.2, 0.01
# Weight of speed along the line of sight: depth from a single camera is noisy.
DEPTH_WEIGHT = 0.4
# A foot rests on the floor up to the first height, m, and from the second one on a step, unless the other foot is this far lower.
FLOOR_HEIGHT, STEP_HEIGHT, OTHER_FOOT_LOWER = 0.06, 0.15, 0.1
# Speeds are taken over this time on either side, s, or from frame to frame where frames are farther apart.
SPEED_HALF_WINDOW = 0.05


def detect_contacts(
    points: ArrayLike, timestamps: ArrayLike, visible: ArrayLike | None = None, camera: ArrayLike | None = None
) -> FloatArray:
    """Contacts of heels and toes with their support: floor, box or step.

    Args:
        points: (F,4,3) m, z up, on the soles: left heel, left toe, right heel, right toe.
        timestamps: (F,) s.
        visible: (F,), or (F,4) for each point; None means always.
        camera: position (3,) m of the camera, or (F,3) of one that moves, or None.

    Returns:
        (F,4) 0..1: above 0.5 the point is in contact, and the distance from 0.5 is the certainty. 0 where the person is not
        visible; a contact goes on while its point is hidden for less than MIN_GAP_DURATION.
    """
    points = np.asarray(points, float)
    timestamps = np.asarray(timestamps, float)
    point_visible, any_visible = _visibility_masks(visible, len(points))
    slow = _smoothstep_down(point_speeds(points, timestamps, camera), CONTACT_SPEEDS)
    low = _smoothstep_down(points[..., 2] - support_height(points, timestamps, any_visible)[:, None], CONTACT_HEIGHTS)
    score = slow * low * point_visible
    touching = _apply_hysteresis(score, timestamps, (BEGIN_SCORE, END_SCORE)) & any_visible[:, None]
    _release_drifting(touching, points, timestamps, camera, MAX_DRIFT, DRIFT_DEPTH_WEIGHT)
    return np.where(touching, 0.5 + 0.5 * np.maximum(score, 0.01), 0.5 * np.minimum(score, 0.99))


def contacts_from_probabilities(
    probabilities: ArrayLike,
    timestamps: ArrayLike,
    visible: ArrayLike | None = None,
    points: FloatArray | None = None,
    camera: ArrayLike | None = None,
) -> FloatArray:
    """Contacts from a network's contact probabilities, without short contacts and short gaps.

    Args:
        probabilities: (F,4) 0..1. timestamps: (F,) s. visible: as for `detect_contacts`.
        points: (F,4,3) m, on the soles, or None; a point that moves along is not in contact, whatever its probability.
        camera: position (3,) m of the camera, or (F,3) of one that moves, or None.

    Returns:
        (F,4), as from `detect_contacts`.
    """
    probabilities, timestamps = np.asarray(probabilities, float), np.asarray(timestamps, float)
    point_visible, any_visible = _visibility_masks(visible, len(probabilities))
    score = probabilities * point_visible
    if points is not None:
        score = score * (point_speeds(points, timestamps, camera, NETWORK_SPEED_DEPTH_WEIGHT) < NETWORK_MAX_SPEED)
    touching = _apply_hysteresis(score, timestamps, PROBABILITY_THRESHOLDS) & any_visible[:, None]
    if points is not None:
        _release_drifting(touching, points, timestamps, camera, NETWORK_MAX_DRIFT, NETWORK_DRIFT_DEPTH_WEIGHT)
    return np.where(touching, np.maximum(score, 0.505), no_contacts(score))


def contacts_on_support(contacts: FloatArray, points: FloatArray, knees: FloatArray) -> FloatArray:
    """Contacts (F,4) without those of feet that hover over the floor or are held up while the other foot or a knee is lower.

    Args:
        contacts: (F,4), as from `detect_contacts`. points: (F,4,3) m, of the soles, floor at z = 0. knees: (F,2,3) m.
    """
    contacts, heights, lowest_knee = contacts.copy(), points[..., 2], knees[..., 2].min(1)
    for k in range(contacts.shape[1]):
        other = np.minimum(heights[:, [2, 3] if k < 2 else [0, 1]].min(1), lowest_knee)
        for first, last in contact_runs(contacts[:, k] > 0.5):
            height = float(np.median(heights[first:last, k]))
            is_raised = height > STEP_HEIGHT and float(np.median(other[first:last])) < height - OTHER_FOOT_LOWER
            if FLOOR_HEIGHT < height <= STEP_HEIGHT or is_raised:
                contacts[first:last, k] = no_contacts(contacts[first:last, k])
    return contacts


def no_contacts(contacts: FloatArray) -> FloatArray:
    """Scores of contacts that are none, however sure they were."""
    return np.minimum(contacts, 0.495)


def weight_bearing(points: FloatArray, timestamps: FloatArray, visible: ArrayLike) -> FloatArray:
    """Score 0..1 of how likely each sole point bears weight, (F,4): the point is at rest and no other point is far below it.

    For use before the up direction is known exactly; `detect_contacts` needs heights within centimetres.

    Args:
        points: (F,4,3) m, z roughly up, camera at the origin. timestamps: (F,) s. visible: (F,).
    """
    speed = point_speeds(points, timestamps, camera=np.zeros(3))
    above = points[..., 2] - points[..., 2].min(1, keepdims=True)
    return np.exp(-((speed / REST_SPEED) ** 2) - above / RAISED_HEIGHT) * np.asarray(visible, bool)[:, None]


def point_speeds(
    points: FloatArray, timestamps: FloatArray, camera: ArrayLike | None = None, depth_weight: float = DEPTH_WEIGHT
) -> FloatArray:
    """Speeds (F,P) m/s of points (F,P,3) over SPEED_HALF_WINDOW on either side.

    With `camera`, a position (3,) m, or (F,3) of one that moves, movement along the line of sight is scaled by `depth_weight`.
    """
    if len(points) < 2:
        return np.zeros(points.shape[:2])
    reach = max(SPEED_HALF_WINDOW, float(np.median(np.diff(timestamps))) * 0.999)
    before, after = (np.clip(timestamps + sign * reach, timestamps[0], timestamps[-1]) for sign in (-1, 1))
    moved = interpolate_over_time(after, timestamps, points) - interpolate_over_time(before, timestamps, points)
    if camera is not None:
        sight = points - np.asarray(camera, float).reshape(-1, 1, 3)
        sight /= np.maximum(np.linalg.norm(sight, axis=-1, keepdims=True), 1e-9)
        moved = moved - (1 - depth_weight) * (moved * sight).sum(-1, keepdims=True) * sight
    return np.linalg.norm(moved, axis=-1) / (after - before)[:, None]


def support_height(points: FloatArray, timestamps: FloatArray, visible: BoolArray) -> FloatArray:
    """Height (F,) m of the lowest of points (F,P,3) within SUPPORT_HALF_WINDOW on either side; only `visible` (F,) frames count."""
    support = windowed_minimum(np.where(visible, points[..., 2].min(1), np.inf), timestamps, SUPPORT_HALF_WINDOW)
    return np.where(np.isfinite(support), support, 0.0)


def contact_runs(touching: ArrayLike) -> IntArray:
    """First and last-plus-one frames of the runs of True in (F,), (N,2)."""
    edges = np.diff(np.concatenate([[0], np.asarray(touching).astype(np.int8), [0]]))
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)], 1)


def deadband(values: FloatArray, radius: float) -> FloatArray:
    """A path (F,C) that stays still while values (F,C) are within `radius` of it, and otherwise follows at that distance."""
    middle = np.median(values, 0)
    if (np.linalg.norm(values - middle, axis=-1) <= radius).all():
        return np.broadcast_to(middle, values.shape)
    path = np.empty_like(values)
    at = values[: max(1, len(values) // 4)].mean(0)
    for i, value in enumerate(values):
        offset = value - at
        distance = np.linalg.norm(offset)
        if distance > radius:
            at = at + offset * (1 - radius / distance)
        path[i] = at
    return path


def _release_drifting(
    touching: BoolArray, points: FloatArray, timestamps: FloatArray, camera: ArrayLike | None, max_drift: float, depth_weight: float
) -> None:
    """End contacts (F,4), in place, while their points (F,4,3) move along, however slowly (a dancer's foot that turns)."""
    for k in range(touching.shape[1]):
        for first, last in contact_runs(touching[:, k]):
            path = points[first:last, k]
            if camera is not None:
                sight = (path - np.broadcast_to(camera, points[:, k].shape)[first:last]).mean(0)
                sight /= np.maximum(np.linalg.norm(sight), 1e-9)
                path = path - (1 - depth_weight) * (path @ sight)[:, None] * sight
            steps = np.linalg.norm(np.diff(deadband(path, max_drift), axis=0), axis=-1)
            moved = steps > DRAG_SPEED * np.diff(timestamps[first:last])
            touching[first:last, k] &= ~(np.append(moved, False) | np.insert(moved, 0, False))
        _flip_short_runs(touching[:, k], timestamps, True, MIN_CONTACT_DURATION)


def _visibility_masks(visible: ArrayLike | None, num_frames: int) -> tuple[BoolArray, BoolArray]:
    """Visibility of each point, (F,1) or (F,4), and of any point, (F,)."""
    mask = np.ones((num_frames, 1), bool) if visible is None else np.asarray(visible, bool).reshape(num_frames, -1)
    return mask, np.any(mask, axis=1)


def _apply_hysteresis(scores: FloatArray, timestamps: FloatArray, thresholds: tuple[float, float]) -> BoolArray:
    """Contacts (F,P) of scores (F,P): from above the first threshold until below the second, without short contacts and gaps."""
    return np.stack([_threshold_with_hysteresis(score, timestamps, thresholds) for score in scores.T], 1)


def _threshold_with_hysteresis(score: FloatArray, timestamps: FloatArray, thresholds: tuple[float, float]) -> BoolArray:
    begin, end = thresholds
    event = np.where(score >= begin, 1, np.where(score < end, -1, 0))
    # A contact begins where the score leaves the lower threshold, so extend backwards too from every frame above the upper one.
    touching = (_hold_last_event(event) > 0) | (_hold_last_event(event[::-1])[::-1] > 0)
    _flip_short_runs(touching, timestamps, False, MIN_GAP_DURATION)
    _flip_short_runs(touching, timestamps, True, MIN_CONTACT_DURATION)
    return touching


def _flip_short_runs(touching: BoolArray, timestamps: FloatArray, state: bool, min_duration: float) -> None:
    """Invert, in place, the runs of `state` in (F,) that are shorter than `min_duration` seconds."""
    half_step = np.gradient(timestamps) / 2 if len(timestamps) > 1 else np.zeros(1)
    for first, last in contact_runs(touching == state):
        duration = timestamps[last - 1] - timestamps[first] + half_step[first] + half_step[last - 1]
        # A run that the clip cuts off may be longer than it seems.
        if first > 0 and last < len(touching) and duration < min_duration:
            touching[first:last] = not state


def _hold_last_event(events: IntArray) -> IntArray:
    """The latest nonzero event at or before each frame, (F,); -1 where there is none."""
    latest = np.maximum.accumulate(np.where(events != 0, np.arange(len(events)), -1))
    return np.where(latest >= 0, events[latest], -1)


def _smoothstep_down(values: FloatArray, ends: tuple[float, float]) -> FloatArray:
    """1 below the first of `ends`, 0 above the second, smooth in between."""
    return 1 - smoothstep((np.asarray(values) - ends[0]) / (ends[1] - ends[0]))
