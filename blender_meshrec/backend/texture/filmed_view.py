"""One picture of a person, and what of the skin it shows: the depth of the nearest surface, and how far pixels are from any outline.

A view holds a piece of the picture around the person, shrunk where the texture has no use for its pixels. Ours.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

from ...core.array_types import BoolArray, FloatArray, ImageArray, IntArray
from .foreground import tell_person_apart
from .rasterise import Raster, rasterise
from .sampling import sample

MARGIN = 0.1  # around the person, of the longer side of their box
# Distance from an outline, m on the skin, within which a pixel may show what is behind it: none counts, and from which it counts whole.
OUTLINE_BLIND, OUTLINE_CLEAR = 0.008, 0.035
DEPTH_STEP = 0.04  # m between neighbouring pixels: the outline of one part of the body in front of another
VISIBLE_DEPTH = 0.015  # m behind the nearest surface, within which a texel is visible
MIN_COSINE = 0.17  # of the angle between the skin's normal and the line of sight, below which nothing is seen
LOW_BAND = 0.03  # m, the blur that separates light and shade from pattern
MIN_AGREEMENT = 0.4  # intersection over union of mesh and mask, below which the mask is somebody else's
_MIN_DEPTH = 0.1


@dataclass(frozen=True)
class Lens:
    """intrinsics: (3,3) px of the picture. distortion: (D,), OpenCV's k1, k2, p1, p2, k3 and so on, or its four of a fisheye lens."""

    intrinsics: FloatArray
    distortion: FloatArray = field(default_factory=lambda: np.zeros(0))
    is_fisheye: bool = False

    def pixels(self, points: FloatArray) -> FloatArray:
        """Where the picture shows points (...,3) m in camera axes, (...,2) px; nan behind the camera."""
        is_before = points[..., 2] > _MIN_DEPTH
        if np.any(self.distortion) and points.size:
            placed = np.where(is_before[..., None], points, [0.0, 0.0, 1.0]).astype(float).reshape(-1, 1, 3)
            model = cv2.fisheye.projectPoints if self.is_fisheye else cv2.projectPoints
            pixels = np.asarray(model(placed, np.zeros(3), np.zeros(3), self.intrinsics, self.distortion)[0]).reshape(*points.shape[:-1], 2)
            return np.where(is_before[..., None], pixels, np.nan)
        depth = np.where(is_before, points[..., 2], np.nan)[..., None]
        return points[..., :2] / depth * self.intrinsics[[0, 1], [0, 1]] + self.intrinsics[:2, 2]


@dataclass(frozen=True)
class Shot:
    """A picture before it is looked at.

    image: (H,W,3) uint8 RGB. lens: of it. vertices: (V,3) m in camera axes. others: those of people who may be in front. mask: (H,W), where
    the person was seen, if a detector segmented them. hidden: boxes (B,4) px of people who are not reconstructed. trust: 0..1, how sure
    the pose of the frame is.
    """

    image: ImageArray
    lens: Lens
    vertices: FloatArray
    others: tuple[FloatArray, ...] = ()
    mask: BoolArray | None = None
    hidden: FloatArray = field(default_factory=lambda: np.zeros((0, 4)))
    trust: float = 1.0


