"""Plant Again: what the contact channels of a person say, done to the person's action and to the characters that follow it."""

import math

import bpy
import numpy as np

from ...core.array_types import FloatArray
from ...core.errors import InputError
from ...core.files.body_template import BodyTemplate
from ...core.foot_planting.leg_kinematics import LEG_JOINTS, soles_from_template
from ...core.foot_planting.plant_body import ARM_JOINTS, plant_body
from ...core.foot_planting.unheld import unheld_contacts
from ...core.messages import Message, label, title_of
from ...core.rotations import angle_between_rotmats
from ..context import active_scene, assigned_action
from ..motion.armature_motion import smpl_joint_names
from ..motion.armature_performance import performance_from_armature
from ..motion.curve_keys import curves_by_path, evaluate_vector
from ..retargeting.retarget import RetargetResult, retarget_armature
from ..retargeting.retarget_record import read_record, store_record
from ..takes.earlier_results import find_clip_camera
from ..takes.played_take import played_action, timeline_shift
from ..takes.takes import CLIP_PROPERTY, next_take_name
from .contact_channels import read_contacts
from .edited_contacts import TIMES_PROPERTY, result_action
from .planted_rows import free_pose, read_pose, store_planted, write_pose

_TURNED, _MOVED = 1e-6, 1e-6  # rad, m


def plant_person(armature_object: bpy.types.Object, template: BodyTemplate) -> int:
    """Plant a person anew by the contact channels of its action; its keys change in place.

    Args:
        template: the body that it was reconstructed with.

    Returns:
        how many of the action's rows have changed.

    Raises:
        InputError: the armature has no such body, its action is not that of a result, or its bones stretch.
    """
    action, frames = result_action(armature_object)
    names = smpl_joint_names(armature_object)
    if names is None or "betas" not in armature_object or _is_stretched(action, armature_object):
        raise InputError(
            "person-not-plantable",
            '"{name}" has no skeleton of SMPL whose bones keep their lengths.',
            "Solve the clip again instead: that takes the contacts too.",
            name=armature_object.name,
        )
    betas = np.array(armature_object["betas"])
    current = read_pose(armature_object, action, names, frames)
    free = free_pose(action, *current)
    planted = plant_body(
        *free,
        template.rest_joints(betas),
        soles_from_template(template, betas),
        read_contacts(armature_object, frames),
        np.array(action[TIMES_PROPERTY]),
        _camera_places(armature_object, frames + timeline_shift(armature_object)),
    )
    turned = angle_between_rotmats(planted[0], current[0]) > _TURNED
    moved = np.linalg.norm(planted[1] - current[1], axis=-1) > _MOVED
    joints = [joint for joint in (*LEG_JOINTS.ravel(), *ARM_JOINTS.ravel()) if turned[:, joint].any()]
    write_pose(armature_object, action, names, frames, np.array(joints, int), planted[0], planted[1] if moved.any() else None)
    store_planted(action, free, planted)
    armature_object.update_tag()
    return int((turned.any(1) | moved).sum())


def unheld_notes(armature_object: bpy.types.Object, template: BodyTemplate) -> list[Message]:
    """What of a person's contacts planting could not hold, in frames of the timeline."""
    action, frames = result_action(armature_object)
    names = smpl_joint_names(armature_object)
    if names is None:
        return []
    betas, shift = np.array(armature_object["betas"]), timeline_shift(armature_object)
    pose, contacts = read_pose(armature_object, action, names, frames), read_contacts(armature_object, frames)
    text = "{part} is not held from frame {first} to {last}, where it moves by {distance:.0f} cm: the leg does not reach that far."
    return [
        Message(
            "contact-out-of-reach",
            text,
            part=label(title_of(unheld.part)),
            first=round(frames[unheld.first] + shift),
            last=round(frames[unheld.last] + shift),
            distance=100 * unheld.distance,
        )
        for unheld in unheld_contacts(*pose, template.rest_joints(betas), soles_from_template(template, betas), contacts)
    ]


def plant_character(character: bpy.types.Object) -> RetargetResult:
    """Retarget a character again from its source, with the contacts of the source's channels as they are now: it gets a new take.

    Raises:
        InputError: the character's action was not retargeted in this file, or its source is gone.
    """
    record = read_record(assigned_action(character))
    if record is None:
        raise InputError(
            "character-without-source",
            'The action of "{name}" was not retargeted from a person of this file.',
            "Retarget it first.",
            name=character.name,
        )
    first, last = animation_range(record.source)
    performance = performance_from_armature(record.source, first, last)
    name = retargeted_name(record.source, character)
    result = retarget_armature(character, performance, record.mapping, record.options, name, first_frame=first)
    store_record(result.action, record)
    return result


def animation_range(armature_object: bpy.types.Object) -> tuple[int, int]:
    """The first and last frame of the timeline of the action that an armature plays; those of the scene if it plays none."""
    action, scene = played_action(armature_object), active_scene()
    if action is None:
        return scene.frame_start, scene.frame_end
    first, last = action.frame_range
    shift = timeline_shift(armature_object)
    return math.floor(first + shift), math.ceil(last + shift)


def retargeted_name(source: bpy.types.Object, character: bpy.types.Object) -> str:
    """The name of a new action in which a character moves as a source does."""
    return next_take_name(source.get(CLIP_PROPERTY, "") or source.name, character.name)


def _is_stretched(action: bpy.types.Action, armature_object: bpy.types.Object) -> bool:
    """Whether the action scales bones, or moves bones other than the root."""
    paths = {path for path, _index in curves_by_path(action, armature_object)}
    return any(path.endswith(".scale") for path in paths) or sum(path.endswith(".location") for path in paths) > 1


def _camera_places(armature_object: bpy.types.Object, frames: FloatArray) -> FloatArray:
    """Where the clip's camera is at frames (F,) of the timeline, (F,3) m in the armature's axes; far in front where there is none."""
    camera = find_clip_camera(armature_object)
    if camera is None:
        return np.tile([0.0, -10.0, 1.0], (len(frames), 1))
    action = assigned_action(camera)
    curves = {} if action is None else curves_by_path(action, camera)
    local = evaluate_vector(curves, "location", frames, camera.location.to_tuple())
    parent = np.eye(4) if camera.parent is None else np.array(camera.parent.matrix_world @ camera.matrix_parent_inverse)
    to_armature = np.linalg.inv(np.array(armature_object.matrix_world)) @ parent
    return local @ to_armature[:3, :3].T + to_armature[:3, 3]
