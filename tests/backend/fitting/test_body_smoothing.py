"""Smoothing of a body's rotations."""

import numpy as np

from blender_meshrec.backend.fitting.body_smoothing import smooth_body
from blender_meshrec.core.metrics import jitter
from blender_meshrec.core.records import BodyParams
from blender_meshrec.core.rotations import angle_between_rotmats, rotmat_from_rotvec, rotvec_from_rotmat
from tests.support import synthetic_gait
from tests.support.synthetic_template import REST

TIMES = np.arange(120) / 30


def params_of(truth, rng=None, scale=0.05):
    """BodyParams of a Walker, with noise of `scale` rad in every rotation vector."""
    poses = rotvec_from_rotmat(truth.rotmats).reshape(len(truth.times), -1)
    if rng is not None:
        poses = poses + rng.normal(scale=scale, size=poses.shape)
    return BodyParams("open", np.zeros(10), poses[:, :3], poses[:, 3:], truth.pelvis - REST[0])


def test_noise_is_removed_and_motion_stays():
    truth = synthetic_gait.walk(TIMES)
    noisy = params_of(truth, np.random.default_rng(0))
    smooth = smooth_body(noisy, np.ones(120, bool), TIMES)
    exact = params_of(truth)
    rotmats = [rotmat_from_rotvec(each.body_pose.reshape(120, -1, 3)) for each in (noisy, smooth)]
    turns = [angle_between_rotmats(each, truth.rotmats[:, 1:]).mean() for each in rotmats]
    assert turns[1] < 0.5 * turns[0]
    axes = [each.reshape(120, -1, 3) for each in rotmats]
    assert jitter(axes[1], TIMES) < 0.1 * jitter(axes[0], TIMES)
    assert np.abs(smooth.transl - exact.transl).max() < 0.01  # m


def test_strength_zero_and_unseen_frames_change_nothing():
    noisy = params_of(synthetic_gait.walk(TIMES), np.random.default_rng(1))
    everywhere = np.ones(120, bool)
    assert smooth_body(noisy, everywhere, TIMES, 0.0) is noisy
    visible = np.arange(120) % 40 < 30
    smooth = smooth_body(noisy, visible, TIMES)
    np.testing.assert_allclose(smooth.body_pose[~visible], noisy.body_pose[~visible], atol=1e-6)
    assert np.abs(smooth.body_pose[visible] - noisy.body_pose[visible]).max() > 0.01


def test_a_rotating_body_keeps_rotating():
    """Through half turns, where rotation vectors jump."""
    truth = synthetic_gait.stand(TIMES)
    spin = np.stack([np.zeros(120), np.zeros(120), 2.0 * TIMES], -1)
    truth.rotmats[:, 0] = rotmat_from_rotvec(spin) @ truth.rotmats[:, 0]
    smooth = smooth_body(params_of(truth), np.ones(120, bool), TIMES)
    assert np.degrees(angle_between_rotmats(rotmat_from_rotvec(smooth.global_orient), truth.rotmats[:, 0])).max() < 1.0