@dataclass
class FilmedView:
    """A shot that was looked at; arrays of h x w pixels of its piece of the picture.

    image, low: (h,w,3) uint8, the picture, and its low band. depth: (h,w) m of the nearest surface, inf for none. clear: (h,w) 0..1, how
    far a pixel is from outlines. raster: of the person's triangles. vertices, normals: (V,3) in camera axes. lens: of the picture;
    offset, scale: piece = (picture - offset) * scale. metres: of a pixel at the person. shift: (h,w,2) px, to where the picture shows
    what the mesh shows here. gain, bias: (3,), which even its exposure.
    """

    image: ImageArray
    low: ImageArray
    depth: FloatArray
    clear: FloatArray
    raster: Raster
    vertices: FloatArray
    normals: FloatArray
    lens: Lens
    offset: FloatArray
    scale: float
    metres: float
    trust: float
    shift: FloatArray | None = None
    gain: FloatArray = field(default_factory=lambda: np.ones(3))
    bias: FloatArray = field(default_factory=lambda: np.zeros(3))

    def weights_of(self, points: FloatArray, normals: FloatArray) -> FloatArray:
        """How well the picture shows points (N,3) of the skin with normals (N,3), in camera axes: (N,) >= 0, 0 where it does not."""
        distance = np.linalg.norm(points, axis=1)
        cosine = -np.einsum("nc,nc->n", points, normals) / np.maximum(distance, 1e-9)
        pixels = self._piece_pixels(points)
        facing = np.flatnonzero((cosine > MIN_COSINE) & np.isfinite(pixels).all(1))
        weights = np.zeros(len(points))
        pixels = pixels[facing]
        nearest = sample(self.depth, pixels, cv2.INTER_NEAREST, 0.0)
        visible = points[facing, 2] < nearest + VISIBLE_DEPTH + self.metres
        clear = sample(self.clear, pixels, cv2.INTER_LINEAR, 0.0)
        weights[facing] = visible * clear * cosine[facing] ** 2 * self.trust
        return weights / np.maximum(distance, 1e-9) ** 2 * (self.lens.intrinsics[0, 0] / 1000) ** 2

    def colours_of(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The colours (N,3) of points (N,3) in camera axes, and those of the low band; 0..255, exposure evened."""
        pixels = np.nan_to_num(self._piece_pixels(points))
        if self.shift is not None:
            pixels = pixels + np.stack([sample(self.shift[..., axis], pixels, cv2.INTER_LINEAR, 0.0) for axis in (0, 1)], 1)
        colours = sample(self.image, pixels, cv2.INTER_LINEAR).astype(float)
        low = sample(self.low, pixels, cv2.INTER_LINEAR).astype(float)
        return colours * self.gain + self.bias, low * self.gain + self.bias

    def _piece_pixels(self, points: FloatArray) -> FloatArray:
        return (self.lens.pixels(points) - self.offset) * self.scale


def look(shot: Shot, faces: IntArray, normals: FloatArray, max_side: int) -> FilmedView | None:
    """Look at a shot; None if the person is not in the picture.

    Args:
        faces: (T,3). normals: (V,3) of the posed vertices. max_side: px, of the piece's longer side.
    """
    pixels = shot.lens.pixels(shot.vertices)
    if not np.isfinite(pixels).all():
        return None
    height, width = shot.image.shape[:2]
    low, high = pixels.min(0), pixels.max(0)
    margin = MARGIN * float((high - low).max()) + 2
    first = np.floor(low - margin).astype(int).clip(0, [width, height])
    last = np.ceil(high + margin).astype(int).clip(0, [width, height])
    if (last - first).min() < 8:
        return None
    scale = min(1.0, max_side / float((last - first).max()))
    size = (round(scale * int(last[0] - first[0])), round(scale * int(last[1] - first[1])))
    pieces = [_piece(picture, first, last, size) for picture in (shot.image, shot.mask) if picture is not None]
    raster = _draw(pixels, shot.vertices, faces, first, scale, size)
    depth = _depth(raster, shot.vertices, faces)
    metres = float(np.median(shot.vertices[:, 2]) / shot.lens.intrinsics[0, 0] / scale)
    blocked = np.zeros(depth.shape, bool)
    for other in shot.others:
        behind = _draw(shot.lens.pixels(other), other, faces, first, scale, size)
        other_depth = _depth(behind, other, faces)
        blocked |= other_depth < depth
        depth = np.minimum(depth, other_depth)
    own = (raster.triangles >= 0) & ~blocked
    if shot.mask is not None and _agrees(pieces[1] > 127, own):
        own &= pieces[1] > 127
    for left, top, right, bottom in (shot.hidden - np.tile(first, 2)) * scale:
        own[max(0, int(top)) : max(0, int(bottom)), max(0, int(left)) : max(0, int(right))] = False
    own = tell_person_apart(pieces[0], own, metres)
    clear = _clearance(own, depth, metres)
    blurred = _low_band(pieces[0], own, max(LOW_BAND / metres, 0.5))
    return FilmedView(
        pieces[0], blurred, depth.astype(np.float32), clear, raster, shot.vertices, normals, shot.lens, first.astype(float), scale, metres,
        shot.trust,
    )  # fmt: skip


def _agrees(mask: BoolArray, own: BoolArray) -> bool:
    """Whether a mask is of the person that the mesh shows, by their intersection over union."""
    return bool((mask & own).sum() > MIN_AGREEMENT * max(int((mask | own).sum()), 1))


def _piece(picture: ImageArray | BoolArray, first: IntArray, last: IntArray, size: tuple[int, int]) -> ImageArray:
    """A piece of a picture at another size; of a mask, 255 where it is true."""
    piece = np.asarray(picture[first[1] : last[1], first[0] : last[0]] * (255 if picture.dtype == bool else 1), np.uint8)
    return np.asarray(cv2.resize(piece, size, interpolation=cv2.INTER_AREA), np.uint8)


def _draw(pixels: FloatArray, vertices: FloatArray, faces: IntArray, first: IntArray, scale: float, size: tuple[int, int]) -> Raster:
    corners = ((pixels - first) * scale)[faces]
    nearness = np.where(vertices[:, 2] > _MIN_DEPTH, 1 / np.maximum(vertices[:, 2], _MIN_DEPTH), 0.0)[faces]
    a, b, c = (corners[:, k] for k in range(3))
    is_facing = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0] < 0  # the picture's y points down
    return rasterise(corners, size, np.where(is_facing[:, None], nearness, 0.0))


def _depth(raster: Raster, vertices: FloatArray, faces: IntArray) -> FloatArray:
    """The depth (h,w) m of what a raster shows, inf for nothing; nearness is linear in the picture."""
    corners = 1 / np.maximum(vertices[faces, 2], _MIN_DEPTH)
    shown = raster.triangles >= 0
    nearness = (raster.weights * corners[raster.triangles.clip(0)]).sum(-1)
    return np.where(shown, 1 / np.maximum(nearness, 1e-9), np.inf)


def _clearance(own: BoolArray, depth: FloatArray, metres: float) -> FloatArray:
    """How far (h,w) 0..1 pixels are from the person's outline, and from the outlines of parts in front of others."""
    inner = np.where(np.isfinite(depth), depth, 0.0).astype(np.float32)
    kernel = np.ones((3, 3), np.uint8)
    is_step = cv2.dilate(inner, kernel) - cv2.erode(inner, kernel) > DEPTH_STEP
    padded = np.pad((own & ~is_step).astype(np.uint8), 1)  # beyond the picture's edge nothing is seen
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1] * metres
    return ((distance - OUTLINE_BLIND) / (OUTLINE_CLEAR - OUTLINE_BLIND)).clip(0, 1).astype(np.float32)


def _low_band(image: ImageArray, own: BoolArray, sigma: float) -> ImageArray:
    """The image (h,w,3) blurred over the person alone."""
    inside = own.astype(np.float32)
    total = cv2.GaussianBlur(image.astype(np.float32) * inside[..., None], (0, 0), sigma)
    share = cv2.GaussianBlur(inside, (0, 0), sigma)[..., None]
    return np.where(share > 1e-3, total / np.maximum(share, 1e-3), image).round().clip(0, 255).astype(np.uint8)
