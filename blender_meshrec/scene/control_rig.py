"""Finding out what a control rig's controls follow, by moving them and looking; everything is put back."""

import contextlib

import bpy
import numpy as np
from mathutils import Quaternion

from ..core.errors import InputError

_TEST_ANGLE = 0.3  # rad
_ROTATION_TOLERANCE = 2e-3  # of a rotation's entries
_REST_TOLERANCE = 1e-4  # of the entries of a bone's own matrix; less is how importers round


def find_control_parents(armature_object, bones, switches):
    """Which control each control follows rigidly when the rig's switches are set.

    Every control is turned by an amount of its own, the rig is evaluated once, and the frame each control hangs from is
    compared with how the others were moved.

    Args:
        bones: names of the controls. switches: (bone, property) -> value.

    Returns:
        control -> control, or None where it follows the armature itself.

    Raises:
        InputError: a control follows none of them as a whole, so that it cannot be computed what it should be keyed with.
    """
    generator = np.random.default_rng(0)
    with _rest_pose_with_switches(armature_object, switches):
        for name in bones:
            bone = armature_object.pose.bones[name]
            turn = Quaternion(generator.normal(size=3), _TEST_ANGLE)
            bone.matrix_basis = turn.to_matrix().to_4x4()
        bpy.context.view_layer.update()
        posed = armature_object.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
        turned, hung = {None: np.eye(3)}, {}
        for name in bones:
            bone = posed[name]
            pose, basis, rest = (np.array(matrix.to_3x3()) for matrix in (bone.matrix, bone.matrix_basis, bone.bone.matrix_local))
            turned[name] = pose @ rest.T
            hung[name] = pose @ basis.T @ rest.T
    control_parents = {}
    for name in bones:
        others = [other for other in turned if other != name]
        apart = [np.abs(hung[name] - turned[other]).max() for other in others]
        nearest = int(np.argmin(apart))
        if apart[nearest] > _ROTATION_TOLERANCE:
            raise InputError(
                "control-follows-several",
                'The control "{name}" of "{rig}" follows several others in part.',
                "Set the rig's switches so that this control follows one other, and name them in the mapping preset.",
                name=name,
                rig=armature_object.name,
            )
        control_parents[name] = others[nearest]
    return control_parents


@contextlib.contextmanager
def _rest_pose_with_switches(armature_object, switches):
    """The rig at rest without its animation and with switches set, for a while; afterwards everything is as it was."""
    bones = armature_object.pose.bones
    animation = armature_object.animation_data
    action, slot = (animation.action, getattr(animation, "action_slot", None)) if animation else (None, None)
    with_nla = animation.use_nla if animation else False
    poses = [(bone, _read_channels(bone)) for bone in bones]
    properties = [(bones[bone], name, bones[bone][name]) for bone, name in switches if name in bones[bone]]
    try:
        if animation:
            animation.action, animation.use_nla = None, False
        for bone, _ in poses:
            _reset_to_rest(bone)
        for bone, name, before in properties:
            bone[name] = type(before)(switches[bone.name, name])
        armature_object.update_tag()
        bpy.context.view_layer.update()
        yield
    finally:
        for bone, name, before in properties:
            bone[name] = before
        for bone, channels in poses:
            for channel, value in channels.items():
                setattr(bone, channel, value)
        if animation:
            animation.action, animation.use_nla = action, with_nla
            if slot is not None:
                animation.action_slot = slot
        armature_object.update_tag()
        bpy.context.view_layer.update()


def _read_channels(bone):
    """A pose bone's own values, whichever its rotation mode uses."""
    axis_angle = tuple(bone.rotation_axis_angle)
    names = ("location", "rotation_quaternion", "rotation_euler", "scale")
    return {**{name: getattr(bone, name).copy() for name in names}, "rotation_axis_angle": axis_angle}


def _reset_to_rest(bone):
    bone.location, bone.scale = (0, 0, 0), (1, 1, 1)
    bone.rotation_quaternion, bone.rotation_euler, bone.rotation_axis_angle = (1, 0, 0, 0), (0, 0, 0), (0, 0, 1, 0)


def bones_off_rest(armature_object):
    """The names of bones whose own channels are not at rest."""
    identity = np.eye(4)
    return {bone.name for bone in armature_object.pose.bones if np.abs(np.array(bone.matrix_basis) - identity).max() > _REST_TOLERANCE}
