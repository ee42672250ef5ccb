"""The installation of the backend, its check, and the probe of this computer: at most one each; the interface shows them. No bpy."""

import threading
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...bridge.backend_environment import has_partial_environment, is_current, read_stamp
from ...bridge.backend_location import chosen_backend, complete_environments, environment_home, find_backend
from ...bridge.interpreters import Device, Interpreter, choose_device, find_interpreter
from ...core.errors import CancelledError, InputError, MeshRecError

if TYPE_CHECKING:
    from ...bridge.installation import Installation, InstallationPlan

installation: "Installation | None" = None  # the running or last installation
check: "Check | None" = None  # the running or last check
environment_probe: "EnvironmentProbe | None" = None  # None until the next `start_probe` after a change


class _BackgroundTask:
    """Work that a thread of its own begins at once."""

    def __init__(self) -> None:
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def wait(self) -> None:
        """Wait until the work is done."""
        self._thread.join()

    def _work(self) -> None:
        raise NotImplementedError


class EnvironmentProbe(_BackgroundTask):
    """What this computer has for the backend. A thread finds it out, because each Python has to be started once.

    backend: the Python that the backend would run in, or None. stamp: the contents of its environment's stamp file, empty if
    MeshRec did not install that environment. is_current: whether the environment belongs to this version of the add-on.
    is_partial: whether an installation was interrupted. interpreter, device: what a new environment would be installed with;
    error: the MeshRecError if none can be installed.
    """

    def __init__(self, python: str, device: str) -> None:
        self.backend: Path | None = None
        self.stamp: dict[str, Any] = {}
        self.is_current, self.is_partial = True, False
        self.interpreter: Interpreter | None = None
        self.device: Device | None = None
        self.error: MeshRecError | None = None
        self._choices = python, device
        super().__init__()

    def _work(self) -> None:
        python, device = self._choices
        home = environment_home()
        backend = self._find_backend(python)
        for folder in complete_environments(home)[:1]:
            if backend is not None and folder in backend.parents:
                self.stamp = read_stamp(folder)
                self.is_current = is_current(folder)
        self.is_partial = has_partial_environment(home)
        try:
            self.device = choose_device(device)
            self.interpreter = find_interpreter(python)
        except MeshRecError as error:
            self.error = error

    def _find_backend(self, python: str) -> Path | None:
        try:
            self.backend = find_backend(chosen_backend(python))
        except MeshRecError:
            self.backend = None  # the interface says that there is none
        return self.backend


class Check(_BackgroundTask):
    """The report of `meshrec doctor`, which a thread collects line by line."""

    def __init__(self, python: str | None) -> None:
        self.lines: list[str] = []
        self._python = python
        super().__init__()

    @property
    def text(self) -> str:
        """The report so far."""
        return "\n".join(self.lines)

    def print_result(self, text: str) -> None:
        """Add a line. `doctor.run` prints to a Check as it prints to the command line's console."""
        self.lines.append(text)

    def fail(self, error: Exception) -> None:
        """Add a line about something that is missing."""
        self.lines.append(str(error))

    def _work(self) -> None:
        from ...cli.commands import doctor

        try:
            doctor.run(Namespace(python=self._python, blender=None), self)
        except Exception as error:  # noqa: BLE001 - the end of the thread: the report shows any error
            self.fail(error)


def is_installing() -> bool:
    """Whether the backend is being installed."""
    return installation is not None and installation.running


def installation_error() -> MeshRecError | None:
    """The error of the last installation; None if it succeeded, was cancelled or never started."""
    error = None if installation is None else installation.error
    return None if isinstance(error, CancelledError) else error


def start_installation(plan: "InstallationPlan") -> "Installation":
    """Start an installation and make it the current one.

    Raises:
        InputError: one is running already.
    """
    global installation
    from ...bridge.installation import Installation

    if is_installing():
        raise InputError("installation-running", "The backend is being installed already.", "Wait for it, or cancel it first.")
    installation = Installation(plan, on_end=discard_probe)
    return installation


def start_check(python: str | None) -> Check:
    """The running Check, or a new one."""
    global check
    if check is None or not check.running:
        check = Check(python)
    return check


def start_probe(python: str, device: str) -> EnvironmentProbe:
    """The current EnvironmentProbe, or a new one."""
    global environment_probe
    if environment_probe is None:
        environment_probe = EnvironmentProbe(python, device)
    return environment_probe


def discard_probe() -> None:
    """Forget the probe, because something has changed."""
    global environment_probe
    environment_probe = None


def is_busy() -> bool:
    """Whether the interface has background work to show."""
    return any(task is not None and task.running for task in (installation, check, environment_probe))


def stop_all() -> None:
    """Cancel the installation if it runs, and forget everything."""
    global installation, check, environment_probe
    if installation is not None:
        installation.cancel()
        installation.join(2.0)
    installation = check = environment_probe = None
