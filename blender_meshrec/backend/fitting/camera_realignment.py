"""Move the camera so that people whose feet were locked project again to where they were seen.

One view determines depth badly: a path's depth may be off by decimetres and drift. Feet that are locked to the floor correct that, but
move people off their image, and most of it is one offset of the whole clip. The floor and every footprint stay; the camera moves.
"""

from collections.abc import Sequence

import numpy as np

from ...core.array_types import FloatArray
from .robust_weights import cauchy_weight

NUM_ITERATIONS = 5  # of reweighted least squares
ERROR_SCALE = 0.02  # scale of the robust loss of a joint's offset, as a fraction of its distance
DEPTH_STIFFNESS = 1e-3  # against moving along the line of sight, which images hardly determine
MIN_DEPTH = 0.1  # m in front of the camera from which a joint is used


def realign_camera(people: Sequence[tuple[FloatArray, FloatArray, FloatArray]]) -> FloatArray:
    """The translation of all people together that puts them back on their lines of sight.

    Args:
        people: (joints, observed, weights) each, in camera axes: joints (F,J,3) m with locked feet, observed (F,J,3) m before
            foot locking, weights (F,J).

    Returns:
        (3,) m, camera axes; zeros where nothing is in front of the camera.
    """
    joints, observed = (np.concatenate([np.asarray(person[part], float).reshape(-1, 3) for person in people]) for part in (0, 1))
    weights = np.concatenate([np.asarray(person[2], float).ravel() for person in people])
    usable = (joints[:, 2] > MIN_DEPTH) & (observed[:, 2] > MIN_DEPTH) & (weights > 0)
    joints, observed, weights = joints[usable], observed[usable], weights[usable]
    transl = np.zeros(3)
    if not len(joints):
        return transl
    rays, depth = observed[:, :2] / observed[:, 2:], joints[:, 2:]
    # (joint + transl) on its ray: joint_xy + transl_xy = ray (joint_z + transl_z), divided by the distance.
    jacobian = np.stack([np.eye(2)[axis] / depth for axis in (0, 1)], 1)
    jacobian = np.concatenate([jacobian, -(rays / depth)[..., None]], 2)
    offset = rays - joints[:, :2] / depth
    for _ in range(NUM_ITERATIONS):
        residual = np.linalg.norm(offset - jacobian @ transl, axis=1)
        robust = (weights * cauchy_weight(residual, ERROR_SCALE))[:, None, None]
        normal = (np.swapaxes(jacobian, 1, 2) @ (robust * jacobian)).sum(0)
        normal[2, 2] += DEPTH_STIFFNESS * normal[0, 0]
        right = (np.swapaxes(jacobian, 1, 2) @ (robust * offset[..., None])).sum(0)[:, 0]
        transl = np.linalg.solve(normal + 1e-12 * np.eye(3), right)
    return transl
