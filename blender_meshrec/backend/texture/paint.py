"""Paint the texture of one person from some shots."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ...core.array_types import FloatArray, ImageArray, IntArray
from .alignment import align
from .blend import blend
from .exposure import even_exposure
from .fill import fill_unseen, paint, seen_share
from .filmed_view import FilmedView, Shot, look
from .surface import Surface, Texels

ALIGNED_SIZE = 512  # texels a side of the texture that pictures are aligned to
ALIGNMENT_ROUNDS = 3
PIECE_SIDE = (512, 1536)  # px, least and most, of a person's piece of a picture; between them, as many as the texture has texels


@dataclass(frozen=True)
class Painted:
    """texture: (S,S,3) uint8 RGB. seen: (N,) 0..1, how far each covered texel shows what was filmed; index: (N,), of those texels in the
    picture's rows. share: of the skin's area that was seen, 0..1. views: number of pictures used."""

    texture: ImageArray
    seen: FloatArray
    index: IntArray
    share: float
    views: int


class Painter:
    """Paints a person shot by shot, so that a whole picture is held only while it is looked at."""

    def __init__(self, surface: Surface, size: int) -> None:
        self.surface, self.size = surface, size
        self.views: list[FilmedView] = []

    def add(self, shot: Shot) -> None:
        """Look at a shot; one that does not show the person is left out."""
        side = int(np.clip(self.size, *PIECE_SIDE))
        view = look(shot, self.surface.faces, self.surface.normals(shot.vertices), side)
        if view is not None:
            self.views.append(view)

    def paint(self, rounds: int = ALIGNMENT_ROUNDS) -> Painted | None:
        """The texture of all shots; None if no shot shows the person. rounds: of alignment."""
        if not self.views:
            return None
        self._even()
        if rounds and len(self.views) > 1:
            self._align(rounds)
        texels = self.surface.texels(self.size)
        blended = blend(self.views, self.surface, texels)
        seen = seen_share(blended.weight)
        area = self._area_of_texels(texels)
        colours = fill_unseen(blended, self.surface, texels)
        share = float(np.average(seen, weights=area))
        return Painted(paint(colours, texels), seen, texels.index, share, len(self.views))

    def _align(self, rounds: int) -> None:
        """Align the views to the texture that they make, several times."""
        small = self.surface.texels(min(ALIGNED_SIZE, self.size))
        for _ in range(rounds):
            blended = blend(self.views, self.surface, small)
            align(self.views, paint(fill_unseen(blended, self.surface, small), small), self.surface)
            self._even()

    def _even(self) -> None:
        """Even the exposure of the views, by the vertices."""
        even_exposure(self.views, [view.vertices for view in self.views], [view.normals for view in self.views])

    def _area_of_texels(self, texels: Texels) -> FloatArray:
        """What share (N,) of the skin each texel stands for, but for a factor."""
        a, b, c = (self.surface.vertices[self.surface.faces[:, k]] for k in range(3))
        area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
        u, v, w = (self.surface.vt[self.surface.ft[:, k]] for k in range(3))
        in_map = np.abs((v - u)[:, 0] * (w - u)[:, 1] - (v - u)[:, 1] * (w - u)[:, 0])
        ratio = np.repeat(area / np.maximum(in_map, 1e-12), 3)
        of_vertices = np.bincount(self.surface.faces.ravel(), ratio) / np.bincount(self.surface.faces.ravel())
        return texels.interpolate(of_vertices[:, None])[:, 0]


def paint_shots(shots: Iterable[Shot], surface: Surface, size: int, rounds: int = ALIGNMENT_ROUNDS) -> Painted | None:
    """The texture of a person whom some shots show; see `Painter`."""
    painter = Painter(surface, size)
    for shot in shots:
        painter.add(shot)
    return painter.paint(rounds)
