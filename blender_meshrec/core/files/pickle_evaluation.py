"""Conversion of the stubs in a body file's pickle to numpy arrays, text, numbers, lists and dictionaries."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..array_types import AnyArray, IntArray
from .pickle_stubs import LIST_ITEM_COST, ArrayStub, DamagedError, InstanceStub, StubFactory, UnreadValue, check_length

_MAX_DEPTH = 16


class StubEvaluator:
    """Converts the values of one file; shared stubs are converted once."""

    def __init__(self, stub_factory: StubFactory) -> None:
        self.count_expansion = stub_factory.count_expansion
        self.converted: dict[int, AnyArray | UnreadValue | None] = {}

    def to_plain(self, value: object, depth: int = 0) -> Any:
        """The array, text, number, list or dictionary that a value of the file stands for."""
        if depth > _MAX_DEPTH:
            raise DamagedError("it is nested too deeply")
        if isinstance(value, ArrayStub | InstanceStub):
            return self._convert_once(value, depth)
        if isinstance(value, bytes):
            return value.decode("latin-1")
        if isinstance(value, (list, tuple)):
            self.count_expansion(len(value) * LIST_ITEM_COST)
            return [self.to_plain(item, depth + 1) for item in value]
        if isinstance(value, dict):
            self.count_expansion(len(value) * LIST_ITEM_COST)
            return {key: self.to_plain(item, depth + 1) for key, item in value.items()}
        if isinstance(value, str | int | float | np.ndarray | UnreadValue | None):
            return value
        return UnreadValue("value of another kind")

    def _convert_once(self, stub: ArrayStub | InstanceStub, depth: int) -> AnyArray | UnreadValue:
        if id(stub) not in self.converted:
            self.converted[id(stub)] = stub.value if isinstance(stub, ArrayStub) else self._evaluate(stub, depth + 1)
        array = self.converted[id(stub)]
        if array is None:
            raise DamagedError("an array was left empty")
        return array

    def _evaluate(self, instance: InstanceStub, depth: int) -> AnyArray:
        """The array that a chumpy object or a sparse matrix stands for."""
        state = instance.state
        if instance.kind == "Ch":
            return self._numeric_array(state["x"], depth)
        if instance.kind == "Reshape":
            return self._numeric_array(state["a"], depth).reshape(self._shape(state["newshape"], depth))
        if instance.kind == "Select":
            index = self._numeric_array(state["idxs"], depth, "iu")
            self.count_expansion(index.size)
            selected = self._numeric_array(state["a"], depth).ravel()[index]
            return selected.reshape(self._shape(state["preferred_shape"], depth)) if "preferred_shape" in state else selected
        return self._densify(instance.kind, state, depth)

    def _densify(self, kind: str, state: Mapping[object, object], depth: int) -> AnyArray:
        """A sparse matrix as a dense array; duplicate entries add up, as in scipy."""
        rows, columns = shape = self._shape(state["_shape"] if "_shape" in state else state["shape"], depth)
        self.count_expansion(check_length(rows) * check_length(columns))
        values = self._numeric_array(state["data"], depth)
        if kind == "coo":
            pair: Any = state["coords"] if "coords" in state else (state["row"], state["col"])
            row, column = (self._numeric_array(part, depth, "iu") for part in pair)
        else:
            inner, outer = self._compressed_indices(state, columns if kind == "csc" else rows, depth)
            row, column = (inner, outer) if kind == "csc" else (outer, inner)
        if not row.shape == column.shape == values.shape == (values.size,):
            raise DamagedError("a sparse matrix does not fit together")
        if values.size and (row.min() < 0 or column.min() < 0 or row.max() >= rows or column.max() >= columns):
            raise DamagedError("a sparse matrix has entries outside itself")
        matrix = np.zeros(shape, values.dtype)
        np.add.at(matrix, (row, column), values)
        return matrix

    def _compressed_indices(self, state: Mapping[object, object], num_outer: int, depth: int) -> tuple[IntArray, IntArray]:
        """Indices of the entries of a csc or csr matrix: along the inner axis, and along the compressed outer axis."""
        inner = self._numeric_array(state["indices"], depth, "iu")
        starts = self._numeric_array(state["indptr"], depth, "iu").astype(np.int64)
        counts = np.diff(starts)
        if len(counts) != num_outer or starts[0] != 0 or counts.min() < 0 or starts[-1] != len(inner):
            raise DamagedError("a sparse matrix does not fit together")
        return inner, np.repeat(np.arange(len(counts)), counts)

    def _numeric_array(self, value: object, depth: int, kinds: str = "biuf") -> AnyArray:
        array = self.to_plain(value, depth)
        if isinstance(array, (int, float, list)):
            array = np.array(array)
        if not isinstance(array, np.ndarray) or array.dtype.kind not in kinds:
            raise DamagedError("an array does not hold numbers")
        return array

    def _shape(self, value: object, depth: int) -> tuple[int, ...]:
        return tuple(int(length) for length in self._numeric_array(value, depth, "iu").ravel())
