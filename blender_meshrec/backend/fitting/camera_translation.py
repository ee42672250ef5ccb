"""Where a person is in front of the camera over a clip: by their size in the image, their crouching, and their planted feet.

The size in the image gives the distance if the slant of each limb is known. A crouching person is where monocular
estimates are weakest: they bend the person too little, so that the person looks small and seems to step back. The distance is
therefore taken mostly from upright frames, and held constant while both feet are planted.
"""

import numpy as np

from ...core.array_types import ArrayLike, FloatArray
from ...core.contacts import contact_runs, contacts_from_probabilities
from ...core.skeletons import H36M17
from ...core.time_series import weighted_quantile
from .crouch_ratio import crouch_ratio
from .robust_weights import cauchy_weight, geman_mcclure_weight
from .smoothing import smooth_whittaker

# A person's distance changes slowly; faster changes are noise of the estimated pose. Hz.
DEPTH_CUTOFF = 0.8
# Scale of the robust loss of a distance against its neighbours in time, as a fraction of the distance.
DEPTH_OUTLIER = 0.04
JOINT_OUTLIER = 0.05  # scale of the robust loss of a joint, m
MIN_DEPTH, MAX_DEPTH = 0.3, 200.0  # m
# Crouch ratio, above the clip's least, at which a frame's distance weighs half.
HALF_WEIGHT_CROUCH = 0.05
# Both feet in contact for at least this long, s, is standing; in walking they are for less.
MIN_STANDING_TIME = 0.5
NUM_ITERATIONS = 4  # of reweighted least squares
_ANKLES = [H36M17.index("left_ankle"), H36M17.index("right_ankle")]


def solve_translation(joints: FloatArray, rays: FloatArray, weights: FloatArray, depth: FloatArray | None = None) -> FloatArray:
    """The translation (F,3) m with which a figure projects onto its keypoints.

    Args:
        joints: (F,J,3) m about any origin. rays: (F,J,2), x/z and y/z. weights: (F,J). depth: (F,) m, if it is known.

    Source: the linear equations of perspective resection with known points (Hartley and Zisserman, "Multiple view
    geometry", 7.1), three unknowns a frame, reweighted against outliers.
    """
    u, v = np.moveaxis(rays, -1, 0)
    x, y, z = np.moveaxis(joints, -1, 0)
    transl = np.zeros((len(joints), 3))
    inlier_weights = weights + 1e-6
    for _ in range(NUM_ITERATIONS):
        total, su, sv = inlier_weights.sum(1), (inlier_weights * u).sum(1), (inlier_weights * v).sum(1)
        right_x, right_y = u * z - x, v * z - y
        sum_x, sum_y = (inlier_weights * right_x).sum(1), (inlier_weights * right_y).sum(1)
        if depth is None:
            squared = (inlier_weights * (u * u + v * v)).sum(1) - (su * su + sv * sv) / total
            mixed = (inlier_weights * (u * right_x + v * right_y)).sum(1) - (su * sum_x + sv * sum_y) / total
            solved = np.clip(-mixed / np.maximum(squared, 1e-9), MIN_DEPTH, MAX_DEPTH)
        else:
            solved = depth
        transl = np.stack([(sum_x + su * solved) / total, (sum_y + sv * solved) / total, solved], -1)
        moved = joints + transl[:, None]
        residual = np.linalg.norm(moved[..., :2] - rays * moved[..., 2:], axis=-1)
        inlier_weights = weights * geman_mcclure_weight(residual, JOINT_OUTLIER) + 1e-6
    return transl


def solve_smooth_translation(
    joints: FloatArray, rays: FloatArray, weights: FloatArray, timestamps: ArrayLike, contacts: FloatArray | None = None
) -> FloatArray:
    """`solve_translation` with a depth that changes slowly, without the clip's outliers and noise, (F,3) m.

    Args:
        joints, rays, weights: of `solve_translation`. timestamps: (F,) s.
        contacts: (F,4) 0..1, probabilities that left heel and toe, right heel and toe touch the ground; None where unknown.
    """
    depth = solve_translation(joints, rays, weights)[:, 2]
    crouch = crouch_ratio(joints)
    evidence = np.clip(weights.sum(1) / 6, 0, 1) * cauchy_weight(crouch - crouch.min(), HALF_WEIGHT_CROUCH)
    if contacts is not None:
        depth = _hold_depth_while_standing(depth, joints, evidence, contacts, timestamps)
    log_depth = np.log(np.clip(depth, MIN_DEPTH, MAX_DEPTH))
    smooth, inlier_weights = log_depth, evidence
    for _ in range(NUM_ITERATIONS):
        smooth = smooth_whittaker(log_depth[:, None], timestamps, DEPTH_CUTOFF, inlier_weights)[:, 0]
        inlier_weights = evidence * cauchy_weight(log_depth - smooth, DEPTH_OUTLIER)
    return solve_translation(joints, rays, weights, np.exp(smooth))


def _hold_depth_while_standing(
    depth: FloatArray, joints: FloatArray, evidence: FloatArray, contacts: FloatArray, timestamps: ArrayLike
) -> FloatArray:
    """The hip's depths (F,) m, changed so that the ankles keep their depth while both feet are in contact."""
    times = np.asarray(timestamps, float)
    in_contact = contacts_from_probabilities(contacts, times).reshape(-1, 2, 2).max(2) > 0.5
    ankles_from_hip = joints[:, _ANKLES, 2].mean(1)
    depth = depth.copy()
    for first, last in contact_runs(in_contact.all(1)):
        if times[last - 1] - times[first] >= MIN_STANDING_TIME:
            ankles = depth[first:last] + ankles_from_hip[first:last]
            depth[first:last] = weighted_quantile(ankles, evidence[first:last] + 1e-6, 0.5) - ankles_from_hip[first:last]
    return depth
