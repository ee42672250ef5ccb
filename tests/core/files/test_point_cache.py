"""Point caches: round trip, byte layout, and atomic writing."""

import struct
import tracemalloc

import numpy as np
import pytest

from blender_meshrec.core.errors import InputError, OutputError
from blender_meshrec.core.files.point_cache import read_point_cache, write_point_cache


def test_point_cache_round_trip_in_pc2_format(tmp_path):
    samples = np.random.default_rng(0).normal(size=(7, 11, 3)).astype(np.float32)
    path = tmp_path / "größe 測試.pc2"
    write_point_cache(path, 11, 7, (samples[start : start + 3] for start in (0, 3, 6)))
    assert np.array_equal(read_point_cache(path), samples)
    content = path.read_bytes()
    assert struct.unpack("<12siiffi", content[:32]) == (b"POINTCACHE2\0", 1, 11, 0.0, 1.0, 7)
    assert content[32:] == samples.tobytes()


@pytest.mark.parametrize("chunks", [[np.zeros((2, 4, 3))], [np.zeros((3, 5, 3))], [np.zeros((3, 4))], []])
def test_chunks_of_wrong_shape_leave_no_file(tmp_path, chunks):
    with pytest.raises(ValueError):
        write_point_cache(tmp_path / "a.pc2", 4, 3, chunks)
    assert not list(tmp_path.iterdir())


def test_an_unwritable_path_raises_an_output_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        write_point_cache(tmp_path / "file" / "a.pc2", 4, 3, [np.zeros((3, 4, 3))])


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:20],
        lambda content: content[:-4],
        lambda content: b"X" + content[1:],
        lambda content: content[:12] + struct.pack("<i", 2) + content[16:],
        lambda content: content[:16] + struct.pack("<i", -4) + content[20:],
    ],
)
def test_damaged_point_caches_are_refused(tmp_path, damage):
    path = tmp_path / "a.pc2"
    write_point_cache(path, 4, 3, [np.zeros((3, 4, 3))])
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError):
        read_point_cache(path)
    with pytest.raises(InputError):
        read_point_cache(tmp_path / "missing.pc2")


def test_memory_does_not_grow_with_the_number_of_samples(tmp_path):
    def peak(samples):
        tracemalloc.start()
        write_point_cache(tmp_path / "a.pc2", 1000, samples, (np.zeros((8, 1000, 3), np.float32) for _ in range(samples // 8)))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(800) < 1.2 * peak(80)
