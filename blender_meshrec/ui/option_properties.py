"""RNA properties made from the table of options, and their values as the backend's request has them."""

from collections.abc import Callable, Iterable
from types import NoneType
from typing import Any, get_args

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from ..core.option_records import Choice, Option

# Since Blender 4.5, a property has to declare that its path may be relative to the .blend ("//").
_PATH_OPTIONS: dict[str, Any] = {"options": {"PATH_SUPPORTS_BLEND_RELATIVE"}} if bpy.app.version >= (4, 5, 0) else {}


def enum_items(choices: Iterable[Choice]) -> tuple[tuple[str, str, str], ...]:
    """The items of an EnumProperty."""
    return tuple(choice.item for choice in choices)


def make_property(option: Option, update: Callable[[Any, bpy.types.Context], None] | None = None) -> Any:
    """The RNA property of an option; `update` is called when it changes."""
    if option.panel is None:
        raise ValueError(f"{option.name} has no property")
    settings: dict[str, Any] = {"name": option.panel.label, "description": option.panel.description, "update": update}
    if option.panel_choices:
        default = next(choice.item[0] for choice in option.panel_choices if choice.value == option.default)
        return EnumProperty(items=enum_items(option.panel_choices), default=default, **settings)
    if option.is_model_file or option.panel.is_path:
        return StringProperty(subtype="FILE_PATH", **_PATH_OPTIONS, **settings)
    limits = {"min": option.panel.minimum, "soft_max": option.panel.soft_maximum}
    value_type = next(kind for kind in get_args(option.value_type) or (option.value_type,) if kind is not NoneType)
    if value_type in (int, float):
        settings |= {name: limit for name, limit in limits.items() if limit is not None}
    kinds = {bool: BoolProperty, int: IntProperty, float: FloatProperty, str: StringProperty}
    return kinds[value_type](default=value_type() if option.default is None else option.default, **settings)


def add_option_properties(group: type[bpy.types.PropertyGroup], options: Iterable[Option]) -> None:
    """Add the properties of options to a PropertyGroup that is not registered yet."""
    group.__annotations__.update({option.panel_identifier: make_property(option) for option in options if option.panel})


def option_value(group: bpy.types.PropertyGroup, option: Option) -> Any:
    """The value that a PropertyGroup has for an option; paths are absolute."""
    value = getattr(group, option.panel_identifier)
    if option.panel_choices:
        return next(choice.value for choice in option.panel_choices if choice.item[0] == value)
    if option.is_model_file:
        return bpy.path.abspath(value) if value else option.default
    if option.panel is not None and option.panel.is_path:
        return (bpy.path.abspath(value),) if value else option.default
    return value or None if option.default is None else value  # 0 stands for None


def request_values(group: bpy.types.PropertyGroup, options: Iterable[Option]) -> dict[str, Any]:
    """The values of the options that are properties of a PropertyGroup, by the options' names."""
    return {option.name: option_value(group, option) for option in options if option.panel}
