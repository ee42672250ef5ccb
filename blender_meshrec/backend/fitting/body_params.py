"""Read and change the parameters of a posed body: local rotations, other axes, joints."""

from dataclasses import replace
from typing import Any

import numpy as np

from ...bodies.smpl import Smpl
from ...core.array_types import FloatArray, IntArray
from ...core.files.body_template import BodyTemplate
from ...core.kinematics import pose_joints
from ...core.records import BodyParams, Recovery
from ...core.rotations import rotmat_from_rotvec, rotvec_from_rotmat


def local_rotvecs(params: BodyParams) -> FloatArray:
    """Local rotation vectors (F,J,3) rad, the root's first, as float64."""
    return params.poses.astype(float).reshape(len(params.poses), -1, 3)


def local_rotmats(params: BodyParams) -> FloatArray:
    """Local rotation matrices (F,J,3,3), the root's first."""
    return rotmat_from_rotvec(local_rotvecs(params))


def with_rotvecs(params: BodyParams, rotvecs: FloatArray, **changes: Any) -> BodyParams:
    """The parameters with other local rotation vectors (F,J,3) rad, the root's first, and other changes by field name."""
    return replace(params, global_orient=rotvecs[:, 0], body_pose=rotvecs[:, 1:].reshape(len(rotvecs), -1), **changes)


def body_in_rows(params: BodyParams, rows: IntArray | slice) -> BodyParams:
    """The parameters of some of the frames."""
    return replace(params, global_orient=params.global_orient[rows], body_pose=params.body_pose[rows], transl=params.transl[rows])


def posed_joints(template: BodyTemplate, params: BodyParams) -> tuple[FloatArray, FloatArray]:
    """The joints (F,J,3) m of a body and their global rotations (F,J,3,3)."""
    rest = template.rest_joints(params.betas).astype(float)
    offsets = rest - rest[np.maximum(template.parents, 0)]
    offsets[0] = rest[0]
    joints, rotations = pose_joints(local_rotmats(params), offsets, template.parents)
    return joints + params.transl[:, None].astype(float), rotations


def transform_body(params: BodyParams, rest_root: FloatArray, rotation: FloatArray, translation: FloatArray) -> BodyParams:
    """The same body in other axes, x -> rotation x + translation.

    Args:
        rest_root: (3,) m, the body's root joint at rest under its betas. rotation: (3,3) or (F,3,3). translation: (3,) or (F,3) m.

    A body turns about its root, which rests at `rest_root` and not at the origin: global_orient is multiplied from the
    left, and transl moves the root to its new position.
    """
    rotation, rest_root = np.asarray(rotation, float), np.asarray(rest_root, float)
    global_orient = rotvec_from_rotmat(rotation @ rotmat_from_rotvec(params.global_orient))
    root = (rotation @ (params.transl + rest_root)[..., None])[..., 0] + translation
    return replace(params, global_orient=global_orient, transl=root - rest_root)


def with_betas(params: BodyParams, template: BodyTemplate, betas: FloatArray) -> BodyParams:
    """The same pose of a body of other betas (B,), its root in the same place."""
    shift = template.rest_joints(params.betas)[0] - template.rest_joints(betas)[0]
    return replace(params, betas=betas, transl=params.transl + shift)


def with_posed_joints(body: Smpl, recovery: Recovery) -> Recovery:
    """The recovery with `joints` as its own poses, betas and trans give them."""
    joints = body.joints(recovery.betas, recovery.poses[:, :3], recovery.poses[:, 3:], recovery.trans)
    return replace(recovery, joints=joints[:, body.template.smpl_joint_indices].detach().cpu().numpy())
