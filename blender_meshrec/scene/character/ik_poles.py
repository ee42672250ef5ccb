"""Legs and arms whose IK follows a keyed foot or hand: the poles that their knees and elbows point to."""

from collections.abc import Container, Iterable, Iterator, Sequence

import bpy

from ...retarget.rig import SIDES, BoneMapping
from ...retarget.write.controls import IkPole
from ..context import pose_bones

# Limb -> its parts, the end last.
_LIMB_PARTS = {"leg": ("upper_leg", "lower_leg", "foot"), "arm": ("upper_arm", "lower_arm", "hand")}


def find_ik_poles(armature_object: bpy.types.Object, mapping: BoneMapping) -> dict[str, IkPole]:
    """The poles of IK constraints that pull a limb to its own mapped foot or hand, such as "left_leg" -> that of "PoleTarget.L"."""
    if mapping.controls is not None:
        return {}
    poles: dict[str, IkPole] = {}
    for side in SIDES:
        for limb, parts in _LIMB_PARTS.items():
            upper, lower, end = (mapping.slots.get(f"{side}_{part}", ()) for part in parts)
            for pole in _poles_of_bones(armature_object, upper, lower if upper else (), end):
                if pole.bone not in mapping.bones:
                    poles[f"{side}_{limb}"] = pole
    return poles


def _poles_of_bones(
    armature_object: bpy.types.Object, upper: Sequence[str], bones: Iterable[str], targets: Container[str]
) -> Iterator[IkPole]:
    """The poles of active IK constraints of these bones, which follow the bones `upper`, with one of `targets` as their target."""
    posed = pose_bones(armature_object)
    has_locks = any(posed[bone].lock_ik_x or posed[bone].lock_ik_y or posed[bone].lock_ik_z for bone in upper)
    for constraint in (constraint for bone in bones for constraint in posed[bone].constraints):
        if not isinstance(constraint, bpy.types.KinematicConstraint) or constraint.mute or constraint.influence <= 0:
            continue
        is_own = constraint.target == constraint.pole_target == armature_object
        if is_own and constraint.subtarget in targets and constraint.pole_subtarget in posed:
            yield IkPole(constraint.pole_subtarget, constraint.pole_angle, has_locks)
