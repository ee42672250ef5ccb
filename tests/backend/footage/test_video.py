"""Videos: upright, with square pixels and true times; and clear errors for bad files."""

import wave

import av
import numpy as np
import pytest

from blender_meshrec.backend.footage.container import apply_display_matrix, is_missing_index
from blender_meshrec.backend.footage.frame_source import nominal_rate
from blender_meshrec.backend.footage.video import open_footage
from blender_meshrec.core.errors import InputError
from tests.support.footage_files import HEIGHT, WIDTH, is_upright, make_frame, read_frame_number, write_video

FRAMES = [make_frame(i) for i in range(20)]


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("film") / "film.mp4", FRAMES, container_options={"movflags": "faststart"})


def read(path, **options):
    footage = open_footage(path, **options)
    return footage, list(footage.read())


def test_every_frame_comes_once_in_order_at_its_time(film):
    footage, frames = read(film)
    assert [read_frame_number(frame.image) for frame in frames] == list(range(20)) == [frame.row for frame in frames]
    assert np.allclose([frame.time for frame in frames], np.arange(20) / 30, atol=1e-4)  # s
    assert np.allclose([frame.interval for frame in frames], [0] + [1 / 30] * 19, atol=1e-4)
    assert footage.size == (WIDTH, HEIGHT) and footage.num_declared_frames == 20
    assert footage.frame_rate([frame.time for frame in frames]) == 30
    assert not footage.warnings


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_rotated_videos_give_upright_images(tmp_path, quarter_turns):
    stored = [np.rot90(image, quarter_turns) for image in FRAMES[:3]]
    footage, frames = read(write_video(tmp_path / "turned.mp4", stored, rotation=-90 * quarter_turns))
    assert footage.size == (WIDTH, HEIGHT)
    assert footage.rotation == 90 * quarter_turns
    assert all(frame.image.shape == (HEIGHT, WIDTH, 3) and is_upright(frame.image) for frame in frames)
    assert [read_frame_number(frame.image) for frame in frames] == [0, 1, 2]


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("quarter_turns", range(4))
def test_display_matrices_move_pixels_as_they_state(quarter_turns, mirrored):
    """Against a slow version that moves every pixel by the matrix."""
    matrix = np.linalg.matrix_power(np.array([[0, 1], [-1, 0]]), quarter_turns) @ np.diag([-1 if mirrored else 1, 1])
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    positions = np.stack(np.meshgrid(np.arange(6), np.arange(4)), -1).reshape(-1, 2) @ matrix
    positions -= positions.min(0)
    slow = np.zeros((*(positions.max(0) + 1)[::-1], 3), np.uint8)
    slow[positions[:, 1], positions[:, 0]] = image.reshape(-1, 3)
    assert np.array_equal(apply_display_matrix(image, matrix), slow)


def test_pixels_that_are_not_square_are_made_square(tmp_path):
    footage, frames = read(write_video(tmp_path / "wide.mp4", FRAMES[:3], aspect=2))
    assert footage.size == (2 * WIDTH, HEIGHT) == frames[0].image.shape[1::-1]
    assert [read_frame_number(frame.image) for frame in frames] == [0, 1, 2]
    footage, _ = read(write_video(tmp_path / "tall.mp4", FRAMES[:3], aspect=0.5))
    assert footage.size == (WIDTH, 2 * HEIGHT)


def test_a_varying_frame_rate_keeps_its_times(tmp_path):
    times = np.cumsum([0.1, *np.tile([1, 1, 1, 2, 1, 3, 1, 1, 1], 2) / 30, 0.5])
    footage, frames = read(write_video(tmp_path / "phone.mp4", FRAMES, times=times))
    assert np.allclose([frame.time for frame in frames], times - times[0], atol=1e-3)  # s
    assert footage.frame_rate([frame.time for frame in frames]) == pytest.approx(30, abs=0.05)


@pytest.mark.parametrize(
    "times, declared, rate",
    [
        (np.arange(50) / 23.976, [23.98], 24 / 1.001),
        (np.round(np.arange(50) / 60, 2), [60.0], 60.0),  # times rounded to 10 ms
        (np.arange(50) / 25, [None, 0, 1000], 25.0),  # a container that declares its time base
        ([0.0], [30000 / 1001], 30 / 1.001),
        ([0.0], [None], 30.0),
    ],
)
def test_the_nominal_rate_is_the_intended_one(times, declared, rate):
    assert nominal_rate(times, declared) == pytest.approx(rate, rel=1e-9)


@pytest.mark.parametrize("codec, suffix, options", [("libsvtav1", "mp4", {"preset": "12"}), ("libvpx-vp9", "webm", {"cpu-used": "8"})])
def test_new_codecs_are_read(tmp_path, codec, suffix, options):
    _footage, frames = read(write_video(tmp_path / f"new.{suffix}", FRAMES[:6], codec=codec, options=options))
    assert [read_frame_number(frame.image) for frame in frames] == list(range(6))


def test_one_frame_and_a_non_latin_name_are_read(tmp_path):
    folder = tmp_path / "Видео 動画"
    folder.mkdir()
    footage, frames = read(write_video(folder / "ein Übungs:clip 100%d.mp4", FRAMES[7:8], fps=25))
    assert [read_frame_number(frame.image) for frame in frames] == [7]
    assert footage.frame_rate([0.0]) == 25


