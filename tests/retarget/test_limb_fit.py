"""The cost of taking joints for a limb, term by term: each is 0 for a common limb and 1 for a deviation of one width."""

from types import SimpleNamespace

import numpy as np
import pytest

from blender_meshrec.retarget.mapping.limb_fit import fit_arm, fit_leg

UP = np.array([0.0, 0, 1])
MIRROR = np.array([-1.0, 1, 1])


def cost_of(fit):
    return -np.log(fit.fit) / 0.08


def legs(points):
    points = np.array(points, float)
    return np.stack([points, points * MIRROR])


def leg(ratio=1.05, length=0.8, ankle=0.07, thigh_tilt=0.0, shin_tilt=0.0, foot=(0, -0.15, -0.07), hip_x=0.1, before=(), after=()):
    """Joints from hip to ball: thigh over shin, both together m, the ankle's height, and tilts forward, degrees."""
    shin = length / (1 + ratio)
    thigh = length - shin
    down = [[0, -np.sin(np.radians(tilt)), -np.cos(np.radians(tilt))] for tilt in (thigh_tilt, shin_tilt)]
    steps = [thigh * np.array(down[0]), shin * np.array(down[1]), np.array(foot, float), *map(np.array, after)]
    joints = np.concatenate([[[0.1, 0, 0]], [0.1, 0, 0] + np.cumsum(steps, axis=0)])
    joints[:, 2] += ankle - joints[2, 2]
    joints[0, 0] = hip_x
    return np.array([*(joints[0] + offset for offset in before), *joints])


def check_leg(points, cost, joints=(0, 1, 2, 3)):
    found = fit_leg(legs(points), UP)
    assert (found.upper_leg, found.lower_leg, found.foot, found.toes) == joints
    assert cost_of(found) == pytest.approx(cost, abs=1e-6)
    assert found.part_starts() == {
        part: joint for part, joint in zip(("upper_leg", "lower_leg", "foot", "toes"), joints) if joint is not None
    }


def test_a_common_leg_costs_nothing_in_any_unit_and_place():
    check_leg(leg(), 0)
    check_leg(100 * leg(), 0)
    turned = legs(leg()) @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]).T + [0, 5, 7]
    assert cost_of(fit_leg(turned, np.array([0, 1.0, 0]))) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("ratio", [0.7, 0.9, 1.3, 1.6])
def test_thigh_and_shin_have_about_the_same_length(ratio):
    check_leg(leg(ratio=ratio), (np.log(ratio / 1.05) / 0.3) ** 2)


@pytest.mark.parametrize("ankle", [0.08, 0.1, 0.15])
def test_an_ankle_is_near_the_floor(ankle):
    check_leg(leg(ankle=ankle, foot=(0, -0.3, -ankle)), max(0, (ankle / (ankle + 0.8) - 0.09) / 0.12) ** 2)


@pytest.mark.parametrize("tilt", [30, 36, 40, 50])
def test_a_thigh_points_down(tilt):
    points = leg(thigh_tilt=tilt)
    height = points[2, 2] / points[0, 2]
    check_leg(points, max(0, (0.8 - np.cos(np.radians(tilt))) / 0.2) ** 2 + max(0, (height - 0.09) / 0.12) ** 2)


@pytest.mark.parametrize("tilt", [20, 25, 30, 40])
def test_a_shin_points_down(tilt):
    points = leg(shin_tilt=tilt)
    height = points[2, 2] / points[0, 2]
    check_leg(points, max(0, (0.9 - np.cos(np.radians(tilt))) / 0.15) ** 2 + max(0, (height - 0.09) / 0.12) ** 2)


@pytest.mark.parametrize("down", [0.5, 0.74, 0.8, 0.9])
def test_a_foot_points_forward(down):
    foot = 0.07 / max(down, 0.1) * np.array([0, -np.sqrt(1 - down**2), -down])
    check_leg(leg(foot=foot), 2 * max(0, down - 0.75) / 0.25)


def test_a_foot_without_a_ball_and_a_leg_without_a_foot():
    points = leg()[:3]
    points[:, 2] -= points[2, 2]
    check_leg(points, 0, (0, 1, 2, 3 if len(points) > 3 else None))
    check_leg(points[:2], 2.0, (0, 1, None, None))


