"""Footage that claims more than it holds, or is no file: refused with the limit in the sentence, before memory is taken."""

import json
import os
import struct
import tracemalloc
import zlib

import av
import cv2
import numpy as np
import pytest

from blender_meshrec.backend.detection import keypoints_footage, landmarkers
from blender_meshrec.backend.detection.keypoints_file import KeypointsDetector
from blender_meshrec.backend.detection.mediapipe_detector import MediaPipeDetector
from blender_meshrec.backend.footage import picture_size
from blender_meshrec.backend.footage.container import decode_frames, is_missing_index
from blender_meshrec.backend.footage.frame_source import Frame
from blender_meshrec.backend.footage.images import decode_image
from blender_meshrec.backend.footage.video import open_footage
from blender_meshrec.core.errors import InputError, ModelError
from blender_meshrec.core.files.picture_header import stated_size
from tests.support.footage_files import make_frame, write_video

posix = pytest.mark.skipif(os.name == "nt", reason="pipes and devices in folders")


def png(width, height):
    """A PNG whose header claims a size, with a kilobyte of pixels."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif", ".webp", ".ppm", ".jp2"])
def test_the_stated_size_is_that_of_the_picture(suffix):
    content = cv2.imencode(suffix, np.zeros((96, 160, 3), np.uint8))[1].tobytes()
    assert stated_size(content) == (160, 96)
    for length in range(0, len(content), 7):
        stated_size(content[:length])


def test_a_picture_of_billions_of_pixels_is_refused_with_the_limit(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png(60_000, 60_000))
    tracemalloc.start()
    with pytest.raises(InputError, match=r"60000 x 60000 pixels; the limit .* is 4\.0 million"):
        open_footage(path)
    assert tracemalloc.get_traced_memory()[1] < 3e6  # bytes
    tracemalloc.stop()
    assert decode_image(path) is None


def test_large_files_may_hold_large_pictures(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    image = np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8)
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
    monkeypatch.setattr(picture_size, "_FEW_PIXELS", 1000)
    assert decode_image(path).shape == (300, 400, 3)
    monkeypatch.setattr(picture_size, "MAX_PICTURE_PIXELS", 119_999)
    with pytest.raises(InputError, match="400 x 300"):
        open_footage(path)
    monkeypatch.setattr(picture_size, "MAX_PICTURE_BYTES", 1000)
    with pytest.raises(InputError, match="the limit for a picture"):
        open_footage(path)


def test_a_video_of_too_many_pixels_is_refused(tmp_path, monkeypatch):
    from blender_meshrec.backend.footage import video

    path = tmp_path / "a.mp4"
    write_video(path, [make_frame(0), make_frame(1)])
    assert open_footage(path).size[0] > 0
    monkeypatch.setattr(video, "MAX_VIDEO_PIXELS", 100)
    with pytest.raises(InputError, match="million pixels"):
        open_footage(path)


@posix
@pytest.mark.parametrize("kind", ["pipe", "folder", "loop", "broken link", "device"])
def test_an_image_folder_with_something_else_is_refused_at_once(tmp_path, kind):
    for number in range(2):
        (tmp_path / f"{number}.png").write_bytes(cv2.imencode(".png", make_frame(number))[1].tobytes())
    other = tmp_path / "2.png"
    {
        "pipe": lambda: os.mkfifo(other),
        "folder": other.mkdir,
        "loop": lambda: other.symlink_to(other),
        "broken link": lambda: other.symlink_to("nothing"),
        "device": lambda: other.symlink_to("/dev/zero"),
    }[kind]()
    with pytest.raises(InputError, match=r"no files: 1, the first being 2\.png"):
        open_footage(tmp_path)


@posix
def test_pipes_and_devices_are_no_footage(tmp_path):
    for name in ("a.mp4", "a.png", "a.npz"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(InputError, match="not a file on disk but a pipe"):
            (KeypointsDetector().open if name == "a.npz" else open_footage)(tmp_path / name)
    with pytest.raises(InputError, match="a device"):
        open_footage("/dev/zero")


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 0, 7, 2**40])
def test_boxes_of_64_bits_are_searched_without_an_error(tmp_path, length):
    path = tmp_path / "a.mp4"
    path.write_bytes(struct.pack(">I4s8x", 16, b"ftyp") + struct.pack(">I4sQ", 1, b"mdat", length) + bytes(100))
    assert is_missing_index(path)
    with pytest.raises(InputError, match="moov"):
        open_footage(path)


# --- 2D keypoints ---


def open_keypoints(path, **changes):
    arrays = {"keypoints": np.full((4, 17, 3), 100.0), "keypoint_set": "coco17", "image_size": [640, 480], "fps": 25.0}
    np.savez(path, **{**arrays, **changes})
    return KeypointsDetector().open(path)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"fps": 1e-9}, "no usable"),
        ({"fps": np.nan}, "no usable"),
        ({"fps": 1e9}, "no usable"),
        ({"image_size": [np.inf, 480.0]}, "no usable"),
        ({"image_size": [10**9, 480]}, "no usable"),
        ({"image_size": [0.5, 480.0]}, "no usable"),
        ({"keypoints": np.full((4, 17, 3), 1e30)}, "farther than 100000 pixels"),
        ({"keypoints": np.full((4, 17, 3), -1e30) * [1, 1, -1]}, "farther than 100000 pixels"),
        ({"keypoints": np.full((1, 101, 17, 3), 100.0)}, "101 people in one frame; the limit is 100"),
    ],
)
def test_keypoints_of_impossible_values_are_refused(tmp_path, changes, words):
    with pytest.raises(InputError, match=words):
        open_keypoints(tmp_path / "a.npz", **changes)


def test_points_without_confidence_may_be_anywhere(tmp_path):
    keypoints = np.full((4, 17, 3), 100.0)
    keypoints[1, 3] = (1e30, -np.inf, 0)
    assert open_keypoints(tmp_path / "a.npz", keypoints=keypoints).keypoints[1, 0, 3].tolist() == [0, 0, 0]


def test_keypoints_beyond_the_limit_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("blender_meshrec.backend.detection.keypoints_npz.MAX_VALUES", 100)
    with pytest.raises(InputError, match="more numbers than are read"):
        open_keypoints(tmp_path / "a.npz")


@pytest.mark.parametrize(
    "text, words",
    [
        (json.dumps({"people": [{"pose_keypoints_2d": [1.0] * 75}] * 101}), "101 people in one frame"),
        ('{"people": ' + "[" * 100_000, "not a file that OpenPose wrote"),
        ('{"people": [{"pose_keypoints_2d": [' + "9" * 5000 + ", 1, 1]}]}", "not a file that OpenPose wrote"),
        ('{"people": [{"pose_keypoints_2d": [1e200, 1, 1' + ", 100.5, 100, 1" * 24 + "]}]}", "farther than"),
        ('{"people": 5}', "not a file that OpenPose wrote"),
        (" " * (1 << 22) + "{}", "larger than 4 MB"),
    ],
)
def test_hostile_openpose_files_are_refused(tmp_path, text, words):
    (tmp_path / "a_000000000001_keypoints.json").write_text(text)
    with pytest.raises(InputError, match=words):
        KeypointsDetector().open(tmp_path)


def test_a_folder_in_which_one_frame_has_many_people_is_counted_before_it_is_padded(tmp_path, monkeypatch):
    monkeypatch.setattr("blender_meshrec.backend.detection.openpose_json.MAX_VALUES", 10_000)
    person = {"pose_keypoints_2d": [100.5, 100, 1] * 25}
    for number in range(20):
        people = [person] * (keypoints_footage.MAX_PEOPLE if number == 19 else 1)
        (tmp_path / f"a_{number:012}_keypoints.json").write_text(json.dumps({"people": people}))
    with pytest.raises(InputError, match="20 files with up to 100 people"):
        KeypointsDetector().open(tmp_path)


# --- garbled frames ---


def damaged_film(folder, codec):
    """A film with wrong bytes among its pictures, and the times of the frames that FFmpeg marks as corrupt."""
    content = write_video(folder / "film.mp4", [make_frame(number) for number in range(20)], codec=codec).read_bytes()
    first, end = content.index(b"mdat") + 8, content.index(b"moov", content.index(b"mdat")) - 4
    for seed in range(20):
        damaged = bytearray(content)
        for at in np.random.default_rng(seed).integers(first, end, 4):
            damaged[at] ^= 0x55
        (folder / "bad.mp4").write_bytes(damaged)
        with av.open(str(folder / "bad.mp4")) as container:
            frames = list(decode_frames(container, container.streams.video[0], []))
            corrupt = [frame.time for frame in frames if frame.is_corrupt]
        if 2 <= len(corrupt) < len(frames) - 5:
            return folder / "bad.mp4", corrupt, len(frames)
    pytest.skip("this FFmpeg marks none of the films")


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_frames_that_ffmpeg_marks_as_corrupt_have_no_picture(tmp_path, codec):
    path, corrupt, num_frames = damaged_film(tmp_path, codec)
    footage = open_footage(path)
    frames = list(footage.read())
    assert len(frames) == num_frames
    assert np.allclose([frame.time for frame in frames if frame.image is None], corrupt, atol=1e-3)
    for _ in range(10):
        assert [frame.image is None for frame in open_footage(path).read()] == [frame.image is None for frame in frames]
    (warning,) = (warning for warning in footage.warnings if warning.name == "video-damaged")
    assert warning.values["count"] >= len(corrupt)


def test_a_frame_without_a_picture_is_not_shown_to_the_detector():
    detector = object.__new__(MediaPipeDetector)  # without its models, which it does not reach
    assert detector.detect(Frame(3, 0.1, 0.03, None), []) == []


# --- models ---


@pytest.mark.parametrize("content", [b"", b"no bundle", b"PK\x05\x06" + bytes(18)])
def test_a_bundle_that_is_none_is_a_damaged_model_file(tmp_path, content):
    path = tmp_path / "pose.task"
    path.write_bytes(content)
    pool = landmarkers.LandmarkerPool(path)
    with pytest.raises(ModelError, match="is damaged"):
        pool.submit(print)
    pool.close()
