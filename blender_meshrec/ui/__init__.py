"""The user interface in Blender: a tab in the 3D view's sidebar, preferences, menus, and `blender --command meshrec`."""

from collections.abc import Sequence

import bpy

from ..bridge.backend_location import set_environment_home
from . import choice_operators, menus, operators, panels, presets, properties, redraw, settings_panels, translation
from .correct import contact_operators, contact_panel, correction_operators, correction_panel, pin_overlay, solve_again_operator
from .footage import footage_operators, views_panel
from .jobs import status_bar, surface_files
from .jobs.jobs import stop as stop_jobs  # the module would hide the package of its name
from .people import people_operators, people_panel, solve_people_operator, thumbnails
from .result import (
    clean_up_operators,
    copy_operators,
    export_operators,
    result_edits,
    result_edits_panel,
    result_overlay,
    result_panel,
    result_view_operators,
    skel_panel,
    take_operators,
)
from .retarget import retarget_operators, retarget_panel, retarget_preview, retarget_settings
from .setup import environment_operators, preferences, setup_state

# The order of registration is that of the panels in the tab.
_PARTS = (
    properties,
    retarget_settings,
    preferences,
    environment_operators,
    operators,
    solve_again_operator,
    people_operators,
    solve_people_operator,
    contact_operators,
    correction_operators,
    footage_operators,
    choice_operators,
    copy_operators,
    take_operators,
    result_view_operators,
    result_edits,
    clean_up_operators,
    retarget_operators,
    presets,
    panels,
    people_panel,
    settings_panels,
    views_panel,
    result_panel,
    contact_panel,
    correction_panel,
    result_edits_panel,
    retarget_panel,
    export_operators,
    skel_panel,
    menus,
)
_CLASSES = tuple(kind for part in _PARTS for kind in part.CLASSES)
_commands: list[object] = []  # handles of the registered commands


def register() -> None:
    translation.register()
    for kind in _CLASSES:
        bpy.utils.register_class(kind)
    bpy.types.Scene.meshrec = bpy.props.PointerProperty(type=properties.Settings)
    bpy.types.Scene.meshrec_retarget = bpy.props.PointerProperty(type=retarget_settings.RetargetSettings)
    result_panel.register_opacity()
    result_edits.register()
    preferences.apply_backend_home(bpy.context)
    menus.add_menu_entries()
    surface_files.register()
    result_overlay.register()
    pin_overlay.register()
    _commands.append(bpy.utils.register_cli_command("meshrec", _command))


def unregister() -> None:
    stop_jobs()
    status_bar.hide()
    result_edits.unregister()
    result_overlay.unregister()
    pin_overlay.unregister()
    surface_files.unregister()
    retarget_preview.stop()
    setup_state.stop_all()
    redraw.stop_redrawing()
    thumbnails.free_previews()
    menus.remove_menu_entries()
    set_environment_home(None)
    while _commands:
        bpy.utils.unregister_cli_command(_commands.pop())
    del bpy.types.Scene.meshrec, bpy.types.Scene.meshrec_retarget, bpy.types.Object.meshrec_opacity
    for kind in reversed(_CLASSES):
        bpy.utils.unregister_class(kind)
    translation.unregister()


def _command(arguments: Sequence[str]) -> int:
    """Run `blender --command meshrec ...`, which is the same program as `meshrec`."""
    from .. import cli

    return cli.main(list(arguments))
