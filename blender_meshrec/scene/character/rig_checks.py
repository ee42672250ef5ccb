"""Checks of a character, before anything is changed, for whatever prevents a new action from animating it."""

from collections.abc import Iterable

import bpy
import numpy as np

from ...core.errors import InputError
from ...retarget.rig import BoneMapping, Rig
from ...retarget.solve.rest_pose import RestPose
from ...retarget.solve.root_placement import leg_length
from ..context import armature_data
from .constraint_cycles import find_constraint_cycle
from .rig_bones import quote_names

_MIN_LENGTH = 1e-5  # as a fraction of the longest bone; the precision of Blender's numbers
_MIN_LEG_LENGTH = 0.2  # as a fraction of the distance between the hip joints
_MIN_VOLUME = 1e-9  # as a fraction of the largest scale, cubed


def check_rig(armature_object: bpy.types.Object | None) -> None:
    """Refuse an armature that a new action cannot animate correctly.

    Raises:
        InputError: the object is not an armature, has no bones, is linked from a library, is mirrored or flattened by its
            scale, is in Edit Mode or in the NLA's tweak mode, has a cycle of constraints, or has non-finite rest matrices.
    """
    if armature_object is None or armature_object.type != "ARMATURE":
        name = "Nothing" if armature_object is None else f'"{armature_object.name}"'
        raise InputError("object-not-armature", "{name} is not an armature.", "Choose the armature of a character.", name=name)
    name = armature_object.name
    if not armature_data(armature_object).bones:
        raise InputError("rig-without-bones", '"{name}" has no bones.', "Choose an armature that has bones.", name=name)
    _check_not_linked(armature_object)
    if armature_object.mode == "EDIT":
        raise InputError("rig-in-edit-mode", '"{name}" is in Edit Mode.', "Leave Edit Mode first.", name=name)
    if armature_object.animation_data and armature_object.animation_data.use_tweak_mode:
        raise InputError(
            "rig-nla-tweaked", 'An NLA strip of "{name}" is being tweaked.', "Leave the NLA editor's tweak mode (Tab) first.", name=name
        )
    _check_scale(armature_object)
    _check_rest_matrices(armature_object)
    _check_no_constraint_cycle(armature_object)


def check_bone_lengths(rig: Rig, bones: Iterable[str]) -> None:
    """Refuse bones to animate that have no length, and so no direction.

    Raises:
        InputError: with the bones' names.
    """
    min_length = _MIN_LENGTH * rig.lengths.max()
    if short := [bone for bone in bones if not rig.lengths[rig.index(bone)] > min_length]:
        raise InputError(
            "rig-bones-without-length",
            'In "{name}" these bones have no length: {bones}.',
            "Give them a length in Edit Mode, or choose others in Mapping.",
            name=rig.name,
            bones=quote_names(short),
        )


def check_proportions(rig: Rig, mapping: BoneMapping) -> None:
    """Refuse a skeleton whose rest pose an importer has torn apart: files with scaled bones are read without the scales.

    Raises:
        InputError: the bones of the legs are far shorter than the distance between the legs.
    """
    rest = RestPose(rig, mapping)
    legs = rest.heads[rest.thighs]
    width = float(np.linalg.norm(legs[0] - legs[1]))
    if leg_length(rest) < _MIN_LEG_LENGTH * width:
        raise InputError(
            "rig-proportions-impossible",
            'In "{name}" the legs are {times:.0f} times as far apart as they are long: the scales of its bones were lost.',
            "Apply the scales of its bones in the program that has made the file, and export it again.",
            name=rig.name,
            times=width / max(leg_length(rest), 1e-9),
        )


def _check_not_linked(armature_object: bpy.types.Object) -> None:
    library, override = armature_object.library, armature_object.override_library
    if not library and override and override.is_system_override and override.reference:
        library = override.reference.library
    if library:
        raise InputError(
            "rig-linked",
            '"{name}" is linked from {path} and cannot be animated here.',
            "Make a library override that can be edited of the character (Object > Library Override > Make), or make it local.",
            name=armature_object.name,
            path=library.filepath,
        )


def _check_scale(armature_object: bpy.types.Object) -> None:
    linear = np.array(armature_object.matrix_world)[:3, :3]
    volume = np.linalg.det(linear) if np.isfinite(linear).all() else 0.0
    if volume < 0:
        raise InputError(
            "rig-mirrored",
            '"{name}" is mirrored: its scale is negative.',
            "Apply the scale (Object > Apply > Scale), or make it positive.",
            name=armature_object.name,
        )
    if volume <= _MIN_VOLUME * np.abs(linear).max() ** 3:
        raise InputError(
            "rig-flat",
            '"{name}" is flat: its scale is zero along an axis.',
            "Give it a scale that is not zero.",
            name=armature_object.name,
        )


def _check_rest_matrices(armature_object: bpy.types.Object) -> None:
    bones = armature_data(armature_object).bones
    rest = np.empty(16 * len(bones), np.float32)
    bones.foreach_get("matrix_local", rest)
    is_damaged = ~np.isfinite(rest.reshape(len(bones), 16)).all(1)
    if is_damaged.any():
        raise InputError(
            "rig-rest-pose-damaged",
            'The rest pose of "{name}" is damaged at "{bone}".',
            "Export the character again.",
            name=armature_object.name,
            bone=bones[int(np.argmax(is_damaged))].name,
        )


def _check_no_constraint_cycle(armature_object: bpy.types.Object) -> None:
    if cycle := find_constraint_cycle(armature_object):
        raise InputError(
            "rig-constraints-circular",
            'The constraints of "{name}" go in a circle: {bones}.',
            "Mute or remove one of these constraints.",
            name=armature_object.name,
            bones=" -> ".join(f'"{name}"' for name in cycle),
        )
