"""Markerless motion capture for Blender: footage in, a posed, skinned and keyed SMPL armature out."""


def register():
    from . import ui

    ui.register()


def unregister():
    from . import ui

    ui.unregister()
