"""Textures of a small body, filmed by the test itself: what is painted is what was filmed, and what was not is filled in."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from blender_meshrec.backend.texture import fill
from blender_meshrec.backend.texture.alignment import render
from blender_meshrec.backend.texture.blend import blend
from blender_meshrec.backend.texture.choose_frames import choose_frames, frame_quality
from blender_meshrec.backend.texture.exposure import solve_gains
from blender_meshrec.backend.texture.fill import diffuse, fill_unseen, paint
from blender_meshrec.backend.texture.filmed_view import Lens, Shot, look
from blender_meshrec.backend.texture.mask_of_person import mask_in_picture, overlap
from blender_meshrec.backend.texture.paint import Painter, paint_shots
from blender_meshrec.backend.texture.rasterise import rasterise
from blender_meshrec.backend.texture.robust import weighted_median
from blender_meshrec.backend.texture.surface import Surface, surface_of_body
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.silhouettes import MASK_SIZE, Silhouettes
from tests.support.synthetic_bodies import make_tube_body

SIZE = (160, 200)  # px
K = np.array([[260.0, 0, SIZE[0] / 2], [0, 260.0, SIZE[1] / 2], [0, 0, 1]])
AROUND, ALONG = 48, 48
RADIUS, HEIGHT = 0.18, 1.2  # m
TEXELS = 128
SKIN = (220, 190, 170)
BACKGROUND = (20, 90, 30)


@pytest.fixture(scope="module")
def column():
    """A column of 0.36 m, whose UV map is its unrolled side, the seam at the back; closed at the ends by the map's margins."""
    angle, height = np.meshgrid(np.linspace(0, 1, AROUND + 1), np.linspace(0, 1, ALONG + 1))
    across = -np.pi + 2 * np.pi * angle  # 0 at the front, z towards the viewer
    points = np.stack([RADIUS * np.sin(across), HEIGHT * (height - 0.5), RADIUS * np.cos(across)], -1)
    vertices = points[:, :-1].reshape(-1, 3)
    vt = np.stack([0.05 + 0.9 * angle, 0.05 + 0.9 * height], -1).reshape(-1, 2)
    faces, ft = [], []
    for row in range(ALONG):
        for k in range(AROUND):
            corners = [(row, k), (row, k + 1), (row + 1, k + 1), (row + 1, k)]
            own, uv = [r * AROUND + c % AROUND for r, c in corners], [r * (AROUND + 1) + c for r, c in corners]
            faces += [[own[0], own[1], own[2]], [own[0], own[2], own[3]]]
            ft += [[uv[0], uv[1], uv[2]], [uv[0], uv[2], uv[3]]]
    return Surface(vertices, np.array(faces), vt, np.array(ft))


def true_texture(size=TEXELS):
    """Bars of two colours and three rows, the same on the left and the right."""
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    x = np.abs(x - 0.5)
    picture = np.where(((x * 8).astype(int) % 2 == 0)[..., None], (200, 60, 50), (60, 90, 200)) + (50 * (y * 3).astype(int) / 2)[..., None]
    return picture.clip(0, 255).astype(np.uint8)


