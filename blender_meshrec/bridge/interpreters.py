"""The Python that the backend's environment is made with, and the device that it is made for, of those this computer has."""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from ..core.errors import InputError, NotSetUpError
from ..core.files.user_folders import home_folder
from ..core.messages import Message
from ..core.option_choices import DEVICE_LABELS
from .backend_location import PathName

Candidate: TypeAlias = PathName | list[str]  # a Python's path, or the words of the command that starts it

# The versions that the locks are made for, in order of preference.
SUPPORTED_VERSIONS = ((3, 11), (3, 13), (3, 12))
MIN_NVIDIA_DRIVER = 580  # major version; the lock's CUDA libraries are of CUDA 13
_TIMEOUT = 20  # s
# Devices that the locks support, by sys.platform.
_SYSTEM_DEVICES = {"linux": ("cpu", "cuda"), "darwin": ("cpu", "mps")}
_PROBE_SCRIPT = (
    "import importlib.util as u, json, platform, struct, sys, sysconfig;"
    "print(json.dumps([list(sys.version_info[:3]), sys.executable, bool(u.find_spec('venv')) and bool(u.find_spec('ensurepip')),"
    "struct.calcsize('P') * 8, sysconfig.get_platform(), platform.python_implementation()]))"
)
REMEDY = "Install Python 3.11 from python.org or your system's packages, or choose one in the add-on's preferences."


@dataclass(frozen=True)
class Interpreter:
    """A Python on this computer: its program, (major, minor, micro), and the platform that its packages are built for."""

    path: Path
    version: tuple[int, ...]
    platform: str

    @property
    def label(self) -> str:
        """The version as text, such as 3.11.9."""
        return ".".join(map(str, self.version))


@dataclass(frozen=True)
class Device:
    """The device that the backend computes on: cpu, cuda or mps; its name; and why a faster device is not used, or ""."""

    kind: str
    name: str
    note: str = ""


def find_interpreter(chosen: PathName | None = None) -> Interpreter:
    """Find the Python to make the backend's environment with: `chosen`, else MESHREC_PYTHON, PATH, the usual folders, Blender's own.

    Raises:
        InputError: the chosen one does not exist or is unsuitable. NotSetUpError: no suitable one was found.
    """
    if chosen:
        interpreter, reason = probe_interpreter(chosen)
        if interpreter is None:
            raise InputError("python-unsuitable", "The Python {path} does not fit: {reason}.", REMEDY, path=chosen, reason=reason)
        return interpreter
    best: tuple[int, Interpreter] | None = None
    rejected = []
    for candidate in _interpreter_candidates():
        interpreter, reason = probe_interpreter(candidate)
        if interpreter is None:
            rejected.append(f"{candidate[0] if isinstance(candidate, list) else candidate}: {reason}")
            continue
        rank = _interpreter_rank(candidate, interpreter)
        if best is None or rank < best[0]:
            best = (rank, interpreter)
        if rank <= 1:
            break
    if best is not None:
        return best[1]
    versions = " or ".join(f"{major}.{minor}" for major, minor in sorted(SUPPORTED_VERSIONS))
    error = NotSetUpError(
        "python-not-found", "No Python {versions} that can make an environment was found on this computer.", REMEDY, versions=versions
    )
    error.add_note("\n".join(rejected))
    raise error


def _interpreter_rank(candidate: Candidate, interpreter: Interpreter) -> int:
    """Rank of a suitable Python: 0 for MESHREC_PYTHON, then by version; lower is better."""
    if candidate == os.environ.get("MESHREC_PYTHON"):
        return 0
    return 1 + SUPPORTED_VERSIONS.index((interpreter.version[0], interpreter.version[1]))


def probe_interpreter(candidate: Candidate) -> tuple[Interpreter | None, str]:
    """Start a Python and check it: (Interpreter, "") where it is suitable, else (None, the reason)."""
    words = list(candidate) if isinstance(candidate, list) else [str(candidate)]
    try:
        done = subprocess.run(
            [*words, "-I", "-c", _PROBE_SCRIPT], capture_output=True, text=True, errors="replace", timeout=_TIMEOUT, check=True
        )
        version, path, has_venv, bits, built_for, implementation = json.loads(done.stdout.splitlines()[-1])
    except FileNotFoundError:
        return None, "there is no such file"
    except (OSError, subprocess.SubprocessError, ValueError, IndexError, TypeError):
        return None, "it does not run as a Python"
    label = ".".join(map(str, version))
    if tuple(version[:2]) not in SUPPORTED_VERSIONS:
        return None, f"it is Python {label}, and 3.11, 3.12 or 3.13 is needed"
    if implementation != "CPython" or bits != 64:
        return None, f"it is a {bits}-bit {implementation}, and a 64-bit CPython is needed"
    if sys.platform == "win32" and not built_for.startswith("win-"):
        return None, f"it is made for {built_for}, not for Windows"
    if sys.platform == "darwin" and not built_for.endswith(("arm64", "universal2")):
        return None, "it is made for Intel processors, for which PyTorch is no longer made"
    if not has_venv:
        return None, f"it cannot make environments (install python{version[0]}.{version[1]}-venv)"
    return Interpreter(Path(path), tuple(version), built_for), ""


