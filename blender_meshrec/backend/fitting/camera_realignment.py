"""The camera, moved so that people whose feet were locked are seen again where they were.

One view tells depth badly: a path's depth may be off by decimetres and wander. Feet that are kept where they stand put that right, but
move people off the picture, and most of it is one offset of the whole clip. The floor and every footprint stay; the camera moves.
"""

import numpy as np

NUM_ITERATIONS, HALF_WEIGHT_ERROR = 5, 0.02  # how often errors are weighed anew; and an error that counts half, as a share of the distance
DEPTH_STIFFNESS = 1e-3  # against moving along the line of sight, which pictures hardly tell


def realign_camera(people):
    """How far all people together are to move to be on their lines of sight again.

    Args:
        people: (joints, seen, weights) each, camera axes: joints (F,J,3) m where they are, seen (F,J,3) m where they were
            placed, weights (F,J).

    Returns:
        (3,) m, camera axes; zeros where nothing is in front of the camera.
    """
    joints, seen, weights = (np.concatenate([np.asarray(each[part], float).reshape(-1, *tail) for each in people])
                             for part, tail in ((0, (3,)), (1, (3,)), (2, ())))  # fmt: skip
    ahead = (joints[:, 2] > 0.1) & (seen[:, 2] > 0.1) & (weights > 0)
    joints, seen, weights = joints[ahead], seen[ahead], weights[ahead]
    move = np.zeros(3)
    if not len(joints):
        return move
    rays, depth = seen[:, :2] / seen[:, 2:], joints[:, 2:]
    # (joint + move) on its ray: joint_xy + move_xy = ray (joint_z + move_z), as a share of the distance.
    slopes = np.stack([np.eye(2)[axis] / depth for axis in (0, 1)], 1)
    slopes = np.concatenate([slopes, -(rays / depth)[..., None]], 2)
    missing = rays - joints[:, :2] / depth
    for _ in range(NUM_ITERATIONS):
        off = np.linalg.norm(missing - slopes @ move, axis=1)
        counted = (weights / (1 + (off / HALF_WEIGHT_ERROR) ** 2))[:, None, None]
        normal = (np.swapaxes(slopes, 1, 2) @ (counted * slopes)).sum(0)
        normal[2, 2] += DEPTH_STIFFNESS * normal[0, 0]
        move = np.linalg.solve(normal + 1e-12 * np.eye(3), (np.swapaxes(slopes, 1, 2) @ (counted * missing[..., None])).sum(0)[:, 0])
    return move
