"""Foot locking on synthetic performers with errors such as the whole-clip solve leaves, and larger ones."""

import time

import numpy as np
import pytest

from blender_meshrec.backend.fitting.smoothing import smooth_whittaker
from blender_meshrec.core import metrics
from blender_meshrec.core.contacts import detect_contacts
from blender_meshrec.core.foot_planting.foot_lock import MAX_PELVIS_SHIFT, lock_feet
from blender_meshrec.core.foot_planting.leg_kinematics import pose_legs
from blender_meshrec.core.rotations import angle_between_rotmats, rotmat_from_rotvec
from tests.core.foot_planting.test_leg_kinematics import SOLES
from tests.support import synthetic_gait
from tests.support.synthetic_template import REST

CAMERA = np.array([0.3, -6.0, 1.4])
MOTIONS = {
    "walk": lambda times: synthetic_gait.walk(times, turn=1.3),
    "squat": synthetic_gait.squat,
    "stand": synthetic_gait.stand,
    "jump": lambda times: synthetic_gait.jump(times, at=2.0),
}


def smooth_noise(rng, times, count, cutoff):
    """Smooth noise of standard deviation 1, (F,count)."""
    noise = smooth_whittaker(rng.normal(size=(len(times), count)), times, cutoff)
    return noise / noise.std(0)


def with_errors(truth, seed=0):
    """Rotations and pelvis as solved from CAMERA: the distance drifts by 2 cm, joints turn by 0.7 degrees."""
    rng, times = np.random.default_rng(seed), truth.times
    sight = truth.pelvis - CAMERA
    sight /= np.linalg.norm(sight, axis=-1, keepdims=True)
    pelvis = truth.pelvis + 0.02 * smooth_noise(rng, times, 1, 0.5) * sight + 0.002 * smooth_noise(rng, times, 3, 2.0)
    turns = np.zeros((len(times), 24, 3))
    turns[:, [1, 2, 4, 5, 7, 8]] = 0.012 * smooth_noise(rng, times, 18, 1.5).reshape(-1, 6, 3)
    return truth.rotmats @ rotmat_from_rotvec(turns), pelvis


def knee_angles(legs):
    """Angles (F,2) rad between thigh and shin."""
    bones = np.diff(legs.joints[:, :, :3], axis=2)
    bones /= np.linalg.norm(bones, axis=-1, keepdims=True)
    return np.arccos(np.clip((bones[:, :, 0] * bones[:, :, 1]).sum(-1), -1, 1))


def pixels(points):
    """Points (...,3) m of the world projected by a level camera at CAMERA, px."""
    moved = points - CAMERA
    return 1500 * moved[..., [0, 2]] / moved[..., 1:2]


@pytest.mark.parametrize("fps", [24, 60])
@pytest.mark.parametrize("motion", MOTIONS)
def test_locked_feet_neither_slide_nor_sink(motion, fps):
    times = np.arange(5 * fps) / fps
    truth = MOTIONS[motion](times)
    rotmats, pelvis = with_errors(truth)
    before = pose_legs(rotmats, pelvis, REST, SOLES)
    contacts = detect_contacts(before.points, times, camera=CAMERA)
    assert metrics.contact_f1(contacts, truth.contacts) > 0.9
    after = pose_legs(lock_feet(rotmats, pelvis, REST, SOLES, contacts, times, CAMERA)[0], pelvis, REST, SOLES)
    assert metrics.foot_slide(before.points, contacts, times) > 3  # cm/s: there is something to correct
    assert metrics.foot_slide(after.points, contacts, times) <= 1.0
    assert metrics.floor_penetration(after.points) <= 5.0  # mm
    assert np.abs(after.points[..., 2][contacts > 0.5]).max() < 0.005
    # Feet get closer to the truth, and the image hardly changes.
    errors = [np.linalg.norm(legs.points - truth.points, axis=-1)[truth.contacts > 0.5] for legs in (before, after)]
    assert np.mean(errors[1]) < 1.05 * np.mean(errors[0])
    moved = np.linalg.norm(pixels(after.joints) - pixels(before.joints), axis=-1)
    assert np.median(moved) < 0.02 * 1500 * 1.7 / 6  # 2 % of the person's height in the image


