"""Two estimates made one: between both, at the size of the detector's, steadier than the detector's. Which lifter lifts for whom."""

import numpy as np
import pytest

from blender_meshrec.backend.fitting import reprojection_fit
from blender_meshrec.backend.lifting.estimators import average_estimates
from blender_meshrec.backend.registry import ESTIMATORS
from blender_meshrec.core.metrics import pa_mpjpe
from blender_meshrec.core.records import Observations
from blender_meshrec.methods import pc_hmr, skeleton2mesh
from tests.support.synthetic_gait import make_view, walk


@pytest.fixture
def person():
    times = np.arange(60) / 30
    joints = walk(times).h36m17
    return times, joints - joints[:, :1]


def test_errors_that_differ_are_halved_by_the_mean(person):
    """Each estimate bends all limbs its own way, in every frame alike; either alone is off by about 50 mm."""
    times, true = person
    rng = np.random.default_rng(0)
    bend = rng.normal(0, 0.05, (2, 1, 17, 3)) * (np.arange(17) > 0)[:, None]
    steady, unsteady = true + bend
    mean = average_estimates(0.8 * steady, unsteady, np.ones(60, bool), times)  # the lifter knows no sizes
    assert pa_mpjpe(mean, true) < 0.85 * min(pa_mpjpe(steady, true), pa_mpjpe(unsteady, true))
    sizes = [np.linalg.norm(joints, axis=-1).mean() for joints in (mean, unsteady)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)


def test_the_detectors_trembling_is_taken_out(person):
    times, true = person
    rng = np.random.default_rng(1)
    trembling = true + rng.normal(0, 0.02, true.shape)
    mean = average_estimates(true, trembling, np.ones(60, bool), times)
    jerk = [np.abs(np.diff(joints - true, n=2, axis=0)).mean() for joints in (mean, trembling)]
    assert jerk[0] < 0.3 * jerk[1]


def test_frames_without_the_person_hold_zeros(person):
    times, true = person
    visible = np.arange(60) % 20 < 15
    mean = average_estimates(true * visible[:, None, None], true * visible[:, None, None], visible, times)
    assert not mean[~visible].any()
    assert np.abs(mean - true)[visible].max() < 0.1  # m; smoothing over gaps


@pytest.mark.parametrize(
    "method, weights",
    [("skeleton2mesh", skeleton2mesh.WEIGHTS_FILE), ("pc-hmr", pc_hmr.LIFTER_WEIGHTS_FILE), ("pc-hmr-serial", pc_hmr.LIFTER_WEIGHTS_FILE)],
)
def test_pc_hmr_lifts_with_the_copy_that_was_tuned_for_it(method, weights, monkeypatch):
    asked, load = [], skeleton2mesh.load_lifter
    monkeypatch.setattr(skeleton2mesh, "load_lifter", lambda device, name: asked.append(name) or load(device, name))
    truth, camera = walk(np.arange(30) / 30), make_view(distance=5)
    pixels = camera.keypoints(truth.h36m17)
    observations = Observations("h36m17", np.tile([600.0, 100.0, 1200.0, 1000.0], (30, 1)), pixels, np.ones(30, bool))
    estimate = ESTIMATORS.get(method)(observations, camera.intrinsics, truth.times, "cpu")
    assert asked == [weights]
    # Tuning looks at poses brought to size: what ships speaks in the same unit all the same.
    bones = np.diff(estimate.joints[:, reprojection_fit.BONES], axis=2)[:, :, 0]
    assert np.median(np.linalg.norm(bones, axis=-1).sum(1)) == pytest.approx(skeleton2mesh.TOTAL_BONE_LENGTH, rel=0.1)
