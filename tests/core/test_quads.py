"""Quads from triangles in a row: the winding stays, and a mesh that was modelled with triangles has none."""

import numpy as np

from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.quads import quad_corners


def normals(points, faces):
    a, b, c = (points[faces[:, corner]] for corner in range(3))
    return np.cross(b - a, c - a)


def test_the_halves_of_quads_become_quads_with_the_same_winding():
    points = np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (2, 0, 0), (2, 1, 0)], float)
    faces = np.array([(2, 0, 1), (0, 2, 3), (1, 4, 2), (2, 4, 5)])
    quads = faces.ravel()[quad_corners(faces)]
    assert [set(quad) for quad in quads.tolist()] == [{0, 1, 2, 3}, {1, 2, 4, 5}]
    for diagonal in ((0, 1, 2), (0, 2, 3)):
        assert (normals(points, quads[:, diagonal])[:, 2] > 0).all()


def test_triangles_that_are_no_pairs_stay_triangles():
    fan = np.array([(0, 1, 2), (0, 2, 3), (0, 3, 4), (5, 6, 7)])
    assert quad_corners(fan) is None
    assert quad_corners(fan[:3]) is None
    assert quad_corners(np.array([(0, 1, 2), (1, 2, 3)])) is None  # the second winds the other way


def test_the_open_body_is_of_quads_alone():
    faces = load_body("open").faces
    corners = quad_corners(faces)
    assert corners is not None and corners.shape == (len(faces) // 2, 4)
    assert np.array_equal(np.sort(corners // 6, 1), np.repeat(np.arange(len(corners))[:, None], 4, 1))