def test_an_animated_gif_is_a_video(tmp_path):
    path = tmp_path / "moving.gif"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("gif", rate=10)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "rgb8"
        for image in FRAMES[:4]:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24").reformat(format="rgb8")))
        container.mux(stream.encode())
    footage, frames = read(path)
    assert [read_frame_number(frame.image) for frame in frames] == [0, 1, 2, 3]
    assert footage.frame_rate([frame.time for frame in frames]) == 10


def test_a_range_is_half_open_and_starts_at_time_zero(film):
    footage, frames = read(film, frames=(5, 9))
    assert [read_frame_number(frame.image) for frame in frames] == [5, 6, 7, 8]
    assert [frame.row for frame in frames] == [0, 1, 2, 3] and frames[0].time == 0
    assert footage.num_declared_frames == 4 and not footage.warnings
    assert len(read(film, frames=(15, 99))[1]) == 5


def test_frames_before_decode_from_come_without_images(film):
    frames = list(open_footage(film).read(decode_from=18))
    assert [frame.image is None for frame in frames] == [True] * 18 + [False] * 2
    assert read_frame_number(frames[18].image) == 18


@pytest.mark.parametrize("frames", [(20, 25), (9, 9), (-1, 4)])
def test_a_range_without_frames_is_refused(film, frames):
    with pytest.raises(InputError, match="20 frames" if frames[0] == 20 else "empty"):
        read(film, frames=frames)


def test_a_truncated_file_gives_its_frames_and_a_warning(film, tmp_path):
    cut = tmp_path / "cut.mp4"
    content = film.read_bytes()
    pictures = content.index(b"mdat")
    cut.write_bytes(content[: pictures + int(0.6 * (len(content) - pictures))])
    footage, frames = read(cut)
    assert 3 < len(frames) < 20
    assert [read_frame_number(frame.image) for frame in frames[:3]] == [0, 1, 2]
    assert "ends early" in footage.warnings[0] and "of 20 frames" in footage.warnings[0]


VARYING = [0, 0.1, 0.13, 0.4, 0.5, 0.9, 1.0, 1.3, 1.4, 1.9]  # s


@pytest.mark.parametrize("suffix, times", [(".mkv", None), (".webm", None), (".mxf", None), (".mkv", VARYING)])
def test_truncation_is_detected_by_duration_without_a_frame_count(tmp_path, suffix, times):
    codec = {"codec": "libvpx-vp9" if suffix == ".webm" else "libx264", "options": {"g": "2"}}
    images = [np.random.default_rng(number).integers(0, 255, (64, 96, 3), np.uint8) for number in range(10 if times else 30)]
    film = write_video(tmp_path / f"film{suffix}", images, times=times, **codec)
    footage, frames = read(film)
    assert len(frames) == len(images) and footage.warnings == []
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    footage, frames = read(film)
    assert 1 < len(frames) < 0.7 * len(images)
    assert "ends early" in footage.warnings[0] and f"of {'1.9' if times else '1.0'} seconds" in footage.warnings[0]
    assert not any("ends early" in warning for warning in read(film, frames=(0, 2))[0].warnings)


def test_damage_is_reported_and_other_frames_are_read(tmp_path):
    content = bytearray(write_video(tmp_path / "good.mp4", FRAMES, container_options={"movflags": "faststart"}).read_bytes())
    start = content.index(b"mdat") + 1500
    content[start : start + 40] = bytes(40)
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(content)
    footage, frames = read(bad)
    assert len(frames) >= 10
    assert any("damaged" in warning for warning in footage.warnings)


def write_silence(path):
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(8000))


def write_song_with_cover(path):
    """An mp3 with a cover picture, which is a video stream too."""
    with av.open(str(path), "w") as container:
        sound, cover = container.add_stream("libmp3lame", rate=44100), container.add_stream("png")
        cover.width, cover.height, cover.pix_fmt = WIDTH, HEIGHT, "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame.from_ndarray(FRAMES[0], "rgb24")))
        quiet = av.AudioFrame.from_ndarray(np.zeros((2, 1152), np.float32), "fltp", "stereo")
        quiet.sample_rate = 44100
        container.mux(sound.encode(quiet))
        container.mux(sound.encode())


BAD = {
    "empty.mp4": (lambda path: path.write_bytes(b""), "0 bytes"),
    "letter.mp4": (lambda path: path.write_text("Dear Sir or Madam,\n" * 500), "not a video"),
    "noise.mov": (lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000)), "not a video"),
    "playlist.mp4": (
        lambda path: path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9\nhttp://127.0.0.1:9/a.ts\n"),
        "not a video",
    ),
    "list.mp4": (lambda path: path.write_text("ffconcat version 1.0\nfile /etc/hostname\n"), "not a video"),
    "sound.wav": (write_silence, "sound but no pictures"),
    "song.mp3": (write_song_with_cover, "sound but no pictures"),
    "picture.jpg": (lambda path: path.write_bytes(b"\xff\xd8\xff\xe0" + bytes(300)), "not a video|No frame"),
}


@pytest.mark.parametrize("name", BAD)
def test_unreadable_files_are_refused_with_problem_and_remedy(tmp_path, name):
    make, problem = BAD[name]
    make(tmp_path / name)
    with pytest.raises(InputError, match=problem) as caught:
        read(tmp_path / name)
    assert name in caught.value.problem and caught.value.remedy


def test_a_recording_without_its_index_is_recognised(tmp_path):
    whole = write_video(tmp_path / "whole.mp4", FRAMES)
    cut = tmp_path / "battery.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert is_missing_index(cut) and not is_missing_index(whole)
    with pytest.raises(InputError, match="no moov"):
        open_footage(cut)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="There is no file"):
        open_footage(tmp_path / "nothing.mp4")
