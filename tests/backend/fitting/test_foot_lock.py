"""Feet that stay where they touch: made-up people, wrong the way single-camera estimates are."""

import time

import numpy as np
import pytest

from blender_meshrec.backend.fitting.foot_lock import lock_feet
from blender_meshrec.backend.fitting.leg_kinematics import pose_legs
from blender_meshrec.backend.fitting.smoothing import smooth_whittaker
from blender_meshrec.core import metrics
from blender_meshrec.core.contacts import detect_contacts
from blender_meshrec.core.rotations import angle_between_rotmats, rotmat_from_rotvec
from tests.backend.fitting.test_leg_kinematics import SOLES
from tests.support import synthetic_gait
from tests.support.synthetic_template import REST

CAMERA = np.array([0.3, -6.0, 1.4])
MOTIONS = {
    "walk": lambda times: synthetic_gait.walk(times, turn=1.3),
    "squat": synthetic_gait.squat,
    "stand": synthetic_gait.stand,
    "jump": lambda times: synthetic_gait.jump(times, at=2.0),
}


def blurred(rng, times, count, cutoff):
    """Smooth noise of standard deviation 1, (F,count)."""
    noise = smooth_whittaker(rng.normal(size=(len(times), count)), times, cutoff)
    return noise / noise.std(0)


def misjudged(truth, seed=0):
    """Rotations and pelvis as a camera at CAMERA might see them: distances drift by 6 cm, joints turn by 2 degrees."""
    rng, times = np.random.default_rng(seed), truth.times
    sight = truth.pelvis - CAMERA
    sight /= np.linalg.norm(sight, axis=-1, keepdims=True)
    pelvis = truth.pelvis + 0.06 * blurred(rng, times, 1, 0.5) * sight + 0.005 * blurred(rng, times, 3, 2.0)
    turns = np.zeros((len(times), 24, 3))
    turns[:, [1, 2, 4, 5, 7, 8]] = 0.035 * blurred(rng, times, 18, 1.5).reshape(-1, 6, 3)
    return truth.rotmats @ rotmat_from_rotvec(turns), pelvis


def knees(legs):
    """Angles (F,2) rad between thigh and shin."""
    bones = np.diff(legs.joints[:, :, :3], axis=2)
    bones /= np.linalg.norm(bones, axis=-1, keepdims=True)
    return np.arccos(np.clip((bones[:, :, 0] * bones[:, :, 1]).sum(-1), -1, 1))


def pixels(points):
    moved = points - CAMERA
    return 1500 * moved[..., [0, 2]] / moved[..., 1:2]


@pytest.mark.parametrize("fps", [24, 60])
@pytest.mark.parametrize("motion", MOTIONS)
def test_locked_feet_neither_slide_nor_sink(motion, fps):
    times = np.arange(5 * fps) / fps
    truth = MOTIONS[motion](times)
    rotmats, pelvis = misjudged(truth)
    before = pose_legs(rotmats, pelvis, REST, SOLES)
    contacts = detect_contacts(before.points, times, camera=CAMERA)
    assert metrics.contact_f1(contacts, truth.contacts) > 0.75
    after = pose_legs(*lock_feet(rotmats, pelvis, REST, SOLES, contacts, times, CAMERA), REST, SOLES)
    assert metrics.foot_slide(before.points, contacts, times) > 3  # cm/s: there was something to do
    assert metrics.foot_slide(after.points, contacts, times) <= 1.0
    assert metrics.floor_penetration(after.points) <= 5.0  # mm
    assert np.abs(after.points[..., 2][contacts > 0.5]).max() < 0.005
    # Feet come nearer to where they truly were, and the picture hardly changes.
    errors = [np.linalg.norm(legs.points - truth.points, axis=-1)[truth.contacts > 0.5] for legs in (before, after)]
    assert np.mean(errors[1]) < 1.05 * np.mean(errors[0])
    moved = np.linalg.norm(pixels(after.joints) - pixels(before.joints), axis=-1)
    assert np.median(moved) < 0.02 * 1500 * 1.7 / 6  # of the person's height in the picture


