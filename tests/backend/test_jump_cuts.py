"""Motion on either side of a jump cut: one person in one world, and nothing is smoothed or held across it."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend import pipeline
from blender_meshrec.backend.clip import TIME_CUT_OUT
from blender_meshrec.backend.pipeline import recover
from blender_meshrec.bridge.messages import ReconstructRequest
from tests.support import synthetic_gait

HALF = 40
ANKLES = [7, 8]
BEFORE, BEHIND = slice(0, HALF), slice(HALF, 2 * HALF)


def walk_with_jump(file, turn):
    """The result and the truth of somebody who walks, and of whose walk 1 s is cut out in the middle."""
    times = np.arange(HALF) / 30
    truth = synthetic_gait.walk(np.concatenate([times, times + times[-1] + 1.0]), turn)
    middle = truth.pelvis.mean(0)
    view = synthetic_gait.make_view(distance=6, pitch=0.15, look_at=(middle[0], middle[1], 0.9))
    tracked = pipeline.detect_and_track
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "detect_and_track", lambda *given: replace(tracked(*given), jumps=(HALF,)))
        return recover(ReconstructRequest(str(synthetic_gait.write_keypoints(file, truth, view)))), truth


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return walk_with_jump(tmp_path_factory.mktemp("keypoints") / "jump.npz", np.pi / 2)


def test_people_walk_as_far_on_either_side_as_they_do_and_are_elsewhere_behind_it(result):
    recovery, truth = result[0].recoveries[0], result[1]
    for rows in (BEFORE, BEHIND):
        found, true = (np.linalg.norm(pelvis[rows][-1] - pelvis[rows][0]) for pelvis in (recovery.joints[:, 0], truth.pelvis))
        assert found == pytest.approx(true, rel=0.1)
    jumped, true = (np.linalg.norm(np.diff(pelvis[HALF - 1 : HALF + 1], axis=0)) for pelvis in (recovery.joints[:, 0], truth.pelvis))
    assert true > 1 and jumped == pytest.approx(true, rel=0.1)


def test_feet_are_as_fast_beside_it_as_in_truth(tmp_path):
    """Towards the camera, where smoothing has the most to say."""
    result, truth = walk_with_jump(tmp_path / "ahead.npz", 0.3)
    speeds = [30 * np.linalg.norm(np.diff(joints[:, ANKLES], axis=0), axis=-1) for joints in (result.recoveries[0].joints, truth.joints)]
    beside = [HALF - 3, HALF - 2, HALF, HALF + 1]
    assert np.abs(speeds[0] - speeds[1])[beside].mean() < 0.3  # m/s; 0.9 if the walk were smoothed across


def test_no_foot_stands_across_it(result):
    contacts = result[0].recoveries[0].contacts > 0.5
    assert contacts[BEFORE].any() and contacts[BEHIND].any()
    assert not (contacts[HALF - 1] & contacts[HALF]).any()


def test_the_result_keeps_the_file_s_times_and_is_good(result):
    np.testing.assert_allclose(result[0].recoveries[0].timestamps, np.arange(2 * HALF) / 30, atol=1e-6)
    person = result[0].report["people"][0]
    assert person["verdict"] == "good" and person["held_frames"] == []
    assert [str(warning) for warning in result[0].report["warnings"]] == [
        f"Time is cut out of jump.npz: from these frames on people are elsewhere, and nothing is smoothed across them: {HALF}."
    ]


def test_the_times_of_motion_have_the_time_that_was_cut_out(result):
    clip, _tracked = pipeline.open_clip(ReconstructRequest(result[0].recoveries[0].footage), lambda progress: None)
    clip.jumps, clip.playing_speed = (3,), 2
    steps = np.diff(clip.motion_times)
    assert steps[2] == pytest.approx(TIME_CUT_OUT + 1 / 60) and np.delete(steps, 2) == pytest.approx(1 / 60)
    clip.playing_speed, clip.jumps = 1, ()
    assert np.array_equal(clip.motion_times, clip.frames.timestamps)
