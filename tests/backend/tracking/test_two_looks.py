"""The keypoints of two networks are joined: by how sure the second one is, with the detector's sides, and what hangs on a joint follows."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend.detection.detections import person_box
from blender_meshrec.backend.tracking.side_swaps import LEGS_RELABELLED, apply_hypothesis, correct_side_swaps
from blender_meshrec.backend.tracking.two_looks import SECOND_SHARE, join_looks, looks_around
from blender_meshrec.core.records import Observations
from blender_meshrec.core.skeletons import COCO17, KEYPOINT_SETS
from tests.support.synthetic_keypoints import animate_stick_figure, project_orthographic

TIMES = np.arange(90) / 30
NAMES = KEYPOINT_SETS["blazepose33"].index
SHARED = [NAMES[name] for name in COCO17]


def walker(shift=(6.0, -4.0), confidence=0.5):
    """Somebody who walks; the second look sees everything shifted by some px, with a confidence."""
    keypoints = project_orthographic(animate_stick_figure(TIMES, turn=0.4), (600, 400))
    second = keypoints[:, SHARED].copy()
    second[..., :2] += shift
    second[..., 2] = confidence
    boxes = np.array([person_box(found, "blazepose33") for found in keypoints])
    return Observations("blazepose33", boxes, keypoints, np.ones(len(keypoints), bool), second_look=second)


def test_a_sure_second_look_counts_by_its_share_and_moves_heels_and_fingers_along():
    seen = walker()
    joined = join_looks(seen, TIMES)
    moved = joined.keypoints[..., :2] - seen.keypoints[..., :2]
    expected = SECOND_SHARE * np.array([6.0, -4.0])
    for name in ("left_knee", "right_ankle", "right_heel", "left_big_toe", "left_thumb", "nose"):
        assert moved[:, NAMES[name]] == pytest.approx(np.tile(expected, (len(moved), 1)), abs=1e-3), name
    assert not moved[:, NAMES["mouth_left"]].any()
    assert joined.second_look is None
    assert joined.boxes == pytest.approx(seen.boxes + np.tile(expected, 2), abs=4)


@pytest.mark.parametrize(("second", "weight", "confidence"), [(0.05, 0.0, 0.55), (0.225, 0.5, 0.725), (0.9, 1.0, 1.0)])
def test_an_unsure_second_look_counts_less_and_tells_that_both_are_unsure(second, weight, confidence):
    seen = walker(confidence=second)
    sure = np.array(seen.keypoints)
    sure[..., 2] = 1.0
    joined = join_looks(replace(seen, keypoints=sure), TIMES)
    knee = NAMES["left_knee"]
    assert (joined.keypoints - sure)[:, knee, 0] == pytest.approx(weight * SECOND_SHARE * 6.0, abs=1e-3)
    assert joined.keypoints[:, knee, 2] == pytest.approx(confidence, abs=1e-3)


def test_frames_without_a_look_nearby_are_as_before():
    seen = walker()
    second, visible = np.array(seen.second_look), np.ones(len(seen), bool)
    second[10:30], visible[15:25] = 0, False
    keypoints = seen.keypoints * visible[:, None, None]
    joined = join_looks(replace(seen, keypoints=keypoints, boxes=seen.boxes * visible[:, None], visible=visible, second_look=second), TIMES)
    assert np.array_equal(joined.keypoints[14], keypoints[14]) and np.array_equal(joined.keypoints[25], keypoints[25])
    assert (joined.keypoints[[9, 12, 27, 30], NAMES["left_knee"], 0] - keypoints[[9, 12, 27, 30], NAMES["left_knee"], 0]).min() > 3
    assert not joined.keypoints[15:25].any() and not joined.boxes[15:25].any()
    assert np.array_equal(join_looks(joined, TIMES).keypoints, joined.keypoints)


def test_looks_are_interpolated_over_time_and_nothing_is_taken_from_another_shot():
    values = np.zeros((7, 1))
    values[[0, 3, 6], 0] = 1.0, 4.0, 5.5
    looked, times = np.isin(np.arange(7), (0, 3, 6)), np.array([0, 1, 2, 3, 4, 4.5, 5]) / 30
    looks = looks_around(looked, times, np.zeros(7, int))
    assert looks.is_known.all() and not looks.is_one_sided.any()
    assert looks.mix(values)[:, 0] == pytest.approx([1, 2, 3, 4, 4.75, 5.125, 5.5])
    looks = looks_around(looked, times, np.array([0, 0, 0, 1, 1, 2, 2]))
    assert looks.mix(values)[:, 0] == pytest.approx([1, 1, 1, 4, 4, 5.5, 5.5]) and looks.is_known.all()
    assert looks.is_one_sided.tolist() == [False, True, True, False, True, True, False]
    assert looks_around(looked, times * 10, np.zeros(7, int)).is_known.tolist() == looked.tolist()
    assert not looks_around(np.zeros(7, bool), times, np.zeros(7, int)).is_known.any()


def test_what_trembles_between_two_looks_is_the_detectors_share_alone_and_after_the_last_look_its_own_movement_goes_on():
    seen = walker((0.0, 0.0))
    second, shaken = np.array(seen.second_look), np.array(seen.keypoints)
    second[1::2] = 0
    shaken[1::2, NAMES["left_elbow"], 0] += 10
    joined = join_looks(replace(seen, keypoints=shaken, second_look=second), TIMES)
    left = (joined.keypoints - seen.keypoints)[1::2, NAMES["left_elbow"], 0]
    assert left[:-1] == pytest.approx(10 * (1 - SECOND_SHARE), abs=1)
    assert left[-1] == pytest.approx(10, abs=1e-3)  # frame 89, after the look at 88


def test_looks_in_between_go_along_with_a_camera_that_shakes():
    """A camera that shakes by 5 px, with a look in every third frame: keypoints lie where they would in front of one that stands."""
    shake = 5 * np.random.default_rng(4).normal(size=(len(TIMES), 1, 2))
    looked = (np.arange(len(TIMES)) % 3 == 0)[:, None, None]
    joined = []
    for way in (0 * shake, shake):
        seen, moved = walker(), np.concatenate([way, 0 * way[..., :1]], -1)
        filmed = replace(seen, keypoints=seen.keypoints + moved, second_look=(seen.second_look + moved) * looked)
        joined.append(join_looks(filmed, TIMES).keypoints[:, SHARED, :2] - way)
    assert np.abs(joined[1] - joined[0]).max() < 1e-3


def test_a_second_look_that_exchanges_the_legs_is_joined_with_the_detectors_sides():
    seen = walker((0.0, 0.0))
    order = [COCO17.index(name.replace("left", "R").replace("right", "left").replace("R", "right")) for name in COCO17[11:]]
    second = np.array(seen.second_look)
    second[30:40, 11:] = second[30:40][:, order]
    joined = join_looks(replace(seen, second_look=second), TIMES)
    apart = np.linalg.norm((joined.keypoints - seen.keypoints)[..., :2], axis=-1)
    assert apart.max() < 0.01 * (seen.boxes[:, 3] - seen.boxes[:, 1]).max()


def test_the_second_look_tells_which_sides_are_right_where_movement_does_not():
    """The detector calls the legs of a whole clip by each other's names: nothing leaps."""
    seen = walker((0.0, 0.0))
    exchanged = apply_hypothesis(np.array(seen.keypoints), None, LEGS_RELABELLED, "blazepose33")[0]
    wrong = replace(seen, keypoints=exchanged)
    assert np.array_equal(correct_side_swaps(replace(wrong, second_look=None), TIMES).keypoints, wrong.keypoints)
    corrected = correct_side_swaps(wrong, TIMES).keypoints
    apart = np.linalg.norm((exchanged - seen.keypoints)[..., :2], axis=-1).max(1) > 0.1 * (seen.boxes[:, 3] - seen.boxes[:, 1])
    assert apart.mean() > 0.3
    assert np.array_equal(corrected[apart], seen.keypoints[apart])
