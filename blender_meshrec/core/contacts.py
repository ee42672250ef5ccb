"""Which heels and toes touch the ground, and when: from where they are and how fast they move, in metres and seconds."""

import numpy as np

from .time_series import interpolate_over_time, windowed_minimum

# A point slower than the first speed may touch, one faster than the second cannot; in between it is a matter of degree. m/s.
CONTACT_SPEEDS = (0.15, 0.5)
# The same for heights above the support, m. A heel that lifts while its toe stays is 3 cm up within a few hundredths.
CONTACT_HEIGHTS = (0.03, 0.10)
# A contact begins above the first score and ends below the second.
BEGIN_SCORE, END_SCORE = 0.6, 0.3
# The same of a network's sureness, which is a probability.
PROBABILITY_THRESHOLDS = 0.5, 0.4
# A point that moves faster than this, m/s, does not touch, however sure the network is; nor one that strays farther than this, m.
# Along the line of sight, where the network knows better than the 3D, both count by these shares.
NETWORK_MAX_SPEED, NETWORK_MAX_DRIFT = 0.85, 0.1
NETWORK_SPEED_DEPTH_WEIGHT, NETWORK_DRIFT_DEPTH_WEIGHT = 0.1, 0.05
# The support is as high as the lowest point within this much time either side, s: longer than half a jump's flight, so that
# nobody touches down in mid-air, shorter than it takes to come down from a box.
SUPPORT_HALF_WINDOW = 0.5
# Shorter contacts are chance, shorter breaks in one are noise, s. The flight of a skip takes 0.1 s.
MIN_CONTACT_DURATION, MIN_GAP_DURATION = 0.08, 0.07
# A foot at rest moves slower than this, m/s; the foot that carries is this much lower than one that does not, m; above this
# share a foot counts as carrying.
REST_SPEED, RAISED_HEIGHT, WEIGHT_BEARING_THRESHOLD = 0.4, 0.2, 0.3
# A point that has moved this far while it was thought to touch was not at rest, m across the line of sight; along it less is
# known, and it counts by the second share. While it is dragged on at more than this speed, m/s, it does not touch.
MAX_DRIFT, DRIFT_DEPTH_WEIGHT, DRAG_SPEED = 0.05, 0.2, 0.01
# Speed along the line of sight counts by this share: a single camera trembles in depth.
DEPTH_WEIGHT = 0.4
# Speeds are taken over this time, s, or from frame to frame where frames are farther apart.
SPEED_HALF_WINDOW = 0.05


def detect_contacts(points, timestamps, visible=None, camera=None):
    """Contacts of heels and toes with what they stand on: floor, box or step.

    Args:
        points: (F,4,3) m, z up: left heel, left toe, right heel, right toe, on the soles.
        timestamps: (F,) s. visible: (F,), or (F,4) for each point, or None for always. camera: (3,) m, where it stands, or None.

    Returns:
        (F,4) 0..1: above 0.5 the point touches. The part above or below 0.5 says how clearly. 0 where nobody is visible;
        a point that is hidden for less than MIN_GAP_DURATION while it touches goes on touching.
    """
    points = np.asarray(points, float)
    timestamps = np.asarray(timestamps, float)
    visible, present = _visibility_masks(visible, len(points))
    slow = _smoothstep_down(point_speeds(points, timestamps, camera), CONTACT_SPEEDS)
    low = _smoothstep_down(points[..., 2] - support_height(points, timestamps, present)[:, None], CONTACT_HEIGHTS)
    score = slow * low * visible
    touching = np.stack([_apply_hysteresis(score[:, k], timestamps) for k in range(points.shape[1])], 1) & present[:, None]
    for k in range(points.shape[1]):
        _release_drifting(touching[:, k], points[:, k], timestamps, camera)
    return np.where(touching, 0.5 + 0.5 * np.maximum(score, 0.01), 0.5 * np.minimum(score, 0.99))


def contacts_from_probabilities(probabilities, timestamps, visible=None, points=None, camera=None):
    """Contacts of how surely each of four points touches in each frame, as networks tell it: chance ones and short breaks left out.

    Args:
        probabilities: (F,4) 0..1. timestamps: (F,) s. visible: as of `detect_contacts`.
        points: (F,4,3) m, the soles, or None; while one is on its way somewhere it does not touch, whatever the network says.
        camera: (3,) m, where it stands, or None.

    Returns:
        (F,4) as of `detect_contacts`.
    """
    probabilities = np.asarray(probabilities, float)
    visible, present = _visibility_masks(visible, len(probabilities))
    score = probabilities * visible
    if points is not None:
        score = score * (point_speeds(points, timestamps, camera, NETWORK_SPEED_DEPTH_WEIGHT) < NETWORK_MAX_SPEED)
    touching = (
        np.stack([_apply_hysteresis(score[:, k], timestamps, PROBABILITY_THRESHOLDS) for k in range(score.shape[1])], 1) & present[:, None]
    )
    for k in range(score.shape[1] if points is not None else 0):
        _release_drifting(touching[:, k], points[:, k], timestamps, camera, NETWORK_MAX_DRIFT, NETWORK_DRIFT_DEPTH_WEIGHT)
    return np.where(touching, np.maximum(score, 0.505), np.minimum(score, 0.495))


