"""People whose clip was solved again: each armature gets a new take, and the camera its view; what no correction concerns stays."""

from collections.abc import Mapping
from typing import NamedTuple

import bpy
import numpy as np

from ...core.array_types import FloatArray
from ...core.body_contacts import body_contacts
from ...core.conventions import WORLD_FROM_BODY
from ...core.corrections import changed_rows, fade_out
from ...core.errors import InputError
from ...core.files.body_template import BodyTemplate
from ...core.foot_planting.leg_kinematics import LEG_JOINTS
from ...core.records import Recovery
from ...core.resampling import fill_in_frames
from ...core.rotations import rotvec_from_rotmat
from ...core.skel.template import SkelTemplate
from ...core.skeletons import SMPL_JOINTS
from ..cameras.camera import VIEW_PROPERTY, set_camera_view
from ..cameras.footage_clock import FIRST_PROPERTY, footage_clock, read_camera
from ..context import armature_data
from ..motion.armature_motion import smpl_joint_names
from ..motion.curve_keys import curves_by_path, evaluate_curve
from ..motion.keyframes import snapped_key_frames
from ..person.skel_person import SMPL_MOTION_PROPERTY, animate_skel_person, read_smpl_motion
from ..person.smpl_person import animate_smpl_person, rig_motion
from ..takes.earlier_results import NUMBER_PROPERTY, find_clip_camera, is_result
from ..takes.played_take import played_action, played_take, put_into_strip, timeline_shift
from ..takes.takes import first_frame_of
from ..unit_scale import metres_per_unit
from .contact_channels import write_contacts
from .corrections import certain_rows, collect_corrections, get_corrections
from .edited_contacts import found_contacts, result_action, store_found_contacts
from .kept_rows import keep_confidence, keep_rows
from .planted_rows import read_planting, read_pose

REQUEST_PROPERTY = "meshrec_request"  # of a clip's collection: the request that made it, as text


class ClipResult(NamedTuple):
    """A result in the scene: its collection, and the armatures of its people by their number."""

    collection: bpy.types.Collection
    armatures: Mapping[int, bpy.types.Object]


def find_clip_result(armature_object: bpy.types.Object) -> ClipResult | None:
    """The result that an armature belongs to; None for one that was not reconstructed, or by an earlier version."""
    for clip in bpy.data.collections:
        people = [person for person in clip.children if NUMBER_PROPERTY in person]
        armatures = {person[NUMBER_PROPERTY]: obj for person in people for obj in reversed(person.objects) if is_result(obj)}
        if REQUEST_PROPERTY in clip and armature_object in armatures.values():
            return ClipResult(clip, armatures)
    return None


def earlier_recovery(armature_object: bpy.types.Object) -> Recovery | None:
    """What an armature's action says, as a Recovery in the axes of its camera, with the contacts that its motion has.

    A SKEL person's is the motion in SMPL's pose that its angles are from; what an artist has changed of the angles is not in it. None where
    it cannot be said: for bones that stretch, and results of earlier versions.

    Raises:
        InputError: its action is not that of a result.
    """
    action, frames = result_action(armature_object)
    camera, motion = read_camera(armature_object), _read_motion(armature_object, action, frames)
    if camera is None or motion is None:
        return None
    poses, trans = motion
    clock = footage_clock(armature_object)
    count, planting = len(frames), read_planting(action)
    visible = evaluate_curve(curves_by_path(action, armature_object), '["visible"]', 0, frames, 1.0) > 0.5
    return Recovery(
        poses=poses,
        trans=trans,
        betas=np.array(armature_object["betas"]),
        gender=armature_object.get("gender", "neutral"),
        surface_model_type=armature_object.get("surface_model_type", "smpl"),
        mocap_framerate=1 / float(np.median(np.diff(clock.times))) if count > 1 else 30.0,
        timestamps=clock.times,
        visible=visible,
        joints=np.zeros((count, len(SMPL_JOINTS), 3)),
        confidence=np.ones((count, len(SMPL_JOINTS))),
        lifted_joints=np.zeros((count, 17, 3)),
        contacts=np.clip(found_contacts(action)[:, :4], 0, 1),
        camera_intrinsics=camera.intrinsics,
        camera_from_world=camera.camera_from_world,
        image_size=camera.image_size,
        first_frame=int(armature_object.get(FIRST_PROPERTY, 0)),
        free_legs=None if planting is None or len(planting[0].pelvis) != count else planting[0].rotvecs[:, : LEG_JOINTS.size],
    )


