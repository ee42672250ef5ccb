"""The selection: the armatures in it, what operators say where one is missing, and its change."""

from collections.abc import Sequence

import bpy

from ..scene.context import expect_type
from ..scene.takes.earlier_results import is_result
from .blender_types import require
from .translation import translate


def armature_of(thing: bpy.types.Object) -> bpy.types.Object | None:
    """The object itself if it is an armature, else the armature that moves it; None if none does."""
    return thing if thing.type == "ARMATURE" else thing.find_armature()


def selected_armatures(context: bpy.types.Context) -> list[bpy.types.Object]:
    """The armatures of the selected objects, the active object's first."""
    chosen = [thing for thing in (context.object, *context.selected_objects) if thing is not None]
    return list(dict.fromkeys(rig for thing in chosen if (rig := armature_of(thing)) is not None))


def result_armature(context: bpy.types.Context) -> bpy.types.Object | None:
    """The armature of the selected result: the active object or an ancestor of it; None if it belongs to no result."""
    thing = context.object
    while thing is not None and not is_result(thing):
        thing = thing.parent
    return thing


def character_armature(context: bpy.types.Context) -> bpy.types.Object | None:
    """The armature of the selected result or character: the active object or the armature that moves it."""
    armatures = selected_armatures(context)
    return result_armature(context) or (armatures[0] if armatures else None)


def missing_person(person: bpy.types.Object | None) -> str:
    """Asks to select a person where there is none, for the `poll` of operators that need one; "" if there is one."""
    return translate("Select a person that MeshRec has made") if person is None else ""


def select_only(context: bpy.types.Context, chosen: Sequence[bpy.types.Object]) -> None:
    """Select these objects and nothing else, and make the first the active one."""
    for thing in context.selected_objects:
        thing.select_set(False)
    for thing in chosen:
        thing.select_set(True)
    require(context.view_layer).objects.active = chosen[0]


def report_of(armature_object: bpy.types.Object | None) -> bpy.types.Text | None:
    """The text block with the report of a result's armature; None if it was deleted."""
    report = None if armature_object is None else armature_object.get("report")
    return None if report is None else expect_type(report, bpy.types.Text)
