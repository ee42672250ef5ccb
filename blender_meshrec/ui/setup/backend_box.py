"""The backend in the preferences: what is installed, the buttons that install and check it, progress and errors."""

from functools import cache
from typing import TYPE_CHECKING

import bpy

from ...bridge.interpreters import Device, Interpreter
from ...bridge.locks import estimated_size, locks_folder
from ...core.errors import MeshRecError
from ..blender_types import set_operator_properties
from ..layouts import draw_error, draw_text
from ..redraw import start_redrawing
from ..translation import translate, translate_error, translate_message
from . import setup_state
from .setup_state import EnvironmentProbe

if TYPE_CHECKING:
    from ...bridge.installation import Installation
    from .preferences import Preferences

_MEGABITS = 50  # a second, of a usual line
_UNPACKED_A_SECOND = 30  # MB a second that pip unpacks and compiles
_DEVICE_PHRASES = {"cpu": "for the processor", "cuda": "for an NVIDIA graphics card", "mps": "for Apple's graphics processor"}


def draw_backend(layout: bpy.types.UILayout, context: bpy.types.Context, preferences: "Preferences") -> None:
    """Draw the whole box without waiting for anything."""
    probe = setup_state.start_probe(bpy.path.abspath(preferences.backend_python), preferences.device)
    if probe.running:
        start_redrawing()
    box = layout.box()
    status = translate("Checking this computer.") if probe.running else backend_status(probe)
    draw_text(box, status, context, icon=_status_icon(probe))
    installation = setup_state.installation
    installing = installation is not None and installation.running
    if installation is not None and installing:
        draw_installation(box, installation)
    else:
        _draw_errors(box, context, probe)
        _draw_buttons(box, context, preferences, probe)
        _draw_installation_notes(box, context)
    settings = box.column()
    settings.enabled = not installing
    for name in ("backend_python", "device", "bundle", "backend_home"):
        settings.prop(preferences, name)
    _draw_plan(box, context, probe, preferences.bundle)
    _draw_check(box, context)


def draw_installation(layout: bpy.types.UILayout, installation: "Installation") -> None:
    """Draw the progress of a running installation and the button that cancels it."""
    layout.progress(factor=installation.fraction, text=translate_message(installation.text))
    layout.operator("meshrec.cancel_install", icon="CANCEL")


def is_download_blocked(preferences: "Preferences | None") -> bool:
    """Whether an installation has to download packages and Blender does not allow it."""
    return not bpy.app.online_access and not (preferences is not None and preferences.bundle)


def draw_offline_notice(layout: bpy.types.UILayout, sentence: str, context: bpy.types.Context) -> None:
    """Draw a translated sentence about Blender's online access, and the button that allows it."""
    draw_text(layout, sentence, context, icon="INTERNET_OFFLINE")
    layout.operator("meshrec.allow_online", icon="INTERNET")


def backend_status(probe: EnvironmentProbe) -> str:
    """What is installed, as a translated sentence."""
    if probe.backend is None:
        if probe.is_partial:
            return translate("The backend is partly installed. Resume Installation continues where it stopped.")
        return translate("The backend is not installed yet: MeshRec needs it to reconstruct.")
    if not probe.stamp:
        return translate("The backend runs in {path}.", path=probe.backend)
    values = {
        "python": probe.stamp["python"],
        "device": translate(_DEVICE_PHRASES[probe.stamp["device"]]),
        "packages": probe.stamp["packages"],
    }
    sentence = translate("The backend is installed: Python {python}, {device}, {packages} packages.", **values)
    return sentence if probe.is_current else f"{sentence} {translate('It was made for an earlier version of MeshRec: update it.')}"


def describe_plan(device: Device, interpreter: Interpreter, bundle: str) -> str:
    """What Install Backend would do, as translated sentences."""
    values = {"device": translate(device.name), "python": interpreter.label, "path": interpreter.path}
    sentence = translate("To be installed: {device}, Python {python} at {path}.", **values)
    source = translate("Packages are taken from the offline bundle." if bundle else "Packages are downloaded.")
    return " ".join(part for part in (sentence, source, device.note and translate_message(device.note)) if part)


