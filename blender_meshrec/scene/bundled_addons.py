"""Importers and exporters that ship with Blender as add-ons."""

import addon_utils
import bpy

from .context import expect_type


def enable_addon(addon: str) -> None:
    """Enable an add-on that ships with Blender, even if the user's preferences have it disabled."""
    if addon not in expect_type(bpy.context.preferences, bpy.types.Preferences).addons:
        addon_utils.enable(addon)
