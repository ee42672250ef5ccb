"""Who turns 2D points into 3D joints. Importing this module registers every estimator of the published methods.

An estimator is a function `estimate(observations, intrinsics, timestamps, device) -> Estimate`.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from ...core.skeletons import H36M17, limb_indices
from ...methods import blazepose, pc_hmr, skeleton2mesh
from .. import registry
from ..fitting.camera_space import smooth_estimate
from . import generators

LIMB_INDICES = limb_indices(H36M17)

registry.estimator("blazepose")(blazepose.estimate)


@registry.estimator("skeleton2mesh")
def lift_and_average(observations, intrinsics, timestamps, device, weights=skeleton2mesh.WEIGHTS_FILE):
    """Skeleton2Mesh's lifting; where the detector has a 3D of its own, the mean of both.

    One saw the picture, the other the motion: what they get wrong about depth differs, and where one of them is badly wrong
    the other seldom is. Ours: on two calibrated videos each alone is 65 to 71 mm off, their mean 60 and 63.
    """
    lifted = skeleton2mesh.estimate(observations, intrinsics, timestamps, device, weights)
    if observations.keypoints_3d is None or not observations.visible.any():
        return lifted
    own = blazepose.estimate(observations, intrinsics, timestamps, device)
    return replace(lifted, joints=average_estimates(lifted.joints, own.joints, observations.visible, timestamps))


_lift_tuned = partial(lift_and_average, weights=pc_hmr.LIFTER_WEIGHTS_FILE)
registry.estimator("pc-hmr")(pc_hmr.parallel(generators.hmr, _lift_tuned))
registry.estimator("pc-hmr-serial")(pc_hmr.serial(generators.hmr, _lift_tuned))


def average_estimates(lifted, detected, visible, timestamps):
    """The mean of two estimates of one person, the second smoothed, at the size of the second.

    Args:
        lifted, detected: (F,17,3) m about the hip, camera axes. visible: (F,). timestamps: (F,) s.

    Returns:
        (F,17,3) m, zeros where nobody is visible.
    """
    lifted, detected = np.asarray(lifted, float)[visible], np.asarray(detected, float)[visible]
    size = np.linalg.norm(detected[:, LIMB_INDICES], axis=-1).mean() / max(np.linalg.norm(lifted[:, LIMB_INDICES], axis=-1).mean(), 1e-6)
    mean = np.zeros((len(visible), *lifted.shape[1:]))
    mean[visible] = 0.5 * (size * lifted + smooth_estimate(detected, np.asarray(timestamps, float)[visible]))
    return mean
