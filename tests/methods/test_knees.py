"""Straightened knees: a lifted leg that is hardly bent becomes straight, one that is bent far hardly changes, and feet stay."""

import numpy as np
import pytest

from blender_meshrec.core.skeletons import H36M17
from blender_meshrec.methods.lifter.knees import LEG_EXCESS, straighten_knees

HIP, KNEE, ANKLE = (H36M17.index(f"left_{joint}") for joint in ("hip", "knee", "ankle"))


def bent_leg(flexion, thigh=0.4, shin=0.44):
    """Joints (1,17,3) m with a left knee that is bent by an angle, degrees, to the front (z)."""
    angle, joints = np.radians(flexion), np.zeros((1, len(H36M17), 3))
    joints[0, KNEE] = [0, thigh * np.cos(angle / 2), -thigh * np.sin(angle / 2)]
    joints[0, ANKLE] = joints[0, KNEE] + [0, shin * np.cos(angle / 2), shin * np.sin(angle / 2)]
    return joints


def flexion_of(joints):
    thigh, shin = joints[0, KNEE] - joints[0, HIP], joints[0, ANKLE] - joints[0, KNEE]
    return np.degrees(np.arccos(np.clip(thigh @ shin / np.linalg.norm(thigh) / np.linalg.norm(shin), -1, 1)))


@pytest.mark.parametrize(("lifted", "straightened"), [(5, 0), (11, 0), (20, 16.4), (40, 38.4), (90, 89.4)])
def test_knees_are_less_bent(lifted, straightened):
    joints = straighten_knees(bent_leg(lifted))
    assert flexion_of(joints) == pytest.approx(straightened, abs=0.15)
    np.testing.assert_array_equal(joints[:, [HIP, ANKLE]], bent_leg(lifted)[:, [HIP, ANKLE]])


def test_bones_are_shorter_by_one_share_and_knees_point_where_they_did():
    before, after = bent_leg(60), straighten_knees(bent_leg(60))
    for start, end in ((HIP, KNEE), (KNEE, ANKLE)):
        lengths = [np.linalg.norm(joints[0, end] - joints[0, start]) for joints in (before, after)]
        assert lengths[0] / lengths[1] == pytest.approx(1 + LEG_EXCESS)
    assert after[0, KNEE, 2] < -0.1 and abs(after[0, KNEE, 0]) < 1e-9


def test_rows_without_the_person_stay_zero():
    assert not straighten_knees(np.zeros((3, len(H36M17), 3))).any()