def test_a_hip_is_beside_the_midline():
    for hip_x, cost in ((0.031, 0.0), (0.029, 2.0)):
        points = leg(hip_x=hip_x)
        found = fit_leg(legs(points), UP)
        ratio = np.linalg.norm(points[1] - points[0]) / np.linalg.norm(points[2] - points[1])
        height = max(0, (points[2, 2] / points[0, 2] - 0.09) / 0.12) ** 2
        assert cost_of(found) == pytest.approx(cost + (np.log(ratio / 1.05) / 0.3) ** 2 + height, abs=1e-6)


@pytest.mark.parametrize("reach", [0.4, 0.9])
def test_little_of_a_leg_is_left_over(reach):
    """A chain that goes on beyond the toes by `reach` m, such as a flipper's."""
    points = leg(after=[(0, -reach, 0)])
    share = 0.8 / np.linalg.norm(np.diff(points, axis=0), axis=1).sum()
    check_leg(points, max(0, (0.5 - share) / 0.1) ** 2)


@pytest.mark.parametrize("angle", [3.0, 8.0])
@pytest.mark.parametrize("part", [0, 1])
def test_parts_of_several_bones_are_straight(part, angle):
    """The largest angle of a bone to the whole part, over 15 degrees, squared."""
    points = leg()
    whole = points[part + 1] - points[part]
    middle = (points[part] + points[part + 1]) / 2 + [0, np.tan(np.radians(angle)) * np.linalg.norm(whole) / 2, 0]
    joints = (0, 2, 3, 4) if part == 0 else (0, 1, 3, 4)
    check_leg(np.insert(points, part + 1, middle, 0), (angle / 15) ** 2, joints)


@pytest.mark.parametrize("length", [0.05, 0.1])
def test_bones_before_the_hip_are_short_unless_they_widen(length):
    check_leg(leg(before=[(0, 0, length)]), (length / 0.8 / 0.25) ** 2, (1, 2, 3, 4))
    check_leg(leg(before=[(-0.05, 0, 0)]), 0, (1, 2, 3, 4))  # from the midline: half as wide
    check_leg(leg(before=[(-0.03, 0, 0)]), (0.03 / 0.8 / 0.25) ** 2, (1, 2, 3, 4))


def test_no_leg_without_two_bones():
    assert fit_leg(legs([[0.1, 0, 1]]), UP) is None
    assert fit_leg(legs([[0.1, 0, 1], [0.1, 0, 1]]), UP) is None


# --- arms ---


def arm(before=0.0, upper=0.33, lower=0.3, after=(0.1,), start=0.2):
    """Joints along x: of a clavicle (if `before`), upper arm, forearm, hand and fingers, m."""
    steps = [*([before] if before else []), upper, lower, *after]
    xs = start + np.concatenate([[0.0], np.cumsum(steps)])
    return np.stack([xs, np.zeros(len(xs)), np.zeros(len(xs))], 1)


def tree_of(count, hand=None):
    """The parts of a BoneTree that count: `hand` is the joint that three chains hang from."""
    children = {bone: ([100, 101, 102] if bone == hand else [bone + 1]) for bone in range(count)}
    return SimpleNamespace(children=children, subtree_sizes={**dict.fromkeys(range(count + 1), 2), 100: 2, 101: 2, 102: 2})


def check_arm(points, cost, joints, hand=None):
    both = np.stack([points, points * MIRROR])
    found = fit_arm(tree_of(len(points), hand), (list(range(len(points))),) * 2, both)
    assert (found.clavicle, found.upper_arm, found.lower_arm, found.hand) == joints
    assert cost_of(found) == pytest.approx(cost, abs=1e-6)
    lower = joints[2]
    upper_length = points[lower, 0] - points[joints[1], 0]
    lower_length = upper_length if joints[3] is None else points[joints[3], 0] - points[lower, 0]
    assert found.length == pytest.approx(upper_length + lower_length)
    names = ("clavicle", "upper_arm", "lower_arm", "hand")
    assert found.part_starts() == {part: joint for part, joint in zip(names, joints) if joint is not None}


def test_a_common_arm_costs_nothing():
    check_arm(arm(), 0, (None, 0, 1, 2))
    check_arm(arm(before=0.15, start=0.02), 0, (0, 1, 2, 3))
    check_arm(50 * arm(), 0, (None, 0, 1, 2))


@pytest.mark.parametrize("ratio", [0.8, 0.95, 1.2])
def test_a_forearm_is_nearly_as_long_as_the_upper_arm(ratio):
    check_arm(arm(upper=0.3 * ratio), (np.log(ratio / 1.1) / 0.25) ** 2, (None, 0, 1, 2))


