"""Moments of a clip, for the adjustment of joints and cameras, from what its views show of people."""

from collections.abc import Sequence

import numpy as np

from ...core.array_types import BoolArray, FloatArray, IntArray
from ...core.cameras import points_on_rays
from ..fitting.camera_translation import solve_translation
from .joint_adjustment import Cameras, Moments
from .view_samples import SightLines, ViewSamples, bones_precision, sight_lines, unit_bones

ALL_MOMENTS = 120  # of which cameras are adjusted
MIN_MOMENTS = 5  # of a person
MIN_SEEN_JOINTS = 6  # of a view that tells where a person is


def moments_of_person(
    samples: Sequence[ViewSamples], intrinsics: Sequence[FloatArray], sizes: Sequence[FloatArray], times: FloatArray, lengths: FloatArray
) -> Moments:
    """The moments of one person over all F times.

    Args:
        samples: of each of V views; intrinsics (3,3) px and sizes (width, height) px: theirs. lengths: (16,) m, of the bones.
    """
    lines = [sight_lines(*view, times) for view in zip(samples, intrinsics, sizes, strict=True)]
    return Moments(
        np.stack([line.rays for line in lines]),
        np.stack([line.rates for line in lines]),
        np.stack([line.weights for line in lines]),
        np.stack([line.sigma for line in lines]),
        np.stack([unit_bones(view) * lengths[:, None] for view in samples]),
        np.stack([bones_precision(view, line.rays) for view, line in zip(samples, lines, strict=True)]),
        np.tile(lengths, (len(times), 1)),
    )


def join_moments(people: Sequence[Moments]) -> tuple[Moments, list[BoolArray]]:
    """The moments of several people in a row, and which are whose."""
    joined = Moments(
        np.concatenate([moments.rays for moments in people], 1),
        np.concatenate([moments.rates for moments in people], 1),
        np.concatenate([moments.weights for moments in people], 1),
        np.concatenate([moments.sigma for moments in people], 1),
        np.concatenate([moments.bones for moments in people], 1),
        np.concatenate([moments.precision for moments in people], 1),
        np.concatenate([moments.lengths for moments in people]),
    )
    owner = np.repeat(np.arange(len(people)), [len(moments) for moments in people])
    return joined, [owner == number for number in range(len(people))]


def seen_by_view(moments: Moments) -> BoolArray:
    """Which views (V,M) show the person of a moment."""
    return (moments.weights > 0.3).sum(-1) >= MIN_SEEN_JOINTS


def spread_out(rows: IntArray, count: int) -> IntArray:
    """At most `count` of the rows, evenly spread."""
    return rows if len(rows) <= count else rows[np.unique(np.linspace(0, len(rows) - 1, count).astype(int))]


def single_view_points(samples: ViewSamples, lines: SightLines) -> FloatArray:
    """Joints (F,17,3) m in a view's axes by that view alone: the lifted pose where its keypoints have it."""
    place = solve_translation(samples.lifted, lines.rays, lines.weights)
    return samples.lifted + place[:, None]


def triangulated(moments: Moments, cameras: Cameras, start: FloatArray) -> FloatArray:
    """The points (M,17,3) m nearest to the lines of sight of all cameras, drawn to a start (M,17,3) m with 1/1000 the force."""
    directions = points_on_rays(moments.rays, np.ones(moments.rays.shape[:-1]))
    directions[..., :2] *= np.exp(-cameras.zoom)[:, None, None, None]
    directions = directions @ cameras.rotmat[:, None]
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    origins = -(np.swapaxes(cameras.rotmat, -1, -2) @ cameras.transl[..., None])[:, None, None, :, 0]
    across = moments.weights[..., None, None] * (np.eye(3) - directions[..., :, None] * directions[..., None, :])
    matrix = across.sum(0) + 1e-3 * np.eye(3)
    right = (across @ np.broadcast_to(origins, directions.shape)[..., None])[..., 0].sum(0) + 1e-3 * start
    return np.linalg.solve(matrix, right[..., None])[..., 0]


def choose_moments(people: Sequence[Moments], count: int = ALL_MOMENTS) -> tuple[Moments, list[BoolArray], list[IntArray]]:
    """Moments of all people that at least two views show, evenly spread.

    Returns:
        the moments, whose are whose (M,) each, and the frames of each person's.
    """
    rows = [np.flatnonzero(seen_by_view(moments).sum(0) >= 2) for moments in people]
    total = max(sum(map(len, rows)), 1)
    rows = [spread_out(own, max(int(count * len(own) / total), min(len(own), MIN_MOMENTS))) for own in rows]
    joined, owners = join_moments([moments.take(own) for moments, own in zip(people, rows, strict=True)])
    return joined, owners, rows
