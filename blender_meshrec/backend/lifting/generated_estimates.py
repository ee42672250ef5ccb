"""A mesh generator as a method of its own: the joints and rotations of its mesh are the start of the whole-clip solve."""

import numpy as np
import roma
import torch

from ...bodies.make_body import make_body
from ...core.array_types import FloatArray
from ...core.files.body_template import load_body
from ...core.records import Estimate, Observations
from ...core.skeletons import to_h36m17
from ..registry import Estimator, Generator


def estimate_from_mesh(generate: Generator) -> Estimator:
    """The Estimator that gives the h36m17 joints and SMPL's rotations of a generator's mesh; confidences are those of the keypoints."""

    def estimate(observations: Observations, intrinsics: FloatArray, timestamps: FloatArray, device: torch.device) -> Estimate:
        params = generate(observations, intrinsics, timestamps, device).body
        visible = np.array(observations.visible)
        body = make_body(load_body(), device)
        joints = body.h36m17(params.betas, params.global_orient, params.body_pose).cpu().numpy()
        rotmats = roma.rotvec_to_rotmat(torch.as_tensor(params.poses).unflatten(1, (-1, 3))).numpy()
        rotmats[~visible] = np.eye(3)
        confidence = np.clip(to_h36m17(observations.keypoints, observations.keypoint_set)[..., 2], 0, 1)
        return Estimate(joints=(joints - joints[:, :1]) * visible[:, None, None], confidence=confidence * visible[:, None], rotmats=rotmats)

    return estimate
