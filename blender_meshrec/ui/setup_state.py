"""The installation, the check and the probe of this computer that run at a time; the preferences show them. No bpy."""

import threading
import types

from ..bridge.backend_environment import has_partial_environment, is_current, read_stamp
from ..bridge.backend_location import chosen_backend, complete_environments, environment_home, find_backend
from ..bridge.interpreters import choose_device, find_interpreter
from ..core.errors import InputError, MeshRecError

installation = None  # the Installation that runs or has run last
check = None  # the Check that runs or has run last
environment_probe = None  # the EnvironmentProbe of what this computer has, until something changes it


class EnvironmentProbe:
    """What this computer has for the backend, found out in a thread: asking each Python takes a moment.

    backend: the Python the backend would run in, or None. stamp: what its environment's stamp says. is_current: whether it was
    made for this version of the add-on. has_partial_environment: whether an installation was cut off. interpreter, device: what a new
    environment would be made with; error: the MeshRecError why it cannot be made.
    """

    def __init__(self, python, device):
        self.backend = self.interpreter = self.device = self.error = None
        self.stamp, self.is_current, self.is_partial = {}, True, False
        self._thread = threading.Thread(target=self._work, args=(python, device), daemon=True)
        self._thread.start()

    @property
    def running(self):
        return self._thread.is_alive()

    def wait(self):
        """Wait until everything is known."""
        self._thread.join()

    def _work(self, python, device):
        home = environment_home()
        try:
            self.backend = find_backend(chosen_backend(python))
        except MeshRecError:
            self.backend = None  # which is what the preferences tell
        for folder in complete_environments(home)[:1]:
            if self.backend is not None and folder in self.backend.parents:
                self.stamp = read_stamp(folder)
                self.is_current = is_current(folder)
        self.is_partial = has_partial_environment(home)
        try:
            self.device = choose_device(device)
            self.interpreter = find_interpreter(python)
        except MeshRecError as error:
            self.error = error


class Check:
    """What `meshrec doctor` says, found out in a thread."""

    def __init__(self, python):
        self.lines = []
        self._thread = threading.Thread(target=self._work, args=(python,), daemon=True)
        self._thread.start()

    @property
    def running(self):
        return self._thread.is_alive()

    @property
    def text(self):
        """The whole report."""
        return "\n".join(self.lines)

    def wait(self):
        """Wait until the report is whole."""
        self._thread.join()

    def print_result(self, text):
        """A line of the report: the check stands where the command line has its console."""
        self.lines.append(text)

    def fail(self, error):
        """A line of what is missing."""
        self.lines.append(str(error))

    def _work(self, python):
        from ..cli.commands import doctor

        try:
            doctor.run(types.SimpleNamespace(python=python, blender=None), self)
        except Exception as error:  # noqa: BLE001 - the thread's end: whatever it is belongs into the report
            self.fail(error)


def is_installing():
    """Whether the backend is being installed."""
    return installation is not None and installation.running


def start_installation(plan):
    """Start an Installation from an InstallationPlan and make it the current one.

    Raises:
        InputError: one is running already.
    """
    global installation
    from ..bridge.installation import Installation

    if is_installing():
        raise InputError("installation-running", "The backend is being installed already.", "Wait for it, or cancel it first.")
    installation = Installation(plan, on_end=discard_probe)
    return installation


def start_check(python):
    """Start a Check, unless one runs."""
    global check
    if check is None or not check.running:
        check = Check(python)
    return check


def start_probe(python, device):
    """The EnvironmentProbe of this computer; begun now if there is none."""
    global environment_probe
    if environment_probe is None:
        environment_probe = EnvironmentProbe(python, device)
    return environment_probe


def discard_probe():
    """Forget what was found out: something has changed."""
    global environment_probe
    environment_probe = None


def is_busy():
    """Whether something goes on that the preferences should keep showing."""
    return any(thing is not None and thing.running for thing in (installation, check, environment_probe))


def stop_all():
    """End the installation, if one runs, and forget everything."""
    global installation, check, environment_probe
    if installation is not None:
        installation.cancel()
        installation.join(2.0)
    installation = check = environment_probe = None
