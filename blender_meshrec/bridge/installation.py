"""Installation of the backend's environment: hash-pinned packages in the user's own folder, without administrator rights.

Each installed package is recorded at once, so that an interrupted installation resumes where it stopped. An environment is complete
when its stamp is written, as the last step and atomically; until then the previous environment stays in use.
"""

import contextlib
import datetime
import json
import os
import platform
import queue
import shutil
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import CancelledError, MeshRecError, NotSetUpError, OutputError
from ..core.files.output_file import atomic_write
from ..core.messages import Message, label
from .backend_environment import INSTALLED_FILE, LOG_FILE, TEMP_FOLDER, delete_environment, installation_lock, installed_packages
from .backend_location import ENVIRONMENT_PREFIX, LAUNCH_SCRIPT, STAMP_FILE, complete_environments, environment_home, venv_python
from .installation_log import InstallationLog
from .installer_processes import ChildProcesses
from .interpreters import Device, Interpreter, choose_device, find_interpreter
from .locks import BACKEND_LOCK, INSTALLER_LOCK, Requirement, environment_hash, locks_folder, read_lock, torch_locks
from .messages import Progress
from .offline_bundle import collect_wheels, find_wheels
from .pip_errors import NoSuchPackageError, explain_os_error, explain_pip_error
from .pip_output import PipOutputParser

_BATCH_MEGABYTES = 25  # MB of small packages per run of pip, whose start takes half a second
_PIP_OPTIONS = ("--no-deps", "--require-hashes", "--only-binary", ":all:", "--no-compile", "--no-cache-dir")
# Python's own pip updates itself first. The pinned pip then installs the rest: it resumes interrupted downloads and overwrites what
# an interrupted installation has left.
_PIP_SELF_UPDATE_OPTIONS: tuple[str, ...] = ()
_PIP_RESUME_OPTIONS: tuple[str, ...] = ("--ignore-installed", "--progress-bar", "raw", "--resume-retries", "5")
_LOG_TAIL_LINES = 60  # lines of the log that a bug report needs
# Lets pip's own parser evaluate the environment markers of a lock's entries.
_MARKER_SCRIPT = (
    "import sys; from pip._vendor.packaging.requirements import Requirement as R;"
    "[print('applies', i) for i, l in enumerate(sys.argv[1:]) if not R(l).marker or R(l).marker.evaluate()]"
)


@dataclass(frozen=True)
class InstallationPlan:
    """What to install.

    home: the folder of the environments; the user's own by default. python: the interpreter to make the environment with, or None to
    find one. device: auto, cpu, cuda or mps. bundle: a folder made by `build.py package --offline`, or None to download. anew: delete
    an existing environment first, even if it is complete. locks: the folder of the lock files; launch: the backend's start script; the
    software's own by default.
    """

    home: Path | None = None
    python: str | None = None
    device: str = "auto"
    bundle: Path | None = None
    anew: bool = False
    locks: Path | None = None
    launch: Path = LAUNCH_SCRIPT


