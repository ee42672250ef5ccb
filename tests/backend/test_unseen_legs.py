"""Legs that the picture never shows are held at rest and marked."""

import numpy as np
import pytest

from blender_meshrec.backend.passes.unseen_legs import unseen_legs
from blender_meshrec.backend.pipeline import recover
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.foot_planting.leg_kinematics import LEG_JOINTS
from blender_meshrec.core.records import Observations
from blender_meshrec.core.skeletons import KEYPOINT_SETS
from tests.support.synthetic_keypoints import animate_stick_figure, project_orthographic

INDEX = KEYPOINT_SETS["blazepose33"].index
LEG = ("knee", "ankle", "heel", "big_toe")


def at_desk(frames=20, sides=("left", "right")):
    """Somebody whose legs of the given sides are hidden: the detector guesses where they are, without confidence."""
    keypoints = project_orthographic(animate_stick_figure(np.arange(frames) / 10), (320, 300), 200)
    keypoints[:, [INDEX[f"{side}_{joint}"] for side in sides for joint in LEG], 2] = 0.05
    return keypoints


def observed(keypoints):
    return Observations("blazepose33", np.zeros((len(keypoints), 4)), keypoints, np.ones(len(keypoints), bool))


def test_legs_are_unseen_without_confidence_and_below_the_edge_of_the_picture():
    assert unseen_legs(observed(at_desk()), (640, 720)).tolist() == [True, True]
    assert unseen_legs(observed(at_desk(sides=())), (640, 720)).tolist() == [False, False]
    assert unseen_legs(observed(at_desk(sides=())), (640, 360)).tolist() == [True, True]


def test_a_leg_behind_the_other_one_is_in_the_picture_and_one_beyond_its_edge_is_not():
    hidden = at_desk(sides=("left",))
    assert unseen_legs(observed(hidden), (640, 720)).tolist() == [False, False]
    hidden[:, [INDEX[f"left_{joint}"] for joint in LEG], 0] -= 400  # px, from 320
    assert unseen_legs(observed(hidden), (640, 720)).tolist() == [True, False]


def test_a_leg_that_is_shown_for_a_while_is_not_unseen():
    keypoints = at_desk(40)
    keypoints[:5, INDEX["left_knee"], 2] = 0.9
    assert unseen_legs(observed(keypoints), (640, 720)).tolist() == [False, False]
    keypoints[:5, INDEX["left_knee"], 2] = 0.05
    assert unseen_legs(observed(keypoints), (640, 720)).tolist() == [True, True]


def test_unseen_legs_are_at_rest_in_the_motion_with_confidence_0_and_no_contacts(tmp_path):
    path = tmp_path / "desk.npz"
    np.savez(path, keypoints=at_desk(), keypoint_set="blazepose33", image_size=(640, 720), fps=10)
    result = recover(ReconstructRequest(str(path), quality="draft"))
    recovery = result.recoveries[0]
    legs, arms = recovery.poses.reshape(len(recovery), -1, 3)[:, LEG_JOINTS.ravel()], recovery.poses[:, 3 * 18 : 3 * 20]
    assert legs == pytest.approx(0, abs=1e-6) and np.abs(arms).max() > 0.1
    assert recovery.confidence[:, LEG_JOINTS[:, 1:].ravel()].max() == 0 and recovery.confidence[:, 16:20].min() > 0.3
    assert recovery.contacts.max() == 0
    assert [getattr(warning, "name", "") for warning in result.report["warnings"]].count("legs-not-seen") == 1
