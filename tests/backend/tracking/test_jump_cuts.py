"""Jump cuts are found where the picture changes at once and nobody goes on."""

import numpy as np
import pytest

from blender_meshrec.backend.detection.detections import Detection
from blender_meshrec.backend.tracking.jump_cuts import jump_rows
from blender_meshrec.backend.tracking.tracker import Tracker
from blender_meshrec.core.skeletons import KEYPOINT_SETS

FRAMES, JUMP = 40, 20
CHANGES = np.array([np.nan, *np.full(FRAMES - 1, 2.0)])
SPIKE = np.where(np.arange(FRAMES) == JUMP, 9.0, CHANGES)
LOOK = np.linspace(0, 1, 24)


def standing_at(x):
    """A detection of somebody of 200 px whose feet are at (x, 300)."""
    points = KEYPOINT_SETS["coco17"].points
    heights = {"hip": 200, "knee": 250, "ankle": 300, "shoulder": 130, "elbow": 165, "wrist": 200}
    keypoints = np.ones((len(points), 3))
    for number, point in enumerate(points):
        height = next((height for name, height in heights.items() if point.endswith(name)), 105)
        keypoints[number, :2] = x + (15 if "left" in point else -15), height
    return Detection(keypoints, None, 0.9, LOOK)


def tracked(*places):
    """A tracker of people who are at (x,) px in each frame, nan where they are not found."""
    tracker = Tracker("coco17")
    for row in range(FRAMES):
        tracker.update(row, row / 30, [standing_at(place[row]) for place in places if np.isfinite(place[row])])
    return tracker


def at(before, behind, missing=0):
    """Places (F,) of somebody who is elsewhere from the jump on, and found again so many frames later."""
    places = np.where(np.arange(FRAMES) < JUMP, before, behind).astype(float)
    places[JUMP : JUMP + missing] = np.nan
    return places


@pytest.mark.parametrize("missing", [0, 6])
def test_somebody_who_is_elsewhere_at_once_is_one_person(missing):
    tracker = tracked(at(150, 420, missing))
    assert tracker.jumps(SPIKE) == [JUMP]
    (person,) = tracker.people([JUMP])
    assert person.visible.sum() == FRAMES - missing


def test_a_picture_that_changes_while_people_go_on_is_no_jump():
    assert tracked(at(150, 150)).jumps(SPIKE) == []
    assert tracked(at(150, 420), at(600, 600)).jumps(SPIKE) == []
    walking = 100 + 5.0 * np.arange(FRAMES)
    assert tracked(walking).jumps(SPIKE) == []


def test_people_who_are_lost_in_a_picture_that_goes_on_tell_no_jump():
    assert tracked(at(150, 420)).jumps(CHANGES) == []
    assert tracked(at(150, np.nan)).jumps(np.full(FRAMES, np.nan)) == []


def test_a_cut_to_another_shot_is_no_jump_cut():
    tracker = Tracker("coco17")
    for row, place in enumerate(at(150, 420)):
        if row == JUMP:
            tracker.cut()
        tracker.update(row, row / 30, [standing_at(place)])
    assert tracker.jumps(SPIKE) == [] and len(tracker.people()) == 1


def test_nobody_before_it_tells_no_jump():
    assert jump_rows(SPIKE, []) == []
