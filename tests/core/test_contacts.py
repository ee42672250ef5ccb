"""Contacts of synthetic gaits whose contacts are known."""

import numpy as np
import pytest

from blender_meshrec.backend.fitting.smoothing import smooth_positions
from blender_meshrec.core.contacts import (
    contact_runs,
    contacts_from_probabilities,
    contacts_on_support,
    detect_contacts,
    point_speeds,
    support_height,
)
from blender_meshrec.core.metrics import contact_f1
from tests.support import synthetic_gait

RATES = [10, 24, 30, 60, 120]


def frames_of(seconds, fps):
    return np.arange(int(seconds * fps)) / fps


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize(
    "motion, least", [(synthetic_gait.walk, 0.92), (synthetic_gait.squat, 1.0), (synthetic_gait.stand, 1.0), (synthetic_gait.jump, 0.97)]
)
def test_contacts_are_found_at_every_frame_rate(motion, least, fps):
    truth = motion(frames_of(6, fps))
    assert contact_f1(detect_contacts(truth.points, truth.times), truth.contacts) >= least


@pytest.mark.parametrize("fps", [24, 60])
def test_contacts_are_found_despite_single_camera_noise(fps):
    """1 cm of noise across the line of sight, 3 cm along it, smoothed as in the pipeline."""
    truth = synthetic_gait.walk(frames_of(6, fps))
    rng = np.random.default_rng(0)
    smoothed = smooth_positions(truth.points + rng.normal(size=truth.points.shape) * [0.01, 0.03, 0.01], truth.times)
    assert contact_f1(detect_contacts(smoothed, truth.times, camera=[0.0, -5.0, 1.0]), truth.contacts) > 0.9


@pytest.mark.parametrize("fps", RATES)
def test_no_contact_in_mid_air(fps):
    """Also at the top of a jump, where the feet are momentarily at rest."""
    truth = synthetic_gait.jump(frames_of(4, fps), at=2.0, height=0.3)
    flight = truth.contacts.sum(1) == 0
    assert flight.any()
    assert not (detect_contacts(truth.points, truth.times)[flight] > 0.5).any()


def test_a_box_supports_contact_but_a_raised_foot_does_not():
    times = frames_of(4, 30)
    truth = synthetic_gait.stand(times)
    assert (detect_contacts(truth.points + [0, 0, 2.0], times) > 0.5).all()
    raised = truth.points.copy()
    raised[:, 2:, 2] += 0.25
    touching = detect_contacts(raised, times) > 0.5
    assert touching[:, :2].all() and not touching[:, 2:].any()


def test_contacts_with_uneven_timestamps_and_hidden_frames():
    rng = np.random.default_rng(1)
    times = np.sort(rng.uniform(0, 6, 250))
    truth = synthetic_gait.walk(times)
    assert contact_f1(detect_contacts(truth.points, times), truth.contacts) > 0.93
    visible = np.arange(250) % 50 < 40
    assert (detect_contacts(truth.points * visible[:, None, None], times, visible)[~visible] == 0).all()


def test_contacts_of_clips_of_one_or_two_frames():
    for frames in (1, 2):
        truth = synthetic_gait.stand(np.arange(frames) / 30)
        assert (detect_contacts(truth.points, truth.times) > 0.5).all()


def test_point_speeds_scale_movement_along_the_line_of_sight():
    times = np.cumsum(np.random.default_rng(2).uniform(0.01, 0.04, 100))
    points = np.stack([times * 2.0, 0 * times, 0 * times], -1)[:, None]
    np.testing.assert_allclose(point_speeds(points, times), 2.0)
    np.testing.assert_allclose(point_speeds(points, times, camera=[-9.0, 0, 0]), 0.8)
    np.testing.assert_allclose(point_speeds(points, times, camera=[times[50] * 2.0, -1e6, 0]), 2.0, rtol=1e-4)


def test_support_height_is_the_windowed_minimum():
    rng = np.random.default_rng(3)
    times = np.sort(rng.uniform(0, 9, 200))
    points, visible = rng.normal(size=(200, 4, 3)), rng.uniform(size=200) < 0.9
    for i, height in enumerate(support_height(points, times, visible)):
        near = (np.abs(times - times[i]) <= 0.5) & visible
        assert height == points[near, :, 2].min()


def test_contact_runs():
    np.testing.assert_array_equal(contact_runs([True, True, False, True]), [[0, 2], [3, 4]])
    assert contact_runs([False, False]).shape == (0, 2)


