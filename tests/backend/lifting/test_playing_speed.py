"""Slow motion that no file tells of is found by how sure the lifter is, and only there."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from blender_meshrec.backend.lifting import playing_speed
from blender_meshrec.backend.lifting.playing_speed import find_playing_speed
from blender_meshrec.backend.pipeline import recover
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.cameras import project
from blender_meshrec.core.records import Observations
from tests.support.synthetic_gait import make_view, walk, write_keypoints
from tests.support.walk_before_camera import walk_about_hip

TIMES = np.arange(180) / 30


def clip_of(joints, times=TIMES):
    """A clip of somebody with joints (F,17,3) m about the hip, 4 m before the camera, seen to a pixel."""
    intrinsics = make_view().intrinsics
    noise = np.random.default_rng(0).normal(size=(len(joints), 17, 2))
    seen = np.concatenate([project(joints + [0, 0, 4.0], intrinsics) + noise, np.ones((len(joints), 17, 1))], -1)
    observations = Observations("h36m17", np.zeros((len(joints), 4)), seen, np.ones(len(joints), bool))
    return SimpleNamespace(
        people=[SimpleNamespace(steady=observations)],
        intrinsics=intrinsics,
        device=torch.device("cpu"),
        warnings=[],
        frames=SimpleNamespace(source="/footage/walk.mp4", fps=30.0, timestamps=times),
        playing_speed=1,
    )


@pytest.mark.parametrize("slower", [2, 3, 4])
def test_a_walk_in_slow_motion_towards_the_camera_is_found(slower):
    clip = clip_of(walk_about_hip(TIMES / slower))
    find_playing_speed(clip)
    assert clip.playing_speed == slower
    assert [warning.name for warning in clip.warnings] == ["seems-slow-motion"]
    assert f"about {slower} times" in clip.warnings[0] and f"about {30 * slower} frames a second" in clip.warnings[0]


@pytest.mark.parametrize("turn", [0.0, 0.8, 1.57])
def test_a_walk_in_true_time_stays(turn):
    joints = walk(TIMES, turn).h36m17[..., [0, 2, 1]] * [1, -1, 1]
    clip = clip_of(joints - joints[:, :1])
    find_playing_speed(clip)
    assert clip.playing_speed == 1 and not clip.warnings


def test_the_surest_speed_counts_if_it_is_clearly_surer(monkeypatch):
    tried = []

    def choose(*spreads):
        tried.clear()
        monkeypatch.setattr(playing_speed, "_mean_spread", lambda _clip, _people, speed: tried.append(speed) or spreads[speed - 1])
        clip = clip_of(walk_about_hip(TIMES))
        find_playing_speed(clip)
        return clip.playing_speed

    assert choose(1.0, 0.99, 0.985, 0.99) == 1 and tried == [1, 2, 3, 4]
    assert choose(1.0, 0.99, 0.9, 0.95) == 3
    assert choose(1.0, 1.01, 0.5, 0.5) == 1 and tried == [1, 2]  # of twice as fast, nothing was surer: no more is asked
    assert choose(float("inf"), float("inf"), 0.5, 0.5) == 1  # of weights that do not say how sure they are


def test_somebody_who_is_hardly_seen_tells_nothing():
    clip = clip_of(walk_about_hip(TIMES[:40] / 4), TIMES[:40])
    find_playing_speed(clip)
    assert clip.playing_speed == 1 and not clip.warnings
    longer = clip_of(walk_about_hip(TIMES / 4))
    longer.people += clip_of(walk_about_hip(TIMES[:40])).people
    find_playing_speed(longer)
    assert longer.playing_speed == 4


def test_a_walk_in_slow_motion_is_solved_as_in_true_time_and_keeps_the_file_s_times(tmp_path):
    files = [write_keypoints(tmp_path / f"{slower}.npz", walk(TIMES[: 60 * slower] / slower), make_view(pitch=0.1)) for slower in (1, 3)]
    true, slow = (recover(ReconstructRequest(str(file))) for file in files)
    assert any("slow motion, about 3 times" in str(warning) for warning in slow.report["warnings"])
    recovery = slow.recoveries[0]
    np.testing.assert_allclose(recovery.timestamps, TIMES, atol=1e-6)
    np.testing.assert_allclose(recovery.joints[::3], true.recoveries[0].joints, atol=0.05)
    told = recover(ReconstructRequest(str(files[1]), capture_fps=90.0)).recoveries[0]
    np.testing.assert_allclose(recovery.joints, told.joints, atol=1e-3)
