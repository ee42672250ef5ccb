"""The estimators, which lift 2D keypoints to 3D joints. Importing this module registers all of them."""

from dataclasses import replace

import numpy as np
import torch

from ...core.array_types import BoolArray, FloatArray
from ...core.records import Estimate, Observations
from ...core.skeletons import H36M17, limb_indices
from ...methods import blazepose, pc_hmr, skeleton2mesh
from .. import registry
from ..fitting.camera_space import smooth_estimate
from . import generators

LIMB_INDICES = limb_indices(H36M17)

registry.estimator("blazepose")(blazepose.estimate)


registry.estimator("skeleton2mesh")(skeleton2mesh.estimate)


def lift_and_average(observations: Observations, intrinsics: FloatArray, timestamps: FloatArray, device: torch.device) -> Estimate:
    """Lift by PC-HMR's own weights for the lifter; if the detector gives 3D keypoints too, average both.

    The calibration was tuned together with these weights, which do not take the detector's 3D as an input.
    """
    lifted = skeleton2mesh.estimate(observations, intrinsics, timestamps, device, pc_hmr.LIFTER_WEIGHTS_FILE)
    if observations.keypoints_3d is None or not observations.visible.any():
        return lifted
    detected = blazepose.estimate(observations, intrinsics, timestamps, device)
    return replace(lifted, joints=average_estimates(lifted.joints, detected.joints, observations.visible, timestamps))


registry.estimator("pc-hmr")(pc_hmr.parallel(generators.hmr, lift_and_average))
registry.estimator("pc-hmr-serial")(pc_hmr.serial(generators.hmr, lift_and_average))


def average_estimates(lifted: FloatArray, detected: FloatArray, visible: BoolArray, timestamps: FloatArray) -> FloatArray:
    """The mean of two estimates of one person, the second smoothed, at the size of the second.

    Args:
        lifted, detected: (F,17,3) m relative to the hip, camera axes. visible: (F,). timestamps: (F,) s.

    Returns:
        (F,17,3) m, zeros in frames in which the person is not visible.
    """
    lifted, detected = np.asarray(lifted, float)[visible], np.asarray(detected, float)[visible]
    scale = np.linalg.norm(detected[:, LIMB_INDICES], axis=-1).mean() / max(np.linalg.norm(lifted[:, LIMB_INDICES], axis=-1).mean(), 1e-6)
    mean = np.zeros((len(visible), *lifted.shape[1:]))
    mean[visible] = 0.5 * (scale * lifted + smooth_estimate(detected, np.asarray(timestamps, float)[visible]))
    return mean
