"""Pickles of research code, in every container, read as their own libraries read them; what reaches outside a file is refused."""

import collections
import gzip
import io
import os
import pickle
import struct
import zipfile
import zlib

import numpy as np
import pytest
import torch

from blender_meshrec.core.errors import InputError
from blender_meshrec.core.files import motion_pickle
from blender_meshrec.core.files.motion_pickle import read_motion_pickle
from blender_meshrec.core.files.pickle_stubs import ALLOWED_GLOBALS, DamagedError, UnreadValue
from tests.support.joblib_pickle import write_joblib

RNG = np.random.default_rng(0)
CONTENT = {"poses": RNG.normal(size=(4, 3)), "name": "ü", "list": [1, 2.5, None, {"deep": np.arange(3)}], 7: True}
STORED = {
    "Float": "float32",
    "Double": "float64",
    "Half": "float16",
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
}


def same(found, expected):
    """Whether contents are the same, with tuples as lists."""
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(same(found[key], value) for key, value in expected.items())
    if isinstance(expected, (list, tuple)):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(expected, (np.ndarray, np.generic)):
        return np.asarray(found).dtype == expected.dtype and np.array_equal(found, expected)
    return found == expected and type(found) is type(expected)


WRITERS = {
    "pickle": lambda path: path.write_bytes(pickle.dumps(CONTENT)),
    "old pickle": lambda path: path.write_bytes(pickle.dumps(CONTENT, 2)),
    "zlib": lambda path: path.write_bytes(zlib.compress(pickle.dumps(CONTENT))),
    "gzip": lambda path: path.write_bytes(gzip.compress(pickle.dumps(CONTENT))),
    "joblib": lambda path: write_joblib(path, CONTENT, False),
    "compressed joblib": lambda path: write_joblib(path, CONTENT, True),
    "npy": lambda path: path.write_bytes(npy(np.array(CONTENT, object))),
    "npz": lambda path: path.write_bytes(zipped({"content.npy": npy(np.array(CONTENT, object)), "notes.txt": b""})),
}


def npy(array, version=(1, 0)):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version)
    return stream.getvalue()