def _interpreter_candidates() -> Iterator[Candidate]:
    """Candidates in the order in which they are tried, each once; of paths, those of existing files and MESHREC_PYTHON."""
    from_environ = os.environ.get("MESHREC_PYTHON")
    candidates: list[Candidate | None] = [from_environ]
    launcher = shutil.which("py") if sys.platform == "win32" else None
    for version in (f"{major}.{minor}" for major, minor in SUPPORTED_VERSIONS):
        candidates.append(shutil.which(f"python{version}"))
        candidates += [str(path) for path in _common_locations(version)]
        if launcher:
            candidates.append([launcher, f"-{version}"])
    # Blender's own Python comes last: it is complete, but an update of Blender removes it.
    candidates += [shutil.which("python3"), shutil.which("python"), sys.executable]
    tried: list[Candidate] = []
    for candidate in filter(None, candidates):
        if candidate not in tried and (isinstance(candidate, list) or candidate == from_environ or os.path.isfile(candidate)):
            tried.append(candidate)
            yield candidate


def _common_locations(version: str) -> list[Path]:
    """Paths where installers put the Python of a version, whether or not they exist."""
    home, tail = home_folder(), f"bin/python{version}"
    if sys.platform == "win32":
        folder = f"Python{version.replace('.', '')}"
        bases = [os.environ.get("LOCALAPPDATA"), os.environ.get("PROGRAMFILES")]
        return [Path(base) / part / folder / "python.exe" for base in bases if base for part in ("Programs/Python", ".")]
    locations = [Path(f"/Library/Frameworks/Python.framework/Versions/{version}") / tail] if sys.platform == "darwin" else []
    locations += [Path(base) / tail for base in (os.environ.get("HOMEBREW_PREFIX"), "/usr/local", "/usr") if base]
    pyenv = Path(os.environ.get("PYENV_ROOT", home / ".pyenv")) / "versions"
    for folder in (pyenv, home / ".local" / "share" / "uv" / "python"):
        locations += sorted(folder.glob(f"*{version}*/{tail}"))
    return locations


def find_device() -> Device:
    """The Device to make an environment for: the fastest of this computer that the locks support."""
    if sys.platform == "darwin":
        return Device("mps", DEVICE_LABELS["mps"]) if platform.machine() == "arm64" else _cpu()
    try:
        done = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT,
        )
    except (OSError, subprocess.TimeoutExpired):
        return _cpu()
    name, _, driver = done.stdout.partition("\n")[0].partition(", ")
    if done.returncode or not driver:
        return _cpu(Message("nvidia-driver-without-card", "NVIDIA's driver is installed but finds no graphics card."))
    if sys.platform == "win32":
        text = "On Windows the lock has PyTorch for the processor only, so {device} is not used."
        return _cpu(Message("graphics-card-unsupported-on-windows", text, device=name))
    if int(driver.partition(".")[0] or 0) < MIN_NVIDIA_DRIVER:
        text = "{device} needs NVIDIA's driver {needed} or later (this is {found})."
        return _cpu(Message("nvidia-driver-too-old", text, device=name, needed=MIN_NVIDIA_DRIVER, found=driver.strip()))
    return Device("cuda", name)


def _cpu(note: str = "") -> Device:
    return Device("cpu", DEVICE_LABELS["cpu"], note)


def choose_device(kind: str = "auto") -> Device:
    """The Device that a setting names; `auto` is that of `find_device`.

    Raises:
        InputError: there is no such device on this operating system.
    """
    if kind == "auto":
        return find_device()
    if kind not in _SYSTEM_DEVICES.get(sys.platform, ("cpu",)):
        raise InputError(
            "installation-device-unavailable",
            "The backend cannot be installed for {device} on this system.",
            "Choose Automatic or Processor.",
            device=DEVICE_LABELS.get(kind, kind),
        )
    return Device(kind, DEVICE_LABELS[kind])
