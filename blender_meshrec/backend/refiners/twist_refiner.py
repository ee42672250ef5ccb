"""`--refine dik-network`: twists of limbs by Skeleton2Mesh's network, where DIK can only guess."""

from dataclasses import replace
from typing import Any

import numpy as np

from ...bodies.lbs import forward_kinematics, smpl_tree
from ...bodies.tensors import to_tensor
from ...core.array_types import FloatArray
from ...core.files.body_template import BodyTemplate
from ...core.records import Observations
from ...core.rotations import angle_between_rotmats, rotmat_from_rotvec, rotvec_from_rotmat
from ...methods.dik_supervision import apply_network_twists
from ..clip import Clip, Person
from ..fitting.body_fit import BodyFit
from ..fitting.body_params import local_rotvecs, with_rotvecs
from ..registry import refiner
from .end_visibility import end_visibility


@refiner("dik-network", stage="body")
def refine_twists(person: Person, clip: Clip) -> dict[str, Any]:
    """The Refiner of twists."""
    person.fit, report = refine_body_twists(person.fit, person.observations, clip.template, clip.motion_times)
    return report


def refine_body_twists(
    fit: BodyFit, observations: Observations, template: BodyTemplate, timestamps: FloatArray
) -> tuple[BodyFit, dict[str, Any]]:
    """A BodyFit with other twists, and the report; its joints stay where they are."""
    rotvecs, indices = local_rotvecs(fit.body), template.smpl_joint_indices
    rotmats = to_tensor(rotmat_from_rotvec(rotvecs[:, indices]))
    rest_joints = to_tensor(template.rest_joints(fit.body.betas)[indices])
    joints, _ = forward_kinematics(rotmats, rest_joints[None], smpl_tree())
    refined = apply_network_twists(rotmats, joints, rest_joints, end_visibility(observations, timestamps)).numpy().astype(float)
    angle = angle_between_rotmats(rotmats.numpy().astype(float), refined)
    rotvecs[:, indices] = rotvec_from_rotmat(refined)
    report = {"turned_deg": round(float(np.degrees(np.median(angle[:, 1:].max(1)))), 1)}
    return replace(fit, body=with_rotvecs(fit.body, rotvecs)), report
