"""Where each picture shows what the mesh says is at a pixel: pictures are moved onto the texture that all of them make.

The fit is off by a centimetre or two, and differently in each frame; without a correction, the mean of several views blurs. In turn, the
texture is made of all views, and each view's optical flow to a picture of the textured mesh is found: the alternation of Zhou and
Koltun 2014, "Color map optimization for 3D reconstruction with consumer depth cameras", with the flow of Kroeger et al. 2016 (DIS).
What all views are off by alike stays.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from ...core.array_types import BoolArray, FloatArray, ImageArray
from .filmed_view import FilmedView
from .sampling import sample_grid
from .surface import Surface

MAX_SHIFT = 0.06  # m on the skin
SMOOTHNESS = 0.03  # m, over which a shift is averaged
FLOW_SIDE = 512  # px of a picture's longer side, in which its flow is found


def align(views: Sequence[FilmedView], texture: ImageArray, surface: Surface) -> None:
    """Set each view's shift by the texture (S,S,3) that all views make."""
    for view in views:
        view.shift = flow_to_texture(view, texture, surface)


def render(view: FilmedView, texture: ImageArray, surface: Surface) -> tuple[ImageArray, BoolArray]:
    """The view's picture with the textured mesh in place of the person, (h,w,3) uint8, and where the mesh is, (h,w)."""
    shown = view.raster.triangles >= 0
    triangles, size = view.raster.triangles.clip(0), len(texture)
    nearness = view.raster.weights / np.maximum(view.vertices[surface.faces[triangles], 2], 0.1)
    nearness /= np.maximum(nearness.sum(-1, keepdims=True), 1e-12)  # weights that are linear on the triangle, not in the picture
    texcoords = np.einsum("hwk,hwkc->hwc", nearness, surface.vt[surface.ft[triangles]])
    painted = sample_grid(texture, texcoords * [size, -size] + [0, size]).astype(float)
    painted = ((painted - view.bias) / view.gain).clip(0, 255)
    return np.where(shown[..., None], painted, view.image).round().astype(np.uint8), shown


def flow_to_texture(view: FilmedView, texture: ImageArray, surface: Surface) -> FloatArray:
    """The shift (h,w,2) px from where the mesh has something to where the picture shows it."""
    painted, shown = render(view, texture, surface)
    height, width = shown.shape
    scale = min(1.0, FLOW_SIDE / max(height, width))
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    grey = [cv2.cvtColor(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY) for picture in (painted, view.image)]
    finder: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = np.asarray(finder.calc(grey[0], grey[1], None), np.float32)  # px of the small picture
    trusted = cv2.resize(view.clear * shown, size, interpolation=cv2.INTER_AREA)
    limit, sigma = MAX_SHIFT / view.metres * scale, max(SMOOTHNESS / view.metres * scale, 0.5)
    length = np.linalg.norm(flow, axis=-1)
    trusted = trusted * (length < limit)
    total = cv2.GaussianBlur(flow * trusted[..., None], (0, 0), sigma)
    share = cv2.GaussianBlur(trusted, (0, 0), sigma)[..., None]
    smooth = total / np.maximum(share, 0.05)  # fades to nothing away from what is trusted
    back = cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(back / np.array([size[0] / width, size[1] / height], np.float32), np.float32)
