"""Contact sheets: their numbers are those of the motion, and a sheet shows the mesh where the camera and the views see it."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.core.cameras import project, transform_points
from blender_meshrec.core.records import Observations
from blender_meshrec.core.skeletons import H36M17, KEYPOINT_SETS, LIMB_JOINTS, SMPL_JOINTS, limb_indices
from scripts.evaluate.clip_sheets import NUMBERS_WIDTH, STRIP, TILE, Judged, draw_sheet, place_joints, read_verdict, views_of
from tests.support.synthetic_bodies import make_recovery, make_tube_body

FRAMES, BOX_HEIGHT = 30, 100.0  # px


def observe(recovery, shift=(0.0, 0.0)):
    """Observations whose limb keypoints are the projected joints, moved by `shift` px."""
    points = KEYPOINT_SETS["coco17"].points
    pixels = project(transform_points(recovery.camera_from_world, recovery.joints.astype(float)), recovery.camera_intrinsics)
    keypoints = np.zeros((len(recovery), len(points), 3))
    for name in LIMB_JOINTS:
        keypoints[:, points.index(name), :2] = pixels[:, SMPL_JOINTS.index(name)] + shift
        keypoints[:, points.index(name), 2] = 1
    corner = pixels.mean(1) - BOX_HEIGHT / 2
    return Observations("coco17", np.hstack([corner, corner + BOX_HEIGHT]), keypoints, np.ones(len(recovery), bool))


@pytest.fixture(scope="module")
def person(tmp_path_factory):
    folder = tmp_path_factory.mktemp("footage")
    template = make_tube_body(posedirs=False)
    recovery = make_recovery(template, frames=FRAMES, fps=30, footage=str(folder))
    for number in range(FRAMES):
        cv2.imwrite(str(folder / f"{number:03}.png"), np.full((*recovery.image_size[::-1], 3), 128, np.uint8))
    return recovery, make_body(template)


def test_errors_are_shares_of_the_box_height(person):
    recovery, body = person
    judged = Judged.of(recovery, observe(recovery, shift=(3.0, 4.0)), body)
    np.testing.assert_allclose(judged.final, 5 / BOX_HEIGHT, atol=1e-3)
    assert judged.numbers()["final %"] == "5.0 / 5.0"


def test_lifted_joints_are_moved_onto_their_keypoints(person):
    recovery, _body = person
    joints = np.zeros((FRAMES, len(H36M17), 3))
    in_camera = transform_points(recovery.camera_from_world, recovery.joints.astype(float))
    joints[:, limb_indices(H36M17)] = in_camera[:, limb_indices(SMPL_JOINTS)]
    moved = place_joints(joints - in_camera[:, :1], observe(recovery), recovery.camera_intrinsics)
    limbs = limb_indices(H36M17)
    np.testing.assert_allclose(moved[:, limbs], joints[:, limbs], atol=1e-3)  # m


def test_the_worst_frame_and_the_ends_are_shown(person):
    recovery, body = person
    observations = observe(recovery)
    keypoints = np.array(observations.keypoints)
    keypoints[15, :, 0] += 40
    moments = Judged.of(recovery, replace(observations, keypoints=keypoints), body).moments()
    assert len(moments) == 5 and list(moments) == sorted(moments)
    assert (moments[0], moments[15], moments[FRAMES - 1]) == ("start", "worst", "end")


def test_views_are_right_handed_and_look_from_the_cameras_side():
    for axis in (np.array([0.6, 0.8, 0.0]), np.array([0.0, -0.8, -0.6])):
        down = np.array([0.0, 0.0, -1.0]) - axis * -axis[2]
        down /= np.linalg.norm(down)
        camera_from_world = np.eye(4)
        camera_from_world[:3, :3] = np.stack([np.cross(down, axis), down, axis])
        views = views_of(camera_from_world)
        for view in views.values():
            np.testing.assert_allclose(np.cross(view[0], view[1]), view[2], atol=1e-12)
        assert views["front"][2] @ axis > 0 and abs(views["side"][2] @ axis) < 1e-9 and views["above"][2, 2] == -1


def test_a_sheet_shows_the_mesh_over_grey_footage(person, tmp_path):
    recovery, body = person
    (tmp_path / "motion.json").write_text('{"people": [{"verdict": "bad", "reasons": ["The camera moves."]}], "warnings": []}')
    verdict = read_verdict(tmp_path / "motion.json")
    assert verdict == "bad; The camera moves."
    sheet = draw_sheet("motion", Judged.of(recovery, observe(recovery), body), verdict)
    assert sheet.dtype == np.uint8 and sheet.shape[2] == 3
    blue = sheet[..., 2].astype(int) - sheet[..., 0] > 40
    height, width = TILE + 2, (sheet.shape[1] - NUMBERS_WIDTH) // 5
    for row in range(4):
        for column in range(5):
            tile = blue[STRIP + 2 + row * height :][:height, column * width : (column + 1) * width]
            assert 0.005 < tile.mean() < 0.7, (row, column)


def test_observations_of_other_frames_are_refused(person):
    recovery, body = person
    observations = observe(recovery)
    shorter = Observations("coco17", observations.boxes[:-1], observations.keypoints[:-1], observations.visible[:-1])
    with pytest.raises(ValueError, match="29 observed frames for a motion of 30"):
        Judged.of(recovery, shorter, body)
