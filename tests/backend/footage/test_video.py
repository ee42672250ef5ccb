"""Videos: upright, with square pixels and true times; and clear errors for bad files."""

import struct
import wave

import av
import numpy as np
import pytest

from blender_meshrec.backend.footage.container import apply_display_matrix, is_missing_index, orientation_of
from blender_meshrec.backend.footage.frame_clock import FrameClock
from blender_meshrec.backend.footage.frame_source import nominal_rate
from blender_meshrec.backend.footage.true_time import in_true_time
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


# --- joined recordings, edit lists, slow motion -------------------------------------------------------------------------


def test_two_joined_recordings_are_one_clip_at_its_rate(shared_cases):
    footage, frames = read(shared_cases / "07_two_recordings_joined.ts")
    times = [frame.time for frame in frames]
    assert np.allclose(times, np.arange(40) / 25, atol=1e-6) and footage.frame_rate(times) == 25  # s
    (warning,) = footage.warnings
    assert warning.name == "video-times-jump" and warning.values["count"] == 1 and warning.values["frame"] == 20


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
@pytest.mark.parametrize("hours", [1, 26])
def test_hours_between_two_frames_take_no_time(tmp_path, suffix, hours):
    """Of a camera that motion triggers; the slow rate that an .mp4 then has on average is not believed."""
    times = np.arange(20) / 25 + np.repeat([0, 3600 * hours], 10)
    footage, frames = read(write_video(tmp_path / f"gate{suffix}", FRAMES, fps=25, times=times))
    assert np.allclose([frame.time for frame in frames], np.arange(20) / 25, atol=2e-3) and footage.play_rate == 25  # s
    assert footage.frame_rate([frame.time for frame in frames]) == 25
    assert [warning.name for warning in footage.warnings] == ["video-times-jump"]


def clock_times(stored, rate=25.0):
    clock = FrameClock(rate)
    return np.array([clock.time_of(time) for time in stored]), clock


STEADY = np.arange(20) / 25


@pytest.mark.parametrize("start", [0.0, -0.3, 0.3, 3600.0, 26 * 3600.0, -95443.7, 11.0])
def test_a_clock_that_jumps_goes_on_at_the_usual_rate(start):
    times, clock = clock_times(np.concatenate([STEADY, start + STEADY]))
    assert np.allclose(times, np.arange(40) / 25, atol=1e-9) and (clock.num_jumps, clock.first_jump) == (1, 20)


def test_a_declared_rate_that_frames_contradict_is_not_used_at_a_jump():
    times, _clock = clock_times(np.concatenate([STEADY, STEADY]), rate=1000.0)
    assert np.allclose(times, np.arange(40) / 25, atol=1e-9)


@pytest.mark.parametrize("glitch", [-500.0, 500.0])
def test_one_wrong_time_stamp_moves_no_other_frame(glitch):
    stored = np.arange(40) / 25
    stored[17] += glitch
    times, _clock = clock_times(stored)
    assert np.allclose(np.delete(times, 17), np.delete(np.arange(40) / 25, 17), atol=1e-9) and times[16] < times[17] < times[18]


@pytest.mark.parametrize(
    "stored", [np.cumsum(np.tile([1, 1, 1, 2, 60, 3], 5)) / 30, np.arange(6) * 60.0, [0.0, 0.04, 0.03, 0.12, 0.12, 0.2]]
)
def test_pauses_time_lapses_and_small_disorder_are_no_jumps(stored):
    times, clock = clock_times(stored, 25.0 if stored[1] < 1 else 1 / 60)
    assert clock.num_jumps == 0 and (np.diff(times) > 0).all()
    assert np.allclose(times, np.maximum.accumulate(stored), atol=0.01)  # s


def test_an_edit_list_that_cuts_on_purpose_is_no_early_end(shared_cases):
    """It keeps 0.8 s of 40 frames, as tests/test_field_cases.py reads from the file itself."""
    footage, frames = read(shared_cases / "12_trimmed_end.mp4")
    times = [frame.time for frame in frames]
    assert len(times) == 20 and footage.frame_rate(times) == 25 and footage.warnings == []


