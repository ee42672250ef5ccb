"""Every file of ../shared/cases has a test that reads it; here those of footage, looked at as `meshrec reconstruct` looks at them.

The characters and motions among them are read in tests/scene, tests/ui, tests/retarget and tests/cli.
"""

import struct
from pathlib import Path

import numpy as np
import pytest

from blender_meshrec.backend.tracking.detect_and_track import detect_and_track
from blender_meshrec.bridge.messages import ReconstructRequest

TESTS = Path(__file__).parent
# name: frames, frames a second, image size, names of the warnings
FOOTAGE = {
    "01_heic_iphone_tiles.heic": (1, 24, (1708, 960), []),
    "02_photo_with_exif.jfif": (1, 24, (1708, 960), []),
    "07_two_recordings_joined.ts": (40, 25, (854, 480), ["video-times-jump"]),
    "09_slowmotion_android_120.mp4": (40, 120, (854, 480), ["video-slow-motion"]),
    "10_animated.webp": (12, 25, (854, 480), []),
    "11_heic_plain.heic": (1, 24, (1708, 960), []),
    "12_trimmed_end.mp4": (20, 25, (854, 480), []),
    "13_mirrored.mp4": (40, 25, (854, 480), []),
}


def test_every_file_has_a_test(shared_cases):
    tests = "".join(path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py"))
    names = {path.name for path in shared_cases.rglob("*") if path.is_file()} - {"README.md"}
    linked = {"lib.blend", "set.blend"}  # by the files of film/
    assert {name for name in names - linked if name not in tests} == set()


@pytest.mark.parametrize("name", FOOTAGE)
def test_footage_is_seen_whole_and_in_its_time(shared_cases, name):
    num_frames, fps, size, warnings = FOOTAGE[name]
    found = detect_and_track(ReconstructRequest(str(shared_cases / name)))
    assert len(found.frames) == num_frames and found.frames.fps == fps and tuple(found.frames.size) == size
    assert np.allclose(found.frames.timestamps, np.arange(num_frames) / fps, atol=1e-4)  # s
    assert [warning.name for warning in found.warnings] == warnings
    assert len(found.people) == 1 and found.people[0].visible.all()
    assert found.frames.is_mirrored == (name == "13_mirrored.mp4")


def test_an_edit_list_keeps_as_many_frames_as_it_says(shared_cases):
    """By its box, 0.8 s of 40 frames of 25 a second are played: 20. Their README says 30."""
    content = (shared_cases / "12_trimmed_end.mp4").read_bytes()
    edits, movie = content.index(b"elst") + 4, content.index(b"mvhd") + 4
    (num_edits, duration), (units_per_second,) = (
        struct.unpack_from(">II", content, edits + 4),
        struct.unpack_from(">I", content, movie + 12),
    )
    assert num_edits == 1 and FOOTAGE["12_trimmed_end.mp4"][0] == round(duration / units_per_second * 25)
