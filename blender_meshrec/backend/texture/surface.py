"""The body's skin as it is painted: its triangles, its UV map, and where each texel of a picture lies on it.

V vertices, T triangles, U texture coordinates, N covered texels of a square picture of S texels a side, whose first row is at v = 1.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import coo_matrix  # pyrefly: ignore[untyped-import] - scipy ships no type stubs
from scipy.spatial import KDTree  # pyrefly: ignore[untyped-import]

from ...core.array_types import FloatArray, IntArray
from ...core.files.body_template import BodyTemplate
from ...core.files.open_body_details import load_open_body_details
from .rasterise import rasterise

MAX_MIRROR_DISTANCE = 0.02  # m, between a vertex's mirror image and the vertex that it is taken for


@dataclass(frozen=True)
class Surface:
    """vertices: (V,3) m at rest, the body's plane of symmetry at x = 0. faces: (T,3). vt: (U,2) 0..1, v upwards; ft: (T,3), the texture
    coordinates of the corners of each triangle."""

    vertices: FloatArray
    faces: IntArray
    vt: FloatArray
    ft: IntArray

    def texels(self, size: int) -> "Texels":
        """Where the texels of a picture lie."""
        corners = (np.asarray(self.vt, float) * [size, -size] + [0, size])[self.ft]
        raster = rasterise(corners, (size, size))
        index = np.flatnonzero(raster.triangles >= 0)
        triangles = raster.triangles.ravel()[index]
        return Texels(size, index, self.faces[triangles].astype(np.int32), raster.weights.reshape(-1, 3)[index])

    @cached_property
    def mirrored_vertices(self) -> IntArray:
        """(V,), the vertex on the other side of the body, -1 where there is none."""
        distance, nearest = KDTree(self.vertices).query(self.vertices * [-1, 1, 1])
        return np.where(distance < MAX_MIRROR_DISTANCE, nearest, -1)

    @cached_property
    def edges(self) -> IntArray:
        """(E,2), the vertices that triangles join, each pair once."""
        pairs = np.sort(np.concatenate([self.faces[:, [0, 1]], self.faces[:, [1, 2]], self.faces[:, [2, 0]]]), axis=1)
        return np.unique(pairs, axis=0)

    def spread(self, values: FloatArray, weights: FloatArray, steps: int) -> FloatArray:
        """Values (V,C) of vertices averaged over their neighbours, some steps in turn, by weights (V,C); 0 where none is near."""
        start, end = self.edges.T
        ends = np.concatenate([start, end, np.arange(len(values))]), np.concatenate([end, start, np.arange(len(values))])
        links: Any = coo_matrix((np.ones(len(ends[0])), ends), (len(values), len(values))).tocsr()
        total, share = values * weights, weights.astype(float)
        degrees = np.asarray(links.sum(1))
        for _ in range(steps):
            total, share = links @ total / degrees, links @ share / degrees
        return np.where(share > 1e-6, total / np.maximum(share, 1e-6), 0.0)

    def normals(self, vertices: FloatArray) -> FloatArray:
        """Unit normals (V,3) of posed vertices (V,3)."""
        a, b, c = (vertices[self.faces[:, k]] for k in range(3))
        of_faces = np.cross(b - a, c - a)
        total = np.stack(
            [np.bincount(self.faces.ravel(), np.repeat(of_faces[:, axis], 3), minlength=len(vertices)) for axis in range(3)], 1
        )
        return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)


@dataclass(frozen=True)
class Texels:
    """size: S. index: (N,), ascending, of the covered texels in the picture's rows. vertices: (N,3), and weights (N,3), the corners of the
    triangle that each lies in."""

    size: int
    index: IntArray
    vertices: IntArray
    weights: FloatArray

    def __len__(self) -> int:
        return len(self.index)

    def interpolate(self, values: FloatArray, rows: slice = slice(None)) -> FloatArray:
        """Values (V,C) of vertices at texels, (N,C)."""
        corners, weights = self.vertices[rows], self.weights[rows]
        return sum((weights[:, k, None] * values[corners[:, k]] for k in range(3)), np.zeros((1, values.shape[1]), values.dtype))


def surface_of_body(template: BodyTemplate) -> Surface | None:
    """The skin of a body with the open body's triangles; None for one without a UV map that is known."""
    details = load_open_body_details()
    if details is None or details.ft.shape != template.faces.shape or template.surface_model_type != "open":
        return None
    return Surface(np.asarray(template.v_template, float), np.asarray(template.faces), details.vt, details.ft)