def zipped(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


@pytest.mark.parametrize("name", WRITERS)
def test_contents_are_read_from_every_container(tmp_path, name):
    WRITERS[name](tmp_path / "a.pkl")
    found = read_motion_pickle(str(tmp_path / "a.pkl"))
    assert same(found["content"] if name == "npz" else found, CONTENT)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize(
    "array", [RNG.normal(size=(3, 2)), np.array(5), np.zeros((0, 3), "f4"), np.array(["ü"]), np.arange(4, dtype=">i2")]
)
def test_plain_arrays_are_read_as_numpy_reads_them(tmp_path, version, array):
    (tmp_path / "a.npy").write_bytes(npy(array, version))
    assert same(read_motion_pickle(tmp_path / "a.npy"), array)


def test_arrays_of_several_objects_stay_unread(tmp_path):
    (tmp_path / "a.npy").write_bytes(npy(np.array([{"a": 1}, {"b": 2}], object)))
    assert isinstance(read_motion_pickle(tmp_path / "a.npy"), UnreadValue)


@pytest.mark.parametrize("kind", STORED)
def test_tensors_are_read_as_torch_reads_them(tmp_path, kind):
    base = torch.tensor(RNG.integers(0, 2, (4, 6)) * RNG.integers(1, 9)).to(getattr(torch, STORED[kind]))
    content = {
        "whole": base,
        "turned": base.T,
        "part": base[1:3, ::2],
        "one": base[2, 3],
        "none": base[:0],
        "repeated": base[:1].expand(3, 6),
    }
    ordered = collections.OrderedDict(content)
    torch.save({"tensors": ordered, "table": collections.defaultdict(dict, a=1)}, tmp_path / "a.pt")
    found = read_motion_pickle(tmp_path / "a.pt")
    assert same(found, {"tensors": {name: tensor.numpy() for name, tensor in content.items()}, "table": {"a": 1}})
    assert all(
        array.flags.owndata or array.base is None or not np.shares_memory(array, found["tensors"]["whole"])
        for array in found["tensors"].values()
        if array is not found["tensors"]["whole"]
    )


def test_the_globals_that_a_motion_may_name_are_these():
    """Those of plain numpy in body files, joblib's and PyTorch's; nothing of chumpy and scipy."""
    own = {
        "joblib.numpy_pickle NumpyArrayWrapper",
        "sklearn.externals.joblib.numpy_pickle NumpyArrayWrapper",
        "torch._utils _rebuild_tensor_v2",
        "collections defaultdict",
        "builtins dict",
        "__builtin__ dict",
        "builtins list",
        *(f"torch {kind}Storage" for kind in STORED),
    }
    plain = {name for name in ALLOWED_GLOBALS if not name.startswith(("chumpy", "scipy", "copy_reg", "copyreg"))}
    assert motion_pickle._GLOBALS.keys() == own | plain
    for kind, dtype in STORED.items():
        assert motion_pickle._GLOBALS[f"torch {kind}Storage"] == f"storage {np.dtype(dtype).str[1:]}"


class Call:
    """Pickles as a call of a function with arguments."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("container", ["pickle", "npy", "npz", "torch", "zlib"])
def test_calls_are_refused_in_every_container(tmp_path, container):
    content = {"a": Call(os.mkdir, str(tmp_path / "executed"))}
    raw = pickle.dumps(content, 2)
    header = npy(np.array({}, object))
    header = header[: header.index(b"\n") + 1]
    torch.save(content, tmp_path / "torch.pt")
    files = {
        "pickle": raw,
        "npy": header + raw,
        "npz": zipped({"a.npy": header + raw}),
        "torch": (tmp_path / "torch.pt").read_bytes(),
        "zlib": zlib.compress(raw),
    }
    (tmp_path / "a.pkl").write_bytes(files[container])
    with pytest.raises(InputError) as caught:
        read_motion_pickle(tmp_path / "a.pkl")
    assert caught.value.name == "motion-pickle-refused" and "mkdir" in caught.value.problem and "a.pkl" in caught.value.problem
    assert not (tmp_path / "executed").exists()


# --- tensors that reach outside their storage ---


def make_tensor(offset, shape, strides, storage=b"\0" * 40, code="f4"):
    factory = motion_pickle._MotionStubFactory("a.pt", {"0": storage})
    return factory._make_tensor(motion_pickle._StorageStub(storage, code), offset, shape, strides), factory


@pytest.mark.parametrize(
    "offset, shape, strides",
    [
        (0, (10,), (1,)),
        (9, (1,), (1,)),
        (0, (2, 5), (5, 1)),
        (1, (3, 3), (3, 1)),
        (0, (100,), (0,)),
        (0, (0, 99), (99, 1)),
        (0, (), ()),
        (0, (1,) * 8, (1,) * 8),
    ],
)
def test_tensors_within_their_storage_are_made(offset, shape, strides):
    array, factory = make_tensor(offset, shape, strides)
    assert array.shape == shape and array.flags.owndata and factory.expanded_size == array.nbytes
    numbers = np.arange(10, dtype=np.float32)
    array, _ = make_tensor(offset, shape, strides, numbers.tobytes())
    for index in np.ndindex(shape):
        assert array[index] == offset + sum(i * stride for i, stride in zip(index, strides))


@pytest.mark.parametrize(
    "offset, shape, strides",
    [
        (0, (11,), (1,)),
        (10, (1,), (1,)),
        (1, (10,), (1,)),
        (0, (2, 5), (6, 1)),
        (0, (2,), (10,)),
        (-1, (1,), (1,)),
        (0, (-1,), (1,)),
        (0, (1,), (-1,)),
        (0, (2, 2), (1,)),
        (0, (1,) * 9, (1,) * 9),
        (True, (1,), (1,)),
        (0, (1.0,), (1,)),
        (0, (1,), (True,)),
        (10, (), ()),
    ],
)
def test_tensors_outside_their_storage_are_refused(offset, shape, strides):
    with pytest.raises(DamagedError):
        make_tensor(offset, shape, strides)


@pytest.mark.parametrize(
    "identity, is_found",
    [
        (("storage", "f4", "0", "cpu", 10), True),
        (("storage", "f4", "0"), True),
        (("storage", "f4", "1", "cpu", 10), False),
        (("storage", "f4", 0, "cpu"), False),
        (("module", "f4", "0"), False),
        (("storage", None, "0"), False),
        ("0", False),
        (("storage",), False),
    ],
)
def test_storages_are_members_of_the_file(identity, is_found):
    factory = motion_pickle._MotionStubFactory("a.pt", {"0": b"\0" * 40})
    if isinstance(identity, tuple) and len(identity) > 1 and identity[1] == "f4":
        identity = (identity[0], factory.resolve_global("torch", "FloatStorage"), *identity[2:])
    if is_found:
        assert factory.find_storage(identity).values.dtype == np.float32 and len(factory.find_storage(identity).values) == 10
        return
    with pytest.raises(InputError, match="outside the file"):
        factory.find_storage(identity)
    with pytest.raises(InputError, match="outside the file"):
        factory.find_storage(("storage", factory.resolve_global("numpy", "ndarray"), "0"))


# --- limits ---


def test_the_limits_are_those_decided_on():
    assert (motion_pickle._MAX_BYTES, motion_pickle._MAX_UNPACKED_BYTES, motion_pickle._MAX_EXPANSION) == (2**30, 2**29, 2**29)


@pytest.mark.parametrize("name", ["pickle", "zlib", "npz", "npy"])
def test_files_are_read_up_to_the_limits(tmp_path, monkeypatch, name):
    path = tmp_path / "a.pkl"
    WRITERS[name](path)
    unpacked = {"zlib": len(pickle.dumps(CONTENT)), "npz": len(npy(np.array(CONTENT, object)))}
    limit, size = ("_MAX_UNPACKED_BYTES", unpacked[name]) if name in unpacked else ("_MAX_BYTES", path.stat().st_size)
    monkeypatch.setattr(motion_pickle, limit, size)
    read_motion_pickle(path)
    monkeypatch.setattr(motion_pickle, limit, size - 1)
    with pytest.raises(InputError) as caught:
        read_motion_pickle(path)
    assert caught.value.name == "motion-pickle-damaged" and "larger than a motion can be" in caught.value.problem


def test_what_a_file_makes_is_counted(monkeypatch):
    _, factory = make_tensor(0, (1000,), (0,))
    assert factory.expanded_size == 4000
    monkeypatch.setattr(motion_pickle, "_MAX_EXPANSION", 4000)
    make_tensor(0, (1000,), (0,))
    monkeypatch.setattr(motion_pickle, "_MAX_EXPANSION", 3999)
    with pytest.raises(InputError, match="more memory than a motion takes"):
        make_tensor(0, (1000,), (0,))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"K\x01",
        zlib.compress(pickle.dumps(1))[:-3],
        b"\x78\x9cnot zlib",
        b"\x1f\x8bnot gzip",
        npy(np.zeros(9))[:-8],
        npy(np.zeros(9)) + b"1",
        b"\x93NUMPY\x09\x00",
        zipped({"a.npy": b"no array"}),
        pickle.dumps([1])[:-2],
    ],
)
def test_damaged_files_are_named(tmp_path, content):
    (tmp_path / "a.pkl").write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_motion_pickle(tmp_path / "a.pkl")
    assert caught.value.name == "motion-pickle-damaged" and "a.pkl" in caught.value.problem


@pytest.mark.parametrize(
    "change", [{"shape": (-1,)}, {"shape": (True,)}, {"shape": [2]}, {"shape": (99,)}, {"dtype": None}, {"dtype": "O8"}]
)
def test_joblibs_arrays_are_as_large_as_the_file(change):
    from blender_meshrec.core.files.pickle_stubs import DtypeStub

    state = {"dtype": "f8", "shape": (2,), "order": "C", "numpy_array_alignment_bytes": 16, **change}
    state["dtype"] = DtypeStub(state["dtype"]) if state["dtype"] else None
    content = b"\x03pad" + np.array([1.5, 2.5]).tobytes()
    machine = motion_pickle._MotionMachine(content, motion_pickle._MotionStubFactory("a", {}))
    with pytest.raises((DamagedError, InputError)):
        machine._read_joblib_array(state)
    state.update(dtype=DtypeStub("f8"), shape=(1, 2))
    for order, alignment in (("C", 16), ("F", 16), ("C", None)):
        state.update(order=order, numpy_array_alignment_bytes=alignment)
        machine = motion_pickle._MotionMachine(content if alignment else content[4:], motion_pickle._MotionStubFactory("a", {}))
        assert machine._read_joblib_array(state).tolist() == [[1.5, 2.5]]
    square = struct.pack("<4d", 1, 2, 3, 4)
    state.update(shape=(2, 2), order="F")
    assert motion_pickle._MotionMachine(square, motion_pickle._MotionStubFactory("a", {}))._read_joblib_array(state).tolist() == [
        [1, 3],
        [2, 4],
    ]
