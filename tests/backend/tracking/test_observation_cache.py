"""The observation cache: complete, resumable, and never used beyond damage."""

from types import SimpleNamespace

import numpy as np
import pytest

from blender_meshrec.backend.camera.tracks import CUT, FOLLOWS, FrameMatches, Match, join_matches
from blender_meshrec.backend.detection.detections import Detection
from blender_meshrec.backend.tracking import observation_cache
from blender_meshrec.backend.tracking.observation_cache import FRAMES_PER_FILE, ObservationLog, Summary, content_hash
from blender_meshrec.backend.tracking.packing import pack_frames, unpack_frames
from blender_meshrec.core.errors import OutputError


def random_frames(count, seed=0):
    """Frames with 0 to 3 detections, some without 3D keypoints, appearance or portrait."""
    rng = np.random.default_rng(seed)

    def random_detection():
        keypoints_3d = rng.random((33, 3)) if rng.random() < 0.7 else None
        appearance = rng.random(64) if rng.random() < 0.5 else None
        portrait = rng.integers(0, 256, (8, 8, 3)) if rng.random() < 0.5 else None
        return Detection(rng.random((33, 3)), keypoints_3d, float(rng.random()), appearance, portrait=portrait)

    return [(i / 30, [random_detection() for _ in range(rng.integers(0, 4))]) for i in range(count)]


def equal(a, b):
    def same(x, y):
        return (x is None and y is None) or np.array_equal(x, y)

    def same_detection(p, q):
        names = ("keypoints", "keypoints_3d", "appearance", "portrait")
        return p.score == q.score and all(same(getattr(p, name), getattr(q, name)) for name in names)

    return len(a) == len(b) and all(
        ta == tb and len(da) == len(db) and all(map(same_detection, da, db)) for (ta, da), (tb, db) in zip(a, b)
    )


def write(root, frames, key="clip", finished=True):
    log = ObservationLog(root, key)
    for time, detections in frames:
        log.append(time, detections)
    if finished:
        log.finish(30.0, [])
    return log


@pytest.mark.parametrize("count", [1, FRAMES_PER_FILE, 2 * FRAMES_PER_FILE + 7])
def test_detections_are_read_back_bit_for_bit(tmp_path, count):
    frames = random_frames(count)
    write(tmp_path, frames)
    again = ObservationLog(tmp_path, "clip")
    assert equal(again.frames, frames)
    assert again.summary == Summary(30.0, [], count)
    assert ObservationLog(tmp_path, "another clip").frames == []


