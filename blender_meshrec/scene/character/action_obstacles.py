"""What moves a rig's bones in spite of their keys: constraints and drivers; and the check that a character follows its plan.

The check evaluates some frames of the new action. A bone is where it was planned if it is turned by at most 1 degree and moved by at
most a fiftieth of the rig's size. For a control rig the deforming bones of the limbs are compared by their directions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import bpy
import numpy as np

from ...core.array_types import FloatArray
from ...core.errors import InputError
from ...core.messages import Message
from ...core.rotations import angle_between_rotmats
from ...retarget.rig import SIDES
from ..context import pose_bones
from ..motion.action_settings import playing_nla_tracks
from ..motion.armature_performance import find_deform_bone, orthonormal_rotations
from ..motion.isolated_playback import isolated_scene, pose_matrices
from ..motion.keyframes import Curve
from ..temporary_state import changed_attributes
from .constraint_cycles import constrained_bones
from .rig_bones import quote_names

if TYPE_CHECKING:
    from ..retargeting.retarget import RetargetPlan

_NUM_CHECKED_FRAMES = 31  # a rig's own IK may leave the plan in a few frames only, those with the deepest knees
_MAX_ANGLE = 1.0  # degrees
_MAX_IK_ANGLE = 10.0  # degrees; with IK a rig's own solver bends the limbs
_MAX_DISTANCE = 0.02  # as a fraction of the rig's size at rest
_LIMB_PARTS = ("upper_arm", "lower_arm", "hand", "upper_leg", "lower_leg", "foot")
# Constraints that limit the keys of a bone, and do not move it otherwise.
_LIMIT_CONSTRAINTS = ("LIMIT_LOCATION", "LIMIT_ROTATION", "LIMIT_SCALE", "LIMIT_DISTANCE")


@dataclass(frozen=True)
class _CheckedBone:
    """A bone of the plan's skeleton, by its row, and the rig's bone that shall be there. exact: whether the two have the same axes."""

    row: int
    name: str
    exact: bool


def constraint_notes(armature_object: bpy.types.Object, bones: Sequence[str]) -> tuple[Message, ...]:
    """A note about bones to be keyed that also have constraints, which take precedence."""
    posed = pose_bones(armature_object)
    constrained = [name for name in bones if any(_moves_bone(constraint) for constraint in posed[name].constraints)]
    return (_constraint_note(constrained),) if constrained else ()


def driver_notes(armature_object: bpy.types.Object, curves: Sequence[Curve]) -> tuple[Message, ...]:
    """A note about bones to be keyed whose keyed channels also have drivers, which take precedence."""
    driven = driven_bones(armature_object, curves)
    return (_driver_note(driven),) if driven else ()


def driven_bones(armature_object: bpy.types.Object, curves: Sequence[Curve], scripted: bool = False) -> list[str]:
    """The groups, bones' names, of curves whose channel has an active driver. scripted: only drivers that are Python scripts."""
    animation = armature_object.animation_data
    if animation is None:
        return []
    drivers = [fcurve for fcurve in animation.drivers if not fcurve.mute and (not scripted or _is_scripted(fcurve))]
    channels = {(fcurve.data_path, fcurve.array_index) for fcurve in drivers}
    return list(dict.fromkeys(curve.group for curve in curves if (curve.path, curve.index) in channels))


def nla_notes(armature_object: bpy.types.Object) -> tuple[Message, ...]:
    """A note about an NLA track that plays beside the action."""
    text = 'The NLA track "{track}" still moves what the new action does not.'
    return tuple(Message("nla-track-still-plays", text, track=track.name) for track in playing_nla_tracks(armature_object)[:1])


def find_obstacle(
    armature_object: bpy.types.Object, plan: "RetargetPlan", frames: FloatArray, key_curves: Sequence[Curve], drive: str
) -> InputError | None:
    """Evaluate the assigned action at some frames; an error that says what wins over it where the character leaves its plan.

    Args:
        frames: (F,) of the timeline, those of the plan. key_curves: the curves of its bones. drive: of the RetargetOptions.
    """
    checked = list(_checked_bones(plan))
    angles, distances = _deviations(armature_object, plan, frames, checked)
    max_angle = _MAX_IK_ANGLE if plan.mapping.controls is not None and drive == "ik" else _MAX_ANGLE
    size = np.ptp(plan.rig.rest[:, :3, 3], axis=0).max()
    is_off = (angles > max_angle) | (distances > _MAX_DISTANCE * size)
    scripted = driven_bones(armature_object, key_curves, scripted=True)  # these may not run here, but where the file is opened
    if not is_off.any() and not scripted:
        return None
    off = list(dict.fromkeys([bone.name for bone, is_bone_off in zip(checked, is_off) if is_bone_off] or scripted))
    metres_per_unit = np.cbrt(np.linalg.det(plan.rig.world[:3, :3]))
    return _obstacle_error(armature_object, off, float(angles.max()), float(distances.max() * metres_per_unit), key_curves)


