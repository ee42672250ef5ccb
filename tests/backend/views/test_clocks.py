"""Clocks of several views: time codes, sounds, and how people move."""

import av
import numpy as np
import pytest

from blender_meshrec.backend.views.motion_sync import motion_delay, motion_signal
from blender_meshrec.backend.views.recorded_clocks import SOUND_RATE, parse_time_code, read_sound, read_time_code, sound_delay
from blender_meshrec.core.records import Estimate, Observations
from tests.support.several_views import cameras_around
from tests.support.synthetic_gait import jump, walk


@pytest.mark.parametrize(
    ("word", "rate", "seconds"),
    [
        ("10:00:02:12", 24, 36002.5),
        ("00:00:01:00", 24000 / 1001, 24 * 1001 / 24000),
        ("00:01:00;02", 30000 / 1001, 1800 * 1001 / 30000),  # drop frame: the numbers 0 and 1 of a minute do not exist
        ("00:10:00;00", 30000 / 1001, 17982 * 1001 / 30000),
        ("00:00:00:30", 25, None),
        ("about noon", 25, None),
    ],
)
def test_time_codes(word, rate, seconds):
    found = parse_time_code(word, rate)
    assert found is None if seconds is None else found == pytest.approx(seconds)


def write_video(path, sound=None, time_code=None):
    """Two seconds of grey pictures with a sound (N,) at 44100 Hz and a time code."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        if time_code:
            container.metadata["timecode"] = time_code
        audio = container.add_stream("aac", rate=44100, layout="mono") if sound is not None else None
        for _ in range(50):
            picture = np.full((64, 64, 3), 128, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())
        if audio is not None:
            for first in range(0, len(sound) // 1024 * 1024, 1024):
                frame = av.AudioFrame.from_ndarray(sound[None, first : first + 1024].astype(np.float32), "fltp", "mono")
                frame.sample_rate, frame.pts = 44100, first
                container.mux(audio.encode(frame))
            container.mux(audio.encode())
    return path


def test_the_time_code_of_a_video_is_read(tmp_path):
    assert read_time_code(write_video(tmp_path / "coded.mov", time_code="01:00:00:10")) == pytest.approx(3600.4)
    assert read_time_code(write_video(tmp_path / "plain.mp4")) is None
    (tmp_path / "text.mp4").write_text("no video")
    assert read_time_code(tmp_path / "text.mp4") is None


def test_sounds_of_videos_tell_their_shift(tmp_path):
    rng = np.random.default_rng(0)
    scene = 0.3 * rng.normal(size=5 * 44100) * (np.sin(np.arange(5 * 44100) / 3000) > 0.3)
    shift = 0.337  # s by which the second starts later
    begin = int(shift * 44100)
    first, second = (
        read_sound(write_video(tmp_path / f"{name}.mp4", part + 0.05 * rng.normal(size=len(part))))
        for name, part in (("a", scene[: 2 * 44100]), ("b", scene[begin : begin + 2 * 44100]))
    )
    assert sound_delay(first, second) == pytest.approx(-shift, abs=0.004)


def test_sounds_of_different_scenes_tell_nothing():
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(2, 3 * SOUND_RATE))
    assert sound_delay(first, second) is None


def seen(view, walker):
    """The exact estimate and observations of a walker before a view."""
    joints = view.joints(walker.h36m17)
    frames = len(joints)
    estimate = Estimate(joints - joints[:, :1], np.ones((frames, 17)))
    return estimate, Observations("h36m17", np.zeros((frames, 4)), view.keypoints(walker.h36m17), np.ones(frames, bool))


@pytest.mark.parametrize("shift", [-11.0, 15.4])
def test_a_jump_tells_the_shift_of_two_views(shift):
    """To within a frame; the adjustment of joints finds the rest."""
    front, side = cameras_around(2)
    times = np.arange(90) / 30
    a, b = jump(times, at=1.4), jump(times + shift / 30, at=1.4)
    signals = [motion_signal(*seen(view, walker), times) for view, walker in ((front, a), (side, b))]
    found = motion_delay(*signals)
    assert 30 * found.delay == pytest.approx(-shift, abs=1.0)
    assert found.correlation > 0.8


def test_views_that_were_cut_together_stay_together():
    front, side = cameras_around(2)
    times = np.arange(60) / 30
    signals = [motion_signal(*seen(view, walk(times - 1)), times) for view in (front, side)]
    assert motion_delay(*signals).delay == 0
