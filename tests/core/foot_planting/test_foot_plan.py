"""The plan of one foot: what touches keeps its place, what is flat is flat, nothing is in the floor, and the rest is as posed."""

import numpy as np
import pytest

from blender_meshrec.core.axis_rotations import rotation_about_axis
from blender_meshrec.core.contacts import contact_runs
from blender_meshrec.core.foot_planting.foot_plan import FootPlan, FootShape, PlanOptions, PosedFoot, step_heights
from blender_meshrec.core.rotations import rotmat_from_rotvec

FRAMES = 90
TIMES = np.arange(FRAMES) / 30
UP = np.array([0.0, 0, 1])


def make_shape(tilt=0.0, **changes):
    """A foot of 20 cm whose ball is 2 cm above its heel, in a rest pose turned by `tilt` rad about y and 0.4 about z."""
    upright = {"to_heel": [-0.05, 0.0, -0.09], "to_ball": [0.15, 0.01, -0.07], "to_tip": [0.22, 0.0, -0.09], "forward": [1.0, 0.2, 0]}
    rest_from_upright = rotation_about_axis(UP, 0.4) @ rotation_about_axis([0, 1.0, 0], tilt)
    vectors = {name: rest_from_upright @ np.array(vector) for name, vector in upright.items()}
    return FootShape(**{**vectors, "upright_from_rest": rest_from_upright.T, **changes})


def posed(shape, rng, contacts, noise=0.1):
    """A foot that moves forward and rolls a little, at random."""
    wander = rng.normal(size=(FRAMES, 3)).cumsum(0) * 0.003 + np.linspace(0, 0.3, FRAMES)[:, None] * [1, 0.2, 0] + [0, 0, 0.12]
    turn = rotmat_from_rotvec(noise * np.sin(TIMES[:, None] * [2.0, 3.0, 1.0] + rng.uniform(0, 3, 3)))
    delta = turn @ rotation_about_axis(UP, 0.3 + 0.2 * np.sin(TIMES)) @ shape.upright_from_rest
    return PosedFoot(shape, wander, delta, contacts)


def touching(*spans):
    contacts = np.zeros((FRAMES, 2), bool)
    for point, first, last in spans:
        contacts[first:last, point] = True
    return contacts


CONTACTS = {
    "flat": touching((0, 20, 50), (1, 20, 50)),
    "heel, flat, ball": touching((0, 15, 45), (1, 25, 60)),
    "heel alone": touching((0, 20, 40)),
    "ball alone": touching((1, 20, 40)),
    "twice": touching((0, 10, 30), (1, 15, 35), (0, 50, 70), (1, 60, 85)),
    "to the end": touching((0, 60, 90), (1, 70, 90)),
    "never": touching(),
}
OPTIONS = PlanOptions(fade_time=0.3)


def contact_points(shape, ankle, rotation):
    return np.stack([ankle + rotation @ vector for vector in (shape.to_heel, shape.to_ball)], 1)


@pytest.mark.parametrize("tilt", [0.0, 0.7])
@pytest.mark.parametrize("name", CONTACTS)
def test_what_touches_stays_in_one_place_on_the_floor(name, tilt):
    rng = np.random.default_rng(3)
    shape = make_shape(tilt)
    foot = posed(shape, rng, CONTACTS[name])
    plan = FootPlan(foot, TIMES, PlanOptions(fade_time=0.3, min_step_height=1.0))
    planted = foot.ankle + plan.correction
    points = contact_points(shape, planted, plan.rotation)
    for k, height in ((0, 0.0), (1, shape.ball_height)):
        for first, last in contact_runs(plan.contacts[:, k]):
            np.testing.assert_allclose(points[first:last, k], np.broadcast_to(points[first, k], (last - first, 3)), atol=1e-9)
            np.testing.assert_allclose(points[first:last, k, 2], height, atol=1e-9)
    flat = plan.contacts.all(1)
    np.testing.assert_allclose((plan.rotation @ shape.upright_from_rest.T)[flat] @ UP, np.broadcast_to(UP, (flat.sum(), 3)), atol=1e-9)
    assert np.array_equal(plan.supported, plan.contacts.any(1)) and not plan.correction[~plan.supported].any()
    np.testing.assert_allclose(plan.ankle_target(np.zeros((FRAMES, 3)))[plan.supported], planted[plan.supported], atol=1e-9)
    lone = plan.contacts.sum(1) == 1
    assert (points[lone, 0, 2] >= -1e-9).all() and (points[lone, 1, 2] >= shape.ball_height - 1e-9).all()
    far = plan.contact_proximity == 0
    np.testing.assert_allclose(plan.rotation[far], foot.delta[far], atol=1e-9)
    assert (plan.contact_proximity[plan.supported] == 1).all() and (name == "to the end" or far.any())


