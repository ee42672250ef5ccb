"""An SMPL-family body's skin in numpy, frame by frame: for measures, where nothing is to be learnt or installed."""

import numpy as np

from .rotations import rotmat_from_rotvec


def posed_vertices(template, betas, poses, trans):
    """Yield the vertices (V,3) m of each frame of a motion.

    Args:
        template: a BodyTemplate of J joints. betas: (B,). poses: (F,3J) rad, root first. trans: (F,3) m.

    Source: Loper et al. 2015, "SMPL: A Skinned Multi-Person Linear Model", eq. 2 to 9.
    """
    vertices, joints = template.rest(betas)
    parents = np.asarray(template.parents)
    for pose, shift in zip(np.asarray(poses, float), np.asarray(trans, float)):
        local = rotmat_from_rotvec(pose.reshape(-1, 3))
        turned, placed = local.copy(), joints.copy()
        for joint, parent in enumerate(parents[1:], 1):
            turned[joint] = turned[parent] @ local[joint]
            placed[joint] = placed[parent] + turned[parent] @ (joints[joint] - joints[parent])
        skin = vertices
        if template.posedirs is not None:
            skin = skin + template.posedirs @ (local[1:] - np.eye(3)).ravel()
        offset = placed - (turned @ joints[..., None])[..., 0]
        blended = (template.lbs_weights @ np.concatenate([turned, offset[..., None]], -1).reshape(len(parents), 12)).reshape(-1, 3, 4)
        yield np.einsum("vij,vj->vi", blended[..., :3], skin) + blended[..., 3] + shift
