"""The motion of an armature of the scene as it is now, with whatever an artist has changed: for files that need no exporter.

A Motion, for .bvh, of any armature; a Recovery, for .npz, of people with SMPL's joints.
"""

from dataclasses import replace

import bpy
import numpy as np

from ..core.cameras import invert_rigid_transform, rigid_transform
from ..core.conventions import BLENDER_CAMERA_FROM_OPENCV, WORLD_FROM_BODY
from ..core.errors import InputError
from ..core.files.body_template import FAMILIES, HAND_JOINTS
from ..core.motion import forward_kinematics
from ..core.records import Motion, Recovery
from ..core.rotations import quat_from_rotmat, rotmat_from_quat, rotvec_from_rotmat
from ..core.skeletons import SMPL_JOINTS, h36m17_weights_from_names
from .armature_performance import performance_from_armature
from .assemble import CONTACT_PROPERTIES
from .isolated_playback import isolated_scene
from .rig_reader import read_rig

_SCALE_TOLERANCE = 1e-4
_POSITION_TOLERANCE = 1e-4  # m; a joint further from where bones of their own length take it has been stretched or moved there


def smpl_joint_names(armature_object):
    """The joint names of an armature with SMPL's, SMPL-H's or SMPL-X's joints, in their order; None for any other."""
    bones = {bone.name for bone in armature_object.data.bones}
    return next((tuple(names) for _, names in FAMILIES.values() if set(names) == bones), None)


def motion_from_armature(armature_object, first, last):
    """A Motion, world axes, of whole frames first .. last; of a foreign armature its mapped bones.

    Raises:
        InputError: the armature is scaled unevenly, or is foreign and no humanoid.
    """
    names = smpl_joint_names(armature_object)
    if names is None:
        return _motion_from_performance(performance_from_armature(armature_object, first, last))
    return _smpl_motion(armature_object, names, _sample_frames(armature_object, None, first, last))


def recovery_from_armature(armature_object, camera, first, last):
    """A Recovery of whole frames first .. last, as somebody sees it through `camera`.

    Its confidence is each joint's median over the clip; its lifted joints are those of the pose, for the estimate itself is not
    kept in a scene. Where bones are stretched or moved, their heads are its calibrated joints.

    Args:
        armature_object: of a person made with SMPL's joints. camera: a camera object.

    Raises:
        InputError: the armature is no such person, or it is scaled.
    """
    names = smpl_joint_names(armature_object)
    if names is None or "betas" not in armature_object or camera is None:
        raise InputError(
            "armature-not-smpl-person",
            '"{name}" is no person an .npz can hold.',
            "Choose a person that MeshRec has made with SMPL's skeleton, or another format.",
            name=armature_object.name,
        )
    if abs(armature_object.matrix_world.median_scale - 1) > _SCALE_TOLERANCE:
        raise InputError(
            "armature-scaled", '"{name}" is scaled.', "Set its scale back to 1: an .npz holds metres.", name=armature_object.name
        )
    sampled = _sample_frames(armature_object, camera, first, last)
    motion = _smpl_motion(armature_object, names, sampled)
    local = WORLD_FROM_BODY.T @ rotmat_from_quat(motion.rotations) @ WORLD_FROM_BODY
    local[:, 0] = rotmat_from_quat(motion.rotations[:, 0]) @ WORLD_FROM_BODY
    root = WORLD_FROM_BODY.T @ np.array(armature_object.data.bones[names[0]].head_local)
    smpl = [names.index(name if name in names else HAND_JOINTS[name]) for name in SMPL_JOINTS]
    joints = forward_kinematics(motion)[0][:, smpl]
    visible, confidence = sampled["visible"] > 0.5, np.asarray(armature_object.get("confidence", np.ones(len(SMPL_JOINTS))))
    scene = bpy.context.scene
    camera_from_world = invert_rigid_transform(sampled["camera"])
    return Recovery(
        poses=rotvec_from_rotmat(local).reshape(len(local), -1),
        trans=motion.transl - root,
        betas=np.array(armature_object["betas"]),
        gender=armature_object.get("gender", "neutral"),
        surface_model_type=armature_object.get("surface_model_type", "smpl"),
        mocap_framerate=motion.fps,
        timestamps=motion.timestamps,
        visible=visible,
        joints=joints,
        confidence=visible[:, None] * confidence,
        lifted_joints=np.einsum("hj,fjc->fhc", _H36M17_OF_SMPL, joints),
        contacts=sampled["contacts"],
        camera_intrinsics=_intrinsics(camera.data, scene.render),
        camera_from_world=camera_from_world,
        image_size=(scene.render.resolution_x, scene.render.resolution_y),
        footage=armature_object.get("footage", ""),
        calibrated_joints=None if motion.joints is None else motion.joints[:, smpl],
    )


def _h36m17_of_smpl():
    """SMPL's joints as h36m17, (17,24): what SMPL calls otherwise under its own name, the nose left at the head."""
    called = {"pelvis": "hip", "spine2": "spine", "neck": "thorax", "head": "nose"}
    weights = h36m17_weights_from_names([called.get(name, name) for name in SMPL_JOINTS])
    weights[10] = weights[9]  # the top of the head
    return weights


_H36M17_OF_SMPL = _h36m17_of_smpl()


