"""Typed access to Blender's context and to the data of objects.

Blender's API declares the active scene, an object's data and its pose as optional or as a union of types. The functions
here return the value with the type that the caller relies on, and raise a TypeError where it is another.
"""

from typing import TypeVar

import bpy

Value = TypeVar("Value")


def expect_type(value: object, kind: type[Value]) -> Value:
    """`value` itself, checked to be an instance of `kind`."""
    if not isinstance(value, kind):
        raise TypeError(f"expected {kind.__name__}, not {type(value).__name__}")
    return value


def active_scene() -> bpy.types.Scene:
    return expect_type(bpy.context.scene, bpy.types.Scene)


def active_view_layer() -> bpy.types.ViewLayer:
    return expect_type(bpy.context.view_layer, bpy.types.ViewLayer)


def armature_data(armature_object: bpy.types.Object) -> bpy.types.Armature:
    return expect_type(armature_object.data, bpy.types.Armature)


def mesh_data(mesh_object: bpy.types.Object) -> bpy.types.Mesh:
    return expect_type(mesh_object.data, bpy.types.Mesh)


def camera_data(camera_object: bpy.types.Object) -> bpy.types.Camera:
    return expect_type(camera_object.data, bpy.types.Camera)


def pose_bones(armature_object: bpy.types.Object) -> "bpy.types.bpy_prop_collection[bpy.types.PoseBone]":
    return expect_type(armature_object.pose, bpy.types.Pose).bones


def pose_bones_if_any(obj: bpy.types.Object) -> tuple[bpy.types.PoseBone, ...]:
    """The pose bones of any object; empty if it is not an armature."""
    return tuple(obj.pose.bones) if obj.pose else ()


def bone_color_settings(bone: bpy.types.Bone | bpy.types.PoseBone) -> bpy.types.BoneColor:
    return expect_type(bone.color, bpy.types.BoneColor)


def armature_modifiers(mesh_object: bpy.types.Object) -> list[bpy.types.ArmatureModifier]:
    return [modifier for modifier in mesh_object.modifiers if isinstance(modifier, bpy.types.ArmatureModifier)]


def assigned_action(owner: bpy.types.ID) -> bpy.types.Action | None:
    """The action of a data block; None if it has none, or is of a kind that cannot be animated."""
    animation: bpy.types.AnimData | None = getattr(owner, "animation_data", None)
    return animation.action if animation else None


def ensure_object_mode() -> None:
    if bpy.context.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")


def set_property_range(owner: bpy.types.ID, name: str, minimum: float, maximum: float) -> None:
    """Set the range in which the interface shows a custom property."""
    manager = owner.id_properties_ui(name)
    manager.update(min=minimum, max=maximum)  # pyrefly: ignore[missing-attribute]  the stub declares None
