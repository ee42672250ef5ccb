"""Which armatures the Retarget section begins with: the new result is the source, the active armature the character."""

import bpy

from ..blender_types import retarget_settings_of, scene_of
from ..selection import armature_of


def is_person(armature_object: bpy.types.Object) -> bool:
    """Whether an armature is a person that MeshRec has made."""
    return "quality" in armature_object or "betas" in armature_object


def active_character(context: bpy.types.Context) -> bpy.types.Object | None:
    """The armature of the active object, unless it is a person that MeshRec has made, or the source."""
    armature_object = None if context.object is None else armature_of(context.object)
    if armature_object is None or is_person(armature_object) or armature_object == retarget_settings_of(context).source:
        return None
    return armature_object


def only_person(context: bpy.types.Context) -> bpy.types.Object | None:
    """The person of the scene that MeshRec has made last; None if there is none."""
    people = [obj for obj in scene_of(context).objects if obj.type == "ARMATURE" and is_person(obj)]
    return people[-1] if people else None


def chosen_source(context: bpy.types.Context) -> bpy.types.Object | None:
    """The source in the settings, or the one that `prefill` would choose."""
    return retarget_settings_of(context).source or only_person(context)


def chosen_character(context: bpy.types.Context) -> bpy.types.Object | None:
    """The character in the settings, or the one that `prefill` would choose."""
    return retarget_settings_of(context).target or active_character(context)


def prefill(context: bpy.types.Context) -> None:
    """Fill in the source and the character where they are empty."""
    settings = retarget_settings_of(context)
    if settings.source is None and (source := only_person(context)) is not None:
        settings.source = source
    if settings.target is None and (target := active_character(context)) is not None:
        settings.target = target


def prefill_soon(context: bpy.types.Context) -> None:
    """`prefill` once Blender has drawn: a panel cannot change what it draws."""
    settings = retarget_settings_of(context)
    is_missing = (settings.source is None and only_person(context)) or (settings.target is None and active_character(context))
    if is_missing and not bpy.app.background and not bpy.app.timers.is_registered(_prefill_now):
        bpy.app.timers.register(_prefill_now)


def _prefill_now() -> None:
    if bpy.context.scene is not None and hasattr(bpy.context.scene, "meshrec_retarget"):
        prefill(bpy.context)
