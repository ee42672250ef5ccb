"""BVH files as Recoveries: the body performs what the file's skeleton did, as any character does."""

from pathlib import Path

import numpy as np

from ..core.array_types import FloatArray
from ..core.conventions import WORLD_FROM_BODY
from ..core.files.body_template import BodyTemplate
from ..core.messages import Message
from ..core.records import Motion, Recovery
from ..core.rotations import rotvec_from_rotmat
from .rig import Performance, Rig
from .solve.retarget import retarget
from .source.bvh import performance_from_bvh
from .source.motion import performance_from_motion
from .source.smpl_recovery import recovery_without_camera


def recovery_from_bvh(path: str | Path, template: BodyTemplate) -> tuple[Recovery, tuple[Message, ...]]:
    """Read a BVH file as the motion of a body of mean shape.

    Returns:
        the Recovery, with the contacts that the motion shows, and notes on what had to be assumed.

    Raises:
        InputError: no BVH file, damaged, or its skeleton is no person's.
    """
    performance = performance_from_bvh(path)
    betas = np.zeros(template.shapedirs.shape[-1])
    at_rest = _body_at_rest(template, betas)
    floor = float(template.rest_vertices(betas)[:, 1].min())  # the body's y axis is the world's z axis
    motion = retarget(performance, at_rest.rig, at_rest.mapping, floor_height=floor)
    poses = _body_poses(motion.rotmats, at_rest.rig)
    recovery = recovery_without_camera(template, betas, poses, motion.heads[:, 0], performance.fps, motion.contacts)
    return recovery, performance.notes


def _body_at_rest(template: BodyTemplate, betas: FloatArray) -> Performance:
    """One frame of a body at rest, for its rig and its mapping."""
    rest_joints = template.rest_joints(betas) @ WORLD_FROM_BODY.T
    rotations = np.tile([1.0, 0, 0, 0], (1, len(rest_joints), 1))
    return performance_from_motion(
        Motion("body", template.joint_names, template.parents, rest_joints, rotations, rest_joints[:1], 30.0, np.zeros(1))
    )


def _body_poses(rotmats: FloatArray, rig: Rig) -> FloatArray:
    """Rotation vectors (F,J,3) of SMPL's convention from the bones' rotations (F,J,3,3) in the world."""
    from_rest = rotmats @ rig.rest[:, :3, :3].swapaxes(-1, -2)
    local = from_rest.copy()
    for joint, parent in enumerate(rig.parents):
        if parent >= 0:
            local[:, joint] = WORLD_FROM_BODY.T @ from_rest[:, parent].swapaxes(-1, -2) @ from_rest[:, joint] @ WORLD_FROM_BODY
        else:
            local[:, joint] = from_rest[:, joint] @ WORLD_FROM_BODY
    return rotvec_from_rotmat(local)
