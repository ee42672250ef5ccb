"""Every file of ../shared/cases gives the value that its README says; here those of footage, looked at as `meshrec reconstruct` does.

TESTS_OF lists the test of each file.
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


# Its name: the test that compares it with the README's value, besides test_footage_is_seen_whole_and_in_its_time.
TESTS_OF = {
    "00_rig_plain.blend": "scene/test_field_cases.py::test_characters_of_scenes_in_centimetres_have_their_height_in_metres",
    "01_heic_iphone_tiles.heic": "backend/footage/test_images.py::test_heic_pictures_are_whole_and_count_in_folders",
    "02_photo_with_exif.jfif": "backend/footage/test_images.py::test_photos_with_exif_are_read_under_other_names",
    "03_one_frame.npz": "cli/test_motion_commands.py::test_field_motions_have_a_report",
    "03_walk_without_contacts.bvh": "cli/test_motion_commands.py::test_field_motions_have_a_report",
    "04_amass_lying_head_y.npz": "retarget/test_smpl_files.py::test_field_files",
    "05_rig_nla_solo.blend": "scene/test_action_obstacles.py::test_characters_of_the_field_move_in_every_format",
    "05_rig_rest_position.blend": "scene/test_action_obstacles.py::test_characters_of_the_field_move_in_every_format",
    "07_two_recordings_joined.ts": "backend/footage/test_video.py::test_two_joined_recordings_are_one_clip_at_its_rate",
    "08_source_at_1001.py": "scene/test_field_cases.py::test_keys_of_the_script_of_the_field_lie_where_those_of_its_source_lie",
    "09_slowmotion_android_120.mp4": "backend/footage/test_video.py::test_slow_motion_has_its_true_time_and_says_so",
    "10_animated.webp": "backend/footage/test_images.py::test_the_animated_picture_of_the_field_has_all_its_frames",
    "11_heic_plain.heic": "backend/footage/test_images.py::test_heic_pictures_are_whole_and_count_in_folders",
    "12_trimmed_end.mp4": "backend/footage/test_video.py::test_an_edit_list_that_cuts_on_purpose_is_no_early_end",
    "13_mirrored.mp4": "scene/test_outputs.py::test_footage_with_a_display_matrix_is_upright_behind_the_camera",
    "14_rig_unit_scale_0.01.blend": "scene/test_field_cases.py::test_characters_of_scenes_in_centimetres_have_their_height_in_metres",
    "15_rate_as_text.npz": "retarget/test_smpl_files.py::test_field_files",
    "16_smplx_names.npz": "retarget/test_smpl_files.py::test_field_files",
    "17_lowercase_channels.bvh": "retarget/test_bvh_spellings.py::test_field_files",
    "film/film_override.blend": "scene/test_relative_paths.py::test_films_lose_nothing",
    "film/film_set.blend": "scene/test_relative_paths.py::test_films_lose_nothing",
    "film/lib.blend": "scene/test_relative_paths.py::test_films_lose_nothing",  # film_override.blend links it
    "film/set.blend": "scene/test_relative_paths.py::test_films_lose_nothing",  # film_set.blend links it
}


def test_every_file_has_a_test(shared_cases):
    files = {path.relative_to(shared_cases).as_posix() for path in shared_cases.rglob("*") if path.is_file()}
    assert files - {"README.md"} == set(TESTS_OF)
    for name, place in TESTS_OF.items():
        file, _, test = place.partition("::")
        text = (TESTS / file).read_text(encoding="utf-8")
        is_linked = name in ("film/lib.blend", "film/set.blend")
        assert f"def {test}(" in text and (is_linked or Path(name).name in text), name


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
    """By its boxes 20 of 40 frames are shown: those whose time is from its start on, for 0.8 s. The README says 30."""
    content = (shared_cases / "12_trimmed_end.mp4").read_bytes()

    def numbers(box, offset, layout):
        """Big-endian numbers of a box's content."""
        return struct.unpack_from(f">{layout}", content, content.index(box) + 4 + offset)

    (movie_units,), (media_units,) = numbers(b"mvhd", 12, "I"), numbers(b"mdhd", 12, "I")  # a second
    num_edits, duration, start = numbers(b"elst", 4, "III")
    num_durations, num_frames, frame_duration = numbers(b"stts", 4, "III")
    assert (num_edits, num_durations, num_frames) == (1, 1, 40)
    (num_offsets,) = numbers(b"ctts", 4, "I")
    runs = np.array(numbers(b"ctts", 8, "I" * (2 * num_offsets))).reshape(-1, 2)
    times = np.arange(num_frames) * frame_duration + np.repeat(runs[:, 1], runs[:, 0])
    is_shown = (times >= start) & (times < start + duration * media_units / movie_units)
    assert np.count_nonzero(is_shown) == FOOTAGE["12_trimmed_end.mp4"][0] == 20
