"""Location maps: what is painted is read again, seams are averaged, and texels are where their positions say."""

import numpy as np
import pytest
import torch

from blender_meshrec.bodies.uv_map import MapPainter, UvLayout, vertices_from_map

ROWS, COLUMNS = 6, 7


@pytest.fixture
def tube():
    """A tube whose UV map is cut open: its first column of vertices is also the last column of UV points."""
    points = [(column / (COLUMNS - 1), row / (ROWS - 1)) for row in range(ROWS) for column in range(COLUMNS)]
    vertex = np.array([row * (COLUMNS - 1) + column % (COLUMNS - 1) for row in range(ROWS) for column in range(COLUMNS)])
    corners = [row * COLUMNS + column for row in range(ROWS - 1) for column in range(COLUMNS - 1)]
    faces = [face for a in corners for face in ((a, a + 1, a + COLUMNS), (a + 1, a + COLUMNS + 1, a + COLUMNS))]
    return UvLayout(0.0813 + 0.8379 * np.array(points), vertex, np.array(faces))


def test_what_is_linear_over_the_map_is_read_again(tube):
    painter = MapPainter(tube, 41)
    along = torch.as_tensor(np.array(tube.texcoords)[:, 1][np.unique(tube.vertex_of_texcoord, return_index=True)[1]])
    vertices = torch.stack([along, 2 * along, 1 - along], -1)[None]
    np.testing.assert_allclose(vertices_from_map(painter(vertices), tube), vertices, atol=0.02)  # 41 texels: 0.0125 of the height each


def test_texels_lie_at_their_uv(tube):
    painter = MapPainter(tube, 25)
    flat = UvLayout(tube.texcoords, np.arange(len(tube.texcoords)), tube.texcoord_faces)
    uv = MapPainter(flat, 25)(torch.as_tensor(tube.texcoords)[None])[0].numpy()
    inside = painter.is_covered.copy()
    inside[:4], inside[-4:], inside[:, :4], inside[:, -4:] = False, False, False, False
    rows, columns = np.nonzero(inside)
    assert len(rows) > 200
    np.testing.assert_allclose(uv[rows, columns], np.column_stack([columns, rows]) / 24, atol=1e-9)


def test_a_vertex_on_a_seam_is_the_mean_of_its_points(tube):
    values = torch.zeros(1, 101, 101, 1)
    values[0, :, :50], values[0, :, 50:] = 1.0, 3.0  # the seam's points lie at both ends
    read = vertices_from_map(values, tube)[0, :, 0].reshape(ROWS, COLUMNS - 1)
    assert read[:, 0].tolist() == [2.0] * ROWS and read[:, 1].tolist() == [1.0] * ROWS and read[:, -1].tolist() == [3.0] * ROWS


def test_texels_beyond_the_map_are_empty_and_every_uv_point_has_its_neighbours(tube):
    painter = MapPainter(tube, 33)
    assert not painter.is_covered[0].any() and not painter.is_covered[:, -1].any()
    np.testing.assert_allclose(painter.weights.sum(-1), painter.is_covered, atol=1e-9)
    for u, v in np.array(tube.texcoords) * 32:
        assert painter.is_covered[int(v) : int(v) + 2, int(u) : int(u) + 2].all()
    with pytest.raises(ValueError, match="triangles"):
        MapPainter(UvLayout(tube.texcoords, tube.vertex_of_texcoord), 8)
