"""The pose of a person's action row by row, in SMPL's terms, and what planting has changed of it.

An action stores two poses of the joints that planting turns: the free one, as it was before anything was planted, and the planted one,
as it was written last. Where the action still has the latter, planting begins anew from the former; where an artist has changed it,
from what the artist made.
"""

from typing import NamedTuple

import bpy
import numpy as np

from ...core.array_types import AnyArray, FloatArray
from ...core.conventions import WORLD_FROM_BODY
from ...core.foot_planting.leg_kinematics import LEG_JOINTS
from ...core.foot_planting.plant_body import PLANTED_JOINTS
from ...core.records import Recovery
from ...core.rotations import (
    align_quat_signs,
    angle_between_rotmats,
    multiply_quat,
    quat_from_rotmat,
    rotmat_from_quat,
    rotmat_from_rotvec,
    rotvec_from_rotmat,
)
from ..context import armature_data
from ..motion.curve_keys import curves_by_path, ensure_fcurve, evaluate_vector, set_keys
from ..person.armature import bone_quats, rest_rotmats, root_location

FREE_PROPERTY, PLANTED_PROPERTY = "meshrec_free", "meshrec_planted"  # of an action, (F * 45,): PLANTED_JOINTS in rad, the pelvis in m
_SAME_ANGLE, _SAME_PLACE = 2e-3, 1e-4  # rad, m; what differs by more was changed by an artist


class PlantedPose(NamedTuple):
    """The joints that planting turns: rotvecs (F,14,3) rad, and pelvis (F,3) m, both in the axes of a Recovery."""

    rotvecs: FloatArray
    pelvis: FloatArray


def planting_of(recovery: Recovery) -> tuple[PlantedPose, PlantedPose]:
    """The free and the planted pose of a Recovery. The pelvis is stored as `trans`: planting only needs how far it moves."""
    poses = recovery.poses.reshape(len(recovery), -1, 3)[:, list(PLANTED_JOINTS)].astype(float)
    free = poses.copy()
    if recovery.free_legs is not None:
        free[:, : LEG_JOINTS.size] = recovery.free_legs
    return PlantedPose(free, recovery.trans.astype(float)), PlantedPose(poses, recovery.trans.astype(float))


def store_planting(action: bpy.types.Action, free: PlantedPose, planted: PlantedPose) -> None:
    """Store the free and the planted pose with an action."""
    for name, pose in ((FREE_PROPERTY, free), (PLANTED_PROPERTY, planted)):
        rows = np.concatenate([pose.rotvecs.reshape(len(pose.pelvis), -1), pose.pelvis], 1)
        action[name] = rows.ravel().tolist()


def read_planting(action: bpy.types.Action) -> tuple[PlantedPose, PlantedPose] | None:
    """The poses of `store_planting`; None if there are none, as in files of earlier versions."""
    if FREE_PROPERTY not in action or PLANTED_PROPERTY not in action:
        return None
    width = 3 * len(PLANTED_JOINTS)
    rows = [np.array(action[name]).reshape(-1, width + 3) for name in (FREE_PROPERTY, PLANTED_PROPERTY)]
    free, planted = (PlantedPose(values[:, :width].reshape(len(values), -1, 3), values[:, width:]) for values in rows)
    return free, planted


def read_pose(
    armature_object: bpy.types.Object, action: bpy.types.Action, names: tuple[str, ...], frames: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """What an action's own keys say at frames (F,) of the timeline.

    Args:
        names: of the armature's J joints.

    Returns:
        local rotations (F,J,3,3), the root's in the world, as of a Recovery's poses; and the root joint's position (F,3) m.
    """
    curves, rest = curves_by_path(action, armature_object), rest_rotmats(armature_object, names)
    quats = np.stack([evaluate_vector(curves, _path(name, "rotation_quaternion"), frames) for name in names], 1)
    frame = quat_from_rotmat(rest)
    upright = rotmat_from_quat(multiply_quat(multiply_quat(frame, quats), frame * [1, -1, -1, -1]))
    rotmats = WORLD_FROM_BODY.T @ upright @ WORLD_FROM_BODY
    rotmats[:, 0] = upright[:, 0] @ WORLD_FROM_BODY
    location = evaluate_vector(curves, _path(names[0], "location"), frames, (0.0, 0.0, 0.0))
    return rotmats, location @ rest[0].T + np.array(armature_data(armature_object).bones[names[0]].head_local)


def write_pose(
    armature_object: bpy.types.Object,
    action: bpy.types.Action,
    names: tuple[str, ...],
    frames: FloatArray,
    joints: AnyArray,
    rotmats: FloatArray,
    pelvis: FloatArray | None,
) -> None:
    """Set the keys of some joints at frames (F,) of the timeline; the inverse of `read_pose`.

    Args:
        joints: numbers of the N joints that are keyed, the root not among them. rotmats: (F,J,3,3). pelvis: (F,3) m, or None to keep it.
    """
    chosen = [names[joint] for joint in joints]
    rest = rest_rotmats(armature_object, chosen)
    local = rotmats[:, np.asarray(joints, int)]
    quats = align_quat_signs(bone_quats(quat_from_rotmat(WORLD_FROM_BODY @ local @ WORLD_FROM_BODY.T), rest)) if len(joints) else local
    for column, name in enumerate(chosen):
        for k in range(4):
            fcurve = ensure_fcurve(action, armature_object, _path(name, "rotation_quaternion"), name, k)
            set_keys(fcurve, frames, quats[:, column, k])
    if pelvis is not None:
        head = np.array(armature_data(armature_object).bones[names[0]].head_local)
        location = root_location(pelvis, head, rest_rotmats(armature_object, names[:1])[0])
        for k in range(3):
            set_keys(ensure_fcurve(action, armature_object, _path(names[0], "location"), names[0], k), frames, location[:, k])


def free_pose(action: bpy.types.Action, rotmats: FloatArray, pelvis: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The pose (F,J,3,3) and pelvis (F,3) m from which planting begins: without what was planted before, with what an artist changed."""
    stored = read_planting(action)
    if stored is None or len(stored[0].pelvis) != len(pelvis):
        return rotmats, pelvis
    free, planted = stored
    joints = list(PLANTED_JOINTS)
    is_same = angle_between_rotmats(rotmats[:, joints], rotmat_from_rotvec(planted.rotvecs)) < _SAME_ANGLE
    rotmats = rotmats.copy()
    rotmats[:, joints] = np.where(is_same[..., None, None], rotmat_from_rotvec(free.rotvecs), rotmats[:, joints])
    moved = np.linalg.norm(free.pelvis - planted.pelvis, axis=-1, keepdims=True) > _SAME_PLACE
    return rotmats, np.where(moved, pelvis + free.pelvis - planted.pelvis, pelvis)


def store_planted(action: bpy.types.Action, free: tuple[FloatArray, FloatArray], planted: tuple[FloatArray, FloatArray]) -> None:
    """Store the pose (F,J,3,3), (F,3) from which planting began and that which was written."""
    joints = list(PLANTED_JOINTS)
    poses = [PlantedPose(rotvec_from_rotmat(rotmats[:, joints]), pelvis) for rotmats, pelvis in (free, planted)]
    store_planting(action, poses[0], poses[1])


def _path(bone: str, channel: str) -> str:
    return f'pose.bones["{bone}"].{channel}'