def test_a_shift_of_the_root_moves_the_rest_and_not_what_touches():
    shape = make_shape()
    foot = posed(shape, np.random.default_rng(4), CONTACTS["heel, flat, ball"])
    plan = FootPlan(foot, TIMES, OPTIONS)
    shift = np.broadcast_to([0.05, -0.02, 0.01], (FRAMES, 3))
    still, moved = plan.ankle_target(np.zeros((FRAMES, 3))), plan.ankle_target(shift)
    np.testing.assert_allclose(moved[plan.supported], still[plan.supported], atol=1e-9)
    far = plan.contact_proximity == 0
    np.testing.assert_allclose(moved[far], foot.ankle[far] + shift[far], atol=1e-9)
    eased = FootPlan(foot, TIMES, PlanOptions(fade_time=0.3, settle_time=0.1)).ankle_target(shift)
    np.testing.assert_allclose(eased[plan.supported], still[plan.supported], atol=1e-9)
    assert not np.allclose(eased, moved) and np.allclose(eased[:, 2], moved[:, 2])


@pytest.mark.parametrize("tilt", [0.0, 0.5])
@pytest.mark.parametrize("heading", [-2.0, 0.0, 1.0])
def test_headings_are_those_of_a_flat_foot(tilt, heading):
    shape = make_shape(tilt)
    angles = heading + np.linspace(0, 7, FRAMES)
    found = shape.headings(shape.flat_rotation(angles))
    np.testing.assert_allclose(np.diff(found), np.diff(angles), atol=1e-9)
    np.testing.assert_allclose((found - angles + np.pi) % (2 * np.pi), np.pi, atol=1e-9)
    np.testing.assert_allclose(shape.flat_heel_to_ball(heading), (rotation_about_axis(UP, heading) @ [0.2, 0.01, 0.02])[:2], atol=1e-12)
    assert shape.ball_height == pytest.approx(0.02)


def test_points_of_the_foot_that_must_stay_above_the_floor():
    shape = make_shape()
    assert [height for _, height in shape.ground_points()] == [0.0, pytest.approx(0.02), 0.0]
    assert len(make_shape(to_tip=None).ground_points()) == 2
    plan = FootPlan(posed(shape, np.random.default_rng(5), CONTACTS["never"], noise=0.0), TIMES, PlanOptions(fade_time=0.3, floor=0.05))
    for height, depth in ((0.14, 0.0), (0.13, 0.01), (0.0, 0.14)):
        np.testing.assert_allclose(plan.penetration_depth(np.tile([0, 0, height], (FRAMES, 1))), depth, atol=1e-9)
    slanted = FootPlan(
        posed(shape, np.random.default_rng(5), CONTACTS["never"], noise=0.0),
        TIMES,
        PlanOptions(0.3, floor=0.5),
        None,
        np.array([0.5, 0, 1]),
    )
    lift = slanted.ankle_target(np.zeros((FRAMES, 3))) - slanted.ankle
    assert lift[:, 2].max() > 0.1
    np.testing.assert_allclose(lift[:, 0], 0.5 * lift[:, 2], atol=1e-12)


def test_a_foot_in_the_air_is_lifted_out_of_the_floor():
    shape = make_shape()
    foot = posed(shape, np.random.default_rng(6), CONTACTS["never"])
    low = PosedFoot(shape, foot.ankle - [0, 0, 0.05] * np.sin(TIMES * 2)[:, None] ** 2, foot.delta, foot.contacts)
    target = FootPlan(low, TIMES, OPTIONS).ankle_target(np.zeros((FRAMES, 3)))
    heights = [(target + low.delta @ vector)[:, 2] - rest for vector, rest in shape.ground_points()]
    assert np.min(heights) > -1e-9 and (target[:, 2] >= low.ankle[:, 2]).all()
    np.testing.assert_allclose(target[:, :2], low.ankle[:, :2], atol=1e-12)


