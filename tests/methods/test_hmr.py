"""PC-HMR's mesh generator: its accuracy and invariances, and the coordinates of pixels and windows."""

import numpy as np
import pytest
import torch

from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.core.cameras import default_intrinsics, project
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.metrics import pa_mpjpe
from blender_meshrec.core.records import Observations
from blender_meshrec.core.silhouettes import MASK_SIZE as MASK
from blender_meshrec.core.silhouettes import Silhouettes
from blender_meshrec.methods import hmr
from tests.support.synthetic_gait import walk

SIZE, FRAMES = (1280, 720), 24
INTRINSICS = default_intrinsics(SIZE)
TIMES = np.arange(FRAMES) / 30


@pytest.fixture(scope="module")
def joints():
    """A walker of h36m17 in camera axes, 4 m away, (F,17,3) m."""
    world = walk(TIMES, turn=0.6).h36m17
    world = world - world[:, :1]
    return np.stack([world[..., 0], -world[..., 2], world[..., 1]], -1) + [0.2, 0.1, 4.0]


def observed(joints, visible=None, silhouettes=None):
    keypoints = np.concatenate([project(joints, INTRINSICS), np.ones((len(joints), 17, 1))], -1)
    visible = np.ones(len(joints), bool) if visible is None else visible
    boxes = np.concatenate([keypoints[..., :2].min(1), keypoints[..., :2].max(1)], 1)
    return Observations("h36m17", boxes, keypoints * visible[:, None, None], visible, None, silhouettes)


def test_generated_joints_project_to_the_keypoints(joints):
    observations = observed(joints)
    generated = hmr.generate(observations, INTRINSICS, TIMES, "cpu")
    height = (observations.boxes[:, 3] - observations.boxes[:, 1])[:, None]
    off = np.linalg.norm(generated.points - observations.keypoints[..., :2], axis=-1) / height
    assert np.median(off) < 0.06  # of the person's height
    params = generated.body
    body = make_body(load_body()).h36m17(params.betas, params.global_orient, params.body_pose).numpy()
    assert pa_mpjpe(body, joints) < 80  # mm


def test_body_pose_does_not_depend_on_picture_position(joints):
    """Moved around the camera, the person looks the same to a camera that faces them: only the root's rotation changes."""
    aside = joints.copy()
    angle = 0.25
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    aside = aside @ turn.T
    here, there = (hmr.generate(observed(each), INTRINSICS, TIMES, "cpu").body for each in (joints, aside))
    assert np.abs(here.body_pose - there.body_pose).max() < 0.25  # rad; windows are square in the picture, not on a sphere
    assert np.median(np.abs(here.body_pose - there.body_pose)) < 0.01


def test_frames_without_the_person_are_finite(joints):
    visible = np.arange(FRAMES) % 3 > 0
    for seen in (observed(joints, visible), observed(joints, np.zeros(FRAMES, bool))):
        generated = hmr.generate(seen, INTRINSICS, TIMES, "cpu")
        assert np.isfinite(generated.points).all() and np.isfinite(generated.body.body_pose).all()


def test_windows_surround_the_valid_points():
    rays = torch.tensor([[[0.0, 0.0], [0.2, 0.4], [5.0, 5.0]]])
    window = hmr.windows_around(rays, torch.tensor([[True, True, False]]))
    inside = hmr.window_coordinates(rays, window)
    assert (inside[0, :2].abs() < 1).all() and inside[0, 2, 0] > 1
    assert torch.allclose(inside[0, 0], -inside[0, 1])
    assert torch.allclose(window[0, 2], window[0, 3])


def test_weak_perspective_projection_matches_the_camera():
    window, camera = torch.tensor([[-0.1, -0.3, 0.5, 0.5]]), torch.tensor([[0.9, 0.1, -0.2]])
    joints = torch.rand(1, 17, 3)
    inside = hmr.window_coordinates(hmr.project_weak_perspective(joints, camera, window), window)
    assert torch.allclose(inside, camera[:, None, 1:] + camera[:, None, :1] * joints[..., :2], atol=1e-5)


def test_silhouettes_are_used_if_every_frame_has_one(joints):
    observations = observed(joints[:2])
    middle = (observations.boxes[:, :2] + observations.boxes[:, 2:]) / 2
    squares = np.concatenate([middle, np.full((2, 1), 900.0)], 1)
    masks = np.zeros((2, MASK, MASK), bool)
    masks[:, : MASK // 2] = True  # all above the person's centre
    both, one = Silhouettes([0, 1], squares, masks), Silhouettes([0], squares[:1], masks[:1])
    rays = torch.as_tensor((observations.keypoints[..., :2] - INTRINSICS[:2, 2]) / INTRINSICS[0, 0], dtype=torch.float32)
    windows = hmr.windows_around(rays, torch.ones(2, 17, dtype=torch.bool))
    found = hmr.crop_silhouettes(observed(joints[:2], silhouettes=both), windows, INTRINSICS)
    assert (found[:, : hmr.SILHOUETTE_SIZE // 2 - 1] == 1).all() and (found[:, hmr.SILHOUETTE_SIZE // 2 + 1 :] == 0).all()
    assert not hmr.crop_silhouettes(observed(joints[:2], silhouettes=one), windows, INTRINSICS).any()


def test_window_rotation_points_the_axis_at_the_centre():
    windows = torch.tensor([[0.3, -0.2, 0.2, 0.2], [-0.1, -0.1, 0.2, 0.2]])
    turn = hmr.window_rotation_to_axis(windows)
    middle = torch.cat([windows[:, :2] + windows[:, 2:] / 2, torch.ones(2, 1)], 1)
    looked = (turn @ middle[..., None])[..., 0]
    assert torch.allclose(looked[:, :2], torch.zeros(2, 2), atol=1e-6)
    assert torch.allclose(turn @ turn.mT, torch.eye(3).expand(2, 3, 3), atol=1e-6)


@pytest.mark.parametrize("confidence, is_used", [(0.29, False), (0.31, True)])
def test_keypoints_are_used_from_a_confidence_on(joints, confidence, is_used):
    observations = observed(joints[:3])
    generated = []
    for shift in (0.0, 80.0):
        keypoints = observations.keypoints.copy()
        keypoints[:, 16] += [shift, shift, 0]
        keypoints[:, 16, 2] = confidence
        seen = Observations("h36m17", observations.boxes, keypoints, observations.visible)
        generated.append(hmr.generate(seen, INTRINSICS, TIMES, "cpu"))
    moved = np.abs(generated[0].points - generated[1].points).max()
    assert (moved > 1) if is_used else moved == 0  # px


def test_the_first_guess_is_upright_and_faces_the_camera():
    """Two columns of a rotation: half a turn about x, of a body that is y up to a camera whose y axis points down."""
    columns = np.array(hmr.FACING_CAMERA_COLUMNS).reshape(2, 3)
    np.testing.assert_array_equal([*columns, np.cross(*columns)], np.diag([1.0, -1.0, -1.0]))
