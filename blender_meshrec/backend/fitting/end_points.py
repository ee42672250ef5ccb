"""The points a detector sees on feet, hands and face, for the rotations that joints cannot show."""

import numpy as np

from ...core.skeletons import H36M17, KEYPOINT_SETS
from .smoothing import smooth_positions
from ...methods.blazepose import KEYPOINT_SET, line_of_sight, rotation_from_optical_axis
from .end_rotations import EndPoints


def locate_end_points(observations, camera_joints, intrinsics, timestamps, smoothing):
    """Where the detector's points are in front of the camera.

    Each lies on its line of sight, at the depth the detector gives it beside the placed hip: what the picture shows of a
    foot's or a hand's direction is kept, and only what it cannot show is the detector's guess.

    Args:
        observations: one person of F frames. camera_joints: CameraSpaceJoints. intrinsics: (3,3) px. timestamps: (F,) s.
        smoothing: strength, as for the joints.

    Returns:
        EndPoints in camera axes; without positions where the detector gives no points in metres.
    """
    names = KEYPOINT_SETS[observations.keypoint_set].points
    confidence = observations.keypoints[..., 2] * observations.visible[:, None]
    pixels = np.concatenate([observations.keypoints[..., :2], np.ones_like(observations.keypoints[..., :1])], -1)
    rays = pixels @ np.linalg.inv(intrinsics).T
    smooth_rays = smooth_positions(rays[..., :2], timestamps, smoothing, confidence)
    if observations.keypoints_3d is None or observations.keypoint_set != KEYPOINT_SET:
        return EndPoints(names, None, confidence, smooth_rays)
    # The same turn onto the line of sight that the joints of these landmarks take.
    turn = rotation_from_optical_axis(line_of_sight(observations.keypoints, intrinsics))
    depth = np.einsum("fb,fkb->fk", turn[:, 2], observations.keypoints_3d.astype(float))
    depth += camera_joints.joints[:, H36M17.index("hip"), 2][:, None]
    positions = smooth_positions(rays * depth[..., None], timestamps, smoothing, confidence)
    return EndPoints(names, positions, confidence, smooth_rays)