@pytest.mark.parametrize("fps", RATES)
def test_contacts_from_probabilities_have_no_flicker(fps):
    """Noise about the threshold and wrong single frames do not change the contacts."""
    truth = synthetic_gait.walk(frames_of(6, fps))
    rng = np.random.default_rng(2)
    probabilities = np.clip(0.5 + 0.4 * (2 * truth.contacts - 1) + rng.normal(0, 0.12, truth.contacts.shape), 0, 1)
    wrong = rng.random(probabilities.shape) < (0.03 if fps > 12 else 0)  # at 10 fps one frame may be a contact
    probabilities = np.where(wrong, 1 - probabilities, probabilities)
    assert contact_f1(contacts_from_probabilities(probabilities, truth.times), truth.contacts) > 0.97
    visible = truth.times < 3
    assert not contacts_from_probabilities(probabilities, truth.times, visible)[~visible].any()


@pytest.mark.parametrize("from_network", [True, False])
def test_short_visibility_changes_do_not_change_contacts(from_network):
    times = frames_of(4, 60)
    standing = synthetic_gait.stand(times).points
    visible = np.ones((len(times), 4), bool)
    visible[[40, 80, 81], 2:] = False
    visible[120:160, :2] = False
    visible[[130, 137, 138], :2] = True
    arguments = (np.full((len(times), 4), 0.9), times, visible, standing) if from_network else (standing, times, visible)
    touching = (contacts_from_probabilities if from_network else detect_contacts)(*arguments) > 0.5
    assert touching[:, 2:].all() and touching[:120].all() and not touching[120:160, :2].any()


def test_moving_feet_have_no_contact_despite_high_probability():
    """A swinging foot and a slowly drifting foot have no contact; a foot at rest with noisy positions has."""
    times = frames_of(4, 30)
    truth = synthetic_gait.stand(times)
    probabilities = np.full((len(times), 4), 0.9)
    for velocity in (1.2, 0.15):  # m/s
        moving = truth.points + velocity * times[:, None, None] * [1, 0, 0]
        # The drift of a slow foot must first exceed the tolerance.
        assert (contacts_from_probabilities(probabilities, times, points=moving)[45:] < 0.5).all()
    noisy = truth.points + np.random.default_rng(3).normal(0, 0.005, truth.points.shape)
    assert (contacts_from_probabilities(probabilities, times, points=noisy) > 0.5).all()


@pytest.mark.parametrize(
    "height, other, stays", [(0.0, 0.0, True), (0.05, 0.0, True), (0.1, 0.1, False), (0.3, 0.3, True), (0.3, 0.0, False)]
)
def test_feet_rest_on_the_floor_or_on_a_step(height, other, stays):
    """On the floor, or both on a step; not hovering 10 cm over the floor, nor held 30 cm above the foot that stands. m."""
    contacts, points = np.full((20, 4), 0.9), np.zeros((20, 4, 3))
    contacts[10:] = 0.1
    points[:, :2, 2], points[:, 2:, 2] = height, other
    knees = np.tile([0.0, 0.0, 0.5], (20, 2, 1))
    kept = contacts_on_support(contacts, points, knees)
    assert ((kept[:10, :2] > 0.5) == stays).all()
    assert (kept[10:] == 0.1).all() and (kept <= contacts).all()
    np.testing.assert_array_equal(contacts[:10], 0.9)  # the argument stays


def test_feet_that_are_held_up_over_knees_on_the_floor_do_not_stand():
    """Push-ups on the knees, both feet 45 cm up; on a box of that height the knees are higher."""
    contacts, points, knees = np.full((20, 4), 0.9), np.zeros((20, 4, 3)), np.zeros((20, 2, 3))
    points[..., 2], knees[..., 2] = 0.45, 0.06
    assert (contacts_on_support(contacts, points, knees) < 0.5).all()
    knees[..., 2] = 0.95
    assert (contacts_on_support(contacts, points, knees) == 0.9).all()


def test_a_camera_that_moves_along_sees_each_frame_by_its_own_line_of_sight():
    """A foot that moves away from a camera beside it moves along the line of sight of that frame, and only there."""
    times = np.arange(5) / 30
    points = np.tile(np.array([0.0, 3.0, 0.0]), (5, 1, 1)) + np.arange(5)[:, None, None] * [0.0, 0.02, 0.0]
    behind = np.zeros((5, 3))
    beside = points[:, 0] + [2.0, 0.0, 0.0]
    assert point_speeds(points, times, behind, 0.25) == pytest.approx(0.25 * point_speeds(points, times), rel=1e-6)
    assert point_speeds(points, times, beside, 0.25) == pytest.approx(point_speeds(points, times), rel=1e-6)
    assert point_speeds(points, times, np.zeros(3), 0.25) == pytest.approx(point_speeds(points, times, behind, 0.25))
    touching = [detect_contacts(np.repeat(0 * points, 4, 1), times, None, camera) for camera in (np.ones(3), np.ones((5, 3)))]
    assert (touching[0] == touching[1]).all()
