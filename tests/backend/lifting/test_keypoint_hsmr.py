"""`--method hsmr` with the network that ships: SKEL's angles of a clip of 2D keypoints."""

import numpy as np
import pytest
import torch

from blender_meshrec.backend import registry
from blender_meshrec.backend.lifting import generators  # noqa: F401 - registers the generators
from blender_meshrec.backend.pipeline import recover
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bodies.skel import Skel
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.cameras import project, transform_points
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.metrics import pa_mpjpe
from blender_meshrec.core.records import Observations
from blender_meshrec.core.skel.metrics import skel_limit_violation
from blender_meshrec.core.skel.template import load_skel
from blender_meshrec.core.skel.vocabulary import DOF_LIMITS, dof_index, limit_excess
from blender_meshrec.core.skeletons import H36M17, limb_indices
from blender_meshrec.methods.smpl_to_skel import convert_smpl_to_skel
from tests.support.synthetic_gait import walk

FRAMES = 12
CAMERA_FROM_WORLD = np.array([[1.0, 0, 0, 0], [0, 0, -1, 1], [0, 1, 0, 5], [0, 0, 0, 1]])
INTRINSICS = np.array([[1468.0, 0, 640], [0, 1468, 360], [0, 0, 1]])


@pytest.fixture(scope="module")
def keypoints():
    """A walker's 17 joints (F,17,3) in a level camera: pixels and confidence."""
    walker = walk(np.arange(FRAMES) / 30)
    pixels = project(transform_points(CAMERA_FROM_WORLD, walker.h36m17), INTRINSICS)
    return np.concatenate([pixels, np.ones((FRAMES, len(H36M17), 1))], -1)


def test_a_clip_of_keypoints_becomes_skels_motion(keypoints, tmp_path):
    np.savez(tmp_path / "walk.npz", keypoints=keypoints, keypoint_set="h36m17", image_size=(1280, 720), fps=30.0)
    result = recover(ReconstructRequest(str(tmp_path / "walk.npz"), method="hsmr", refine=()))
    (recovery,) = result.recoveries
    assert recovery.q.shape == (FRAMES, 46) and recovery.skel_model_type == "open"
    assert limit_excess(np.asarray(recovery.q, float)).max() < 1e-6 and skel_limit_violation(recovery.q).max() < 1e-4  # rad, degrees
    truth = walk(np.arange(FRAMES) / 30).h36m17
    limbs = limb_indices(H36M17)
    assert pa_mpjpe(np.asarray(recovery.lifted_joints, float)[:, limbs], truth[:, limbs]) < 80  # mm
    assert result.report["people"][0]["skel"]["mean_distance_mm"] < 20


def test_the_generator_gives_the_same_pose_as_smpls_rotations(keypoints):
    boxes = np.concatenate([keypoints[..., :2].min(1), keypoints[..., :2].max(1)], 1)
    observations = Observations("h36m17", boxes, keypoints, np.ones(FRAMES, bool))
    mesh = registry.GENERATORS.get("hsmr")(observations, INTRINSICS, np.arange(FRAMES) / 30, torch.device("cpu"))
    estimate = registry.ESTIMATORS.get("hsmr")(observations, INTRINSICS, np.arange(FRAMES) / 30, torch.device("cpu"))
    body = make_body(load_body()).h36m17(mesh.body.betas, mesh.body.global_orient, mesh.body.body_pose).numpy()
    limbs = limb_indices(H36M17)
    apart = (body - body[:, :1])[:, limbs] - np.asarray(estimate.joints)[:, limbs]
    assert np.linalg.norm(apart, axis=-1).mean() < 0.04  # m; SMPL's joints lie elsewhere in the skin


def test_the_fit_starts_from_given_angles_where_they_are_nearer():
    """A shoulder blade that SMPL has no joint for: its angles are known to the given ones alone."""
    body, skel = make_body(load_body()), Skel(load_skel())
    poses = np.zeros((2, 72))
    poses[:, 0] = np.pi / 2
    plain = convert_smpl_to_skel(body, skel, poses, np.zeros(10), np.zeros((2, 3)))
    known = np.array(plain.q)
    known[1] = 0  # unknown
    again = convert_smpl_to_skel(body, skel, poses, np.zeros(10), np.zeros((2, 3)), first_q=known)
    assert (again.pve <= plain.pve + 2e-4).all() and limit_excess(again.q).max() < 1e-9
    np.testing.assert_allclose(again.q[1], plain.q[1], atol=1e-9)
    far = np.array(plain.q)
    far[:, dof_index("knee_angle_r")] = DOF_LIMITS[dof_index("knee_angle_r"), 1]
    np.testing.assert_allclose(convert_smpl_to_skel(body, skel, poses, np.zeros(10), np.zeros((2, 3)), first_q=far).q, plain.q, atol=1e-9)
