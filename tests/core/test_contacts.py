"""Contacts of made-up people whose contacts are known."""

import numpy as np
import pytest

from blender_meshrec.core.contacts import contact_runs, contacts_from_probabilities, detect_contacts, point_speeds, support_height
from blender_meshrec.core.metrics import contact_f1
from blender_meshrec.backend.fitting.smoothing import smooth_positions
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
def test_contacts_are_found_in_noise_of_a_single_camera(fps):
    """1 cm of noise across the line of sight, 3 cm along it, smoothed as the pipeline does."""
    truth = synthetic_gait.walk(frames_of(6, fps))
    rng = np.random.default_rng(0)
    seen = smooth_positions(truth.points + rng.normal(size=truth.points.shape) * [0.01, 0.03, 0.01], truth.times)
    assert contact_f1(detect_contacts(seen, truth.times, camera=[0.0, -5.0, 1.0]), truth.contacts) > 0.9


@pytest.mark.parametrize("fps", RATES)
def test_nobody_touches_in_mid_air(fps):
    """Not even at the top of a jump, where feet stand still for a moment."""
    truth = synthetic_gait.jump(frames_of(4, fps), at=2.0, height=0.3)
    flight = truth.contacts.sum(1) == 0
    assert flight.any()
    assert not (detect_contacts(truth.points, truth.times)[flight] > 0.5).any()


def test_standing_on_a_box_is_standing_but_a_raised_foot_is_not():
    times = frames_of(4, 30)
    truth = synthetic_gait.stand(times)
    assert (detect_contacts(truth.points + [0, 0, 2.0], times) > 0.5).all()
    raised = truth.points.copy()
    raised[:, 2:, 2] += 0.25
    touching = detect_contacts(raised, times) > 0.5
    assert touching[:, :2].all() and not touching[:, 2:].any()


def test_uneven_timestamps_and_unseen_frames():
    rng = np.random.default_rng(1)
    times = np.sort(rng.uniform(0, 6, 250))
    truth = synthetic_gait.walk(times)
    assert contact_f1(detect_contacts(truth.points, times), truth.contacts) > 0.93
    visible = np.arange(250) % 50 < 40
    assert (detect_contacts(truth.points * visible[:, None, None], times, visible)[~visible] == 0).all()


def test_one_frame_and_two():
    for frames in (1, 2):
        truth = synthetic_gait.stand(np.arange(frames) / 30)
        assert (detect_contacts(truth.points, truth.times) > 0.5).all()


def test_speeds_are_metres_a_second_and_depth_counts_less():
    times = np.cumsum(np.random.default_rng(2).uniform(0.01, 0.04, 100))
    points = np.stack([times * 2.0, 0 * times, 0 * times], -1)[:, None]
    np.testing.assert_allclose(point_speeds(points, times), 2.0)
    np.testing.assert_allclose(point_speeds(points, times, camera=[-9.0, 0, 0]), 0.8)
    np.testing.assert_allclose(point_speeds(points, times, camera=[times[50] * 2.0, -1e6, 0]), 2.0, rtol=1e-4)


def test_support_is_the_lowest_point_nearby_in_time():
    rng = np.random.default_rng(3)
    times = np.sort(rng.uniform(0, 9, 200))
    points, visible = rng.normal(size=(200, 4, 3)), rng.uniform(size=200) < 0.9
    for i, height in enumerate(support_height(points, times, visible)):
        near = (np.abs(times - times[i]) <= 0.5) & visible
        assert height == points[near, :, 2].min()


def test_runs():
    np.testing.assert_array_equal(contact_runs([True, True, False, True]), [[0, 2], [3, 4]])
    assert contact_runs([False, False]).shape == (0, 2)


@pytest.mark.parametrize("fps", RATES)
def test_what_a_network_tells_loses_its_flicker(fps):
    """Noise about the threshold, single frames that are wrong: the contacts that were meant come out."""
    truth = synthetic_gait.walk(frames_of(6, fps))
    rng = np.random.default_rng(2)
    sureness = np.clip(0.5 + 0.4 * (2 * truth.contacts - 1) + rng.normal(0, 0.12, truth.contacts.shape), 0, 1)
    wrong = rng.random(sureness.shape) < (0.03 if fps > 12 else 0)  # one frame of ten a second may be a contact
    sureness = np.where(wrong, 1 - sureness, sureness)
    assert contact_f1(contacts_from_probabilities(sureness, truth.times), truth.contacts) > 0.97
    visible = truth.times < 3
    assert not contacts_from_probabilities(sureness, truth.times, visible)[~visible].any()


@pytest.mark.parametrize("told", [True, False])
def test_a_foot_that_is_hidden_for_a_frame_stands_on_and_one_that_shows_for_a_frame_does_not_stand(told):
    times = frames_of(4, 60)
    standing = synthetic_gait.stand(times).points
    visible = np.ones((len(times), 4), bool)
    visible[[40, 80, 81], 2:] = False
    visible[120:160, :2] = False
    visible[[130, 137, 138], :2] = True
    arguments = (np.full((len(times), 4), 0.9), times, visible, standing) if told else (standing, times, visible)
    touching = (contacts_from_probabilities if told else detect_contacts)(*arguments) > 0.5
    assert touching[:, 2:].all() and touching[:120].all() and not touching[120:160, :2].any()


def test_no_network_can_tell_that_a_moving_foot_rests():
    """Neither a foot in full swing nor one that creeps away; one that trembles rests all the same."""
    times = frames_of(4, 30)
    truth = synthetic_gait.stand(times)
    sure = np.full((len(times), 4), 0.9)
    for velocity in (1.2, 0.15):  # m/s
        moving = truth.points + velocity * times[:, None, None] * [1, 0, 0]
        assert (
            contacts_from_probabilities(sure, times, points=moving)[45:] < 0.5
        ).all()  # a creeping one is first given the benefit of the doubt
    trembling = truth.points + np.random.default_rng(3).normal(0, 0.005, truth.points.shape)
    assert (contacts_from_probabilities(sure, times, points=trembling) > 0.5).all()
