"""A performance onto a character: one new action, and nothing else of the file is changed.

The action is assigned to the armature. An action that it takes the place of, and that nothing else uses, is given a fake user:
Blender would otherwise drop it when the file is saved.
"""

from dataclasses import dataclass

import bpy
import numpy as np

from ..core.messages import Message
from ..retarget.mapping.map_bones import map_bones
from ..retarget.rig import RetargetOptions
from ..retarget.solve.retarget import retarget
from ..retarget.write.channels import rotation_channels
from ..retarget.write.controls import control_names, control_skeleton, key_controls, switch_values
from .control_rig import bones_off_rest, find_control_parents
from .keyframes import Curve, last_frame, snapped_key_frames, vector_curves, write_action
from .rig_checks import check_bone_lengths, check_rig
from .rig_reader import read_rig
from .skin_floor import skin_floor_height

# Constraints that bound what keys may do, and do not move a bone by themselves.
_LIMIT_CONSTRAINTS = ("LIMIT_LOCATION", "LIMIT_ROTATION", "LIMIT_SCALE", "LIMIT_DISTANCE")
_REST_VALUES = {"location": (0, 0, 0), "rotation_quaternion": (1, 0, 0, 0), "rotation_axis_angle": (0, 0, 1, 0), "scale": (1, 1, 1)}


@dataclass(frozen=True)
class RetargetPlan:
    """What will be keyed on a character, before anything is.

    rig: the character's Rig. mapping: its BoneMapping. skeleton: the Rig that was computed with: the character's, or on a control
    rig its controls alone. skeleton_motion: the RetargetedMotion of the skeleton. keys: that of the rig's own bones.
    switches: (bone, property) -> value. notes: sentences about what may not go as planned.
    """

    rig: object
    mapping: object
    skeleton: object
    skeleton_motion: object
    keys: object
    switches: dict
    notes: tuple


@dataclass(frozen=True)
class RetargetResult:
    """What was made: the action, the RetargetPlan it was made by, quality (as RetargetedMotion has it), notes, and its timeline."""

    action: object
    plan: RetargetPlan
    quality: dict
    notes: tuple
    fps: float
    last_frame: int

    @property
    def mapping(self):
        return self.plan.mapping


def retarget_armature(armature_object, performance, mapping=None, options=None, name=None, humanoid=None):
    """Let a character perform: make one new action and assign it.

    Args:
        armature_object: the character's armature. performance: a Performance. mapping: a BoneMapping, found by itself where
            it is None. options: RetargetOptions. name: of the action, the performance's by default. humanoid: VRM's own map.

    Returns:
        A RetargetResult.

    Raises:
        InputError: the armature cannot be animated or is no humanoid; then nothing was changed.
    """
    plan = plan_retarget(armature_object, performance, mapping, options, humanoid)
    return write_plan(armature_object, plan, name or performance.rig.name)


def plan_retarget(armature_object, performance, mapping=None, options=None, humanoid=None):
    """Compute what to key, and change nothing: arguments and errors as `retarget_armature` has them.

    Returns:
        A RetargetPlan.
    """
    options = options or RetargetOptions()
    check_rig(armature_object)
    rig = read_rig(armature_object, humanoid)
    mapping = mapping or map_bones(rig)
    check_bone_lengths(rig, mapping.bones)
    floor = skin_floor_height(armature_object, rig, mapping)
    notes = (*_constraint_notes(armature_object, mapping), *_nla_notes(armature_object))
    if mapping.controls is None:
        moves = keys = retarget(performance, rig, mapping, options, floor)
        return RetargetPlan(rig, mapping, rig, moves, keys, {}, notes)
    # As FK, each control follows another of its own; what IK controls follow does not depend on that.
    control_parents = find_control_parents(armature_object, control_names(mapping), switch_values(mapping, "fk"))
    skeleton = control_skeleton(rig, mapping, control_parents)
    moves = retarget(performance, skeleton, mapping, options, floor)
    keys = key_controls(moves, rig, skeleton, mapping, control_parents, options)
    return RetargetPlan(rig, mapping, skeleton, moves, keys, switch_values(mapping, options.drive), notes)


