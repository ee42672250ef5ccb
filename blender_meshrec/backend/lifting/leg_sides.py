"""Legs whose sides a detector exchanges while they pass each other: of somebody who runs, the leg in front is always called the right one.

Neighbouring frames do not show it (tracking/side_swaps.py): of legs that pass each other fast, each is as near to the other one's place as
to its own. Nor do they where it ends, if each leg leaps to the other one's place in a single frame: what was before may be as wrong as what
is behind. Between two such rows both legs get the other side if their knees and ankles then go on as they came, and if the lifter is surer
of them so. Either alone is wrong too often.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np

from ...core.array_types import BoolArray, FloatArray, IntArray
from ...core.records import Observations
from ...core.skeletons import H36M17
from ...methods import skeleton2mesh
from ..clip import Clip
from ..detection.detections import body_size, person_box
from ..devices import run_with_cpu_fallback
from ..tracking.side_swaps import LEGS_RELABELLED, apply_hypothesis

# Legs pass each other where their knees and ankles are nearest to each other, and nearer than this, body sizes.
PASSING_DISTANCE = 0.2
LEAP = 0.12  # body sizes, by which knees and ankles are nearer to where the other leg was in the frame before
# How the legs go on is seen within this time, s, before and after such a row, in at least so many frames each. In the frame itself a
# detector sees a mixture of both.
AROUND_TURN, MIN_FRAMES = 0.105, 2
# By how much smoother legs go on if exchanged, body sizes, and how much surer the lifter is of their knees and ankles then.
MIN_SMOOTHER, MIN_SURER = 0.025, 0.04
MARGIN = 3  # frames on either side of an interval in which the lifter is asked, too
CONTEXT = 60  # frames on either side that the lifter sees for that
_SIDES = [[H36M17.index(f"{side}_{joint}") for joint in ("knee", "ankle")] for side in ("left", "right")]

Spread = Callable[[Observations, FloatArray], FloatArray]


def give_legs_their_sides(clip: Clip) -> None:
    """Exchange people's legs, in the steady view and in the footage, where a detector has exchanged them."""

    def spread(seen: Observations, times: FloatArray) -> FloatArray:
        """How far off the lifter expects knees and ankles to be, (F,) m; nan if its weights do not say."""
        lifted = run_with_cpu_fallback(partial(skeleton2mesh.estimate, seen, clip.intrinsics, times), clip.device, clip.warnings.append)
        legs = [joint for side in _SIDES for joint in side]
        return np.full(len(seen), np.nan) if lifted.spread is None else np.asarray(lifted.spread[:, legs], float).mean((1, 2))

    for person in clip.people:
        for rows in exchanged_intervals(person.steady, clip.motion_times, spread):
            person.steady, person.observations = (with_exchanged_legs(seen, rows) for seen in (person.steady, person.observations))


def exchanged_intervals(seen: Observations, times: FloatArray, spread: Spread) -> list[IntArray]:
    """The rows of each interval in which the legs have each other's sides.

    Args:
        seen: one person of F frames. times: (F,) s. spread: how far off knees and ankles, (F,), are expected to be.
    """
    legs = legs_in_body_sizes(seen)
    turns = sorted({*passing_rows(legs, seen.visible), *leaping_rows(legs, seen.visible)})
    if not turns:
        return []
    rows = np.flatnonzero(seen.visible)
    gains = {row: _smoothness_gained(legs, seen, times, row) for row in turns}
    intervals = list(pairwise([int(rows[0]), *turns, int(rows[-1]) + 1]))
    smoother = {interval: sum(gains.get(row, 0.0) for row in interval) for interval in intervals}
    found: list[tuple[int, int]] = []
    for interval in sorted(intervals, key=lambda interval: -smoother[interval]):
        is_beside_another = any(row in other for row in interval if row in gains for other in found)
        if smoother[interval] > MIN_SMOOTHER and not is_beside_another and _is_surer(seen, times, interval, spread):
            found.append(interval)
    return [np.arange(*interval) for interval in sorted(found)]


