"""The colour of each texel from the views that show it best.

Light and shade are averaged over several views, pattern is taken from the best of them: two bands as of Burt and Adelson 1983, "A
multiresolution spline with application to image mosaics", split in the pictures, so that islands of the UV map do not matter. A view whose
low band is far from the others' median shows something else there: background, a hand, a prop. How far that holds is smooth over the mesh,
so that no border between views shows. P views, V vertices, N texels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...core.array_types import FloatArray
from .filmed_view import FilmedView
from .robust import weighted_median
from .surface import Surface, Texels

CHUNK = 1 << 15  # texels blended at once
BEST_VIEWS = 8  # of each texel
OUTLIER = 20.0  # of 255, of the low band from the views' median, at which a view counts half
SPREADS = 12  # steps from vertex to vertex, a centimetre each, over which that is averaged
USUAL = 0.8  # quantile of the weights of seen texels, which is called 1
SHARPNESS = 6  # the power of a view's weight by which its pattern counts


@dataclass(frozen=True)
class Blended:
    """colours: (N,3) 0..255. weight: (N,), of all views together, 1 where they show a texel well, 0 where none shows it."""

    colours: FloatArray
    weight: FloatArray


def agreement(views: Sequence[FilmedView], surface: Surface) -> FloatArray:
    """How far each view agrees with the others at the vertices, (P,V) 0..1, smooth over the mesh."""
    weights = np.stack([view.weights_of(view.vertices, view.normals) for view in views])
    low = np.stack([view.colours_of(view.vertices)[1] for view in views])
    error = np.abs(low - weighted_median(low, weights[..., None])).max(-1)
    agrees = 1 / (1 + (error / OUTLIER) ** 2) * (weights > 0)
    return surface.spread(agrees.T, (weights > 0).T.astype(float), SPREADS).T.astype(np.float32)


def blend(views: Sequence[FilmedView], surface: Surface, texels: Texels) -> Blended:
    """Blend the views of one person."""
    agrees = agreement(views, surface)
    colours, weight = np.zeros((len(texels), 3), np.float32), np.zeros(len(texels), np.float32)
    for first in range(0, len(texels), CHUNK):
        rows = slice(first, first + CHUNK)
        colours[rows], weight[rows] = _blend_rows(views, agrees, texels, rows)
    usual = np.quantile(weight[weight > 0], USUAL) if (weight > 0).any() else 1.0
    return Blended(colours, weight / usual)


def _blend_rows(views: Sequence[FilmedView], agrees: FloatArray, texels: Texels, rows: slice) -> tuple[FloatArray, FloatArray]:
    placed = [texels.interpolate(view.vertices.astype(np.float32), rows) for view in views]
    weights = np.stack([_weights(view, points, texels, rows) for view, points in zip(views, placed, strict=True)])
    weights *= texels.interpolate(agrees.T, rows).T
    count = min(BEST_VIEWS, len(views))
    best = np.argpartition(-weights, count - 1, axis=0)[:count]  # (count,N)
    weights = np.take_along_axis(weights, best, 0)
    colours, low = np.zeros((*weights.shape, 3)), np.zeros((*weights.shape, 3))
    for number, view in enumerate(views):
        place = np.nonzero((best == number) & (weights > 0))
        colours[place], low[place] = view.colours_of(placed[number][place[1]])
    sharp = (weights / np.maximum(weights.max(0), 1e-30)) ** SHARPNESS
    mixed = _mean(low, weights) + _mean(colours - low, sharp)
    return mixed.clip(0, 255), weights.sum(0)


def _weights(view: FilmedView, points: FloatArray, texels: Texels, rows: slice) -> FloatArray:
    """The weights (N,) of a view at texels, which lie at points (N,3) in its camera axes; only texels that may face it are looked at."""
    facing = np.flatnonzero((np.einsum("vc,vc->v", view.vertices, view.normals) < 0)[texels.vertices[rows]].any(1))
    weights = np.zeros(len(points), np.float32)
    normals = texels.interpolate(view.normals.astype(np.float32), rows)[facing]
    weights[facing] = view.weights_of(points[facing], _unit(normals))
    return weights


def _mean(values: FloatArray, weights: FloatArray) -> FloatArray:
    return (values * weights[..., None]).sum(0) / np.maximum(weights.sum(0), 1e-30)[:, None]


def _unit(vectors: FloatArray) -> FloatArray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
