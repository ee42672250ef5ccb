"""The action with which a person plays its capture with edits: made from the captured action, which stays as it is.

It is made anew whenever an edit changes. What an artist has keyed on it is not lost: such an action becomes a take, and a new one is made.
"""

import hashlib

import bpy
import numpy as np

from ...core.array_types import FloatArray
from ...core.body_contacts import CONTACT_PARTS
from ...core.errors import InputError
from ...core.key_reduction import reduce_keys
from ...core.result_edits import EditedPose, ResultEdits, edit_motion
from ...core.rotations import align_quat_signs, quat_from_rotmat, rotmat_from_quat
from ...retarget.clean_up.records import PhaseKeys
from ..clean_up_rig.bezier_keys import write_phases
from ..context import active_scene, armature_data, assigned_action
from ..corrections.contact_channels import read_contacts
from ..motion.armature_motion import smpl_joint_names
from ..motion.curve_keys import curves_by_path, evaluate_vector, set_keys
from ..motion.keyframes import action_fcurves, scene_fps
from ..takes.takes import add_takes, assign_action

SOURCE_PROPERTY, HASH_PROPERTY = "meshrec_edited_from", "meshrec_edited_hash"  # of the action that edits have made
_RADIANS_OF_A_METRE = np.radians(200.0)  # of a key's error: 1 degree for 5 mm
_SHARE_OF_A_BONE = 0.25  # errors add up along a chain of bones


def captured_action(armature_object: bpy.types.Object) -> bpy.types.Action | None:
    """The action that edits start from: the source of the assigned one, or that itself."""
    action = assigned_action(armature_object)
    source = None if action is None else action.get(SOURCE_PROPERTY)
    return source if isinstance(source, bpy.types.Action) else action


def is_edited(armature_object: bpy.types.Object) -> bool:
    """Whether a person plays an action that edits have made."""
    action = assigned_action(armature_object)
    return action is not None and SOURCE_PROPERTY in action


def apply_edits(armature_object: bpy.types.Object, edits: ResultEdits) -> bpy.types.Action:
    """Let a person play its capture with edits; without any, the capture itself.

    Raises:
        InputError: the armature has not SMPL's bones, or plays no motion.
    """
    names = smpl_joint_names(armature_object)
    played, source = assigned_action(armature_object), captured_action(armature_object)
    if names is None or played is None or source is None:
        raise _no_motion(armature_object)
    assign_action(armature_object, source)
    if played != source:
        _dispose(armature_object, played)
    if edits == ResultEdits():
        return source
    frames = _frames_of(armature_object, source)
    pose = _read_pose(armature_object, names, frames)
    edited = edit_motion(pose, edits) if edits.change_poses else pose
    action = source.copy()
    action.name = f"{source.name} (edited)"
    action[SOURCE_PROPERTY] = source
    assign_action(armature_object, action)
    _write_pose(armature_object, action, edited, frames, edits)
    _trim(armature_object, action, frames, edits)
    action[HASH_PROPERTY] = _hash(armature_object, action)
    return action


def _no_motion(armature_object: bpy.types.Object) -> InputError:
    return InputError(
        "edits-need-smpl-motion",
        '"{name}" plays no motion of an SMPL body.',
        "Choose a person that was reconstructed with Skeleton SMPL.",
        name=armature_object.name,
    )


def _dispose(armature_object: bpy.types.Object, action: bpy.types.Action) -> None:
    """Delete an action that edits have made; keep it as a take if an artist has changed it, or uses it elsewhere."""
    assigned = assigned_action(armature_object)
    assign_action(armature_object, action)
    is_untouched = action.get(HASH_PROPERTY) == _hash(armature_object, action)
    assign_action(armature_object, assigned)
    if not is_untouched:
        del action[SOURCE_PROPERTY]
        add_takes(armature_object, action)
    elif action.users == 0:
        bpy.data.actions.remove(action)


