"""Square crops of an image: choosing them, cutting them out, and mapping results from a crop back to the image."""

from typing import NamedTuple

import cv2
import numpy as np

from ...core.array_types import FloatArray, ImageArray

# A larger square is a garbled frame's: its sides in those of the image, and in px.
MAX_SIDE_IN_IMAGES, MAX_SIDE = 4, 20_000


class Square(NamedTuple):
    """A square of an image, px: its centre and side, and the counterclockwise turn to apply to it, in quarter turns, whole or not."""

    x: float
    y: float
    side: float
    quarter_turns: float = 0


class Crop(NamedTuple):
    """image: (S,S,3) uint8 RGB. image_from_crop: (2,3), maps positions in the crop, as fractions of its side, to px of the image."""

    image: ImageArray
    image_from_crop: FloatArray


def square_around(box: FloatArray, margin: float, quarter_turns: int = 0) -> Square:
    """The Square around a box (4,), `margin` times its longer side."""
    return Square((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, max(box[2] - box[0], box[3] - box[1], 2) * margin, quarter_turns)


def image_tiles(width: int, height: int, max_divisions: int) -> list[Square]:
    """Overlapping Squares at several scales, each scale covering the image.

    The first is the whole image; then come tiles of its short side, of half of that, and so on down to 1 / max_divisions of it.
    Neighbours share half a side, so that a person of at most half a side is whole in one of them.
    """
    tiles = [Square(width / 2, height / 2, max(width, height))]
    for side in (min(width, height) / divisions for divisions in range(1, max_divisions + 1)):
        columns, rows = (max(1, int(np.ceil(2 * length / side - 2.1)) + 1) for length in (width, height))
        grid = [Square(x, y, side) for y in _tile_centres(side, height, rows) for x in _tile_centres(side, width, columns)]
        tiles += [tile for tile in grid if tile != tiles[0]]
    return tiles


def _tile_centres(side: float, length: int, count: int) -> list[float]:
    """Centres of `count` intervals of length `side` that together cover 0..length."""
    return np.linspace(side / 2, length - side / 2, count).tolist() if count > 1 else [length / 2]


def crop_square(image: ImageArray, square: Square, crop_side: int) -> Crop | None:
    """Cut a Square out of an image and scale it to (crop_side, crop_side) px; None if it misses the image, or no person is so large.

    Beyond the image its border pixels are repeated: filling with black moves MediaPipe's landmarks by centimetres.
    """
    if square.quarter_turns % 1:
        return _turned_crop(image, square, crop_side)
    height, width = image.shape[:2]
    if not np.isfinite(square[:3]).all() or square.side > min(MAX_SIDE_IN_IMAGES * max(width, height), MAX_SIDE):
        return None
    side = max(2, round(square.side))
    left, top = round(square.x - side / 2), round(square.y - side / 2)
    inside = np.clip([left, top, left + side, top + side], 0, [width, height, width, height])
    if inside[2] - inside[0] < 2 or inside[3] - inside[1] < 2:
        return None
    part = image[inside[1] : inside[3], inside[0] : inside[2]]
    # px above, below, left and right of the part
    border = (inside[1] - top, top + side - inside[3], inside[0] - left, left + side - inside[2])
    if any(border):
        above, below, before, after = (int(size) for size in border)
        part = np.asarray(cv2.copyMakeBorder(part, above, below, before, after, cv2.BORDER_REPLICATE), np.uint8)
    scaled = cv2.resize(part, (crop_side, crop_side), interpolation=cv2.INTER_AREA if side > crop_side else cv2.INTER_LINEAR)
    turned = np.rot90(np.asarray(scaled, np.uint8), int(square.quarter_turns))
    rotation = image_from_turned(square.quarter_turns)
    centre = np.array([left, top]) + side / 2
    return Crop(np.ascontiguousarray(turned), np.column_stack([side * rotation, centre - side * rotation @ [0.5, 0.5]]))


def _turned_crop(image: ImageArray, square: Square, crop_side: int) -> Crop | None:
    """As of `crop_square`, turned by any angle: cut out of a larger square, which holds it however it is turned."""
    larger = round(np.sqrt(2) * crop_side)
    whole = crop_square(image, square._replace(side=square.side * larger / crop_side, quarter_turns=0), larger)
    if whole is None:
        return None
    rotation = image_from_turned(square.quarter_turns)
    middle = np.array([larger - 1, larger - 1]) / 2
    from_turned = np.column_stack([rotation, middle - rotation @ np.full(2, (crop_side - 1) / 2)])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    turned = cv2.warpAffine(whole.image, from_turned, (crop_side, crop_side), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    side, centre = whole.image_from_crop[0, 0] * crop_side / larger, whole.image_from_crop @ [0.5, 0.5, 1.0]
    return Crop(np.asarray(turned, np.uint8), np.column_stack([side * rotation, centre - side * rotation @ [0.5, 0.5]]))


def image_from_turned(quarter_turns: float) -> FloatArray:
    """(2,2): maps directions (x, y), y down, of an image turned counterclockwise to directions of the image before."""
    whole, angle = int(quarter_turns // 1), quarter_turns % 1 * np.pi / 2
    part = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.linalg.matrix_power(np.array([[0.0, -1.0], [1.0, 0.0]]), whole % 4) @ part
