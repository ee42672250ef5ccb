"""`--skeleton skel` in the backend: motion of footage and of files, converted to SKEL's angles."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from blender_meshrec.backend.motion_input import is_motion_file
from blender_meshrec.backend.pipeline import recover
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bodies.skel import Skel
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.cameras import project, transform_points
from blender_meshrec.core.conventions import WORLD_FROM_BODY
from blender_meshrec.core.errors import InputError, ModelError
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.files.motion_npz import write_motion
from blender_meshrec.core.rotations import rotvec_from_rotmat
from blender_meshrec.core.skel.template import load_skel
from blender_meshrec.core.skel.vocabulary import DOF_LIMITS, dof_index, limit_excess
from blender_meshrec.core.skeletons import H36M17, SMPL_JOINTS
from tests.support.synthetic_gait import walk

FRAMES = 20


@pytest.fixture(scope="module")
def keypoints(tmp_path_factory):
    """A walker's 17 joints in a level camera, as a keypoints file."""
    walker = walk(np.arange(FRAMES) / 30)
    camera_from_world = np.array([[1.0, 0, 0, 0], [0, 0, -1, 1], [0, 1, 0, 5], [0, 0, 0, 1]])
    intrinsics = np.array([[1468.0, 0, 640], [0, 1468, 360], [0, 0, 1]])
    pixels = project(transform_points(camera_from_world, walker.h36m17), intrinsics)
    path = tmp_path_factory.mktemp("keypoints") / "walk.npz"
    points = np.concatenate([pixels, np.ones((FRAMES, len(H36M17), 1))], -1)
    np.savez(path, keypoints=points, keypoint_set="h36m17", image_size=(1280, 720), fps=30.0)
    return path


def skins(recovery):
    """Both bodies' vertices in the world, (F,V,3) m each, by the parameters of the motion file."""
    body, skel = make_body(load_body()), Skel(load_skel())
    with torch.no_grad():
        smpl = body(recovery.betas, recovery.poses[:, :3], recovery.poses[:, 3:], recovery.trans)[1]
        return smpl.numpy(), skel(recovery.q, recovery.skel_betas, recovery.skel_trans).vertices.numpy()


def test_a_clip_is_converted_to_angles(keypoints):
    result = recover(ReconstructRequest(str(keypoints), skeleton="skel"))
    (recovery,), report = result.recoveries, result.report["people"][0]["skel"]
    assert recovery.q.shape == (FRAMES, 46) and recovery.skel_model_type == "open"
    assert limit_excess(recovery.q).max() < np.radians(0.1)
    smpl, skel = skins(recovery)
    apart = np.linalg.norm(smpl - skel, axis=-1)
    assert apart.mean() < 0.02 and abs(1000 * apart.mean() - report["mean_distance_mm"]) < 0.1
    assert report["anatomy"]["skel"]["max"] < 0.1 < report["anatomy"]["skel"]["volume_dm3"]
    assert "Knees and elbows" in report["anatomy_line"]


def test_skelify_lowers_the_reprojection_error(keypoints):
    result = recover(ReconstructRequest(str(keypoints), skeleton="skel", refine=("skelify",)))
    report = result.report["people"][0]["skel"]["skelify"]
    assert report["reprojection_px"] <= report["reprojection_px_before"] and report["frames_kept"] > 0
    assert limit_excess(result.recoveries[0].q).max() < np.radians(0.1)


def test_skelify_without_skel_is_an_input_error(keypoints):
    with pytest.raises(InputError, match="skelify"):
        recover(ReconstructRequest(str(keypoints), refine=("skelify",)))


def test_a_missing_skel_file_is_reported_first(keypoints):
    with pytest.raises(ModelError, match=r"nowhere\.pkl"):
        recover(ReconstructRequest(str(keypoints), skeleton="skel", skel_body="nowhere.pkl"))


@pytest.mark.parametrize("y_up", [False, True])
def test_amass_motion_is_converted_to_angles(tmp_path, y_up):
    walker = walk(np.arange(8) / 30)
    rotation = WORLD_FROM_BODY.T if y_up else np.eye(3)
    rotmats = np.array(walker.rotmats)
    rotmats[:, 0] = rotation @ rotmats[:, 0]
    poses = np.zeros((8, 156))
    poses[:, :66] = rotvec_from_rotmat(rotmats).reshape(8, 72)[:, :66]
    root = load_body().rest_joints(np.zeros(10))[0]
    np.savez(tmp_path / "amass.npz", poses=poses, trans=walker.pelvis @ rotation.T - root, betas=np.zeros(16), mocap_framerate=30.0)
    assert is_motion_file(tmp_path / "amass.npz")
    result = recover(ReconstructRequest(str(tmp_path / "amass.npz"), skeleton="skel"))
    (recovery,) = result.recoveries
    assert not [warning for warning in result.report["warnings"] if "do nothing" in warning]
    assert np.abs(recovery.trans + root - walker.pelvis).max() < 1e-5
    smpl, skel = skins(recovery)
    assert np.linalg.norm(smpl - skel, axis=-1).mean() < 0.02
    with pytest.raises(InputError, match="motion"):
        recover(ReconstructRequest(str(tmp_path / "amass.npz")))


def test_options_that_mean_nothing_for_a_motion_are_said(tmp_path):
    np.savez(tmp_path / "amass.npz", poses=np.zeros((2, 156)), trans=np.zeros((2, 3)), betas=np.zeros(16), mocap_framerate=30.0)
    request = ReconstructRequest(str(tmp_path / "amass.npz"), skeleton="skel", up="z")
    warnings = recover(replace(request, height=180.0, contacts=False)).report["warnings"]
    assert "amass.npz is a motion and not footage, for which these options do nothing: --height, --no-contacts." in warnings
    with pytest.raises(InputError, match="no person 2"):
        recover(replace(request, person="2"))


def test_angles_convert_back_to_poses(tmp_path, keypoints):
    (recovery,) = recover(ReconstructRequest(str(keypoints), skeleton="skel")).recoveries
    changed = np.array(recovery.q)
    changed[:, dof_index("knee_angle_r")] += 0.3
    write_motion(tmp_path / "bent.npz", replace(recovery, q=np.clip(changed, *DOF_LIMITS.T)))
    result = recover(ReconstructRequest(str(tmp_path / "bent.npz")))
    (back,), report = result.recoveries, result.report["people"][0]["smpl"]
    smpl, skel = skins(back)
    apart = np.linalg.norm(smpl - skel, axis=-1)
    assert apart.mean() < 0.01 and abs(1000 * apart.mean() - report["mean_distance_mm"]) < 0.1
    knee = SMPL_JOINTS.index("right_knee")
    bend = [np.linalg.norm(each.poses[:, 3 * knee : 3 * knee + 3], axis=1).mean() for each in (recovery, back)]
    assert bend[1] > bend[0] + 0.2
    again = make_body(load_body()).joints(back.betas, back.poses[:, :3], back.poses[:, 3:], back.trans).numpy()
    assert np.abs(again - back.joints).max() < 1e-4


def test_footage_is_no_motion_file(tmp_path, keypoints):
    (tmp_path / "a.mp4").write_bytes(b"not a zip")
    assert not is_motion_file(tmp_path / "a.mp4") and not is_motion_file(keypoints) and not is_motion_file(tmp_path / "nothing.npz")
