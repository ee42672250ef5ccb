"""Legs and arms whose IK follows a keyed foot or hand: the poles that their knees and elbows point to."""

from collections.abc import Container, Iterable, Iterator

import bpy

from ..retarget.rig import SIDES, BoneMapping
from .context import pose_bones

# Limb -> its parts, the end last.
_LIMB_PARTS = {"leg": ("upper_leg", "lower_leg", "foot"), "arm": ("upper_arm", "lower_arm", "hand")}


def find_ik_poles(armature_object: bpy.types.Object, mapping: BoneMapping) -> dict[str, str]:
    """The pole bones of IK constraints that pull a limb to its own mapped foot or hand, such as "left_leg" -> "PoleTarget.L"."""
    if mapping.controls is not None:
        return {}
    poles: dict[str, str] = {}
    for side in SIDES:
        for limb, parts in _LIMB_PARTS.items():
            upper, lower, end = (mapping.slots.get(f"{side}_{part}", ()) for part in parts)
            for pole in _poles_of_bones(armature_object, lower if upper else (), end):
                if pole not in mapping.bones:
                    poles[f"{side}_{limb}"] = pole
    return poles


def _poles_of_bones(armature_object: bpy.types.Object, bones: Iterable[str], targets: Container[str]) -> Iterator[str]:
    """The pole bones of active IK constraints of these bones, with one of `targets` as their target."""
    posed = pose_bones(armature_object)
    for constraint in (constraint for bone in bones for constraint in posed[bone].constraints):
        if not isinstance(constraint, bpy.types.KinematicConstraint) or constraint.mute or constraint.influence <= 0:
            continue
        is_own = constraint.target == constraint.pole_target == armature_object
        if is_own and constraint.subtarget in targets and constraint.pole_subtarget in posed:
            yield constraint.pole_subtarget
