"""The hierarchy of a control rig's controls, found by rotating them and evaluating the rig; everything is restored afterwards."""

import contextlib
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import bpy
import numpy as np
from mathutils import Quaternion

from ...core.array_types import FloatArray
from ...core.errors import InputError
from ..context import active_view_layer, armature_data, pose_bones
from ..temporary_state import changed_attributes

_TEST_ANGLE = 0.3  # rad
_ROTATION_TOLERANCE = 2e-3  # of the entries of a rotation matrix
_REST_TOLERANCE = 1e-4  # of the entries of a bone's own matrix; importers round by less


def find_control_parents(
    armature_object: bpy.types.Object, controls: Sequence[str], switches: Mapping[tuple[str, str], float]
) -> dict[str, str | None]:
    """Find the control that each control follows rigidly while the rig's switches are set.

    Every control is given a different rotation, and the rig is evaluated once. A control's parent is the control whose
    rotation equals that of the control's parent frame.

    Args:
        controls: names of bones. switches: (bone, property) -> value.

    Returns:
        control -> control, or None if it follows the armature object.

    Raises:
        InputError: a control follows several others in part, so that its keys cannot be computed.
    """
    with _rest_pose_with_switches(armature_object, switches):
        _rotate_controls(armature_object, controls)
        own_rotations, parent_rotations = _read_rotations(armature_object, controls)
    control_parents: dict[str, str | None] = {}
    for name in controls:
        candidates = [other for other in own_rotations if other != name]
        distances = [np.abs(parent_rotations[name] - own_rotations[other]).max() for other in candidates]
        nearest = int(np.argmin(distances))
        if distances[nearest] > _ROTATION_TOLERANCE:
            raise InputError(
                "control-follows-several",
                'The control "{name}" of "{rig}" follows several others in part.',
                "Set the rig's switches so that this control follows one other, and name them in the mapping preset.",
                name=name,
                rig=armature_object.name,
            )
        control_parents[name] = candidates[nearest]
    return control_parents


def bones_off_rest(armature_object: bpy.types.Object) -> set[str]:
    """The names of bones whose own channels are not at rest."""
    identity = np.eye(4)
    bones = pose_bones(armature_object)
    return {bone.name for bone in bones if np.abs(np.array(bone.matrix_basis) - identity).max() > _REST_TOLERANCE}


def _rotate_controls(armature_object: bpy.types.Object, controls: Sequence[str]) -> None:
    """Rotate each control about a random axis."""
    generator = np.random.default_rng(0)
    bones = pose_bones(armature_object)
    for name in controls:
        rotation = Quaternion(generator.normal(size=3).tolist(), _TEST_ANGLE)
        bones[name].matrix_basis = rotation.to_matrix().to_4x4()
    active_view_layer().update()


def _read_rotations(
    armature_object: bpy.types.Object, controls: Sequence[str]
) -> tuple[dict[str | None, FloatArray], dict[str, FloatArray]]:
    """Rotations from rest (3,3), in the armature's axes, of each control and of each control's parent frame.

    The first dictionary also has the armature object, which does not rotate, as None.
    """
    evaluated = pose_bones(armature_object.evaluated_get(bpy.context.evaluated_depsgraph_get()))
    own_rotations: dict[str | None, FloatArray] = {None: np.eye(3)}
    parent_rotations: dict[str, FloatArray] = {}
    for name in controls:
        bone = evaluated[name]
        pose, basis, rest = (np.array(matrix.to_3x3()) for matrix in (bone.matrix, bone.matrix_basis, bone.bone.matrix_local))
        own_rotations[name] = pose @ rest.T
        parent_rotations[name] = pose @ basis.T @ rest.T
    return own_rotations, parent_rotations


@contextlib.contextmanager
def _rest_pose_with_switches(armature_object: bpy.types.Object, switches: Mapping[tuple[str, str], float]) -> Generator[None, None, None]:
    """The rig at rest, without its animation and with switches set; everything is restored afterwards."""
    bones = pose_bones(armature_object)
    channels = [(bone, _read_channels(bone)) for bone in bones]
    properties = [(bones[bone], name, bones[bone][name]) for bone, name in switches if name in bones[bone]]
    with contextlib.ExitStack() as stack:
        stack.callback(_update, armature_object)
        stack.enter_context(_without_animation(armature_object))
        stack.enter_context(changed_attributes(armature_data(armature_object), pose_position="POSE"))
        stack.callback(_restore_bones, channels, properties)
        for bone in bones:
            _reset_to_rest(bone)
        for bone, name, before in properties:
            bone[name] = type(before)(switches[bone.name, name])
        _update(armature_object)
        yield


@contextlib.contextmanager
def _without_animation(armature_object: bpy.types.Object) -> Generator[None, None, None]:
    """Unassign the action and disable the NLA."""
    animation = armature_object.animation_data
    if animation is None:
        yield
        return
    slot = getattr(animation, "action_slot", None)  # since Blender 4.4
    try:
        with changed_attributes(animation, action=None, use_nla=False):
            yield
    finally:
        if slot is not None:
            animation.action_slot = slot


def _restore_bones(
    channels: Sequence[tuple[bpy.types.PoseBone, Mapping[str, Any]]], properties: Sequence[tuple[bpy.types.PoseBone, str, Any]]
) -> None:
    for bone, name, before in properties:
        bone[name] = before
    for bone, values in channels:
        for channel, value in values.items():
            setattr(bone, channel, value)


def _update(armature_object: bpy.types.Object) -> None:
    armature_object.update_tag()
    active_view_layer().update()


def _read_channels(bone: bpy.types.PoseBone) -> dict[str, Any]:
    """Copies of a pose bone's channels, those of every rotation mode."""
    axis_angle = tuple(bone.rotation_axis_angle)
    names = ("location", "rotation_quaternion", "rotation_euler", "scale")
    return {**{name: getattr(bone, name).copy() for name in names}, "rotation_axis_angle": axis_angle}


def _reset_to_rest(bone: bpy.types.PoseBone) -> None:
    bone.location, bone.scale = (0, 0, 0), (1, 1, 1)
    bone.rotation_quaternion, bone.rotation_euler, bone.rotation_axis_angle = (1, 0, 0, 0), (0, 0, 0), (0, 0, 1, 0)
