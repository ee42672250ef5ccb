"""Stubs: inert stand-ins for the objects in a body file's pickle, which later become numpy arrays and nothing else.

`ALLOWED_GLOBALS` lists all globals that a body file may name, in the spellings of Python 2 and 3: numpy arrays, scipy sparse
matrices, chumpy arrays, and helpers of pickling itself. None of them is ever imported or called.
"""

from typing import Literal, TypeGuard

import numpy as np

from ..array_types import AnyArray
from ..errors import MeshRecError, ModelError

_NUMERIC_CODES = {f"{kind}{size}" for kind, sizes in {"b": "1", "i": "1248", "u": "1248", "f": "248"}.items() for size in sizes}
# Memory that a file may take beyond its own bytes, for sparse matrices, selections and lists, in elements.
_MAX_EXPANSION = 1 << 26
LIST_ITEM_COST = 64
_MAX_DIMENSIONS = 8


class DamagedError(Exception):
    """The file is damaged; the message completes "it is not a whole body file: ..."."""


class UnreadValue:
    """Stands for a value that is not read, such as an array of Python objects."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __repr__(self) -> str:
        return f"<{self.what}>"


class GlobalStub:
    """An allowed global: its full name, and the role of the objects made by calling it."""

    def __init__(self, name: str, role: str) -> None:
        self.name = name
        self.role = role


class DtypeStub:
    """A numpy dtype by its code, such as f8; a later `build` sets the byte order."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.order: Literal["<", ">", "="] = "="

    def numpy_dtype(self) -> "np.dtype[np.generic] | None":
        """The numpy dtype, or None if it is not numeric."""
        return np.dtype(self.code).newbyteorder(self.order) if self.code in _NUMERIC_CODES else None


class ArrayStub:
    """A numpy array; a later `build` sets its value."""

    value: AnyArray | UnreadValue | None = None


