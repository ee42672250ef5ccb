"""Swapped sides are corrected; correct sides, and people who really turn round, are not changed."""

import dataclasses

import numpy as np
import pytest

from blender_meshrec.backend.detection.detections import person_box
from blender_meshrec.backend.tracking.side_swaps import (
    LEGS_RELABELLED,
    MIRRORED,
    RELABELLED,
    UNCHANGED,
    apply_hypothesis,
    correct_side_swaps,
)
from blender_meshrec.core.records import Observations
from blender_meshrec.core.skeletons import KEYPOINT_SETS, limb_indices
from tests.support.synthetic_keypoints import animate_stick_figure, project_orthographic

FPS = 30
TIMES = np.arange(150) / FPS


def make_observations(points, swapped_rows=(), hypothesis=MIRRORED, depth=True, visible=None, noise=0.01):
    """Observations of points (F,33,3) m with swapped sides in some rows, and with noise in m on every point."""
    points = points + np.random.default_rng(0).normal(0, noise, points.shape)
    keypoints = project_orthographic(points, (600, 400))
    is_swapped = np.isin(np.arange(len(points)), swapped_rows)
    swapped = apply_hypothesis(keypoints, points, hypothesis, "blazepose33")
    keypoints[is_swapped], points[is_swapped] = swapped[0][is_swapped], swapped[1][is_swapped]
    visible = np.ones(len(points), bool) if visible is None else visible
    boxes = np.array([person_box(person, "blazepose33") for person in keypoints]) * visible[:, None]
    return Observations(
        "blazepose33", boxes, keypoints * visible[:, None, None], visible, points * visible[:, None, None] if depth else None
    )


def is_same(a, b):
    return np.array_equal(a.keypoints, b.keypoints) and (a.keypoints_3d is None or np.array_equal(a.keypoints_3d, b.keypoints_3d))


@pytest.mark.parametrize("hypothesis", [MIRRORED, RELABELLED])
def test_intervals_of_swapped_sides_are_corrected(hypothesis):
    walk = animate_stick_figure(TIMES, turn=0.4)
    swapped_rows = [0, 1, *range(20, 35), 60, *range(90, 112), 149]
    assert is_same(correct_side_swaps(make_observations(walk, swapped_rows, hypothesis), TIMES), make_observations(walk))


def test_legs_that_are_exchanged_alone_are_corrected():
    walk = animate_stick_figure(TIMES, turn=0.4)
    swapped_rows = [*range(20, 26), 60, 100, 101, 149]
    assert is_same(correct_side_swaps(make_observations(walk, swapped_rows, LEGS_RELABELLED), TIMES), make_observations(walk))


def test_scattered_swaps_in_a_frontal_clip_are_corrected():
    walk = animate_stick_figure(TIMES)
    swapped_rows = np.flatnonzero(np.random.default_rng(1).random(len(TIMES)) < 0.32)
    assert is_same(correct_side_swaps(make_observations(walk, swapped_rows, RELABELLED), TIMES), make_observations(walk))


def test_a_person_with_coplanar_joints_is_corrected_by_the_face():
    """Detected as seen from behind: all joints are in one plane, and only the face is on the wrong side."""
    names = KEYPOINT_SETS["blazepose33"].points
    nose, ears = names.index("nose"), [names.index("left_ear"), names.index("right_ear")]
    flat = animate_stick_figure(TIMES, pace=0.5)
    joints = limb_indices(names)
    flat[:, joints, 2] = -0.02 + 0.05 * (flat[:, joints, 2] - flat[:, joints, 2].mean())
    flat[:, nose, 2], flat[:, ears, 2] = -0.25, -0.13
    person = make_observations(flat, range(60, 80), RELABELLED)
    keypoints_3d = np.array(person.keypoints_3d)
    keypoints_3d[60:80, nose, 2] += 0.24
    corrected = correct_side_swaps(dataclasses.replace(person, keypoints_3d=keypoints_3d), TIMES)
    nose_from_ears = corrected.keypoints_3d[:, nose, 2] - corrected.keypoints_3d[:, ears, 2].mean(1)
    assert (nose_from_ears < -0.05).all()
    assert (corrected.keypoints[:, ears[0], 0] > corrected.keypoints[:, ears[1], 0]).mean() in (0.0, 1.0)


def test_exchanged_names_are_corrected_without_depth():
    walk = animate_stick_figure(TIMES, turn=0.3)
    assert is_same(
        correct_side_swaps(make_observations(walk, range(40, 60), RELABELLED, depth=False), TIMES), make_observations(walk, depth=False)
    )


@pytest.mark.parametrize("turn", [0.0, 1.57, 3.14])
def test_correct_sides_are_not_changed(turn):
    person = make_observations(animate_stick_figure(TIMES, turn=turn, pace=1.5))
    assert is_same(correct_side_swaps(person, TIMES), person)


def test_a_person_who_turns_round_is_not_changed():
    person = make_observations(animate_stick_figure(TIMES, turn=np.linspace(0, 4 * np.pi, len(TIMES))))
    assert is_same(correct_side_swaps(person, TIMES), person)


def test_correct_sides_are_not_changed_at_uneven_rates():
    times = np.cumsum(np.random.default_rng(2).uniform(0.1, 0.4, 40))
    person = make_observations(animate_stick_figure(times, turn=np.cumsum(np.full(40, 0.7))))
    assert is_same(correct_side_swaps(person, times), person)


def test_frames_without_the_person_remain_zero():
    visible = np.ones(len(TIMES), bool)
    visible[50:70] = False
    corrected = correct_side_swaps(make_observations(animate_stick_figure(TIMES), range(30, 40), visible=visible), TIMES)
    assert is_same(corrected, make_observations(animate_stick_figure(TIMES), visible=visible))
    assert not corrected.keypoints[50:70].any()


@pytest.mark.parametrize("hypothesis", [UNCHANGED, MIRRORED, RELABELLED, LEGS_RELABELLED])
def test_every_hypothesis_is_its_own_inverse(hypothesis):
    points = animate_stick_figure(TIMES[:5], turn=0.7)
    keypoints = project_orthographic(points, (100, 200))
    twice = apply_hypothesis(*apply_hypothesis(keypoints, points, hypothesis, "blazepose33"), hypothesis, "blazepose33")
    assert np.array_equal(twice[0], keypoints) and np.array_equal(twice[1], points)
