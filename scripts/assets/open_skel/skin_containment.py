"""Moves bone meshes inside the skin, for the mean body and for thin, heavy, short and tall bodies."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from scipy import sparse  # pyrefly: ignore[untyped-import] - scipy ships no type stubs
from scipy.spatial import cKDTree  # pyrefly: ignore[missing-module-attribute, untyped-import] - scipy ships no type stubs

from blender_meshrec.core.array_types import AnyArray, BoolArray, FloatArray, IntArray

from .shapes import bone_shapedirs

MARGIN = 0.002  # m, smallest depth of a bone below the skin
ROUNDS = 10
REACH = 12  # edges over which a displacement spreads
FALLOFF = 0.92  # factor of the displacement per edge
OPENING_RADIUS = 0.012  # m around the openings of eyes and mouth, where the skin folds inward and its normals are unreliable

Spreading: TypeAlias = Callable[[FloatArray, FloatArray], FloatArray]  # displacements (N,3) and their lengths (N,) to smooth displacements


class Skin:
    """The skin in the shapes that must contain the bones: betas 0, each beta at -2 and 2, and random betas in this range.

    body: the open body's arrays, float64. weights: (V,24).
    """

    def __init__(self, body: Mapping[str, AnyArray], weights: FloatArray) -> None:
        self.body, self.weights = body, weights
        single = np.concatenate([2 * np.eye(10), -2 * np.eye(10)])
        drawn = np.random.default_rng(1).uniform(-2, 2, (12, 10))
        self.shapes = np.concatenate([np.zeros((1, 10)), single, drawn])

    def of(self, betas: FloatArray) -> FloatArray:
        """The rest vertices (V,3) m of a shape."""
        return self.body["v_template"] + self.body["shapedirs"] @ betas


class SkinDepth:
    """The depth of points below a skin. reliable: indices of vertices and, after them, faces, from `reliable_surface`."""

    def __init__(self, vertices: FloatArray, faces: IntArray, reliable: IntArray) -> None:
        vertex_normals, face_normals = _normals(vertices, faces)
        self.points = np.concatenate([vertices, vertices[faces].mean(1)])[reliable]
        self.normals = np.concatenate([vertex_normals, face_normals])[reliable]
        self.tree = cKDTree(self.points)

    def __call__(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Depths (N,) m, negative outside, and the skin's outward normals there (N,3)."""
        near = self.tree.query(points)[1]
        return ((self.points[near] - points) * self.normals[near]).sum(1), self.normals[near]


def reliable_surface(vertices: FloatArray, faces: IntArray, head: FloatArray) -> IntArray:
    """Indices of vertices and, after them, faces whose normals separate inside from outside.

    Excluded are those around the openings of the face and in its folds. head: (3,) m, the head joint.
    """
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    unique_edges, counts = np.unique(edges, axis=0, return_counts=True)
    rim = cKDTree(vertices[np.unique(unique_edges[counts == 1])])
    points = np.concatenate([vertices, vertices[faces].mean(1)])
    from_head = points - (head + (0, 0.03, 0.02))
    distance = np.linalg.norm(from_head, axis=1)
    outward = (np.concatenate(_normals(vertices, faces)) * from_head).sum(1) / distance
    near_head = (distance < 0.16) & (from_head[:, 1] > -0.07)
    return np.flatnonzero((rim.query(points)[0] > OPENING_RADIUS) & ~(near_head & (outward < 0.35)))


def _normals(vertices: FloatArray, faces: IntArray) -> tuple[FloatArray, FloatArray]:
    """The unit normals of vertices (V,3) and faces (T,3)."""
    corners = vertices[faces]
    face_normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    vertex_normals = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(vertex_normals, faces[:, corner], face_normals)
    return _normalized(vertex_normals), _normalized(face_normals)


def _normalized(vectors: FloatArray) -> FloatArray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def pull_inside(
    skin: Skin, vertices: FloatArray, faces: IntArray, weights: FloatArray, maps: FloatArray, head: FloatArray, held: BoolArray
) -> FloatArray:
    """Move bone vertices (N,3) m of the mean body until they are `MARGIN` below the skin of all shapes; the rest of a bone follows.

    Args:
        weights: (N,24). maps: `shapes.bone_maps`. head: (3,) m, the head joint. held: (N,) bool, vertices that are not pushed.
    """
    reliable = reliable_surface(skin.of(np.zeros(10)), skin.body["f"], head)
    depths = [SkinDepth(skin.of(betas), skin.body["f"], reliable) for betas in skin.shapes]
    spread = _make_spreading(len(vertices), faces)
    for _ in range(ROUNDS):
        push, strength = np.zeros_like(vertices), np.zeros(len(vertices))
        shapedirs = bone_shapedirs(skin.body, maps, vertices, weights)
        for betas, depth in zip(skin.shapes, depths, strict=True):
            depth_of, outward = depth(vertices + shapedirs @ betas)
            worse = np.flatnonzero((MARGIN - depth_of > strength) & ~held)
            strength[worse] = MARGIN - depth_of[worse]
            push[worse] = -outward[worse]
        if not strength.any():
            break
        vertices = vertices + spread(push * strength[:, None], strength)
    return vertices


def _make_spreading(count: int, faces: IntArray) -> Spreading:
    """A function that spreads displacements (N,3) with lengths (N,) to the neighbouring vertices of a mesh, and smooths them."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    links = sparse.coo_matrix((np.ones(len(edges)), edges.T), shape=(count, count)).tocsr() + sparse.identity(count)
    mean = sparse.diags(1 / np.asarray(links.sum(1)).ravel()) @ links

    def spread(push: FloatArray, strength: FloatArray) -> FloatArray:
        directions, lengths = push, strength
        for _ in range(REACH):
            spread_lengths = lengths.copy()
            np.maximum.at(spread_lengths, edges[:, 0], FALLOFF * lengths[edges[:, 1]])
            lengths, directions = spread_lengths, mean @ directions
        for _ in range(6):
            lengths = np.maximum(mean @ lengths, strength)
        size = np.linalg.norm(directions, axis=1, keepdims=True)
        return lengths[:, None] * directions / np.maximum(size, 1e-12) * (size > 1e-9)

    return spread
