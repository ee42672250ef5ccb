"""Bones kept inside the skin, for the mean body and for thin, heavy, short and tall ones alike."""

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from .shapes import bone_shapedirs

MARGIN = 0.002  # m of flesh on every bone
ROUNDS = 10
REACH = 12  # how many edges away a push is still felt
FALLOFF = 0.92  # what is left of it after each
OPENING_RADIUS = 0.012  # m around the eyes' and the mouth's openings, where the skin turns inward and tells nothing


class Skin:
    """The skin in the shapes that bones have to stay inside: betas 0, each at -2 and 2, and random ones within.

    body: the open body's arrays, float64. weights: (V,24).
    """

    def __init__(self, body, weights):
        self.body, self.weights = body, weights
        single = np.concatenate([2 * np.eye(10), -2 * np.eye(10)])
        drawn = np.random.default_rng(1).uniform(-2, 2, (12, 10))
        self.shapes = np.concatenate([np.zeros((1, 10)), single, drawn])

    def of(self, betas):
        """Vertices (V,3) m at rest."""
        return self.body["v_template"] + self.body["shapedirs"] @ betas


class SkinDepth:
    """How deep places lie below one skin. telling: which of its vertices and, after them, faces to ask, from `reliable_surface`."""

    def __init__(self, vertices, faces, telling):
        at_vertices, at_faces = _normals(vertices, faces)
        self.places = np.concatenate([vertices, vertices[faces].mean(1)])[telling]
        self.normals = np.concatenate([at_vertices, at_faces])[telling]
        self.tree = cKDTree(self.places)

    def __call__(self, points):
        """Depth (N,) m, negative outside, and the skin's outward direction there (N,3)."""
        near = self.tree.query(points)[1]
        return ((self.places[near] - points) * self.normals[near]).sum(1), self.normals[near]


def reliable_surface(vertices, faces, head):
    """Vertices and, after them, faces whose side tells inside from outside: not around the openings of the face, nor in its folds.

    Args:
        head: (3,) m, the head's joint.
    """
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    single, times = np.unique(edges, axis=0, return_counts=True)
    rim = cKDTree(vertices[np.unique(single[times == 1])])
    places = np.concatenate([vertices, vertices[faces].mean(1)])
    away = places - (head + (0, 0.03, 0.02))
    distance = np.linalg.norm(away, axis=1)
    outward = (np.concatenate(_normals(vertices, faces)) * away).sum(1) / distance
    near_head = (distance < 0.16) & (away[:, 1] > -0.07)
    return np.flatnonzero((rim.query(places)[0] > OPENING_RADIUS) & ~(near_head & (outward < 0.35)))


def _normals(vertices, faces):
    corners = vertices[faces]
    at_faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    at_vertices = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(at_vertices, faces[:, corner], at_faces)
    return tuple(normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12) for normals in (at_vertices, at_faces))


def pull_inside(skin, vertices, faces, weights, maps, head, held):
    """Bone vertices (N,3) m of the mean body, moved until they lie `MARGIN` below the skin of all shapes; the rest of a bone follows.

    Args:
        weights: (N,24). maps: `shapes.bone_maps`. head: (3,) m, the head's joint. held: (N,) bool, which stay.
    """
    telling = reliable_surface(skin.of(np.zeros(10)), skin.body["f"], head)
    depths = [SkinDepth(skin.of(betas), skin.body["f"], telling) for betas in skin.shapes]
    spread = _make_spreading(len(vertices), faces)
    for _ in range(ROUNDS):
        push, strength = np.zeros_like(vertices), np.zeros(len(vertices))
        shapedirs = bone_shapedirs(skin.body, maps, vertices, weights)
        for betas, depth in zip(skin.shapes, depths, strict=True):
            deep, out = depth(vertices + shapedirs @ betas)
            farther = np.flatnonzero((MARGIN - deep > strength) & ~held)
            strength[farther] = MARGIN - deep[farther]
            push[farther] = -out[farther]
        if not strength.any():
            break
        vertices = vertices + spread(push * strength[:, None], strength)
    return vertices


def _make_spreading(count, faces):
    """A function of pushes (N,3) and their strengths (N,): the same pushes, felt around and smooth over the mesh."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    links = sparse.coo_matrix((np.ones(len(edges)), edges.T), shape=(count, count)).tocsr() + sparse.identity(count)
    mean = sparse.diags(1 / np.asarray(links.sum(1)).ravel()) @ links

    def spread(push, strength):
        directions, felt = push, strength
        for _ in range(REACH):
            around = felt.copy()
            np.maximum.at(around, edges[:, 0], FALLOFF * felt[edges[:, 1]])
            felt, directions = around, mean @ directions
        for _ in range(6):
            felt = np.maximum(mean @ felt, strength)
        size = np.linalg.norm(directions, axis=1, keepdims=True)
        return felt[:, None] * directions / np.maximum(size, 1e-12) * (size > 1e-9)

    return spread
