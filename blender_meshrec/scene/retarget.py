"""Retargeting of a performance to a character: makes one new action and changes nothing else in the file.

The action is assigned to the armature. An action that it replaces, and that has no other user, is given a fake user,
because Blender would otherwise not save it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import bpy

from ..core.messages import Message
from ..retarget.mapping.map_bones import map_bones
from ..retarget.rig import BoneMapping, Performance, RetargetedMotion, RetargetOptions, Rig
from ..retarget.solve.retarget import retarget
from ..retarget.write.controls import control_names, control_skeleton, key_controls, switch_values
from .context import assigned_action, pose_bones
from .control_rig import bones_off_rest, find_control_parents
from .keyframes import last_frame, snapped_key_frames, write_action
from .retarget_curves import key_curves, rest_curves, switch_curves
from .rig_bones import quote_names, with_ancestors
from .rig_checks import check_bone_lengths, check_rig
from .rig_reader import read_rig
from .skin_floor import skin_floor_height

# Constraints that limit the keys of a bone, and do not move it otherwise.
_LIMIT_CONSTRAINTS = ("LIMIT_LOCATION", "LIMIT_ROTATION", "LIMIT_SCALE", "LIMIT_DISTANCE")


@dataclass(frozen=True)
class RetargetPlan:
    """The keys that will be set on a character.

    rig: the character's Rig. mapping: its BoneMapping. skeleton: the Rig that the motion was solved for: the character's, or
    for a control rig its controls alone. skeleton_motion: the motion of the skeleton. keys: the motion of the rig's own bones.
    switches: (bone, property) -> value. notes: sentences about possible differences from the plan.
    """

    rig: Rig
    mapping: BoneMapping
    skeleton: Rig
    skeleton_motion: RetargetedMotion
    keys: RetargetedMotion
    switches: dict[tuple[str, str], float]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class RetargetResult:
    """The new action, its RetargetPlan, quality (as in RetargetedMotion), notes, and the timeline of its keys."""

    action: bpy.types.Action
    plan: RetargetPlan
    quality: dict[str, float]
    notes: tuple[str, ...]
    fps: float
    last_frame: int

    @property
    def mapping(self) -> BoneMapping:
        return self.plan.mapping


def retarget_armature(
    armature_object: bpy.types.Object,
    performance: Performance,
    mapping: BoneMapping | None = None,
    options: RetargetOptions | None = None,
    name: str | None = None,
    humanoid: Mapping[str, str] | None = None,
) -> RetargetResult:
    """Make a new action in which a character performs, and assign it.

    Args:
        armature_object: the character's armature. mapping: found automatically if None. name: of the action, the
            performance's by default. humanoid: VRM's own map of the bones.

    Raises:
        InputError: the armature cannot be animated or is not a humanoid; nothing is changed then.
    """
    plan = plan_retarget(armature_object, performance, mapping, options, humanoid)
    return write_plan(armature_object, plan, name or performance.rig.name)


def plan_retarget(
    armature_object: bpy.types.Object,
    performance: Performance,
    mapping: BoneMapping | None = None,
    options: RetargetOptions | None = None,
    humanoid: Mapping[str, str] | None = None,
) -> RetargetPlan:
    """Compute the keys without changing anything; arguments and errors are those of `retarget_armature`."""
    options = options or RetargetOptions()
    check_rig(armature_object)
    rig = read_rig(armature_object, humanoid)
    mapping = mapping or map_bones(rig)
    check_bone_lengths(rig, mapping.bones)
    floor = skin_floor_height(armature_object, rig, mapping)
    notes = (*_constraint_notes(armature_object, mapping.bones), *_nla_notes(armature_object))
    if mapping.controls is None:
        keys = retarget(performance, rig, mapping, options, floor)
        return RetargetPlan(rig, mapping, rig, keys, keys, {}, notes)
    # With the FK switches each control follows one other. What IK controls follow does not depend on the switches.
    control_parents = find_control_parents(armature_object, control_names(mapping), switch_values(mapping, "fk"))
    skeleton = control_skeleton(rig, mapping, control_parents)
    skeleton_motion = retarget(performance, skeleton, mapping, options, floor)
    keys = key_controls(skeleton_motion, rig, skeleton, mapping, control_parents, options)
    return RetargetPlan(rig, mapping, skeleton, skeleton_motion, keys, switch_values(mapping, options.drive), notes)


def write_plan(armature_object: bpy.types.Object, plan: RetargetPlan, name: str) -> RetargetResult:
    """Make a RetargetPlan's action and assign it."""
    keys = plan.keys
    frames = snapped_key_frames(keys.timestamps, keys.fps)
    curves = [
        *key_curves(keys, plan.rig),
        *switch_curves(armature_object, plan.switches),
        *rest_curves(armature_object, _bones_to_reset(armature_object, plan), keys),
    ]
    replaced = assigned_action(armature_object)
    notes = list(plan.notes)
    action = write_action(name, armature_object, frames, curves)
    if replaced is not None and replaced.users == 0:
        replaced.use_fake_user = True
        notes.append(Message("action-kept", 'The action "{name}" is kept with a fake user.', name=replaced.name))
    return RetargetResult(action, plan, dict(keys.quality), tuple(notes), keys.fps, last_frame(frames))


def _bones_to_reset(armature_object: bpy.types.Object, plan: RetargetPlan) -> list[str]:
    """Bones that are posed by hand and so would move keyed bones: these and their ancestors, and on a control rig any bone."""
    posed = bones_off_rest(armature_object)
    if plan.mapping.controls is None:
        posed &= with_ancestors(plan.rig, plan.mapping.bones)
    return sorted(posed)


def _constraint_notes(armature_object: bpy.types.Object, bones: Sequence[str]) -> tuple[str, ...]:
    """A note about bones to be keyed that also have constraints, which take precedence."""
    posed = pose_bones(armature_object)
    constrained = [name for name in bones if any(_moves_bone(constraint) for constraint in posed[name].constraints)]
    if not constrained:
        return ()
    text = "Constraints of the rig also move {bones}; they win over the keys."
    return (Message("constraints-win-over-keys", text, bones=quote_names(constrained)),)


def _moves_bone(constraint: bpy.types.Constraint) -> bool:
    return constraint.type not in _LIMIT_CONSTRAINTS and not constraint.mute and constraint.influence > 0


def _nla_notes(armature_object: bpy.types.Object) -> tuple[str, ...]:
    animation = armature_object.animation_data
    if not animation or not animation.use_nla:
        return ()
    playing = [track.name for track in animation.nla_tracks if track.strips and not track.mute]
    if not playing:
        return ()
    return (Message("nla-track-still-plays", 'The NLA track "{track}" still moves what the new action does not.', track=playing[0]),)
