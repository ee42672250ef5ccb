"""SKELify term by term: each against a slow version of its equation, and the start that a fit from nothing takes."""

import numpy as np
import pytest
import torch

from blender_meshrec.core.cameras import project
from blender_meshrec.core.skel.vocabulary import DOF_LIMITS, dof_index
from blender_meshrec.core.skeletons import LIMB_JOINTS
from blender_meshrec.methods import hsmr

INTRINSICS = np.array([[1400.0, 0, 640], [0, 1300, 360], [0, 0, 1]])
CAMERA = np.diag([1.0, -1.0, -1.0, 1.0])
CAMERA[:3, 3] = [0.1, 0.2, 5]
FRAMES = 4
LIMITED = np.isfinite(DOF_LIMITS[:, 0])
SHOULDERS, HIPS = ([LIMB_JOINTS.index(f"{side}_{part}") for side in ("left", "right")] for part in ("shoulder", "hip"))


@pytest.fixture(scope="module")
def case(skel):
    """Random angles within their limits, shape, position, and keypoints with noise and confidences: q, betas, transl, observed."""
    rng = np.random.default_rng(0)
    low, high = np.where(LIMITED[:, None], DOF_LIMITS, [-1.0, 1.0]).T
    q = low + (high - low) * rng.uniform(0.1, 0.9, (FRAMES, 46))
    betas, transl = 0.5 * rng.normal(size=10), 0.2 * rng.normal(size=(FRAMES, 3))
    pixels = project(joints_of(skel, q, betas, transl) @ CAMERA[:3, :3].T + CAMERA[:3, 3], INTRINSICS)
    confidence = rng.uniform(-0.2, 1.3, (FRAMES, 12, 1))
    return q, betas, transl, np.concatenate([pixels + rng.normal(0, 20, pixels.shape), confidence], -1)


def joints_of(skel, q, betas, transl):
    with torch.no_grad():
        return skel.joints(q, betas, transl).numpy()[:, hsmr.SKEL_LIMB_JOINTS].astype(float)


@pytest.fixture(scope="module")
def fit(skel, case):
    q, betas, transl, observed = case
    return hsmr._SkelifyFit(skel, observed, INTRINSICS, np.broadcast_to(CAMERA, (FRAMES, 4, 4)), q, betas, transl, smooth=1.0)


def tensors(fit, *arrays):
    return [fit.observed.new_tensor(array) for array in arrays]


def test_a_fit_starts_at_the_angles_that_are_given(fit, case):
    np.testing.assert_allclose(fit.angles(fit.u).numpy(), case[0], atol=1e-5)
    q, betas, transl = fit.result()
    np.testing.assert_allclose(q, case[0], atol=1e-5)
    np.testing.assert_allclose(betas, case[1], atol=1e-6)
    np.testing.assert_allclose(transl, case[2], atol=1e-6)


def test_angles_at_their_limits_can_still_move(skel, case):
    q, betas, transl, observed = case
    for limit in (0, 1):
        extreme = np.where(LIMITED, DOF_LIMITS[:, limit], q)
        fit = hsmr._SkelifyFit(skel, observed, INTRINSICS, np.broadcast_to(CAMERA, (FRAMES, 4, 4)), extreme, betas, transl, smooth=0.0)
        found = fit.angles(fit.u).numpy()
        half = (DOF_LIMITS[LIMITED, 1] - DOF_LIMITS[LIMITED, 0]) / 2
        inside = np.abs(found[:, LIMITED] - extreme[:, LIMITED]) / half
        np.testing.assert_allclose(inside, 0.005, atol=1e-4)
        assert np.cos(fit.u.numpy()[:, LIMITED]).min() > 0.09  # the gradient does not vanish
        np.testing.assert_allclose(found[:, ~LIMITED], extreme[:, ~LIMITED], atol=1e-6)


def test_pixels_are_hundredths_of_the_larger_torsos(fit, case):
    observed = case[3]
    torsos = np.linalg.norm(observed[:, SHOULDERS, :2].mean(1) - observed[:, HIPS, :2].mean(1), axis=1)
    assert fit.pixel == pytest.approx(100 / np.quantile(torsos, 0.9))


def test_the_reprojection_error_is_robust_and_weighted(skel, fit, case):
    q, betas, transl, observed = case
    pixels = project(joints_of(skel, q, betas, transl) @ CAMERA[:3, :3].T + CAMERA[:3, 3], INTRINSICS)
    confidence = np.clip(observed[..., 2], 0, 1)
    squared = ((fit.pixel * (pixels - observed[..., :2])) ** 2).sum(-1)
    robust = 100.0**2 * squared / (100.0**2 + squared)
    arguments = tensors(fit, q, betas, transl)
    with torch.no_grad():
        assert float(fit.reprojection(*arguments)) == pytest.approx((confidence * robust).sum(1).mean(), rel=1e-3)
        some = [0, 5, 7]
        assert float(fit.reprojection(*arguments, some)) == pytest.approx((confidence * robust)[:, some].sum(1).mean(), rel=1e-3)
    expected = (confidence * np.linalg.norm(pixels - observed[..., :2], axis=-1)).sum(1) / confidence.sum(1)
    np.testing.assert_allclose(fit.error(q, betas, transl), expected, rtol=1e-3)


