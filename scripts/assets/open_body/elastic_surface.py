"""Elastic deformation of skin between rigid ends (as-rigid-as-possible with smooth rotations).

Source: Levi & Gotsman 2015, "Smooth Rotation Enhanced As-Rigid-As-Possible Mesh Animation": Sorkine & Alexa 2007 with a
term that penalises differences of neighbouring rotations. Deviations: cotangents are clamped to be positive, so that the system is
definite for sliver triangles, and a pressure restores the volume.
"""

from typing import Any

import numpy as np
from scipy import sparse  # pyrefly: ignore[untyped-import] - scipy ships no type stubs
from scipy.sparse.csgraph import dijkstra  # pyrefly: ignore[untyped-import] - scipy ships no type stubs
from scipy.sparse.linalg import splu  # pyrefly: ignore[untyped-import] - scipy ships no type stubs

from blender_meshrec.core.array_types import BoolArray, FloatArray, IntArray


class ElasticSurface:
    """A triangle mesh at rest: vertices (V,3) m, faces (T,3). smoothness: weight of the rotation term."""

    def __init__(self, vertices: FloatArray, faces: IntArray, smoothness: float = 0.05) -> None:
        self.faces = faces
        count = len(vertices)
        rows: list[IntArray] = []
        columns: list[IntArray] = []
        cotangents: list[FloatArray] = []
        for corner in range(3):
            a, b, c = (faces[:, (corner + step) % 3] for step in range(3))
            u, w = vertices[b] - vertices[a], vertices[c] - vertices[a]
            cotangent = (u * w).sum(1) / np.maximum(np.linalg.norm(np.cross(u, w), axis=1), 1e-12)
            rows += [b, c]
            columns += [c, b]
            cotangents += [np.clip(cotangent, 0.05, 5.0) / 2] * 2
        ends = (np.concatenate(rows), np.concatenate(columns))
        self.adjacency: Any = sparse.csr_matrix((np.concatenate(cotangents), ends), (count, count))
        self.laplacian: Any = (sparse.diags(np.asarray(self.adjacency.sum(1)).ravel()) - self.adjacency).tocsr()
        edges = self.adjacency.tocoo()
        self.start, self.end, self.stiffness = edges.row, edges.col, edges.data
        self.edges = vertices[self.start] - vertices[self.end]
        sides = np.cross(vertices[faces[:, 1]] - vertices[faces[:, 0]], vertices[faces[:, 2]] - vertices[faces[:, 0]])
        areas = np.linalg.norm(sides, axis=1) / 2
        self.area = np.zeros(count)
        for corner in range(3):
            np.add.at(self.area, faces[:, corner], areas / 3)
        self.coupling = smoothness * areas.sum()

    def distance(self, members: BoolArray) -> FloatArray:
        """Distances (V,) m along edges from the nearest of `members` (V,) bool."""
        graph = sparse.csr_matrix((np.linalg.norm(self.edges, axis=1), (self.start, self.end)), self.adjacency.shape)
        return dijkstra(graph, indices=np.flatnonzero(members), min_only=True)

    def relax(
        self, held: BoolArray, vertices: FloatArray, rotations: FloatArray, volume: float, pressure: float, iterations: int = 40
    ) -> FloatArray:
        """The elastic shape with the `held` vertices (V,) bool fixed.

        Args:
            vertices (V,3) m and rotations (V,3,3) from the surface at rest: the initial values, from skinning.
            volume: m^3, of `volume_of`. pressure: the fraction of the lost volume that a uniform pressure restores.

        Returns:
            vertices (V,3) m.
        """
        vertices, rotations = vertices.copy(), rotations.copy()
        free, fixed = np.flatnonzero(~held), np.flatnonzero(held)
        factor = splu(self.laplacian[free][:, free].tocsc())
        pull = self.laplacian[free][:, fixed] @ vertices[fixed]
        rotated = np.flatnonzero(np.asarray(self.adjacency[:, free].sum(1)).ravel() > 0)
        rotated = np.union1d(rotated, free)
        used = np.isin(self.start, rotated)
        start, end, stiffness, edges = self.start[used], self.end[used], self.stiffness[used], self.edges[used]
        each = np.arange(len(start))
        gather: Any = sparse.csr_matrix((np.ones(len(start)), (np.searchsorted(rotated, start), each)), (len(rotated), len(start)))
        every_vertex: Any = sparse.csr_matrix((np.ones(len(start)), (start, each)), (len(vertices), len(start)))
        onto_free = every_vertex[free]
        neighbours = self.adjacency[rotated]
        for _ in range(iterations):
            # Local step: each vertex's rotation, from its edges and its neighbours' rotations.
            now = vertices[start] - vertices[end]
            outer = (stiffness[:, None, None] * now[:, :, None] * edges[:, None, :]).reshape(-1, 9)
            target = (gather @ outer + self.coupling * (neighbours @ rotations.reshape(-1, 9))).reshape(-1, 3, 3)
            rotations[rotated] = nearest_rotations(target)
            # Global step: the vertices that fit these rotations best.
            wanted = 0.5 * stiffness[:, None] * np.einsum("eij,ej->ei", rotations[start] + rotations[end], edges)
            vertices[free] = factor.solve(onto_free @ wanted - pull)
            outwards = self._volume_gradient(vertices)[free]
            inflated = factor.solve(outwards)
            lost = volume - self.volume_of(vertices)
            vertices[free] += pressure * lost / (outwards * inflated).sum() * inflated
        return vertices

    def volume_of(self, vertices: FloatArray) -> float:
        """The volume, m^3, with openings closed towards the origin; only differences are meaningful, if the openings are held."""
        a, b, c = (vertices[self.faces[:, corner]] for corner in range(3))
        return float(np.einsum("ti,ti->", a, np.cross(b, c)) / 6)

    def _volume_gradient(self, vertices: FloatArray) -> FloatArray:
        """The gradient (V,3) m^2 of the volume."""
        a, b, c = (vertices[self.faces[:, corner]] for corner in range(3))
        gradient = np.zeros_like(vertices)
        for corner, across in enumerate((np.cross(b, c), np.cross(c, a), np.cross(a, b))):
            np.add.at(gradient, self.faces[:, corner], across / 6)
        return gradient


def nearest_rotations(matrices: FloatArray) -> FloatArray:
    """The rotations nearest to matrices (N,3,3). Source: Kabsch 1976."""
    left, _, right = np.linalg.svd(matrices)
    left[:, :, 2] *= np.linalg.det(left @ right)[:, None]
    return left @ right