def _read_motion(armature_object: bpy.types.Object, action: bpy.types.Action, frames: FloatArray) -> tuple[FloatArray, FloatArray] | None:
    """The poses (F,D) rad and trans (F,3) m of an action at its frames (F,); None as of `earlier_recovery`."""
    names = smpl_joint_names(armature_object)
    if any(path.endswith(".scale") for path, _index in curves_by_path(action, armature_object)):
        return None
    if names is None:
        return read_smpl_motion(action, len(frames)) if SMPL_MOTION_PROPERTY in action else None
    rotmats, pelvis = read_pose(armature_object, action, names, frames)
    rest_root = WORLD_FROM_BODY.T @ np.array(armature_data(armature_object).bones[names[0]].head_local)
    return rotvec_from_rotmat(rotmats).reshape(len(frames), -1), pelvis - rest_root


def replace_motions(
    armatures: Mapping[int, bpy.types.Object],
    recoveries: Mapping[int, Recovery],
    template: BodyTemplate,
    skel: SkelTemplate | None,
    fps: float,
) -> None:
    """Give the armatures new takes, which begin where the old ones did and have their keys on the same frames; those are kept.

    Args:
        recoveries: by number, of the same shapes. fps: the timeline's rate.

    Raises:
        InputError: the shape of a body has changed.
    """
    for number, armature_object in armatures.items():
        if not np.allclose(recoveries[number].betas, armature_object["betas"], atol=1e-4):
            raise InputError(
                "solved-with-another-shape", '"{name}" has another shape now.', "Reconstruct it anew.", name=armature_object.name
            )
    for number, armature_object in armatures.items():
        _replace_motion(armature_object, recoveries[number], template, skel, fps)
    first = next(iter(armatures))
    camera = find_clip_camera(armatures[first])
    if camera is not None and VIEW_PROPERTY in camera:  # an artist's own camera stays as it is
        start = first_frame_of(played_action(armatures[first])) + round(timeline_shift(armatures[first]))
        unit = metres_per_unit(armatures[first])
        set_camera_view(camera, recoveries[first].camera, snapped_key_frames(recoveries[first].timestamps, fps, start), unit)


def _replace_motion(
    armature_object: bpy.types.Object, recovery: Recovery, template: BodyTemplate, skel: SkelTemplate | None, fps: float
) -> None:
    """Give one armature its new take; one that a strip plays goes into the strip."""
    old, _frames = result_action(armature_object)
    played = played_take(armature_object)
    start, clock = first_frame_of(old), footage_clock(armature_object)
    corrections, motion_has = collect_corrections(armature_object), found_contacts(old)
    certain = certain_rows(armature_object, corrections)
    if len(recovery) != len(clock.times) or np.abs(recovery.timestamps - clock.times).max() > 1e-6:
        recovery = fill_in_frames(recovery, clock.times)
    columns = np.zeros(certain.shape)
    columns[:, : motion_has.shape[1]] = np.clip(motion_has, 0, 1)
    weight = fade_out(changed_rows(corrections, clock.footage, clock.times, columns), clock.times)
    splices = earlier_recovery(armature_object) is not None and (bool(corrections) or skel is None)
    if skel is not None:
        action = animate_skel_person(armature_object, recovery, skel, fps, start)
    else:
        motion = rig_motion(armature_object.name, recovery, template, False)
        action = animate_smpl_person(armature_object, recovery, motion, fps, first_frame=start)
    contacts = np.where(np.isnan(certain), body_contacts(recovery), certain)
    if splices:
        keep_rows(armature_object, old, action, weight)
        keep_confidence(old, action, weight)
    _new_action, frames = result_action(armature_object)
    write_contacts(armature_object, frames, contacts)
    store_found_contacts(action, recovery.timestamps, contacts, certain)
    if played is not None and played.strip is not None:
        put_into_strip(armature_object, played.strip, action)


def take_over_corrections(armature_object: bpy.types.Object) -> None:
    """Let a new result know which of its contacts an artist had set before: those that its corrections say are certain."""
    corrections = get_corrections(armature_object)
    action = played_action(armature_object)
    if not corrections.contacts or action is None:
        return
    certain, found = certain_rows(armature_object, corrections), found_contacts(action)
    contacts = np.where(np.isnan(certain), found, certain)
    _action, frames = result_action(armature_object)
    write_contacts(armature_object, frames, contacts)
    store_found_contacts(action, np.array(footage_clock(armature_object).times), contacts, certain)
