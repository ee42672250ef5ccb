"""Make the environment the backend runs in: hash-pinned packages in the user's own folder, without an administrator.

Every package that is installed is written down at once: an installation that is cancelled, killed or cut off is taken up
where it stopped. An environment counts only when its stamp is written, last of all and in one step; until then the one before
it stays in use.
"""

import contextlib
import datetime
import errno
import json
import os
import platform
import queue
import re
import shutil
import threading
import traceback
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import CancelledError, InputError, MeshRecError, NotSetUpError, OutputError
from ..core.files.output_file import atomic_write
from ..core.messages import Message, label
from .backend_environment import INSTALLED_FILE, LOG_FILE, TEMP_FOLDER, delete_environment, installation_lock, installed_packages
from .backend_location import ENVIRONMENT_PREFIX, PACKAGE_FOLDER, STAMP_FILE, complete_environments, environment_home, venv_python
from .installer_processes import ChildProcesses
from .interpreters import choose_device, find_interpreter
from .locks import BACKEND_LOCK, INSTALLER_LOCK, environment_hash, locks_folder, read_lock, torch_locks
from .messages import Progress
from .pip_errors import NoSuchPackageError, explain_pip_error

LAUNCH_SCRIPT = PACKAGE_FOLDER / "backend" / "launch.py"
_BATCH_MEGABYTES = 25  # MB of small packages that one pip installs: starting it takes half a second
_PIP_OPTIONS = ("--no-deps", "--require-hashes", "--only-binary", ":all:", "--no-compile", "--no-cache-dir")
# pip replaces itself, in one step; what follows is the new pip's work: it goes on with a file whose download broke off, and
# writes over what an installation that was cut off has left.
_PIP_SELF_UPDATE_OPTIONS = ()
_PIP_RESUME_OPTIONS = ("--ignore-installed", "--progress-bar", "raw", "--resume-retries", "5")
_LOG_TAIL_LINES = 60  # lines of the log that a bug report needs
# Asks pip's own parser which entries of a lock hold for its Python.
_MARKER_SCRIPT = (
    "import sys; from pip._vendor.packaging.requirements import Requirement as R;"
    "[print('applies', i) for i, l in enumerate(sys.argv[1:]) if not R(l).marker or R(l).marker.evaluate()]"
)


@dataclass(frozen=True)
class InstallationPlan:
    """What to install.

    home: the folder environments are kept in; the user's own by default. python: the interpreter to make it with, or None.
    device: auto, cpu, cuda or mps. bundle: a folder made by `build.py package --offline`, or None to download.
    anew: throw away what is there, even if it looks complete. locks, launch: where the lists of packages are, and the
    backend's start; the software's own by default.
    """

    home: Path | None = None
    python: str | None = None
    device: str = "auto"
    bundle: Path | None = None
    anew: bool = False
    locks: Path | None = None
    launch: Path = LAUNCH_SCRIPT


