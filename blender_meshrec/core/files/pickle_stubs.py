"""What the names in a body file's pickle may stand for: inert pieces that become numpy arrays and nothing else.

`ALLOWED_GLOBALS` is the whole list of globals a body file may mention, in the spellings of Python 2 and 3: numpy arrays, scipy
sparse matrices, chumpy arrays, and the few helpers that pickling itself uses. None of them is ever imported or called.
"""

import numpy as np

from ..errors import ModelError

_NUMERIC_CODES = {f"{kind}{size}" for kind, sizes in {"b": "1", "i": "1248", "u": "1248", "f": "248"}.items() for size in sizes}
# What sparse matrices, selections and lists may grow to beyond the file's own bytes, in elements over one file.
_MAX_EXPANSION = 1 << 26
_LIST_ITEM_COST = 64
_MAX_DEPTH = 16


class DamagedError(Exception):
    """The bytes are not what they should be; the message completes "it is not a whole body file: ..."."""


class UnreadValue:
    """Stands for a value that was passed over, such as an array of Python objects."""

    def __init__(self, what):
        self.what = what

    def __repr__(self):
        return f"<{self.what}>"


class GlobalStub:
    """An allowed global: what it is called, and which role its stand-in plays."""

    def __init__(self, name, role):
        self.name = name
        self.role = role


class DtypeStub:
    """A numpy dtype by its code, such as f8; the byte order comes with a later `build`."""

    def __init__(self, code):
        self.code = code
        self.order = "="

    def numpy_dtype(self):
        """The numpy dtype, or None where it is not one of plain numbers."""
        return np.dtype(self.code).newbyteorder(self.order) if self.code in _NUMERIC_CODES else None


class ArrayStub:
    """A numpy array whose content comes with a later `build`."""

    value = None


class InstanceStub:
    """A chumpy array or a sparse matrix: its kind, and the attributes that `build` gives it."""

    def __init__(self, kind):
        self.kind = kind
        self.state = {}


def _allowed_globals():
    table = {"_codecs encode": "encode", "collections OrderedDict": "mapping"}
    for core in ("numpy.core", "numpy._core"):
        table |= {f"{core}.multiarray _reconstruct": "array", f"{core}.multiarray scalar": "scalar"}
        table |= {f"{core}.numeric _frombuffer": "buffer"}
    table |= {"numpy ndarray": "class", "numpy dtype": "dtype"}
    for module in ("__builtin__", "builtins"):
        table |= {f"{module} object": "class", f"{module} set": "set", f"{module} bytes": "bytes"}
    for module in ("copy_reg", "copyreg"):
        table[f"{module} _reconstructor"] = "instance"
    for kind in ("csc", "csr", "coo"):
        for module in (kind, f"_{kind}"):
            table |= {f"scipy.sparse.{module} {kind}_{shape}": kind for shape in ("matrix", "array")}
    return table | {"chumpy.ch Ch": "Ch", "chumpy.reordering Select": "Select", "chumpy.reordering Reshape": "Reshape"}


ALLOWED_GLOBALS = _allowed_globals()
_INSTANCE_KINDS = ("csc", "csr", "coo", "Ch", "Select", "Reshape")