@pytest.mark.parametrize("motion", MOTIONS)
def test_knees_do_not_pop(motion):
    """The fastest change of a knee's speed grows by no more than a natural one, in rad/s within a thirtieth of a second."""
    times = np.arange(150) / 30
    truth = MOTIONS[motion](times)
    rotmats, pelvis = with_errors(truth, seed=1)
    before = pose_legs(rotmats, pelvis, REST, SOLES)
    locked = lock_feet(rotmats, pelvis, REST, SOLES, detect_contacts(before.points, times, camera=CAMERA), times, CAMERA)[0]
    after = pose_legs(locked, pelvis, REST, SOLES)
    jolts = [np.abs(np.diff(knee_angles(legs), 2, axis=0)).max() * 30 for legs in (before, after)]
    assert jolts[1] < jolts[0] + 4.0
    assert np.abs(knee_angles(after) - knee_angles(before)).max() < np.radians(40)
    assert (knee_angles(after) >= 0).all()


def test_correct_motion_hardly_changes():
    times = np.arange(150) / 30
    for motion in MOTIONS.values():
        truth = motion(times)
        rotmats = lock_feet(truth.rotmats, truth.pelvis, REST, SOLES, truth.contacts, times, CAMERA)[0]
        assert np.degrees(angle_between_rotmats(rotmats, truth.rotmats)).max() < 3


def test_without_contacts_feet_only_leave_the_floor():
    times = np.arange(90) / 30
    truth = synthetic_gait.squat(times)
    rotmats = lock_feet(truth.rotmats, truth.pelvis + [0, 0, 0.1], REST, SOLES, np.zeros((90, 4)), times, CAMERA)[0]
    assert np.degrees(angle_between_rotmats(rotmats, truth.rotmats)).max() < 1e-4
    sunk = lock_feet(truth.rotmats, truth.pelvis - [0, 0, 0.1], REST, SOLES, np.zeros((90, 4)), times, CAMERA)[0]
    assert pose_legs(sunk, truth.pelvis - [0, 0, 0.1], REST, SOLES).points[..., 2].min() > -0.001


def test_feet_on_a_box_stay_on_it():
    times = np.arange(90) / 30
    truth = synthetic_gait.stand(times)
    up = np.array([0, 0, 1.2])
    rotmats = lock_feet(truth.rotmats, truth.pelvis + up, REST, SOLES, truth.contacts, times, CAMERA)[0]
    heights = pose_legs(rotmats, truth.pelvis + up, REST, SOLES).points[..., 2]
    np.testing.assert_allclose(heights, 1.2, atol=0.005)


def test_out_of_reach_feet_come_as_near_as_the_legs_reach():
    """A body that floats by 10 cm stays where it is seen, on stretched legs."""
    times = np.arange(90) / 30
    truth = synthetic_gait.squat(times)
    floating = truth.pelvis + [0, 0, 0.1]
    before = pose_legs(truth.rotmats, floating, REST, SOLES)
    after = pose_legs(lock_feet(truth.rotmats, floating, REST, SOLES, truth.contacts, times, CAMERA)[0], floating, REST, SOLES)
    np.testing.assert_array_equal(after.joints[:, :, 0], before.joints[:, :, 0])  # the hips
    heights = after.points[..., 2]
    assert (heights > -0.001).all() and (heights < 0.11).all()
    assert np.abs(heights[truth.pelvis[:, 2] < 0.75]).max() < 0.005  # squatting, the legs reach; m
    assert np.degrees(knee_angles(after)).min() >= 0


def test_single_frame():
    truth = synthetic_gait.stand(np.zeros(1))
    pelvis = truth.pelvis - [0, 0, 0.05]
    rotmats = lock_feet(truth.rotmats, pelvis, REST, SOLES, truth.contacts, truth.times, CAMERA)[0]
    np.testing.assert_allclose(pose_legs(rotmats, pelvis, REST, SOLES).points[..., 2], 0, atol=0.005)


def test_contacts_far_below_the_floor_are_brought_up():
    """A person whose distance is wrong by a metre, seen from above, in the last third of the clip stands on the floor throughout."""
    times = np.arange(150) / 30
    truth = synthetic_gait.stand(times)
    camera, wrong = np.array([0.3, -5.0, 3.0]), slice(100, 150)
    sight = truth.pelvis - camera
    pelvis = truth.pelvis.copy()
    pelvis[wrong] += 1.0 * sight[wrong] / np.linalg.norm(sight[wrong], axis=-1, keepdims=True)
    contacts = truth.contacts.copy()
    contacts[98:102] = 0
    assert pose_legs(truth.rotmats, pelvis, REST, SOLES).points[wrong, :, 2].max() < -0.2  # m
    heights = pose_legs(lock_feet(truth.rotmats, pelvis, REST, SOLES, contacts, times, camera)[0], pelvis, REST, SOLES).points[..., 2]
    assert np.abs(heights[contacts > 0.5]).max() < 0.005 and heights.min() > -0.005


