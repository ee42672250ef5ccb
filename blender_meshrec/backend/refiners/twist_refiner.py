"""`--refine dik-network`: limbs turned about themselves as Skeleton2Mesh's network has it, where DIK can only guess."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ...bodies.lbs import KinematicTree, forward_kinematics
from ...core.array_types import FloatArray
from ...core.files.body_template import BodyTemplate
from ...core.records import Observations
from ...core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from ...core.skeletons import SMPL_PARENTS
from ...methods.dik_supervision import apply_network_twists
from ..clip import Clip, Person
from ..fitting.body_fit import BodyFit
from ..registry import refiner
from .silhouette_refiner import end_visibility


@refiner("dik-network", stage="body")
def refine_twists(person: Person, clip: Clip) -> dict[str, Any]:
    """The Refiner of twists."""
    person.fit, report = refine_body_twists(person.fit, person.observations, clip.template, clip.timestamps)
    return report


def refine_body_twists(
    fit: BodyFit, observations: Observations, template: BodyTemplate, timestamps: FloatArray
) -> tuple[BodyFit, dict[str, Any]]:
    """A BodyFit with other twists, and what a report says of it; its joints stay where they are."""
    params, places = fit.body, template.smpl_joint_indices
    poses = np.concatenate([params.global_orient[:, None], params.body_pose.reshape(len(params.global_orient), -1, 3)], 1).astype(float)
    rotmats = torch.as_tensor(rotmat_from_rotvec(poses[:, places]), dtype=torch.float32)
    rest = torch.as_tensor(template.rest_joints(params.betas)[places], dtype=torch.float32)
    joints, _ = forward_kinematics(rotmats, rest[None], KinematicTree(SMPL_PARENTS, "cpu"))
    turned = apply_network_twists(rotmats, joints, rest, end_visibility(observations, timestamps)).numpy().astype(float)
    angle = np.linalg.norm(rotvec_from_rotmat(np.swapaxes(rotmats.numpy().astype(float), -1, -2) @ turned), axis=-1)
    poses[:, places] = rotvec_from_rotmat(turned)
    body = replace(params, global_orient=poses[:, 0], body_pose=poses[:, 1:].reshape(len(poses), -1))
    return replace(fit, body=body), {"turned_deg": round(float(np.degrees(np.median(angle[:, 1:].max(1)))), 1)}
