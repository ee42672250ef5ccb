"""The limits of the readers, to the number: what is at a limit is read, what is beyond it is refused."""

import io
import json
import os
import socket
import struct
import tracemalloc
import zipfile
from dataclasses import MISSING, fields
from pathlib import Path

import numpy as np
import pytest

from blender_meshrec.core.errors import InputError, ModelError
from blender_meshrec.core.files import gltf, input_file, model_content, model_files, motion_npz, pickle_stubs, safe_npz
from blender_meshrec.core.files.gltf import Gltf, path_from_uri, read_gltf, uri_entries, uri_from_path, write_gltf_copy
from blender_meshrec.core.files.input_file import parse_json, read_json, refuse_special_file
from blender_meshrec.core.files.motion_npz import read_motion, write_motion
from blender_meshrec.core.files.safe_npz import ArchiveError, archive_keys, read_arrays, read_numeric_npz
from blender_meshrec.core.records import Recovery
from tests.support.synthetic_bodies import make_recovery, make_tube_body

posix = pytest.mark.skipif(os.name == "nt", reason="pipes, sockets and modes of POSIX")


def test_the_limits_are_those_decided_on():
    """A hostile file can make the readers take no more than this: another number is a decision, not a slip."""
    assert (safe_npz.MAX_BYTES, safe_npz.MAX_VALUES) == (2**30, 2**27)
    assert input_file.MAX_JSON_BYTES == 2**25 and gltf._MAX_JSON_BYTES == 2**28
    assert (pickle_stubs._MAX_EXPANSION, pickle_stubs.LIST_ITEM_COST, pickle_stubs._MAX_DIMENSIONS) == (2**26, 64, 8)
    assert model_files._MAX_LIST_BYTES == 2**20
    assert (model_content.MAX_VALUE, model_content.MAX_VERTICES) == (2.0**32, 2**19)
    assert {name: limit for name, limit, _ in motion_npz._LIMITS} == {
        "positions": 1e5,
        "angles": 1e4,
        "shape parameters": 1e3,
        "camera's numbers": 1e7,
        "picture's sides": 1e6,
        "timestamps": 1e10,
    }


# --- .npz ---


def npz(path, version=(1, 0), method=zipfile.ZIP_DEFLATED, **arrays):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, value in arrays.items():
            content = value
            if not isinstance(value, bytes):
                stream = io.BytesIO()
                np.lib.format.write_array(stream, np.asarray(value), version)
                content = stream.getvalue()
            archive.writestr(f"{name}.npy", content)
    return path


def test_as_many_values_as_the_limit_are_read(tmp_path, monkeypatch):
    path = npz(tmp_path / "a.npz", a=np.arange(6), b=np.ones((2, 2)), c=np.zeros(1000))
    assert read_arrays(path, ["a", "b"], max_values=10)["b"].tolist() == [[1, 1], [1, 1]]
    assert read_arrays(str(path), ["b", "absent"], max_values=4).keys() == {"b"}  # others are not counted
    with pytest.raises(InputError, match="the limit is 0 million") as caught:
        read_arrays(path, ["a", "b"], max_values=9)
    assert caught.value.name == "archive-too-large" and caught.value.problem.values["name"] == "a.npz"
    size = sum(member.file_size for member in zipfile.ZipFile(path).infolist()[:2])
    monkeypatch.setattr(safe_npz, "MAX_BYTES", size)
    assert read_arrays(path, ["a", "b"]).keys() == {"a", "b"}
    monkeypatch.setattr(safe_npz, "MAX_BYTES", size - 1)
    with pytest.raises(ModelError) as caught:
        read_arrays(path, ["a", "b"], ModelError)
    assert caught.value.problem.values["megabytes"] == pytest.approx((size - 1) / 2**20)
    monkeypatch.undo()
    monkeypatch.setattr(safe_npz, "MAX_VALUES", 12_000_000)
    with pytest.raises(InputError, match="the limit is 2 million"):
        read_arrays(npz(tmp_path / "b.npz", a=np.zeros(2_000_001, np.uint8)), ["a"], max_values=2_000_000)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(
    "array",
    [
        np.array([True]),
        np.array(-3),
        np.array([[3]], np.uint8),
        np.array([0.5], ">f4"),
        np.array(["ü"]),
        np.array([b"a"]),
        np.zeros((0, 3)),
    ],
)
def test_numbers_and_text_of_any_numpy_are_read(tmp_path, version, method, array):
    found = read_arrays(npz(tmp_path / "a.npz", version, method, a=array), ["a"])["a"]
    assert found.dtype == array.dtype and found.shape == array.shape and np.array_equal(found, array)