class Installation:
    """An installation that runs in its own thread; its properties may be read from any thread.

    progress: the last Progress. environment: the complete environment's folder. error, details: the MeshRecError of a failed
    installation, and details for a bug report. notes: messages to show with the result.
    """

    def __init__(self, plan: InstallationPlan, on_end: Callable[[], None] = lambda: None) -> None:
        """Start the installation; `on_end` is called at its end, in its thread."""
        self.plan = plan
        self._on_end = on_end
        self.home = Path(plan.home or environment_home())
        self.progress = Progress(label("Looking at the computer"), 0, 0, "MB")
        self.environment: Path | None = None
        self.error: MeshRecError | None = None
        self.details = ""
        self.notes: list[str] = []
        self._progress_queue: queue.SimpleQueue[Progress] = queue.SimpleQueue()
        self._children = ChildProcesses(self._child_environ())
        self._log = InstallationLog()
        self._requirements: list[Requirement] = []
        self._installed_megabytes = 0
        self._thread = threading.Thread(target=self._work, name="meshrec installation", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether the thread has not ended."""
        return self._thread.is_alive()

    @property
    def fraction(self) -> float:
        """Progress, 0..1."""
        return min(1.0, self.progress.done / self.progress.total) if self.progress.total else 0.0

    @property
    def text(self) -> str:
        """One line for the progress bar."""
        now = self.progress
        if not now.total:
            return now.stage
        return Message("installation-progress", "{stage}: {done} of {total} MB", stage=now.stage, done=now.done, total=now.total)

    def cancel(self) -> None:
        """End the installation at once; the next one resumes with the packages that are installed."""
        self._children.terminate()

    def join(self, seconds: float) -> None:
        """Wait for the end, at most this long."""
        self._thread.join(seconds)

    def wait(self, on_progress: Callable[[Progress], None] = lambda progress: None) -> Path:
        """Wait for the end and return the environment's folder; an exception in the meantime, as of Ctrl-C, cancels the installation.

        Raises:
            MeshRecError: the installation's error.
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
        assert self.environment is not None  # the thread sets one of the two
        return self.environment

    # --- the thread -------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            self.environment = self._install()
        except MeshRecError as error:
            self._fail(error)
        except OSError as error:
            self._fail(explain_os_error(error, self.home))
        except Exception as error:  # noqa: BLE001 - the end of the thread: any error must reach the user
            failure = MeshRecError(
                "installation-failed", "Installing the backend failed: {reason}.", "Report this with what Copy Details gives.", reason=error
            )
            self._fail(failure, traceback.format_exc())
        self._on_end()

    def _fail(self, error: MeshRecError, details: str = "") -> None:
        if self._children.terminated and not isinstance(error, CancelledError):
            error = CancelledError(
                "installation-cancelled", "Installing the backend was cancelled.", "Install Backend goes on where it stopped."
            )
        notes = getattr(error, "__notes__", ())  # for example which Pythons are unsuitable, and why
        self.details = "\n".join((*notes, *self._log.tail(_LOG_TAIL_LINES), details)).strip()
        self.error = error

    def _install(self) -> Path:
        """Make the environment, or find it complete; returns its folder."""
        interpreter = find_interpreter(self.plan.python)
        device = choose_device(self.plan.device)
        if device.note:
            self.notes.append(device.note)
        locks = Path(self.plan.locks or locks_folder())
        wheels = find_wheels(self.plan.bundle)
        self.home.mkdir(parents=True, exist_ok=True)
        folder = self.home / f"{ENVIRONMENT_PREFIX}{environment_hash(locks, device.kind, interpreter.version[:2])}"
        with installation_lock(self.home), self._open_log(interpreter, device):
            shutil.rmtree(self._temp_folder, ignore_errors=True)
            self._temp_folder.mkdir()
            try:
                if self.plan.anew and folder.exists():
                    self._set_progress(label("Removing what was there"))
                    delete_environment(folder)
                if folder not in complete_environments(self.home):
                    self._make_environment(folder, interpreter)
                    self._install_packages(folder, interpreter, device, locks, wheels)
                    self._write_stamp(folder, interpreter, device, self._verify(folder, device))
                    self._delete_other_environments(folder)
                return folder
            finally:
                shutil.rmtree(self._temp_folder, ignore_errors=True)

    def _make_environment(self, folder: Path, interpreter: Interpreter) -> None:
        """Make an environment without packages in `folder`, unless there is one."""
        if folder.exists() and not (installed_packages(folder) is not None and venv_python(folder).is_file()):
            delete_environment(folder)  # making it was interrupted, or its Python has been removed
        if folder.exists():
            return
        self._set_progress(label("Making an environment"))
        if self._children.run_module(interpreter.path, "venv", [folder], self._log.add_line):
            raise self._explain_failure(
                "environment-not-made",
                "Python {version} at {path} could not make an environment.",
                "Choose another Python in the add-on's preferences.",
                version=interpreter.label,
                path=interpreter.path,
            )
        (folder / INSTALLED_FILE).touch()

    def _install_packages(self, folder: Path, interpreter: Interpreter, device: Device, locks: Path, wheels: Path | None) -> None:
        """Install the packages that are missing."""
        where = f"Python {interpreter.version[0]}.{interpreter.version[1]} on {platform.system()} ({interpreter.platform})"
        self._pip_install(folder, read_lock(locks / INSTALLER_LOCK), wheels, where)
        torch_builds = [self._select_applicable(folder, read_lock(locks / name)) for name in torch_locks(device.kind)]
        backend = self._select_applicable(folder, read_lock(locks / BACKEND_LOCK))
        first = None
        for torch_build in torch_builds:
            self._requirements = [*torch_build, *backend]
            self._check_space(folder)
            try:
                self._pip_install(folder, self._requirements, wheels, where)
                return
            except NoSuchPackageError as error:
                # Only torch has another build to fall back on.
                if all(entry.key in _installed_keys(folder) for entry in torch_build):
                    raise
                first = first or error
                if torch_build is torch_builds[-1]:  # a bundle holds the preferred build, or it is for another system
                    raise (first if wheels is not None else error) from None
                self._log.add_line("The usual build of torch is taken: pip knows of no place that has the one for processors only.")

    def _select_applicable(self, folder: Path, requirements: list[Requirement]) -> list[Requirement]:
        """The requirements of a lock whose markers hold for the environment's Python."""
        lines = [entry.entry.partition(" --hash")[0].rstrip(" \\\n") for entry in requirements]
        printed: list[str] = []
        code = self._children.run([venv_python(folder), "-I", "-c", _MARKER_SCRIPT, *lines], printed.append)
        if code:
            raise self._explain_failure(
                "package-list-unreadable", "The list of the backend's packages cannot be read.", "Install the add-on again from its zip."
            )
        return [requirements[int(line.split()[1])] for line in printed if line.startswith("applies ")]

    def _pip_install(self, folder: Path, requirements: Sequence[Requirement], wheels: Path | None, where: str) -> None:
        """Install the missing requirements, each with the hashes of its lock, and record them."""
        self._count_installed(folder)
        for batch in _split_into_batches([entry for entry in requirements if entry.key not in _installed_keys(folder)]):
            source = self._temp_folder / "batch.txt"
            source.write_text("".join(f"{entry.entry}\n" for entry in batch), encoding="utf-8")
            updates_pip = any(entry.name == "pip" for entry in batch)
            options: list[object] = [*_PIP_OPTIONS, *(_PIP_SELF_UPDATE_OPTIONS if updates_pip else _PIP_RESUME_OPTIONS)]
            isolated: list[str] = []
            if wheels is not None:
                isolated = ["--isolated"]  # ignores pip's configuration, which may name other indexes
                listed = self._temp_folder / "wheels"
                collect_wheels(wheels, batch, listed)
                options += ["--no-index", "--find-links", listed]
            begin = len(self._log.lines)
            parser = PipOutputParser(batch, self._set_progress, self._log.add_line)
            code = self._children.run_module(venv_python(folder), "pip", [*isolated, "install", *options, "-r", source], parser.parse_line)
            if code:
                raise explain_pip_error("\n".join(self._log.lines[begin:]), code, where)
            with open(folder / INSTALLED_FILE, "a", encoding="utf-8") as file:
                file.writelines(f"{entry.key}\n" for entry in batch)
            self._count_installed(folder)

    def _verify(self, folder: Path, device: Device) -> dict[str, Any]:
        """Let the new environment import every package once; returns its description of itself."""
        self._set_progress(label("Trying it out"))
        begin = len(self._log.lines)
        code = self._children.run([venv_python(folder), "-I", self.plan.launch, "describe"], self._log.add_line)
        try:
            description = json.loads(self._log.lines[begin:][-1])
        except (IndexError, ValueError):
            raise self._explain_failure(
                "installed-backend-not-running",
                "The backend was installed, but does not run (exit code {code}).",
                "Click Repair, and report it with Copy Details if that does not help.",
                code=code,
            ) from None
        if description["missing"]:
            problems = "; ".join(f"{package}: {reason}" for package, reason in description["missing"].items())
            raise self._explain_failure(
                "installed-backend-incomplete",
                "The backend was installed, but cannot load everything ({problems}).",
                "Click Repair.",
                problems=problems,
            )
        if device.kind not in description["devices"]:
            self.notes.append(
                Message(
                    "device-not-found-by-torch",
                    "PyTorch does not find the {device}: the processor will be used. Update its driver.",
                    device=label(device.name),
                )
            )
        return description

    def _write_stamp(self, folder: Path, interpreter: Interpreter, device: Device, description: dict[str, Any]) -> None:
        """Mark the environment as complete."""
        facts = {
            "python": interpreter.label,
            "device": device.kind,
            "devices": description["devices"],
            "packages": len(_installed_keys(folder)),
            "made": datetime.datetime.now().isoformat(timespec="minutes"),
        }
        with atomic_write(folder / STAMP_FILE) as stamp:
            stamp.write_text(json.dumps(facts), encoding="utf-8")

    def _delete_other_environments(self, folder: Path) -> None:
        for other in self.home.glob(f"{ENVIRONMENT_PREFIX}*"):
            if other != folder:
                with contextlib.suppress(OSError):  # on Windows, a job may still run in it; the next installation tries again
                    delete_environment(other)

    # --- folders, log and progress ----------------------------------------------------------------------------------

    @property
    def _temp_folder(self) -> Path:
        return self.home / TEMP_FOLDER

    def _child_environ(self) -> dict[str, str]:
        """Environment variables of the children: pip's configuration is the user's; its temporary files and its target are ours."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        temp = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self._temp_folder))
        return {**inherited, **temp, "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_USER": "0", "PIP_NO_COLOR": "1"}

    def _check_space(self, folder: Path) -> None:
        """Raise OutputError if the disk has too little space for the missing packages."""
        missing = [entry for entry in self._requirements if entry.key not in _installed_keys(folder)]
        largest_wheel = max((entry.megabytes for entry in missing), default=0)
        needed = (sum(entry.installed_megabytes for entry in missing) + largest_wheel) * 1e6
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

    def _count_installed(self, folder: Path) -> None:
        installed = _installed_keys(folder)
        self._installed_megabytes = sum(entry.megabytes for entry in self._requirements if entry.key in installed)

    def _explain_failure(self, name: str, problem: str, remedy: str, /, **values: object) -> MeshRecError:
        """The error for a failed step; a problem of the disk that the log shows takes precedence."""
        known = explain_pip_error("\n".join(self._log.tail(_LOG_TAIL_LINES)), 1)
        return known if isinstance(known, OutputError) else NotSetUpError(name, problem, remedy, **values)

    def _set_progress(self, stage: Message, batch_megabytes: float = 0.0) -> None:
        """Publish the progress: the installed packages and `batch_megabytes` of the current batch."""
        total = sum(entry.megabytes for entry in self._requirements)
        self.progress = Progress(stage, round(min(self._installed_megabytes + batch_megabytes, total)), total, "MB")
        self._progress_queue.put(self.progress)

    def _open_log(self, interpreter: Interpreter, device: Device) -> contextlib.AbstractContextManager[None]:
        """Write the log to its file, which starts with the time, this computer and the installation's inputs."""
        header = (
            f"{datetime.datetime.now():%Y-%m-%d %H:%M} {platform.platform()}, {device.kind} ({device.name})",
            f"Python {interpreter.label} at {interpreter.path}; packages from {self.plan.bundle or 'the internet'}",
        )
        return self._log.open_file(self.home / LOG_FILE, header)


def _installed_keys(folder: Path) -> list[str]:
    """The keys of the packages that are installed in an environment."""
    return installed_packages(folder) or []


def _split_into_batches(requirements: list[Requirement]) -> Iterator[list[Requirement]]:
    """Split packages into batches: large ones alone, so that an interruption costs no other, small ones several at a time."""
    batch: list[Requirement] = []
    for entry in requirements:
        if batch and sum(one.megabytes for one in batch) + entry.megabytes > _BATCH_MEGABYTES:
            yield batch
            batch = []
        batch.append(entry)
    if batch:
        yield batch
