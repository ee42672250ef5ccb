"""How skin would like to bend: an elastic surface that follows its rigid ends.

Source: Levi & Gotsman 2015, "Smooth Rotation Enhanced As-Rigid-As-Possible Mesh Animation": Sorkine & Alexa 2007 with a
term that holds neighbouring rotations alike. Deviations: cotangents are clamped to be positive, so that the system stays
definite on slivers, and a pressure keeps the volume, as flesh does.
"""

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import dijkstra
from scipy.sparse.linalg import splu


class ElasticSurface:
    """A triangle mesh at rest: vertices (V,3) m, faces (T,3). `smoothness` weighs the term on rotations."""

    def __init__(self, vertices, faces, smoothness=0.05):
        self.faces = faces
        count = len(vertices)
        rows, columns, cotangents = [], [], []
        for corner in range(3):
            a, b, c = (faces[:, (corner + step) % 3] for step in range(3))
            u, w = vertices[b] - vertices[a], vertices[c] - vertices[a]
            cotangent = (u * w).sum(1) / np.maximum(np.linalg.norm(np.cross(u, w), axis=1), 1e-12)
            rows, columns = [*rows, b, c], [*columns, c, b]
            cotangents += [np.clip(cotangent, 0.05, 5.0) / 2] * 2
        joined = (np.concatenate(rows), np.concatenate(columns))
        self.adjacency = sparse.csr_matrix((np.concatenate(cotangents), joined), (count, count))
        self.laplacian = (sparse.diags(np.asarray(self.adjacency.sum(1)).ravel()) - self.adjacency).tocsr()
        edges = self.adjacency.tocoo()
        self.start, self.end, self.stiffness = edges.row, edges.col, edges.data
        self.edges = vertices[self.start] - vertices[self.end]
        sides = np.cross(vertices[faces[:, 1]] - vertices[faces[:, 0]], vertices[faces[:, 2]] - vertices[faces[:, 0]])
        areas = np.linalg.norm(sides, axis=1) / 2
        self.area = np.zeros(count)
        for corner in range(3):
            np.add.at(self.area, faces[:, corner], areas / 3)
        self.coupling = smoothness * areas.sum()

    def distance(self, members):
        """Distance (V,) m along edges from the nearest of `members` (V,) bool."""
        graph = sparse.csr_matrix((np.linalg.norm(self.edges, axis=1), (self.start, self.end)), self.adjacency.shape)
        return dijkstra(graph, indices=np.flatnonzero(members), min_only=True)

    def relax(self, held, vertices, rotations, volume, pressure, iterations=40):
        """The elastic shape where the `held` vertices (V,) bool stay as they are posed.

        Args:
            vertices (V,3) m and rotations (V,3,3) from the surface at rest: the first guess; skinning's.
            volume: m^3, of `volume_of`. pressure: the part of what is lost of it that an even pressure from inside restores.

        Returns:
            vertices (V,3) m.
        """
        vertices, rotations = vertices.copy(), rotations.copy()
        free, fixed = np.flatnonzero(~held), np.flatnonzero(held)
        factor = splu(self.laplacian[free][:, free].tocsc())
        pull = self.laplacian[free][:, fixed] @ vertices[fixed]
        turning = np.flatnonzero(np.asarray(self.adjacency[:, free].sum(1)).ravel() > 0)
        turning = np.union1d(turning, free)
        used = np.isin(self.start, turning)
        start, end, stiffness, edges = self.start[used], self.end[used], self.stiffness[used], self.edges[used]
        each = np.arange(len(start))
        gather = sparse.csr_matrix((np.ones(len(start)), (np.searchsorted(turning, start), each)), (len(turning), len(start)))
        onto_free = sparse.csr_matrix((np.ones(len(start)), (start, each)), (len(vertices), len(start)))[free]
        neighbours = self.adjacency[turning]
        for _ in range(iterations):
            # Local step: each vertex's rotation, from its edges and its neighbours' rotations.
            now = vertices[start] - vertices[end]
            outer = (stiffness[:, None, None] * now[:, :, None] * edges[:, None, :]).reshape(-1, 9)
            target = (gather @ outer + self.coupling * (neighbours @ rotations.reshape(-1, 9))).reshape(-1, 3, 3)
            rotations[turning] = nearest_rotations(target)
            # Global step: the vertices that fit those rotations best.
            wanted = 0.5 * stiffness[:, None] * np.einsum("eij,ej->ei", rotations[start] + rotations[end], edges)
            vertices[free] = factor.solve(onto_free @ wanted - pull)
            outwards = self._volume_gradient(vertices)[free]
            inflated = factor.solve(outwards)
            lost = volume - self.volume_of(vertices)
            vertices[free] += pressure * lost / (outwards * inflated).sum() * inflated
        return vertices

    def volume_of(self, vertices):
        """m^3; openings count as if closed towards the origin, so only differences mean something where those are held."""
        a, b, c = (vertices[self.faces[:, corner]] for corner in range(3))
        return np.einsum("ti,ti->", a, np.cross(b, c)) / 6

    def _volume_gradient(self, vertices):
        a, b, c = (vertices[self.faces[:, corner]] for corner in range(3))
        gradient = np.zeros_like(vertices)
        for corner, across in enumerate((np.cross(b, c), np.cross(c, a), np.cross(a, b))):
            np.add.at(gradient, self.faces[:, corner], across / 6)
        return gradient


def nearest_rotations(matrices):
    """The rotations nearest to matrices (N,3,3). Source: Kabsch 1976."""
    left, _, right = np.linalg.svd(matrices)
    left[:, :, 2] *= np.linalg.det(left @ right)[:, None]
    return left @ right
