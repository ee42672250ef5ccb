"""Read performances from the files that retargeting accepts."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from ...core.array_types import FloatArray
from ...core.errors import InputError
from ...core.files.body_template import load_body
from ...core.files.motion_npz import read_motion
from ...core.motion import motion_from_recovery, motion_on_body
from ...core.records import Recovery
from ...core.rotations import rotmat_from_rotvec
from ...core.skeletons import SMPL_JOINTS, SMPL_PARENTS
from ...core.time_gaps import recovery_without_gaps
from ..rig import Performance
from .bvh import performance_from_bvh
from .motion import performance_from_motion
from .smpl import performance_from_smpl
from .smpl_file import is_own_motion
from .smpl_up import AUTO_UP
from .suffixes import MOTION_SUFFIXES


def read_performance(path: Path | str, body: str | Path = "open", up: str = AUTO_UP) -> Performance:
    """Read the performance of a source file.

    Args:
        path: a motion .npz of this add-on, an SMPL-family motion as AMASS and others write it, or a BVH file. body: "open", or the
            SMPL-family file that the motion was made with; it only adds what a motion lacks, such as fingers. up: "z", "y" or "auto",
            which axis of others' SMPL-family files is up.

    Raises:
        InputError: the file cannot be read, or is of no kind that can be retargeted.
    """
    path = Path(path)
    check_suffix(path)
    if path.suffix.lower() == ".bvh":
        return performance_from_bvh(path)
    if is_own_motion(path):
        recovery, notes = recovery_without_gaps(read_motion(path), path.name)
        return replace(performance_from_recovery(recovery, body), notes=notes)
    return performance_from_smpl(path, body, up)


def check_suffix(path: Path) -> None:
    """Raise InputError for a file whose suffix is not that of a motion."""
    if path.suffix.lower() not in MOTION_SUFFIXES:
        raise InputError(
            "motion-format-unknown",
            "{name} is not a motion that can be retargeted.",
            "Give a motion as one of: {known}.",
            name=path.name,
            known=" ".join(MOTION_SUFFIXES),
        )


def performance_from_recovery(recovery: Recovery, body: str | Path = "open") -> Performance:
    """A Recovery as a Performance: on the joints of `body` if it is of the same kind, else on rest joints from the Recovery itself."""
    template = load_body(body)
    if template.surface_model_type == recovery.surface_model_type and recovery.poses.shape[1] >= 3 * len(template.joint_names):
        return performance_from_motion(motion_on_body(recovery, template), template, recovery.betas)
    return performance_from_motion(motion_from_recovery(recovery, _rest_joints_from_poses(recovery), SMPL_JOINTS, SMPL_PARENTS))


def _rest_joints_from_poses(recovery: Recovery) -> FloatArray:
    """The rest joints (24,3) m, y up, from the posed ones: a joint's offset is constant in its parent's axes."""
    local_rotmats = rotmat_from_rotvec(recovery.poses[:, :72].reshape(len(recovery), 24, 3))
    joints = np.asarray(recovery.joints, float)
    rotmats, rest_joints = np.empty_like(local_rotmats), np.empty((24, 3))
    for joint, parent in enumerate(SMPL_PARENTS):
        if parent < 0:
            rotmats[:, joint] = local_rotmats[:, joint]
            rest_joints[joint] = (joints[:, joint] - recovery.trans).mean(0)
        else:
            rotmats[:, joint] = rotmats[:, parent] @ local_rotmats[:, joint]
            offsets = np.einsum("fji,fj->fi", rotmats[:, parent], joints[:, joint] - joints[:, parent])
            rest_joints[joint] = rest_joints[parent] + np.median(offsets, axis=0)
    return rest_joints
