"""The points a detector sees on feet, hands and face, for the rotations that joints cannot show."""

import numpy as np

from ..core.skeletons import KEYPOINT_SETS
from ..methods.blazepose import KEYPOINT_SET, line_of_sight, turn_onto
from .end_rotations import EndPoints


def end_points(observations, intrinsics):
    """EndPoints in camera axes of one person's Observations, or None where the detector has no points in metres."""
    if observations.keypoints_3d is None or observations.keypoint_set != KEYPOINT_SET:
        return None
    # The same turn onto the line of sight that the joints of these landmarks take.
    turn = turn_onto(line_of_sight(observations.keypoints, intrinsics))
    positions = np.einsum("fab,fkb->fka", turn, observations.keypoints_3d.astype(float))
    confidence = observations.keypoints[..., 2] * observations.visible[:, None]
    return EndPoints(KEYPOINT_SETS[KEYPOINT_SET].points, positions, confidence)
