"""Performances from files that a command is given."""

from pathlib import Path

import numpy as np

from ...core.errors import InputError
from ...core.files.body_template import load_body
from ...core.files.motion_npz import read_motion
from ...core.motion import motion_from_recovery
from ...core.rotations import rotmat_from_rotvec
from ...core.skeletons import SMPL_JOINTS, SMPL_PARENTS
from .bvh import performance_from_bvh
from .motion import performance_from_motion
from .smpl import is_smpl_motion, performance_from_smpl

SUFFIXES = (".npz", ".bvh")


def read_performance(path, body="open"):
    """Read what a source file performs.

    Args:
        path: a motion .npz of ours, another's SMPL motion such as AMASS holds, or a BVH file. body: "open", or the SMPL-family file
            that a motion was made with; it only adds what a motion does not say itself, such as fingers.

    Raises:
        InputError: the file cannot be read, or is of no kind that can be retargeted.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            "motion-format-unknown",
            "{name} is not a motion that can be retargeted.",
            "Give a motion as one of: {known}.",
            name=path.name,
            known=" ".join(SUFFIXES),
        )
    if path.suffix.lower() == ".bvh":
        return performance_from_bvh(path)
    if is_smpl_motion(path):
        return performance_from_smpl(path, body)
    return performance_from_recovery(read_motion(path), body)


def performance_from_recovery(recovery, body="open"):
    """A Recovery as a Performance: on its own body where `body` is of its kind, else on the joints it holds itself."""
    template = load_body(body)
    if template.surface_model_type == recovery.surface_model_type and recovery.poses.shape[1] >= 3 * len(template.joint_names):
        rest_joints = template.rest_joints(recovery.betas)
        motion = motion_from_recovery(recovery, rest_joints, template.joint_names, template.parents)
        return performance_from_motion(motion, template, recovery.betas)
    return performance_from_motion(motion_from_recovery(recovery, _rest_joints(recovery), SMPL_JOINTS, SMPL_PARENTS))


def _rest_joints(recovery):
    """The rest joints (24,3) m, y up, of which `joints` are the posed ones: in its parent's axes each lies still."""
    local = rotmat_from_rotvec(recovery.poses[:, :72].reshape(len(recovery), 24, 3))
    joints = np.asarray(recovery.joints, float)
    turned, rest = np.empty_like(local), np.empty((24, 3))
    for joint, parent in enumerate(SMPL_PARENTS):
        if parent < 0:
            turned[:, joint] = local[:, joint]
            rest[joint] = (joints[:, joint] - recovery.trans).mean(0)
        else:
            turned[:, joint] = turned[:, parent] @ local[:, joint]
            step = np.einsum("fji,fj->fi", turned[:, parent], joints[:, joint] - joints[:, parent])
            rest[joint] = rest[parent] + np.median(step, axis=0)
    return rest
