"""The rotations that an image method regressed, in place of those that DIK finds from joints."""

from dataclasses import replace

import numpy as np

from ...core.array_types import BoolArray, FloatArray
from ...core.rotations import rotvec_from_rotmat
from .body_fit import BodyFit
from .body_params import local_rotvecs, with_rotvecs

NUM_JOINTS = 24


def with_rotations(fit: BodyFit, rotmats: FloatArray, visible: BoolArray) -> BodyFit:
    """A fitted body with local rotations of SMPL's joints (F,24,3,3) in frames with the person, visible (F,).

    Betas and the place of the pelvis stay: they come from keypoints and bone lengths. Joints of a body with fingers beyond SMPL's 22, and
    SMPL's hands, which no network sees, stay too.
    """
    rotvecs = local_rotvecs(fit.body)
    regressed = rotvec_from_rotmat(np.asarray(rotmats, float))
    body_joints = NUM_JOINTS - 2
    rotvecs[:, :body_joints] = np.where(visible[:, None, None], regressed[:, :body_joints], rotvecs[:, :body_joints])
    return replace(fit, body=with_rotvecs(fit.body, rotvecs))
