"""Matches of the background chained into tracks: points of the scene, each seen in many frames.

Every key frame has corners of its own. Where one of them lies on a point that an earlier key frame led there, both are one point; what
lies between them, less than a pixel, is kept, so that the later observations are of the earlier point.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree  # pyrefly: ignore[untyped-import] - scipy ships no type stubs

from ...core.array_types import BoolArray, FloatArray, IntArray
from .rotation_adjustment import Matches
from .tracks import SUBPIXELS

SAME_POINT = 1.8  # px of the small image, within which a new corner is an earlier point


@dataclass(frozen=True)
class PointTracks:
    """N observations of P points in F frames, in the order of the points.

    frames: (N,). points: (N,). pixels: (N,2) px of the footage from the image's middle. num_points: P. pixel: px of the footage that
    make one of the small image. times: (F,), the number of each frame in the shot. rate: frames of the shot a second.
    """

    frames: IntArray
    points: IntArray
    pixels: FloatArray
    num_points: int
    pixel: float
    times: IntArray
    rate: float = 30.0

    @property
    def num_frames(self) -> int:
        """F."""
        return len(self.times)

    def within(self, chosen: BoolArray) -> "PointTracks":
        """The observations in the frames that are chosen (F,), of points that two of them see; frames and points are numbered anew."""
        number = np.cumsum(chosen) - 1
        kept = chosen[self.frames]
        frames, points = number[self.frames[kept]], self.points[kept]
        pixels = self.pixels[kept]
        is_shared = self.views(frames, points)[points] >= 2
        found, points = np.unique(points[is_shared], return_inverse=True)
        return PointTracks(frames[is_shared], points, pixels[is_shared], len(found), self.pixel, self.times[chosen], self.rate)

    def views(self, frames: IntArray, points: IntArray) -> IntArray:
        """(P,): how many frames see each point in observations (N,), (N,)."""
        pairs = np.unique(np.stack([points, frames]), axis=1)
        return np.bincount(pairs[0], minlength=self.num_points)


def chain_matches(matches: Matches, num_frames: int) -> PointTracks:
    """The tracks of a shot's matches; every corner that a frame has is a point, or a part of an earlier one."""
    earlier, later = matches.pairs[matches.pair_of].T
    places = np.round(matches.before / matches.pixel * SUBPIXELS).astype(int)
    _unique, firsts, corner = np.unique(np.column_stack([earlier, places]), axis=0, return_index=True, return_inverse=True)
    corner = corner.ravel()
    frames = np.concatenate([earlier[firsts], later])
    corners = np.concatenate([np.arange(len(firsts)), corner])
    pixels = np.concatenate([matches.before[firsts], matches.after])
    links = _links(earlier[firsts], matches.before[firsts], later, corner, matches.after, SAME_POINT * matches.pixel)
    root, offset = _join(len(firsts), *links)
    _roots, points = np.unique(root[corners], return_inverse=True)
    order = np.lexsort((frames, points))
    pixels = pixels + offset[corners]
    count, times = int(points.max(initial=-1)) + 1, np.arange(num_frames)
    return PointTracks(frames[order], points[order], pixels[order], count, matches.pixel, times, matches.rate)


def _links(
    key_of: IntArray, places: FloatArray, frames: IntArray, corners: IntArray, found: FloatArray, reach: float
) -> tuple[IntArray, IntArray, FloatArray]:
    """Which corners (L,) of key frames lie on which others (L,), found there, and the way (L,2) px from the first to the second.

    Args:
        key_of, places: (C,), (C,2), each corner's key frame and place there. frames, corners, found: (M,), (M,), (M,2), where else
            each was found. reach: px.
    """
    inner: list[IntArray] = []
    outer: list[IntArray] = []
    ways: list[FloatArray] = []
    for key in np.unique(key_of):
        own, other = np.flatnonzero(key_of == key), np.flatnonzero(frames == key)
        if not len(other):
            continue
        distance, nearest = KDTree(found[other]).query(places[own])
        _distance, back = KDTree(places[own]).query(found[other])
        is_same = (distance < reach) & (back[nearest] == np.arange(len(own)))
        inner.append(own[is_same])
        outer.append(corners[other[nearest[is_same]]])
        ways.append(found[other[nearest[is_same]]] - places[own[is_same]])
    empty = np.zeros(0, int)
    return np.concatenate([empty, *inner]), np.concatenate([empty, *outer]), np.concatenate([np.zeros((0, 2)), *ways])


def _join(count: int, inner: IntArray, outer: IntArray, ways: FloatArray) -> tuple[IntArray, FloatArray]:
    """Each corner's point (C,), named by its first corner, and the way (C,2) px to it, of links as from `_links`."""
    parent, offset = np.arange(count), np.zeros((count, 2))

    def find(corner: int) -> tuple[int, FloatArray]:
        way = np.zeros(2)
        while parent[corner] != corner:
            way = way + offset[corner]
            corner = int(parent[corner])
        return corner, way

    for a, b, way in zip(inner, outer, ways, strict=True):
        (root_a, way_a), (root_b, way_b) = find(int(a)), find(int(b))
        if root_a != root_b:  # a + way = b
            parent[root_a], offset[root_a] = root_b, way + way_b - way_a
    found = [find(corner) for corner in range(count)]
    return np.array([root for root, _way in found], int), np.array([way for _root, way in found]).reshape(-1, 2)