def write_plan(armature_object, plan, name):
    """Make a RetargetPlan's action and assign it. Returns a RetargetResult."""
    keys = plan.keys
    frames = snapped_key_frames(keys.timestamps, keys.fps)
    curves = _key_curves(keys, plan.rig)
    curves += _switch_curves(armature_object, plan.switches)
    curves += _rest_curves(armature_object, plan)
    animation = armature_object.animation_data
    before = animation.action if animation else None
    notes = list(plan.notes)
    action = write_action(name, armature_object, frames, curves)
    if before is not None and before.users == 0:
        before.use_fake_user = True
        notes.append(Message("action-kept", 'The action "{name}" is kept with a fake user.', name=before.name))
    return RetargetResult(action, plan, dict(keys.quality), tuple(notes), keys.fps, last_frame(frames))


def _bone_path(bone):
    return f'pose.bones["{bpy.utils.escape_identifier(bone)}"]'


def _key_curves(keys, rig):
    modes = dict(zip(rig.bones, rig.rotation_modes))
    curves = []
    for bone, values in keys.locations.items():
        curves += _bone_curves(bone, "location", values)
    for column, bone in enumerate(keys.bones):
        curves += _bone_curves(bone, *rotation_channels(keys.rotations[:, column], modes[bone]))
    return curves


def _bone_curves(bone, channel, values):
    return vector_curves(f"{_bone_path(bone)}.{channel}", values, bone)


def _switch_curves(armature_object, switches):
    """One key for each switch that the rig has."""
    bones = armature_object.pose.bones
    return [
        Curve(f'{_bone_path(bone)}["{bpy.utils.escape_identifier(name)}"]', 0, np.array([float(value)]), bone, "CONSTANT")
        for (bone, name), value in switches.items()
        if bone in bones and name in bones[bone]
    ]


def _rest_curves(armature_object, plan):
    """Keys for channels that are posed by hand and would move what is keyed: of keyed bones, and of those that carry them.

    On a control rig whatever is posed may carry a control.
    """
    moved = bones_off_rest(armature_object)
    if plan.mapping.controls is None:
        moved &= _with_ancestors(plan.rig, plan.mapping.bones)
    curves = []
    for bone in sorted(moved):
        mode = armature_object.pose.bones[bone].rotation_mode
        turning = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}.get(mode, "rotation_euler")
        keyed = {turning} if bone in plan.keys.bones else set()
        keyed |= {"location"} if bone in plan.keys.locations else set()
        for channel in ("location", turning, "scale"):
            if channel not in keyed:
                curves += _bone_curves(bone, channel, np.array([_REST_VALUES.get(channel, (0, 0, 0))], float))
    return curves


def _with_ancestors(rig, bones):
    """These bones and all that they hang from."""
    found = set()
    for row in (rig.index(bone) for bone in bones):
        while row >= 0 and rig.bones[row] not in found:
            found.add(rig.bones[row])
            row = rig.parents[row]
    return found


def _constraint_notes(armature_object, mapping):
    """Which bones that will be keyed are also held by constraints, which win."""
    held = []
    for name in mapping.bones:
        constraints = armature_object.pose.bones[name].constraints
        if any(c.type not in _LIMIT_CONSTRAINTS and not c.mute and c.influence > 0 for c in constraints):
            held.append(name)
    if not held:
        return ()
    names = ", ".join(f'"{name}"' for name in held[:4]) + (f" and {len(held) - 4} more" if len(held) > 4 else "")
    return (Message("constraints-win-over-keys", "Constraints of the rig also move {bones}; they win over the keys.", bones=names),)


def _nla_notes(armature_object):
    animation = armature_object.animation_data
    if not animation or not animation.use_nla:
        return ()
    playing = [track.name for track in animation.nla_tracks if track.strips and not track.mute]
    if not playing:
        return ()
    return (Message("nla-track-still-plays", 'The NLA track "{track}" still moves what the new action does not.', track=playing[0]),)
