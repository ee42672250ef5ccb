"""PC-HMR in the pipeline, both frameworks: the calibrated joints are the lifted ones, and the surface fits the joints."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from blender_meshrec.backend.fitting.mesh_calibration import MeshCalibrator, _EdgeStretch, mesh_in_world, target_joints
from blender_meshrec.backend.passes import recoveries
from blender_meshrec.backend.pipeline import recover
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.cameras import project, transform_points
from blender_meshrec.core.errors import InputError
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.files.point_cache import read_point_cache
from blender_meshrec.core.records import BodyParams
from blender_meshrec.core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from blender_meshrec.core.skeletons import H36M17, SMPL_JOINTS, limb_indices
from tests.support.synthetic_gait import walk

FRAMES = 24
LIMBS17, LIMBS24 = limb_indices(H36M17), limb_indices(SMPL_JOINTS)


@pytest.fixture(scope="module")
def keypoints(tmp_path_factory):
    """A walker's 17 joints in a level camera, as a keypoints file."""
    camera_from_world = np.array([[1.0, 0, 0, 0], [0, 0, -1, 1], [0, 1, 0, 5], [0, 0, 0, 1]])
    intrinsics = np.array([[1468.0, 0, 640], [0, 1468, 360], [0, 0, 1]])
    pixels = project(transform_points(camera_from_world, walk(np.arange(FRAMES) / 30).h36m17), intrinsics)
    path = tmp_path_factory.mktemp("keypoints") / "walk.npz"
    points = np.concatenate([pixels, np.ones((FRAMES, len(H36M17), 1))], -1)
    np.savez(path, keypoints=points, keypoint_set="h36m17", image_size=(1280, 720), fps=30.0)
    return path


@pytest.fixture(scope="module")
def calibrated(keypoints, tmp_path_factory):
    """(the Result, its surface (F,V,3), its target (F,17,3)) of parallel PC-HMR, feet not locked."""
    prefix, targets = tmp_path_factory.mktemp("surface") / "walk", []

    def remember_target(*arguments):
        targets.append(target_joints(*arguments))
        return targets[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recoveries, "target_joints", remember_target)
        result = recover(ReconstructRequest(str(keypoints), method="pc-hmr", contacts=False, surface=str(prefix)))
    return result, np.array(read_point_cache(prefix.with_name("walk.person1.pc2"))), targets[0]


def test_calibrated_joints_are_at_the_lifted_ones(calibrated):
    """As the solve has moved them with the body."""
    (recovery,), target = calibrated[0].recoveries, calibrated[2]
    off = np.linalg.norm(recovery.calibrated_joints[:, LIMBS24] - target[:, LIMBS17], axis=-1)
    rigid = np.linalg.norm(recovery.joints[:, LIMBS24] - target[:, LIMBS17], axis=-1)
    assert np.median(off) < 0.01 and np.median(off) < np.median(rigid)  # m


def test_the_target_moves_with_the_body(body):
    """Where the solve has moved a fitted body, its limbs' lifted joints move by as much."""
    rng = np.random.default_rng(0)
    before, after = (
        BodyParams("open", np.zeros(10), rng.normal(scale=0.1, size=(4, 3)), rng.normal(scale=0.1, size=(4, 69)), rng.normal(size=(4, 3)))
        for _ in range(2)
    )
    fitted, final = (body.h36m17(p.betas, p.global_orient, p.body_pose, p.transl).numpy() for p in (before, after))
    lifted = fitted + rng.normal(scale=0.03, size=fitted.shape)
    moved = target_joints(body, lifted, before, after)
    np.testing.assert_allclose((moved - lifted)[:, LIMBS17], (final - fitted)[:, LIMBS17], atol=1e-5)


def test_the_surface_fits_the_calibrated_joints(calibrated):
    result, surface, _target = calibrated
    (recovery,) = result.recoveries
    body = make_body(load_body())
    assert surface.shape == (FRAMES, len(body.template.v_template), 3)
    joints = MeshCalibrator(body).projector.smpl.numpy() @ surface
    assert np.abs(joints - recovery.calibrated_joints).max() < 1e-4
    report = result.report["people"][0]["calibration"]
    assert 1 <= report["edge_stretch"] < 2 and 0 < report["moved_mm"] < 150


def test_edge_stretch_is_a_high_quantile():
    edges, points = _EdgeStretch(np.array([[0, 1, 2]])), torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]])
    edges.add(points.repeat(9, 1, 1), 1.5 * points.repeat(9, 1, 1))
    assert abs(edges.stretch() - 1.5) < 0.02
    edges.add(points, 3 * points)  # a tenth of all
    assert abs(edges.stretch() - 3.0) < 0.02


def test_locked_feet_are_locked_in_the_calibrated_mesh(keypoints):
    (recovery,) = recover(ReconstructRequest(str(keypoints), method="pc-hmr")).recoveries
    ankles = [SMPL_JOINTS.index("left_ankle"), SMPL_JOINTS.index("right_ankle")]
    heels = recovery.contacts[:, [0, 2]] > 0.5
    steps = {
        name: np.linalg.norm(np.diff(joints[:, ankles], axis=0), axis=-1)[heels[1:] & heels[:-1]]
        for name, joints in (("rigid", recovery.joints), ("calibrated", recovery.calibrated_joints))
    }
    assert len(steps["rigid"]) > 5
    assert np.median(steps["calibrated"]) < np.median(steps["rigid"]) + 0.005  # m a frame


