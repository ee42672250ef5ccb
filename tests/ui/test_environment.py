"""The buttons and preferences of the backend, with a scripted installation."""

import sys
import types

import bpy
import pytest

import blender_meshrec
from blender_meshrec.bridge import backend_environment, backend_location
from blender_meshrec.bridge.interpreters import Device
from blender_meshrec.bridge.messages import Progress
from blender_meshrec.core.errors import CancelledError, MeshRecError, NotSetUpError
from blender_meshrec.ui import redraw
from blender_meshrec.ui.layouts import wrap_text
from blender_meshrec.ui.setup import backend_box, environment_operators, preferences, setup_state
from tests.support.panel_drawing import RecordingLayout
from tests.ui.conftest import INSTALLED, FinishedProbe


class ScriptedInstallation:
    """Replaces an Installation: it runs until `wait` or `cancel`, and ends with `outcome`, an environment or an error."""

    def __init__(self, plan, outcome=None):
        self.plan, self.outcome = plan, outcome
        self.progress = Progress("Loading torch", 120, 480, "MB")
        self.fraction, self.text, self.running = 0.25, "Loading torch: 120 of 480 MB", True
        self.error = self.environment = None
        self.details, self.notes = "the log's end", ["An old driver."]

    def wait(self):
        self.running = False
        if isinstance(self.outcome, MeshRecError):
            self.error = self.outcome
            raise self.outcome
        self.environment = self.outcome

    def cancel(self):
        self.running, self.error = False, CancelledError()

    def join(self, seconds):
        assert not self.running


@pytest.fixture
def page(addon, monkeypatch):
    """A function that draws the preferences for a probe; `settings` are the values of the preferences."""
    settings = types.SimpleNamespace(backend_python="", device="auto", bundle="", backend_home="", cache="")
    monkeypatch.setattr(preferences, "get_preferences", lambda context: settings)

    def draw(probe=None):
        drawn = []
        monkeypatch.setattr(setup_state, "start_probe", lambda python, device: probe or FinishedProbe())
        context = types.SimpleNamespace(region=types.SimpleNamespace(width=520), preferences=bpy.context.preferences)
        backend_box.draw_backend(RecordingLayout(drawn), context, settings)
        return drawn

    draw.settings = settings
    return draw


@pytest.fixture
def installation(page, monkeypatch, tmp_path):
    """Replaces installations: `outcome` is how the next one ends; `started` lists those that were started."""
    made = types.SimpleNamespace(outcome=tmp_path, started=[])

    def start(plan):
        setup_state.installation = ScriptedInstallation(plan, made.outcome)
        made.started.append(setup_state.installation)
        return setup_state.installation

    monkeypatch.setattr(setup_state, "start_installation", start)
    page.settings.bundle = str(tmp_path)  # which needs no network
    return made


def sentences(drawn):
    return " ".join(entry[1] for entry in drawn if entry[0] == "label")


def buttons(drawn):
    return {entry[1]: entry[2] if len(entry) > 2 else None for entry in drawn if entry[0] == "operator"}


def test_unregistering_leaves_no_timer_and_no_thread(monkeypatch):
    import threading

    bpy.ops.wm.read_factory_settings(use_empty=True)
    threads = threading.active_count()
    for _ in range(2):
        blender_meshrec.register()
        redraw.start_redrawing()
        setup_state.installation = running = ScriptedInstallation(None)
        blender_meshrec.unregister()
        assert not bpy.app.timers.is_registered(redraw.redraw) and not running.running
        assert (setup_state.installation, setup_state.check, setup_state.environment_probe) == (None, None, None)
        assert "install_backend" not in dir(bpy.ops.meshrec)
    assert threading.active_count() == threads


