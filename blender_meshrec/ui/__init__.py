"""What the artist sees: a tab in the 3D view's sidebar, preferences, and `blender --command meshrec`. Thin, bpy."""

import bpy

from ..bridge.runtime import keep_environments_in
from . import environment_operators, jobs, operators, panels, preferences, properties, redrawing, setup_state, skel_panel

_PARTS = (properties, preferences, environment_operators, operators, panels, skel_panel)
_CLASSES = tuple(kind for part in _PARTS for kind in part.CLASSES)
_commands = []


def register():
    for kind in _CLASSES:
        bpy.utils.register_class(kind)
    bpy.types.Scene.meshrec = bpy.props.PointerProperty(type=properties.Settings)
    preferences.keep_home(bpy.context)
    _commands.append(bpy.utils.register_cli_command("meshrec", _command))


def unregister():
    jobs.stop()
    setup_state.stop()
    redrawing.stop()
    keep_environments_in(None)
    while _commands:
        bpy.utils.unregister_cli_command(_commands.pop())
    del bpy.types.Scene.meshrec
    for kind in reversed(_CLASSES):
        bpy.utils.unregister_class(kind)


def _command(arguments):
    """`blender --command meshrec ...`: the same program as `meshrec`."""
    from .. import cli

    return int(cli.main(list(arguments)))
