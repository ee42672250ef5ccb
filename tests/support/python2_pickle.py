"""Pickles as Python 2 wrote the official SMPL files: protocol 0 or 2, with chumpy and scipy objects.

The instructions are written one by one, so that neither chumpy nor scipy is needed.
"""

import struct

import numpy as np


class Chumpy:
    """A chumpy object to write: class name (module and name) and attributes."""

    def __init__(self, name="chumpy.ch Ch", **state):
        self.name = name
        self.state = {"_dirty_vars": set(), "_itr": None, "_make_dense": False, "_status": b"new", **state}


class Csc:
    """A scipy.sparse.csc_matrix to write."""

    def __init__(self, dense):
        columns = np.asarray(dense).T
        self.state = {
            "_shape": dense.shape,
            "maxprint": 50,
            "indices": np.concatenate([np.flatnonzero(column) for column in columns]).astype(np.int32),
            "indptr": np.cumsum([0] + [np.count_nonzero(column) for column in columns]).astype(np.int32),
            "data": np.concatenate([column[column != 0] for column in columns]),
        }


def dumps(value, protocol=2):
    """The pickle of dictionaries, tuples, lists, sets, byte strings, numbers, arrays, Chumpy and Csc."""
    return (b"\x80\x02" if protocol == 2 else b"") + _write(value, protocol) + b"."


def _write(value, protocol):
    binary = protocol == 2
    if value is None:
        return b"N"
    if isinstance(value, bool):
        return {True: b"\x88", False: b"\x89"}[value] if binary else b"I0%d\n" % value
    if isinstance(value, int | np.integer):
        return b"J" + struct.pack("<i", value) if binary else b"I%d\n" % value
    if isinstance(value, float):
        return b"G" + struct.pack(">d", value) if binary else b"F%r\n" % value
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        if not binary:
            return b"S" + repr(value)[1:].encode() + b"\n"
        return (b"U" + struct.pack("<B", len(value)) if len(value) < 256 else b"T" + struct.pack("<i", len(value))) + value
    if isinstance(value, tuple):
        return b"(" + b"".join(_write(item, protocol) for item in value) + b"t"
    if isinstance(value, list):
        return b"(l" + b"".join(_write(item, protocol) + b"a" for item in value)
    if isinstance(value, set):
        return b"c__builtin__\nset\n" + _write((sorted(value),), protocol) + b"R"
    if isinstance(value, dict):
        return b"(d" + b"".join(_write(key, protocol) + _write(item, protocol) + b"s" for key, item in value.items())
    if isinstance(value, np.ndarray):
        return _array(value, protocol)
    if isinstance(value, Chumpy):
        return _instance(value.name, value.state, protocol)
    return _instance("scipy.sparse.csc csc_matrix", value.state, protocol)


def _array(array, protocol):
    code, order = array.dtype.str[1:], array.dtype.str[0]
    dtype = b"cnumpy\ndtype\n" + _write((code, 0, 1), protocol) + b"R" + _write((3, order, None, None, None, -1, -1, 0), protocol) + b"b"
    fortran = array.ndim > 1 and array.flags.f_contiguous
    state = [1, array.shape, None, bool(fortran), array.tobytes("F" if fortran else "C")]
    items = b"".join(dtype if item is None else _write(item, protocol) for item in state)
    made = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n" + _write((0,), protocol) + _write("b", protocol) + b"tR"
    return made + b"(" + items + b"tb"


def _instance(name, state, protocol):
    module, kind = name.split()
    named = f"c{module}\n{kind}\n".encode()
    if protocol == 2:
        return named + b")\x81" + _write(state, protocol) + b"b"
    return b"ccopy_reg\n_reconstructor\n(" + named + b"c__builtin__\nobject\nNtR" + _write(state, protocol) + b"b"
