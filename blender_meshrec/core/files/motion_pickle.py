"""Safe reading of the pickles in which research code stores motions: plain ones, joblib's, PyTorch's .pt, .npy and .npz with objects.

The machine of `safe_pickle` reads them: nothing is executed, and only the globals below may be named. joblib puts an array's bytes into
the program, after the object that stands for it; PyTorch keeps them in members of a zip, which the program names as persistent ids.

Sources: NumpyArrayWrapper.read_array of joblib.numpy_pickle, _load of torch.serialization, _rebuild_tensor_v2 of torch._utils.
"""

import io
import mmap
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..array_types import AnyArray
from ..errors import InputError, MeshRecError
from .input_file import refuse_special_file
from .pickle_evaluation import StubEvaluator
from .pickle_stubs import (
    ALLOWED_GLOBALS,
    ArrayStub,
    DamagedError,
    DtypeStub,
    GlobalStub,
    InstanceStub,
    StubFactory,
    UnreadValue,
)
from .safe_npz import read_array_header
from .safe_pickle import UNREADABLE, PickleMachine

_MAX_BYTES = 1 << 30  # of a file that is read as it lies there
_MAX_UNPACKED_BYTES = 1 << 29  # of a compressed file, or a zip
_MAX_EXPANSION = 1 << 29  # bytes that a file may take beyond its own, for lists, tables and tensors that overlap
_BODY_ROLES = ("csc", "csr", "coo", "Ch", "Select", "Reshape", "instance")  # of the stubs that only body files need
_TORCH_DTYPES = {
    "Float": "f4",
    "Double": "f8",
    "Half": "f2",
    "Long": "i8",
    "Int": "i4",
    "Short": "i2",
    "Char": "i1",
    "Byte": "u1",
    "Bool": "b1",
}
_GLOBALS = {
    **{name: role for name, role in ALLOWED_GLOBALS.items() if role not in _BODY_ROLES},
    "joblib.numpy_pickle NumpyArrayWrapper": "joblib array",
    "sklearn.externals.joblib.numpy_pickle NumpyArrayWrapper": "joblib array",
    "torch._utils _rebuild_tensor_v2": "tensor",
    "collections defaultdict": "mapping",
    "builtins dict": "class",
    "__builtin__ dict": "class",
    "builtins list": "class",
    **{f"torch {kind}Storage": f"storage {code}" for kind, code in _TORCH_DTYPES.items()},
}


def read_motion_pickle(path: str | Path) -> Any:
    """The content of a .pkl, a .pt, an .npy or an .npz with objects: dictionaries, lists, text, numbers and arrays.

    Raises:
        InputError: the file cannot be read, is damaged, or asks for something that no motion needs. OSError: it cannot be opened.
    """
    path = Path(path)
    refuse_special_file(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DamagedError("it is larger than a motion can be")
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return _read_archive(archive, path.name)
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as buffer:
            if buffer[: len(np.lib.format.MAGIC_PREFIX)] == np.lib.format.MAGIC_PREFIX:
                return _read_npy(buffer[:], path.name)
            is_compressed = buffer[:1] == b"\x78" or buffer[:2] == b"\x1f\x8b"
            return _run(_decompress(buffer[:]) if is_compressed else buffer, path.name, {})
    except (*UNREADABLE, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error, AttributeError) as error:
        if isinstance(error, MeshRecError):
            raise
        reason = str(error) if isinstance(error, DamagedError) else "it does not fit together"
        raise InputError(
            "motion-pickle-damaged", "{name} cannot be read: {reason}.", "Write the motion again.", name=path.name, reason=reason
        ) from error


def _read_archive(archive: zipfile.ZipFile, name: str) -> Any:
    """The content of a PyTorch file, or the objects of an .npz by name."""
    if sum(member.file_size for member in archive.infolist()) > _MAX_UNPACKED_BYTES:
        raise DamagedError("it is larger than a motion can be")
    programs = [member for member in archive.namelist() if member.rpartition("/")[2] == "data.pkl"]
    if programs:
        prefix = programs[0].removesuffix("data.pkl") + "data/"
        storages = {member.removeprefix(prefix): archive.read(member) for member in archive.namelist() if member.startswith(prefix)}
        return _run(archive.read(programs[0]), name, storages)
    return {member.removesuffix(".npy"): _read_npy(archive.read(member), name) for member in archive.namelist() if member.endswith(".npy")}


def _read_npy(content: bytes, name: str) -> Any:
    """An .npy file's array; of one object, the object itself."""
    file = io.BytesIO(content)
    shape, dtype = read_array_header(file)
    if dtype.hasobject:
        return _run(content[file.tell() :], name, {})
    if int(np.prod(shape, dtype=object)) * dtype.itemsize != len(content) - file.tell():
        raise DamagedError("an array is not of the size it claims")
    return np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)


def _decompress(content: bytes) -> bytes:
    """A joblib file's content without zlib's or gzip's compression."""
    decompressor = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    plain = decompressor.decompress(content, _MAX_UNPACKED_BYTES)
    if not decompressor.eof:
        raise DamagedError("it breaks off, or is larger than a motion can be")
    return plain


