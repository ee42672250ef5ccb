"""BlazePose GHUM's own 3D: the landmarks in metres that come with each detection, as an Estimate.

Paper: Grishchenko et al. 2022, "BlazePose GHUM Holistic: Real-time 3D Human Landmarks and Pose Estimation"; the network is
Bazarevsky et al. 2020, "BlazePose". The detector has run it already; this file converts its landmarks to the project's joints
and axes.

Deviations, ours:

* The network gets a crop and cannot know where in the picture it was cut, so its forward axis is the line of sight to the
  person, not the camera's axis. The landmarks are rotated onto that line; in a wide shot this is up to 30 degrees.
* The network gives no confidence for depth. A joint's is the least of the 2D points it is made of.
"""

import numpy as np
import torch

from ..bodies.alignment import rotation_to_optical_axis
from ..core.array_types import FloatArray
from ..core.cameras import rays_from_pixels
from ..core.errors import InputError
from ..core.records import Estimate, Observations
from ..core.skeletons import KEYPOINT_SETS, h36m17_weights, to_h36m17

KEYPOINT_SET = "blazepose33"
TORSO_KEYPOINTS = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")


def estimate(observations: Observations, intrinsics: FloatArray, timestamps: FloatArray, device: torch.device) -> Estimate:
    """h36m17 joints from BlazePose's landmarks in metres.

    Args:
        observations: one person of F frames, with keypoints_3d. intrinsics: (3,3) px. timestamps, device: not used.

    Returns:
        an Estimate in camera axes relative to the hip; rows without the person hold zeros and confidence 0.

    Raises:
        InputError: the observations have no landmarks in metres, as those of 2D keypoints files do not.
    """
    if observations.keypoints_3d is None or observations.keypoint_set != KEYPOINT_SET:
        raise InputError(
            "blazepose-needs-footage",
            "This method reads the 3D landmarks of the MediaPipe detector, which 2D keypoints do not carry.",
            "Choose a method that lifts 2D keypoints to 3D, or give the footage itself.",
        )
    joints = np.einsum("jk,fkc->fjc", h36m17_weights(KEYPOINT_SET), observations.keypoints_3d.astype(float))
    camera_from_crop = rotation_from_optical_axis(line_of_sight(observations.keypoints, intrinsics))
    joints = np.einsum("fab,fjb->fja", camera_from_crop, joints - joints[:, :1])
    confidence = to_h36m17(observations.keypoints, KEYPOINT_SET)[..., 2]
    visible = observations.visible[:, None]
    return Estimate(joints=joints * visible[..., None], confidence=np.clip(confidence, 0, 1) * visible)


def line_of_sight(keypoints: FloatArray, intrinsics: FloatArray) -> FloatArray:
    """Unit directions (F,3), camera axes, to the centre of the torso in keypoints (F,33,3) px."""
    torso = [KEYPOINT_SETS[KEYPOINT_SET].index[name] for name in TORSO_KEYPOINTS]
    rays = rays_from_pixels(keypoints[:, torso, :2].astype(float).mean(1), intrinsics)
    directions = np.concatenate([rays, np.ones((len(rays), 1))], -1)
    return directions / np.linalg.norm(directions, axis=-1, keepdims=True)


def rotation_from_optical_axis(directions: FloatArray) -> FloatArray:
    """The least rotations (F,3,3) that turn the z axis onto unit directions (F,3) in front of the camera."""
    rays = torch.as_tensor(directions[:, :2] / directions[:, 2:])
    return rotation_to_optical_axis(rays).mT.numpy()
