"""What was seen is kept whole, resumed where it broke off, and never trusted when damaged."""

import numpy as np
import pytest

from blender_meshrec.backend.detection.detections import Detection
from blender_meshrec.backend.tracking import observation_cache
from blender_meshrec.backend.tracking.observation_cache import FRAMES_PER_FILE, ObservationLog, Summary, content_hash
from blender_meshrec.backend.tracking.packing import pack_frames, unpack_frames
from blender_meshrec.core.errors import OutputError


def some_frames(count, seed=0):
    """Frames with 0 to 3 poses, some without depth or clothes."""
    rng = np.random.default_rng(seed)

    def pose():
        depth = rng.random((33, 3)) if rng.random() < 0.7 else None
        clothes = rng.random(64) if rng.random() < 0.5 else None
        picture = rng.integers(0, 256, (8, 8, 3)) if rng.random() < 0.5 else None
        return Detection(rng.random((33, 3)), depth, float(rng.random()), clothes, portrait=picture)

    return [(i / 30, [pose() for _ in range(rng.integers(0, 4))]) for i in range(count)]


def equal(a, b):
    def same(x, y):
        return (x is None and y is None) or np.array_equal(x, y)

    def same_pose(p, q):
        names = ("keypoints", "keypoints_3d", "appearance", "portrait")
        return p.score == q.score and all(same(getattr(p, name), getattr(q, name)) for name in names)

    return len(a) == len(b) and all(ta == tb and len(pa) == len(pb) and all(map(same_pose, pa, pb)) for (ta, pa), (tb, pb) in zip(a, b))


def write(root, frames, key="clip", finished=True):
    log = ObservationLog(root, key)
    for time, poses in frames:
        log.append(time, poses)
    if finished:
        log.finish(30.0, [])
    return log


@pytest.mark.parametrize("count", [1, FRAMES_PER_FILE, 2 * FRAMES_PER_FILE + 7])
def test_what_was_written_is_read_bit_for_bit(tmp_path, count):
    frames = some_frames(count)
    write(tmp_path, frames)
    again = ObservationLog(tmp_path, "clip")
    assert equal(again.frames, frames)
    assert again.summary == Summary(30.0, [], count)
    assert ObservationLog(tmp_path, "another clip").frames == []


def test_packing_undoes_itself_for_frames_without_anybody():
    frames = [(0.0, []), (0.1, [])]
    assert equal(unpack_frames(pack_frames(frames)), frames)


def test_after_a_kill_what_was_written_is_there_and_not_done(tmp_path):
    frames = some_frames(250)
    write(tmp_path, frames, finished=False)
    again = ObservationLog(tmp_path, "clip")
    assert again.summary is None
    assert equal(again.frames, frames[: 2 * FRAMES_PER_FILE])
    for time, poses in frames[len(again.frames) :]:
        again.append(time, poses)
    again.finish(30.0, [])
    assert equal(ObservationLog(tmp_path, "clip").frames, frames)


@pytest.mark.parametrize("damage", ["cut", "gone", "pickle"])
def test_a_damaged_file_ends_what_is_believed(tmp_path, damage):
    frames = some_frames(250)
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


def test_a_full_disk_costs_the_cache_and_nothing_else(tmp_path, monkeypatch):
    def full(path):
        raise OutputError("test-error", "The disk is full.", "Free some space.")

    monkeypatch.setattr(observation_cache, "atomic_write", full)
    write(tmp_path, some_frames(300))
    assert ObservationLog(tmp_path, "clip").frames == []


def test_the_longest_unused_go_when_room_runs_out(tmp_path, monkeypatch):
    import os

    for age, key in enumerate(("new", "older", "oldest")):
        log = write(tmp_path, some_frames(100, age), key)
        os.utime(log._folder, (1e9 - age, 1e9 - age))
    size = sum(file.stat().st_size for file in log._folder.iterdir())
    monkeypatch.setattr(observation_cache, "MAX_CACHE_BYTES", int(2.5 * size))
    ObservationLog(tmp_path, "older")  # used again
    write(tmp_path, some_frames(10), "latest")
    assert [bool(ObservationLog(tmp_path, key).frames) for key in ("latest", "older", "new", "oldest")] == [True, True, True, False]


def test_making_room_leaves_what_is_not_the_caches(tmp_path, monkeypatch):
    write(tmp_path, some_frames(100), "old")
    (entry,) = tmp_path.iterdir()
    (entry / ".meshrec-killed").mkdir()
    theirs = [tmp_path / "surfaces" / "clip.person1.pc2", tmp_path / "shots" / "frames-000000.npz", tmp_path / "done.json"]
    theirs += [tmp_path / ("f" * 32) / "mine.txt"]
    for file in theirs:
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(bytes(1000))
    monkeypatch.setattr(observation_cache, "MAX_CACHE_BYTES", 1)
    write(tmp_path, some_frames(10), "new")
    assert all(file.is_file() for file in theirs) and not entry.exists()
    assert ObservationLog(tmp_path, "new").frames


def test_content_decides_not_name_or_date(tmp_path):
    a, b, c = (tmp_path / name for name in "abc")
    a.write_bytes(b"1" * 1000)
    b.write_bytes(b"1" * 1000)
    c.write_bytes(b"1" * 999 + b"2")
    assert content_hash(a) == content_hash(b) != content_hash(c)


def test_a_large_file_is_sampled_to_its_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(observation_cache, "MAX_FULL_HASH_BYTES", 10_000)
    monkeypatch.setattr(observation_cache, "SAMPLE_BYTES", 100)
    content = np.random.default_rng(0).bytes(50_000)
    hashes = set()
    for i, changed in enumerate((content, content[:-1] + b"\0", b"\0" + content[1:], content + b"\0", content[::-1])):
        (tmp_path / f"{i}").write_bytes(changed)
        hashes.add(content_hash(tmp_path / f"{i}"))
    assert len(hashes) == 5


def test_a_folder_is_its_files_names_and_bytes(tmp_path):
    for name in ("1.png", "2.png"):
        (tmp_path / name).write_bytes(name.encode())
    before = content_hash(tmp_path)
    (tmp_path / "2.png").rename(tmp_path / "3.png")
    assert content_hash(tmp_path) != before
