"""Location maps: a mesh's vertices painted over its UV map, and read from there.

Source: Zeng et al. 2020, "3D Human Mesh Regression with Dense Correspondence" (DecoMR), section 3.1. A map of R x R texels holds a position
each; texel (row, column) lies at UV (column, row) / (R - 1), so that the outermost texels are on the edges of the UV square. A vertex on
a seam has several UV points; it is the mean of what the map says there.
"""

from typing import NamedTuple

import numpy as np
import torch

from ..core.array_types import FloatArray, IntArray

INSIDE = 1e-10  # barycentric weights from which a texel is inside a triangle


class UvLayout(NamedTuple):
    """The UV points of a mesh: texcoords (T,2) 0..1; vertex_of_texcoord (T,), the vertex that each belongs to; texcoord_faces (N,3),
    triangles of UV points, or None where only reading is needed."""

    texcoords: FloatArray
    vertex_of_texcoord: IntArray
    texcoord_faces: IntArray | None = None


def vertices_from_map(location_map: torch.Tensor, layout: UvLayout) -> torch.Tensor:
    """Vertices (B,V,C) of location maps (B,R,R,C), by bilinear interpolation at each UV point."""
    new = location_map.new_tensor
    grid = (2 * new(layout.texcoords) - 1)[None, None].expand(len(location_map), -1, -1, -1)
    # Texel centres on the edges: what PyTorch did by default when DecoMR's weights were trained.
    values = torch.nn.functional.grid_sample(location_map.permute(0, 3, 1, 2), grid, mode="bilinear", align_corners=True)
    values = values[:, :, 0].mT
    vertex = torch.as_tensor(np.array(layout.vertex_of_texcoord), device=location_map.device)
    counts = torch.bincount(vertex).to(values)
    total = values.new_zeros(len(values), len(counts), values.shape[-1]).index_add(1, vertex, values)
    return total / counts.clamp_min(1)[None, :, None]


class MapPainter:
    """Location maps of `size` texels a side: which vertices make each texel, and with which weights.

    vertex_indices (R,R,3), weights (R,R,3), is_covered (R,R). A texel is covered inside a triangle; a texel beside a UV point that no
    triangle covers takes the vertex of that point, so that `vertices_from_map` finds its four neighbours.
    """

    def __init__(self, layout: UvLayout, size: int) -> None:
        if layout.texcoord_faces is None:
            raise ValueError("A location map needs the triangles of the UV points")
        self.vertex_indices = np.zeros((size, size, 3), np.int64)
        self.weights = np.zeros((size, size, 3))
        self.is_covered = np.zeros((size, size), bool)
        points = np.asarray(layout.texcoords, float) * (size - 1)
        for triangle in layout.texcoord_faces:
            self._paint(points[triangle], layout.vertex_of_texcoord[triangle])
        self._extend(points, layout.vertex_of_texcoord)

    def __call__(self, vertices: torch.Tensor) -> torch.Tensor:
        """Location maps (B,R,R,C) of vertices (B,V,C); 0 in texels that are not covered."""
        weights = vertices.new_tensor(self.weights)[..., None]
        return (vertices[:, torch.as_tensor(self.vertex_indices, device=vertices.device)] * weights).sum(3)

    def _paint(self, corners: FloatArray, vertices: IntArray) -> None:
        """Cover the texels inside a triangle of UV points (3,2), in texels, that no earlier one covers."""
        size = len(self.is_covered)
        low, high = np.floor(corners.min(0)).astype(int).clip(0), np.ceil(corners.max(0)).astype(int).clip(max=size - 1)
        columns, rows = np.meshgrid(np.arange(low[0], high[0] + 1), np.arange(low[1], high[1] + 1))
        homogeneous = np.concatenate([corners.T, np.ones((1, 3))])
        if abs(np.linalg.det(homogeneous)) < 1e-12 or not columns.size:
            return
        weights = np.linalg.solve(homogeneous, np.stack([columns.ravel(), rows.ravel(), np.ones(columns.size)])).T
        is_inside = (weights > INSIDE).all(1) & ~self.is_covered[rows.ravel(), columns.ravel()]
        texels = rows.ravel()[is_inside], columns.ravel()[is_inside]
        self.vertex_indices[texels], self.weights[texels], self.is_covered[texels] = vertices, weights[is_inside], True

    def _extend(self, points: FloatArray, vertices: IntArray) -> None:
        """Cover the four texels around each UV point (T,2), in texels, the nearest point first."""
        last = len(self.is_covered) - 1
        low = np.floor(points).astype(int).clip(0, last)
        high = (low + 1).clip(max=last)
        beyond = np.minimum(high, points) - low
        corners = [(low[:, 0], low[:, 1]), (high[:, 0], low[:, 1]), (low[:, 0], high[:, 1]), (high[:, 0], high[:, 1])]
        across, along = (1 - beyond[:, 0], beyond[:, 0]), (1 - beyond[:, 1], beyond[:, 1])
        weights = np.concatenate([across[0] * along[0], across[1] * along[0], across[0] * along[1], across[1] * along[1]])
        columns, rows = (np.concatenate([corner[axis] for corner in corners]) for axis in (0, 1))
        for entry in np.argsort(-weights, kind="stable"):
            texel = rows[entry], columns[entry]
            if not self.is_covered[texel]:
                self.vertex_indices[texel][0], self.weights[texel][0] = vertices[entry % len(points)], 1
                self.is_covered[texel] = True
