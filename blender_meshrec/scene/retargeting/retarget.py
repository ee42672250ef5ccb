"""Retargeting of a performance to a character: makes one new action and changes nothing else in the file.

The action is assigned to the armature. An action that it replaces is kept in the character's list of takes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import bpy

from ...core.conventions import FIRST_BLENDER_FRAME
from ...core.errors import InputError
from ...core.messages import Message
from ...retarget.mapping.facing import are_sides_swapped, swap_sides
from ...retarget.mapping.map_bones import fit_mapping, map_bones
from ...retarget.rig import SIDES, BoneMapping, Performance, RetargetedMotion, RetargetOptions, Rig
from ...retarget.solve.retarget import retarget
from ...retarget.write.controls import control_names, control_skeleton, key_controls, key_ik_poles, switch_values
from ..character.action_obstacles import constraint_notes, driver_notes, find_obstacle, nla_notes
from ..character.control_rig import bones_off_rest, find_control_parents
from ..character.copied_controls import map_to_copied_controls
from ..character.ik_poles import find_ik_poles
from ..character.rig_bones import with_ancestors
from ..character.rig_checks import check_bone_lengths, check_proportions, check_rig
from ..character.rig_reader import read_rig
from ..character.skin_floor import read_foot_skins, skin_floor_height
from ..context import assigned_action
from ..motion.action_settings import check_rest_position, enable_action, playing_nla_tracks
from ..motion.keyframes import last_frame, snapped_key_frames, write_action
from ..takes.takes import add_takes
from .mapping_notes import feet_notes, mapping_notes, skin_notes
from .retarget_curves import key_curves, rest_curves, switch_curves


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
    """The new action, its RetargetPlan, quality (as in RetargetedMotion), notes, and the timeline of its keys.

    obstacle: the error to raise if the character has to move as planned and does not, because of the rig's own constraints or drivers.
    """

    action: bpy.types.Action
    plan: RetargetPlan
    quality: dict[str, float]
    notes: tuple[str, ...]
    fps: float
    last_frame: int
    obstacle: InputError | None = None

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
    first_frame: int = FIRST_BLENDER_FRAME,
) -> RetargetResult:
    """Make a new action in which a character performs, and assign it.

    Args:
        armature_object: the character's armature. mapping: found automatically if None. name: of the action, the
            performance's by default. humanoid: VRM's own map of the bones. first_frame: of the keys on the timeline.

    Raises:
        InputError: the armature cannot be animated or is not a humanoid; nothing is changed then.
    """
    plan = plan_retarget(armature_object, performance, mapping, options, humanoid)
    drive = (options or RetargetOptions()).drive
    return write_plan(armature_object, plan, name or performance.rig.name, first_frame, drive)


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
    check_rest_position(armature_object)
    rig = read_rig(armature_object, humanoid)
    mapping, fit_notes = fit_mapping(rig, mapping or map_bones(rig))
    mapping, control_notes = map_to_copied_controls(armature_object, rig, mapping)
    check_bone_lengths(rig, mapping.bones)
    check_proportions(rig, mapping)
    skins = read_foot_skins(armature_object, rig, mapping)
    if sides_swapped := are_sides_swapped(rig, mapping, skins):
        mapping, skins = swap_sides(mapping), dict(zip(SIDES, (skins[side] for side in reversed(SIDES))))
    floor = skin_floor_height(skins)
    notes = (
        *fit_notes,
        *mapping_notes(rig, mapping),
        *skin_notes(rig, mapping, skins, sides_swapped),
        *control_notes,
        *constraint_notes(armature_object, mapping.bones),
        *nla_notes(armature_object),
    )
    if mapping.controls is None:
        motion = retarget(performance, rig, mapping, options, floor, skins)
        keys = key_ik_poles(motion, rig, mapping, find_ik_poles(armature_object, mapping))
        return RetargetPlan(rig, mapping, rig, motion, keys, {}, (*notes, *_motion_notes(motion, mapping, options)))
    # With the FK switches each control follows one other. What IK controls follow does not depend on the switches.
    control_parents = find_control_parents(armature_object, control_names(mapping), switch_values(mapping, "fk"))
    skeleton = control_skeleton(rig, mapping, control_parents)
    skeleton_motion = retarget(performance, skeleton, mapping, options, floor, skins)
    keys = key_controls(skeleton_motion, rig, skeleton, mapping, control_parents, options)
    notes = (*notes, *_motion_notes(skeleton_motion, mapping, options))
    return RetargetPlan(rig, mapping, skeleton, skeleton_motion, keys, switch_values(mapping, options.drive), notes)


def write_plan(
    armature_object: bpy.types.Object, plan: RetargetPlan, name: str, first_frame: int = FIRST_BLENDER_FRAME, drive: str = "both"
) -> RetargetResult:
    """Make a RetargetPlan's action, assign it, and check that the character follows it; drive is that of the plan's options."""
    keys = plan.keys
    frames = snapped_key_frames(keys.timestamps, keys.fps, first_frame)
    bone_curves = key_curves(keys, plan.rig)
    curves = [
        *bone_curves,
        *switch_curves(armature_object, plan.switches),
        *rest_curves(armature_object, _bones_to_reset(armature_object, plan), keys),
    ]
    replaced = assigned_action(armature_object)
    notes = [*plan.notes, *driver_notes(armature_object, bone_curves)]
    action = write_action(name, armature_object, frames, curves)
    notes += enable_action(armature_object)
    if replaced is not None and replaced != action:
        add_takes(armature_object, replaced, action)
        notes.append(Message("action-kept", 'The action "{name}" is kept in the list of takes.', name=replaced.name))
    obstacle = find_obstacle(armature_object, plan, frames, bone_curves, drive)
    return RetargetResult(action, plan, dict(keys.quality), tuple(notes), keys.fps, last_frame(frames), obstacle)


def _bones_to_reset(armature_object: bpy.types.Object, plan: RetargetPlan) -> list[str]:
    """Bones that are posed by hand or by NLA tracks and so would move keyed bones: these and their ancestors.

    On a control rig any bone that is posed would.
    """
    moving = with_ancestors(plan.rig, plan.mapping.bones)
    posed = bones_off_rest(armature_object)
    if plan.mapping.controls is None:
        posed &= moving
    if playing_nla_tracks(armature_object):
        posed |= moving
    return sorted(posed)


def _motion_notes(motion: RetargetedMotion, mapping: BoneMapping, options: RetargetOptions) -> tuple[Message, ...]:
    """Notes about what was solved otherwise than wanted."""
    return (*_root_notes(motion, mapping, options), *(feet_notes(motion) if options.feet else ()))


def _root_notes(motion: RetargetedMotion, mapping: BoneMapping, options: RetargetOptions) -> tuple[Message, ...]:
    """A note that a rig has no bone above its hips that could carry root motion, if that was wanted."""
    if options.root != "root" or (len(motion.locations) > 1 and any(bone in motion.locations for bone in mapping.slots.get("root", ()))):
        return ()
    return (Message("no-root-bone", "The rig has no root bone above its hips; the hips carry the movement."),)