def test_ground_that_is_given_or_measured():
    shape = make_shape()
    foot = posed(shape, np.random.default_rng(7), CONTACTS["twice"])
    raised = PosedFoot(shape, foot.ankle + [0, 0, 0.4], foot.delta, foot.contacts)
    ground = np.linspace(0.1, 0.2, FRAMES)
    points = {}
    for name, plan in (
        ("given", FootPlan(raised, TIMES, OPTIONS, ground)),
        ("measured", FootPlan(raised, TIMES, PlanOptions(0.3, min_step_height=0.1))),
        ("floor", FootPlan(raised, TIMES, PlanOptions(0.3, min_step_height=1.0, floor=-0.1))),
    ):
        points[name] = contact_points(shape, plan.ankle + plan.correction, plan.rotation)[:, 0, 2]
        held = plan.contacts[:, 0]
        if name == "given":
            np.testing.assert_allclose(points[name][held], ground[held], atol=1e-9)
        elif name == "floor":
            np.testing.assert_allclose(points[name][held], -0.1, atol=1e-9)
        else:
            assert np.abs(points[name][held] - 0.4).max() < 0.1 and all(
                np.ptp(points[name][first:last]) < 1e-9 for first, last in contact_runs(plan.contacts.all(1))
            )


@pytest.mark.parametrize("least, expected", [(0.0, [0, 0.3, 0.3, 0.3, 0, 0.1]), (0.2, [0, 0.3, 0.3, 0.3, 0, 0]), (0.3, [0, 0, 0, 0, 0, 0])])
def test_steps_are_medians_above_the_least_height(least, expected):
    heights = np.array([9, 0.2, 0.3, 0.4, 9, 0.1])
    np.testing.assert_allclose(step_heights(heights, np.array([0, 1, 1, 1, 0, 1], bool), least), expected)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_roll_over_the_ball_follows_the_path_of_the_ankle(share):
    """Between flat and leaving, the ankle goes where it was posed to, as far as a foot that turns about its ball can."""
    shape = make_shape()
    contacts = touching((0, 10, 40), (1, 10, 60))
    rng = np.random.default_rng(8)
    foot = posed(shape, rng, contacts, noise=0.02)
    plain, led = (FootPlan(foot, TIMES, PlanOptions(0.3, min_step_height=1.0, ankle_led_roll=value)) for value in (0.0, share))
    rolling = contacts[:, 1] & ~contacts[:, 0]
    np.testing.assert_allclose(led.rotation[~rolling], plain.rotation[~rolling], atol=1e-9)
    assert np.allclose(led.rotation, plain.rotation) == (share == 0)
    for plan in (plain, led):
        balls = contact_points(shape, plan.ankle + plan.correction, plan.rotation)[contacts[:, 1], 1]
        np.testing.assert_allclose(balls, np.broadcast_to(balls[0], balls.shape), atol=1e-9)


def test_toes_are_flat_while_the_ball_touches():
    shape = make_shape(0.3)
    rng = np.random.default_rng(9)
    foot = posed(shape, rng, CONTACTS["heel, flat, ball"])
    plan = FootPlan(foot, TIMES, OPTIONS)
    toes = plan.toe_rotation(rotmat_from_rotvec(0.2 * rng.normal(size=(FRAMES, 3))) @ foot.delta)
    ball = plan.contacts[:, 1]
    np.testing.assert_allclose((toes @ shape.upright_from_rest.T)[ball] @ UP, np.broadcast_to(UP, (ball.sum(), 3)), atol=1e-9)
    flat = plan.contacts.all(1)
    np.testing.assert_allclose(toes[flat], plan.rotation[flat], atol=1e-9)
    headings = shape.headings(toes)[ball]
    np.testing.assert_allclose(headings, headings[0], atol=1e-9)  # of the flat foot, also when the heel has left


@pytest.mark.parametrize("contacts", ["heel, flat, ball", "twice", "to the end"])
def test_held_skin_touches_and_stays_above_the_floor(contacts):
    """Skin 4 cm below the heel and 6 cm before the ball: its lowest point is on the ground in contact, within its give, and never below."""
    rng = np.random.default_rng(8)
    shape = make_shape()
    plan = FootPlan(posed(shape, rng, CONTACTS[contacts]), TIMES, PlanOptions(fade_time=0.3, min_step_height=1.0, skin_give=0.004))
    skin = np.stack(
        [plan.rotation @ (point + shape.upright_from_rest.T @ [x, 0, -0.04]) for point, x in ((shape.to_heel, 0.0), (shape.to_ball, 0.06))],
        1,
    )
    shift = np.zeros((FRAMES, 3))
    before = plan.ankle_target(shift)[:, 2] + skin[..., 2].min(1)
    assert before[plan.supported].min() < -0.03
    plan.hold_skin(skin, shift)
    lowest = plan.ankle_target(shift)[:, 2] + skin[..., 2].min(1)
    assert np.abs(lowest[plan.supported] + 0.002).max() < 0.002 + 1e-9
    assert lowest[~plan.supported].min(initial=0.0) > -1e-9
