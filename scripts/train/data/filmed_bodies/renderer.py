"""A renderer of small triangles in numpy by the painter's algorithm: 5 ms for a body of 25,000 triangles, 300 px tall.

All pixel centres inside the bounding boxes of all front-facing triangles are tested at once, and painted from the farthest triangle to
the nearest.
"""

from typing import NamedTuple

import cv2
import numpy as np

from blender_meshrec.core.array_types import BoolArray, FloatArray, IntArray

NOTHING = -1
_SHADE = 0.72  # brightness there
_SHADE_STEP = 0.05  # m in depth between neighbouring pixels from which the farther one lies in the nearer one's shade


class Window(NamedTuple):
    """A part of an image, px: left, top, width, height."""

    left: int
    top: int
    width: int
    height: int


def paint_triangles(points: FloatArray, depth: FloatArray, faces: IntArray, window: Window) -> IntArray:
    """The front-facing triangle that is seen at every pixel of a window, (height,width), NOTHING where there is none.

    Args:
        points: (V,2) px of the image; the first pixel's centre is (0.5, 0.5). depth: (V,) m. faces: (T,3), counterclockwise from outside.
    """
    x, y = (points - [window.left, window.top]).astype(np.float32).T
    a, b, c = faces.T
    # One array per coordinate: reductions over axes of three are slow.
    x_a, y_a, x_b, y_b, x_c, y_c = x[a], y[a], x[b], y[b], x[c], y[c]
    doubled_area = (y_b - y_a) * (x_c - x_a) - (x_b - x_a) * (y_c - y_a)  # the image's y points down
    left, right = _pixel_centres_between(x_a, x_b, x_c, window.width)
    top, bottom = _pixel_centres_between(y_a, y_b, y_c, window.height)
    seen = np.flatnonzero((doubled_area > 1e-9) & (right >= left) & (bottom >= top))
    depths = depth[a[seen]] + depth[b[seen]] + depth[c[seen]]
    seen = seen[np.argsort(-depths, kind="stable")]
    width = right[seen] - left[seen] + 1
    count = width * (bottom[seen] - top[seen] + 1)
    row = np.repeat(np.arange(len(seen)), count)
    place = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    down, along = np.divmod(place, width[row])
    column, line = left[seen][row] + along, top[seen][row] + down
    # Barycentric coordinates of the pixels' centres, from the first corner.
    scale = 1 / doubled_area[seen]
    dx, dy = column + np.float32(0.5) - x_a[seen][row], line + np.float32(0.5) - y_a[seen][row]
    v = dy * ((x_c - x_a)[seen] * scale)[row] - dx * ((y_c - y_a)[seen] * scale)[row]
    w = dx * ((y_b - y_a)[seen] * scale)[row] - dy * ((x_b - x_a)[seen] * scale)[row]
    inside = (v >= 0) & (w >= 0) & (v + w <= 1)
    painted = np.full(window.height * window.width, NOTHING, np.int32)
    painted[(line * window.width + column)[inside]] = seen[row[inside]]  # later ones, which are nearer, overwrite
    return painted.reshape(window.height, window.width)


def _pixel_centres_between(a: FloatArray, b: FloatArray, c: FloatArray, size: int) -> tuple[IntArray, IntArray]:
    """The first and the last of `size` pixels whose centres lie between the least and the greatest of three coordinates (T,) px."""
    low, high = np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c)
    return np.ceil(low - 0.5).clip(0).astype(np.int32), np.floor(high - 0.5).clip(-1, size - 1).astype(np.int32)


class Light(NamedTuple):
    """direction: (3,), unit, to the light, camera axes. ambient: 0..1, brightness of what faces away. fill: of a light at the camera."""

    direction: FloatArray
    ambient: float
    fill: float


def shade(vertices: FloatArray, faces: IntArray, painted: IntArray, colours: FloatArray, light: Light) -> tuple[FloatArray, BoolArray]:
    """Lambert-shaded colours (N,3) of the N pixels that `paint_triangles` painted, and which pixels they are, (height,width).

    Args:
        vertices: (V,3) m, camera axes. colours: (T,3), 0..1.
    """
    covered = painted >= 0
    used, back = np.unique(painted[covered], return_inverse=True)
    a, b, c = (vertices[faces[used, corner]] for corner in range(3))
    normals = np.cross(b - a, c - a)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    brightness = light.ambient + (1 - light.ambient) * np.maximum(normals @ light.direction, 0) + light.fill * np.maximum(-normals[:, 2], 0)
    depth = np.full(painted.shape, 1e3, np.float32)
    depth[covered] = ((a + b + c)[:, 2] / 3)[back]
    # What lies close behind a nearer part is darker there: limbs stand out from a trunk of the same colour.
    step = depth - cv2.erode(depth, np.ones((5, 5), np.uint8))
    shaded = np.where(step[covered] > _SHADE_STEP, _SHADE, 1.0)
    return (colours[used] * brightness[:, None]).astype(np.float32)[back] * shaded[:, None].astype(np.float32), covered
