"""Scripts and Python drivers of a character's .blend: they never run here, and are mentioned."""

from collections.abc import Iterator

import bpy

from ...core.messages import Message
from .rig_bones import quote_names


def script_notes(file: str, is_blend: bool) -> tuple[Message, ...]:
    """Notes about the scripts and Python drivers of the open .blend `file`. is_blend: the output is a .blend, which keeps them."""
    notes: list[Message] = []
    scripts = [block.name for block in bpy.data.texts if block.use_module]
    drivers = sum(_is_python(curve.driver) for block in _animatable_blocks() for curve in _drivers_of(block))
    if scripts and is_blend:
        kept_scripts = "The scripts of {file} were not run; the new .blend keeps them: {scripts}."
        notes.append(Message("character-scripts-kept", kept_scripts, file=file, scripts=quote_names(scripts)))
    if drivers and is_blend:
        kept_drivers = "Drivers of {file} that are Python expressions were not run; the new .blend keeps them ({count})."
        notes.append(Message("character-drivers-kept", kept_drivers, file=file, count=drivers))
    elif drivers:
        idle_drivers = "Drivers of {file} that are Python expressions were not run ({count})."
        notes.append(Message("character-drivers-not-run", idle_drivers, file=file, count=drivers))
    return tuple(notes)


def _animatable_blocks() -> Iterator[bpy.types.ID]:
    for prop in bpy.data.bl_rna.properties:
        if prop.type == "COLLECTION":
            for block in getattr(bpy.data, prop.identifier):
                yield block
                if node_tree := getattr(block, "node_tree", None):
                    yield node_tree


def _drivers_of(block: bpy.types.ID) -> tuple[bpy.types.FCurve, ...]:
    animation: bpy.types.AnimData | None = getattr(block, "animation_data", None)
    return tuple(animation.drivers) if animation else ()


def _is_python(driver: bpy.types.Driver | None) -> bool:
    return driver is not None and driver.type == "SCRIPTED" and not driver.is_simple_expression