@pytest.mark.parametrize("array", [np.array([1j]), np.array([(1, 2.0)], "i4,f8"), np.array(["2020-01-01"], "M8[D]"), np.array([b""], "V3")])
def test_other_kinds_are_not_read(tmp_path, array):
    with pytest.raises(ArchiveError, match="a holds objects"):
        read_arrays(npz(tmp_path / "a.npz", a=array), ["a"])


@pytest.mark.parametrize("shape", [(-1,), (-2, -2), (5,), (3,), (2, 2, 2), (0,)])
def test_a_header_claims_what_the_member_holds(tmp_path, shape):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
    with pytest.raises(ArchiveError, match="a is not of the size it claims"):
        read_arrays(npz(tmp_path / "a.npz", a=stream.getvalue() + bytes(32)), ["a"])


class Trap:
    """Runs when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("unpickled",)


def test_nothing_is_unpickled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("a.npz", a=np.array([Trap()], object), b=np.zeros(3))
    with pytest.raises(ArchiveError, match="a holds objects"):
        read_arrays("a.npz", ["b", "a"])
    assert read_arrays("a.npz", ["b"])["b"].shape == (3,) and archive_keys("a.npz") == {"a", "b"}
    with pytest.raises(ModelError):
        read_numeric_npz("a.npz", ["a"])
    # The last door: numpy itself is told, whatever a header claims.
    monkeypatch.setattr(safe_npz, "_count_values", lambda _archive, _member: 1)
    with pytest.raises(ArchiveError, match="allow_pickle"):
        read_arrays("a.npz", ["a"])
    assert os.listdir() == ["a.npz"]


def test_errors_of_bodies_name_the_file_and_the_reason(tmp_path):
    path = npz(tmp_path / "a.npz", a=b"\x93NUMPY\x01\x00")
    cases = {"body-archive-damaged": [b"PK", b""], "body-archive-unreadable": [path.read_bytes()]}
    for name, contents in cases.items():
        for content in contents:
            path.write_bytes(content)
            with pytest.raises(ModelError) as caught:
                read_numeric_npz(str(path), ["a"])
            assert caught.value.name == name and "a.npz" in caught.value.problem.values.values()
    with pytest.raises(ModelError) as caught:
        read_numeric_npz(tmp_path / "absent.npz", ["a"])
    assert caught.value.name == "body-file-not-readable" and "No such file" in caught.value.problem


# --- what is no file, JSON ---


@posix
def test_each_kind_of_special_file_is_named(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        kinds = {tmp_path / "pipe": "a pipe", tmp_path / "link": "a pipe", tmp_path / "socket": "a socket", Path("/dev/null"): "a device"}
        for path, what in kinds.items():
            for error in (InputError, ModelError):
                with pytest.raises(error) as caught:
                    refuse_special_file(str(path), error)
                assert caught.value.name == "input-not-a-file" and caught.value.problem.values == {"path": str(path), "what": what}
    assert {kind.name for kind in input_file._SPECIAL_KINDS.values()} == {"special-file-pipe", "special-file-socket", "special-file-device"}
    assert len(input_file._SPECIAL_KINDS) == 4


def test_json_of_as_many_bytes_as_the_limit_is_read(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(json.dumps({"a": "ü"}, ensure_ascii=False).encode())
    size = path.stat().st_size
    assert read_json(path, size) == read_json(str(path)) == {"a": "ü"} == parse_json(path.read_bytes())
    with pytest.raises(InputError) as caught:
        read_json(path, size - 1)
    assert caught.value.name == "json-too-large" and caught.value.problem.values["limit"] == (size - 1) / 2**20
    path.write_bytes("\ufeff[1]".encode())
    assert read_json(path, encoding="utf-8-sig") == [1]
    with pytest.raises(ValueError):
        read_json(path)


def test_a_file_beyond_the_limit_is_not_read_into_memory(tmp_path):
    path = tmp_path / "a.json"
    with path.open("wb") as file:
        file.truncate(1 << 26)  # zeros that take no disk
    tracemalloc.start()
    with pytest.raises(InputError, match="larger than"):
        read_json(path, 1000)
    assert tracemalloc.get_traced_memory()[1] < 1e6  # bytes
    tracemalloc.stop()


# --- glTF ---


def glb(content, *chunks, kind=0x4E4F534A, length=None):
    text = json.dumps(content).encode()
    rest = b"".join(struct.pack("<II", len(chunk), 0x004E4942) + chunk for chunk in chunks)
    size = 20 + len(text) + len(rest)
    return struct.pack("<4sIIII", b"glTF", 2, size, len(text) if length is None else length, kind) + text + rest


def test_binary_and_text_are_copied_with_other_json(tmp_path):
    content, other = {"asset": {"version": "2.0"}}, {"asset": {}, "images": [{"uri": "a" * 5}]}
    for name, raw in (("a.glb", glb(content, b"1234", b"56789")), ("a.gltf", json.dumps(content).encode())):
        source, target = tmp_path / name, tmp_path / f"copy_{name}"
        source.write_bytes(raw)
        read = read_gltf(source)
        assert read.content == content and (read.tail is None) == (name == "a.gltf")
        write_gltf_copy(source, Gltf(other, read.tail), target)
        assert read_gltf(target).content == other
        if name == "a.glb":
            copied = target.read_bytes()
            magic, version, size, length, kind = struct.unpack_from("<4sIIII", copied)
            assert (magic, version, size, kind) == (b"glTF", 2, len(copied), 0x4E4F534A) and length % 4 == 0
            assert copied[20 + length :] == raw[read.tail :] and raw[read.tail :].endswith(b"56789")


@pytest.mark.parametrize(
    "raw",
    [glb({}, kind=0x004E4942), glb({}, length=3), glb({}, length=2**31), glb([1]), b"glTF", b"[]", b"{", b"\xff", b"", b"{}" + b"[" * 9999],
)
def test_damaged_gltf_is_refused_by_name(tmp_path, raw):
    path = tmp_path / "a.glb"
    path.write_bytes(raw)
    with pytest.raises(InputError) as caught:
        read_gltf(path)
    assert caught.value.name == "gltf-unreadable" and caught.value.problem.values["name"] == "a.glb"
    with pytest.raises(InputError):
        read_gltf(tmp_path / "absent.glb")


@pytest.mark.parametrize("raw", [glb({"a": 1}), b'{"a": 1}', b'{"a": 1}\0 \0'])
def test_gltf_json_has_a_limit(tmp_path, monkeypatch, raw):
    path = tmp_path / "a.glb"
    path.write_bytes(raw)
    size = len(raw) if raw[:1] == b"{" else len(raw) - 20
    monkeypatch.setattr(gltf, "_MAX_JSON_BYTES", size)
    assert read_gltf(path).content == {"a": 1}
    monkeypatch.setattr(gltf, "_MAX_JSON_BYTES", size - 1)
    with pytest.raises(InputError, match="too large"):
        read_gltf(path)


def test_uris_name_files_or_hold_content(tmp_path):
    uris = ["a.png", "data:image/png;base64,AAAA", "data:image/png,AAAA", "data:/etc/passwd", "file:///etc/passwd", ";base64,"]
    content = {"images": [*({"uri": uri} for uri in uris), {"bufferView": 1}, {"uri": 3}, "text"], "buffers": {"uri": "a"}}
    found = [entry["uri"] for entry in uri_entries(Gltf(content, None), "images")]
    assert found == [uri for uri in uris if uri != "data:image/png;base64,AAAA"]
    assert uri_entries(Gltf(content, None), "buffers") == uri_entries(Gltf(content, None), "absent") == []
    assert path_from_uri("a%20b/../c%C3%BC.png", tmp_path) == tmp_path / "cü.png"
    assert path_from_uri("..\\..\\a.png", tmp_path) == tmp_path / "../../a.png"
    assert path_from_uri("/etc/passwd", tmp_path) == Path("/etc/passwd")
    for name in ("a b%c#?.png", "/ü/頭.png", "C:\\a b"):
        assert path_from_uri(uri_from_path(Path(name)), tmp_path) == tmp_path / name.replace("\\", "/")


# --- motions ---


@pytest.mark.parametrize("kind", ["trans", "poses", "betas", "timestamps"])
def test_motions_are_read_up_to_their_limits(tmp_path, kind):
    limit = next(limit for _, limit, names in motion_npz._LIMITS if kind in names)
    recovery = make_recovery(make_tube_body(posedirs=False), frames=3)
    for factor, is_read in ((1.0, True), (-1.0, kind != "timestamps"), (1.001, False), (-1.001, False)):
        value = np.array(getattr(recovery, kind), np.float64)
        value.flat[-1 if factor > 0 else 0] = factor * limit
        np.savez(tmp_path / "a.npz", **{**recovery.arrays(), kind: value})
        if is_read or (kind == "timestamps" and factor == -1.0):
            assert len(read_motion(tmp_path / "a.npz")) == 3
            continue
        with pytest.raises(InputError) as caught:
            read_motion(tmp_path / "a.npz")
        assert caught.value.name == "motion-file-damaged"


@pytest.mark.parametrize(
    "change, name",
    [
        ({"mocap_framerate": motion_npz.MIN_FILE_FPS}, None),
        ({"mocap_framerate": motion_npz.MAX_FILE_FPS}, None),
        ({"mocap_framerate": motion_npz.MIN_FILE_FPS * 0.999}, "motion-file-damaged"),
        ({"mocap_framerate": motion_npz.MAX_FILE_FPS * 1.001}, "motion-file-damaged"),
        ({"first_frame": 0}, None),
        ({"first_frame": -1}, "motion-file-damaged"),
        ({"image_size": np.array([0, 0])}, None),
        ({"image_size": np.array([10, -1])}, "motion-file-damaged"),
        ({"timestamps": np.array([0, 1, 1.0])}, "motion-file-damaged"),
        ({"betas": np.zeros(10)}, None),
        ({"poses": "removed"}, "motion-file-incomplete"),
        ({"trans": "removed"}, "motion-file-incomplete"),
        ({"unknown": np.zeros(3)}, None),
    ],
)
def test_values_of_a_motion_are_checked(tmp_path, change, name):
    arrays = {**make_recovery(make_tube_body(posedirs=False), frames=3).arrays(), **change}
    np.savez(tmp_path / "a.npz", **{key: value for key, value in arrays.items() if not isinstance(value, str) or value != "removed"})
    if name is None:
        assert len(read_motion(tmp_path / "a.npz")) == 3
        return
    with pytest.raises(InputError) as caught:
        read_motion(tmp_path / "a.npz")
    assert caught.value.name == name


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [np.inf, np.nan, 1e30])
def test_whole_numbers_that_are_none_are_found_without_a_warning(tmp_path, value):
    arrays = make_recovery(make_tube_body(posedirs=False), frames=3).arrays()
    np.savez(tmp_path / "a.npz", **{**arrays, "image_size": np.array([value, 100.0])})
    with pytest.raises(InputError) as caught:
        read_motion(tmp_path / "a.npz")
    assert caught.value.name == "motion-file-damaged"


def test_values_that_a_file_lacks_have_their_defaults(tmp_path):
    """As files of earlier versions, which did not know them."""
    recovery = make_recovery(make_tube_body(posedirs=False), frames=3)
    optional = {entry.name: entry.default for entry in fields(Recovery) if entry.default is not MISSING}
    for name, default in optional.items():
        np.savez(tmp_path / "a.npz", **{key: value for key, value in recovery.arrays().items() if key != name})
        assert getattr(read_motion(tmp_path / "a.npz"), name) == default


def test_a_motion_keeps_the_kinds_of_its_values(tmp_path):
    recovery = make_recovery(make_tube_body(posedirs=False), frames=3)
    write_motion(tmp_path / "a.npz", recovery)
    arrays = {key: np.asarray(value)[None] if np.ndim(value) == 0 else value for key, value in recovery.arrays().items()}
    np.savez(tmp_path / "b.npz", **arrays)  # as other software writes single values
    for name in ("a.npz", "b.npz"):
        read = read_motion(tmp_path / name)
        for key, value in recovery.arrays().items():
            assert type(getattr(read, key)) is type(value) and np.array_equal(getattr(read, key), value), key
    for path, name in ((tmp_path / "absent.npz", "motion-file-not-found"), (tmp_path, "motion-file-unreadable")):
        with pytest.raises(InputError) as caught:
            read_motion(path)
        assert caught.value.name == name