def test_registering_imports_nothing_heavy():
    import subprocess

    code = (
        "import sys, bpy, os, blender_meshrec; blender_meshrec.register();"
        "heavy = [name for name in sys.modules if name.startswith(('torch', 'cv2', 'pip')) or name.endswith('bridge.installation')];"
        "print(heavy, flush=True); os._exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert "[]" in done.stdout.splitlines(), done.stderr  # on Windows, Blender prints when it ends


def test_install_button_uses_the_preferences(installation, page, tmp_path):
    page.settings.backend_python, page.settings.device = sys.executable, "cpu"
    assert bpy.ops.meshrec.install_backend() == {"FINISHED"}
    plan = installation.started[0].plan
    assert (plan.python, plan.device, plan.bundle, plan.anew) == (sys.executable, "cpu", tmp_path, False)
    assert plan.home == backend_location.environment_home()
    assert bpy.ops.meshrec.install_backend(anew=True) == {"FINISHED"}
    assert installation.started[1].plan.anew


def test_failed_installation_is_shown_and_can_be_copied(installation, page):
    installation.outcome = NotSetUpError("test-error", "The download broke off.", "Check the connection.")
    with pytest.raises(RuntimeError, match=r"The download broke off\. Check the connection\."):
        bpy.ops.meshrec.install_backend()
    drawn = page()
    assert "The download broke off. Check the connection." in sentences(drawn)
    assert {"meshrec.copy_install_details", "meshrec.install_backend"} <= buttons(drawn).keys()
    assert bpy.ops.meshrec.copy_install_details() == {"FINISHED"}


def test_nothing_is_downloaded_without_online_access(installation, page):
    page.settings.bundle = ""
    assert not bpy.app.online_access
    with pytest.raises(RuntimeError, match=r"online access is off.*Offline Bundle"):
        bpy.ops.meshrec.install_backend()
    assert not installation.started
    drawn = page()
    assert "online access is off" in sentences(drawn) and "meshrec.allow_online" in buttons(drawn)
    if not bpy.app.online_access_override:
        assert bpy.ops.meshrec.allow_online() == {"FINISHED"}
        assert bpy.app.online_access and bpy.context.preferences.system.use_online_access
        assert "meshrec.allow_online" not in buttons(page())
        bpy.context.preferences.system.use_online_access = False


def test_one_installation_runs_at_a_time_and_can_be_cancelled(installation, page):
    setup_state.start_installation(preferences.build_installation_plan(bpy.context))
    assert not bpy.ops.meshrec.install_backend.poll() and not bpy.ops.meshrec.remove_backend.poll()
    drawn = page()
    assert ("progress", "Loading torch: 120 of 480 MB", 0.25) in drawn
    assert "meshrec.cancel_install" in buttons(drawn) and "meshrec.install_backend" not in buttons(drawn)
    assert bpy.ops.meshrec.cancel_install() == {"FINISHED"}
    assert bpy.ops.meshrec.install_backend.poll() and not bpy.ops.meshrec.cancel_install.poll()
    assert "meshrec.copy_install_details" not in buttons(page())  # a cancellation is not a failure


@pytest.mark.parametrize(
    "attributes, words, text",
    [
        ({}, "not installed yet", "Install Backend"),
        ({"is_partial": True}, "partly installed", "Resume Installation"),
        (INSTALLED, "installed: Python 3.11.7, for the processor, 34 packages.", "Repair"),
        ({**INSTALLED, "is_current": False}, "earlier version", "Update Backend"),
        ({**INSTALLED, "device": Device("cuda", "NVIDIA H200")}, "for the processor", "Install for: NVIDIA H200"),
        ({"backend": "/my/own/python"}, "runs in /my/own/python.", "Install Backend"),
        (
            {"error": NotSetUpError("test-error", "No Python was found.", "Install Python 3.11.")},
            "No Python was found. Install Python 3.11.",
            "Install Backend",
        ),
        ({"device": Device("cpu", "processor", "A card needs a newer driver.")}, "needs a newer driver", "Install Backend"),
    ],
)
def test_preferences_show_status_and_matching_button(page, attributes, words, text):
    drawn = page(FinishedProbe(**attributes))
    assert words in sentences(drawn)
    assert buttons(drawn)["meshrec.install_backend"] == text


def test_probe_finds_python_device_and_partial_installation(addon, monkeypatch, tmp_path):
    backend_location.set_environment_home(tmp_path)
    monkeypatch.setenv("MESHREC_PYTHON", "")
    setup_state.discard_probe()
    probe = setup_state.start_probe("", "cpu")
    assert setup_state.start_probe("", "cpu") is probe
    probe.wait()
    assert probe.error is None and probe.device.kind == "cpu" and probe.interpreter.version >= (3, 11)
    assert not probe.is_partial
    (tmp_path / "env-12345678").mkdir()
    setup_state.discard_probe()
    again = setup_state.start_probe("", "cpu")
    again.wait()
    assert again is not probe and again.is_partial


def test_check_gives_a_report_to_copy(page, monkeypatch):
    from blender_meshrec.cli.commands import doctor

    def run(options, console):
        console.print_result(f"backend    {options.python}")
        console.fail(MeshRecError("test-error", "A model is missing.", "Install it."))

    monkeypatch.setattr(doctor, "run", run)
    assert bpy.ops.meshrec.check_backend() == {"FINISHED"}
    setup_state.check.wait()
    assert setup_state.check.text == "backend    None\nA model is missing. Install it."
    drawn = page()
    assert "A model is missing. Install it." in sentences(drawn) and "meshrec.copy_check" in buttons(drawn)
    assert bpy.ops.meshrec.copy_check() == {"FINISHED"}


def test_removing_deletes_the_environment(page, tmp_path):
    backend_location.set_environment_home(tmp_path)
    (tmp_path / "env-12345678").mkdir()
    (tmp_path / backend_environment.LOG_FILE).write_text("")
    assert bpy.ops.meshrec.remove_backend() == {"FINISHED"}
    assert list(tmp_path.iterdir()) == []


def test_python_without_packages_is_no_backend(page, monkeypatch):
    page.settings.backend_python = sys.executable
    monkeypatch.setattr(backend_location, "REQUIRED_MODULES", ("nowhere_to_be_found",))
    assert preferences.get_backend_python(bpy.context) is None
    monkeypatch.setattr(backend_location, "REQUIRED_MODULES", ("json",))
    assert preferences.get_backend_python(bpy.context) == sys.executable


def test_redrawing_stops_when_nothing_runs(page):
    assert redraw.redraw() is None
    setup_state.installation = ScriptedInstallation(None)
    assert redraw.redraw() > 0
    setup_state.installation.cancel()
    assert redraw.redraw() is None


def test_offline_mode_names_the_remedy(monkeypatch):
    app = types.SimpleNamespace(online_access=False, online_access_override=True)
    monkeypatch.setattr(environment_operators.bpy, "app", app)
    with pytest.raises(NotSetUpError, match="without --offline-mode"):
        environment_operators.check_online(types.SimpleNamespace(bundle=None))


def test_text_wraps_at_the_width():
    assert wrap_text("one two three", 7, len) == ["one two", "three"]
    assert wrap_text("to /a/long/path here", 6, len) == ["to", "/a/lon", "g/path", "here"]
    assert wrap_text("", 5, len) == [""]
    assert all(len(line) <= 9 for line in wrap_text("a " * 30 + "b" * 40, 9, len))
