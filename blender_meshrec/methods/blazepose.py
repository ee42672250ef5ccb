"""BlazePose GHUM's own 3D: the landmarks in metres that come with each detection, as an Estimate.

Paper: Grishchenko et al. 2022, "BlazePose GHUM Holistic: real-time 3D human landmarks and pose estimation"; the network is
Bazarevsky et al. 2020, "BlazePose". Nothing is inferred here: the detector has done it. What is left is to say the same in
the project's joints and axes.

Deviations, ours:

* The network sees a crop and cannot know where in the picture it was cut, so its forward axis is the line of sight to the
  person, not the camera's axis. The landmarks are turned onto that line; in a wide shot this is up to 30 degrees.
* Confidence is the least of the 2D points a joint is made of: the network gives none for depth.
"""

import numpy as np

from ..core.cameras import points_on_rays, rays_from_pixels
from ..core.errors import InputError
from ..core.records import Estimate
from ..core.skeletons import KEYPOINT_SETS, h36m17_weights, to_h36m17

KEYPOINT_SET = "blazepose33"
TORSO_KEYPOINTS = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")


def estimate(observations, intrinsics, timestamps, device):
    """h36m17 joints from BlazePose's landmarks in metres.

    Args:
        observations: one person of F frames, with keypoints_3d. intrinsics: (3,3) px. timestamps, device: not needed.

    Returns:
        an Estimate in camera axes about the hip; rows without the person hold zeros and confidence 0.

    Raises:
        InputError: the observations carry no landmarks in metres, as those of 2D keypoints files do not.
    """
    if observations.keypoints_3d is None or observations.keypoint_set != KEYPOINT_SET:
        raise InputError(
            "blazepose-needs-footage",
            "This method reads the 3D landmarks of the MediaPipe detector, which 2D keypoints do not carry.",
            "Choose a method that lifts 2D keypoints to 3D, or give the footage itself.",
        )
    joints = np.einsum("jk,fkc->fjc", h36m17_weights(KEYPOINT_SET), observations.keypoints_3d.astype(float))
    sight = line_of_sight(observations.keypoints, intrinsics)
    joints = np.einsum("fab,fjb->fja", rotation_from_optical_axis(sight), joints - joints[:, :1])
    confidence = to_h36m17(observations.keypoints, KEYPOINT_SET)[..., 2]
    seen = observations.visible[:, None]
    return Estimate(joints=joints * seen[..., None], confidence=np.clip(confidence, 0, 1) * seen)


def line_of_sight(keypoints, intrinsics):
    """Unit directions (F,3), camera axes, to the middle of the torso in keypoints (F,33,3) px."""
    torso = [KEYPOINT_SETS[KEYPOINT_SET].index[name] for name in TORSO_KEYPOINTS]
    middle = keypoints[:, torso, :2].astype(float).mean(1)
    rays = points_on_rays(rays_from_pixels(middle, intrinsics), np.ones(len(middle)))
    return rays / np.linalg.norm(rays, axis=-1, keepdims=True)


def rotation_from_optical_axis(directions):
    """The least rotations (F,3,3) that turn the z axis onto unit directions (F,3) in front of the camera.

    Source: Rodrigues' formula with the axis z x d = (-dy, dx, 0) and cosine dz.
    """
    x, y, z = directions.T
    share = 1 / (1 + z)
    rows = [1 - share * x * x, -share * x * y, x, -share * x * y, 1 - share * y * y, y, -x, -y, z]
    return np.stack(rows, -1).reshape(-1, 3, 3)
