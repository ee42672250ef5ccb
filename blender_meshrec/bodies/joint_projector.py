"""U of PC-HMR: the joints of h36m17 as fixed mixtures of a posed body's vertices, for meshes without a pose. Source: PC-HMR eq. 2.

A joint regressor is made for the body at rest; on a bent knee SMPL's is centimetres off. Here each joint is the mixture of
vertices near it that stays nearest to the joint over many poses and shapes: a least-squares fit, repeated for every body.
"""

import numpy as np
import torch

from ..core.array_types import FloatArray, IntArray
from ..core.files.body_template import BodyTemplate
from ..core.rotations import rotmat_from_rotvec
from ..core.skeletons import H36M17, SMPL_JOINTS, h36m17_weights_from_names
from .lbs import forward_kinematics, pose_skin
from .smpl import Smpl
from .tensors import to_tensor

NUM_POSES, SEED = 400, 0
POSE_STD, BETAS_STD = 0.5, 1.0  # rad per axis, and of betas
NUM_VERTICES, MAX_DISTANCE = 80, 0.16  # per joint, and how far they are from it at most, m
RIDGE = 3e-4  # m: the larger, the more evenly the vertices are weighted


class JointProjector:
    """U of a Smpl, rows sum to 1: joints = U @ vertices.

    h36m17 (17,V): as in motion capture and in a lifter's results, where the "nose" is the head's joint. h36m17_image (17,V): as
    in pictures, the nose on the face. smpl (24,V): the body's joints.
    """

    def __init__(self, body: Smpl) -> None:
        template = body.template
        points = (*template.joint_names, "nose", "head_top")
        mixtures = np.zeros((len(points), len(template.v_template)))
        mixtures[: body.num_joints] = _fit_regressor(body)
        for row, name in enumerate(points[body.num_joints :], body.num_joints):
            mixtures[row, template.landmarks[name]] = 1.0
        smpl = mixtures[template.smpl_joint_indices]
        on_face = h36m17_weights_from_names(points) @ mixtures
        in_head = on_face.copy()
        in_head[H36M17.index("nose")] = smpl[SMPL_JOINTS.index("head")]
        self.h36m17, self.h36m17_image, self.smpl = (to_tensor(rows, device=body.device) for rows in (in_head, on_face, smpl))


def _fit_regressor(body: Smpl) -> FloatArray:
    """The mixtures (J,V) of every joint."""
    template = body.template
    rng = np.random.default_rng(SEED)
    betas = to_tensor(rng.normal(0, BETAS_STD, (NUM_POSES, template.shapedirs.shape[-1])), device=body.device)
    rotmats = to_tensor(rotmat_from_rotvec(rng.normal(0, POSE_STD, (NUM_POSES, body.num_joints, 3))), device=body.device)
    rest_joints = body.rest_joints(betas)
    joints, rotations = forward_kinematics(rotmats, rest_joints, body.tree)
    mixtures = np.zeros((body.num_joints, len(template.v_template)))
    for joint in range(body.num_joints):
        rows = _vertices_near_joint(template, joint)
        skin = body.skin.subset(torch.as_tensor(rows, device=body.device))
        vertices = pose_skin(skin, betas, rotmats, joints, rotations, rest_joints)
        mixtures[joint, rows] = _fit_mixture(vertices.cpu().double().numpy(), joints[:, joint].cpu().double().numpy())
    return mixtures


def _vertices_near_joint(template: BodyTemplate, joint: int) -> IntArray:
    """NUM_VERTICES vertices around a joint, spread evenly over the ranks by distance of those within MAX_DISTANCE."""
    distance = np.linalg.norm(template.v_template - template.J_template[joint], axis=1)
    order = np.argsort(distance, kind="stable")
    order = order[: max(int((distance < MAX_DISTANCE).sum()), NUM_VERTICES)]
    return order[np.linspace(0, len(order) - 1, NUM_VERTICES).astype(int)]


def _fit_mixture(vertices: FloatArray, joint: FloatArray) -> FloatArray:
    """Weights (N,) that sum to 1, of vertices (F,N,3), nearest to a joint (F,3): ridge regression towards equal weights."""
    count = vertices.shape[1]
    centred = (vertices - vertices.mean(1, keepdims=True)).transpose(0, 2, 1).reshape(-1, count)
    residual = (joint - vertices.mean(1)).reshape(-1)
    normal = centred.T @ centred / len(centred) + RIDGE**2 * np.eye(count)
    weights = np.linalg.solve(normal, centred.T @ residual / len(centred))
    return weights - weights.mean() + 1 / count
