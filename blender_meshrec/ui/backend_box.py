"""The backend in the preferences: what is installed, the button that installs it, progress, errors with their remedies."""

import bpy

from ..core.errors import CancelledError
from . import setup_state
from .redraw import start_redrawing
from .text import draw_text
from .translation import translate, translate_error, translate_message

_DEVICE_PHRASES = {"cpu": "for the processor", "cuda": "for an NVIDIA graphics card", "mps": "for Apple's graphics processor"}


def draw_backend(layout, context, preferences):
    """Draw it all; nothing here waits or asks another program."""
    probe = setup_state.start_probe(bpy.path.abspath(preferences.backend_python), preferences.device)
    if probe.running:
        start_redrawing()
    box = layout.box()
    installation = setup_state.installation
    installing = installation is not None and installation.running
    draw_text(box, translate("Looking at this computer.") if probe.running else backend_status(probe), context, icon=_status_icon(probe))
    if installing:
        box.progress(factor=installation.fraction, text=translate_message(installation.text))
        box.operator("meshrec.cancel_install", icon="CANCEL")
    else:
        failed = installation is not None and installation.error is not None
        if failed and not isinstance(installation.error, CancelledError):
            _draw_error(box, installation.error, context)
        elif probe.error is not None and probe.backend is None:
            draw_text(box, translate_error(probe.error), context, icon="ERROR", alert=True)
        _draw_buttons(box, context, preferences, probe)
        if installation is not None and installation.environment is not None:
            for note in installation.notes:
                draw_text(box, translate_message(note), context, icon="INFO")
    settings = box.column()
    settings.enabled = not installing
    for name in ("backend_python", "device", "bundle", "backend_home"):
        settings.prop(preferences, name)
    if not probe.running and probe.error is None and (probe.backend is None or not probe.is_current):
        draw_text(box, describe_plan(probe, preferences.bundle), context)
    _draw_check(box, context)


def backend_status(probe):
    """What is installed."""
    if probe.backend is None:
        if probe.is_partial:
            return translate("The backend is half installed. Go On Installing takes it up where it stopped.")
        return translate("The backend is not installed yet: MeshRec needs it to reconstruct.")
    if not probe.stamp:
        return translate("The backend runs in {path}.", path=probe.backend)
    facts = {"python": probe.stamp["python"], "device": translate(_DEVICE_PHRASES[probe.stamp["device"]]), "packages": probe.stamp["packages"]}
    sentence = translate("The backend is installed: Python {python}, {device}, {packages} packages.", **facts)
    return sentence if probe.is_current else f"{sentence} {translate('It was made for an earlier version of MeshRec: update it.')}"


def describe_plan(probe, bundle):
    """What Install Backend would do."""
    chosen = {"device": translate(probe.device.name), "python": probe.interpreter.label, "path": probe.interpreter.path}
    sentence = translate("To be installed: {device}, Python {python} at {path}.", **chosen)
    source = translate("Packages are taken from the offline bundle." if bundle else "Packages are downloaded.")
    return " ".join(part for part in (sentence, source, probe.device.note and translate_message(probe.device.note)) if part)


def _status_icon(probe):
    return "SORTTIME" if probe.running else "CHECKMARK" if probe.backend else "INFO"


def _draw_buttons(box, context, preferences, probe):
    offline = not bpy.app.online_access and not preferences.bundle
    if offline and (probe.running or probe.backend is None or not probe.is_current):
        sentence = translate("The backend's packages have to be downloaded, and Blender's online access is off. Nothing is sent.")
        draw_text(box, sentence, context, icon="INTERNET_OFFLINE")
        box.operator("meshrec.allow_online", icon="INTERNET")
    row = box.row()
    row.scale_y = 1.3
    install = row.row()
    install.enabled = not offline
    if probe.stamp and probe.device is not None and probe.device.kind != probe.stamp["device"]:
        install.operator("meshrec.install_backend", text=translate("Install for: {device}", device=translate(probe.device.name)), icon="IMPORT")
    elif probe.stamp and preferences.backend_python and probe.interpreter is not None and probe.interpreter.label != probe.stamp["python"]:
        install.operator("meshrec.install_backend", text=translate("Install with Python {python}", python=probe.interpreter.label), icon="IMPORT")
    elif probe.stamp and probe.is_current:
        install.operator("meshrec.install_backend", text="Repair", icon="FILE_REFRESH").anew = True
    else:
        name = "Update Backend" if probe.stamp else "Go On Installing" if probe.is_partial else "Install Backend"
        install.operator("meshrec.install_backend", text=name, icon="IMPORT")
    if probe.stamp or probe.is_partial:
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
    draw_text(layout, translate_message(error.problem), context, icon="ERROR", alert=True)
    draw_text(layout, translate_message(error.remedy), context, icon="BLANK1")
    layout.operator("meshrec.copy_install_details", icon="COPYDOWN")
