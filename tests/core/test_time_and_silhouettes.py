"""Rates, key frames, gaps, closeness in time, resampled motions and silhouettes."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.core import conventions
from blender_meshrec.core.cameras import default_intrinsics, invert_rigid_transform, rigid_transform
from blender_meshrec.core.resampling import fill_in_frames, resample_recovery
from blender_meshrec.core.rotations import angle_between_rotmats, rotmat_from_rotvec
from blender_meshrec.core.silhouettes import MASK_SIZE, MAX_SILHOUETTES, Silhouettes, evenly_spaced_indices
from blender_meshrec.core.time_gaps import close_time_gaps, recovery_without_gaps
from blender_meshrec.core.time_series import bracketing_samples, smoothstep, time_proximity, windowed_mean, windowed_minimum
from tests.support.synthetic_bodies import make_recovery, make_tube_body


@pytest.mark.parametrize("nominal", [24, 30, 48, 60, 120])
@pytest.mark.parametrize("factor, is_snapped", [(1.0, True), (1.00015, True), (0.99985, True), (1.00025, False), (0.99975, False)])
def test_rates_within_two_in_ten_thousand_are_standard(nominal, factor, is_snapped):
    for exact in (nominal / 1.001, float(nominal)):
        assert conventions.standard_fps(exact * factor) == (exact if is_snapped else exact * factor)


@pytest.mark.parametrize(
    "rate, expected", [(25.003, 25.0), (25.01, 25.01), (50.0, 50.0), (0.3, 0.3), (1.0001, 1.0), (12.5, 12.5), (0.00001, 0.00001)]
)
def test_other_rates_are_whole_numbers_where_they_nearly_are(rate, expected):
    assert conventions.standard_fps(rate) == expected


def test_rates_and_frames_of_the_software():
    assert (conventions.IMAGE_FPS, conventions.FOLDER_FPS, conventions.FIRST_BLENDER_FRAME) == (24.0, 30.0, 1)
    assert (conventions.MIN_FILE_FPS, conventions.MAX_FILE_FPS) == (1 / 1200, 10_000.0)
    np.testing.assert_allclose(conventions.key_frames([0.0, 1.0], 30), [1, 31])
    np.testing.assert_allclose(default_intrinsics((400, 300)), [[500, 0, 200], [0, 500, 150], [0, 0, 1]])


# --- gaps ---


@pytest.mark.parametrize("gap, count", [(9.9, 0), (10.1, 1), (86400.0, 1)])
def test_more_than_ten_seconds_are_a_gap(gap, count):
    times = np.array([3.0, 3.04, 3.08, 3.08 + gap, 3.12 + gap])
    closed, found = close_time_gaps(times, 25)
    assert found == count
    np.testing.assert_allclose(closed, [3.0, 3.04, 3.08, 3.12, 3.16] if count else times)


@pytest.mark.parametrize("gap, count", [(19.0, 0), (21.0, 1)])
def test_frames_of_a_time_lapse_are_far_apart(gap, count):
    times = np.cumsum([0, 2, 2, 2, gap * 2, 2, 2])
    closed, found = close_time_gaps(times, 25)
    assert found == count and (not count or closed[-1] == pytest.approx(10 + 1 / 25))


def test_two_frames_have_the_rate_for_their_usual_interval():
    assert close_time_gaps([0.0, 11.0], 25)[1] == 1 and close_time_gaps([0.0, 11.0], 0.5)[1] == 0
    assert close_time_gaps([0.0], 25)[1] == 0


def test_a_motion_without_its_gaps_says_so():
    recovery = make_recovery(make_tube_body(posedirs=False), frames=6)
    assert recovery_without_gaps(recovery, "clip") == (recovery, ())
    step = 1 / recovery.mocap_framerate
    gapped = replace(recovery, timestamps=np.cumsum([0, step, 60, step, 3600, step]))
    closed, (note,) = recovery_without_gaps(gapped, "clip")
    np.testing.assert_allclose(closed.timestamps, step * np.arange(6))
    assert note.name == "motion-gaps-closed"
    assert note.values == {"name": "clip", "seconds": pytest.approx(3660 - 2 * step), "count": 2}


# --- over time ---


def test_closeness_falls_from_a_flagged_sample_in_both_directions():
    times = np.array([0.0, 0.5, 1.0, 1.25, 1.5, 2.0, 4.0])
    flagged = np.array([False, False, True, False, False, False, True])
    distance = np.array([1, 0.5, 0, 0.25, 0.5, 1, 0])
    np.testing.assert_allclose(time_proximity(flagged, times, 1.0), smoothstep(1 - distance))
    np.testing.assert_allclose(time_proximity(flagged, times, 0.4), smoothstep(1 - distance / 0.4))
    assert not time_proximity(np.zeros(7, bool), times, 1.0).any() and len(time_proximity(np.zeros(7, bool), times, 1.0)) == 7


def test_smoothstep_is_eased_and_clipped():
    np.testing.assert_allclose(smoothstep([-1, 0, 0.25, 0.5, 0.75, 1, 2]), [0, 0, 0.15625, 0.5, 0.84375, 1, 1])


def test_samples_on_either_side_and_their_weights():
    before, after, weight = bracketing_samples([-1, 0, 0.25, 1, 3, 9], np.array([0.0, 1.0, 5.0]))
    assert before.tolist() == [0, 0, 0, 1, 1, 2] and after.tolist() == [1, 1, 1, 2, 2, 2]
    np.testing.assert_allclose(weight, [0, 0, 0.25, 0, 0.5, 0])


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64, 65])
def test_windows_of_any_length_include_both_ends(count):
    times = np.arange(count) * 0.1
    values = np.random.default_rng(count).uniform(size=count)
    for half in (0.0, 0.1, 0.3, 100.0):
        near = np.abs(times[:, None] - times) <= half + 1e-6
        np.testing.assert_array_equal(windowed_minimum(values, times, half), [values[row].min() for row in near])
        once = np.array([values[row].mean() for row in near])
        np.testing.assert_allclose(windowed_mean(values[:, None], times, half)[:, 0], [once[row].mean() for row in near], atol=1e-12)


# --- resampling ---


@pytest.mark.parametrize("fps", [10.0, 30.0, 47.0])
def test_a_resampled_motion_has_even_times_and_the_same_path(fps):
    frames = 12
    times = np.cumsum(np.random.default_rng(1).uniform(0.02, 0.06, frames))
    base = make_recovery(make_tube_body(posedirs=False), frames=frames, timestamps=times)
    line = np.linspace(0, 1, frames)[:, None]
    rate = (times - times[0])[:, None]
    poses = np.tile(rate * [0.0, 4.0, 0.0], (1, 24))
    q = (rate * 3.0 + 2.5 + np.zeros(46) + np.pi) % (2 * np.pi) - np.pi
    visible = np.arange(frames) < 6
    recovery = replace(
        base,
        poses=poses,
        trans=rate * [1.0, 2, 3],
        visible=visible,
        contacts=line + np.zeros(4),
        q=q,
        skel_betas=np.zeros(10),
        skel_trans=rate * [3.0, 2, 1],
        skel_model_type="open",
        calibrated_joints=rate[:, None] + np.zeros((24, 3)),
    )
    found = resample_recovery(recovery, fps)
    count = int((times[-1] - times[0]) * fps + 1e-6) + 1
    expected = np.arange(count) / fps
    np.testing.assert_allclose(found.timestamps, expected)
    assert found.mocap_framerate == fps
    np.testing.assert_allclose(found.trans, expected[:, None] * [1.0, 2, 3], atol=1e-5)
    np.testing.assert_allclose(found.skel_trans, expected[:, None] * [3.0, 2, 1], atol=1e-5)
    np.testing.assert_allclose(found.calibrated_joints, expected[:, None, None] + np.zeros((24, 3)), atol=1e-5)
    wanted = rotmat_from_rotvec(np.tile(expected[:, None, None] * [0.0, 4.0, 0.0], (1, 24, 1)))
    assert angle_between_rotmats(rotmat_from_rotvec(found.poses.reshape(count, 24, 3)), wanted).max() < 1e-4  # rad
    steps = np.diff(found.q, axis=0)
    np.testing.assert_allclose(steps, 3.0 / fps, atol=1e-4)
    nearest = np.abs(times[:, None] - times[0] - expected).argmin(0)
    clear = np.abs(np.interp(expected + times[0], times, np.arange(frames)) % 1 - 0.5) > 0.01
    assert (found.visible == visible[nearest])[clear & (np.abs(nearest - 5.5) > 1)].all()
    for name in ("joints", "confidence", "lifted_joints", "contacts", "camera_from_world"):
        assert len(getattr(found, name)) == count
        np.testing.assert_allclose(getattr(found, name)[0], getattr(recovery, name)[0], atol=1e-6)
    plain = resample_recovery(base, fps)
    assert plain.q is None and plain.skel_trans is None and plain.calibrated_joints is None


def test_a_resampled_camera_stays_rigid():
    """A camera that pans and walks, at three times the rate: its rotations are rotations, and its place is on its straight path."""
    times = np.arange(7) / 10
    base = make_recovery(make_tube_body(posedirs=False), frames=7, timestamps=times)
    pan = rotmat_from_rotvec(np.outer(times, [0.2, 3.0, 0.0]))
    places = np.outer(times, [1.0, 0.0, 2.0])
    recovery = replace(base, camera_from_world=rigid_transform(pan, -(pan @ places[..., None])[..., 0]))
    fine = np.arange(19) / 30
    for found in (resample_recovery(recovery, 30.0), fill_in_frames(recovery, fine)):
        rotations = found.camera_from_world[:, :3, :3]
        np.testing.assert_allclose(rotations @ np.swapaxes(rotations, 1, 2), np.tile(np.eye(3), (19, 1, 1)), atol=1e-9)
        assert angle_between_rotmats(rotations, rotmat_from_rotvec(np.outer(fine, [0.2, 3.0, 0.0]))).max() < 1e-6  # rad
        np.testing.assert_allclose(invert_rigid_transform(found.camera_from_world)[:, :3, 3], np.outer(fine, [1.0, 0, 2]), atol=1e-9)


# --- silhouettes ---


def test_silhouettes_are_checked_and_read_only():
    masks = np.zeros((2, MASK_SIZE, MASK_SIZE), np.uint8)
    masks[0, 3, 4] = 1
    found = Silhouettes([1.0, 5.0], [[1, 2, 3], [4, 5, 6]], masks)
    assert len(found) == 2 and found.rows.dtype == np.int64 and found.squares.dtype == np.float32 and found.masks.dtype == bool
    assert found.masks[0, 3, 4] and found.masks.sum() == 1 and found.rows.tolist() == [1, 5]
    for array in (found.rows, found.squares, found.masks):
        with pytest.raises(ValueError):
            array[0] = 0
    for rows, squares, shown in (([1], np.zeros((2, 3)), masks), ([1, 2], np.zeros((1, 3)), masks), ([1, 2], np.zeros((2, 3)), masks[:1])):
        with pytest.raises(ValueError, match="rows"):
            Silhouettes(rows, squares, shown)
    assert len(Silhouettes([], [], [])) == 0


def test_rows_are_chosen_evenly():
    assert evenly_spaced_indices([3, 4, 9], 3).tolist() == [0, 1, 2]
    rows = np.concatenate([np.arange(100), [200, 300]])
    chosen = evenly_spaced_indices(rows, 4)
    assert rows[chosen].tolist() == [0, 99, 200, 300]
    assert len(evenly_spaced_indices(np.arange(1000))) == MAX_SILHOUETTES
