"""Before the last phase of the solve, people are drawn to the ground over which they would hover; those who are in the air are not."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend.fitting.clip_solve.body_points import pose_points
from blender_meshrec.backend.fitting.clip_solve.missing_support import missing_support
from blender_meshrec.backend.fitting.clip_solve.solve_clip import solve_clip
from blender_meshrec.core.rotations import rotmat_from_rotvec
from tests.support.made_up_clips import AT, lie, squat, wrong_start

TIMES = np.arange(30) / 30
UP, REACH = np.array([0.0, 0.0, 1.0]), 0.2
# Feet at the origin, hands 1.2 m ahead, knees between; the centre of mass is 0.6 m ahead. In contact: the feet.
PLACES = np.array([[[0.0, 0.1, 0.0], [0.0, -0.1, 0.0], [0.5, 0.1, 0.1], [0.5, -0.1, 0.1], [1.2, 0.1, 0.1], [1.2, -0.1, 0.1]]])
FEET, KNEES, HANDS = [0, 1], [2, 3], [4, 5]
ASKED = np.array([[0.0, 0.0, 1.0, 1.0, 1.0, 1.0]])


def weights_of(touching, centre=(0.6, 0.0, 0.5), heights=None, places=PLACES):
    on_ground = np.zeros((1, 6))
    on_ground[0, touching] = 1.0
    heights = places[..., 2] if heights is None else np.array([heights])
    return missing_support(places, heights, on_ground, ASKED, np.array([centre]), UP, REACH)[0]


def test_what_would_keep_the_body_from_falling_is_missing():
    """Hands that hover ahead of a body that leans beyond its feet; not the knees behind its centre of mass."""
    weights = weights_of(FEET)
    assert weights[HANDS].min() > 0.7 and not weights[FEET + KNEES].any()


def test_nothing_is_missing_of_a_body_that_stands():
    assert not weights_of(FEET + HANDS).any()  # the knees of a push-up stay up
    assert not weights_of(FEET, centre=(0.0, 0.0, 0.9)).any()


def test_of_a_body_that_floats_the_lowest_parts_are_missing():
    weights = weights_of([], heights=[0.1, 0.1, 0.12, 0.12, 0.3, 0.3])
    assert weights[KNEES].min() > 0.6 and not weights[FEET].any() and weights[HANDS].max() < 0.01


def test_what_is_far_above_the_ground_does_not_bear():
    """Hands on a table."""
    assert weights_of(FEET, heights=[0.0, 0.0, 0.1, 0.1, 0.8, 0.8]).max() < 1e-6


def test_which_way_is_forward_does_not_matter():
    turn = rotmat_from_rotvec([0.0, 0.0, 1.1])
    turned = weights_of(FEET, centre=turn @ [0.6, 0.0, 0.5], places=PLACES @ turn.T)
    np.testing.assert_allclose(turned, weights_of(FEET), atol=0.05)


def test_a_lying_person_comes_down_on_a_floor_that_is_seen_askew(template):
    """Head to the far side, gravity off by 8 degrees: the heels would lie on the ground and the pelvis 15 cm above it."""
    clip = lie(template, TIMES)
    rotmats = clip.truth.rotmats.copy()
    rotmats[:, 0] = rotmat_from_rotvec(np.pi / 2 * clip.shared().up) @ rotmats[:, 0]
    clip = replace(clip, truth=replace(clip.truth, rotmats=rotmats))
    up = rotmat_from_rotvec([np.radians(8.0), 0.0, 0.0]) @ clip.shared().up
    joints = pose_points(clip.shape, clip.truth).rows[:, :24] @ up
    assert (joints[:, AT["pelvis"]] - joints.min(1)).min() > 0.15
    askew = replace(clip.shared(tilt_sigma=0.0), up=up, floor=float(-joints.min()))
    (solved,), world = solve_clip(template, [clip.evidence(clip.truth)], askew)
    pelvis = solved.body.transl + template.rest_joints(solved.body.betas)[0]
    assert pelvis @ world.up + solved.floor == pytest.approx(0.095, abs=0.035)  # m, of a pelvis that lies on its back


def test_nobody_is_drawn_down_who_is_in_the_air(template):
    """A jump of 15 cm, within reach of what is drawn to the ground, that the network knows to be one."""
    clip = squat(template, np.arange(60) / 30)
    flight = (clip.times > 0.8) & (clip.times < 1.2)
    lift = 0.15 * np.clip(1 - ((clip.times - 1.0) / 0.2) ** 2, 0, None)
    clip = replace(clip, truth=replace(clip.truth, pelvis=clip.truth.pelvis + lift[:, None] * clip.shared().up))
    contacts = np.repeat(np.where(flight, 0.0, 1.0)[:, None], 4, axis=1)
    evidence = clip.evidence(wrong_start(clip, depth=0.03), contacts=contacts)
    (solved,), world = solve_clip(template, [evidence], clip.shared(tilt_sigma=0.0))
    pelvis = solved.body.transl + template.rest_joints(solved.body.betas)[0]
    heights = pelvis @ world.up + solved.floor - clip.heights(clip.truth.pelvis)
    assert np.abs(heights[flight]).max() < 0.03
