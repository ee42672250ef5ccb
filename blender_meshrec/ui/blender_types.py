"""Typed access to what Blender provides and its stubs declare optional or do not know."""

from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

import bpy

from ..scene.context import expect_type

if TYPE_CHECKING:
    from .properties import Settings
    from .retarget.retarget_settings import RetargetSettings

    OperatorMixin = bpy.types.Operator
else:
    OperatorMixin = object  # Blender registers the properties of a mixin only if it is not an Operator itself

OperatorResult: TypeAlias = set[Literal["RUNNING_MODAL", "CANCELLED", "FINISHED", "PASS_THROUGH", "INTERFACE"]]
Value = TypeVar("Value")


class HasLayout:
    """Declares `layout`, which every panel, menu and operator has while it draws."""

    layout: bpy.types.UILayout


class HasFilepath:
    """Declares `filepath`, a property that ImportHelper and ExportHelper define."""

    filepath: str


def require(value: Value | None) -> Value:
    """`value` itself, which Blender always provides where this is called."""
    if value is None:
        raise TypeError("Blender's context lacks a value that the interface needs")
    return value


def scene_of(context: bpy.types.Context) -> bpy.types.Scene:
    return require(context.scene)


def settings_of(context: bpy.types.Context) -> "Settings":
    """The reconstruction settings of the current scene."""
    return scene_of(context).meshrec  # pyrefly: ignore[missing-attribute]  registered by ui.register


def retarget_settings_of(context: bpy.types.Context) -> "RetargetSettings":
    """The retargeting settings of the current scene."""
    return scene_of(context).meshrec_retarget  # pyrefly: ignore[missing-attribute]  registered by ui.register


def enum_property(settings: bpy.types.PropertyGroup, name: str) -> bpy.types.EnumProperty:
    """The definition of an enum of a property group, with its items."""
    return expect_type(settings.bl_rna.properties[name], bpy.types.EnumProperty)


def set_operator_properties(button: bpy.types.OperatorProperties, **values: object) -> None:
    """Set the properties that a drawn button gives its operator."""
    for name, value in values.items():
        setattr(button, name, value)
