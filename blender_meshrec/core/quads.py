"""Quads that a mesh of triangles was made from: each two triangles in a row that share an edge."""

import numpy as np

from .array_types import IntArray


def quad_corners(faces: IntArray) -> IntArray | None:
    """The corners (T/2,4), as places in `faces.ravel()`, of the quads of which triangles (T,3) are the halves, one after the other.

    The quads wind as the triangles do. None if any pair is no quad: a mesh that was modelled with triangles has no such order.
    """
    if len(faces) % 2 or not len(faces):
        return None
    first, second = faces[0::2], faces[1::2]
    is_shared = (first[:, :, None] == second[:, None, :]).any(2)
    is_common = (second[:, :, None] == first[:, None, :]).any(2)
    if (is_shared.sum(1) != 2).any() or (is_common.sum(1) != 2).any():
        return None
    pairs = np.arange(len(first))
    alone, opposite = (~is_shared).argmax(1), (~is_common).argmax(1)
    corner, start, end = ((alone + step) % 3 for step in range(3))
    # The second triangle runs along the shared edge the other way: from the end of the first's edge to its start.
    if (second[pairs, (opposite + 1) % 3] != first[pairs, end]).any() or (second[pairs, (opposite + 2) % 3] != first[pairs, start]).any():
        return None
    return np.stack([6 * pairs + corner, 6 * pairs + start, 6 * pairs + 3 + opposite, 6 * pairs + end], -1)
