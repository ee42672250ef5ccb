"""The unchecked content of a body file, read without executing anything, and checks common to SMPL and SKEL bodies."""

import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

import numpy as np

from ..array_types import AnyArray, FloatArray, IntArray
from .safe_npz import read_numeric_npz
from .safe_pickle import read_model_pickle

# Key -> array, text, number or list of the file.
ModelContent: TypeAlias = Mapping[str, Any]

MODEL_SUFFIXES = (".npz", ".pkl")
MAX_VALUE = 2.0**32  # of any number in a body file: SMPL's parent of the root is 2^32 - 1
MAX_VERTICES = 1 << 19


def read_model_content(path: Path, keys: Collection[str]) -> ModelContent:
    """The content of an .npz (only `keys`) or of a pickle (all keys).

    Raises:
        ModelError: the file cannot be read or is damaged.
    """
    # By content, not by suffix: both formats are distributed under either suffix.
    return read_numeric_npz(path, keys) if zipfile.is_zipfile(path) else read_model_pickle(path)


def is_numeric_array(value: object) -> TypeGuard[AnyArray]:
    """Whether a value is an array of integers or floats."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "iuf"


def is_in_range(array: AnyArray) -> bool:
    """Whether an array's values are finite and at most MAX_VALUE."""
    return bool(np.isfinite(array).all() and np.abs(array.astype(np.float64, copy=False)).max(initial=0) <= MAX_VALUE)


def is_mesh(faces: IntArray, num_vertices: int) -> bool:
    """Whether faces (T,3) name existing vertices only."""
    return not faces.size or bool(faces.min() >= 0 and faces.max() < num_vertices)


def are_skin_weights(weights: FloatArray, tolerance: float) -> bool:
    """Whether weights (V,J) are not negative and each vertex's weights sum to one within `tolerance`."""
    return not (weights.min(initial=0) < -1e-4 or np.abs(weights.sum(1) - 1).max(initial=0) > tolerance)
