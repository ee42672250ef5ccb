"""BVH files word by word: hierarchy, channels, rates, numbers of frames, and the sentences for what is damaged."""

import numpy as np
import pytest

from blender_meshrec.core.conventions import MAX_FILE_FPS, MIN_FILE_FPS
from blender_meshrec.core.errors import InputError
from blender_meshrec.retarget.source import bvh_file
from blender_meshrec.retarget.source.bvh_file import read_bvh

HIERARCHY = """HIERARCHY
ROOT hips
{
  OFFSET 1 2 3
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT chest one
  {
    OFFSET 0 10 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    JOINT end
    {
      OFFSET 0 5 0
      CHANNELS 1 Xrotation
      End Site
      {
        OFFSET 0 2 1
      }
    }
  }
  JOINT end
  {
    OFFSET 0 0 0
    CHANNELS 0
  }
  JOINT tip
  {
    OFFSET 3 0 0
  }
}
"""
WIDTH = 10


def write(tmp_path, frames=1, stated=None, frame_time="0.04", hierarchy=HIERARCHY, numbers=None):
    values = numbers or " ".join(str(number) for number in range(frames * WIDTH))
    path = tmp_path / "a.bvh"
    path.write_text(f"{hierarchy}MOTION\nFrames: {frames if stated is None else stated}\nFrame Time: {frame_time}\n{values}\n")
    return path


def test_the_hierarchy_is_read_joint_by_joint(tmp_path):
    found = read_bvh(write(tmp_path, 2)).skeleton
    assert found.joint_names == ("hips", "chest one", "end", "end.001", "tip")
    assert found.parents.tolist() == [-1, 0, 1, 0, 0] and found.num_channels == WIDTH
    np.testing.assert_array_equal(found.offsets, [[1, 2, 3], [0, 10, 0], [0, 5, 0], [0, 0, 0], [3, 0, 0]])
    assert found.channels[0] == ("Xposition", "Yposition", "Zposition", "Zrotation", "Xrotation", "Yrotation")
    assert found.channels[2:] == (("Xrotation",), (), ())
    # At the first child that is away, at the end site, or as far on as from the parent.
    np.testing.assert_array_equal(found.tails, [[0, 10, 0], [0, 5, 0], [0, 2, 1], [0, 0, 0], [3, 0, 0]])


@pytest.mark.parametrize("frames, stated, read", [(1, 1, 1), (3, 3, 3), (3, 2, 2), (3, 5, 3), (1, 100, 1)])
def test_as_many_frames_are_read_as_there_are_and_no_more_than_stated(tmp_path, frames, stated, read):
    found = read_bvh(write(tmp_path, frames, stated))
    np.testing.assert_array_equal(found.values, np.arange(read * WIDTH).reshape(read, WIDTH))
    assert [(note.name, note.values["found"], note.values["stated"]) for note in found.notes] == (
        [("bvh-breaks-off", read, stated)] if stated > frames else []
    )


def test_half_a_frame_does_not_count(tmp_path):
    found = read_bvh(write(tmp_path, stated=2, numbers=" ".join(["1"] * 15)))
    assert found.values.shape == (1, WIDTH) and found.notes[0].values["found"] == 1


@pytest.mark.parametrize(
    "frames, stated, frame_time, numbers",
    [
        (0, 0, "0.04", None),
        (1, 0, "0.04", None),
        (1, 1, "0", None),
        (1, 1, "-0.04", None),
        (1, 1, str(0.99 / MAX_FILE_FPS), None),
        (1, 1, str(1.01 / MIN_FILE_FPS), None),
        (1, 1, "0.000099995", None),  # 10,000 frames a second are the most, and one in 20 minutes the least
        (1, 1, "1200.5", None),
        (1, 1, "nan", None),
        (1, 1, "0.04", "nan " * WIDTH),
        (1, 1, "0.04", "inf " * WIDTH),
        (1, 1, "0.04", "1 2 3"),
    ],
)
def test_files_without_motion_say_so(tmp_path, frames, stated, frame_time, numbers):
    with pytest.raises(InputError) as caught:
        read_bvh(write(tmp_path, frames, stated, frame_time, numbers=numbers))
    assert caught.value.name == "bvh-without-motion"


@pytest.mark.parametrize(
    "frame_time, fps",
    [
        ("0.04", 25),
        ("0.033333", 30),
        ("0.0333", 30),
        ("0.033", 30),
        ("0.0334", 30_000 / 1001),
        ("0.008333", 120),
        ("0.00833", 120),
        ("0.0083", 120),
        ("0.016667", 60),
        ("0.0417", 24),
        ("0.02", 50),
        ("0.01", 100),
        ("0.04170833", 24_000 / 1001),
        ("0.03336667", 30_000 / 1001),
        ("0.1", 10),
        ("1", 1),
        ("0.5", 2),
        ("0.031", 1 / 0.031),
        ("1e-2", 100),
        (str(1 / MAX_FILE_FPS), MAX_FILE_FPS),
        ("0.0001", 10_000),
        ("1200", 1 / 1200),
        (str(1 / MIN_FILE_FPS), MIN_FILE_FPS),
    ],
)
def test_rounded_frame_times_stand_for_usual_rates(tmp_path, frame_time, fps):
    found = read_bvh(write(tmp_path, frame_time=frame_time))
    assert found.fps == pytest.approx(fps, rel=1e-9) and found.frame_time == pytest.approx(1 / fps, rel=1e-9)