def _sample_frames(armature_object, camera, first, last):
    """What happens in frames first .. last: bones' rotations, heads, contacts, visible, and world_from_camera in OpenCV's axes."""
    if last < first:
        raise InputError(
            "frames-reversed", "There are no frames from {first} to {last}.", "Choose a last frame after the first.", first=first, last=last
        )
    names = smpl_joint_names(armature_object)
    rows = [armature_object.pose.bones.find(name) for name in names]
    flat = np.empty(16 * len(armature_object.pose.bones), np.float32)
    matrices, cameras, contacts, visible = [], [], [], []
    with isolated_scene(armature_object, *((camera,) if camera is not None else ())) as at:
        for frame in range(first, last + 1):
            depsgraph = at(frame)
            posed = armature_object.evaluated_get(depsgraph)
            posed.pose.bones.foreach_get("matrix", flat)
            matrices.append(np.array(posed.matrix_world) @ flat.reshape(-1, 4, 4)[rows].swapaxes(1, 2))
            contacts.append([posed.get(track, 0.0) for track in CONTACT_PROPERTIES])
            visible.append(posed.get("visible", 1.0))
            if camera is not None:
                cameras.append(np.array(camera.evaluated_get(depsgraph).matrix_world.normalized()))
    matrices = np.array(matrices)
    sampled = {
        "rotations": matrices[..., :3, :3] / np.linalg.norm(matrices[..., :3, :3], axis=-2, keepdims=True),
        "heads": matrices[..., :3, 3],
        "contacts": np.array(contacts),
        "visible": np.array(visible),
    }
    if cameras:
        cameras = np.array(cameras)
        sampled["camera"] = rigid_transform(cameras[:, :3, :3] @ BLENDER_CAMERA_FROM_OPENCV, cameras[:, :3, 3])
    return sampled


def _smpl_motion(armature_object, names, sampled):
    rig = read_rig(armature_object)
    rows = [rig.index(name) for name in names]
    parents = [rows.index(rig.parents[row]) if rig.parents[row] >= 0 else -1 for row in rows]
    away = sampled["rotations"] @ rig.rest[rows, :3, :3].swapaxes(-1, -2)
    motion = _build_motion("smpl", names, parents, rig.rest[rows, :3, 3], away, sampled["heads"], None, sampled["contacts"])
    rigid, _ = forward_kinematics(motion)
    grown = motion.transl[:, None] + armature_object.matrix_world.median_scale * (rigid - motion.transl[:, None])
    return replace(motion, joints=sampled["heads"]) if np.abs(grown - sampled["heads"]).max() > _POSITION_TOLERANCE else motion


def _motion_from_performance(performance):
    """A Performance as a Motion: its hips and what hangs from them."""
    rig = performance.rig
    rows = [rig.index(performance.mapping.slots["hips"][0])]
    for row in range(rows[0] + 1, len(rig)):
        if rig.parents[row] in rows:
            rows.append(row)
    parents = [-1] + [rows.index(rig.parents[row]) for row in rows[1:]]
    world = rig.world[:3, :3] / np.linalg.norm(rig.world[:3, :3], axis=0)
    rest = world @ rig.rest[rows, :3, :3]
    heads = rig.rest[rows, :3, 3] @ rig.world[:3, :3].T + rig.world[:3, 3]
    names = ["_".join(rig.bones[row].split()) for row in rows]  # BVH's words end at spaces
    away = performance.rotations[:, rows] @ rest.swapaxes(-1, -2)
    return _build_motion("character", names, parents, heads, away, performance.heads[:, rows], performance.fps, None)


def _build_motion(skeleton, names, parents, rest_joints, away, heads, fps, contacts):
    """away (F,J,3,3): each joint's turn away from its rest, in the world."""
    render = bpy.context.scene.render
    fps = fps or render.fps / render.fps_base
    local = [away[:, i] if parent < 0 else away[:, parent].swapaxes(-1, -2) @ away[:, i] for i, parent in enumerate(parents)]
    return Motion(
        skeleton=skeleton,
        joint_names=tuple(names),
        parents=parents,
        rest_joints=rest_joints,
        rotations=quat_from_rotmat(np.stack(local, 1)),
        transl=heads[:, 0],
        fps=fps,
        timestamps=np.arange(len(away)) / fps,
        contacts=contacts,
    )


def _intrinsics(lens, render):
    """The intrinsics (3,3) px of a Blender camera for the scene's picture; `build_camera` the other way round."""
    width, height = render.resolution_x, render.resolution_y
    aspect = render.pixel_aspect_y / render.pixel_aspect_x  # fx / fy, as `match_resolution` sets it
    focal = lens.lens / lens.sensor_width * width
    center = width / 2 - lens.shift_x * width, height / 2 + lens.shift_y * width / aspect
    return [[focal, 0, center[0]], [0, focal / aspect, center[1]], [0, 0, 1]]


def find_clip_camera(armature_object):
    """The camera of the clip that a person was made from; the scene's where there is none of its own."""
    own = set(armature_object.users_collection)
    for clip in bpy.data.collections:
        if own & set(clip.children):
            for thing in clip.objects:
                if thing.type == "CAMERA":
                    return thing
    return bpy.context.scene.camera
