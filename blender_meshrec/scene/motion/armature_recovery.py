"""A person of the scene, with an artist's changes, as a Recovery: the content of an .npz."""

import bpy
import numpy as np

from ...core.array_types import FloatArray
from ...core.cameras import invert_rigid_transform
from ...core.conventions import WORLD_FROM_BODY
from ...core.errors import InputError
from ...core.files.body_template import HAND_JOINTS
from ...core.motion import forward_kinematics
from ...core.records import Recovery
from ...core.rotations import rotmat_from_quat, rotvec_from_rotmat
from ...core.skeletons import SMPL_JOINTS, h36m17_weights_from_names
from ..cameras.camera import camera_intrinsics
from ..context import active_scene, armature_data, camera_data
from ..unit_scale import metres_per_unit
from .armature_motion import sample_frames, smpl_joint_names, smpl_motion

_SCALE_TOLERANCE = 1e-4


def recovery_from_armature(armature_object: bpy.types.Object, camera: bpy.types.Object | None, first: int, last: int) -> Recovery:
    """A Recovery of whole frames first .. last, as seen by `camera`.

    Its confidence is each joint's median over the clip, and its lifted joints are those of the pose, because a scene does
    not store the estimates. If bones are stretched or moved, their heads are its calibrated joints.

    Args:
        armature_object: of a person made with SMPL's joints. camera: a camera object.

    Raises:
        InputError: the armature is not such a person, is scaled, or there are no frames.
    """
    names = smpl_joint_names(armature_object)
    if names is None or "betas" not in armature_object or camera is None:
        raise InputError(
            "armature-not-smpl-person",
            '"{name}" is no person an .npz can hold.',
            "Choose a person that MeshRec has made with SMPL's skeleton, or another format.",
            name=armature_object.name,
        )
    if abs(armature_object.matrix_world.median_scale * metres_per_unit(armature_object) - 1) > _SCALE_TOLERANCE:
        raise InputError(
            "armature-scaled", '"{name}" is scaled.', "Set its scale back to 1: an .npz holds metres.", name=armature_object.name
        )
    sampled = sample_frames(armature_object, names, camera, first, last)
    motion = smpl_motion(armature_object, names, sampled)
    rest_root = WORLD_FROM_BODY.T @ np.array(armature_data(armature_object).bones[names[0]].head_local)
    smpl_rows = [names.index(name if name in names else HAND_JOINTS[name]) for name in SMPL_JOINTS]
    joints = forward_kinematics(motion)[0][:, smpl_rows]
    confidence: FloatArray = np.asarray(armature_object.get("confidence", np.ones(len(SMPL_JOINTS))))
    render = active_scene().render
    return Recovery(
        poses=_smpl_poses(motion.rotations),
        trans=motion.transl - rest_root,
        betas=np.array(armature_object["betas"]),
        gender=armature_object.get("gender", "neutral"),
        surface_model_type=armature_object.get("surface_model_type", "smpl"),
        mocap_framerate=motion.fps,
        timestamps=motion.timestamps,
        visible=sampled.visible,
        joints=joints,
        confidence=confidence * sampled.visible[:, None],
        lifted_joints=np.einsum("hj,fjc->fhc", _H36M17_FROM_SMPL, joints),
        contacts=sampled.contacts,
        camera_intrinsics=camera_intrinsics(camera_data(camera), render),
        camera_from_world=invert_rigid_transform(sampled.world_from_camera),
        image_size=np.array([render.resolution_x, render.resolution_y]),
        footage=armature_object.get("footage", ""),
        calibrated_joints=None if motion.joints is None else motion.joints[:, smpl_rows],
    )


def _smpl_poses(rotations: FloatArray) -> FloatArray:
    """A Motion's rotations (F,J,4) as SMPL's poses (F,3J) rad: y up, the root's rotation included."""
    rotmats = rotmat_from_quat(rotations)
    local = WORLD_FROM_BODY.T @ rotmats @ WORLD_FROM_BODY
    local[:, 0] = rotmats[:, 0] @ WORLD_FROM_BODY
    return rotvec_from_rotmat(local).reshape(len(local), -1)


def _h36m17_from_smpl() -> FloatArray:
    """Weights (17,24) of SMPL's joints in the h36m17 joints; SMPL's head is both the nose and the top of the head."""
    h36m17_names = {"pelvis": "hip", "spine2": "spine", "neck": "thorax", "head": "nose"}
    weights = h36m17_weights_from_names([h36m17_names.get(name, name) for name in SMPL_JOINTS])
    weights[10] = weights[9]  # the top of the head
    return weights


_H36M17_FROM_SMPL = _h36m17_from_smpl()
