"""Binary FBX files: sound ones pass, and no length can announce more than the file holds."""

import struct
import time
import tracemalloc
import zlib

import numpy as np
import pytest

from blender_meshrec.core.errors import InputError
from blender_meshrec.core.files import fbx
from blender_meshrec.core.files.fbx import check_fbx
from tests.support.binary_fbx import MAGIC, Writer, array_property, sound_file


def check(tmp_path, content):
    path = tmp_path / "a.fbx"
    path.write_bytes(content)
    check_fbx(path)


def test_the_limits_are_those_decided_on():
    assert (fbx.MAX_DEPTH, fbx.MAX_RECORDS, fbx.MAX_ARRAY_BYTES, fbx._CHUNK_BYTES) == (64, 2_000_000, 2**30, 2**20)


@pytest.mark.parametrize("version", [7300, 7400, 7500, 7700])
def test_sound_files_and_text_pass(tmp_path, version):
    check(tmp_path, sound_file(version))
    check(tmp_path, b"; FBX 7.4.0 project file\n")
    check(tmp_path, b"")


@pytest.mark.parametrize("version", [7400, 7500])
def test_a_length_of_any_record_that_is_too_large_is_refused(tmp_path, version):
    content = sound_file(version)
    head = Writer(version).head
    for name in (b"GlobalSettings", b"Objects", b"Vertices"):
        at = content.index(name) - head.size
        for field in range(3):
            values = list(head.unpack_from(content, at))
            values[field] |= 1 << 30
            with pytest.raises(InputError, match=r"cannot be read as FBX \(.+\)"):
                check(tmp_path, content[:at] + head.pack(*values) + content[at + head.size :])


@pytest.mark.parametrize(
    "properties, reason",
    [
        ([array_property(b"d", np.zeros(9), stated=8)], "not as long"),
        ([array_property(b"d", np.zeros(9), stated=1 << 20)], "not as long"),
        ([array_property(b"d", np.zeros(9), stated=1 << 31)], "1024 MB, the limit"),
        ([array_property(b"d", np.zeros(9), deflated=False, stated=90)], "not as long"),
        ([array_property(b"d", np.zeros(1 << 20))[:60]], "longer than its record"),
        ([b"S" + struct.pack("<I", 1 << 31)], "longer than its record"),
        ([b"q123"], "unknown"),
        ([b"X\0\0\0\0"], "unknown"),
    ],
)
def test_properties_that_state_too_much_are_refused(tmp_path, properties, reason):
    with pytest.raises(InputError, match=reason):
        check(tmp_path, sound_file(7400, properties))


@pytest.mark.parametrize("kind, size", [(b"b", 1), (b"c", 1), (b"i", 4), (b"l", 8), (b"f", 4), (b"d", 8)])
@pytest.mark.parametrize("encoding", [0, 1])
def test_arrays_hold_values_of_their_type(tmp_path, kind, size, encoding):
    for stored, is_read in ((3 * size, True), (3 * size - 1, False), (3 * size + 1, False), (3 * size + 3, False)):
        content = zlib.compress(bytes(stored)) if encoding else bytes(stored)
        damaged = sound_file(7400, [kind + struct.pack("<III", 3, encoding, len(content)) + content])
        if is_read:
            check(tmp_path, damaged)
            continue
        with pytest.raises(InputError, match="not as long"):
            check(tmp_path, damaged)


def test_an_array_of_no_bytes_holds_no_values(tmp_path):
    check(tmp_path, sound_file(7400, [b"b" + struct.pack("<III", 0, 1, 0)]))
    with pytest.raises(InputError, match="not as long"):
        check(tmp_path, sound_file(7400, [b"b" + struct.pack("<III", 1, 1, 0)]))


@pytest.mark.parametrize("chunk", [1, 8, 16, 24, 1000])
def test_an_array_is_unpacked_to_its_end_in_chunks_of_any_size(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(fbx, "_CHUNK_BYTES", chunk)
    check(tmp_path, sound_file(7400, [array_property(b"d", np.arange(3.0))]))
    for stated in (1, 2, 4):
        with pytest.raises(InputError, match="not as long"):
            check(tmp_path, sound_file(7400, [array_property(b"d", np.arange(3.0), stated=stated)]))


@pytest.mark.parametrize("is_block", [True, False])
def test_what_follows_a_record_is_checked_too(tmp_path, is_block):
    """However the record before ends: with what is inside it, or with a record of zeros."""
    writer = Writer(7400)

    def record(name, properties=(), inside=()):
        return lambda at: writer.record(at, name, properties, inside)

    first = record(b"first", (), [record(b"inner", [b"C\1"])] * 2 if is_block else ())
    sound, damaged = record(b"last", [b"C\1"]), record(b"last", [b"q"])
    check(tmp_path, writer.file(first, record(b"outer", (), [first, sound]), sound))
    for records in ([first, damaged], [first, record(b"outer", (), [first, damaged])], [first, record(b"outer", (), [first]), damaged]):
        with pytest.raises(InputError, match="unknown"):
            check(tmp_path, writer.file(*records))


def cut_off(values, stored):
    """An array property of which only the first bytes are stored."""
    packed = zlib.compress(values.tobytes())[:stored]
    return b"d" + struct.pack("<III", len(values), 1, len(packed)) + packed


@pytest.mark.parametrize("stored", [5, 40])
def test_an_array_that_breaks_off_is_refused(tmp_path, stored):
    with pytest.raises(InputError, match=r"cut off|not as long"):
        check(tmp_path, sound_file(7400, [cut_off(np.random.default_rng(0).random(50), stored)]))


def test_a_property_that_begins_at_the_end_of_the_file_is_refused(tmp_path):
    name, number = b"a", b"Y\0\0"
    end = len(MAGIC) + 4 + 13 + len(name) + len(number)
    record = struct.pack("<IIIB", end, 2, len(number), len(name)) + name + number
    with pytest.raises(InputError, match="cannot be read"):
        check(tmp_path, MAGIC + struct.pack("<I", 7400) + record)


def test_a_bomb_is_not_unpacked(tmp_path):
    bomb = array_property(b"d", np.zeros(1 << 25), stated=10)  # 256 MB
    content = sound_file(7400, [bomb])
    tracemalloc.start()
    with pytest.raises(InputError, match="not as long"):
        check(tmp_path, content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20  # bytes


def test_limits_of_nesting_and_number(tmp_path, monkeypatch):
    writer = Writer(7400)

    def nested(depth):
        return lambda at: writer.record(at, b"a", (), [nested(depth - 1)] if depth else [])

    check(tmp_path, writer.file(nested(fbx.MAX_DEPTH - 1)))
    with pytest.raises(InputError, match="nested more than"):
        check(tmp_path, writer.file(nested(fbx.MAX_DEPTH + 1)))
    monkeypatch.setattr(fbx, "MAX_RECORDS", 3)
    with pytest.raises(InputError, match="3 records, the limit"):
        check(tmp_path, sound_file(7400))


def test_every_flipped_bit_ends_soon(tmp_path):
    """A bit of every third byte of the file's first kilobyte flipped: each is read or refused, in 0.5 s of processor time."""
    content = sound_file(7400)
    refused = 0
    for at in range(len(MAGIC) + 4, min(len(content), 1024), 3):
        damaged = bytearray(content)
        damaged[at] ^= 0x80 >> at % 8
        begun = time.process_time()
        try:
            check(tmp_path, bytes(damaged))
        except InputError:
            refused += 1
        assert time.process_time() - begun < 0.5
    assert refused > 20
