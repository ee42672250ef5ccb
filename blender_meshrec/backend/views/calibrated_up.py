"""Up, as a calibration has it: whoever calibrates a scene lays one axis of its world upright, with a frame or a board on the floor."""

from collections.abc import Sequence

import numpy as np

from ...core.array_types import FloatArray
from ...core.rotations import angle_between_rotmats

# An axis this near to the up that people show, rad, is up: their estimate is seldom off by more, and few axes lie there by chance.
MAX_ANGLE = np.radians(12.0)
SAME_AXES = np.radians(0.1)  # a camera whose axes are those of the world, as stereo calibrations have it, says nothing of up


def calibrated_up(cameras: Sequence[FloatArray], up: FloatArray) -> FloatArray | None:
    """The axis (3,) of a calibration's world that points up, in the first camera's axes; None where there is none.

    Args:
        cameras: camera_from_world (4,4) of the views, the first view's first. up: (3,) in the first camera's axes, as people show it.
    """
    if any(float(angle_between_rotmats(camera[:3, :3], np.eye(3))) < SAME_AXES for camera in cameras):
        return None
    axes = np.concatenate([cameras[0][:3, :3].T, -cameras[0][:3, :3].T])
    nearest = axes[int(np.argmax(axes @ up))]
    return nearest if float(nearest @ up) > np.cos(MAX_ANGLE) else None
