"""Importers and exporters that come with Blender as add-ons."""

import addon_utils
import bpy


def enable_addon(addon):
    """Have an add-on that comes with Blender at hand, also where the user's preferences switched it off."""
    if addon not in bpy.context.preferences.addons:
        addon_utils.enable(addon)
