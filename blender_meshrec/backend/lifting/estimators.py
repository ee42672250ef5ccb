"""The estimators, which lift 2D keypoints to 3D joints. Importing this module registers all of them."""

from dataclasses import replace
from functools import partial

import numpy as np
import torch

from ...core.array_types import BoolArray, FloatArray
from ...core.records import Estimate, Observations
from ...core.skeletons import H36M17, limb_indices
from ...methods import blazepose, pc_hmr, skeleton2mesh
from .. import registry
from ..fitting.camera_space import smooth_estimate
from . import generators
from .generated_estimates import estimate_from_mesh
from .image_estimates import estimate_from_crops
from .image_methods import IMAGE_METHODS
from .keypoint_hsmr import estimate_with_hsmr
from .released_lifter import lift_with_videopose3d

LIMB_INDICES = limb_indices(H36M17)
LIFTER = "skeleton2mesh"


def estimator_name(method: str) -> str:
    """The name of the estimator that a request's method asks for."""
    return LIFTER if method == "auto" else method


registry.estimator("blazepose")(blazepose.estimate)


# Of the detector's own 3D in the mean with the lifter's. The lifter has it as an input, and learnt from rendered bodies how far to believe
# it. More of it straightens legs and shortens steps towards the camera; none is best on rendered bodies, and 2 mm worse on filmed people
# (docs/accuracy.md). PC-HMR's calibration was tuned together with other weights for the lifter, and even means.
OWN_3D_WEIGHT, OWN_3D_WEIGHT_OF_PC_HMR = 0.15, 0.5


def lift_and_average(
    observations: Observations,
    intrinsics: FloatArray,
    timestamps: FloatArray,
    device: torch.device,
    weights: str = skeleton2mesh.WEIGHTS_FILE,
    own_weight: float = OWN_3D_WEIGHT,
) -> Estimate:
    """Lift by Skeleton2Mesh; if the detector gives 3D keypoints too, average both.

    weights: the file of the lifter's weights. own_weight: of the detector's 3D in the mean.
    """
    lifted = skeleton2mesh.estimate(observations, intrinsics, timestamps, device, weights)
    if observations.keypoints_3d is None or not observations.visible.any():
        return lifted
    detected = blazepose.estimate(observations, intrinsics, timestamps, device)
    has_own = observations.visible & np.asarray(observations.keypoints_3d).any((1, 2))  # not in gaps that are filled in
    joints = average_estimates(lifted.joints, detected.joints, has_own, timestamps, own_weight)
    return replace(lifted, joints=np.where(has_own[:, None, None], joints, lifted.joints))


registry.estimator("skeleton2mesh")(lift_and_average)
_lift_for_pc_hmr = partial(lift_and_average, weights=pc_hmr.LIFTER_WEIGHTS_FILE, own_weight=OWN_3D_WEIGHT_OF_PC_HMR)
registry.estimator("pc-hmr")(pc_hmr.parallel(generators.hmr, _lift_for_pc_hmr))
registry.estimator("pc-hmr-serial")(pc_hmr.serial(generators.hmr, _lift_for_pc_hmr))
registry.estimator("hkmr")(estimate_from_mesh(generators.hkmr))
registry.estimator("pc-hmr-hkmr")(pc_hmr.parallel(generators.hkmr, _lift_for_pc_hmr))
registry.estimator("pc-hmr-decomr")(pc_hmr.parallel(generators.decomr, _lift_for_pc_hmr))
registry.estimator("videopose3d")(lift_with_videopose3d)
for _method in IMAGE_METHODS:
    registry.estimator(_method)(estimate_from_crops)
registry.estimator("hsmr")(estimate_with_hsmr)  # which takes the crops' answers, too


def average_estimates(
    lifted: FloatArray, detected: FloatArray, visible: BoolArray, timestamps: FloatArray, weight: float = OWN_3D_WEIGHT_OF_PC_HMR
) -> FloatArray:
    """The weighted mean of two estimates of one person, the second smoothed, at the size of the second.

    Args:
        lifted, detected: (F,17,3) m relative to the hip, camera axes. visible: (F,). timestamps: (F,) s. weight: of the second.

    Returns:
        (F,17,3) m, zeros in frames in which the person is not visible.
    """
    lifted, detected = np.asarray(lifted, float)[visible], np.asarray(detected, float)[visible]
    scale = np.linalg.norm(detected[:, LIMB_INDICES], axis=-1).mean() / max(np.linalg.norm(lifted[:, LIMB_INDICES], axis=-1).mean(), 1e-6)
    mean = np.zeros((len(visible), *lifted.shape[1:]))
    mean[visible] = (1 - weight) * scale * lifted + weight * smooth_estimate(detected, np.asarray(timestamps, float)[visible])
    return mean