def test_an_edited_file_that_was_cut_off_still_ends_early(shared_cases, tmp_path):
    content = (shared_cases / "12_trimmed_end.mp4").read_bytes()
    if content.index(b"moov") > content.index(b"mdat"):
        pictures = content.index(b"mdat")
        damaged = bytearray(content)
        end = content.index(b"moov") - 4
        damaged[pictures + (end - pictures) // 4 : end] = bytes(end - pictures - (end - pictures) // 4)
    else:
        pictures = content.index(b"mdat")
        damaged = content[: pictures + (len(content) - pictures) // 4]
    (tmp_path / "cut.mp4").write_bytes(damaged)
    footage, frames = read(tmp_path / "cut.mp4")
    assert 0 < len(frames) < 20 and any("ends early" in warning or "damaged" in warning for warning in footage.warnings)


def test_slow_motion_has_its_true_time_and_says_so(shared_cases):
    footage, speed = in_true_time(open_footage(shared_cases / "09_slowmotion_android_120.mp4"), None)
    times = [frame.time for frame in footage.read()]
    assert speed == 4 and footage.frame_rate(times) == 120
    assert len(times) / 120 == pytest.approx(0.33, abs=0.005) and times[-1] == pytest.approx(39 / 120, abs=1e-4)  # s
    assert [warning.name for warning in footage.warnings] == ["video-slow-motion"]


@pytest.mark.parametrize("capture_rate, seconds", [(30.0, 40 / 30), (60.0, 40 / 60), (240.0, 40 / 240)])
def test_a_given_capture_rate_wins_over_the_tag(shared_cases, capture_rate, seconds):
    footage, _speed = in_true_time(open_footage(shared_cases / "09_slowmotion_android_120.mp4"), capture_rate)
    frames = list(footage.read())
    assert len(frames) / footage.frame_rate([frame.time for frame in frames]) == pytest.approx(seconds, abs=1e-4)  # s
    assert all(frame.interval == pytest.approx(1 / capture_rate, abs=1e-4) for frame in frames[1:]) and footage.warnings == []


def test_ordinary_footage_is_not_retimed(film):
    footage = open_footage(film)
    assert in_true_time(footage, None) == (footage, 1.0) == in_true_time(footage, 30.0)


@pytest.mark.parametrize("xml, rate", [('captureFps="119.88p" formatFps="29.97p"', 119.88), ('captureFps="59.94i"', None), ("", None)])
def test_the_capture_rate_of_sonys_cameras_is_read(film, tmp_path, xml, rate):
    note = f"<VideoFrame {xml}/>".encode()
    path = tmp_path / "C0001.MP4"
    path.write_bytes(film.read_bytes() + struct.pack(">I4s", 8 + len(note), b"meta") + note)
    assert open_footage(path).stated_capture_rate == rate


@pytest.mark.parametrize("matrix", [[[-1, 0], [0, 1]], [[1, 0], [0, -1]], [[0, 1], [1, 0]], [[0, -1], [-1, 0]], [[0, 1], [-1, 0]]])
def test_the_orientation_of_a_display_matrix_turns_pictures_as_it_does(matrix):
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    rotation, is_mirrored = orientation_of(np.array(matrix, float))
    turned = np.rot90(image[:, ::-1] if is_mirrored else image, -rotation // 90)
    assert np.array_equal(apply_display_matrix(image, np.array(matrix, float)), turned)


def test_flipped_bits_end_no_clip(tmp_path):
    """Frames are of the clip's size or missing, and times rise, whatever is flipped; or the file is refused with a reason."""
    rng = np.random.default_rng(0)
    for suffix, codec in ((".mp4", "libx264"), (".ts", "libx264"), (".avi", "mpeg4")):
        whole = write_video(tmp_path / f"whole{suffix}", FRAMES, codec=codec, options={"g": "5"}).read_bytes()
        for _ in range(12):
            content = bytearray(whole)
            for place in rng.integers(0, len(content), 6):
                content[place] ^= 1 << rng.integers(8)
            path = tmp_path / f"flipped{suffix}"
            path.write_bytes(content)
            try:
                footage, frames = read(path)
            except InputError as error:
                assert error.remedy
                continue
            assert all(frame.image is None or frame.image.shape[1::-1] == footage.size for frame in frames)
            assert (np.diff([frame.time for frame in frames]) > 0).all()
