"""The open body's UV map for DecoMR: meshes survive it at 64 texels, triangles keep their sides, and parts stay apart."""

import numpy as np
import pytest
import torch

from blender_meshrec.bodies.open_body_uv import open_body_uv
from blender_meshrec.bodies.uv_map import MapPainter, UvLayout, vertices_from_map
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.files.open_body_details import load_open_body_details

SIZE = 64


@pytest.fixture(scope="module")
def layout():
    return open_body_uv()


def signed_areas(points, faces):
    a, b, c = np.moveaxis(points[faces], 1, 0)
    (x, y), (other_x, other_y) = (b - a).T, (c - a).T
    return x * other_y - y * other_x


def round_trip_error(layout, vertices):
    """Distances (V,) m of vertices (V,3) from what a location map of 64 texels makes of them."""
    painted = MapPainter(layout, SIZE)(vertices[None])
    return (vertices_from_map(painted, layout)[0] - vertices).norm(dim=-1)


def test_a_mesh_survives_a_location_map_better_than_on_the_texture_itself(layout):
    vertices = torch.tensor(load_body().v_template, dtype=torch.float32)
    error = round_trip_error(layout, vertices)
    assert error.mean() < 0.005 and error.max() < 0.025  # m
    texture = round_trip_error(layout._replace(texcoords=load_open_body_details().vt.astype(float)), vertices)
    assert error.mean() < texture.mean() and error.max() < 0.1 * texture.max()


def test_no_triangle_is_turned_over_and_all_are_inside_the_square(layout):
    assert layout.texcoords.min() >= 0 and layout.texcoords.max() <= 1
    before = signed_areas(load_open_body_details().vt.astype(float), layout.texcoord_faces)
    after = signed_areas(layout.texcoords, layout.texcoord_faces)
    assert (np.sign(after) == np.sign(before))[np.abs(before) > 1e-9].all()


def test_texels_of_different_parts_are_not_mixed(layout):
    """A hand at the other end of the body does not move a vertex of the head, nor any other part's."""
    body = load_body()
    hand = body.lbs_weights[:, [body.joint_names.index(name) for name in ("left_wrist", "left_hand")]].sum(1)
    moved = torch.as_tensor(np.where(hand > 0.5, 1.0, 0.0), dtype=torch.float32)[:, None]
    read = vertices_from_map(MapPainter(layout, SIZE)(moved[None]), UvLayout(layout.texcoords, layout.vertex_of_texcoord))[0, :, 0]
    assert read[torch.as_tensor(hand < 0.01)].max() < 0.05 and read[torch.as_tensor(hand > 0.99)].min() > 0.95