def _run(program: bytes | mmap.mmap, name: str, storages: Mapping[str, bytes]) -> Any:
    stub_factory = _MotionStubFactory(name, storages)
    return _MotionEvaluator(stub_factory).to_plain(_MotionMachine(program, stub_factory).run())


class _StorageStub:
    """The numbers of PyTorch tensors."""

    def __init__(self, content: bytes, code: str) -> None:
        self.values: AnyArray = np.frombuffer(content, np.dtype(code).newbyteorder("<"))


class _MotionStubFactory(StubFactory):
    """Stubs of the globals that motions name. storages: of a PyTorch file, bytes by name."""

    content = "a motion"

    def __init__(self, file_name: str, storages: Mapping[str, bytes]) -> None:
        super().__init__(file_name, _MAX_EXPANSION)
        self.storages = storages

    def refusal_error(self, what: str) -> MeshRecError:
        return InputError(
            "motion-pickle-refused",
            "{name} asks for {what}, which a motion never needs, so it was not read.",
            "Write the motion again as an .npz of arrays, with the software that made it.",
            name=self.file_name,
            what=what,
        )

    def find_role(self, module: str, name: str) -> str | None:
        return _GLOBALS.get(f"{module} {name}")

    def call_global(self, function: object, arguments: object) -> object:
        if isinstance(function, GlobalStub) and isinstance(arguments, tuple):
            match function.role, arguments:
                case "joblib array", ():
                    return InstanceStub("joblib array")
                case "mapping", (GlobalStub(role="class"),):
                    return dict[object, object]()
                case "tensor", (_StorageStub() as storage, int() as offset, tuple() as shape, tuple() as strides, *_):
                    return self._make_tensor(storage, offset, shape, strides)
        return super().call_global(function, arguments)

    def find_storage(self, persistent_id: object) -> _StorageStub:
        match persistent_id:
            case ("storage", GlobalStub(role=role), str() as key, *_) if role.startswith("storage ") and key in self.storages:
                return _StorageStub(self.storages[key], role.removeprefix("storage "))
        raise self.refusal_error("an object outside the file")

    def _make_tensor(self, storage: _StorageStub, offset: int, shape: tuple[Any, ...], strides: tuple[Any, ...]) -> AnyArray:
        if (
            len(shape) != len(strides)
            or len(shape) > 8
            or not all(type(number) is int and number >= 0 for number in (*shape, *strides, offset))
        ):
            raise DamagedError("an array is not of the size it claims")
        size = 1
        for length in shape:
            size *= length
        self.count_expansion(size * storage.values.itemsize)
        last = offset + sum((length - 1) * stride for length, stride in zip(shape, strides))
        if size and last >= len(storage.values):
            raise DamagedError("an array is not of the size it claims")
        item = storage.values.itemsize
        view = np.lib.stride_tricks.as_strided(storage.values[offset:], shape, [stride * item for stride in strides], writeable=False)
        return view.copy() if size else np.zeros(shape, storage.values.dtype)

    def make_array(self, content: object, dtype: DtypeStub, shape: object, *, fortran_order: bool) -> Any:
        if dtype.code.startswith("O") and isinstance(content, list):
            return UnreadValue("array of objects") if shape != () or len(content) != 1 else content[0]
        return super().make_array(content, dtype, shape, fortran_order=fortran_order)


class _MotionEvaluator(StubEvaluator):
    """Also converts what an array of one object holds."""

    def to_plain(self, value: object, depth: int = 0) -> Any:
        if isinstance(value, ArrayStub) and isinstance(value.value, (dict, list)):
            return self.to_plain(value.value, depth + 1)
        return super().to_plain(value, depth)


class _MotionMachine(PickleMachine):
    """Also reads joblib's arrays after the objects that stand for them, and PyTorch's storages."""

    def build(self) -> None:
        super().build()
        if isinstance(self.stack[-1], InstanceStub) and self.stack[-1].kind == "joblib array":
            self.stack[-1] = self._read_joblib_array(self.stack[-1].state)

    def _read_joblib_array(self, state: Mapping[object, object]) -> AnyArray | UnreadValue:
        dtype, shape, order = state.get("dtype"), state.get("shape"), state.get("order")
        number = dtype.numpy_dtype() if isinstance(dtype, DtypeStub) else None
        if number is None or not isinstance(dtype, DtypeStub) or not isinstance(shape, tuple):
            raise self.stub_factory.refusal_error("an array of objects")
        if isinstance(state.get("numpy_array_alignment_bytes"), int):
            self.read(self.read_number("<B"))
        size = number.itemsize
        for length in shape:
            if type(length) is not int or length < 0:
                raise DamagedError("a size is not a number")
            size *= length
        return self.stub_factory.make_array(self.read(size), dtype, shape, fortran_order=order == "F")

    def push_storage(self) -> None:
        factory = self.stub_factory
        assert isinstance(factory, _MotionStubFactory)
        self.push(factory.find_storage(*self.pop(1)))


_MotionMachine.extra_instructions = {"BINPERSID": lambda machine: machine.push_storage()}
