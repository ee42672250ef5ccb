"""Balance speaks of people who stand still on both feet, about the way to the middle of their feet; farther between them than across."""

import numpy as np
import pytest

from blender_meshrec.backend.fitting.body_masses import SMPL_SHARES, STANCE
from blender_meshrec.backend.fitting.clip_solve import weights
from blender_meshrec.backend.fitting.clip_solve.body_points import NUM_OFFSETS, SOLE_ROWS, BodyState, pose_points, shape_of_stature
from blender_meshrec.backend.fitting.clip_solve.ground_contacts import GROUND_ROWS
from blender_meshrec.backend.fitting.clip_solve.residuals import World
from blender_meshrec.backend.fitting.clip_solve.standing_balance import MASS_ROWS, find_balance
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skeletons import SMPL_JOINTS

FRAMES = 20
TIMES = np.arange(FRAMES) / 30
UP = np.array([0.0, -1.0, 0.0])
WORLD = World(UP, 1.0, np.zeros(3))


def person(template, lean=0.0, way=(0.0, 0.0, 0.0), **bends):
    """The points of a body whose legs are apart by 0.4 rad, that leans about its hips' axis (rad), goes on by a way (m/frame), and bends
    joints (rad about x)."""
    rotmats = np.tile(np.eye(3), (24, 1, 1))
    rotmats[0] = rotmat_from_rotvec([lean, 0, 0]) @ rotmat_from_rotvec([np.pi, 0, 0])
    for name, angle in bends.items():
        rotmats[SMPL_JOINTS.index(name)] = rotmat_from_rotvec([angle, 0, 0])
    for side, sign in (("left", 1), ("right", -1)):
        joint = SMPL_JOINTS.index(f"{side}_hip")
        rotmats[joint] = rotmats[joint] @ rotmat_from_rotvec([0, 0, 0.2 * sign])
    shape = shape_of_stature(template, np.zeros(10))
    pelvis = np.array([0.0, 0, 4]) + np.arange(FRAMES)[:, None] * way
    state = BodyState(pelvis, np.tile(rotmats, (FRAMES, 1, 1, 1)), np.zeros(shape.basis.shape[1]), np.zeros(NUM_OFFSETS))
    return pose_points(shape, state)


def balance_of(points, feet=(1.0, 1.0)):
    touching = np.zeros((FRAMES, len(GROUND_ROWS)))
    touching[:, : len(SOLE_ROWS)] = np.repeat(feet, 2)
    return find_balance(points, UP, touching, TIMES, np.ones(FRAMES))


def test_who_leans_is_drawn_back_along_the_floor(template):
    points = person(template, lean=0.2)
    balance = balance_of(points)
    np.testing.assert_allclose(balance.weights, 1.0, atol=1e-6)
    way = SMPL_SHARES @ (balance.places - points.rows[:, MASS_ROWS])[0]
    feet = np.tile(STANCE, 2) @ points.rows[0, SOLE_ROWS] / 2
    np.testing.assert_allclose((points.rows[0, MASS_ROWS].T @ SMPL_SHARES + way)[[0, 2]], feet[[0, 2]], atol=1e-9)
    assert abs(way[2]) > 0.1  # m: sin(0.2) of a centre 1 m above the feet
    upright = person(template)
    assert balance.add(points, WORLD, None) > 3 * balance_of(upright).add(upright, WORLD, None)


def test_height_costs_nothing_and_the_way_between_the_feet_less_than_across(template):
    points = person(template)
    balance = balance_of(points)
    costs = []
    for shift in ([0.1, 0, 0], [0, 0.1, 0], [0, 0, 0.1]):
        way = np.linalg.norm(np.array(shift) @ balance.whitening[0])
        costs.append(way)
    assert costs[1] < 1e-9 and 0.1 < costs[0] < 0.6 * costs[2]
    assert costs[2] == pytest.approx(0.1 / weights.BALANCE_SIGMA, rel=0.01)


@pytest.mark.parametrize(
    ("feet", "changes"),
    [
        ((1.0, 0.0), {}),  # on one foot
        ((1.0, 1.0), {"way": (0.02, 0.0, 0.0)}),  # 0.6 m/s
        ((1.0, 1.0), {"lean": 1.5}),  # lies on a slope
        ((1.0, 1.0), {"left_hip": -1.5, "right_hip": -1.5, "left_knee": 1.5, "right_knee": 1.5}),  # sits
    ],
)
def test_others_are_not_asked(template, feet, changes):
    assert balance_of(person(template, **changes), feet).weights.max() < 1e-3
