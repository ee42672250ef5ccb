"""SKELify recovers poses from keypoints that were projected from SKEL."""

import numpy as np
import pytest
import torch

from blender_meshrec.bodies.skel import Skel
from blender_meshrec.core.cameras import project
from blender_meshrec.core.skel.template import load_skel
from blender_meshrec.core.skel.vocabulary import clamp_to_limits, dof_index, limit_excess
from blender_meshrec.core.skeletons import COCO17, LIMB_JOINTS
from blender_meshrec.methods import hsmr
from blender_meshrec.methods.hsmr import skelify

INTRINSICS = np.array([[1400.0, 0, 640], [0, 1400, 360], [0, 0, 1]])
# A level camera 5 m in front of a body that faces it.
CAMERA_FROM_BODY = np.diag([1.0, -1.0, -1.0, 1.0])
CAMERA_FROM_BODY[:3, 3] = [0, 0, 5]
FRAMES = 12


@pytest.fixture(scope="module")
def truth(skel):
    """A person who bends knees and elbows while turning a little: q, betas, transl, keypoints of COCO (F,17,3)."""
    wave = 0.5 - 0.5 * np.cos(np.linspace(0, 2 * np.pi, FRAMES))
    q = np.zeros((FRAMES, 46))
    for name, value in hsmr._STANDING_ANGLES.items():
        q[:, dof_index(name)] = value
    for name, reach in {"knee_angle_r": 1.0, "hip_flexion_r": 0.8, "elbow_flexion_l": 1.2, "pelvis_rotation": 0.4}.items():
        q[:, dof_index(name)] += reach * wave
    q = clamp_to_limits(q)
    betas, transl = np.array([0.5, -0.4, *[0.0] * 8]), np.stack([0.2 * wave, 0 * wave, 0.1 * wave], -1)
    return q, betas, transl, seen(skel, q, betas, transl)


def joints_of(skel, q, betas, transl):
    with torch.no_grad():
        return skel.joints(q, betas, transl).numpy()[:, hsmr.SKEL_LIMB_JOINTS].astype(float)


def seen(skel, q, betas, transl):
    joints = joints_of(skel, q, betas, transl) @ CAMERA_FROM_BODY[:3, :3].T + CAMERA_FROM_BODY[:3, 3]
    keypoints = np.zeros((len(q), len(COCO17), 3))
    keypoints[:, [COCO17.index(name) for name in LIMB_JOINTS]] = np.concatenate([project(joints, INTRINSICS), np.ones((len(q), 12, 1))], -1)
    return keypoints


def test_a_person_is_fitted_from_nothing(skel, truth):
    *_, keypoints = truth
    fit = skelify(skel, keypoints, COCO17, INTRINSICS, CAMERA_FROM_BODY)
    height = np.ptp(keypoints[:, [COCO17.index(name) for name in LIMB_JOINTS], 1], axis=1)
    assert np.median(fit.error / height) < 0.03
    assert limit_excess(fit.q).max() < np.radians(0.01)
    assert fit.improved.all()


def test_a_person_seen_from_behind_gets_that_heading(skel, truth):
    q, betas, transl, _ = truth
    q = q.copy()
    q[:, 2] += np.pi
    fit = skelify(skel, seen(skel, q, betas, transl), COCO17, INTRINSICS, CAMERA_FROM_BODY)
    assert np.abs(np.angle(np.exp(1j * (fit.q[:, 2] - q[:, 2])))).max() < 0.5  # rad


def test_a_pose_near_the_truth_is_refined(skel, truth):
    q, betas, transl, keypoints = truth
    off = np.random.default_rng(0).normal(0, 0.12, 46)
    start = clamp_to_limits(q + off)
    fit = skelify(skel, keypoints, COCO17, INTRINSICS, CAMERA_FROM_BODY, start, betas, transl)
    assert fit.improved.all() and np.median(fit.error) < 0.3 * np.median(fit.error_before)
    before, after, target = (joints_of(skel, each, *rest) for each, *rest in (
        (start, betas, transl), (fit.q, fit.betas, fit.transl), (q, betas, transl)))  # fmt: skip
    assert np.linalg.norm(after - target, axis=-1).mean() < 0.7 * np.linalg.norm(before - target, axis=-1).mean()
    assert limit_excess(fit.q).max() < np.radians(0.01)


def test_frames_whose_error_would_increase_stay_unchanged(skel, truth):
    q, betas, transl, keypoints = truth
    fit = skelify(skel, keypoints, COCO17, INTRINSICS, CAMERA_FROM_BODY, q, betas, transl)
    assert (fit.error <= fit.error_before + 1e-9).all()
    assert np.abs((fit.q - q)[~fit.improved]).max(initial=0) < 1e-12


def test_keypoints_without_confidence_have_no_influence(skel, truth):
    q, betas, transl, keypoints = truth
    wrong = keypoints.copy()
    wrist = COCO17.index("left_wrist")
    wrong[:, wrist, :2] += 400
    wrong[:, wrist, 2] = 0
    fit = skelify(skel, wrong, COCO17, INTRINSICS, CAMERA_FROM_BODY, q, betas, transl)
    assert np.linalg.norm(joints_of(skel, fit.q, fit.betas, fit.transl) - joints_of(skel, q, betas, transl), axis=-1).max() < 0.05


def test_the_energy_gradient_agrees_with_finite_differences(truth):
    skel = Skel(load_skel(), dtype=torch.float64)
    q, betas, transl, keypoints = truth
    limbs = keypoints[:2, [COCO17.index(name) for name in LIMB_JOINTS]] + [5, -3, 0]
    camera = np.broadcast_to(CAMERA_FROM_BODY, (2, 4, 4))
    energy_fit = hsmr._SkelifyFit(skel, limbs, INTRINSICS, camera, q[:2], betas, transl[:2], smooth=1.0)
    u = energy_fit.u.clone().requires_grad_()

    def energy(u):
        q = energy_fit.angles(u)
        return energy_fit.reprojection(q, energy_fit.betas, energy_fit.transl) + energy_fit.limit_prior(q)

    assert torch.autograd.gradcheck(energy, (u,), fast_mode=True)
