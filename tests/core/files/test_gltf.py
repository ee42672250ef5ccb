"""glTF files: text and binary are told by their content, and copies keep everything but the changed JSON."""

import json
import os
import struct

import pytest

from blender_meshrec.core.errors import InputError
from blender_meshrec.core.files import gltf
from blender_meshrec.core.files.gltf import path_from_uri, read_gltf, uri_entries, write_gltf_copy

CONTENT = {"asset": {"version": "2.0"}, "images": [{"uri": "a.png"}, {"bufferView": 0}, {"uri": "data:image/png;base64,AAAA"}]}


def write_glb(path, content, binary=b"BINARY01"):
    text = json.dumps(content).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(binary), 0x004E4942) + binary
    path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)
    return path


@pytest.mark.parametrize("suffix", [".glb", ".gltf", ".vrm"])
@pytest.mark.parametrize("is_binary", [True, False])
def test_the_content_decides_and_not_the_suffix(tmp_path, suffix, is_binary):
    path = tmp_path / f"a{suffix}"
    if is_binary:
        write_glb(path, CONTENT)
    else:
        path.write_text(json.dumps(CONTENT))
    found = read_gltf(path)
    assert found.content == CONTENT
    assert (found.tail is not None) == is_binary


@pytest.mark.parametrize("is_binary", [True, False])
def test_copies_have_the_changed_json_and_the_same_binary(tmp_path, is_binary):
    path, copy = tmp_path / "a.glb", tmp_path / "b.glb"
    if is_binary:
        write_glb(path, CONTENT)
    else:
        path.write_text(json.dumps(CONTENT))
    changed = read_gltf(path)
    changed.content["images"][0]["uri"] = "another.png"
    write_gltf_copy(path, changed, copy)
    assert read_gltf(copy).content == changed.content
    if is_binary:
        raw = copy.read_bytes()
        assert raw.endswith(b"BINARY01")
        assert struct.unpack("<I", raw[8:12])[0] == len(raw)
        assert len(raw) % 4 == 0


@pytest.mark.parametrize(
    "uri, is_file",
    [
        ("a.png", True),
        ("data:image/png;base64,AAAA", False),
        ("data:/../../etc/passwd", True),  # importers take it for a path
        ("DATA:image/png;base64,AAAA", True),
        ("file:///etc/passwd", True),
    ],
)
def test_what_importers_read_as_a_path_is_one(tmp_path, uri, is_file):
    path = tmp_path / "a.gltf"
    path.write_text(json.dumps({"images": [{"uri": uri}], "buffers": [None, {"uri": 7}]}))
    assert len(uri_entries(read_gltf(path), "images")) == is_file
    assert uri_entries(read_gltf(path), "buffers") == []


def test_uris_are_decoded_as_importers_do(tmp_path):
    assert path_from_uri("%2e%2e/x%20y.png", tmp_path) == tmp_path / ".." / "x y.png"
    assert path_from_uri("..\\x.png", tmp_path) == tmp_path / ".." / "x.png"
    assert path_from_uri("/etc/passwd", tmp_path) == tmp_path / "/etc/passwd"


@pytest.mark.parametrize(
    "content",
    [b"", b"glTF", b"glTF" + bytes(16), struct.pack("<4sIIII", b"glTF", 2, 20, 1 << 31, 0x4E4F534A), b"[1]", b"\xff{}", b"[" * 100_000],
)
def test_damaged_files_are_refused(tmp_path, content):
    (tmp_path / "a.glb").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.glb cannot be read"):
        read_gltf(tmp_path / "a.glb")


def test_pipes_are_refused(tmp_path):
    os.mkfifo(tmp_path / "a.gltf")
    with pytest.raises(InputError, match="a pipe"):
        read_gltf(tmp_path / "a.gltf")


@pytest.mark.parametrize("is_binary", [True, False])
def test_arrays_of_zeros_that_would_fill_the_memory_are_refused(tmp_path, is_binary):
    for accessors, is_refused in (
        ([{"componentType": 5126, "type": "MAT4", "count": 1_000}], False),
        ([{"componentType": 5126, "type": "MAT4", "count": 200_000_000}], True),
        ([{"componentType": 5120, "type": "SCALAR", "count": 1 << 28}] * 5, True),
        ([{"componentType": [], "type": {}, "count": 1 << 40}], True),
        ([{"componentType": 5126, "type": "VEC3", "count": "many"}, 5, {}], False),
        (None, False),
    ):
        path = tmp_path / "a.gltf"
        if is_binary:
            write_glb(path, {**CONTENT, "accessors": accessors})
        else:
            path.write_text(json.dumps({**CONTENT, "accessors": accessors}))
        if is_refused:
            with pytest.raises(InputError, match="1024 MB, the limit"):
                read_gltf(path)
        else:
            assert read_gltf(path).content["accessors"] == accessors