def film(surface, texture, angle, shift=(0.0, 0.0), gain=1.0):
    """A shot of the column turned by an angle; shift: m by which the picture is off what the shot says."""
    turn = rotmat_from_rotvec(np.array([0.0, angle, 0.0]))
    placed = surface.vertices @ turn.T * [1, -1, -1] + [0, 0, 2.0]
    background = np.full((SIZE[1], SIZE[0], 3), BACKGROUND, np.uint8)
    background[::8] += 30
    filmed = Shot(background, Lens(K), placed + [*shift, 0.0])
    view = look(filmed, surface.faces, surface.normals(filmed.vertices), 1000)
    picture, _shown = render(view, texture, surface)
    left, top = view.offset.astype(int)
    background[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return Shot((background * gain).clip(0, 255).astype(np.uint8), Lens(K), placed)


def film_around(surface, texture, count=12, **options):
    return [film(surface, texture, 2 * np.pi * k / count, **options) for k in range(count)]


def error_of(painted, texture):
    true = cv2.resize(texture, painted.texture.shape[:2], interpolation=cv2.INTER_AREA).reshape(-1, 3)[painted.index].astype(float)
    return np.abs(painted.texture.reshape(-1, 3)[painted.index] - true).mean(1)


# --- painting ---


def test_the_texture_is_the_one_that_was_filmed(column):
    texture = true_texture()
    painted = paint_shots(film_around(column, texture), column, TEXELS)
    assert painted.share > 0.9 and painted.views == 12 and error_of(painted, texture)[painted.seen > 0.5].mean() < 8


def test_the_seam_of_the_map_does_not_show(column):
    """The texels on both sides of the seam at the back are neighbours on the skin."""
    texture = np.full((TEXELS, TEXELS, 3), SKIN, np.uint8)
    shots = [
        replace(shot, image=(shot.image * (0.85 + 0.3 * (k % 2))).clip(0, 255).astype(np.uint8))
        for k, shot in enumerate(film_around(column, texture, 9))
    ]
    painted = paint_shots(shots, column, TEXELS)
    edges = painted.texture[20:-20, [9, -10]].astype(float)
    assert np.abs(edges[:, 0] - edges[:, 1]).max() < 6


def test_exposures_are_made_even(column):
    texture = np.full((TEXELS, TEXELS, 3), (120, 110, 100), np.uint8)
    gains = np.exp(0.15 * np.sin(np.arange(12) * 2.1))
    shots = [film(column, texture, 2 * np.pi * k / 12, gain=gain) for k, gain in enumerate(gains)]
    painted = paint_shots(shots, column, TEXELS, rounds=0)
    middle = painted.texture[30:-30, 12:-12].reshape(-1, 3).astype(float)
    assert np.ptp(middle, axis=0).max() < 0.5 * 110 * np.ptp(gains) / 2


def test_pictures_beside_the_mesh_are_moved_onto_each_other(column):
    texture = true_texture()
    rng = np.random.default_rng(1)
    shots = [film(column, texture, 2 * np.pi * k / 12, shift=rng.normal(0, 0.012, 2)) for k in range(12)]
    blurred, aligned = (paint_shots(shots, column, TEXELS, rounds=rounds) for rounds in (0, 3))
    sharpness = [cv2.Laplacian(each.texture[20:-20, 12:-12], cv2.CV_64F).std() for each in (blurred, aligned)]
    errors = [error_of(each, texture)[each.seen > 0.5].mean() for each in (blurred, aligned)]
    assert errors[1] < 0.9 * errors[0] and sharpness[1] > 0.9 * sharpness[0]


def test_no_background_bleeds_in(column):
    """The mesh is wider than what was filmed: its rim shows the background, which is not painted."""
    texture = np.full((TEXELS, TEXELS, 3), SKIN, np.uint8)
    shots = [replace(shot, vertices=(shot.vertices - [0, 0, 2]) * [1.12, 1, 1.12] + [0, 0, 2]) for shot in film_around(column, texture)]
    painted = paint_shots(shots, column, TEXELS)
    assert error_of(painted, texture).max() < 40


def test_somebody_in_front_is_not_painted(column):
    texture = np.full((TEXELS, TEXELS, 3), SKIN, np.uint8)
    shots = film_around(column, texture, 4)
    other = shots[0].vertices * [0.5, 1, 0.5] + [0.05, 0, 0.5]
    hidden = look(replace(shots[0], vertices=other), column.faces, column.normals(other), 1000)
    picture, shown = render(hidden, np.zeros_like(texture), column)
    image = shots[0].image.copy()
    left, top = hidden.offset.astype(int)
    image[top : top + shown.shape[0], left : left + shown.shape[1]][shown] = picture[shown]
    seen = [paint_shots([replace(shots[0], image=image, others=others), *shots[1:]], column, TEXELS, rounds=0) for others in ((), (other,))]
    assert error_of(seen[1], texture).max() < 20 < error_of(seen[0], texture).max()
    boxes = replace(shots[0], image=image, hidden=np.array([[0.0, 0, *SIZE]]))
    assert error_of(paint_shots([boxes, *shots[1:]], column, TEXELS, rounds=0), texture).max() < 20


def test_the_other_side_fills_what_no_picture_shows(column):
    """Seen from the left alone, the right side is its mirror image."""
    texture = true_texture()
    shots = [film(column, texture, angle) for angle in (0.6, 1.1, 1.6, 2.1, 2.6)]
    painted = paint_shots(shots, column, TEXELS, rounds=0)
    mirrored = np.abs(painted.texture[20:-20, 12:60].astype(float) - painted.texture[20:-20, ::-1][:, 12:60]).mean()
    assert 0.4 < painted.share < 0.75 and mirrored < 12


def test_large_textures_are_filled_piece_by_piece(column, monkeypatch):
    """A piece is no border: whole, and in pieces of 100 texels, the texture is the same but for rounding."""
    shots = [film(column, true_texture(), angle) for angle in (0.6, 1.6, 2.6)]
    whole = paint_shots(shots, column, TEXELS, rounds=0)
    monkeypatch.setattr(fill, "CHUNK", 100)
    pieces = paint_shots(shots, column, TEXELS, rounds=0)
    assert np.abs(whole.texture.astype(int) - pieces.texture).max() <= 1


def test_a_person_out_of_the_picture_has_no_texture(column):
    shot = film(column, true_texture(), 0.0)
    assert paint_shots([replace(shot, vertices=shot.vertices + [5.0, 0, 0])], column, TEXELS) is None
    assert Painter(column, TEXELS).paint() is None


# --- parts ---


def test_a_mesh_with_known_distortion_lands_on_the_picture(column):
    points = np.array([[0.3, 0.2, 2.0], [0.0, 0.0, 1.0], [0.1, 0.0, -1.0]])
    pixels = Lens(K, np.array([0.2, 0, 0, 0, 0])).pixels(points)
    ray = points[0, :2] / 2
    np.testing.assert_allclose(pixels[0], K[:2, 2] + 260 * ray * (1 + 0.2 * (ray**2).sum()))
    assert np.allclose(pixels[1], K[:2, 2]) and np.isnan(pixels[2]).all()
    np.testing.assert_allclose(Lens(K).pixels(points)[0], K[:2, 2] + 260 * ray)


def test_a_pixel_shows_the_nearest_triangle_that_its_centre_is_inside_of():
    near, far = [[1.0, 1], [9, 1], [1, 9]], [[0.0, 0], [12, 0], [0, 12]]
    raster = rasterise(np.array([near, far]), (12, 12), np.array([[2.0] * 3, [1.0] * 3]))
    assert raster.triangles[2, 2] == 0 and raster.triangles[0, 0] == 1 and raster.triangles[11, 11] == -1
    place = raster.weights[2, 3] @ np.array(near)
    np.testing.assert_allclose(place, (3.5, 2.5))
    raster = rasterise(np.array([near, [[np.nan, 1], [2, 1], [1, 2]]]), (12, 12), np.array([[0.0, 1, 1], [1.0] * 3]))
    assert (raster.triangles == -1).all()


def test_gains_of_pictures_are_found_up_to_a_common_one():
    rng = np.random.default_rng(0)
    true, gains = rng.uniform(40, 200, (300, 3)), np.exp(rng.normal(0, 0.08, (5, 1)))
    colours = true / gains[:, None] + rng.normal(0, 1, (5, 300, 3))
    colours[0, :20] = 255  # somebody's hand
    found, biases = solve_gains(colours, rng.uniform(0.5, 1, (5, 300)))
    evened = colours * found[:, None] + biases[:, None]
    assert np.ptp(evened[:, 20:], axis=0).mean() < 0.35 * np.ptp(colours[:, 20:], axis=0).mean()


def test_the_median_goes_by_weight():
    values, weights = np.array([[1.0], [5.0], [9.0]]), np.array([[1.0], [1.0], [5.0]])
    assert weighted_median(values, weights)[0] == 9 and weighted_median(values, np.ones((3, 1)))[0] == 5


def test_values_spread_smoothly_over_the_mesh(column):
    height = column.vertices[:, 1:2]
    known = np.abs(height[:, 0]) > 0.55
    spread = diffuse(np.where(known[:, None], height, 0), known, column)
    assert np.abs(spread - height).max() < 0.06 and (diffuse(height, np.zeros(len(height), bool), column) == height).all()


def test_nothing_seen_is_grey(column):
    texels = column.texels(32)
    shot = film(column, true_texture(), 0.0)
    view = look(shot, column.faces, column.normals(shot.vertices), 500)
    view.clear[:] = 0
    assert (paint(fill_unseen(blend([view], column, texels), column, texels), texels) == 128).all()


def test_the_open_body_has_a_surface_and_others_have_none():
    body = load_body("open")
    surface = surface_of_body(body)
    other = surface.mirrored_vertices
    assert surface_of_body(make_tube_body()) is None and (other >= 0).mean() > 0.95
    assert np.abs(surface.vertices[other[other >= 0]] * [-1, 1, 1] - surface.vertices[other >= 0]).max() < 0.02
    texels = surface.texels(256)
    at_rest = texels.interpolate(surface.vertices)
    assert len(np.unique(texels.index)) == len(texels) > 0.5 * 256**2 and np.ptp(at_rest[:, 1]) > 1.4


def test_frames_are_chosen_from_all_sides_and_still_ones_first():
    angle = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    side = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    normals = np.stack([np.sin(side - angle[:, None]), np.zeros((120, 40)), -np.cos(side - angle[:, None])], -1)
    points = np.full((120, 40, 3), [0.0, 0.0, 3.0])
    speed = np.where(np.arange(120) % 4 == 0, 0.0, 0.1)[:, None]
    quality = frame_quality(points, normals, np.full(120, 1000.0), speed, np.ones(120), np.ones((120, 40), bool))
    chosen = choose_frames(quality, np.arange(120), 12)
    assert len(chosen) == 12 and (chosen % 4 == 0).all() and np.diff(chosen).max() <= 20 and (np.diff(chosen) > 0).all()
    assert len(choose_frames(quality, np.arange(120), 1)) == 1 and len(choose_frames(0 * quality, np.arange(120))) == 0


def test_a_silhouette_lies_where_the_lens_shows_it():
    mask = np.zeros((1, MASK_SIZE, MASK_SIZE), bool)
    mask[0, : MASK_SIZE // 2] = True
    silhouettes = Silhouettes(np.array([7]), np.array([[80.0, 100.0, 96.0]]), mask)
    found = mask_in_picture(silhouettes, 7, (200, 160), Lens(K), K)
    assert found[60:90, 40:120].all() and not found[110:].any() and not found[:45].any()
    zoomed = mask_in_picture(silhouettes, 7, (200, 160), Lens(K * [[1.5], [1.5], [1]] - [[0, 0, 40], [0, 0, 50], [0, 0, 0]]), K)
    assert zoomed[35:90, 20:140].all() and not zoomed[110:].any()
    assert mask_in_picture(silhouettes, 6, (200, 160), Lens(K), K) is None and mask_in_picture(None, 7, (200, 160), Lens(K), K) is None


def test_boxes_that_others_cover():
    boxes, others = np.array([[0.0, 0, 10, 10]] * 3), np.array([[5.0, 0, 20, 10], [20, 20, 30, 30], [-5, -5, 15, 15]])
    assert overlap(boxes, others).tolist() == [0.5, 0.0, 1.0]
