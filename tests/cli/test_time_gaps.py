"""Motions with an hour between two frames: files have the frames of the motion, and it is said."""

import numpy as np
import pytest

from blender_meshrec.cli import program
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.files.motion_npz import read_motion, write_motion
from blender_meshrec.retarget.source.files import read_performance
from tests.support.synthetic_bodies import make_recovery


@pytest.fixture
def interrupted(tmp_path):
    """A motion of 24 frames at 24 a second, with an hour before the thirteenth."""
    recovery = make_recovery(load_body("open"), timestamps=np.arange(24) / 24 + np.repeat([0, 3600], 12))
    write_motion(tmp_path / "interrupted.npz", recovery)
    return tmp_path / "interrupted.npz"


def test_a_gap_in_the_time_stamps_takes_no_frames_of_a_bvh(interrupted, tmp_path, capsys):
    assert program.main(["convert", str(interrupted), "-o", str(tmp_path / "a.bvh")]) == 0
    assert "Frames: 24\n" in (tmp_path / "a.bvh").read_text()
    assert "leave out 3600 s" in capsys.readouterr().err


def test_a_copied_motion_keeps_its_time_stamps(interrupted, tmp_path):
    assert program.main(["convert", str(interrupted), "-o", str(tmp_path / "a.npz")]) == 0
    assert np.array_equal(read_motion(tmp_path / "a.npz").timestamps, read_motion(interrupted).timestamps)


def test_a_performance_to_retarget_has_no_gap(interrupted):
    performance = read_performance(interrupted)
    assert np.allclose(performance.timestamps, np.arange(24) / 24)  # s
    assert [note.name for note in performance.notes] == ["motion-gaps-closed"]
