"""Safe reading of PyTorch checkpoints: the tensors in them and the tables around them. Nothing in a file is executed.

The machine of `safe_pickle` reads the program; torch is not needed. Only the globals below may be named. Objects of the libraries whose
configurations, random states and optimisers training code leaves in its checkpoints become inert `OpaqueStub`s, whose content is skipped;
any other global refuses the file. Tensors are read one at a time when they are asked for: a checkpoint may have 8 GB.

Two containers: a zip with `data.pkl` and one member a storage, and that of PyTorch before 1.6, five pickles and then the storages.
Source: `_load` and `_legacy_load` of torch.serialization, `_rebuild_tensor_v2` and `_rebuild_parameter` of torch._utils.
"""

import errno
import mmap
import zipfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..array_types import AnyArray, FloatArray
from ..errors import MeshRecError, ModelError
from .input_file import refuse_special_file
from .pickle_stubs import ALLOWED_GLOBALS, DamagedError, GlobalStub, StubFactory
from .read_errors import file_not_readable
from .safe_pickle import UNREADABLE, PickleMachine

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_MAX_PROGRAM_BYTES = 1 << 28
_MAX_TENSOR_BYTES = 1 << 31
_DTYPES = {
    "Float": "f4", "Double": "f8", "Half": "f2", "BFloat16": "u2", "Long": "i8", "Int": "i4", "Short": "i2", "Char": "i1", "Byte": "u1",
    "Bool": "b1",
}  # fmt: skip
_GLOBALS = {
    **{name: role for name, role in ALLOWED_GLOBALS.items() if role not in ("csc", "csr", "coo", "Ch", "Select", "Reshape")},
    "torch._utils _rebuild_tensor": "tensor",
    "torch._utils _rebuild_tensor_v2": "tensor",
    "torch._utils _rebuild_parameter": "parameter",
    "collections defaultdict": "opaque",
    **{f"torch {kind}Storage": f"storage {kind}" for kind in _DTYPES},
    **{f"torch {name}": "opaque" for name in ("Size", "device", "dtype", "float16", "bfloat16", "float32", "float64", "int64", "strided")},
    **{
        f"{module} {name}": "opaque"
        for module in ("builtins", "__builtin__")
        for name in ("dict", "list", "tuple", "int", "long", "float", "str", "unicode", "bool", "complex", "slice", "NoneType")
    },
}
# Modules whose classes training code leaves in checkpoints. All that these names do here is to be skipped.
_OPAQUE_MODULES = (
    "argparse", "datetime", "lightning", "lightning_fabric", "lightning_utilities", "numpy.random", "omegaconf", "pathlib",
    "pytorch_lightning", "torch.optim", "torch.torch_version", "typing", "yacs.config",
)  # fmt: skip


class OpaqueStub:
    """An object of a library; its content is skipped."""


class _Storage:
    """The numbers of tensors: their type by PyTorch's name, how many, and what reads them."""

    def __init__(self, kind: str, count: int, read: Callable[[], AnyArray]) -> None:
        self.kind, self.count, self.read = kind, count, read


