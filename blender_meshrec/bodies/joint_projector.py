"""U: the joints of h36m17 as fixed mixtures of a posed body's vertices, for meshes that come without a pose. Source: PC-HMR eq. 2.

A joint regressor is meant for the body at rest; on a bent knee SMPL's is centimetres off. Here each joint is the mixture, of
vertices near it, that stays nearest to the joint over many poses and shapes: least squares, made anew for whatever body it is.
"""

import numpy as np
import torch

from ..core.rotations import rotmat_from_rotvec
from ..core.skeletons import H36M17, SMPL_JOINTS, h36m17_weights_from_names
from .lbs import forward_kinematics, pose_blend_shapes, skin_vertices

NUM_POSES, SEED = 400, 0
POSE_STD, BETAS_STD = 0.5, 1.0  # rad an axis, and the spread of betas
NUM_VERTICES, MAX_DISTANCE = 80, 0.16  # so many vertices, no further than this from the joint, m
RIDGE = 3e-4  # m: how far one vertex may be believed


class JointProjector:
    """U of a Smpl, rows sum to 1: joints = U @ vertices.

    h36m17 (17,V): as motion capture has them, and a lifter's results: the "nose" is the head's joint. h36m17_image (17,V): as pictures show
    them, the nose on the face. smpl (24,V): the body's joints.
    """

    def __init__(self, body):
        template = body.template
        points = (*template.joint_names, "nose", "head_top")
        mixtures = np.zeros((len(points), len(template.v_template)))
        mixtures[: body.num_joints] = _joint_regressors(body)
        for place, name in enumerate(points[body.num_joints :], body.num_joints):
            mixtures[place, template.landmarks[name]] = 1.0
        shown, smpl = h36m17_weights_from_names(points) @ mixtures, mixtures[template.smpl_joint_indices]
        inside = shown.copy()
        inside[H36M17.index("nose")] = smpl[SMPL_JOINTS.index("head")]
        self.h36m17, self.h36m17_image, self.smpl = (
            torch.as_tensor(rows, dtype=torch.float32, device=body.device) for rows in (inside, shown, smpl)
        )


def _joint_regressors(body):
    """Of every joint (J,V)."""
    template = body.template
    rng = np.random.default_rng(SEED)
    betas = torch.as_tensor(rng.normal(0, BETAS_STD, (NUM_POSES, template.shapedirs.shape[-1])), dtype=torch.float32)
    rotmats = torch.as_tensor(rotmat_from_rotvec(rng.normal(0, POSE_STD, (NUM_POSES, body.num_joints, 3))), dtype=torch.float32)
    betas, rotmats = betas.to(body.device), rotmats.to(body.device)
    rest = body.rest_joints(betas)
    joints, rotations = forward_kinematics(rotmats, rest, body.tree)
    mixtures = np.zeros((body.num_joints, len(template.v_template)))
    for joint in range(body.num_joints):
        rows = _vertices_near_joint(template, joint)
        vertices = _pose_vertices(body, rows, betas, rotmats, joints, rotations, rest)
        mixtures[joint, rows] = _fit_regressor_row(vertices.double().cpu().numpy(), joints[:, joint].double().cpu().numpy())
    return mixtures


def _vertices_near_joint(template, joint):
    """Vertices round a joint, spread over what is near: every so-manieth by distance."""
    distance = np.linalg.norm(template.v_template - template.J_template[joint], axis=1)
    order = np.argsort(distance, kind="stable")
    order = order[: max(int((distance < MAX_DISTANCE).sum()), NUM_VERTICES)]
    return order[np.linspace(0, len(order) - 1, NUM_VERTICES).astype(int)]


def _pose_vertices(body, rows, betas, rotmats, joints, rotations, rest):
    points = body.v_template[rows] + torch.einsum("vcb,fb->fvc", body.shapedirs[rows], betas)
    if body.posedirs is not None:
        points = points + pose_blend_shapes(rotmats, body.posedirs[rows])
    return skin_vertices(points, body.lbs_weights[rows], joints, rotations, rest)


def _fit_regressor_row(vertices, joint):
    """Weights (N,) that sum to 1, of vertices (F,N,3), nearest to a joint (F,3): ridge towards their mean."""
    count = vertices.shape[1]
    centred = (vertices - vertices.mean(1, keepdims=True)).transpose(0, 2, 1).reshape(-1, count)
    missing = (joint - vertices.mean(1)).reshape(-1)
    normal = centred.T @ centred / len(centred) + RIDGE**2 * np.eye(count)
    weights = np.linalg.solve(normal, centred.T @ missing / len(centred))
    return weights - weights.mean() + 1 / count
