"""The open body's UV map as DecoMR uses it: its texture's parts moved and stretched, so that limbs and hands have more of few texels.

In the texture the head takes a third of the square and a wrist four texels of 64. Every part of the texture (connected triangles) fills a
box here, and the largest, trunk with arms and legs, is stretched piecewise along both axes. A point of one map is a point of the other, so
that a correspondence found in this map is one in the texture. Ours.
"""

from functools import lru_cache

import numpy as np

from ..core.array_types import FloatArray, IntArray
from ..core.errors import ModelError
from ..core.files.body_template import load_body
from ..core.files.open_body_details import load_open_body_details
from .uv_map import UvLayout

# Left, bottom, right and top of each part, in the order of its first texture point. Between parts lie two texels of 64.
_BOXES = {
    "head": (0.80, 0.72, 1.0, 1.0), "body": (0.0, 0.0, 0.765, 1.0), "right_hand": (0.80, 0.53, 1.0, 0.69),
    "right_foot": (0.80, 0.17, 1.0, 0.31), "left_hand": (0.80, 0.34, 1.0, 0.50), "left_foot": (0.80, 0.0, 1.0, 0.14),
    "left_eye": (0.30, 0.0, 0.34, 0.04), "right_eye": (0.40, 0.0, 0.44, 0.04),
}  # fmt: skip
# Where the body's texture coordinates lie in its box: arms and the height of the arms are stretched.
_BODY_ACROSS = (0.0092, 0.20, 0.5611, 0.7519), (0.0, 0.30, 0.70, 1.0)
_BODY_UP = (0.1384, 0.30, 0.48, 0.74, 0.90, 0.9739), (0.0, 0.24, 0.46, 0.66, 0.94, 1.0)


@lru_cache(maxsize=1)
def open_body_uv() -> UvLayout:
    """The layout. Raises ModelError: the texture coordinates are not there."""
    details = load_open_body_details()
    if details is None:
        raise ModelError(
            "texture-coordinates-missing",
            "The texture coordinates of the open body are missing.",
            "Install the add-on again from its zip.",
        )
    vertex_of_texcoord = np.zeros(len(details.vt), np.int64)
    vertex_of_texcoord[details.ft.ravel()] = load_body().faces.ravel()
    return UvLayout(rearrange(details.vt.astype(float), _parts(details.ft, len(details.vt))), vertex_of_texcoord, details.ft)


def rearrange(texcoords: FloatArray, parts: IntArray) -> FloatArray:
    """Texture coordinates (T,2) in this map; parts (T,): the part of each, in the order of `_BOXES`."""
    moved = np.empty_like(texcoords)
    for part, (name, box) in enumerate(_BOXES.items()):
        points = texcoords[parts == part]
        low, high = points.min(0), points.max(0)
        fraction = (points - low) / (high - low)
        if name == "body":
            fraction = np.stack([np.interp(points[:, 0], *_BODY_ACROSS), np.interp(points[:, 1], *_BODY_UP)], 1)
        moved[parts == part] = np.array(box[:2]) + fraction * (np.array(box[2:]) - np.array(box[:2]))
    return moved


def _parts(faces: IntArray, count: int) -> IntArray:
    """The part (count,) of each texture point: parts are what triangles (T,3) connect, numbered by their first point."""
    first = np.arange(count)
    while True:
        least = first[faces].min(1)
        if (first[faces] == least[:, None]).all():
            return np.unique(first, return_inverse=True)[1]
        np.minimum.at(first, faces.ravel(), np.repeat(least, 3))
        first = first[first]