class StoredTensor:
    """A tensor of a checkpoint, not read yet. shape: its lengths. is_float: whether it holds floating-point numbers."""

    def __init__(self, storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self._storage, self._offset, self.shape, self._strides = storage, offset, shape, strides
        self.is_float = storage.kind in ("Float", "Double", "Half", "BFloat16")

    def read(self) -> FloatArray:
        """The numbers in single precision. Raises ModelError's DamagedError where the file ends before."""
        values = self._storage.read()
        if self._storage.kind == "BFloat16":  # the upper half of a number in single precision
            values = (values.astype(np.uint32) << 16).view(np.float32)
        steps = [step * values.itemsize for step in self._strides]
        view = np.lib.stride_tricks.as_strided(values[self._offset :], self.shape, steps, writeable=False)
        return np.ascontiguousarray(view, dtype=np.float32)


@contextmanager
def open_torch_checkpoint(path: str | Path) -> Generator[Any, None, None]:
    """The content of a checkpoint: dictionaries, lists, numbers, text, StoredTensors (readable inside the context) and stubs.

    Raises:
        ModelError: the file cannot be read, is damaged, or names a global that no checkpoint needs.
    """
    path = Path(path)
    refuse_special_file(path, ModelError)
    try:
        with path.open("rb") as file:
            if file.read(4) == b"PK\x03\x04":
                with zipfile.ZipFile(path) as archive:
                    yield _read_archive(archive, path.name)
            else:
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as buffer:
                    yield _read_legacy(buffer, path.name)
    except OSError as error:
        if error.errno == errno.EINVAL:  # a place before the file's beginning, that only a damaged zip asks for
            raise damaged_checkpoint(path.name, "it does not fit together") from error
        raise file_not_readable(path, error) from error
    except (*UNREADABLE, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, AttributeError, AssertionError) as error:
        if isinstance(error, MeshRecError):
            raise
        reason = "it breaks off" if isinstance(error, zipfile.BadZipFile) else "it does not fit together"
        raise damaged_checkpoint(path.name, str(error) if isinstance(error, DamagedError) else reason) from error


def damaged_checkpoint(name: str, reason: str) -> ModelError:
    """The error for a checkpoint that is not whole; the reason completes "NAME is not a whole checkpoint: ..."."""
    return ModelError(
        "checkpoint-damaged",
        "{name} is not a whole checkpoint: {reason}.",
        "Download it again from its official site.",
        name=name,
        reason=reason,
    )


# --- containers -------------------------------------------------------------------------------------------------------


def _read_archive(archive: zipfile.ZipFile, name: str) -> Any:
    """The content of a checkpoint that is a zip."""
    members = {member.filename: member for member in archive.infolist()}
    programs = [member for member in members if member.rpartition("/")[2] == "data.pkl"]
    if len(programs) != 1 or members[programs[0]].file_size > _MAX_PROGRAM_BYTES:
        raise DamagedError("it is a zip without a program of PyTorch")
    prefix = programs[0].removesuffix("data.pkl") + "data/"

    def find_storage(persistent_id: tuple[Any, ...]) -> _Storage:
        kind, key, count = _storage_parts(persistent_id)
        member = members.get(f"{prefix}{key}")
        size = count * np.dtype(_DTYPES[kind]).itemsize
        # PyTorch never compresses: a compressed member may grow without end.
        if member is None or member.compress_type != zipfile.ZIP_STORED or member.file_size < size:
            raise DamagedError("an array is missing or breaks off")
        return _Storage(kind, count, lambda: np.frombuffer(archive.read(member), _DTYPES[kind], count))

    return _CheckpointMachine(archive.read(programs[0]), _CheckpointStubFactory(name), find_storage).run()


def _read_legacy(buffer: mmap.mmap, name: str) -> Any:
    """The content of a checkpoint of PyTorch before 1.6."""
    places: dict[str, int] = {}  # of the storages, by key, in bytes

    def find_storage(persistent_id: tuple[Any, ...]) -> _Storage:
        kind, key, count = _storage_parts(persistent_id)
        view = persistent_id[5] if len(persistent_id) > 5 else None
        offset, numbers = (0, count) if view is None else (view[1], view[2])
        _check_numbers(offset, numbers)
        if offset + numbers > count:
            raise DamagedError("an array is not of the size it claims")
        item = np.dtype(_DTYPES[kind]).itemsize

        def read() -> AnyArray:
            start = places[key] + offset * item
            if start + numbers * item > len(buffer):
                raise DamagedError("it breaks off")
            return np.frombuffer(buffer[start : start + numbers * item], _DTYPES[kind])

        sizes[key] = count * item
        return _Storage(kind, numbers, read)

    sizes: dict[str, int] = {}
    if buffer[:1] != b"\x80":
        raise DamagedError("it is no checkpoint of PyTorch")
    machine = _CheckpointMachine(buffer, _CheckpointStubFactory(name), find_storage)
    if machine.run() != _LEGACY_MAGIC:
        raise DamagedError("it is no checkpoint of PyTorch")
    machine.run(), machine.run()  # the version, and sizes of numbers on the computer that wrote it
    content = machine.run()
    keys = machine.run()
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise DamagedError("its list of arrays is no list")
    place = machine.position
    for key in keys:
        if place + 8 > len(buffer) or key not in sizes:
            raise DamagedError("it breaks off")
        places[key] = place + 8  # after the number of numbers
        place += 8 + sizes[key]
    if place > len(buffer) or sizes.keys() - places.keys():
        raise DamagedError("it breaks off")
    return content


def _storage_parts(persistent_id: tuple[Any, ...]) -> tuple[str, str, int]:
    """The kind, key and count of numbers of a storage. Raises DamagedError: it is none."""
    match persistent_id:
        case ("storage", GlobalStub(role=role), str() as key, _, int() as count, *_) if role.startswith("storage ") and count >= 0:
            return role.removeprefix("storage "), key, count
    raise DamagedError("it needs an object outside the file")


def _check_numbers(*numbers: object) -> None:
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise DamagedError("an array is not of the size it claims")


# --- the program ------------------------------------------------------------------------------------------------------


class _CheckpointStubFactory(StubFactory):
    """Stubs of the globals that checkpoints name."""

    content = "a checkpoint"

    def refusal_error(self, what: str) -> MeshRecError:
        return ModelError(
            "checkpoint-refused",
            "{name} asks for {what}, which a checkpoint never needs, so it was not read.",
            "Use the file as its official site delivers it.",
            name=self.file_name,
            what=what,
        )

    def find_role(self, module: str, name: str) -> str | None:
        # A name with dots reaches through a module to others that it imports.
        is_opaque = name.isidentifier() and any(f"{module}.".startswith(f"{known}.") for known in _OPAQUE_MODULES)
        return _GLOBALS.get(f"{module} {name}") or ("opaque" if is_opaque else None)

    def call_global(self, function: object, arguments: object) -> object:
        if isinstance(function, GlobalStub) and isinstance(arguments, tuple):
            match function.role, arguments:
                case "tensor", (_Storage() as storage, int() as offset, tuple() as shape, tuple() as strides, *_):
                    return _make_tensor(storage, offset, shape, strides)
                case "parameter", (StoredTensor() as tensor, *_):
                    return tensor
                case (("opaque" | "class" | "instance"), _):
                    return OpaqueStub()
                case "mapping", ():
                    return dict[object, object]()
        return super().call_global(function, arguments)

    def build(self, target: object, state: object) -> None:
        # The attributes of an OrderedDict tell versions of layers, and those of a library's object nothing that is needed.
        if not isinstance(target, (OpaqueStub, dict, StoredTensor)):
            super().build(target, state)


def _make_tensor(storage: _Storage, offset: int, shape: tuple[Any, ...], strides: tuple[Any, ...]) -> StoredTensor:
    _check_numbers(offset, *shape, *strides)
    if len(shape) != len(strides) or len(shape) > 8:
        raise DamagedError("an array is not of the size it claims")
    size = int(np.prod(shape, dtype=object))
    last = offset + sum((length - 1) * stride for length, stride in zip(shape, strides))
    if (size and last >= storage.count) or offset > storage.count or 4 * size > _MAX_TENSOR_BYTES:
        raise DamagedError("an array is not of the size it claims")
    return StoredTensor(storage, offset, shape, strides)


class _CheckpointMachine(PickleMachine):
    """Also resolves storages, fills in opaque objects, and can be run again for the next pickle in the same file."""

    def __init__(self, buffer: mmap.mmap | bytes, stub_factory: StubFactory, find_storage: Callable[[tuple[Any, ...]], _Storage]) -> None:
        super().__init__(buffer, stub_factory)
        self.find_storage = find_storage

    def run(self) -> object:
        self.stack.clear()
        self.memo.clear()
        return super().run()

    def push_storage(self) -> None:
        (persistent_id,) = self.pop(1)
        self.push(self.find_storage(persistent_id if isinstance(persistent_id, tuple) else ()))

    def extend_list(self, items: tuple[Any, ...] | list[Any]) -> None:
        if not isinstance(self.stack[-1], OpaqueStub):
            super().extend_list(items)

    def set_items(self, items: tuple[Any, ...] | list[Any]) -> None:
        """Leaves out what is filed under anything but text and numbers, as Lightning's callbacks are under their classes."""
        if isinstance(self.stack[-1], OpaqueStub):
            return
        plain = [pair for pair in zip(items[::2], items[1::2]) if isinstance(pair[0], str | bytes | int | float | None)]
        super().set_items([value for pair in plain for value in pair] if len(items) % 2 == 0 else items)


_CheckpointMachine.extra_instructions = {"BINPERSID": lambda machine: machine.push_storage()}