RATES = (1, 10, 12, 12.5, 15, 20, 24, 25, 30, 40, 48, 50, 60, 72, 75, 80, 90, 100, 120, 144, 150, 180, 200, 240, 250, 300, 360, 400, 480)


@pytest.mark.parametrize("fps", [*RATES, 500, 1000, *(1000 * rate / 1001 for rate in (24, 30, 60, 120))])
def test_four_digits_tell_every_usual_rate(tmp_path, fps):
    """Rounded, or six decimals cut off; frame times that end before that are exact."""
    for frame_time in (f"{1 / fps:.4g}", f"{1 / fps:.9f}"[:8]):
        assert read_bvh(write(tmp_path, frame_time=frame_time)).fps == pytest.approx(fps, rel=1e-9)


@pytest.mark.parametrize(
    "old, new, name",
    [
        ("HIERARCHY", "TREE", "bvh-not-one"),
        ("OFFSET 0 10 0", "OFFSET 0 ten 0", "bvh-damaged"),
        ("OFFSET 0 10 0", "OFFSET 0 1,5 0", "bvh-decimal-commas"),
        ("OFFSET 0 10 0", "OFFSET 0 1.5-2.5 0", "bvh-numbers-joined"),
        ("JOINT tip", "LIMB tip", "bvh-damaged"),
        ("Xposition", "Wposition", "bvh-damaged"),
        ("Xposition", "Xscale", "bvh-damaged"),
        ("CHANNELS 0", "CHANNELS many", "bvh-damaged"),
        ("    OFFSET 3 0 0\n  }\n}\n", "    OFFSET 3 0 0\n  }\n", "bvh-damaged"),
        ("    OFFSET 3 0 0\n  }\n}\n", "    OFFSET 3 0 0\n  }\n}\n}\n", "bvh-damaged"),
    ],
)
def test_what_is_damaged_is_named(tmp_path, old, new, name):
    changed = HIERARCHY.replace(old, new, 1)
    assert changed != HIERARCHY
    with pytest.raises(InputError) as caught:
        read_bvh(write(tmp_path, hierarchy=changed))
    assert caught.value.name == name and "a.bvh" in caught.value.problem


@pytest.mark.parametrize(
    "number, name",
    [
        ("1,5", "bvh-decimal-commas"),
        ("-0,25e-3", "bvh-decimal-commas"),
        ("1.5.2", "bvh-numbers-joined"),
        ("1-2", "bvh-numbers-joined"),
        ("one", "bvh-damaged"),
    ],
)
def test_numbers_that_no_program_reads_are_quoted(tmp_path, number, name):
    with pytest.raises(InputError) as caught:
        read_bvh(write(tmp_path, numbers=f"1 -2 3e-1 +4 .5 {number} 7 8 9 10"))
    assert caught.value.name == name and (name == "bvh-damaged" or number in caught.value.problem)
    assert read_bvh(write(tmp_path, numbers="1 -2 3e-1 +4 .5 6. 7 8 9 10")).values.tolist() == [[1, -2, 0.3, 4, 0.5, 6, 7, 8, 9, 10]]


def test_keywords_in_any_case_and_joints_named_like_them(tmp_path):
    text = HIERARCHY.lower().replace("chest one", "MOTION hierarchy")
    assert read_bvh(write(tmp_path, hierarchy=text)).skeleton.joint_names[1] == "MOTION hierarchy"
    path = tmp_path / "b.bvh"
    path.write_text(f"{HIERARCHY.strip()}motion frames : 1 frame time : 0.04\n{' '.join('0' * WIDTH)}")
    assert read_bvh(path).fps == 25


def test_files_are_read_up_to_the_limits(tmp_path, monkeypatch):
    assert (bvh_file._MAX_BYTES, bvh_file._MAX_NUMBERS) == (2**28, 2**24)
    path = write(tmp_path)
    text = path.read_text()
    for name, size in (("_MAX_BYTES", len(text)), ("_MAX_NUMBERS", sum(map(text.count, " \n\t")))):
        monkeypatch.setattr(bvh_file, name, size)
        read_bvh(path)
        monkeypatch.setattr(bvh_file, name, size - 1)
        with pytest.raises(InputError) as caught:
            read_bvh(path)
        assert caught.value.name == "bvh-too-large"
        monkeypatch.undo()
    for path, name in ((tmp_path / "absent.bvh", "bvh-not-found"), (tmp_path, "bvh-not-readable")):
        with pytest.raises(InputError) as caught:
            read_bvh(path)
        assert caught.value.name == name
