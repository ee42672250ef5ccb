"""`--refine dik-network`: limbs turned about themselves as Skeleton2Mesh's network has it, where DIK can only guess."""

from dataclasses import replace

import numpy as np
import torch

from ...bodies.lbs import Tree, forward_kinematics
from ...core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from ...core.skeletons import SMPL_PARENTS
from ...methods.dik_supervision import better_twists
from ..registry import refiner
from .silhouette_refiner import ends_seen


@refiner("dik-network")
def turned_by_network(fit, observations, template, intrinsics, frames):
    """A BodyFit with other twists, and what a report says of it; its joints stay where they are."""
    params, places = fit.body, template.smpl_joints
    poses = np.concatenate([params.global_orient[:, None], params.body_pose.reshape(len(params.global_orient), -1, 3)], 1).astype(float)
    rotmats = torch.as_tensor(rotmat_from_rotvec(poses[:, places]), dtype=torch.float32)
    rest = torch.as_tensor(template.rest_joints(params.betas)[places], dtype=torch.float32)
    joints, _ = forward_kinematics(rotmats, rest[None], Tree(SMPL_PARENTS, "cpu"))
    turned = better_twists(rotmats, joints, rest, ends_seen(observations, frames.timestamps)).numpy().astype(float)
    angle = np.linalg.norm(rotvec_from_rotmat(np.swapaxes(rotmats.numpy().astype(float), -1, -2) @ turned), axis=-1)
    poses[:, places] = rotvec_from_rotmat(turned)
    body = replace(params, global_orient=poses[:, 0], body_pose=poses[:, 1:].reshape(len(poses), -1))
    return replace(fit, body=body), {"turned_deg": round(float(np.degrees(np.median(angle[:, 1:].max(1)))), 1)}
