"""How far away a person is over a clip: by how large they look, by how far they crouch, and by planted feet.

How large somebody looks tells how far away they are, if it is known how each limb leans. While they crouch that is the weak side
of every monocular estimate: it bends them too little, so that they look small, and seem to step back. What is known while they
stand upright is believed more, and who keeps both feet in place does not step back at all.
"""

import numpy as np

from ...core.contacts import contact_runs, contacts_from_probabilities
from ...core.skeletons import H36M17
from .smoothing import smooth_whittaker
from ...core.time_series import weighted_quantile
from .crouch_ratio import crouch_ratio

# A person's distance changes slowly; what looks faster is the estimate's pose trembling. Hz.
DEPTH_CUTOFF = 0.8
# A distance off its neighbours in time by this share is a slip.
DEPTH_OUTLIER = 0.04
JOINT_OUTLIER = 0.05  # m; so is an estimate's joint
MIN_DEPTH, MAX_DEPTH = 0.3, 200.0  # m
# The share of a person's length that is missing between head and feet at which their distance counts half.
HALF_WEIGHT_CROUCH = 0.05
# Both feet in place for as long as this, s, is standing; in walking they are for less.
MIN_STANDING_TIME = 0.5
_ANKLES = [H36M17.index("left_ankle"), H36M17.index("right_ankle")]


def solve_translation(joints, rays, weights, depth=None):
    """Where a figure stands so that it projects onto its 2D points, (F,3) m.

    Args:
        joints: (F,J,3) m about any origin. rays: (F,J,2), x/z and y/z. weights: (F,J). depth: (F,) m, if it is known.

    Source: the linear equations of perspective resection with known points (Hartley and Zisserman, "Multiple view
    geometry", 7.1), three unknowns a frame, reweighted four times against outliers.
    """
    u, v = np.moveaxis(rays, -1, 0)
    x, y, z = np.moveaxis(joints, -1, 0)
    trust = weights + 1e-6
    for _ in range(4):
        total, su, sv = trust.sum(1), (trust * u).sum(1), (trust * v).sum(1)
        right_x, right_y = u * z - x, v * z - y
        if depth is None:
            squared = (trust * (u * u + v * v)).sum(1) - (su * su + sv * sv) / total
            mixed = (trust * (u * right_x + v * right_y)).sum(1) - (su * (trust * right_x).sum(1) + sv * (trust * right_y).sum(1)) / total
            found = np.clip(-mixed / np.maximum(squared, 1e-9), MIN_DEPTH, MAX_DEPTH)
        else:
            found = depth
        shift = np.stack([(trust * right_x).sum(1) + su * found, (trust * right_y).sum(1) + sv * found], -1) / total[:, None]
        transl = np.concatenate([shift, found[:, None]], -1)
        moved = joints + transl[:, None]
        off = np.linalg.norm(moved[..., :2] - rays * moved[..., 2:], axis=-1)
        trust = weights / (1 + (off / JOINT_OUTLIER) ** 2) ** 2 + 1e-6
    return transl


def solve_smooth_translation(joints, rays, weights, timestamps, contacts=None):
    """`solve_translation` with a distance that changes slowly: the clip's slips and trembling taken out, (F,3) m.

    Args:
        joints, rays, weights: of `solve_translation`. timestamps: (F,) s.
        contacts: (F,4) 0..1, how surely left heel and toe, right heel and toe touch the ground; None where nothing tells.
    """
    distance = solve_translation(joints, rays, weights)[:, 2]
    bent = crouch_ratio(joints)
    evidence = np.clip(weights.sum(1) / 6, 0, 1) / (1 + ((bent - bent.min()) / HALF_WEIGHT_CROUCH) ** 2)
    if contacts is not None:
        distance = _hold_depth_while_standing(distance, joints, evidence, contacts, timestamps)
    distance = np.log(np.clip(distance, MIN_DEPTH, MAX_DEPTH))
    trust = evidence
    smooth = distance
    for _ in range(4):
        smooth = smooth_whittaker(distance[:, None], timestamps, DEPTH_CUTOFF, trust)[:, 0]
        trust = evidence / (1 + ((distance - smooth) / DEPTH_OUTLIER) ** 2)
    return solve_translation(joints, rays, weights, np.exp(smooth))


def _hold_depth_while_standing(distance, joints, evidence, contacts, timestamps):
    """The hip's distances (F,) m, changed so that the feet stay where they are while both stand."""
    times = np.asarray(timestamps, float)
    touching = contacts_from_probabilities(contacts, times).reshape(-1, 2, 2).max(2) > 0.5
    from_hip = joints[:, _ANKLES, 2].mean(1)
    distance = distance.copy()
    for first, last in contact_runs(touching.all(1)):
        if times[last - 1] - times[first] >= MIN_STANDING_TIME:
            feet = distance[first:last] + from_hip[first:last]
            distance[first:last] = weighted_quantile(feet, evidence[first:last] + 1e-6, 0.5) - from_hip[first:last]
    return distance
