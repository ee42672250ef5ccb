"""Edits of a motion: hips rise over feet that stay, feet go apart, arms rise, jitter goes and steps do not slide."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.core.conventions import WORLD_FROM_BODY
from blender_meshrec.core.result_edits import EditedPose, ResultEdits, edit_motion, part_of_joint
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skeletons import SMPL_JOINTS, SMPL_PARENTS
from tests.support.synthetic_bodies import make_tube_body

FRAMES = 60


@pytest.fixture
def pose():
    """A person with bent knees whose arms tremble, both feet on the floor in the first half, z up, facing -y."""
    rest = make_tube_body().rest_joints(np.zeros(10)) @ WORLD_FROM_BODY.T
    generator = np.random.default_rng(4)
    rotvecs = np.zeros((FRAMES, 24, 3))
    for side in ("left", "right"):
        rotvecs[:, SMPL_JOINTS.index(f"{side}_hip"), 0] = -0.4
        rotvecs[:, SMPL_JOINTS.index(f"{side}_knee"), 0] = 0.8
        rotvecs[:, SMPL_JOINTS.index(f"{side}_ankle"), 0] = -0.4
        rotvecs[:, SMPL_JOINTS.index(f"{side}_shoulder")] = [0.0, 1.2 if side == "left" else -1.2, 0.0]
    arms = [row for row, name in enumerate(SMPL_JOINTS) if part_of_joint(name) == "arms"]
    rotvecs[:, arms] += 0.05 * generator.normal(size=(FRAMES, len(arms), 3))
    contacts = np.repeat(np.arange(FRAMES)[:, None] < FRAMES // 2, 2, 1)
    root = np.tile(rest[0], (FRAMES, 1))
    return EditedPose(SMPL_JOINTS, np.array(SMPL_PARENTS), rest, rotmat_from_rotvec(rotvecs), root, contacts, np.arange(FRAMES) / 30)


def places(pose, *names):
    return pose.world()[1][:, [SMPL_JOINTS.index(name) for name in names]]


def test_nothing_changes_without_edits(pose):
    assert not ResultEdits(trim_start=3, key_error=0.01).change_poses
    assert np.abs(edit_motion(pose, ResultEdits()).turns - pose.turns).max() < 1e-9


def test_hips_rise_and_feet_stay_on_the_floor(pose):
    raised = edit_motion(pose, ResultEdits(hip_height=0.04))
    assert np.allclose(places(raised, "pelvis") - places(pose, "pelvis"), [0, 0, 0.04])
    assert np.abs(places(raised, "left_ankle", "right_foot") - places(pose, "left_ankle", "right_foot"))[: FRAMES // 2].max() < 1e-3
    assert (places(raised, "left_knee")[..., 1] > places(pose, "left_knee")[..., 1] + 0.01).all()  # straighter legs


def test_feet_go_apart_by_the_width_and_keep_their_directions(pose):
    wider = edit_motion(pose, ResultEdits(foot_width=0.1))
    gap = [np.ptp(places(each, "left_ankle", "right_ankle")[..., 0], axis=1) for each in (pose, wider)]
    assert np.allclose(gap[1] - gap[0], 0.1, atol=2e-3)
    foot = SMPL_JOINTS.index("left_ankle")
    assert np.abs(wider.world()[0][:, foot] - pose.world()[0][:, foot]).max() < 1e-6


def test_arms_rise_sideways_on_both_sides_alike(pose):
    spread = edit_motion(pose, ResultEdits(arm_spread=0.3))
    moved = places(spread, "left_elbow", "right_elbow") - places(pose, "left_elbow", "right_elbow")
    assert (moved[:, 0, 0] > 0.01).all() and (moved[:, 1, 0] < -0.01).all()
    assert (moved[..., 2] > 0.01).all()
    untouched = [row for row, name in enumerate(SMPL_JOINTS) if part_of_joint(name) != "arms"]
    assert np.abs(spread.turns[:, untouched] - pose.turns[:, untouched]).max() < 1e-9


def test_smoothing_one_part_leaves_the_others(pose):
    smooth = edit_motion(pose, ResultEdits(smoothing_arms=0.5))
    trembling = [np.abs(np.diff(places(each, "left_wrist"), 2, axis=0)).mean() for each in (pose, smooth)]
    assert trembling[1] < 0.3 * trembling[0]
    legs = [row for row, name in enumerate(SMPL_JOINTS) if part_of_joint(name) == "legs"]
    assert np.abs(smooth.turns[:, legs] - pose.turns[:, legs]).max() < 1e-9


def test_smoothing_keeps_feet_where_they_touch(pose):
    generator = np.random.default_rng(7)
    shaken = replace(pose, root=pose.root + 0.01 * generator.normal(size=pose.root.shape))
    planted = edit_motion(shaken, ResultEdits(smoothing=0.5))
    held = slice(0, FRAMES // 2)
    assert np.abs(places(planted, "left_ankle") - places(shaken, "left_ankle"))[held].max() < 2e-3
    assert np.abs(np.diff(planted.root, 2, axis=0)).mean() < 0.3 * np.abs(np.diff(shaken.root, 2, axis=0)).mean()
