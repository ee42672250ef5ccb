"""When a limb is on IK: while its foot or hand touches, without switches that last only a few frames."""

import numpy as np

from ...core.array_types import BoolArray
from .fit_channels import phases_of

_MIN_FRAMES = 5  # of a contact, and of a gap between two


def contact_phases(touching: BoolArray) -> BoolArray:
    """The frames (F,) on which a limb is on IK, of those on which it touches (F,): short gaps are closed, then short contacts left out."""
    uses_ik = np.array(touching, bool)
    for first, end in phases_of(~uses_ik):
        if first > 0 and end < len(uses_ik) and end - first < _MIN_FRAMES:
            uses_ik[first:end] = True
    for first, end in phases_of(uses_ik):
        if end - first < _MIN_FRAMES and end - first < len(uses_ik):
            uses_ik[first:end] = False
    return uses_ik
