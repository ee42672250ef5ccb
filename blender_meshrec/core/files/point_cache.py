"""Point caches: the vertices of a mesh frame by frame, in the PC2 format of Blender and 3ds Max. Little-endian:

| bytes | content |
|---|---|
| 12 | `POINTCACHE2` and a zero |
| 4, 4 | int32: version, 1; number of vertices |
| 4, 4 | float32: frame of the first sample, 0; frames per sample, 1 |
| 4 | int32: number of samples |
| 12 per vertex and sample | float32: x, y, z |
"""

import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..array_types import FloatArray
from ..errors import InputError
from .output_file import atomic_write

SUFFIX = ".pc2"
_HEADER = struct.Struct("<12siiffi")
_MAGIC, _VERSION = b"POINTCACHE2\0", 1


def write_point_cache(path: str | Path, vertex_count: int, sample_count: int, chunks: Iterable[FloatArray]) -> None:
    """Write vertices to `path` (.pc2) chunk by chunk; the file appears whole or not at all.

    Args:
        vertex_count: V. sample_count: number of samples in all chunks together.
        chunks: arrays (n,V,3) m, in the mesh object's own axes; only one is in memory at a time.

    Raises:
        ValueError: the chunks do not have these counts. OutputError: the file cannot be written.
    """
    written = 0
    with atomic_write(path) as temporary, open(temporary, "wb") as file:
        file.write(_HEADER.pack(_MAGIC, _VERSION, vertex_count, 0.0, 1.0, sample_count))
        for chunk in chunks:
            chunk = np.ascontiguousarray(chunk, "<f4")
            if chunk.ndim != 3 or chunk.shape[1:] != (vertex_count, 3):
                raise ValueError(f"a piece of shape {chunk.shape} in a point cache of {vertex_count} vertices")
            file.write(chunk.data)
            written += len(chunk)
        if written != sample_count:
            raise ValueError(f"{written} samples for a point cache of {sample_count}")


def read_point_cache(path: str | Path) -> FloatArray:
    """The vertices of a point cache, (F,V,3) float32 m, memory-mapped.

    Raises:
        InputError: there is no such file, or it is no complete point cache.
    """
    path, remedy = Path(path), "Reconstruct with the exact surface again."
    try:
        with open(path, "rb") as file:
            head = file.read(_HEADER.size)
        size = path.stat().st_size
    except OSError as error:
        raise InputError(
            "point-cache-unreadable", "The point cache {path} cannot be read: {reason}.", remedy, path=path, reason=error.strerror
        ) from error
    if len(head) < _HEADER.size or not head.startswith(_MAGIC):
        raise InputError("point-cache-not-one", "{path} is no point cache.", remedy, path=path)
    _, version, vertices, _, _, samples = _HEADER.unpack(head)
    if version != _VERSION or vertices < 1 or samples < 1 or size != _HEADER.size + 12 * vertices * samples:
        raise InputError("point-cache-incomplete", "{path} is no whole point cache.", remedy, path=path)
    return np.memmap(path, "<f4", "r", offset=_HEADER.size, shape=(samples, vertices, 3))
