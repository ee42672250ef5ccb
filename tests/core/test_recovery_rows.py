"""Rows of a recovery, cut out and joined; nothing is interpolated across a cut."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.core.cameras import rigid_transform
from blender_meshrec.core.records import Recovery
from blender_meshrec.core.recovery_rows import change_shots, join_rows, rows_of, with_rows_of
from blender_meshrec.core.resampling import resample_recovery

FRAMES, CUT = 12, 6


@pytest.fixture
def recovery():
    """Somebody at x = 0 before the cut and at x = 10 m behind it, filmed by two cameras."""
    x = np.where(np.arange(FRAMES) < CUT, 0.0, 10.0)
    place = x[:, None] * [1.0, 0, 0]
    return Recovery(
        poses=np.zeros((FRAMES, 72)), trans=place, betas=np.zeros(FRAMES), surface_model_type="open", mocap_framerate=30.0,
        timestamps=np.arange(FRAMES) / 30, visible=np.ones(FRAMES, bool), joints=np.tile(place[:, None], (1, 24, 1)),
        confidence=np.ones((FRAMES, 24)), lifted_joints=np.tile(place[:, None], (1, 17, 1)), contacts=np.zeros((FRAMES, 4)),
        camera_intrinsics=np.diag([900.0, 900, 1]), camera_from_world=rigid_transform(np.eye(3), place), image_size=np.array([640, 480]),
        camera_zoom=1 + x,
    )  # fmt: skip


def test_rows_that_are_joined_again_are_the_whole(recovery):
    again = join_rows([rows_of(recovery, 0, 5), rows_of(recovery, 5, FRAMES)])
    for name, values in recovery.arrays().items():
        assert np.array_equal(getattr(again, name), values), name


def test_each_shot_is_changed_by_itself(recovery):
    lengths = []
    change_shots(recovery, [4, 9], lambda shot: lengths.append(len(shot)) or shot)
    assert lengths == [4, 5, 3]


def test_rows_of_another_one_take_their_place_but_for_the_times(recovery):
    other = replace(rows_of(recovery, 2, 6), poses=recovery.poses[2:6] + 1, joint_sigma=None)
    changed = with_rows_of(recovery, other, np.array([0, 3]), np.array([1, 2]))
    np.testing.assert_array_equal(changed.poses[[0, 3]], other.poses[[1, 2]])
    np.testing.assert_array_equal(changed.poses[1:3], recovery.poses[1:3])
    np.testing.assert_array_equal(changed.timestamps, recovery.timestamps)


@pytest.mark.parametrize("fps", [24.0, 60.0, 120.0, 7.0])
def test_resampling_makes_nothing_between_two_shots(recovery, fps):
    resampled = resample_recovery(recovery, fps, [CUT])
    assert np.diff(resampled.timestamps) == pytest.approx(1 / fps)
    assert len(resampled) == len(resample_recovery(recovery, fps))
    assert set(np.unique(resampled.trans[:, 0])) == {0.0, 10.0}
    assert set(np.unique(resampled.camera_zoom)) == {1.0, 11.0}
    assert (resampled.trans[:, 0] == 10).tolist() == (resampled.timestamps > CUT / 30 - 1e-9).tolist()