class InstanceStub:
    """A chumpy array or a sparse matrix: its kind, and the attributes that `build` sets."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.state: dict[object, object] = {}


def _allowed_globals() -> dict[str, str]:
    roles = {"_codecs encode": "encode", "collections OrderedDict": "mapping"}
    for core in ("numpy.core", "numpy._core"):
        roles |= {f"{core}.multiarray _reconstruct": "array", f"{core}.multiarray scalar": "scalar"}
        roles |= {f"{core}.numeric _frombuffer": "buffer"}
    roles |= {"numpy ndarray": "class", "numpy dtype": "dtype"}
    for module in ("__builtin__", "builtins"):
        roles |= {f"{module} object": "class", f"{module} set": "set", f"{module} bytes": "bytes"}
    for module in ("copy_reg", "copyreg"):
        roles[f"{module} _reconstructor"] = "instance"
    for kind in ("csc", "csr", "coo"):
        for module in (kind, f"_{kind}"):
            roles |= {f"scipy.sparse.{module} {kind}_{shape}": kind for shape in ("matrix", "array")}
    return roles | {"chumpy.ch Ch": "Ch", "chumpy.reordering Select": "Select", "chumpy.reordering Reshape": "Reshape"}


# "module name" -> role.
ALLOWED_GLOBALS = _allowed_globals()
_INSTANCE_KINDS = ("csc", "csr", "coo", "Ch", "Select", "Reshape")


class StubFactory:
    """Makes the stubs of one file, and limits the memory that it can take.

    Files of another kind have a subclass, which says what it is (`content`) and what their globals are (`find_role`).
    """

    content = "a body"

    def __init__(self, file_name: str, max_expansion: int | None = None) -> None:
        self.file_name = file_name
        self.max_expansion = _MAX_EXPANSION if max_expansion is None else max_expansion
        self.expanded_size = 0

    def refusal_error(self, what: str) -> MeshRecError:
        """The error for a file that asks for something that no body file needs."""
        return ModelError(
            "pickle-refused",
            "{name} asks for {what}, which a body file never needs, so it was not read.",
            "Use the file as its official site delivers it, and do not open this one with other software.",
            name=self.file_name,
            what=what,
        )

    def count_expansion(self, elements: int) -> None:
        """Add to the memory taken beyond the file's bytes; raises ModelError above the limit."""
        self.expanded_size += elements
        if self.expanded_size > self.max_expansion:
            raise self.refusal_error(f"more memory than {self.content} takes")

    def find_role(self, module: str, name: str) -> str | None:
        """The role of a global; None if a file may not name it."""
        return ALLOWED_GLOBALS.get(f"{module} {name}")

    def resolve_global(self, module: object, name: object) -> GlobalStub:
        """The stub of a global; raises a MeshRecError if it is not allowed."""
        module_name, own_name = decode_text(module), decode_text(name)
        role = self.find_role(module_name, own_name)
        if role is None:
            raise self.refusal_error(f"“{module_name}.{own_name}”")
        return GlobalStub(f"{module_name} {own_name}", role)

    def call_global(self, function: object, arguments: object) -> object:
        """The stub for a call of a global; only calls that pickled numpy, scipy and chumpy objects make are allowed."""
        if not isinstance(function, GlobalStub) or not isinstance(arguments, tuple):
            raise self.refusal_error("a call of something that has no name")
        stub = self._make_numpy_stub(function.role, arguments)
        if stub is None:
            stub = self._make_builtin(function.role, arguments)
        if stub is None:
            stub = _make_instance(function.role, arguments)
        if stub is None:
            raise self.refusal_error(f"an unusual use of “{function.name.replace(' ', '.')}”")
        return stub

    def _make_numpy_stub(self, role: str, arguments: tuple[object, ...]) -> object | None:
        """A numpy array, scalar or dtype; None for other calls."""
        match role, arguments:
            case "array", (GlobalStub(name="numpy ndarray"), _, _):
                return ArrayStub()
            case "scalar", (DtypeStub() as dtype, data):
                return self.make_array(data, dtype, (), fortran_order=False)
            case "buffer", (data, DtypeStub() as dtype, shape, order):
                return self.make_array(data, dtype, shape, fortran_order=decode_text(order) == "F")
            case "dtype", (code, *_):
                return DtypeStub(decode_text(code))
        return None

    def _make_builtin(self, role: str, arguments: tuple[object, ...]) -> object | None:
        """Bytes, dictionaries, and sets as lists; None for other calls."""
        match role, arguments:
            case "encode", (str() as text, encoding) if decode_text(encoding) in ("latin1", "latin-1"):
                self.count_expansion(len(text))
                return text.encode("latin-1")
            case "set", (list() as items,):
                return items
            case "set", ():
                return list[object]()
            case "mapping", ():
                return dict[object, object]()
            case "mapping", (list() as pairs,):
                self.count_expansion(len(pairs) * LIST_ITEM_COST)
                return {decode_key(key): value for key, value in pairs}
            case "bytes", ():
                return b""
        return None

    def build(self, target: object, state: object) -> None:
        """Set the content of a stub."""
        match target, state:
            case ArrayStub(), (_, shape, DtypeStub() as dtype, fortran, data) | (shape, DtypeStub() as dtype, fortran, data):
                target.value = self.make_array(data, dtype, shape, fortran_order=bool(fortran))
            case DtypeStub(), (_, order, None, None, None, *_):
                target.order = _decode_byte_order(order)
            case DtypeStub(), tuple():
                target.code = "record"
            case InstanceStub(), dict() | (None, dict()):
                target.state.update(state if isinstance(state, dict) else state[1])
            case _:
                raise self.refusal_error("something to be filled in that it cannot fill")

    def make_array(self, content: object, dtype: DtypeStub, shape: object, *, fortran_order: bool) -> AnyArray | UnreadValue:
        """A numpy array on bytes of the file; an UnreadValue if its dtype is not numeric."""
        number = dtype.numpy_dtype()
        if number is None:
            return UnreadValue(f"array of type {dtype.code[:8]}")
        if not isinstance(content, bytes) or not isinstance(shape, tuple) or len(shape) > _MAX_DIMENSIONS:
            raise DamagedError("an array has no numbers in it")
        size = number.itemsize
        for length in shape:
            size *= check_length(length)
        if size != len(content):
            raise DamagedError("an array is not of the size it claims")
        return np.frombuffer(content, number).reshape(shape, order="F" if fortran_order else "C")


def _make_instance(role: str, arguments: tuple[object, ...]) -> InstanceStub | None:
    """A chumpy array or sparse matrix without content; None for other calls."""
    match role, arguments:
        case "instance", (GlobalStub(role=kind), GlobalStub(name="__builtin__ object" | "builtins object"), None):
            return InstanceStub(kind) if kind in _INSTANCE_KINDS else None
        case kind, () if kind in _INSTANCE_KINDS:
            return InstanceStub(kind)
    return None


def _decode_byte_order(order: object) -> Literal["<", ">", "="]:
    match decode_text(order):
        case "<" | ">" as known_order:
            return known_order
    return "="  # native order, or a dtype that has no byte order


def decode_text(value: object) -> str:
    """Text from the byte strings of Python 2 or the str of Python 3."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, str):
        return value
    raise DamagedError("a name is not text")


def decode_key(key: object) -> str | float | None:
    """A dictionary's key: text, a number or None."""
    return key if _is_plain_key(key) else decode_text(key)


def _is_plain_key(key: object) -> TypeGuard[int | float | bool | None]:
    return type(key) in (int, float, bool, type(None))


def check_length(length: object) -> int:
    """A length along one axis; raises DamagedError if it is no integer from 0."""
    if not isinstance(length, int) or isinstance(length, bool) or length < 0:
        raise DamagedError("a size is not a number")
    return length