def passing_rows(legs: FloatArray, visible: BoolArray) -> list[int]:
    """The rows in which legs (2,F,2,2), of `legs_in_body_sizes`, pass each other. visible: (F,)."""
    left, right = legs
    apart = np.where(visible, np.linalg.norm(left - right, axis=-1).mean(-1), np.inf)
    before, here, behind = apart[:-2], apart[1:-1], apart[2:]
    is_passing = (here < PASSING_DISTANCE) & (here <= before) & (here < behind) & np.isfinite(before) & np.isfinite(behind)
    return [int(row) for row in 1 + np.flatnonzero(is_passing)]


def leaping_rows(legs: FloatArray, visible: BoolArray) -> list[int]:
    """The rows in which each of the legs (2,F,2,2), of `legs_in_body_sizes`, is nearer to where the other one was. visible: (F,)."""
    here, before = legs[:, 1:], legs[:, :-1]
    own, other = (np.linalg.norm(here - legs_before, axis=-1).mean((0, 2)) for legs_before in (before, before[::-1]))
    return [int(row) for row in 1 + np.flatnonzero((own - other > LEAP) & visible[1:] & visible[:-1])]


def with_exchanged_legs(seen: Observations, rows: IntArray) -> Observations:
    """Observations in which the legs have each other's sides in some rows."""
    changed, changed_3d = apply_hypothesis(seen.keypoints, seen.keypoints_3d, LEGS_RELABELLED, seen.keypoint_set)
    keypoints, keypoints_3d = np.array(seen.keypoints), None
    keypoints[rows] = changed[rows]
    if changed_3d is not None:
        keypoints_3d = np.array(seen.keypoints_3d)
        keypoints_3d[rows] = changed_3d[rows]
    return replace(seen, keypoints=keypoints, keypoints_3d=keypoints_3d)


def legs_in_body_sizes(seen: Observations) -> FloatArray:
    """Knees and ankles (2,F,2,2) of the left and the right leg, in the person's median body size."""
    sizes = [body_size(person_box(points, seen.keypoint_set)) for points in seen.keypoints[seen.visible]]
    points = seen.joint_points[..., :2].astype(float) / (np.median(sizes) if sizes else 1.0)
    return np.stack([points[:, joints] for joints in _SIDES])


def _smoothness_gained(legs: FloatArray, seen: Observations, times: FloatArray, turn: int) -> float:
    """How much nearer, body sizes, knees and ankles are to parabolas over time if the legs behind a row are exchanged."""
    near = np.flatnonzero(seen.visible & (np.abs(times - times[turn]) <= AROUND_TURN))
    before, behind = near[near < turn], near[near > turn]
    if min(len(before), len(behind)) < MIN_FRAMES:
        return 0.0
    powers = np.vander(times[np.concatenate([before, behind])] - times[turn], 3)

    def off_parabola(sides: Sequence[int]) -> float:
        """Of the left and the right leg, if they go on as the legs of these sides."""
        paths = np.concatenate([legs[:, before], legs[list(sides)][:, behind]], 1)
        values = np.moveaxis(paths, 1, 0).reshape(len(powers), -1)
        return 2 * float(np.abs(values - powers @ np.linalg.lstsq(powers, values, rcond=None)[0]).mean())

    return off_parabola((0, 1)) - off_parabola((1, 0))


def _is_surer(seen: Observations, times: FloatArray, interval: tuple[int, int], spread: Spread) -> bool:
    """Whether the lifter is surer of the knees and ankles of an interval if they are exchanged there."""
    first, last = max(interval[0] - CONTEXT, 0), min(interval[1] + CONTEXT, len(seen))
    part, rows = seen.between(first, last), np.arange(first, last)
    exchanged = with_exchanged_legs(part, np.arange(*interval) - first)
    asked = part.visible & (rows >= interval[0] - MARGIN) & (rows < interval[1] + MARGIN)
    kept, other = (spread(each, times[rows])[asked].mean() for each in (part, exchanged))
    return bool(other < (1 - MIN_SURER) * kept)
