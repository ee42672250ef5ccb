"""The armatures in the selection."""

import bpy

from ..scene.context import expect_type


def selected_armatures(context: bpy.types.Context) -> list[bpy.types.Object]:
    """The armatures of the selected objects, the active object's first."""
    chosen = [thing for thing in (context.object, *context.selected_objects) if thing is not None]
    rigs = [rig for thing in chosen if (rig := thing if thing.type == "ARMATURE" else thing.find_armature()) is not None]
    return list(dict.fromkeys(rigs))


def result_armature(context: bpy.types.Context) -> bpy.types.Object | None:
    """The armature of the selected result: the active object or an ancestor of it; None if it belongs to no result."""
    thing = context.object
    while thing is not None and "quality" not in thing:
        thing = thing.parent
    return thing if thing is not None and thing.type == "ARMATURE" else None


def character_armature(context: bpy.types.Context) -> bpy.types.Object | None:
    """The armature of the selected result or character: the active object or the armature that moves it."""
    armatures = selected_armatures(context)
    return result_armature(context) or (armatures[0] if armatures else None)


def report_of(armature_object: bpy.types.Object | None) -> bpy.types.Text | None:
    """The text block with the report of a result's armature; None if it was deleted."""
    report = None if armature_object is None else armature_object.get("report")
    return None if report is None else expect_type(report, bpy.types.Text)