@pytest.mark.parametrize("motion", MOTIONS)
def test_knees_do_not_pop(motion):
    """The fastest change of a knee's speed grows by no more than a natural one: rad/s within a thirtieth of a second."""
    times = np.arange(150) / 30
    truth = MOTIONS[motion](times)
    rotmats, pelvis = misjudged(truth, seed=1)
    before = pose_legs(rotmats, pelvis, REST, SOLES)
    locked = lock_feet(rotmats, pelvis, REST, SOLES, detect_contacts(before.points, times, camera=CAMERA), times, CAMERA)
    after = pose_legs(*locked, REST, SOLES)
    jolts = [np.abs(np.diff(knees(legs), 2, axis=0)).max() * 30 for legs in (before, after)]
    assert jolts[1] < jolts[0] + 4.0
    assert np.abs(knees(after) - knees(before)).max() < np.radians(40)
    assert (knees(after) >= 0).all()


def test_right_motion_is_left_alone():
    times = np.arange(150) / 30
    for motion in MOTIONS.values():
        truth = motion(times)
        rotmats, pelvis = lock_feet(truth.rotmats, truth.pelvis, REST, SOLES, truth.contacts, times, CAMERA)
        assert np.abs(pelvis - truth.pelvis).max() < 0.005  # m
        assert np.degrees(angle_between_rotmats(rotmats, truth.rotmats)).max() < 3


def test_without_contacts_only_the_floor_counts():
    times = np.arange(90) / 30
    truth = synthetic_gait.squat(times)
    rotmats, pelvis = lock_feet(truth.rotmats, truth.pelvis + [0, 0, 0.1], REST, SOLES, np.zeros((90, 4)), times, CAMERA)
    np.testing.assert_allclose(pelvis, truth.pelvis + [0, 0, 0.1], atol=1e-12)
    assert np.degrees(angle_between_rotmats(rotmats, truth.rotmats)).max() < 1e-4
    sunk = lock_feet(truth.rotmats, truth.pelvis - [0, 0, 0.1], REST, SOLES, np.zeros((90, 4)), times, CAMERA)
    assert pose_legs(*sunk, REST, SOLES).points[..., 2].min() > -0.001


def test_what_stands_on_a_box_stays_on_it():
    times = np.arange(90) / 30
    truth = synthetic_gait.stand(times)
    up = np.array([0, 0, 1.2])
    rotmats, pelvis = lock_feet(truth.rotmats, truth.pelvis + up, REST, SOLES, truth.contacts, times, CAMERA)
    heights = pose_legs(rotmats, pelvis, REST, SOLES).points[..., 2]
    np.testing.assert_allclose(heights, 1.2, atol=0.005)


def test_people_who_seem_to_float_are_settled_where_it_shows_least():
    """10 cm too high, seen by a camera above: moved away rather than down."""
    times = np.arange(90) / 30
    truth = synthetic_gait.stand(times)
    floating = truth.pelvis + [0, 0, 0.1]
    rotmats, pelvis = lock_feet(truth.rotmats, floating, REST, SOLES, truth.contacts, times, CAMERA)
    legs = pose_legs(rotmats, pelvis, REST, SOLES)
    assert np.abs(legs.points[..., 2]).max() < 0.005
    straight_down = pixels(truth.joints) - pixels(truth.joints + [0, 0, 0.1])
    moved = pixels(pelvis) - pixels(floating)
    assert np.abs(moved[:, 1]).mean() < 0.8 * np.abs(straight_down[:, 0, 1]).mean()


def test_one_frame_is_enough():
    truth = synthetic_gait.stand(np.zeros(1))
    rotmats, pelvis = lock_feet(truth.rotmats, truth.pelvis + [0, 0, 0.05], REST, SOLES, truth.contacts, truth.times, CAMERA)
    np.testing.assert_allclose(pose_legs(rotmats, pelvis, REST, SOLES).points[..., 2], 0, atol=0.005)


def test_locking_takes_less_than_a_millisecond_a_frame():
    times = np.arange(2000) / 30
    truth = synthetic_gait.stand(times)
    rotmats, pelvis = misjudged(truth)
    begun = time.process_time()
    lock_feet(rotmats, pelvis, REST, SOLES, truth.contacts, times, CAMERA)
    assert (time.process_time() - begun) / 2000 < 0.001
