"""The mesh's head moved in the picture to where the detector sees the face, before the skin is painted.

The solve fits joints, and a head has none but its own and the neck's: the mesh's eyes lie up to 6 cm beside the picture's, by the same in
all frames where it is the shape that differs; `alignment.py`, which compares pictures with each other, cannot see that. Here the offsets of
the face's keypoints from the mesh's own landmarks are spread over the skin: Gaussian-process regression with the Matern covariance of
Lindgren et al. 2011, "An explicit link between Gaussian fields and Gaussian Markov random fields: the SPDE approach", section 2.3, on the
mesh, so that a hand before the face is not moved. The landmarks and their noise are ours. A anchors, V vertices.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import coo_matrix, diags  # pyrefly: ignore[untyped-import] - scipy ships no type stubs
from scipy.sparse.csgraph import connected_components  # pyrefly: ignore[untyped-import]
from scipy.sparse.linalg import splu  # pyrefly: ignore[untyped-import]
from scipy.spatial import KDTree  # pyrefly: ignore[untyped-import]

from ...core.array_types import FloatArray, IntArray
from .surface import Surface

# Standard deviation, m, of a keypoint about the landmark of the skin of that name: what the detector scatters, and how far its idea of the
# point is off the body's. Others are left out, as they bring nothing: heels and toes scatter by 5 cm, and what the detector calls a hip, a
# wrist or an ankle lies 2 to 4 cm beside the body's joint, for which the solve allows.
NOISE = {"nose": 0.015, "eye": 0.010, "ear": 0.015}
SHIFT_SIGMA = 0.04  # m, of the mesh beside the picture
RANGE = 0.5  # m along the skin, over which shifts have little in common: a correlation of 0.13
OUTLIER = 0.05  # m beside the other keypoints, at which a keypoint counts half
ROUNDS = 4
MIN_CONFIDENCE = 0.1
MAX_OFFSET = 0.15  # m beside the mesh, beyond which a keypoint is another thing's, or the limb's pose is wrong


@dataclass(frozen=True)
class Anchors:
    """The mesh's points that keypoints are compared with.

    names: (A,). vertices: (A,). covariance: (V,A) m^2, of the shifts of vertices and anchors. noise: (A,) m.
    """

    names: tuple[str, ...]
    vertices: IntArray
    covariance: FloatArray
    noise: FloatArray

    def shifts(self, vertices: FloatArray, rays: Mapping[str, FloatArray]) -> FloatArray:
        """How far (V,2) m to move vertices (V,3) in the camera's axes; rays: of the keypoints of a frame by name, (3,), x/z, y/z and
        the confidence, 0..1."""
        points = vertices[self.vertices]
        found = np.array([rays.get(name, (0.0, 0.0, 0.0)) for name in self.names])
        offsets = found[:, :2] * points[:, 2:] - points[:, :2]
        seen = np.flatnonzero((found[:, 2] > MIN_CONFIDENCE) & (np.linalg.norm(offsets, axis=1) < MAX_OFFSET))
        if not len(seen):
            return np.zeros((len(vertices), 2))
        offsets = offsets[seen]
        prior = self.covariance[np.ix_(self.vertices[seen], seen)]
        noise = (self.noise[seen] / found[seen, 2].clip(max=1)) ** 2
        robust = np.ones(len(seen))
        gains = np.zeros_like(offsets)
        for _ in range(ROUNDS):
            gains = np.linalg.solve(prior + np.diag(noise / robust), offsets)
            robust = 1 / (1 + ((offsets - prior @ gains) ** 2).sum(1) / OUTLIER**2)
        return self.covariance[:, seen] @ gains


def anchors_of_body(surface: Surface, landmarks: Mapping[str, int]) -> Anchors:
    """The anchors of a body with landmarks, name -> vertex; those that it lacks are left out."""
    body, nearest = _largest_part(surface)
    kinds = {name: kind for kind in NOISE for name in (kind, f"left_{kind}", f"right_{kind}") if name in landmarks}
    vertices = nearest[[landmarks[name] for name in kinds]]
    covariance = _covariance(surface, body, vertices)[nearest]
    return Anchors(tuple(kinds), vertices, covariance, np.array([NOISE[kind] for kind in kinds.values()]))


def _largest_part(surface: Surface) -> tuple[IntArray, IntArray]:
    """The vertices (N,) of the skin, without eyes and teeth, and for each vertex (V,) the nearest one of them."""
    start, end = surface.edges.T
    count = len(surface.vertices)
    _number, part = connected_components(coo_matrix((np.ones(len(start)), (start, end)), (count, count)), directed=False)
    body = np.flatnonzero(part == np.bincount(part).argmax())
    return body, body[KDTree(surface.vertices[body]).query(surface.vertices)[1]]


def _covariance(surface: Surface, body: IntArray, anchors: IntArray) -> FloatArray:
    """The covariance (V,A) m^2 of the vertices of the body, 0 for others, and the anchors."""
    stiffness, mass = _laplacian(surface)
    kappa = np.sqrt(8.0) / RANGE  # of smoothness 1
    matrix = (stiffness + diags(kappa**2 * mass))[body][:, body].tocsc()
    solver = splu(matrix)
    once = solver.solve((body[:, None] == anchors).astype(float))
    found = np.zeros((len(surface.vertices), len(anchors)))
    found[body] = solver.solve(mass[body, None] * once)
    return found * SHIFT_SIGMA**2 / found[anchors, np.arange(len(anchors))].mean()


def _laplacian(surface: Surface) -> tuple[Any, FloatArray]:
    """The stiffness matrix (V,V) of linear elements at rest, with cotangents, and the area (V,) m^2 of vertices."""
    corners, count = surface.vertices[surface.faces], len(surface.vertices)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    links: Any = coo_matrix((count, count))
    for k in range(3):
        a, b = (corners[:, (k + step) % 3] - corners[:, k] for step in (1, 2))
        half = ((a * b).sum(1) / np.maximum(4 * area, 1e-10)).clip(0, 10)  # half a cotangent; blunt angles count as right ones
        ends = surface.faces[:, (k + 1) % 3], surface.faces[:, (k + 2) % 3]
        links = links + coo_matrix((half, ends), (count, count)) + coo_matrix((half, ends[::-1]), (count, count))
    mass = np.bincount(surface.faces.ravel(), np.repeat(area / 3, 3), count).astype(float)
    degrees: Any = diags(np.asarray(links.sum(1)).ravel())
    return degrees - links, mass
