"""Planting of a whole body: what touches stays where it is, and nothing else of the body changes."""

import numpy as np
import pytest

from blender_meshrec.core.body_contacts import CONTACT_PARTS
from blender_meshrec.core.foot_planting.leg_kinematics import pose_legs
from blender_meshrec.core.foot_planting.plant_body import ARM_JOINTS, plant_body
from blender_meshrec.core.kinematics import pose_joints
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skeletons import SMPL_JOINTS, SMPL_PARENTS
from tests.core.foot_planting.test_foot_lock import CAMERA, with_errors
from tests.core.foot_planting.test_leg_kinematics import SOLES
from tests.support import synthetic_gait
from tests.support.synthetic_template import REST

TIMES = np.arange(90) / 30
RUN = slice(30, 60)


def joints_of(rotmats, pelvis):
    offsets = np.tile(REST - REST[np.maximum(SMPL_PARENTS, 0)], (len(pelvis), 1, 1))
    offsets[:, 0] = pelvis
    return pose_joints(rotmats, offsets, SMPL_PARENTS)[0]


@pytest.fixture(scope="module")
def body():
    """Rotations and pelvis of somebody who stands with bent elbows and sways: knees, hands and pelvis move all the time."""
    rotmats, pelvis = with_errors(synthetic_gait.squat(TIMES))
    rotmats, pelvis = np.repeat(rotmats[20:21], len(TIMES), 0), np.repeat(pelvis[20:21], len(TIMES), 0)
    sway = np.sin(2 * TIMES)[:, None]
    for side, sign in ((0, 1), (1, -1)):
        for joint, turn in zip(ARM_JOINTS[side], ([0.0, 0.1, 0.1], [0.0, -1.2 * sign, 0.0], [0.0, 0.0, 0.0])):
            rotmats[:, joint] = rotmat_from_rotvec(np.array(turn) * (1 if turn[1] < -1 or turn[1] > 1 else sway))
    return rotmats, pelvis + sway * [0.04, 0.03, 0.02]


def planted(body, *parts):
    contacts = np.zeros((len(TIMES), len(CONTACT_PARTS)))
    for part in parts:
        contacts[RUN, CONTACT_PARTS.index(part)] = 1
    return plant_body(*body, REST, SOLES, contacts, TIMES, CAMERA)


@pytest.mark.parametrize("part", ["left_hand", "right_hand", "left_knee", "right_knee", "seat"])
def test_a_part_in_contact_stays(part, body):
    name = {"hand": "wrist", "knee": "knee"}.get(part.rpartition("_")[2])
    joint = SMPL_JOINTS.index("pelvis" if name is None else f"{part.partition('_')[0]}_{name}")
    before = joints_of(*body)
    after = joints_of(*planted(body, part))
    assert np.ptp(before[RUN, joint], axis=0).max() > 0.02  # m: there is something to hold
    # A knee stays on the sphere about its hip: it follows what the hip does along the thigh.
    held = after[RUN, joint, :1] if name == "knee" else after[RUN, joint]
    assert np.ptp(held, axis=0).max() < (0.01 if name == "knee" else 0.002)
    far = np.r_[0:18, 72:90]  # beyond the fade
    assert np.abs(after[far] - joints_of(*planted(body))[far]).max() < 0.002


def test_without_contacts_only_the_floor_counts(body):
    rotmats, pelvis = planted(body)
    arms = ARM_JOINTS.ravel()
    assert np.abs(rotmats[:, arms] - body[0][:, arms]).max() == 0 and np.abs(pelvis - body[1]).max() == 0


def test_planting_twice_changes_nothing(body):
    contacts = np.zeros((len(TIMES), len(CONTACT_PARTS)))
    contacts[RUN] = 1
    once = plant_body(*body, REST, SOLES, contacts, TIMES, CAMERA)
    twice = plant_body(*once, REST, SOLES, contacts, TIMES, CAMERA)
    feet = [pose_legs(*body, REST, SOLES).points for body in (once, twice)]
    assert np.abs(feet[0] - feet[1])[RUN].max() < 0.005  # m
