"""Averaging of the lifter's and the detector's estimate, and the lifter weights of each estimator."""

import numpy as np
import pytest

from blender_meshrec.backend.fitting import reprojection_fit
from blender_meshrec.backend.lifting.estimators import average_estimates
from blender_meshrec.backend.registry import ESTIMATORS
from blender_meshrec.core.metrics import pa_mpjpe
from blender_meshrec.core.records import Observations
from blender_meshrec.methods import pc_hmr, skeleton2mesh
from blender_meshrec.methods.lifter.lifter_input import TOTAL_BONE_LENGTH
from tests.support.synthetic_gait import make_view, walk


@pytest.fixture
def person():
    times = np.arange(60) / 30
    joints = walk(times).h36m17
    return times, joints - joints[:, :1]


def test_averaging_reduces_independent_errors(person):
    """Each estimate has its own constant error of about 50 mm per joint."""
    times, true = person
    rng = np.random.default_rng(0)
    errors = rng.normal(0, 0.05, (2, 1, 17, 3)) * (np.arange(17) > 0)[:, None]
    lifted, detected = true + errors
    mean = average_estimates(0.8 * lifted, detected, np.ones(60, bool), times)  # the lifter does not know the size
    assert pa_mpjpe(mean, true) < 0.85 * min(pa_mpjpe(lifted, true), pa_mpjpe(detected, true))
    sizes = [np.linalg.norm(joints, axis=-1).mean() for joints in (mean, detected)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)


def test_noise_of_the_detectors_estimate_is_smoothed(person):
    times, true = person
    rng = np.random.default_rng(1)
    noisy = true + rng.normal(0, 0.02, true.shape)
    mean = average_estimates(true, noisy, np.ones(60, bool), times)
    acceleration = [np.abs(np.diff(joints - true, n=2, axis=0)).mean() for joints in (mean, noisy)]
    assert acceleration[0] < 0.3 * acceleration[1]


def test_frames_without_the_person_are_zero(person):
    times, true = person
    visible = np.arange(60) % 20 < 15
    mean = average_estimates(true * visible[:, None, None], true * visible[:, None, None], visible, times)
    assert not mean[~visible].any()
    assert np.abs(mean - true)[visible].max() < 0.1  # m; smoothing over gaps


@pytest.mark.parametrize(
    "method, weights",
    [("skeleton2mesh", skeleton2mesh.WEIGHTS_FILE), ("pc-hmr", pc_hmr.LIFTER_WEIGHTS_FILE), ("pc-hmr-serial", pc_hmr.LIFTER_WEIGHTS_FILE)],
)
def test_pc_hmr_lifts_with_its_own_weights(method, weights, monkeypatch):
    loaded, load = [], skeleton2mesh.load_lifter
    monkeypatch.setattr(skeleton2mesh, "load_lifter", lambda device, name: loaded.append(name) or load(device, name))
    truth, camera = walk(np.arange(30) / 30), make_view(distance=5)
    pixels = camera.keypoints(truth.h36m17)
    observations = Observations("h36m17", np.tile([600.0, 100.0, 1200.0, 1000.0], (30, 1)), pixels, np.ones(30, bool))
    estimate = ESTIMATORS.get(method)(observations, camera.intrinsics, truth.times, "cpu")
    assert loaded == [weights]
    # Tuning is independent of scale; the shipped weights still give the lifter's unit of length.
    bones = np.diff(estimate.joints[:, reprojection_fit.BONES], axis=2)[:, :, 0]
    assert np.median(np.linalg.norm(bones, axis=-1).sum(1)) == pytest.approx(TOTAL_BONE_LENGTH, rel=0.1)