def test_another_frame_rate_resamples_mesh_and_joints(keypoints, tmp_path):
    request = ReconstructRequest(str(keypoints), method="pc-hmr", fps=12.5, surface=str(tmp_path / "slow"))
    (recovery,) = recover(request).recoveries
    surface = read_point_cache(tmp_path / "slow.person1.pc2")
    assert len(surface) == len(recovery) == len(recovery.calibrated_joints) < FRAMES


def test_serial_estimates_from_the_generated_mesh(keypoints, calibrated):
    (parallel,) = calibrated[0].recoveries
    (serial,) = recover(ReconstructRequest(str(keypoints), method="pc-hmr-serial", contacts=False)).recoveries
    apart = np.linalg.norm(serial.lifted_joints - parallel.lifted_joints, axis=-1)
    assert np.median(apart) > 0.005  # m
    assert serial.calibrated_joints is not None


def test_other_methods_calibrate_nothing(keypoints):
    (recovery,) = recover(ReconstructRequest(str(keypoints))).recoveries
    assert recovery.calibrated_joints is None


def test_a_mesh_that_faces_away_is_turned_around(calibrated):
    (recovery,) = calibrated[0].recoveries
    calibrator = MeshCalibrator(make_body(load_body()))
    with torch.no_grad():
        own = calibrator.body(recovery.betas, recovery.poses[:, :3], recovery.poses[:, 3:], recovery.trans)[1]
        target = (calibrator.projector.h36m17 @ own).numpy()
    mesh = replace(recovery, lifted_joints=target)
    same = torch.cat([after for _, after in calibrator.calibrate_chunks(mesh)])
    assert (same - own).abs().max() < 1e-4
    away = mesh_in_world(mesh, _params(mesh, about=np.pi), target, 0, _world_from_view(mesh))
    turned = torch.cat([after for _, after in calibrator.calibrate_chunks(away)])
    assert (turned - own).abs().max() < 2e-3


def test_a_camera_that_turns_turns_no_mesh(calibrated):
    """Generated meshes are in the axes of the view in which people are solved, which stands still."""
    (recovery,) = calibrated[0].recoveries
    generated, view = _params(recovery, about=0), _world_from_view(recovery)
    pan = rotmat_from_rotvec(np.linspace(0.3, 0.8, len(recovery))[:, None] * [0, 1, 0])
    turning = recovery.camera_from_world.copy()
    turning[:, :3] = pan @ turning[:, :3]
    still = mesh_in_world(recovery, generated, recovery.lifted_joints, 0, view)
    turned = mesh_in_world(replace(recovery, camera_from_world=turning), generated, recovery.lifted_joints, 0, view)
    np.testing.assert_array_equal(turned.poses, still.poses)
    np.testing.assert_allclose(still.poses[:, 3:], recovery.poses[:, 3:], atol=1e-5)


def _world_from_view(recovery):
    return recovery.camera_from_world[0, :3, :3].T


def _params(recovery, about):
    """The poses of a Recovery in its camera's axes, rotated about the vertical by `about` rad."""
    rotation = rotmat_from_rotvec([0, 0, about])
    orient = recovery.camera_from_world[0, :3, :3] @ rotation @ rotmat_from_rotvec(recovery.poses[:, :3].astype(float))
    return BodyParams("open", recovery.betas, rotvec_from_rotmat(orient), recovery.poses[:, 3:], recovery.trans)


def test_rows_without_the_person_are_interpolated(calibrated):
    (recovery,) = calibrated[0].recoveries
    visible = np.ones(FRAMES, bool)
    visible[8:12] = False
    poses = np.array(recovery.poses)
    poses[8:12] = 0
    hidden = replace(recovery, visible=visible, poses=poses)
    mesh = mesh_in_world(hidden, _params(hidden, about=0), recovery.lifted_joints, 0, _world_from_view(hidden))
    assert np.abs(mesh.poses[[7, 12], 3:] - recovery.poses[[7, 12], 3:]).max() < 1e-3
    between = mesh.poses[8:12, 3:]
    assert np.abs(between).max() > 0.05 and np.abs(np.diff(between, n=2, axis=0)).max() < 0.02


def test_implausible_limbs_take_the_fitted_pose(calibrated):
    """Frames in which a thigh points backwards and up get the fitted pose; those far from them keep the generated one."""
    (recovery,) = calibrated[0].recoveries
    calibrator = MeshCalibrator(make_body(load_body()))
    target = calibrator.body.h36m17(recovery.betas, recovery.poses[:, :3], recovery.poses[:, 3:], recovery.trans).numpy()
    mesh, hip = replace(recovery, lifted_joints=target), 3 * SMPL_JOINTS.index("left_hip")
    poses = np.array(mesh.poses)
    poses[10:12, hip : hip + 3] = [2.2, 0, 0]
    poses[:, 3 * SMPL_JOINTS.index("head")] += 0.2  # distinguishes the generated pose from the fitted one
    plausible = calibrator.replace_implausible_poses(replace(mesh, poses=poses), recovery).poses
    assert np.abs(plausible[10:12] - recovery.poses[10:12]).max() < 1e-3
    assert np.abs(plausible[[0, 1, 22, 23]] - poses[[0, 1, 22, 23]]).max() < 5e-3
    nod = (plausible - recovery.poses)[:, 3 * SMPL_JOINTS.index("head")]
    assert np.abs(np.diff(nod)).max() < 0.1  # rad: it fades


def test_bodies_with_fingers_are_refused():
    hands = SimpleNamespace(template=SimpleNamespace(joint_names=range(52), smpl_joint_indices=range(24), name="smplh"))
    with pytest.raises(InputError, match="hands"):
        MeshCalibrator(hands)
