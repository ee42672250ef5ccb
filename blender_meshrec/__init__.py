"""Markerless motion capture for Blender: footage in, a posed, skinned and keyed SMPL armature out."""


def register() -> None:
    """Register the add-on with Blender."""
    from . import ui

    ui.register()


def unregister() -> None:
    """Unregister the add-on."""
    from . import ui

    ui.unregister()
