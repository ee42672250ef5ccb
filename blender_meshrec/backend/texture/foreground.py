"""Which pixels of the mesh show the person, and not what is behind them: the mesh is a centimetre or two off, a limb at times more.

By colour, from what lies deep inside the mesh and what lies outside it: Rother et al. 2004, "GrabCut" (OpenCV's).
"""

import cv2
import numpy as np

from ...core.array_types import BoolArray, ImageArray

SIDE = 256  # px of the picture's longer side, in which pixels are told apart
SURE_INSIDE = 0.06  # m from the mesh's outline: the trunk, but no limb, which may be beside the picture's
SURE_OUTSIDE = 0.08
ROUNDS = 3
MIN_KEPT = 0.5  # of the mesh: where colours tell less of it apart, they are those of the background


def tell_person_apart(image: ImageArray, own: BoolArray, metres: float) -> BoolArray:
    """The pixels (h,w) of the mesh that show the person.

    Args:
        image: (h,w,3) uint8 RGB. own: (h,w), where the mesh is, and nothing is known to be in front. metres: of a pixel at the person.
    """
    height, width = own.shape
    scale = min(1.0, SIDE / max(height, width))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    inside = np.asarray(cv2.resize(own.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST), np.uint8)
    pixel = metres / scale
    depth, distance = (cv2.distanceTransform(picture, cv2.DIST_L2, 5) * pixel for picture in (inside, 1 - inside))
    labels = np.where(inside > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[depth > SURE_INSIDE], labels[distance > SURE_OUTSIDE] = cv2.GC_FGD, cv2.GC_BGD
    if not (labels == cv2.GC_BGD).any() or inside.sum() < 100:
        return own
    cv2.setRNGSeed(0)
    behind, before = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(cv2.cvtColor(small, cv2.COLOR_RGB2BGR), labels, (0, 0, 1, 1), behind, before, ROUNDS, cv2.GC_INIT_WITH_MASK)
    found = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))
    if (found & (inside > 0)).sum() < MIN_KEPT * inside.sum():
        return own
    wide = cv2.resize(found.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return own & np.asarray(wide > 0.5, bool)