@pytest.mark.parametrize("share", [0.7, 0.85, 0.95])
def test_a_hand_is_shorter_than_the_forearm(share):
    check_arm(arm(after=(0.3 * share,)), max(0, (share - 0.8) / 0.25) ** 2, (None, 0, 1, 2))


@pytest.mark.parametrize("share", [0.15, 0.18, 0.21, 0.3])
def test_a_hand_has_some_length(share):
    check_arm(arm(after=(0.3 * share,)), max(0, (0.22 - share) / 0.15) ** 2, (None, 0, 1, 2))


@pytest.mark.parametrize("before", [0.15, 0.2, 0.25])
def test_a_clavicle_is_shorter_than_the_arm(before):
    check_arm(arm(before=before, start=0.02), max(0, (before / 0.63 - 0.3) / 0.12) ** 2, (0, 1, 2, 3))


@pytest.mark.parametrize("start", [0.08, 0.1, 0.12])
def test_an_arm_without_a_clavicle_begins_at_the_side(start):
    check_arm(arm(start=start), max(0, (0.35 - 2 * start / 0.63) / 0.12) ** 2, (None, 0, 1, 2))


def test_a_wrist_is_where_the_fingers_fan_out():
    points = arm(after=(0.08, 0.04))
    check_arm(points, 0, (None, 0, 1, 2), hand=2)
    farther = (np.log(0.33 / 0.38 / 1.1) / 0.25) ** 2 + ((0.22 - 0.04 / 0.38) / 0.15) ** 2
    check_arm(points, farther, (None, 0, 1, 3), hand=3)
    check_arm(points, 0, (None, 0, 1, 2), hand=1)  # too near to the shoulder for a wrist


def test_an_arm_without_a_hand():
    check_arm(arm(after=())[:2], 2.0, (None, 0, 1, None))


@pytest.mark.parametrize("angle", [4.0, 9.0])
@pytest.mark.parametrize("part", [0, 1])
def test_arms_of_several_bones_are_straight(part, angle):
    points = arm()
    whole = points[part + 1] - points[part]
    middle = (points[part] + points[part + 1]) / 2 + [0, np.tan(np.radians(angle)) * np.linalg.norm(whole) / 2, 0]
    bent = np.insert(points, part + 1, middle, 0)
    both = np.stack([bent, bent * MIRROR])
    found = fit_arm(tree_of(len(bent)), (list(range(len(bent))),) * 2, both)
    assert (found.upper_arm, found.lower_arm, found.hand) == ((0, 2, 3) if part == 0 else (0, 1, 3))
    stretch = 1 / np.cos(np.radians(angle))  # lengths are taken along the bones
    upper, lower = (0.33 * stretch, 0.3) if part == 0 else (0.33, 0.3 * stretch)
    assert cost_of(found) == pytest.approx((angle / 15) ** 2 + (np.log(upper / lower / 1.1) / 0.25) ** 2, abs=1e-6)


def test_no_arm_without_two_bones():
    points = arm()[:1]
    assert fit_arm(tree_of(1), ([0], [0]), np.stack([points, points * MIRROR])) is None
    crowded = np.zeros((3, 3)) + [0.2, 0, 0]
    assert fit_arm(tree_of(3), ([0, 1, 2],) * 2, np.stack([crowded, crowded * MIRROR])) is None


def test_at_most_three_joints_lie_before_the_shoulder():
    xs = 0.01 + np.concatenate([[0.0], np.cumsum([0.04] * 6 + [0.33, 0.3, 0.1])])
    points = np.stack([xs, np.zeros(10), np.zeros(10)], 1)
    found = fit_arm(tree_of(10), (list(range(10)),) * 2, np.stack([points, points * MIRROR]))
    assert found.upper_arm == 3 and found.clavicle == 2


@pytest.mark.parametrize("repeats", [2, 3])
def test_of_joints_at_one_place_the_first_begins_the_thigh(repeats):
    left = np.array([*[[0.1, 0, 1.0]] * repeats, [0.1, -0.01, 0.52], [0.1, 0, 0.06], [0.1, -0.15, 0]])
    fit = fit_leg(np.stack([left, left * [-1, 1, 1]]), np.array([0.0, 0, 1]))
    assert (fit.upper_leg, fit.lower_leg, fit.foot, fit.toes) == (0, repeats, repeats + 1, repeats + 2)
