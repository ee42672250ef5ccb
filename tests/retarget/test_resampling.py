"""Performances at other frame rates: what is interpolated, what is kept, and where the frames lie."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.retarget.rig import BoneMapping, Performance, Rig
from blender_meshrec.retarget.source.resampling import resample_performance


def performance(times: np.ndarray) -> Performance:
    """A bone that is mapped and one that is not, both of which turn by 1 rad/s about z and move by 1 m/s along x."""
    rig = Rig("two", ("mapped", "other"), np.array([-1, -1]), np.tile(np.eye(4), (2, 1, 1)), np.ones(2))
    turns = rotmat_from_rotvec(np.outer(times, [0, 0, 1.0]))
    heads = np.zeros((len(times), 2, 3))
    heads[..., 0] = times[:, None]
    contacts, soles = np.repeat(times[:, None] / 10, 4, 1), np.repeat(heads, 2, 1)
    mapping = BoneMapping({"hips": ("mapped",)})
    return Performance(rig, mapping, np.repeat(turns[:, None], 2, 1), heads, 10.0, times, contacts, soles)


def turned(rotations: np.ndarray) -> np.ndarray:
    return np.arctan2(rotations[:, 1, 0], rotations[:, 0, 0])


UNEVEN = np.array([2.0, 2.1, 2.25, 2.3, 2.5, 2.85])


@pytest.mark.parametrize("fps", [7.0, 20.0, 24.0])
def test_everything_is_interpolated_but_bones_that_are_not_mapped(fps):
    result = resample_performance(performance(UNEVEN), fps)
    times = result.timestamps
    np.testing.assert_allclose(times, 2.0 + np.arange(int(0.85 * fps) + 1) / fps)
    assert result.fps == fps and times[-1] <= UNEVEN[-1] + 1e-9 < times[-1] + 1 / fps
    np.testing.assert_allclose(turned(result.rotations[:, 0]), times, atol=1e-9)  # rad
    np.testing.assert_allclose(result.heads[:, 1, 0], times)
    assert result.contacts is not None and result.soles is not None
    np.testing.assert_allclose(result.contacts[:, 3], times / 10)
    np.testing.assert_allclose(result.soles[:, 2, 0], times)
    before = UNEVEN[[np.flatnonzero(times[k] + 1e-9 >= UNEVEN)[-1] for k in range(len(times))]]
    np.testing.assert_allclose(turned(result.rotations[:, 1]), before, atol=1e-9)


def test_the_last_frame_is_kept_where_the_rate_meets_it():
    result = resample_performance(performance(np.arange(5) / 10), 20.0)
    np.testing.assert_allclose(result.timestamps, np.arange(9) / 20)
    np.testing.assert_allclose(turned(result.rotations[:, 0]), np.arange(9) / 20, atol=1e-9)


def test_frames_that_lie_at_the_rate_are_the_same_arrays():
    given = performance(1.0 + np.arange(5) / 10)
    result = resample_performance(given, 10.0)
    assert np.array_equal(result.rotations, given.rotations) and np.array_equal(result.timestamps, given.timestamps)
    assert resample_performance(replace(given, fps=25.0), 10.0).fps == 10.0, "a rate that its timestamps do not have"
    nearly = replace(given, timestamps=given.timestamps + [0, 5e-7, 0, -5e-7, 0])
    assert np.array_equal(resample_performance(nearly, 10.0).timestamps, nearly.timestamps)
    shifted = performance(np.array([1.0, 1.1, 1.2001, 1.3, 1.4]))
    np.testing.assert_allclose(resample_performance(shifted, 10.0).timestamps, given.timestamps, atol=1e-12)


def test_unknown_contacts_and_soles_stay_unknown():
    result = resample_performance(replace(performance(UNEVEN), contacts=None, soles=None), 24.0)
    assert result.contacts is None and result.soles is None
