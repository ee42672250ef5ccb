"""What no view shows of the skin: from the other side of the body, else spread from what is around it; and the padding between islands.

Ours. The skin's left and right are alike up to light; the difference at the border of what is seen is spread over what is filled, so that
no border shows. Spreading is over the mesh, whose vertices join the islands of the UV map. V vertices, N texels.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from scipy.sparse import coo_matrix, diags  # pyrefly: ignore[untyped-import] - scipy ships no type stubs
from scipy.sparse.linalg import spsolve  # pyrefly: ignore[untyped-import]
from scipy.spatial import KDTree  # pyrefly: ignore[untyped-import] - scipy ships no type stubs

from ...core.array_types import BoolArray, FloatArray, ImageArray
from .blend import Blended
from .surface import Surface, Texels

WHOLE_WEIGHT = 0.08  # of a texel, from which what is seen counts whole; below, the filling shows through
MAX_SOURCES = 400_000  # texels among which that of the other side is searched: in large textures one of several
MOST_SHADE = 30.0  # of 255, by which light makes one side differ from the other; more is another pattern
SKIN_GREY = 128.0  # where nothing is seen at all
CHUNK = 1 << 18  # texels filled at once: a texture of 4096 a side covers ten million


def fill_unseen(blended: Blended, surface: Surface, texels: Texels) -> FloatArray:
    """The colours (N,3) of all texels, seen or not."""
    share = seen_share(blended.weight)
    vertex_colours, vertex_share = _at_vertices(blended.colours, share, texels, len(surface.vertices))
    mirrored = _mirrored(blended, share, surface, texels)
    known = vertex_share > 0.5
    if not known.any():
        return np.full((len(texels), 3), SKIN_GREY)
    other = surface.mirrored_vertices
    from_mirror = ~known & (other >= 0) & known[other]
    # Of the other side, how much lighter this one is, where both are known; spread over where one is.
    both = known & (other >= 0) & known[other]
    shift = np.zeros_like(vertex_colours)
    shift[both] = (vertex_colours[both] - vertex_colours[other[both]]).clip(-MOST_SHADE, MOST_SHADE)
    shift = diffuse(shift, both, surface) if both.any() else shift
    filled = np.where(from_mirror[:, None], vertex_colours[other] + shift, vertex_colours)
    filled = diffuse(filled, known | from_mirror, surface)
    colours = np.empty((len(texels), 3), np.float32)
    for rows in _chunks(len(texels)):
        is_mirrored = texels.interpolate(from_mirror[:, None].astype(float), rows) * mirrored.share[rows, None]
        pattern = mirrored.colours[rows] + texels.interpolate(shift, rows)
        filling = is_mirrored * pattern + (1 - is_mirrored) * texels.interpolate(filled, rows)
        own = share[rows, None]
        colours[rows] = (own * blended.colours[rows] + (1 - own) * filling).clip(0, 255)
    return colours


def _chunks(count: int) -> Iterator[slice]:
    """Slices of at most CHUNK texels that together are all of them."""
    for first in range(0, count, CHUNK):
        yield slice(first, first + CHUNK)


def seen_share(weight: FloatArray) -> FloatArray:
    """How far (N,) 0..1 texels of so much weight show what was seen, and not what is filled in."""
    step = (weight / WHOLE_WEIGHT).clip(0, 1)
    return step * step * (3 - 2 * step)


def diffuse(values: FloatArray, known: BoolArray, surface: Surface) -> FloatArray:
    """Values (V,C) that are smooth over the mesh, and as they are where `known` (V,): the discrete Laplace equation."""
    if known.all() or not known.any():
        return values
    start, end = surface.edges.T
    lengths = np.linalg.norm(surface.vertices[start] - surface.vertices[end], axis=1)
    stiffness = 1 / np.maximum(lengths, 1e-4)
    count = len(values)
    links: Any = coo_matrix((np.tile(stiffness, 2), (np.concatenate([start, end]), np.concatenate([end, start]))), (count, count)).tocsr()
    mean = np.average(values[known], axis=0)
    laplacian: Any = diags(np.asarray(links.sum(1)).ravel() + 1e-6) - links  # parts that touch nothing known become the mean
    free = np.flatnonzero(~known)
    right = links[free][:, np.flatnonzero(known)] @ values[known] + 1e-6 * mean
    found = values.astype(float).copy()
    found[free] = np.asarray(spsolve(laplacian[free][:, free].tocsc(), right)).reshape(len(free), -1)
    return found


def paint(colours: FloatArray, texels: Texels) -> ImageArray:
    """The picture (S,S,3) uint8 of texels (N,3); the rest has the colour of the nearest texel, so that no border shows from afar."""
    size = texels.size
    flat = np.zeros((size * size, 3), np.uint8)
    flat[texels.index] = colours.round().clip(0, 255)
    outside = np.ones(size * size, np.uint8)
    outside[texels.index] = 0
    _distance, label = cv2.distanceTransformWithLabels(outside.reshape(size, size), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    label = label.ravel()
    place = np.zeros(int(label.max()) + 1, np.int64)
    place[label[texels.index]] = texels.index
    return flat[place[label]].reshape(size, size, 3)


def _at_vertices(colours: FloatArray, share: FloatArray, texels: Texels, count: int) -> tuple[FloatArray, FloatArray]:
    """The mean colours (V,3) and shares (V,) of the texels around vertices."""
    total, seen, sums = np.zeros(count), np.zeros(count), np.zeros((count, 3))
    for rows in _chunks(len(texels)):
        corner, weight = texels.vertices[rows].ravel(), texels.weights[rows].ravel()
        of_corner = np.repeat(share[rows], 3) * weight
        total += np.bincount(corner, weight, count)
        seen += np.bincount(corner, of_corner, count)
        for channel in range(3):
            sums[:, channel] += np.bincount(corner, np.repeat(colours[rows, channel], 3) * of_corner, count)
    return sums / np.maximum(seen, 1e-12)[:, None], seen / np.maximum(total, 1e-12)


@dataclass(frozen=True)
class _Mirror:
    """colours: (N,3) of the texels on the other side of the body; share: (N,) 0..1, how far those were seen."""

    colours: FloatArray
    share: FloatArray


def _mirrored(blended: Blended, share: FloatArray, surface: Surface, texels: Texels) -> _Mirror:
    colours, found = np.zeros_like(blended.colours), np.zeros(len(texels))
    unseen, seen = np.flatnonzero(share < 1), np.flatnonzero(share > 0.5)
    if len(unseen) and len(seen):
        at_rest = texels.interpolate(surface.vertices.astype(np.float32))
        seen = seen[:: max(1, len(seen) // MAX_SOURCES)]
        distance, nearest = KDTree(at_rest[seen]).query(at_rest[unseen] * [-1, 1, 1], distance_upper_bound=0.02)
        is_near = np.isfinite(distance)
        rows, source = unseen[is_near], seen[nearest[is_near]]
        colours[rows], found[rows] = blended.colours[source], share[source]
    return _Mirror(colours, found)
