"""Short gaps are filled in, longer ones and the ends are not."""

import numpy as np

from blender_meshrec.backend.lifting.short_gaps import rows_in_short_gaps, with_short_gaps
from blender_meshrec.core.records import Observations

TIMES = np.arange(120) / 30


def observations(visible):
    rng = np.random.default_rng(0)
    keypoints = np.concatenate([rng.uniform(0, 100, (120, 17, 2)), np.full((120, 17, 1), 0.9)], -1) * visible[:, None, None]
    return Observations("coco17", np.tile([0.0, 0, 100, 100], (120, 1)) * visible[:, None], keypoints, visible, None)


def test_rows_of_short_gaps():
    visible = np.ones(120, bool)
    visible[:5] = visible[10:30] = visible[50:100] = visible[115:] = False
    assert np.flatnonzero(rows_in_short_gaps(visible, TIMES)).tolist() == list(range(10, 30))
    assert not rows_in_short_gaps(np.zeros(120, bool), TIMES).any()


def test_filled_rows_have_no_confidence_and_lie_between():
    visible = np.ones(120, bool)
    visible[10:30] = False
    before = observations(visible)
    after = with_short_gaps(before, TIMES)
    assert after.visible.all() and not after.keypoints[10:30, :, 2].any()
    middle = (before.keypoints[9, :, :2] * 10 + before.keypoints[30, :, :2] * 11) / 21
    np.testing.assert_allclose(after.keypoints[20, :, :2], middle, atol=1e-3)
    np.testing.assert_array_equal(after.keypoints[visible], before.keypoints[visible])


def test_nothing_to_fill():
    whole = observations(np.ones(120, bool))
    assert with_short_gaps(whole, TIMES) is whole