def test_the_matches_of_the_background_are_read_back(tmp_path):
    frames, generator = random_frames(FRAMES_PER_FILE + 30), np.random.default_rng(2)
    log = ObservationLog(tmp_path, "clip")
    for row, (time, detections) in enumerate(frames):
        points = generator.integers(-999, 999, (row % 5, 4)).astype(np.int16)
        matches = (Match(row // 2, points, points[:, 0] > 0),) if row else ()
        log.append(time, detections, np.zeros(3), FrameMatches(FOLLOWS if row else CUT, matches))
    log.finish(30.0, [])
    written, read = (join_matches(each.matches, (640, 480), (320, 240)) for each in (log, ObservationLog(tmp_path, "clip")))
    for name in ("links", "pairs", "starts", "points", "agrees"):
        assert np.array_equal(getattr(written, name), getattr(read, name))
    assert len(read) == len(frames)


def test_the_edges_of_the_background_are_read_back(tmp_path):
    """Also those of an entry that goes on in a second file; entries of earlier versions have none."""
    frames, generator = random_frames(FRAMES_PER_FILE + 30), np.random.default_rng(3)
    edges = [generator.integers(-999, 999, (row % 7, 4)).astype(np.int16) if row % 20 == 0 else None for row in range(len(frames))]
    log = ObservationLog(tmp_path, "clip")
    for (time, detections), found in zip(frames, edges):
        log.append(time, detections, edges=found)
    log.finish(30.0, [])
    again = ObservationLog(tmp_path, "clip").edges
    assert [found is None for found in again] == [found is None for found in edges]
    assert all(np.array_equal(read, found) for read, found in zip(again, edges) if found is not None)


def test_entries_without_edges_are_used(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(observation_cache, "pack_edges", lambda edges: {})
        write(tmp_path, random_frames(3))
    again = ObservationLog(tmp_path, "clip")
    assert len(again.frames) == 3 and again.edges == [None] * 3 and again.summary is not None


def test_the_movement_of_the_background_is_read_back(tmp_path):
    frames, background = random_frames(FRAMES_PER_FILE + 30), np.random.default_rng(1).normal(size=(FRAMES_PER_FILE + 30, 3))
    log = ObservationLog(tmp_path, "clip")
    for (time, detections), movement in zip(frames, background):
        log.append(time, detections, movement)
    log.flush()
    assert np.array_equal(log.background, background)
    again = ObservationLog(tmp_path, "clip")
    assert np.array_equal(again.background, background)
    again.append(9.0, [], np.ones(3))
    again.finish(30.0, [])
    assert np.array_equal(ObservationLog(tmp_path, "clip").background, [*background, np.ones(3)])


@pytest.mark.parametrize(("stored", "is_used"), [(None, True), (np.zeros((2, 3)), False)])
def test_entries_without_the_background_are_used_and_broken_ones_are_not(tmp_path, monkeypatch, stored, is_used):
    """Entries of earlier versions have no movement of the background: it is unknown there."""
    frames = random_frames(3)
    save = np.savez

    def save_otherwise(file, background, **arrays):
        save(file, **arrays, **({} if stored is None else {"background": stored}))

    with monkeypatch.context() as patch:
        patch.setattr(observation_cache.np, "savez", save_otherwise)
        write(tmp_path, frames)
    again = ObservationLog(tmp_path, "clip")
    assert equal(again.frames, frames if is_used else [])
    assert np.shape(again.background) == ((3, 3) if is_used else (0,)) and np.isnan(again.background).all()


def test_frames_without_detections_are_packed_and_unpacked():
    frames = [(0.0, []), (0.1, [])]
    assert equal(unpack_frames(pack_frames(frames)), frames)


def test_an_interrupted_entry_has_frames_but_no_summary(tmp_path):
    frames = random_frames(250)
    write(tmp_path, frames, finished=False)
    again = ObservationLog(tmp_path, "clip")
    assert again.summary is None
    assert equal(again.frames, frames[: 2 * FRAMES_PER_FILE])
    for time, detections in frames[len(again.frames) :]:
        again.append(time, detections)
    again.finish(30.0, [])
    assert equal(ObservationLog(tmp_path, "clip").frames, frames)


@pytest.mark.parametrize("damage", ["cut", "gone", "pickle"])
def test_only_frames_before_a_damaged_file_are_used(tmp_path, damage):
    frames = random_frames(250)
    write(tmp_path, frames)
    middle = next(tmp_path.glob(f"*/frames-{FRAMES_PER_FILE:06}.npz"))
    if damage == "cut":
        middle.write_bytes(middle.read_bytes()[:300])
    elif damage == "gone":
        middle.unlink()
    else:
        np.savez(middle, times=np.array([{"a": 1}], dtype=object), counts=np.array([0]))
    again = ObservationLog(tmp_path, "clip")
    assert again.summary is None and equal(again.frames, frames[:FRAMES_PER_FILE])


@pytest.mark.parametrize("name", ["done.json", "frames-000000.npz"])
def test_a_flipped_bit_is_never_another_motion(tmp_path, name):
    """One bit of done.json made 25 frames a second 35, and one of the frames moves a keypoint."""
    frames = random_frames(3)
    write(tmp_path, frames)
    file = next(tmp_path.glob(f"*/{name}"))
    content = file.read_bytes()
    for position in np.random.default_rng(0).integers(0, 8 * len(content), 60).tolist():
        damaged = bytearray(content)
        damaged[position // 8] ^= 1 << position % 8
        file.write_bytes(damaged)
        again = ObservationLog(tmp_path, "clip")
        assert again.summary is None and (equal(again.frames, frames) if name == "done.json" else again.frames == [])
    file.write_bytes(content)
    assert ObservationLog(tmp_path, "clip").summary == Summary(30.0, [], 3)


def test_files_of_another_entry_are_not_used(tmp_path):
    write(tmp_path, random_frames(3, seed=1), "other")
    (other,) = tmp_path.iterdir()
    log = write(tmp_path, random_frames(3), "clip")
    for file in other.iterdir():
        (log._folder / file.name).write_bytes(file.read_bytes())
    again = ObservationLog(tmp_path, "clip")
    assert again.frames == [] and again.summary is None


def test_a_damaged_entry_is_replaced(tmp_path):
    frames = random_frames(250)
    write(tmp_path, frames)
    middle = next(tmp_path.glob(f"*/frames-{FRAMES_PER_FILE:06}.npz"))
    middle.write_bytes(bytes(len(middle.read_bytes())))
    again = ObservationLog(tmp_path, "clip")
    for time, detections in frames[len(again.frames) :]:
        again.append(time, detections)
    again.finish(30.0, [])
    assert equal(ObservationLog(tmp_path, "clip").frames, frames)


def test_a_full_disk_only_disables_the_cache(tmp_path, monkeypatch):
    def full(path):
        raise OutputError("test-error", "The disk is full.", "Free some space.")

    monkeypatch.setattr(observation_cache, "atomic_write", full)
    write(tmp_path, random_frames(300))
    assert ObservationLog(tmp_path, "clip").frames == []


def test_the_least_recently_used_entries_are_evicted(tmp_path, monkeypatch):
    import os

    for age, key in enumerate(("new", "older", "oldest")):
        log = write(tmp_path, random_frames(100, age), key)
        os.utime(log._folder, (1e9 - age, 1e9 - age))
    size = sum(file.stat().st_size for file in log._folder.iterdir())
    monkeypatch.setattr(observation_cache, "MAX_CACHE_BYTES", int(2.5 * size))
    ObservationLog(tmp_path, "older")  # used again
    write(tmp_path, random_frames(10), "latest")
    assert [bool(ObservationLog(tmp_path, key).frames) for key in ("latest", "older", "new", "oldest")] == [True, True, True, False]


def test_eviction_keeps_files_of_others(tmp_path, monkeypatch):
    write(tmp_path, random_frames(100), "old")
    (entry,) = tmp_path.iterdir()
    (entry / ".meshrec-killed").mkdir()
    others = [tmp_path / "surfaces" / "clip.person1.pc2", tmp_path / "shots" / "frames-000000.npz", tmp_path / "done.json"]
    others += [tmp_path / ("f" * 32) / "mine.txt"]
    for file in others:
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(bytes(1000))
    monkeypatch.setattr(observation_cache, "MAX_CACHE_BYTES", 1)
    write(tmp_path, random_frames(10), "new")
    assert all(file.is_file() for file in others) and not entry.exists()
    assert ObservationLog(tmp_path, "new").frames


def test_the_hash_depends_on_content_only(tmp_path):
    a, b, c = (tmp_path / name for name in "abc")
    a.write_bytes(b"1" * 1000)
    b.write_bytes(b"1" * 1000)
    c.write_bytes(b"1" * 999 + b"2")
    assert content_hash(a) == content_hash(b) != content_hash(c)


def test_samples_of_a_large_file_include_its_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(observation_cache, "MAX_FULL_HASH_BYTES", 10_000)
    monkeypatch.setattr(observation_cache, "SAMPLE_BYTES", 100)
    content = np.random.default_rng(0).bytes(50_000)
    hashes = set()
    for i, changed in enumerate((content, content[:-1] + b"\0", b"\0" + content[1:], content + b"\0", content[::-1])):
        (tmp_path / f"{i}").write_bytes(changed)
        hashes.add(content_hash(tmp_path / f"{i}"))
    assert len(hashes) == 5


def test_the_hash_of_a_folder_includes_file_names(tmp_path):
    for name in ("1.png", "2.png"):
        (tmp_path / name).write_bytes(name.encode())
    before = content_hash(tmp_path)
    (tmp_path / "2.png").rename(tmp_path / "3.png")
    assert content_hash(tmp_path) != before


def filmed(path, frames=None):
    """Footage as the cache sees it."""
    first, end = frames or (0, None)
    return SimpleNamespace(source=path, first=first, end=end, play_rate=30.0)


@pytest.mark.parametrize("frames", [(20, 90), (0, 50), (110, None), (100, 999)])
def test_a_part_of_a_clip_is_taken_from_the_cache_of_the_whole(tmp_path, frames):
    clip, root = tmp_path / "clip.mp4", tmp_path / "cache"
    clip.write_bytes(b"footage")
    shown, generator = random_frames(130), np.random.default_rng(4)
    whole = ObservationLog.for_footage(root, filmed(clip), "detector", None)
    for row, (time, detections) in enumerate(shown):
        points = generator.integers(-999, 999, (3, 4)).astype(np.int16)
        matches = tuple(Match(reference, points, points[:, 0] > 0) for reference in (row - 1, row - 30) if reference >= 0)
        whole.append(time, detections, np.full(3, float(row)), FrameMatches(FOLLOWS if row else CUT, matches), points if row % 10 else None)
    assert not ObservationLog.for_footage(root, filmed(clip, frames), "detector", None).frames  # the whole is not finished
    whole.finish(30.0, ["A warning."])
    part = ObservationLog.for_footage(root, filmed(clip, frames), "detector", None)
    first, end = frames[0], min(frames[1] or 130, 130)
    assert equal(part.frames, [(time - shown[first][0], found) for time, found in shown[first:end]])
    assert part.summary == Summary(30.0, ["A warning."], end - first)
    assert np.isnan(part.background[0]).all() and part.background[1][0] == first + 1
    assert part.matches[0] == FrameMatches(CUT, ())
    assert [match.reference for match in part.matches[5].matches] == [4]
    tracks = join_matches(part.matches, (640, 480), (320, 240))
    assert len(tracks) == end - first and (tracks.pairs >= 0).all() and (tracks.pairs[:, 0] < tracks.pairs[:, 1]).all()
    assert len(part.edges) == end - first and part.edges[10] is None
    assert not ObservationLog.for_footage(root, filmed(clip, frames), "another detector", None).frames
    assert not ObservationLog.for_footage(root, filmed(clip, (130, 140)), "detector", None).frames