def test_locking_takes_less_than_a_millisecond_a_frame():
    times = np.arange(2000) / 30
    truth = synthetic_gait.stand(times)
    rotmats, pelvis = with_errors(truth)
    begun = time.process_time()
    lock_feet(rotmats, pelvis, REST, SOLES, truth.contacts, times, CAMERA)[0]
    assert (time.process_time() - begun) / 2000 < 0.001


def test_the_pelvis_meets_feet_that_stretch_nearly_straight_legs():
    """A standing body that hangs 1.5 cm too high: its feet are brought to the floor without stretching its knees to the stop."""
    truth = synthetic_gait.stand(np.arange(90) / 30)
    raised, rest = truth.pelvis + [0, 0, 0.015], (REST, SOLES, truth.contacts, truth.times, CAMERA)
    posed = pose_legs(truth.rotmats, raised, REST, SOLES)
    alone, unmoved = lock_feet(truth.rotmats, raised, *rest)
    met, pelvis = lock_feet(truth.rotmats, raised, *rest, max_pelvis_shift=MAX_PELVIS_SHIFT)
    legs = (posed, pose_legs(alone, unmoved, REST, SOLES), pose_legs(met, pelvis, REST, SOLES))
    bends = [np.degrees(knee_angles(of)).mean() for of in legs]
    assert bends[1] < 0.75 * bends[0] and bends[2] > bends[1] + 0.3 * (bends[0] - bends[1])
    assert np.abs(legs[2].points[..., 2]).max() < 0.005  # the feet are on the floor all the same
    lowered = (raised - pelvis)[:, 2]
    assert lowered.max() < 0.015 and lowered.min() > 0.003  # and the pelvis goes a part of the way
    np.testing.assert_array_equal(unmoved, raised)


def test_the_pelvis_stays_where_feet_need_nothing_and_goes_no_farther_than_it_may():
    truth = synthetic_gait.squat(np.arange(90) / 30)

    def shift(height, contacts):
        pelvis = truth.pelvis + [0, 0, height]
        _, held = lock_feet(truth.rotmats, pelvis, REST, SOLES, contacts, truth.times, CAMERA, max_pelvis_shift=0.03)
        return np.linalg.norm(held - pelvis, axis=-1).max()

    assert shift(0.0, truth.contacts) < 0.002
    assert shift(0.3, np.zeros((90, 4))) == 0
    assert 0.02 < shift(0.14, truth.contacts) <= 0.03 + 1e-9


def test_a_foot_beyond_reach_takes_the_pelvis_along():
    """One foot stands 2 cm farther below than its straight leg reaches, the other one well: both are held where they stand."""
    truth = synthetic_gait.stand(np.arange(90) / 30)
    posed = pose_legs(truth.rotmats, truth.pelvis, REST, SOLES)
    hips, ankles = posed.joints[:, :, 0], posed.joints[:, :, 2]
    length = float(np.linalg.norm(np.diff(posed.joints[0, 0, :3], axis=0), axis=-1).sum())
    reach = np.linalg.norm(ankles - hips, axis=-1).max()
    pelvis = truth.pelvis + [0, 0, length - reach + 0.02]
    contacts = truth.contacts * [1, 1, 0, 0]
    rotmats, held = lock_feet(truth.rotmats, pelvis, REST, SOLES, contacts, truth.times, CAMERA, max_pelvis_shift=MAX_PELVIS_SHIFT)
    assert np.abs(pose_legs(rotmats, held, REST, SOLES).points[:, :2, 2]).max() < 0.002
    alone, _ = lock_feet(truth.rotmats, pelvis, REST, SOLES, contacts, truth.times, CAMERA)
    assert np.abs(pose_legs(alone, pelvis, REST, SOLES).points[:, :2, 2]).min() > 0.01


def test_a_foot_that_wanders_off_is_not_held_by_a_wrong_contact():
    """For three seconds a toe is said to touch, while the whole body moves by 40 cm."""
    truth = synthetic_gait.stand(np.arange(90) / 30)
    pelvis = truth.pelvis + np.linspace(0, 0.4, 90)[:, None] * [1.0, 0, 0]
    contacts = np.zeros((90, 4))
    contacts[:, 1] = 1
    posed = pose_legs(truth.rotmats, pelvis, REST, SOLES)
    after = pose_legs(lock_feet(truth.rotmats, pelvis, REST, SOLES, contacts, truth.times, CAMERA)[0], pelvis, REST, SOLES)
    moved = np.linalg.norm(after.points[:, 1] - posed.points[:, 1], axis=-1)
    assert 0.05 < moved.max() < 0.11  # m, of up to 20