def test_the_prior_on_limits_grows_beyond_them(fit, case):
    q = case[0].copy()
    low, high = DOF_LIMITS[LIMITED].T
    x = q[:, LIMITED]
    expected = (np.exp(low - x) ** 2 + np.exp(x - high) ** 2).mean()
    (angles,) = tensors(fit, q)
    assert float(fit.limit_prior(angles)) == pytest.approx(expected, rel=1e-5)


def test_depth_has_a_minimum_and_accelerations_are_second_differences(fit, case):
    q, betas, _, _ = case
    behind = np.tile([0.0, 0, 50.0], (FRAMES, 1))
    with torch.no_grad():
        residuals, depth = fit.residuals(*tensors(fit, q, betas, behind))
    assert (depth == 0.1).all() and torch.isfinite(residuals).all()
    values = np.random.default_rng(1).normal(size=(6, 3))
    assert float(hsmr._squared_accelerations(torch.tensor(values))) == pytest.approx((np.diff(values, 2, axis=0) ** 2).sum())


@pytest.mark.parametrize("is_behind", [False, True])
@pytest.mark.parametrize("looks_back", [False, True])
def test_a_fit_from_nothing_starts_upright_at_the_torso(skel, case, is_behind, looks_back):
    observed = case[3].copy()
    observed[:, SHOULDERS[0], 0], observed[:, SHOULDERS[1], 0] = (400.0, 600.0) if looks_back else (600.0, 400.0)
    camera = CAMERA.copy()
    if is_behind:
        camera[:3, :3] = CAMERA[:3, :3] @ np.diag([-1.0, 1, -1])
    q, betas, transl = hsmr._initial_guess(skel, observed, INTRINSICS, np.broadcast_to(camera, (FRAMES, 4, 4)))
    standing = {"shoulder_r_x": 1.2, "shoulder_l_x": -1.2, "knee_angle_r": 0.1, "knee_angle_l": 0.1}
    for name, value in standing.items():
        np.testing.assert_allclose(q[:, dof_index(name)], value)
    heading = q[:, dof_index("pelvis_rotation")] % (2 * np.pi)
    np.testing.assert_allclose(np.cos(heading), -1 if is_behind != looks_back else 1)
    others = [dof for dof in range(46) if DOF_LIMITS[dof, 0] <= 0 <= DOF_LIMITS[dof, 1] and dof != 2]
    assert not q[:, [dof for dof in others if dof not in map(dof_index, standing)]].any() and not betas.any()
    rest = skel.template.rest_joints(betas)[hsmr.SKEL_LIMB_JOINTS]
    torso = (rest[SHOULDERS].mean(0) + rest[HIPS].mean(0)) / 2 + transl
    in_camera = torso @ camera[:3, :3].T + camera[:3, 3]
    seen = observed[:, [*SHOULDERS, *HIPS], :2].mean(1)
    np.testing.assert_allclose(project(in_camera, INTRINSICS), seen, atol=1e-6)
    pixels = np.linalg.norm(observed[:, SHOULDERS, :2].mean(1) - observed[:, HIPS, :2].mean(1), axis=1)
    length = np.linalg.norm(rest[SHOULDERS].mean(0) - rest[HIPS].mean(0))
    np.testing.assert_allclose(in_camera[:, 2], 1300 * length / pixels, rtol=1e-6)


def test_the_weights_are_those_of_the_paper_and_of_its_code():
    assert pytest.approx((4.78 * 0.17) ** 2) == hsmr.ANGLE_WEIGHT
    assert (hsmr.SHAPE_WEIGHT, hsmr.REFINE_STEPS) == (25.0, 10)
    assert (hsmr.CAMERA_DEPTH_WEIGHT, hsmr.CAMERA_REPROJECTION_WEIGHT, hsmr.STAGE_STEPS) == (100.0, 1.78, 30)
    assert hsmr.STAGE_WEIGHTS == ((100.0, 404.0), (50.0, 404.0), (10.0, 57.4), (5.0, 4.78))
    assert (hsmr.SMOOTH_WEIGHT, hsmr.ANCHOR_WEIGHT, hsmr.TRANSL_WEIGHT, hsmr.GEMAN_MCCLURE_SIGMA) == (2000.0, 1000.0, 25.0, 100.0)
