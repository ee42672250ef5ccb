"""What each Quality chooses, and the motion in the frames that Draft leaves out."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.core.catalog import DEFAULT_REFINERS
from blender_meshrec.core.options import OPTIONS
from blender_meshrec.core.quality_levels import QUALITY_LEVELS, chosen_refiners
from blender_meshrec.core.resampling import fill_in_frames
from blender_meshrec.core.rotations import angle_between_rotmats, rotmat_from_rotvec
from blender_meshrec.core.time_series import interpolate_cubic
from tests.support.synthetic_bodies import make_recovery, make_tube_body


def test_every_choice_of_the_option_is_a_level():
    assert [choice.value for choice in OPTIONS["quality"].choices] == list(QUALITY_LEVELS)
    draft, standard, best = QUALITY_LEVELS.values()
    assert standard == replace(best, landmark_model=standard.landmark_model, second_looks_per_second=10.0)
    assert best.landmark_model != standard.landmark_model and best.second_looks_per_second is None
    assert draft.landmark_model == standard.landmark_model and not draft.refiners and standard.refiners == DEFAULT_REFINERS


@pytest.mark.parametrize(
    ("rate", "step", "second"),
    [(5.0, 1, 1), (20.0, 1, 2), (23.976, 2, 2), (24.0, 2, 2), (30.0, 2, 3), (50.0, 3, 5), (59.94, 4, 6), (60.0, 4, 6), (240.0, 16, 24)],
)
def test_draft_looks_about_fifteen_times_a_second_and_standard_ten_times_again(rate, step, second):
    assert QUALITY_LEVELS["draft"].frame_step(rate) == step
    assert QUALITY_LEVELS["standard"].frame_step(rate) == QUALITY_LEVELS["best"].frame_step(rate) == 1
    looks = {name: level.second_look_step(rate) for name, level in QUALITY_LEVELS.items()}
    assert looks == {"draft": 0, "standard": second, "best": 1}


@pytest.mark.parametrize(
    ("names", "quality", "refiners"),
    [
        (("auto",), "standard", DEFAULT_REFINERS),
        (("auto",), "best", DEFAULT_REFINERS),
        (("auto",), "draft", ()),
        (("silhouettes",), "draft", ("silhouettes",)),
        (("auto", "skelify"), "standard", (*DEFAULT_REFINERS, "skelify")),
        (("auto", "silhouettes"), "standard", DEFAULT_REFINERS),
        ((), "best", ()),
    ],
)
def test_automatic_refiners_are_those_of_the_quality(names, quality, refiners):
    assert chosen_refiners(names, quality) == refiners


def test_cubic_interpolation_is_exact_for_parabolas_and_at_the_samples():
    known = np.array([0.0, 0.5, 0.7, 1.6, 2.0, 2.9])
    times = np.linspace(known[1], known[-2], 60)  # the outermost slopes are one-sided

    def parabola(t):
        return np.stack([3 * t**2 - t + 1, -(t**2)], -1)

    np.testing.assert_allclose(interpolate_cubic(times, known, parabola(known)), parabola(times), atol=1e-12)
    values = np.random.default_rng(0).normal(size=(6, 2, 3))
    np.testing.assert_allclose(interpolate_cubic(known, known, values), values, atol=1e-12)
    np.testing.assert_allclose(interpolate_cubic([-1.0, 9.0], known, values), values[[0, -1]], atol=1e-12)
    np.testing.assert_allclose(interpolate_cubic([0.25], known[:2], [[0.0], [2.0]]), [[1.0]])


def swinging(times):
    """A motion (F,) at times s whose arms swing thrice a second, while the root turns past half a circle."""
    recovery = make_recovery(make_tube_body(posedirs=False), frames=len(times), timestamps=times)
    poses = np.zeros((len(times), 24, 3))
    poses[:, 16:18, 2] = np.sin(6 * np.pi * times + 0.4)[:, None]
    poses[:, 0, 2] = np.angle(np.exp(1j * 3 * times))  # the rotation vector jumps where it passes pi
    trans = np.stack([times, np.sin(6 * np.pi * times), 0 * times], -1)
    return replace(recovery, poses=poses.reshape(len(times), -1), trans=trans)


def test_frames_between_keep_the_peaks_of_fast_motion():
    times = np.arange(61) / 30
    truth = swinging(times)
    filled = fill_in_frames(swinging(times[::2]), times)
    angles = angle_between_rotmats(*(rotmat_from_rotvec(each.poses.reshape(61, 24, 3)) for each in (filled, truth)))
    assert angles[2:-2].max() < 0.08  # rad, of a swing of 2 rad; linear interpolation is off by 0.19
    assert np.abs(filled.trans - truth.trans)[2:-2].max() < 0.08  # m, of 2 m
    np.testing.assert_array_equal(filled.timestamps, times)
    assert filled.mocap_framerate == truth.mocap_framerate


def test_a_frame_between_is_visible_if_its_neighbours_are():
    known = np.arange(5) / 15
    visible = np.array([True, True, False, True, True])
    filled = fill_in_frames(replace(swinging(known), visible=visible), np.arange(10) / 30)
    np.testing.assert_array_equal(filled.visible, [True, True, True, False, False, False, True, True, True, True])