@pytest.mark.parametrize("kind, kind_bytes", [(5120, 1), (5121, 1), (5122, 2), (5123, 2), (5125, 4), (5126, 4), (9, 4), (None, 4), ([], 4)])
@pytest.mark.parametrize(
    "shape, components", [("SCALAR", 1), ("VEC2", 2), ("VEC3", 3), ("VEC4", 4), ("MAT2", 4), ("MAT3", 9), ("MAT4", 16)]
)
def test_an_array_is_counted_by_the_bytes_of_its_values(tmp_path, monkeypatch, kind, kind_bytes, shape, components):
    """Several arrays count together; one of an unknown type has the largest values."""
    path = tmp_path / "a.gltf"
    for shape_name in (shape, *(["other", {}] if shape == "MAT4" else [])):
        accessors = [{"componentType": kind, "type": shape_name, "count": count} for count in (3, 4, -9, 0)]
        path.write_text(json.dumps({"accessors": accessors}))
        monkeypatch.setattr(gltf, "_MAX_ARRAY_BYTES", 7 * kind_bytes * components)
        assert read_gltf(path).content["accessors"] == accessors
        monkeypatch.setattr(gltf, "_MAX_ARRAY_BYTES", 7 * kind_bytes * components - 1)
        with pytest.raises(InputError, match="the limit"):
            read_gltf(path)


def test_a_copy_is_laid_out_as_a_binary_file_is(tmp_path):
    """Header, JSON filled with spaces to four bytes, and the other chunks as they were; a text file has no filling."""
    for more in range(4):
        content = {"a": "b" * more}
        path = write_glb(tmp_path / "a.glb", {"c": 1}, b"BINARY01")
        write_gltf_copy(path, gltf.Gltf(content, read_gltf(path).tail), tmp_path / "b.glb")
        assert (tmp_path / "b.glb").read_bytes() == write_glb(tmp_path / "c.glb", content, b"BINARY01").read_bytes()
        (tmp_path / "a.gltf").write_text("{}")
        write_gltf_copy(tmp_path / "a.gltf", gltf.Gltf(content, None), tmp_path / "b.gltf")
        assert (tmp_path / "b.gltf").read_text() == json.dumps(content)


@pytest.mark.parametrize("size, is_read", [(99, False), (100, True)])
def test_json_is_read_up_to_its_limit(tmp_path, monkeypatch, size, is_read):
    monkeypatch.setattr(gltf, "_MAX_JSON_BYTES", size)
    (tmp_path / "a.gltf").write_text("{}".ljust(100))
    write_glb(tmp_path / "a.glb", {"a": "b" * 91})  # 100 bytes
    for name in ("a.gltf", "a.glb"):
        if is_read:
            assert isinstance(read_gltf(tmp_path / name).content, dict)
            continue
        with pytest.raises(InputError, match="too large"):
            read_gltf(tmp_path / name)


def test_the_first_chunk_is_the_json_and_lies_in_the_file(tmp_path):
    path = write_glb(tmp_path / "a.glb", {"a": 1}, b"")
    content = path.read_bytes()
    (length,) = struct.unpack_from("<I", content, 12)
    assert read_gltf(path).tail == 20 + length
    path.write_bytes(content[: 20 + length])  # no other chunk
    assert read_gltf(path).content == {"a": 1}
    for damaged in (content[: 20 + length - 1], content[:16] + b"BIN\0" + content[20:], content[:19]):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"a\.glb cannot be read"):
            read_gltf(path)


@pytest.mark.parametrize("filling, is_read", [(b"\0\0\0", True), (b"   ", True), (b" \0 ", True), (b"abc", False)])
def test_json_may_be_filled_with_zeros_or_spaces_at_its_end(tmp_path, filling, is_read):
    text = b"{}" + filling
    (tmp_path / "a.glb").write_bytes(struct.pack("<4sIIII", b"glTF", 2, 20 + len(text), len(text), 0x4E4F534A) + text)
    if is_read:
        assert read_gltf(tmp_path / "a.glb").content == {}
        return
    with pytest.raises(InputError):
        read_gltf(tmp_path / "a.glb")
