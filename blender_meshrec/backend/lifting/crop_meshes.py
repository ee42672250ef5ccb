"""A mesh generator out of what an image method regressed of a person's crops: for PC-HMR and for all that a generated mesh feeds."""

import numpy as np
import torch

from ...bodies.make_body import make_body
from ...core.array_types import FloatArray
from ...core.crop_regression import CropRegression
from ...core.files.body_template import load_body
from ...core.records import BodyParams, GeneratedMesh, Observations
from ...core.rotations import rotvec_from_rotmat
from .image_estimates import regressed_crops


def generate_from_crops(observations: Observations, intrinsics: FloatArray, timestamps: FloatArray, device: torch.device) -> GeneratedMesh:
    """The mesh of every frame, as the networks gave it while the footage was read; the body is the open one.

    Args:
        observations: one person of F frames, with regression rows of a method that gives rotations. intrinsics: (3,3) px.
        timestamps: (F,) s. device: not used.

    Returns:
        a GeneratedMesh in camera axes, the hip in the origin, with the mean betas. In frames without a crop it is that of the nearest.

    Raises:
        InputError: nothing was regressed.
    """
    regression, known, camera_from_crop = regressed_crops(observations, intrinsics, timestamps)
    rotmats = regression.rotmats.copy()
    betas = regression.betas[known].mean(0)
    points = _project(regression, betas, rotmats)
    rotmats[:, 0] = camera_from_crop @ rotmats[:, 0]
    rotvecs = rotvec_from_rotmat(rotmats)
    frames = len(rotvecs)
    return GeneratedMesh(BodyParams("open", betas, rotvecs[:, 0], rotvecs[:, 1:].reshape(frames, -1), np.zeros((frames, 3))), points)


def _project(regression: CropRegression, betas: FloatArray, rotmats: FloatArray) -> FloatArray:
    """The joints (F,17,2) px of bodies with betas (B,) and local rotations (F,24,3,3) in the crops' axes, by the method's own camera."""
    joints = make_body(load_body()).h36m17(betas, rotmats[:, 0], rotmats[:, 1:]).numpy().astype(float)
    camera, squares = regression.camera[:, None], regression.squares[:, None]
    places = camera[..., :1] * (joints - joints[:, :1])[..., :2] + camera[..., 1:]
    return squares[..., :2] + places * squares[..., 2:] / 2
