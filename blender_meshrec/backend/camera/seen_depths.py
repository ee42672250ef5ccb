"""How far away the background's points are along a camera's path, and what those beside feet say of the path's length.

What lies in the picture beside a foot that stands, as high as its sole, is the floor, and as far away as the foot; nothing farther is seen
there, only things that stand before it.
"""

from dataclasses import dataclass

import numpy as np

from ...core.array_types import BoolArray, FloatArray, IntArray

ROW, REACH = 0.015, 0.5  # shares of the picture's width: of the height about a sole, and of the way beside it


@dataclass(frozen=True)
class SeenDepths:
    """N points of the background where frames see them: frames (N,), points (N,), pixels (N,2) px from the image's middle, and depths (N,),
    in units of the path. noise: px, standard deviation of the pixels.
    """

    frames: IntArray
    points: IntArray
    pixels: FloatArray
    depths: FloatArray
    noise: float = 0.0


def ratios_beside_feet(seen: SeenDepths, soles: FloatArray, focal: float, is_standing: BoolArray, width: float) -> FloatArray:
    """Logarithms (P,) of a foot's distance, m, over that of a point of the floor beside it, units; one a point, its median.

    Args:
        soles: (F,4,3) m, in the axes of each frame's camera. focal: px. is_standing: (F,4), soles on the ground. width: px of the picture.
    """
    ratios: list[FloatArray] = []
    points: list[IntArray] = []
    pixels = focal * soles[..., :2] / np.maximum(soles[..., 2:], 0.1)
    for k in range(soles.shape[1]):
        way = np.abs(seen.pixels - pixels[seen.frames, k])
        depth = soles[seen.frames, k, 2]
        is_beside = (
            (way[:, 1] < ROW * width) & (way[:, 0] < REACH * width) & is_standing[seen.frames, k] & (seen.depths > 0) & (depth > 0.1)
        )
        ratios.append(np.log(depth[is_beside] / seen.depths[is_beside]))
        points.append(seen.points[is_beside])
    ratio, point = np.concatenate(ratios), np.concatenate(points)
    return np.array([float(np.median(ratio[point == one])) for one in np.unique(point)])