class Installation:
    """An installation under way in a thread of its own; its properties may be read from any other.

    progress: the last Progress. environment: the finished environment's folder. error: a MeshRecError once it failed, and
    details for a bug report. notes: sentences to show with the result.
    """

    def __init__(self, plan, on_end=lambda: None):
        self.plan = plan
        self._on_end = on_end  # called in its thread
        self.home = Path(plan.home or environment_home())
        self.progress = Progress(label("Looking at the computer"), 0, 0, "MB")
        self.environment = None
        self.error = None
        self.details = ""
        self.notes = []
        self._progress_queue = queue.SimpleQueue()
        self._children = ChildProcesses(self._child_environ())
        self._lines = []
        self._log = None
        self._requirements = []
        self._installed_megabytes = 0
        self._thread = threading.Thread(target=self._work, name="meshrec installation", daemon=True)
        self._thread.start()

    @property
    def running(self):
        return self._thread.is_alive()

    @property
    def fraction(self):
        """How far it has come, 0..1."""
        return min(1.0, self.progress.done / self.progress.total) if self.progress.total else 0.0

    @property
    def text(self):
        """One line for the progress bar."""
        now = self.progress
        if not now.total:
            return now.stage
        return Message("installation-progress", "{stage}: {done} of {total} MB", stage=now.stage, done=now.done, total=now.total)

    def cancel(self):
        """End it at once; what is complete stays for the next time."""
        self._children.terminate()

    def join(self, seconds):
        """Wait for its end, this long at most."""
        self._thread.join(seconds)

    def wait(self, on_progress=lambda progress: None):
        """Wait for the end and return the environment's folder; an exception meanwhile, Ctrl-C's included, cancels it.

        Raises:
            MeshRecError: what it failed with.
        """
        try:
            while self.running or not self._progress_queue.empty():
                with contextlib.suppress(queue.Empty):
                    on_progress(self._progress_queue.get(timeout=0.1))
        finally:
            if self.running:
                self.cancel()
            self._thread.join()
        if self.error is not None:
            raise self.error
        return self.environment

    # --- the thread -------------------------------------------------------------------------------------------------

    def _work(self):
        try:
            self.environment = self._install()
        except MeshRecError as error:
            self._fail(error)
        except OSError as error:
            self._fail(_explain_os_error(error, self.home))
        except Exception as error:  # noqa: BLE001 - the thread's end: whatever it is must reach the user
            said = MeshRecError(
                "installation-failed", "Installing the backend failed: {reason}.", "Report this with what Copy Details gives.", reason=error
            )
            self._fail(said, traceback.format_exc())
        self._on_end()

    def _fail(self, error, details=""):
        if self._children.terminated and not isinstance(error, CancelledError):
            error = CancelledError(
                "installation-cancelled", "Installing the backend was cancelled.", "Install Backend goes on where it stopped."
            )
        notes = getattr(error, "__notes__", ())  # such as which Pythons do not fit, and why
        self.details = "\n".join((*notes, *self._lines[-_LOG_TAIL_LINES:], details)).strip()
        self.error = error

    def _install(self):
        interpreter = find_interpreter(self.plan.python)
        device = choose_device(self.plan.device)
        if device.note:
            self.notes.append(device.note)
        locks = Path(self.plan.locks or locks_folder())
        wheels = _find_wheels(self.plan.bundle)
        self.home.mkdir(parents=True, exist_ok=True)
        folder = self.home / f"{ENVIRONMENT_PREFIX}{environment_hash(locks, device.kind, interpreter.version[:2])}"
        with installation_lock(self.home), self._open_log(interpreter, device):
            shutil.rmtree(self._temp_folder, ignore_errors=True)
            self._temp_folder.mkdir()
            try:
                if self.plan.anew and folder.exists():
                    self._set_progress(label("Removing what was there"))
                    delete_environment(folder)
                if folder in complete_environments(self.home):
                    return folder
                self._install_packages(folder, interpreter, device, locks, wheels)
                found = self._verify(folder, device)
                with atomic_write(folder / STAMP_FILE) as stamp:
                    facts = {"python": interpreter.label, "device": device.kind, "devices": found["devices"]}
                    made = datetime.datetime.now().isoformat(timespec="minutes")
                    stamp.write_text(json.dumps({**facts, "packages": len(installed_packages(folder)), "made": made}), encoding="utf-8")
                for other in self.home.glob(f"{ENVIRONMENT_PREFIX}*"):
                    if other != folder:
                        with contextlib.suppress(OSError):  # on Windows, a job may still run in it; the next installation tries again
                            delete_environment(other)
                return folder
            finally:
                shutil.rmtree(self._temp_folder, ignore_errors=True)

    def _install_packages(self, folder, interpreter, device, locks, wheels):
        """Bring the folder to where every package is installed."""
        if folder.exists() and not (installed_packages(folder) is not None and venv_python(folder).is_file()):
            delete_environment(folder)  # its making was cut off, or its Python is gone
        if not folder.exists():
            self._set_progress(label("Making an environment"))
            if self._children.run_module(interpreter.path, "venv", [folder], self._log_line):
                raise self._explain_failure(
                    "environment-not-made",
                    "Python {version} at {path} could not make an environment.",
                    "Choose another Python in the add-on's preferences.",
                    version=interpreter.label,
                    path=interpreter.path,
                )
            (folder / INSTALLED_FILE).touch()
        where = f"Python {interpreter.version[0]}.{interpreter.version[1]} on {platform.system()} ({interpreter.platform})"
        self._pip_install(folder, read_lock(locks / INSTALLER_LOCK), wheels, where)
        torches = [self._select_applicable(folder, read_lock(locks / name)) for name in torch_locks(device.kind)]
        backend = self._select_applicable(folder, read_lock(locks / BACKEND_LOCK))
        first = None
        for torch in torches:
            self._requirements = [*torch, *backend]
            self._check_space(folder)
            try:
                self._pip_install(folder, self._requirements, wheels, where)
                return
            except NoSuchPackageError as error:
                # Of torch there may be another build; of everything else there is none.
                if all(entry.key in installed_packages(folder) for entry in torch):
                    raise
                first = first or error
                if torch is torches[-1]:  # a bundle has the better build, or it is for another system
                    raise (first if wheels is not None else error) from None
                self._log_line("The usual build of torch is taken: pip knows of no place that has the one for processors only.")

    def _select_applicable(self, folder, requirements):
        """Those of a lock's requirements whose markers hold for the environment's Python."""
        lines = [entry.entry.partition(" --hash")[0].rstrip(" \\\n") for entry in requirements]
        found = []
        code = self._children.run([venv_python(folder), "-I", "-c", _MARKER_SCRIPT, *lines], found.append)
        if code:
            raise self._explain_failure(
                "package-list-unreadable", "The list of the backend's packages cannot be read.", "Install the add-on again from its zip."
            )
        return [requirements[int(line.split()[1])] for line in found if line.startswith("applies ")]

    def _pip_install(self, folder, requirements, wheels, where):
        """Install what is not installed yet, each with the hashes of its lock, and write down what is."""
        self._count_installed(folder)
        for batch in _split_into_batches([entry for entry in requirements if entry.key not in installed_packages(folder)]):
            source = self._temp_folder / "batch.txt"
            source.write_text("".join(f"{entry.entry}\n" for entry in batch), encoding="utf-8")
            options = [*_PIP_OPTIONS, *(_PIP_SELF_UPDATE_OPTIONS if any(entry.name == "pip" for entry in batch) else _PIP_RESUME_OPTIONS)]
            isolated = []
            if wheels is not None:
                isolated = ["--isolated"]  # from the configuration, which may name other places to look
                options += ["--no-index", "--find-links", wheels]
            begin = len(self._lines)
            listener = _PipOutputParser(self, batch)
            code = self._children.run_module(
                venv_python(folder), "pip", [*isolated, "install", *options, "-r", source], listener.parse_line
            )
            if code:
                raise explain_pip_error("\n".join(self._lines[begin:]), code, where)
            with open(folder / INSTALLED_FILE, "a", encoding="utf-8") as file:
                file.writelines(f"{entry.key}\n" for entry in batch)
            self._count_installed(folder)

    def _verify(self, folder, device):
        """Have the new environment load everything once; what it says of itself."""
        self._set_progress(label("Trying it out"))
        begin = len(self._lines)
        code = self._children.run([venv_python(folder), "-I", self.plan.launch, "describe"], self._log_line)
        said = self._lines[begin:]
        try:
            found = json.loads(said[-1])
        except (IndexError, ValueError):
            raise self._explain_failure(
                "installed-backend-not-running",
                "The backend was installed, but does not run (exit code {code}).",
                "Click Repair, and report it with Copy Details if that does not help.",
                code=code,
            ) from None
        if found["missing"]:
            problems = "; ".join(f"{package}: {why}" for package, why in found["missing"].items())
            raise self._explain_failure(
                "installed-backend-incomplete",
                "The backend was installed, but cannot load everything ({problems}).",
                "Click Repair.",
                problems=problems,
            )
        if device.kind not in found["devices"]:
            self.notes.append(
                Message(
                    "device-not-found-by-torch",
                    "PyTorch does not find the {device}: the processor will be used. Update its driver.",
                    device=label(device.name),
                )
            )
        return found

    # --- small things -----------------------------------------------------------------------------------------------

    @property
    def _temp_folder(self):
        return self.home / TEMP_FOLDER

    def _child_environ(self):
        """What the children see: pip's configuration is the user's, its temporary files and its target are ours."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        ours = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self._temp_folder))
        return {**kept, **ours, "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_USER": "0", "PIP_NO_COLOR": "1"}

    def _check_space(self, folder):
        """Raises OutputError where the disk has too little room for what is missing."""
        missing = [entry for entry in self._requirements if entry.key not in installed_packages(folder)]
        file = max((entry.megabytes for entry in missing), default=0)
        needed = (sum(entry.installed_megabytes for entry in missing) + file) * 1e6
        free = shutil.disk_usage(self.home).free
        if free < needed:
            raise OutputError(
                "installation-space-too-small",
                "The backend needs {needed:.1f} GB, and the disk of {path} has {free:.1f} GB left.",
                "Free some space, or choose a Backend Folder on another disk in the preferences.",
                needed=needed / 1e9,
                path=self.home,
                free=free / 1e9,
            )

    def _count_installed(self, folder):
        self._installed_megabytes = sum(entry.megabytes for entry in self._requirements if entry.key in installed_packages(folder))

    def _explain_failure(self, name, problem, remedy, /, **values):
        """The error for a step that failed; a reason that its output gives comes first."""
        known = explain_pip_error("\n".join(self._lines[-_LOG_TAIL_LINES:]), 1)
        return known if isinstance(known, OutputError) else NotSetUpError(name, problem, remedy, **values)

    def _set_progress(self, stage, more=0.0):
        total = sum(entry.megabytes for entry in self._requirements)
        self.progress = Progress(stage, round(min(self._installed_megabytes + more, total)), total, "MB")
        self._progress_queue.put(self.progress)

    def _log_line(self, line):
        """Keep a line that a child printed."""
        self._lines.append(line)
        if self._log is not None:
            self._log.write(f"{line}\n")
            self._log.flush()

    @contextlib.contextmanager
    def _open_log(self, interpreter, device):
        with open(self.home / LOG_FILE, "w", encoding="utf-8") as log:
            self._log = log
            self._log_line(f"{datetime.datetime.now():%Y-%m-%d %H:%M} {platform.platform()}, {device.kind} ({device.name})")
            self._log_line(f"Python {interpreter.label} at {interpreter.path}; packages from {self.plan.bundle or 'the internet'}")
            try:
                yield
            except Exception as error:
                self._log_line(f"{type(error).__name__}: {error}")
                raise
            finally:
                self._log = None


class _PipOutputParser:
    """Turns what pip prints while it installs some packages into progress."""

    def __init__(self, installation, batch):
        self._installation = installation
        self._batch = {re.sub(r"[-_.]+", "-", entry.name): entry for entry in batch}
        self._before = 0.0
        self._current = None

    def parse_line(self, line):
        share = re.fullmatch(r"Progress (\d+) of (\d+)", line.strip())
        if share and self._current:
            done, total = int(share[1]), int(share[2])
            part = self._current.megabytes * done / total if total else 0.0
            self._installation._set_progress(_loading(self._current.name), self._before + part)
            return
        self._installation._log_line(line)
        begun = re.match(r"\s*(?:Collecting|Processing) (?:\S*/)?([A-Za-z0-9_.]+(?:-[A-Za-z0-9_.]+)*?)(?:==|-\d)", line)
        entry = self._batch.get(re.sub(r"[-_.]+", "-", begun[1]).lower()) if begun else None
        if entry:
            if self._current and entry is not self._current:
                self._before += self._current.megabytes
            self._current = entry
            self._installation._set_progress(_loading(entry.name), self._before)
        elif line.startswith("Installing collected"):
            names = list(self._batch)
            stage = Message("unpacking-package", "Unpacking {package}", package=names[0])
            if len(names) > 1:
                stage = Message("unpacking-packages", "Unpacking {package} and {count} more", package=names[0], count=len(names) - 1)
            self._installation._set_progress(stage, sum(entry.megabytes for entry in self._batch.values()))


def _loading(package):
    return Message("loading-package", "Loading {package}", package=package)


def _split_into_batches(requirements):
    """Large packages alone, so that one cut off costs no other; small ones some at a time."""
    batch = []
    for entry in requirements:
        if batch and sum(one.megabytes for one in batch) + entry.megabytes > _BATCH_MEGABYTES:
            yield batch
            batch = []
        batch.append(entry)
    if batch:
        yield batch


def _find_wheels(bundle):
    """The folder of packages in an offline bundle, or None where there is no bundle."""
    if bundle is None:
        return None
    for folder in (Path(bundle) / "wheels", Path(bundle)):
        if any(folder.glob("*.whl")):
            return folder.resolve()
    raise InputError(
        "offline-bundle-empty",
        "The folder {path} holds no packages.",
        "Choose the folder that `build.py package --offline` has made.",
        path=bundle,
    )


def _explain_os_error(error, home):
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(
            "installation-disk-full",
            "The disk is full: the backend was not installed.",
            "Free some space, then click Install Backend again.",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return OutputError(
            "installation-folder-not-writable",
            "The folder {path} cannot be written.",
            "Choose a Backend Folder you may write to in the preferences.",
            path=home,
        )
    return OutputError(
        "installation-file-error",
        "The backend could not be installed: {reason}.",
        "Click Install Backend again.",
        reason=error.strerror or error,
    )
