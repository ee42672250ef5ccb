"""The backend in the preferences: what is installed, the button that installs it, progress, errors with their remedies."""

import bpy

from ..core.errors import CancelledError
from . import setup_state
from .redraw import watch
from .text import draw_text
from .translation import say, told, translated

_DEVICES = {"cpu": "for the processor", "cuda": "for an NVIDIA graphics card", "mps": "for Apple's graphics processor"}


def draw_backend(layout, context, preferences):
    """Draw it all; nothing here waits or asks another program."""
    look = setup_state.look_around(bpy.path.abspath(preferences.backend_python), preferences.device)
    if look.running:
        watch()
    box = layout.box()
    installation = setup_state.installation
    installing = installation is not None and installation.running
    draw_text(box, say("Looking at this computer.") if look.running else backend_sentence(look), context, icon=_icon(look))
    if installing:
        box.progress(factor=installation.fraction, text=translated(installation.text))
        box.operator("meshrec.cancel_install", icon="CANCEL")
    else:
        failed = installation is not None and installation.error is not None
        if failed and not isinstance(installation.error, CancelledError):
            _draw_error(box, installation.error, context)
        elif look.error is not None and look.backend is None:
            draw_text(box, told(look.error), context, icon="ERROR", alert=True)
        _draw_buttons(box, context, preferences, look)
        if installation is not None and installation.environment is not None:
            for note in installation.notes:
                draw_text(box, translated(note), context, icon="INFO")
    settings = box.column()
    settings.enabled = not installing
    for name in ("backend_python", "device", "bundle", "backend_home"):
        settings.prop(preferences, name)
    if not look.running and look.error is None and (look.backend is None or not look.current):
        draw_text(box, plan_sentence(look, preferences.bundle), context)
    _draw_check(box, context)


def backend_sentence(look):
    """What is installed."""
    if look.backend is None:
        if look.half_made:
            return say("The backend is half installed. Go On Installing takes it up where it stopped.")
        return say("The backend is not installed yet: MeshRec needs it to reconstruct.")
    if not look.facts:
        return say("The backend runs in {path}.", path=look.backend)
    facts = {"python": look.facts["python"], "device": say(_DEVICES[look.facts["device"]]), "packages": look.facts["packages"]}
    sentence = say("The backend is installed: Python {python}, {device}, {packages} packages.", **facts)
    return sentence if look.current else f"{sentence} {say('It was made for an earlier version of MeshRec: update it.')}"


def plan_sentence(look, bundle):
    """What Install Backend would do."""
    chosen = {"device": say(look.device.name), "python": look.interpreter.label, "path": look.interpreter.path}
    sentence = say("To be installed: {device}, Python {python} at {path}.", **chosen)
    source = say("Packages are taken from the offline bundle." if bundle else "Packages are downloaded.")
    return " ".join(part for part in (sentence, source, look.device.note and translated(look.device.note)) if part)


def _icon(look):
    return "SORTTIME" if look.running else "CHECKMARK" if look.backend else "INFO"


def _draw_buttons(box, context, preferences, look):
    offline = not bpy.app.online_access and not preferences.bundle
    if offline and (look.running or look.backend is None or not look.current):
        sentence = say("The backend's packages have to be downloaded, and Blender's online access is off. Nothing is sent.")
        draw_text(box, sentence, context, icon="INTERNET_OFFLINE")
        box.operator("meshrec.allow_online", icon="INTERNET")
    row = box.row()
    row.scale_y = 1.3
    install = row.row()
    install.enabled = not offline
    if look.facts and look.device is not None and look.device.kind != look.facts["device"]:
        install.operator("meshrec.install_backend", text=say("Install for: {device}", device=say(look.device.name)), icon="IMPORT")
    elif look.facts and preferences.backend_python and look.interpreter is not None and look.interpreter.label != look.facts["python"]:
        install.operator("meshrec.install_backend", text=say("Install with Python {python}", python=look.interpreter.label), icon="IMPORT")
    elif look.facts and look.current:
        install.operator("meshrec.install_backend", text="Repair", icon="FILE_REFRESH").anew = True
    else:
        name = "Update Backend" if look.facts else "Go On Installing" if look.half_made else "Install Backend"
        install.operator("meshrec.install_backend", text=name, icon="IMPORT")
    if look.facts or look.half_made:
        row.operator("meshrec.remove_backend", icon="TRASH")


def _draw_check(box, context):
    check = setup_state.check
    row = box.row()
    row.operator("meshrec.check_backend", icon="VIEWZOOM")
    if check is not None and not check.running:
        row.operator("meshrec.copy_check", icon="COPYDOWN")
    row.operator("meshrec.open_install_log", icon="TEXT")
    if check is None:
        return
    report = box.box().column(align=True)
    report.scale_y = 0.8
    for line in tuple(check.lines):
        draw_text(report, line, context)
    if check.running:
        report.label(text="Looking", icon="SORTTIME")


def _draw_error(layout, error, context):
    draw_text(layout, translated(error.problem), context, icon="ERROR", alert=True)
    draw_text(layout, translated(error.remedy), context, icon="BLANK1")
    layout.operator("meshrec.copy_install_details", icon="COPYDOWN")