class StubFactory:
    """Makes the stand-ins that one file asks for, and turns them into numpy arrays at the end."""

    def __init__(self, file_name):
        self.file_name = file_name
        self.expanded_size = 0
        self.converted = {}

    def refusal_error(self, what):
        return ModelError(
            "pickle-refused",
            "{name} asks for {what}, which a body file never needs, so it was not read.",
            "Use the file as its official site delivers it, and do not open this one with other software.",
            name=self.file_name,
            what=what,
        )

    def count_expansion(self, elements):
        self.expanded_size += elements
        if self.expanded_size > _MAX_EXPANSION:
            raise self.refusal_error("more memory than a body takes")

    # --- stand-ins ---

    def resolve_global(self, module, name):
        full = f"{decode_text(module)} {decode_text(name)}"
        if full not in ALLOWED_GLOBALS:
            raise self.refusal_error(f"“{full.replace(' ', '.')}”")
        return GlobalStub(full, ALLOWED_GLOBALS[full])

    def call_global(self, maker, arguments):
        """What a call of a named thing stands for; only the calls that pickling numpy, scipy and chumpy objects gives."""
        if not isinstance(maker, GlobalStub) or not isinstance(arguments, tuple):
            raise self.refusal_error("a call of something that has no name")
        match maker.role, arguments:
            case "array", (GlobalStub(name="numpy ndarray"), _, _):
                return ArrayStub()
            case "scalar", (DtypeStub() as dtype, data):
                return self.make_array(data, dtype, (), "C")
            case "buffer", (data, DtypeStub() as dtype, shape, order):
                return self.make_array(data, dtype, shape, "F" if decode_text(order) == "F" else "C")
            case "dtype", (code, *_):
                return DtypeStub(decode_text(code))
            case "instance", (GlobalStub(role=kind), GlobalStub(name="__builtin__ object" | "builtins object"), None) if (
                kind in _INSTANCE_KINDS
            ):
                return InstanceStub(kind)
            case "encode", (str() as text, encoding) if decode_text(encoding) in ("latin1", "latin-1"):
                self.count_expansion(len(text))
                return text.encode("latin-1")
            case "set", (list() as items,):
                return items
            case "set", ():
                return []
            case "mapping", ():
                return {}
            case "mapping", (list() as pairs,):
                self.count_expansion(len(pairs) * _LIST_ITEM_COST)
                return {decode_key(key): value for key, value in pairs}
            case "bytes", ():
                return b""
            case kind, () if kind in _INSTANCE_KINDS:
                return InstanceStub(kind)
        raise self.refusal_error(f"an unusual use of “{maker.name.replace(' ', '.')}”")

    def build(self, target, state):
        """Give a stand-in its content."""
        match target, state:
            case ArrayStub(), (_, shape, DtypeStub() as dtype, fortran, data) | (shape, DtypeStub() as dtype, fortran, data):
                target.value = self.make_array(data, dtype, shape, "F" if fortran else "C")
            case DtypeStub(), (_, order, None, None, None, *_):
                target.order = {"<": "<", ">": ">"}.get(decode_text(order), "=")
            case DtypeStub(), tuple():
                target.code = "record"
            case InstanceStub(), dict() | (None, dict()):
                target.state.update(state if isinstance(state, dict) else state[1])
            case _:
                raise self.refusal_error("something to be filled in that it cannot fill")

    def make_array(self, data, dtype, shape, order):
        number = dtype.numpy_dtype()
        if number is None:
            return UnreadValue(f"array of type {dtype.code[:8]}")
        if not isinstance(data, bytes) or not isinstance(shape, tuple) or len(shape) > 8:
            raise DamagedError("an array has no numbers in it")
        size = number.itemsize
        for length in shape:
            size *= _check_length(length)
        if size != len(data):
            raise DamagedError("an array is not of the size it claims")
        return np.frombuffer(data, number).reshape(shape, order=order)

    # --- from stand-ins to numpy ---

    def to_numpy(self, value, depth=0):
        """Numpy arrays, text, numbers, lists and dictionaries of what the file holds."""
        if depth > _MAX_DEPTH:
            raise DamagedError("it is nested too deeply")
        if isinstance(value, ArrayStub | InstanceStub):
            if id(value) not in self.converted:
                self.converted[id(value)] = value.value if isinstance(value, ArrayStub) else self._evaluate(value, depth + 1)
            if self.converted[id(value)] is None:
                raise DamagedError("an array was left empty")
            return self.converted[id(value)]
        if isinstance(value, bytes):
            return value.decode("latin-1")
        if isinstance(value, list | tuple):
            self.count_expansion(len(value) * _LIST_ITEM_COST)
            return [self.to_numpy(item, depth + 1) for item in value]
        if isinstance(value, dict):
            self.count_expansion(len(value) * _LIST_ITEM_COST)
            return {key: self.to_numpy(item, depth + 1) for key, item in value.items()}
        if isinstance(value, str | int | float | np.ndarray | UnreadValue | None):
            return value
        return UnreadValue("value of another kind")

    def _evaluate(self, instance, depth):
        """The array that a chumpy object or a sparse matrix stands for."""
        parts = instance.state
        if instance.kind == "Ch":
            return self._numeric_array(parts["x"], depth)
        if instance.kind == "Reshape":
            return self._numeric_array(parts["a"], depth).reshape(self._shape(parts["newshape"], depth))
        if instance.kind == "Select":
            index = self._numeric_array(parts["idxs"], depth, "iu")
            self.count_expansion(index.size)
            chosen = self._numeric_array(parts["a"], depth).ravel()[index]
            return chosen.reshape(self._shape(parts["preferred_shape"], depth)) if "preferred_shape" in parts else chosen
        return self._densify(instance.kind, parts, depth)

    def _densify(self, kind, parts, depth):
        """A sparse matrix written out in full; entries given twice add up, as in scipy."""
        rows, columns = shape = self._shape(parts["_shape"] if "_shape" in parts else parts["shape"], depth)
        self.count_expansion(_check_length(rows) * _check_length(columns))
        values = self._numeric_array(parts["data"], depth)
        if kind == "coo":
            pair = parts["coords"] if "coords" in parts else (parts["row"], parts["col"])
            row, column = (self._numeric_array(part, depth, "iu") for part in pair)
        else:
            inner = self._numeric_array(parts["indices"], depth, "iu")
            starts = self._numeric_array(parts["indptr"], depth, "iu").astype(np.int64)
            counts = np.diff(starts)
            if len(counts) != (columns if kind == "csc" else rows) or starts[0] != 0 or counts.min() < 0 or starts[-1] != len(inner):
                raise DamagedError("a sparse matrix does not fit together")
            outer = np.repeat(np.arange(len(counts)), counts)
            row, column = (inner, outer) if kind == "csc" else (outer, inner)
        if not row.shape == column.shape == values.shape == (values.size,):
            raise DamagedError("a sparse matrix does not fit together")
        if values.size and (row.min() < 0 or column.min() < 0 or row.max() >= rows or column.max() >= columns):
            raise DamagedError("a sparse matrix has entries outside itself")
        matrix = np.zeros(shape, values.dtype)
        np.add.at(matrix, (row, column), values)
        return matrix

    def _numeric_array(self, value, depth, kinds="biuf"):
        array = self.to_numpy(value, depth)
        if isinstance(array, int | float | list):
            array = np.array(array)
        if not isinstance(array, np.ndarray) or array.dtype.kind not in kinds:
            raise DamagedError("an array does not hold numbers")
        return array

    def _shape(self, value, depth):
        return tuple(int(length) for length in self._numeric_array(value, depth, "iu").ravel())


def decode_text(value):
    """Names and codes come as byte strings from Python 2 and as text from Python 3."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, str):
        return value
    raise DamagedError("a name is not text")


def decode_key(key):
    """A dictionary's key: text or a number."""
    return key if type(key) in (int, float, bool, type(None)) else decode_text(key)


def _check_length(length):
    if type(length) is not int or length < 0:
        raise DamagedError("a size is not a number")
    return length
