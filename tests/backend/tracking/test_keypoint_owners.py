"""A keypoint belongs to one person: hands of others and hidden joints lose their confidence, touching hands keep it."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend.detection.detections import person_box
from blender_meshrec.backend.tracking.keypoint_owners import HIDDEN_CONFIDENCE, STOLEN_CONFIDENCE, give_keypoints_to_owners
from blender_meshrec.core.records import Observations
from blender_meshrec.core.skeletons import COCO17

TIMES = np.arange(60) / 30
AT = {name: row for row, name in enumerate(COCO17)}
FIGURE = {
    "nose": (0, -170), "left_eye": (4, -173), "right_eye": (-4, -173), "left_ear": (8, -172), "right_ear": (-8, -172),
    "left_shoulder": (20, -145), "right_shoulder": (-20, -145), "left_elbow": (30, -115), "right_elbow": (-30, -115),
    "left_wrist": (34, -88), "right_wrist": (-34, -88), "left_hip": (13, -95), "right_hip": (-13, -95), "left_knee": (14, -50),
    "right_knee": (-14, -50), "left_ankle": (15, -5), "right_ankle": (-15, -5),
}  # fmt: skip


def person(x, y=300.0, scale=1.0, **changes):
    """Somebody whose feet are at x (a number or (F,) px), y px; changes: joints at (F,2) px of the picture, nan where they are as usual."""
    points = np.zeros((60, 17, 3))
    points[..., :2] = np.array([FIGURE[name] for name in COCO17]) * scale
    points[..., 0] += np.broadcast_to(x, 60)[:, None]
    points[..., 1] += y
    points[..., 2] = 0.9
    for name, path in changes.items():
        points[:, AT[name], :2] = np.where(np.isfinite(path), path, points[:, AT[name], :2])
    boxes = np.array([person_box(row, "coco17") for row in points])
    return Observations("coco17", boxes, points, np.ones(60, bool), None)


def confidence(observations, name):
    return observations.keypoints[:, AT[name], 2]


def during(rows, path):
    """A path (F,2) px in some rows, nan elsewhere."""
    given = np.full((60, 2), np.nan)
    given[rows] = path[rows]
    return given


def test_a_wrist_on_somebody_elses_wrist_does_not_count():
    """For half a second the first one's left wrist is detected on the second one's right wrist, 45 px from where it hangs."""
    rows = slice(20, 35)
    second = person(145.0)
    first = person(60.0, left_wrist=during(rows, second.keypoints[:, AT["right_wrist"], :2]))
    one, other = give_keypoints_to_owners([first, second], TIMES)
    changed = confidence(one, "left_wrist") < 0.5
    assert changed[rows].all() and changed.sum() == 15 and confidence(one, "left_wrist")[rows].max() <= STOLEN_CONFIDENCE + 1e-6
    np.testing.assert_array_equal(other.keypoints, second.keypoints)


def test_hands_that_hold_each_other_keep_their_confidence():
    """Both arms reach out to the same place slowly, and stay there."""
    first, second = person(60.0), person(145.0)
    meet = np.array([102.5, 210.0])
    share = np.clip((TIMES - 0.3) / 0.5, 0, 1)[:, None]
    hands = [(1 - share) * one.keypoints[:, AT[name], :2] + share * meet for one, name in ((first, "left_wrist"), (second, "right_wrist"))]
    people = [person(60.0, left_wrist=hands[0]), person(145.0, right_wrist=hands[1])]
    for before, after in zip(people, give_keypoints_to_owners(people, TIMES), strict=True):
        np.testing.assert_array_equal(after.keypoints, before.keypoints)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_joints_behind_somebody_in_front_count_little(order):
    """The second one walks past in front, larger and with feet lower in the picture; whose keypoints stay as they are."""
    behind, front = person(100.0), person(np.linspace(0, 220, 60), y=345.0, scale=1.25)
    people = [behind, front]
    given = give_keypoints_to_owners([people[k] for k in order], TIMES)
    hidden, seen = given[order.index(0)], given[order.index(1)]
    np.testing.assert_array_equal(seen.keypoints, front.keypoints)
    middle = slice(26, 30)
    assert (confidence(hidden, "left_hip")[middle] <= HIDDEN_CONFIDENCE + 1e-6).all()
    assert (hidden.keypoints[:6, :, 2] > 0.8).all() and (hidden.keypoints[-8:, :, 2] > 0.8).all()
    np.testing.assert_array_equal(hidden.keypoints[..., :2], behind.keypoints[..., :2])


def squeezed(rows, share):
    """Somebody who walks up to x = 100 px, and away, and whose keypoints shrink about the head to a share in some rows in between."""
    walks = person(100.0 - 400 * np.maximum(np.abs(TIMES - 1) - 0.5, 0))
    points = np.array(walks.keypoints)
    head = points[rows, AT["nose"], None, :2]
    points[rows, :, :2] = head + share * (points[rows, :, :2] - head)
    return replace(walks, keypoints=points, boxes=np.array([person_box(row, "coco17") for row in points]))


@pytest.mark.parametrize(("share", "counts"), [(0.6, False), (0.95, True)])
def test_a_skeleton_squeezed_into_what_somebody_in_front_leaves_does_not_count(share, counts):
    """For a third of a second only the upper body looks out beside somebody in front, to whose height everything is fitted."""
    rows = slice(25, 35)
    behind, front = squeezed(rows, share), person(140.0, y=345.0, scale=1.25)
    hidden, seen = give_keypoints_to_owners([behind, front], TIMES)
    np.testing.assert_array_equal(seen.keypoints, front.keypoints)
    assert (hidden.keypoints[rows, AT["right_shoulder"], 2] > 0.8).all() == counts
    assert counts or (hidden.keypoints[rows, :, 2] <= STOLEN_CONFIDENCE + 1e-6).all()


def test_somebody_who_walks_away_beside_another_is_not_squeezed():
    """They are apart at first alone, so that nothing says how large somebody behind is later."""
    smaller = np.clip(1.4 - 0.4 * TIMES, 0.6, 1.0)[:, None, None]
    away, front = person(100.0), person(140.0 + 400 * np.maximum(0.5 - TIMES, 0), y=345.0, scale=1.25)
    points = np.array(away.keypoints)
    points[..., :2] = [100.0, 130.0] + smaller * (points[..., :2] - [100.0, 130.0])
    away = replace(away, keypoints=points, boxes=np.array([person_box(row, "coco17") for row in points]))
    given = give_keypoints_to_owners([away, front], TIMES)[0]
    assert (confidence(given, "right_shoulder") > 0.8).all()


def test_somebody_who_crouches_in_front_is_not_squeezed():
    crouching, behind = squeezed(slice(25, 35), 0.6), person(140.0, y=200.0)
    given = give_keypoints_to_owners([crouching, behind], TIMES)[0]
    np.testing.assert_array_equal(given.keypoints, crouching.keypoints)


def test_one_person_and_people_apart_stay():
    alone = person(100.0)
    assert give_keypoints_to_owners([alone], TIMES)[0] is alone
    for before, after in zip((alone, person(400.0)), give_keypoints_to_owners([alone, person(400.0)], TIMES), strict=True):
        np.testing.assert_array_equal(after.keypoints, before.keypoints)
