"""What image methods regressed of a person's crops, as an Estimate in camera axes: the start of the whole-clip solve."""

import numpy as np
import torch

from ...core.array_types import BoolArray, FloatArray
from ...core.cameras import points_on_rays, rays_from_pixels
from ...core.crop_regression import CropRegression
from ...core.errors import InputError
from ...core.records import Estimate, Observations
from ...core.skeletons import to_h36m17
from ...methods.blazepose import rotation_from_optical_axis


def estimate_from_crops(observations: Observations, intrinsics: FloatArray, timestamps: FloatArray, device: torch.device) -> Estimate:
    """The Estimator of every image method: the networks have run while the footage was read.

    Args:
        observations: one person of F frames, with regression rows. intrinsics: (3,3) px. timestamps: (F,) s. device: not used.

    Returns:
        joints of each frame, turned from the crop's line of sight to the camera's axes, and SMPL's rotations from methods that regress
        them. Between frames with a crop, joints are interpolated, and rotations are those of the nearest.

    Raises:
        InputError: nothing was regressed.
    """
    visible = np.array(observations.visible)
    regression, known, camera_from_crop = regressed_crops(observations, intrinsics, timestamps)
    joints = _interpolated(regression.joints, known, timestamps) @ np.swapaxes(camera_from_crop, -1, -2)
    rotmats = regression.rotmats.copy()
    rotmats[:, 0] = camera_from_crop @ rotmats[:, 0]
    rotmats[~visible] = np.eye(3)
    confidence = np.clip(to_h36m17(observations.keypoints, observations.keypoint_set)[..., 2], 0, 1)
    return Estimate(
        joints=joints * visible[:, None, None],
        confidence=confidence * visible[:, None],
        rotmats=rotmats if regression.has_rotmats[known].all() else None,
        q=regression.q * visible[:, None] if regression.q is not None and regression.q.any() else None,
    )


def regressed_crops(
    observations: Observations, intrinsics: FloatArray, timestamps: FloatArray
) -> tuple[CropRegression, BoolArray, FloatArray]:
    """The crop that is nearest in time to each of F frames, which frames have one of their own (F,), and the rotation (F,3,3) from the
    axes of each crop to the camera's. Raises InputError: nothing was regressed."""
    visible = np.array(observations.visible)
    rows = np.zeros((len(visible), CropRegression.row_length)) if observations.regression is None else observations.regression
    regression = CropRegression.from_rows(rows)
    known = visible & regression.known
    if not known.any():
        raise InputError(
            "nothing-regressed",
            "The method looks at the picture, and no picture of this person was seen.",
            "Give the footage itself, or choose a method that lifts 2D keypoints to 3D.",
        )
    regression = CropRegression.from_rows(np.asarray(rows)[_nearest_known(known, timestamps)])
    rays = rays_from_pixels(regression.squares[:, :2], intrinsics)
    return regression, known, rotation_from_optical_axis(points_on_rays(rays, np.ones(len(rays))))


def _nearest_known(known: BoolArray, timestamps: FloatArray) -> FloatArray:
    """For each of F frames, the known frame that is nearest in time."""
    times, rows = np.asarray(timestamps, float), np.flatnonzero(known)
    after = np.searchsorted(times[rows], times).clip(1, len(rows) - 1) if len(rows) > 1 else np.zeros(len(times), int)
    before = np.maximum(after - 1, 0)
    is_before_nearer = times - times[rows[before]] <= times[rows[after]] - times
    return np.where(is_before_nearer, rows[before], rows[after])


def _interpolated(joints: FloatArray, known: BoolArray, timestamps: FloatArray) -> FloatArray:
    """Joints (F,17,3) between the known frames' in time, and held before and after them."""
    times = np.asarray(timestamps, float)
    flat = joints[known].reshape(int(known.sum()), -1)
    return np.stack([np.interp(times, times[known], column) for column in flat.T], 1).reshape(len(times), *joints.shape[1:])