def weight_bearing(points, timestamps, visible):
    """How far each of (F,4,3) soles carries its person, (F,4) 0..1: it is at rest, and none lies far below it.

    For when up is known only roughly, or feet lie askew; `detect_contacts` wants to know heights to centimetres. points: in
    m, z nearly up, seen by a camera at the origin.
    """
    speed = point_speeds(points, timestamps, camera=np.zeros(3))
    above = points[..., 2] - points[..., 2].min(1, keepdims=True)
    return np.exp(-((speed / REST_SPEED) ** 2) - above / RAISED_HEIGHT) * np.asarray(visible, bool)[:, None]


def point_speeds(points, timestamps, camera=None, depth_weight=DEPTH_WEIGHT):
    """How fast points (F,P,3) move, (F,P) m/s, over SPEED_HALF_WINDOW either side; movement towards `camera` (3,) is discounted."""
    if len(points) < 2:
        return np.zeros(points.shape[:2])
    reach = max(SPEED_HALF_WINDOW, float(np.median(np.diff(timestamps))) * 0.999)
    before, after = (np.clip(timestamps + way * reach, timestamps[0], timestamps[-1]) for way in (-1, 1))
    moved = interpolate_over_time(after, timestamps, points) - interpolate_over_time(before, timestamps, points)
    if camera is not None:
        sight = points - np.asarray(camera, float)
        sight /= np.maximum(np.linalg.norm(sight, axis=-1, keepdims=True), 1e-9)
        moved = moved - (1 - depth_weight) * (moved * sight).sum(-1, keepdims=True) * sight
    return np.linalg.norm(moved, axis=-1) / (after - before)[:, None]


def support_height(points, timestamps, visible):
    """The height (F,) m of the lowest of points (F,P,3) within SUPPORT_HALF_WINDOW seconds either side."""
    support = windowed_minimum(np.where(visible, points[..., 2].min(1), np.inf), timestamps, SUPPORT_HALF_WINDOW)
    return np.where(np.isfinite(support), support, 0.0)


def contact_runs(touching):
    """First and last-plus-one frames of the runs of True in (F,), (N,2) int."""
    edges = np.diff(np.concatenate([[0], np.asarray(touching).astype(np.int8), [0]]))
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)], 1)


def deadband(values, radius):
    """A path (F,C) that stays still while values (F,C) keep within a leash of it, and else is dragged along."""
    middle = np.median(values, 0)
    if (np.linalg.norm(values - middle, axis=-1) <= radius).all():
        return np.broadcast_to(middle, values.shape)
    path = np.empty_like(values)
    at = values[: max(1, len(values) // 4)].mean(0)
    for i, value in enumerate(values):
        off = value - at
        distance = np.linalg.norm(off)
        if distance > radius:
            at = at + off * (1 - radius / distance)
        path[i] = at
    return path


def _release_drifting(touching, points, timestamps, camera, max_drift=MAX_DRIFT, depth_weight=DRIFT_DEPTH_WEIGHT):
    """End contacts (F,), in place, while their point (F,3) is on its way somewhere, be it as slowly as a dancer's foot turns."""
    for first, last in contact_runs(touching):
        path = points[first:last]
        if camera is not None:
            sight = path.mean(0) - np.asarray(camera, float)
            sight /= np.maximum(np.linalg.norm(sight), 1e-9)
            path = path - (1 - depth_weight) * (path @ sight)[:, None] * sight
        kept = deadband(path, max_drift)
        moved = np.linalg.norm(np.diff(kept, axis=0), axis=-1) > DRAG_SPEED * np.diff(timestamps[first:last])
        touching[first:last] &= ~(np.append(moved, False) | np.insert(moved, 0, False))
    _flip_short_runs(touching, timestamps, True, MIN_CONTACT_DURATION)


def _visibility_masks(visible, frames):
    """In which frames points are visible, (F,1) or (F,4), and in which any is, (F,)."""
    visible = np.ones((frames, 1), bool) if visible is None else np.asarray(visible, bool).reshape(frames, -1)
    return visible, visible.any(1)


def _apply_hysteresis(score, timestamps, thresholds=(BEGIN_SCORE, END_SCORE)):
    """Where a score (F,) rose above the first of `thresholds` and has not yet fallen below the second, (F,) bool.

    Chance contacts and breaks are taken out.
    """
    begin, end = thresholds
    event = np.where(score >= begin, 1, np.where(score < end, -1, 0))
    # A contact that is clear in its middle has begun when the score left the end behind: go both ways from every clear frame.
    touching = (_hold_last_event(event) > 0) | (_hold_last_event(event[::-1])[::-1] > 0)
    _flip_short_runs(touching, timestamps, False, MIN_GAP_DURATION)
    _flip_short_runs(touching, timestamps, True, MIN_CONTACT_DURATION)
    return touching


def _flip_short_runs(touching, timestamps, state, min_duration):
    """Turn runs of a state in (F,) over, in place, that last less than so many seconds."""
    half = np.gradient(timestamps) / 2 if len(timestamps) > 1 else np.zeros(1)
    for first, last in contact_runs(touching == state):
        lasted = timestamps[last - 1] - timestamps[first] + half[first] + half[last - 1]
        # What the clip cuts off may have lasted longer.
        if first > 0 and last < len(touching) and lasted < min_duration:
            touching[first:last] = not state


def _hold_last_event(events):
    """Each frame's latest event that is not 0, (F,)."""
    latest = np.maximum.accumulate(np.where(events != 0, np.arange(len(events)), -1))
    return np.where(latest >= 0, events[latest], -1)


def _smoothstep_down(values, ends):
    """1 below the first of `ends`, 0 above the second, smooth in between."""
    share = np.clip((np.asarray(values) - ends[0]) / (ends[1] - ends[0]), 0, 1)
    return 1 - share * share * (3 - 2 * share)
