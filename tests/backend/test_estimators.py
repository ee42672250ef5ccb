"""Two estimates made one: between both, at the size of the detector's, steadier than the detector's."""

import numpy as np
import pytest

from blender_meshrec.backend.estimators import joined
from blender_meshrec.core.measures import pa_mpjpe
from tests.walkers import walk


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
    mean = joined(0.8 * steady, unsteady, np.ones(60, bool), times)  # the lifter knows no sizes
    assert pa_mpjpe(mean, true) < 0.85 * min(pa_mpjpe(steady, true), pa_mpjpe(unsteady, true))
    sizes = [np.linalg.norm(joints, axis=-1).mean() for joints in (mean, unsteady)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)


def test_the_detectors_trembling_is_taken_out(person):
    times, true = person
    rng = np.random.default_rng(1)
    trembling = true + rng.normal(0, 0.02, true.shape)
    mean = joined(true, trembling, np.ones(60, bool), times)
    jerk = [np.abs(np.diff(joints - true, n=2, axis=0)).mean() for joints in (mean, trembling)]
    assert jerk[0] < 0.3 * jerk[1]


def test_frames_without_the_person_hold_zeros(person):
    times, true = person
    visible = np.arange(60) % 20 < 15
    mean = joined(true * visible[:, None, None], true * visible[:, None, None], visible, times)
    assert not mean[~visible].any()
    assert np.abs(mean - true)[visible].max() < 0.1  # m; smoothing over gaps
