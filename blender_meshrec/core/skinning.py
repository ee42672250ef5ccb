"""Linear blend skinning of SMPL-family bodies in numpy, frame by frame, where no gradients are needed."""

from collections.abc import Iterator

import numpy as np

from .array_types import ArrayLike, FloatArray
from .files.body_template import BodyTemplate
from .kinematics import pose_joints
from .rotations import rotmat_from_rotvec


def posed_vertices(template: BodyTemplate, betas: ArrayLike, poses: ArrayLike, trans: ArrayLike) -> Iterator[FloatArray]:
    """Yield the vertices (V,3) m of each frame of a motion.

    Args:
        template: a body of J joints. betas: (B,). poses: (F,3J) rad, root first. trans: (F,3) m.

    Source: Loper et al. 2015, "SMPL: A Skinned Multi-Person Linear Model", eq. 2 to 9.
    """
    vertices, rest_joints = template.rest(betas)
    rest_offsets = rest_joints - rest_joints[np.maximum(template.parents, 0)]
    rest_offsets[0] = rest_joints[0]
    for pose, transl in zip(np.asarray(poses, float), np.asarray(trans, float)):
        local = rotmat_from_rotvec(pose.reshape(-1, 3))
        joints, rotations = pose_joints(local, rest_offsets, template.parents)
        shaped = vertices
        if template.posedirs is not None:
            shaped = shaped + template.posedirs @ (local[1:] - np.eye(3)).ravel()
        offsets = joints - (rotations @ rest_joints[..., None])[..., 0]
        transforms = np.concatenate([rotations, offsets[..., None]], -1).reshape(len(rotations), 12)
        blended = (template.lbs_weights @ transforms).reshape(-1, 3, 4)
        yield np.einsum("vij,vj->vi", blended[..., :3], shaped) + blended[..., 3] + transl