def describe_size(device: Device | None, bundle: str) -> str:
    """How large an installation for a device is and about how long it takes, as a translated sentence; "" if unknown."""
    try:
        sizes = None if device is None else _estimated_size(device.kind)
    except MeshRecError:  # Install Backend says that its list of packages is missing
        sizes = None
    if sizes is None:
        return ""
    download, disk = sizes
    values = {"download": round(download, -1), "disk": f"{disk / 1000:.1f}"}
    if bundle:
        return translate("It takes {minutes} min and {disk} GB of the disk.", minutes=_minutes(0, disk), disk=values["disk"])
    minutes = _minutes(download, disk)
    text = "{download:.0f} MB are downloaded: about {minutes} min at {rate} Mbit/s. It takes {disk} GB of the disk."
    return translate(text, download=values["download"], minutes=minutes, rate=_MEGABITS, disk=values["disk"])


@cache
def _estimated_size(device: str) -> tuple[float, float]:
    return estimated_size(locks_folder(), device)


def _minutes(download: float, disk: float) -> int:
    """Minutes to download and unpack so many MB."""
    return max(1, round((download * 8 / _MEGABITS + disk / _UNPACKED_A_SECOND) / 60))


def _status_icon(probe: EnvironmentProbe) -> str:
    return "SORTTIME" if probe.running else "CHECKMARK" if probe.backend else "INFO"


def _draw_errors(box: bpy.types.UILayout, context: bpy.types.Context, probe: EnvironmentProbe) -> None:
    """The error of the last installation, else what prevents an installation."""
    error = setup_state.installation_error()
    if error is not None:
        draw_error(box, error, context)
        box.operator("meshrec.copy_install_details", icon="COPYDOWN")
    elif probe.error is not None and probe.backend is None:
        draw_text(box, translate_error(probe.error), context, icon="ERROR", alert=True)


def _draw_buttons(box: bpy.types.UILayout, context: bpy.types.Context, preferences: "Preferences", probe: EnvironmentProbe) -> None:
    """The buttons that install and remove the backend, and the one that allows online access if that is needed."""
    is_blocked = is_download_blocked(preferences)
    if is_blocked and (probe.running or probe.backend is None or not probe.is_current):
        sentence = translate("The backend's packages have to be downloaded, and Blender's online access is off. Nothing is sent.")
        draw_offline_notice(box, sentence, context)
    row = box.row()
    row.scale_y = 1.3
    install = row.row()
    install.enabled = not is_blocked
    _draw_install_button(install, preferences, probe)
    if probe.stamp or probe.is_partial:
        row.operator("meshrec.remove_backend", icon="TRASH")


def _draw_install_button(layout: bpy.types.UILayout, preferences: "Preferences", probe: EnvironmentProbe) -> None:
    other_choice = _other_choice_text(probe, preferences.backend_python)
    if other_choice:
        layout.operator("meshrec.install_backend", text=other_choice, icon="IMPORT")
    elif probe.stamp and probe.is_current:
        set_operator_properties(layout.operator("meshrec.install_backend", text="Repair", icon="FILE_REFRESH"), anew=True)
    elif probe.stamp:
        layout.operator("meshrec.install_backend", text="Update Backend", icon="IMPORT")
    else:
        layout.operator("meshrec.install_backend", text="Resume Installation" if probe.is_partial else "Install Backend", icon="IMPORT")


def _other_choice_text(probe: EnvironmentProbe, chosen_python: str) -> str:
    """The text of the install button if the device or the Python of the preferences is not the installed one; "" otherwise."""
    if not probe.stamp:
        return ""
    if probe.device is not None and probe.device.kind != probe.stamp["device"]:
        return translate("Install for: {device}", device=translate(probe.device.name))
    if chosen_python and probe.interpreter is not None and probe.interpreter.label != probe.stamp["python"]:
        return translate("Install with Python {python}", python=probe.interpreter.label)
    return ""


def _draw_installation_notes(box: bpy.types.UILayout, context: bpy.types.Context) -> None:
    installation = setup_state.installation
    if installation is not None and installation.environment is not None:
        for note in installation.notes:
            draw_text(box, translate_message(note), context, icon="INFO")


def _draw_plan(box: bpy.types.UILayout, context: bpy.types.Context, probe: EnvironmentProbe, bundle: str) -> None:
    """What an installation would do; nothing if none is needed or possible."""
    if probe.running or probe.error is not None or probe.device is None or probe.interpreter is None:
        return
    if probe.backend is None or not probe.is_current:
        draw_text(box, f"{describe_plan(probe.device, probe.interpreter, bundle)} {describe_size(probe.device, bundle)}", context)


def _draw_check(box: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The buttons of the check and of the log, and the report of the check."""
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
        report.label(text="Checking", icon="SORTTIME")