def _hash(armature_object: bpy.types.Object, action: bpy.types.Action) -> str:
    """What changes when a key of an action changes."""
    digest = hashlib.sha256()
    for fcurve in action_fcurves(action, armature_object):
        points = fcurve.keyframe_points
        values = np.empty(2 * len(points), np.float32)
        points.foreach_get("co", values)
        digest.update(f"{fcurve.data_path}[{fcurve.array_index}]".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def _frames_of(armature_object: bpy.types.Object, action: bpy.types.Action) -> FloatArray:
    """The frames of the timeline on which the captured poses lie: the keys of the curve with the most."""
    curves = [curve for curve in action_fcurves(action, armature_object) if curve.data_path.startswith("pose.")]
    if not curves:
        raise _no_motion(armature_object)
    longest = max(curves, key=lambda curve: len(curve.keyframe_points))
    return np.array([point.co.x for point in longest.keyframe_points])


def _rest(armature_object: bpy.types.Object, names: tuple[str, ...]) -> tuple[FloatArray, FloatArray]:
    bones = [armature_data(armature_object).bones[name] for name in names]
    return np.array([bone.matrix_local.to_3x3() for bone in bones]), np.array([bone.head_local for bone in bones])


def _read_pose(armature_object: bpy.types.Object, names: tuple[str, ...], frames: FloatArray) -> EditedPose:
    """The poses (F) of an armature's action, without its NLA."""
    action = assigned_action(armature_object)
    curves = {} if action is None else curves_by_path(action, armature_object)
    axes, heads = _rest(armature_object, names)
    bones = armature_data(armature_object).bones
    parents = np.array([names.index(parent.name) if (parent := bones[name].parent) else -1 for name in names])
    turns = np.empty((len(frames), len(names), 3, 3))
    for joint, name in enumerate(names):
        path = f'pose.bones["{name}"].rotation_quaternion'
        quats = evaluate_vector(curves, path, frames)
        turns[:, joint] = axes[joint] @ rotmat_from_quat(quats) @ axes[joint].T
    path = f'pose.bones["{names[0]}"].location'
    location = evaluate_vector(curves, path, frames, (0.0, 0.0, 0.0))
    contacts = read_contacts(armature_object, frames)
    feet = [contacts[:, [CONTACT_PARTS.index(f"{side}_{part}") for part in ("heel", "toe")]].any(1) for side in ("left", "right")]
    times = (frames - frames[0]) / scene_fps(active_scene())
    return EditedPose(names, parents, heads, turns, heads[0] + location @ axes[0].T, np.stack(feet, -1), times)


def _write_pose(
    armature_object: bpy.types.Object, action: bpy.types.Action, pose: EditedPose, frames: FloatArray, edits: ResultEdits
) -> None:
    """Key poses on an action that has their curves."""
    names = tuple(pose.joint_names)
    axes, heads = _rest(armature_object, names)
    tolerance = edits.key_error * _SHARE_OF_A_BONE
    channels = {f'pose.bones["{names[0]}"].location': ((pose.root - heads[0]) @ axes[0], tolerance)}
    for joint, name in enumerate(names):
        quats = align_quat_signs(quat_from_rotmat(axes[joint].T @ pose.turns[:, joint] @ axes[joint]))
        channels[f'pose.bones["{name}"].rotation_quaternion'] = quats, tolerance * _RADIANS_OF_A_METRE / 2
    curves = curves_by_path(action, armature_object)
    for path, (values, limit) in channels.items():
        group = path.split('"')[1]
        if edits.key_error > 0 and np.allclose(np.diff(frames), 1.0, atol=1e-3):
            keys = reduce_keys(values, limit)
            phase = PhaseKeys(0, tuple(range(values.shape[1])), keys)
            write_phases(action, armature_object, path, group, [phase], round(float(frames[0])))
        else:
            for index in range(values.shape[1]):
                if (fcurve := curves.get((path, index))) is not None:
                    set_keys(fcurve, frames, values[:, index])


def _trim(armature_object: bpy.types.Object, action: bpy.types.Action, frames: FloatArray, edits: ResultEdits) -> None:
    """Delete the keys of bones outside the part that is left. Contacts and visibility keep theirs, which belong to the whole clip."""
    if not edits.trim_start and not edits.trim_end:
        return
    last_row = len(frames) - 1
    first = frames[min(max(edits.trim_start, 0), last_row)]
    last = frames[max(last_row - max(edits.trim_end, 0), 0)]
    last = max(first, last)
    for fcurve in action_fcurves(action, armature_object):
        if not fcurve.data_path.startswith("pose."):
            continue
        ends = [(frame, fcurve.evaluate(frame)) for frame in (first, last)]
        for frame, value in ends:
            fcurve.keyframe_points.insert(frame, value)
        points = fcurve.keyframe_points
        for index in reversed(range(len(points))):
            if not first - 1e-3 <= points[index].co.x <= last + 1e-3:
                points.remove(points[index], fast=True)
        fcurve.update()
