"""DecoMR's two data files: the UV template, an .obj, and the rest pose as a location map, an .npy."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..array_types import FloatArray, IntArray
from ..errors import ModelError
from .input_file import refuse_special_file
from .read_errors import file_not_readable

NUM_VERTICES = 6890  # of SMPL's topology
REFERENCE_SHAPE = (1, 64, 64, 3)
_MAX_BYTES = 1 << 26


class UvTemplate(NamedTuple):
    """UV points (T,2) 0..1, and the vertex (T,) that each belongs to."""

    texcoords: FloatArray
    vertex_of_texcoord: IntArray


def read_uv_template(path: Path) -> UvTemplate:
    """The UV points of an .obj of SMPL's topology. Raises ModelError: it is another mesh, or damaged."""
    text = _read_bytes(path).decode("utf-8", "replace")
    points, corners, num_vertices = list[list[str]](), list[str](), 0
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["v"]:
            num_vertices += 1
        elif words[:1] == ["vt"]:
            points.append(words[1:3])
        elif words[:1] == ["f"]:
            corners += words[1:]
    try:
        texcoords = np.array(points, float).reshape(-1, 2)
        pairs = np.array([corner.split("/")[:2] for corner in corners], np.int64).reshape(-1, 2) - 1
    except ValueError as error:
        raise _wrong_file(path) from error
    vertex = np.full(len(texcoords), -1)
    is_valid = bool(len(pairs)) and pairs.min() >= 0 and pairs[:, 0].max() < num_vertices and pairs[:, 1].max() < len(texcoords)
    if num_vertices != NUM_VERTICES or not is_valid or not (np.isfinite(texcoords).all() and np.abs(texcoords - 0.5).max() <= 0.51):
        raise _wrong_file(path)
    vertex[pairs[:, 1]] = pairs[:, 0]
    used = vertex >= 0
    return UvTemplate(texcoords[used], vertex[used])


def read_reference_map(path: Path) -> FloatArray:
    """The rest pose as a location map (1,64,64,3). Raises ModelError: it is something else, or damaged."""
    refuse_special_file(path, ModelError)
    try:
        with path.open("rb") as file:
            values = np.lib.format.read_array(file, allow_pickle=False, max_header_size=4096) if path.stat().st_size < _MAX_BYTES else None
    except OSError as error:
        raise file_not_readable(path, error) from error
    except (ValueError, EOFError, MemoryError) as error:
        raise _wrong_file(path) from error
    if values is None or values.shape != REFERENCE_SHAPE or values.dtype.kind != "f" or not np.isfinite(values).all():
        raise _wrong_file(path)
    return values


def _read_bytes(path: Path) -> bytes:
    refuse_special_file(path, ModelError)
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise file_not_readable(path, error) from error
    if len(content) > _MAX_BYTES:
        raise _wrong_file(path)
    return content


def _wrong_file(path: Path) -> ModelError:
    return ModelError(
        "decomr-data-wrong",
        "{name} is not one of DecoMR's data files.",
        "Add smpl_boundry_free_template.obj and BF_ref_map_64.npy from DecoMR's own download.",
        name=path.name,
    )
