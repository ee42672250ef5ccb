"""Square crops: tiles cover the image, and positions in a crop map back to the image."""

import numpy as np
import pytest

from blender_meshrec.backend.detection.crops import Square, crop_square, image_from_turned, image_tiles, square_around


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (640, 640), (1920, 480), (101, 57)])
def test_tiles_cover_the_image_at_every_scale(size):
    width, height = size
    tiles = image_tiles(width, height, 3)
    assert tiles[0] == (width / 2, height / 2, max(size), 0)
    assert len(tiles) < 200 and len(set(tiles)) == len(tiles)
    assert image_tiles(width, height, 2) == tiles[: len(image_tiles(width, height, 2))]
    for side in {tile.side for tile in tiles}:
        covered = np.zeros((height, width), bool)
        for tile in (tile for tile in tiles if tile.side == side):
            top, left = (max(0, int(np.floor(middle - side / 2))) for middle in (tile.y, tile.x))
            covered[top : int(np.ceil(tile.y + side / 2)), left : int(np.ceil(tile.x + side / 2))] = True
        assert covered.all()
    # A person of at most half a tile is whole in one of them.
    small = min(size) / 6
    for x, y in np.random.default_rng(0).uniform([small, small], [width - small, height - small], (50, 2)):
        assert any(max(abs(tile.x - x), abs(tile.y - y)) <= tile.side / 2 - small / 2 + 0.06 * tile.side for tile in tiles[-40:] + tiles)


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("square", [(150, 100, 96), (20, 30, 120), (290, 190, 60), (150, 100, 700)])
def test_positions_in_a_crop_map_back_to_the_image(square, turns):
    """The image's colours are its own coordinates, so that every pixel of the crop gives its position in the image."""
    x, y = np.meshgrid(np.arange(300) + 0.5, np.arange(200) + 0.5)
    image = np.stack([x / 300 * 255, y / 200 * 255, np.zeros_like(x)], -1).round().astype(np.uint8)
    crop, image_from_crop = crop_square(image, Square(*square, turns), 64)
    assert crop.shape == (64, 64, 3)
    grid = (np.stack(np.meshgrid(np.arange(64), np.arange(64)), -1) + 0.5) / 64
    positions = grid @ image_from_crop[:, :2].T + image_from_crop[:, 2]
    inside = ((positions > 8) & (positions < [292, 192])).all(-1)
    coordinates = crop[..., :2] / 255 * [300, 200]
    # half an image pixel of rounding, one grey level, and the average over a crop pixel
    assert inside.sum() > 20 and np.abs(coordinates - positions)[inside].max() < 2.5 + square[2] / 64
    # beyond the image its border is repeated
    beyond = np.clip(positions, 0.5, [299.5, 199.5])
    assert np.abs(coordinates - beyond).max() < 2.5 + square[2] / 64


def test_directions_turn_with_the_image():
    right, down = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    # A direction to the right points up once the image is turned counterclockwise.
    assert np.allclose(image_from_turned(1) @ -down, right)
    assert np.allclose(image_from_turned(3) @ down, right)
    assert np.allclose(image_from_turned(2) @ -right, right)


def test_a_square_that_misses_the_image_gives_none():
    assert crop_square(np.zeros((50, 50, 3), np.uint8), Square(200, 20, 30), 64) is None


def test_a_square_around_a_box_contains_it():
    assert square_around(np.array([10, 20, 30, 100]), 1.5, 2) == (20, 60, 120, 2)


@pytest.mark.parametrize("square", [(150, 100, 1e6), (np.nan, 100, 50), (150, np.inf, 50), (150, 100, np.inf), (150, 100, 1300)])
def test_squares_of_garbled_frames_give_no_crop(square):
    """A square of a million pixels once took 36 GB."""
    assert crop_square(np.zeros((200, 300, 3), np.uint8), Square(*square), 64) is None
