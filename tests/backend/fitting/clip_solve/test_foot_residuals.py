"""Ankles lie where the detector sees them on the body; on a floor that is known, so do heels and toes, which say where a person stands."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend.fitting.body_params import local_rotmats
from blender_meshrec.backend.fitting.clip_solve.body_points import (
    FOOT_MARKER_ROWS,
    FOOT_POINTS,
    SOLE_ROWS,
    pose_points,
    shape_of_stature,
)
from blender_meshrec.backend.fitting.clip_solve.foot_keypoints import SEEN_BESIDE, foot_keypoints, foot_offsets
from blender_meshrec.backend.fitting.clip_solve.solve_clip import solve_clip
from blender_meshrec.core.cameras import project
from blender_meshrec.core.rotations import angle_between_rotmats
from blender_meshrec.core.skeletons import H36M17, KEYPOINT_SETS, SMPL_JOINTS
from tests.support.made_up_clips import squat, wrong_start
from tests.support.synthetic_gait import make_view

TIMES = np.arange(40) / 30
DETECTOR = "blazepose33"
KNEES = [SMPL_JOINTS.index(f"{side}_knee") for side in ("left", "right")]
ANKLES = [H36M17.index(f"{side}_ankle") for side in ("left", "right")]


def seen_feet(clip, raised):
    """The detector's feet in a made-up clip, with its ankles `raised` by so many m."""
    shape = shape_of_stature(clip.template, clip.shape.start, foot_offsets=foot_offsets(DETECTOR))
    points = pose_points(replace(shape, basis=clip.shape.basis, directions=shape.directions), clip.truth).rows[:, FOOT_MARKER_ROWS]
    points[:, [0, 3]] += raised * clip.shared().up
    pixels = project(points, clip.view.intrinsics)
    return np.concatenate([pixels, np.ones((*pixels.shape[:2], 1))], -1)


def place_of_feet(clip, evidence):
    """How far (F,4) m the soles are from their true places after the solve, before a camera and on a floor that are known."""
    shared = replace(clip.shared(tilt_sigma=0.0), is_floor_known=True)
    (person,), _world = solve_clip(clip.template, [replace(evidence, foot_set=DETECTOR)], shared)
    body = person.body
    root = clip.template.rest_joints(body.betas)[0]
    state = replace(clip.truth, pelvis=body.transl + root, rotmats=local_rotmats(body)[:, clip.template.smpl_joint_indices])
    found = pose_points(shape_of_stature(clip.template, body.betas), replace(state, shape=0 * clip.truth.shape))
    return np.linalg.norm(found.rows[:, SOLE_ROWS] - pose_points(clip.shape, clip.truth).rows[:, SOLE_ROWS], axis=-1)


def test_toes_keep_feet_in_place_where_ankles_are_seen_too_high(template):
    """Ankles that a detector sees 2 cm too high put the feet of a person 3 m away more than 4 cm off; with the toes they are near."""
    clip = squat(template, TIMES)
    evidence = clip.evidence(wrong_start(clip, depth=0.05, turn=0.03))
    raised = seen_feet(clip, raised=0.02)
    keypoints = evidence.keypoints.copy()
    keypoints[:, ANKLES, 2] = 0.0
    hidden = raised.copy()
    hidden[:, [1, 2, 4, 5], 2] = 0.0
    without = place_of_feet(clip, replace(evidence, keypoints=keypoints, feet=hidden))
    found = place_of_feet(clip, replace(evidence, keypoints=keypoints, feet=raised))
    assert np.median(found) < 0.02 and np.median(found) < 0.5 * np.median(without)  # m


def test_feet_are_those_of_the_detector():
    keypoints = np.random.default_rng(0).uniform(0, 100, (3, 33, 3))
    feet, offsets = foot_keypoints(keypoints, DETECTOR), foot_offsets(DETECTOR)
    names = KEYPOINT_SETS[DETECTOR].points
    assert (feet[:, 2] == keypoints[:, names.index("left_big_toe")]).all() and FOOT_POINTS[2] == "left_big_toe"
    np.testing.assert_allclose(offsets[2], SEEN_BESIDE[DETECTOR]["big_toe"])
    np.testing.assert_allclose(offsets[3:], offsets[:3] * [-1, 1, 1])  # the right foot mirrors the left one
    assert foot_keypoints(keypoints[:, :17], "coco17") is None
    assert foot_offsets("halpe26") == pytest.approx(0.0)


def test_ankles_that_are_seen_too_high_do_not_bend_knees(template):
    """Ankles that the detector puts above the joint make shins look short: taken as the joints, they turn the knees."""
    clip = squat(template, np.arange(20, 40) / 30, make_view(pitch=0.15, bearing=np.pi / 2))  # from half-way down, from the side
    evidence = clip.evidence(wrong_start(clip, depth=0.05, turn=0.03))
    keypoints = evidence.keypoints.copy()
    keypoints[:, ANKLES] = seen_feet(clip, raised=0.0)[:, [0, 3]]
    unsure = np.full((len(clip.times), 17, 3), 0.3)  # m: the lifter leaves it to the picture
    errors: dict[str, float] = {}
    for keypoint_set in (DETECTOR, "h36m17"):
        seen = replace(evidence, keypoints=keypoints, foot_set=keypoint_set, spread=unsure, is_shape_known=True)
        (person,), _world = solve_clip(clip.template, [seen], clip.shared())
        rotmats = local_rotmats(person.body)[:, clip.template.smpl_joint_indices]
        errors[keypoint_set] = float(np.degrees(np.abs(angle_between_rotmats(rotmats[:, KNEES], clip.truth.rotmats[:, KNEES])).mean()))
    assert errors[DETECTOR] < 2 and errors["h36m17"] > 1.5 * errors[DETECTOR], errors  # degrees