def _checked_bones(plan: "RetargetPlan") -> Iterator[_CheckedBone]:
    rig, mapping = plan.rig, plan.mapping
    is_control_rig = mapping.controls is not None
    parts = [f"{side}_{part}" for side in SIDES for part in _LIMB_PARTS]
    names = [bone for part in parts for bone in mapping.slots.get(part, ())[:1]] if is_control_rig else mapping.bones
    for name in names:
        row = plan.skeleton.index(name)
        if not is_control_rig:
            yield _CheckedBone(row, name, True)
        own = rig.index(name)
        deforming = own if rig.deform[own] else find_deform_bone(rig, own)
        if deforming != own:
            yield _CheckedBone(row, rig.bones[deforming], False)


def _deviations(
    armature_object: bpy.types.Object, plan: "RetargetPlan", frames: FloatArray, checked: Sequence[_CheckedBone]
) -> tuple[FloatArray, FloatArray]:
    """The largest angle (C,), degrees, and distance (C,), armature units, of each of the checked bones from where it was planned."""
    motion, rows = plan.skeleton_motion, [bone.row for bone in checked]
    all_bones = pose_bones(armature_object)
    columns = [all_bones.find(bone.name) for bone in checked]
    is_exact = np.array([bone.exact for bone in checked], bool)
    angles, distances = np.zeros(len(checked)), np.zeros(len(checked))
    shown = changed_attributes(armature_object, hide_viewport=False)  # hidden objects are not evaluated
    with shown, isolated_scene(armature_object) as evaluate_frame:
        for frame in np.unique(np.linspace(0, len(frames) - 1, _NUM_CHECKED_FRAMES).round().astype(int)):
            evaluated = armature_object.evaluated_get(evaluate_frame(float(frames[frame])))
            matrices = pose_matrices(evaluated)[columns]
            planned = motion.rotmats[frame, rows]
            turned = angle_between_rotmats(orthonormal_rotations(matrices[:, :3, :3]), planned)
            swung = _angle_between_directions(matrices[:, :3, 1], planned[:, :, 1])
            angles = np.maximum(angles, np.degrees(np.where(is_exact, turned, swung)))
            distances = np.maximum(distances, np.linalg.norm(matrices[:, :3, 3] - motion.heads[frame, rows], axis=1))
    return angles, distances


def _angle_between_directions(first: FloatArray, second: FloatArray) -> FloatArray:
    """Angles (N,) rad between vectors (N,3)."""
    return np.arctan2(np.linalg.norm(np.cross(first, second), axis=1), (first * second).sum(1))


def _obstacle_error(
    armature_object: bpy.types.Object, off: Sequence[str], angle: float, distance: float, key_curves: Sequence[Curve]
) -> InputError:
    """The error that names the bones that are off the plan, by degrees and metres, and what moves them."""
    causes = (
        *_causing_constraints(armature_object, off),
        *driver_notes(armature_object, key_curves),
        *nla_notes(armature_object),
        Message("bones-do-not-follow-keys", "They do not follow the bones that were keyed."),
    )
    return InputError(
        "character-does-not-follow",
        '"{name}" does not move as planned: {bones} are off by up to {angle:.0f} degrees and {distance:.0f} cm. {cause}',
        "Mute what moves these bones, give a mapping preset that names the rig's controls (--mapping), or go on with --force.",
        name=armature_object.name,
        bones=quote_names(off),
        angle=angle,
        distance=100 * distance,
        cause=causes[0],
    )


def _causing_constraints(armature_object: bpy.types.Object, bones: Sequence[str]) -> tuple[Message, ...]:
    """As `constraint_notes`, with constraints that limit, and chains that begin at other bones."""
    off = set(bones)
    found = [
        bone.name
        for bone in pose_bones(armature_object)
        if any(_is_active(constraint) and off & set(constrained_bones(bone, constraint)) for constraint in bone.constraints)
    ]
    return (_constraint_note(found),) if found else ()


def _constraint_note(bones: Sequence[str]) -> Message:
    text = "Constraints of the rig also move {bones}; they win over the keys."
    return Message("constraints-win-over-keys", text, bones=quote_names(bones))


def _driver_note(bones: Sequence[str]) -> Message:
    return Message("drivers-win-over-keys", "Drivers of the rig also move {bones}; they win over the keys.", bones=quote_names(bones))


def _moves_bone(constraint: bpy.types.Constraint) -> bool:
    return constraint.type not in _LIMIT_CONSTRAINTS and _is_active(constraint)


def _is_active(constraint: bpy.types.Constraint) -> bool:
    return not constraint.mute and constraint.influence > 0


def _is_scripted(fcurve: bpy.types.FCurve) -> bool:
    driver = fcurve.driver
    return driver is not None and driver.type == "SCRIPTED" and not driver.is_simple_expression
