"""Swapped sides are put back; who is told right, or really turns, is left alone."""

import dataclasses

import numpy as np
import pytest

from blender_meshrec.backend.detection.detections import person_box
from blender_meshrec.backend.tracking.side_swaps import MIRRORED, RELABELLED, UNCHANGED, apply_hypothesis, correct_side_swaps
from blender_meshrec.core.records import Observations
from blender_meshrec.core.skeletons import KEYPOINT_SETS, limb_indices
from tests.support.synthetic_keypoints import animate_stick_figure, project_orthographic

FPS = 30
TIMES = np.arange(150) / FPS


def observed(metres, wrong=(), how=MIRRORED, depth=True, visible=None, noise=0.01):
    """Observations of a person whose sides are wrong in some frames, with noise in m on every point."""
    metres = metres + np.random.default_rng(0).normal(0, noise, metres.shape)
    keypoints = project_orthographic(metres, (600, 400))
    wrong = np.isin(np.arange(len(metres)), wrong)
    swapped = apply_hypothesis(keypoints, metres, how, "blazepose33")
    keypoints[wrong], metres[wrong] = swapped[0][wrong], swapped[1][wrong]
    visible = np.ones(len(metres), bool) if visible is None else visible
    boxes = np.array([person_box(points, "blazepose33") for points in keypoints]) * visible[:, None]
    return Observations(
        "blazepose33", boxes, keypoints * visible[:, None, None], visible, metres * visible[:, None, None] if depth else None
    )


def same(a, b):
    return np.array_equal(a.keypoints, b.keypoints) and (a.keypoints_3d is None or np.array_equal(a.keypoints_3d, b.keypoints_3d))


@pytest.mark.parametrize("how", [MIRRORED, RELABELLED])
def test_stretches_of_swapped_sides_are_put_back(how):
    walk = animate_stick_figure(TIMES, turn=0.4)
    wrong = [0, 1, *range(20, 35), 60, *range(90, 112), 149]
    assert same(correct_side_swaps(observed(walk, wrong, how), TIMES), observed(walk))


def test_a_third_of_the_frames_of_a_frontal_clip_is_put_back():
    walk = animate_stick_figure(TIMES)
    wrong = np.flatnonzero(np.random.default_rng(1).random(len(TIMES)) < 0.32)
    assert same(correct_side_swaps(observed(walk, wrong, RELABELLED), TIMES), observed(walk))


def test_who_stands_flat_before_the_camera_keeps_their_face():
    """Taken for somebody seen from behind: all joints in one plane, only the face is told on its other side."""
    names = KEYPOINT_SETS["blazepose33"].points
    nose, ears = names.index("nose"), [names.index("left_ear"), names.index("right_ear")]
    flat = animate_stick_figure(TIMES, pace=0.5)
    joints = limb_indices(names)
    flat[:, joints, 2] = -0.02 + 0.05 * (flat[:, joints, 2] - flat[:, joints, 2].mean())
    flat[:, nose, 2], flat[:, ears, 2] = -0.25, -0.13
    person = observed(flat, range(60, 80), RELABELLED)
    metres = np.array(person.keypoints_3d)
    metres[60:80, nose, 2] += 0.24
    mended = correct_side_swaps(dataclasses.replace(person, keypoints_3d=metres), TIMES)
    before_ears = mended.keypoints_3d[:, nose, 2] - mended.keypoints_3d[:, ears, 2].mean(1)
    assert (before_ears < -0.05).all()
    assert (mended.keypoints[:, ears[0], 0] > mended.keypoints[:, ears[1], 0]).mean() in (0.0, 1.0)


def test_without_depth_names_are_put_back():
    walk = animate_stick_figure(TIMES, turn=0.3)
    assert same(correct_side_swaps(observed(walk, range(40, 60), RELABELLED, depth=False), TIMES), observed(walk, depth=False))


@pytest.mark.parametrize("turn", [0.0, 1.57, 3.14])
def test_a_person_told_right_is_left_alone(turn):
    person = observed(animate_stick_figure(TIMES, turn=turn, pace=1.5))
    assert same(correct_side_swaps(person, TIMES), person)


def test_who_turns_round_is_left_alone():
    person = observed(animate_stick_figure(TIMES, turn=np.linspace(0, 4 * np.pi, len(TIMES))))
    assert same(correct_side_swaps(person, TIMES), person)


def test_low_and_uneven_rates_change_nothing_of_a_person_told_right():
    times = np.cumsum(np.random.default_rng(2).uniform(0.1, 0.4, 40))
    person = observed(animate_stick_figure(times, turn=np.cumsum(np.full(40, 0.7))))
    assert same(correct_side_swaps(person, times), person)


def test_frames_out_of_sight_stay_zero():
    visible = np.ones(len(TIMES), bool)
    visible[50:70] = False
    mended = correct_side_swaps(observed(animate_stick_figure(TIMES), range(30, 40), visible=visible), TIMES)
    assert same(mended, observed(animate_stick_figure(TIMES), visible=visible))
    assert not mended.keypoints[50:70].any()


@pytest.mark.parametrize("how", [UNCHANGED, MIRRORED, RELABELLED])
def test_every_reading_undoes_itself(how):
    metres = animate_stick_figure(TIMES[:5], turn=0.7)
    keypoints = project_orthographic(metres, (100, 200))
    twice = apply_hypothesis(*apply_hypothesis(keypoints, metres, how, "blazepose33"), how, "blazepose33")
    assert np.array_equal(twice[0], keypoints) and np.array_equal(twice[1], metres)
