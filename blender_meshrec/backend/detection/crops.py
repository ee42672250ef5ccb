"""Squares of a picture: which to look at, cutting them out, and taking what was seen in them back to the picture."""

from typing import NamedTuple

import cv2
import numpy as np


class Square(NamedTuple):
    """A square of a picture, px: its middle and its side; and by how many quarter turns counterclockwise to turn it."""

    x: float
    y: float
    side: float
    quarter_turns: int = 0


def square_around(box, margin, quarter_turns=0):
    """The Square round a box (4,), `margin` times its longer side."""
    return Square((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, max(box[2] - box[0], box[3] - box[1], 2) * margin, quarter_turns)


def image_tiles(width, height, max_divisions):
    """Overlapping Squares that each cover a picture: all of it, squares of its short side, halves of that, down to 1/parts.

    Neighbours share half a side, so that whoever is no larger than that is whole in one of them.
    """
    tiles = [Square(width / 2, height / 2, max(width, height))]
    for side in (min(width, height) / part for part in range(1, max_divisions + 1)):
        columns, rows = (max(1, int(np.ceil(2 * length / side - 2.1)) + 1) for length in (width, height))
        grid = [Square(x, y, side) for y in _tile_centres(side, height, rows) for x in _tile_centres(side, width, columns)]
        tiles += [tile for tile in grid if tile != tiles[0]]
    return tiles


def _tile_centres(side, length, count):
    """Middles of `count` intervals of one side that together cover 0..length."""
    return np.linspace(side / 2, length - side / 2, count).tolist() if count > 1 else [length / 2]


def crop_square(image, square, crop_side):
    """Cut a Square out of an image and bring it to (crop_side, side) px; beyond the image its edge is repeated.

    Returns:
        the crop and `picture_from_crop` (2,3), which takes positions in the crop, as shares of it, to px of the image;
        None, None if the square misses the image. Filling with black instead moves landmarks by centimetres.
    """
    height, width = image.shape[:2]
    length = max(2, round(square.side))
    left, top = round(square.x - length / 2), round(square.y - length / 2)
    inside = np.clip([left, top, left + length, top + length], 0, [width, height, width, height])
    if inside[2] - inside[0] < 2 or inside[3] - inside[1] < 2:
        return None, None
    part = image[inside[1] : inside[3], inside[0] : inside[2]]
    # above, below, left, right of the part
    border = (inside[1] - top, top + length - inside[3], inside[0] - left, left + length - inside[2])
    if any(border):
        part = cv2.copyMakeBorder(part, *(int(width) for width in border), cv2.BORDER_REPLICATE)
    crop = cv2.resize(part, (crop_side, crop_side), interpolation=cv2.INTER_AREA if length > crop_side else cv2.INTER_LINEAR)
    turn = image_from_turned(square.quarter_turns)
    middle = np.array([left, top]) + length / 2
    picture_from_crop = np.column_stack([length * turn, middle - length * turn @ [0.5, 0.5]])
    return np.ascontiguousarray(np.rot90(crop, square.quarter_turns)), picture_from_crop


def image_from_turned(quarter_turns):
    """(2,2): directions (x, y), y down, of an image turned counterclockwise -> directions of the image as it was."""
    return np.linalg.matrix_power(np.array([[0.0, -1.0], [1.0, 0.0]]), quarter_turns % 4)
