"""Footage of which some frames are left out."""

import numpy as np

from blender_meshrec.backend.footage.thinned import ThinnedFootage
from blender_meshrec.backend.footage.true_time import in_true_time
from blender_meshrec.backend.footage.video import open_footage
from tests.support.footage_files import make_frame, read_frame_number, write_video


def test_one_of_three_frames_is_given_and_all_times_are_kept(tmp_path):
    path = write_video(tmp_path / "film.mp4", [make_frame(i) for i in range(11)])
    footage = ThinnedFootage(open_footage(path, (1, None)), 3)
    frames = list(footage.read())
    assert [read_frame_number(frame.image) for frame in frames] == [1, 4, 7, 10] and [frame.row for frame in frames] == [0, 1, 2, 3]
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(4) / 10, atol=1e-6)
    np.testing.assert_allclose([frame.interval for frame in frames], [0, 0.1, 0.1, 0.1], atol=1e-6)
    np.testing.assert_allclose(footage.all_times, np.arange(10) / 30, atol=1e-6)
    assert footage.num_declared_frames == 4 and footage.frame_rate([frame.time for frame in frames]) == 30
    again = list(footage.read(decode_from=2))
    assert [frame.row for frame in again] == [0, 1, 2, 3] and [frame.image is None for frame in again] == [True, True, False, False]
    np.testing.assert_allclose(footage.all_times, np.arange(10) / 30, atol=1e-6)


def test_images_that_nobody_looks_at_are_not_converted(tmp_path):
    path = write_video(tmp_path / "film.mp4", [make_frame(i) for i in range(5)])
    video = open_footage(path)
    slow, speed = in_true_time(video, 60.0)
    ThinnedFootage(slow, 2)
    assert speed == 2 and [frame.image is None for frame in video.read()] == [False, True, False, True, False]
