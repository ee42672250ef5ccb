"""Triangles to pixels: which triangle each pixel's centre shows, for pictures of the body and for its UV map.

Ours: a z-buffer in numpy, so that nothing but the body's 25,000 triangles has to be drawn. T triangles.
"""

from typing import NamedTuple

import numpy as np

from ...core.array_types import FloatArray, IntArray

MAX_CANDIDATES = 1 << 21  # (pixel, triangle) pairs that are looked at together
_MAX_PIXEL = 1e5


class Raster(NamedTuple):
    """triangles: (H,W), the triangle that each pixel shows, -1 for none. weights: (H,W,3), of its corners, linear in the picture."""

    triangles: IntArray
    weights: FloatArray


def rasterise(corners: FloatArray, size: tuple[int, int], nearness: FloatArray | None = None) -> Raster:
    """Draw triangles; a pixel shows the nearest one that its centre is inside of.

    Args:
        corners: (T,3,2) px; the first pixel's centre is (0.5, 0.5). size: (width, height). nearness: (T,3), 1 / depth of the corners, 0
            for triangles that are not drawn; without it, the last triangle wins.

    Triangles with a corner that is not finite are left out.
    """
    width, height = size
    best = np.full(width * height, -np.inf, np.float32)
    triangles = np.full(width * height, -1, np.int32)
    weights = np.zeros((width * height, 3), np.float32)
    low, high = corners.min(1), corners.max(1)
    is_drawn = np.asarray(np.isfinite(corners).all((1, 2)) & (np.abs(corners) < _MAX_PIXEL).all((1, 2)), bool)
    if nearness is not None:
        is_drawn &= (nearness > 0).all(1)
    with np.errstate(invalid="ignore"):
        first = np.ceil(np.where(is_drawn[:, None], low, 0) - 0.5).astype(np.int64).clip(0)
        last = np.floor(np.where(is_drawn[:, None], high, -1) - 0.5).astype(np.int64).clip(max=np.array([width, height]) - 1)
    spans = (last - first + 1).clip(0)
    counts = spans.prod(1)
    drawn = np.flatnonzero(counts)
    for part in _parts(drawn, counts[drawn]):
        owner = np.repeat(part, counts[part])
        place = np.arange(len(owner)) - np.repeat(np.cumsum(counts[part]) - counts[part], counts[part])
        x, y = first[owner, 0] + place % spans[owner, 0], first[owner, 1] + place // spans[owner, 0]
        own_weights = _barycentric(corners[part], np.searchsorted(part, owner), x + 0.5, y + 0.5)
        inside = np.flatnonzero((own_weights >= 0).all(1))
        owner, own_weights, pixel = owner[inside], own_weights[inside], y[inside] * width + x[inside]
        depth = np.zeros(len(owner), np.float32)
        if nearness is not None:
            depth = (own_weights * nearness[owner]).sum(1).astype(np.float32)
        order = np.argsort(depth, kind="stable")  # of several writes to one pixel the last one stays
        order = order[depth[order] >= best[pixel[order]]]
        best[pixel[order]], triangles[pixel[order]], weights[pixel[order]] = depth[order], owner[order], own_weights[order]
    return Raster(triangles.reshape(height, width), weights.reshape(height, width, 3))


def _parts(rows: IntArray, counts: IntArray) -> list[IntArray]:
    """Ascending rows in parts of at most MAX_CANDIDATES pixels, or of one row."""
    if not len(rows):
        return []
    number = np.cumsum(counts) // MAX_CANDIDATES
    return np.split(rows, np.flatnonzero(np.diff(number)) + 1)


def _barycentric(corners: FloatArray, owner: IntArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """The weights (N,3) of the corners of triangles (T,3,2) at points; owner: (N,), the triangle of each. Negative where degenerate."""
    a, b, c = (corners[:, k] for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    scale = np.where(np.abs(area) > 1e-12, 1 / np.where(area == 0, 1.0, area), np.nan)[owner]
    dx, dy = x - c[owner, 0], y - c[owner, 1]
    first = ((b - c)[owner, 1] * -dx + (b - c)[owner, 0] * dy) * -scale
    second = ((c - a)[owner, 1] * -dx + (c - a)[owner, 0] * dy) * -scale
    weights = np.stack([first, second, 1 - first - second], 1)
    return np.where(np.isfinite(weights), weights, -1.0)
