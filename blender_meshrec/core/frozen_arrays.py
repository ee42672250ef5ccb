"""Read-only arrays: constants, and the fields of frozen dataclasses with their shapes checked against one another."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .array_types import AnyArray, ArrayLike

# Field name -> dtype and shape. A number in a shape is a fixed length; a letter is a length that all fields of the record share.
ArrayLayouts: TypeAlias = Mapping[str, tuple[npt.DTypeLike, tuple[int | str, ...]]]


def read_only_array(values: ArrayLike, dtype: npt.DTypeLike | None = None) -> npt.NDArray[Any]:
    """A read-only copy of `values`."""
    array = np.array(values, dtype)
    array.setflags(write=False)
    return array


def freeze_arrays(record: object, layouts: ArrayLayouts, *, require_finite: bool = True) -> None:
    """Replace array fields of a frozen dataclass by read-only copies; fields that are None are skipped.

    Args:
        layouts: of the fields to replace.
        require_finite: whether infinity and nan are refused.

    Raises:
        ValueError: a field does not have its shape, two fields disagree about a letter, or a value is not finite.
    """
    length_of: dict[str, int] = {}
    for name, (dtype, shape) in layouts.items():
        value = getattr(record, name)
        if value is None:
            continue
        array = read_only_array(value, dtype)
        _check_shape(f"{type(record).__name__}.{name}", array, shape, length_of)
        if require_finite and array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"{type(record).__name__}.{name} holds values that are not finite")
        object.__setattr__(record, name, array)


def lengths_agree(shape: tuple[int, ...], expected: tuple[int | str, ...], length_of: dict[str, int]) -> bool:
    """Whether a shape has the expected number of axes and lengths.

    Args:
        expected: a number is a fixed length, a letter the length in `length_of`, which gets the lengths of new letters.
    """
    return len(shape) == len(expected) and all(
        length == (length_of.setdefault(axis, length) if isinstance(axis, str) else axis) for length, axis in zip(shape, expected)
    )


def _check_shape(field: str, array: AnyArray, shape: tuple[int | str, ...], length_of: dict[str, int]) -> None:
    if array.ndim != len(shape):
        raise ValueError(f"{field} needs {len(shape)} axes {shape}, not shape {array.shape}")
    if not lengths_agree(array.shape, shape, length_of):
        raise ValueError(f"{field} needs shape {shape} with {length_of}, not {array.shape}")
