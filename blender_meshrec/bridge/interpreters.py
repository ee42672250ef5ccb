"""Which Python the backend's environment is made with, and which device it is made for: what this computer has."""

import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import InputError, NotSetUpError
from ..core.messages import Message

# The locks hold for these; the first one that is found is taken.
SUPPORTED_VERSIONS = ((3, 11), (3, 13), (3, 12))
# What the CUDA libraries of the lock ask of NVIDIA's driver: CUDA 13.
MIN_NVIDIA_DRIVER = 580
_TIMEOUT = 20  # s
_DEVICE_NAMES = {"cpu": "processor", "cuda": "NVIDIA graphics card", "mps": "Apple graphics processor"}
# What the locks can install for, by system.
_SYSTEM_DEVICES = {"linux": ("cpu", "cuda"), "darwin": ("cpu", "mps")}
_PROBE_SCRIPT = (
    "import importlib.util as u, json, platform, struct, sys, sysconfig;"
    "print(json.dumps([list(sys.version_info[:3]), sys.executable, bool(u.find_spec('venv')) and bool(u.find_spec('ensurepip')),"
    "struct.calcsize('P') * 8, sysconfig.get_platform(), platform.python_implementation()]))"
)
REMEDY = "Install Python 3.11 from python.org or your system's packages, or choose one in the add-on's preferences."


@dataclass(frozen=True)
class Interpreter:
    """A Python on this computer: its program, (major, minor, micro), and the platform its packages are made for."""

    path: Path
    version: tuple
    platform: str

    @property
    def label(self):
        return ".".join(map(str, self.version))


@dataclass(frozen=True)
class Device:
    """What the backend can compute on here: cpu, cuda or mps; what it is called; and a sentence where something better fails."""

    kind: str
    name: str
    note: str = ""


def find_interpreter(chosen=None):
    """The Python to make the backend's environment with: `chosen`, else MESHREC_PYTHON, PATH, the usual places, Blender's own.

    Raises:
        InputError: the one that was chosen does not exist or does not fit. NotSetUpError: none fits.
    """
    if chosen:
        interpreter, why_not = probe_interpreter(chosen)
        if interpreter is None:
            raise InputError("python-unsuitable", "The Python {path} does not fit: {reason}.", REMEDY, path=chosen, reason=why_not)
        return interpreter
    best, rejected = None, []
    for candidate in _interpreter_candidates():
        interpreter, why_not = probe_interpreter(candidate)
        if interpreter is None:
            rejected.append(f"{candidate[0] if isinstance(candidate, list) else candidate}: {why_not}")
            continue
        rank = 0 if candidate == os.environ.get("MESHREC_PYTHON") else 1 + SUPPORTED_VERSIONS.index(interpreter.version[:2])
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


def probe_interpreter(candidate):
    """(Interpreter, "") where a Python fits, else (None, why not). `candidate`: its path, or the words that start it."""
    words = list(candidate) if isinstance(candidate, list) else [str(candidate)]
    try:
        done = subprocess.run(
            [*words, "-I", "-c", _PROBE_SCRIPT], capture_output=True, text=True, errors="replace", timeout=_TIMEOUT, check=True
        )
        version, path, makes_environments, bits, built_for, implementation = json.loads(done.stdout.splitlines()[-1])
    except FileNotFoundError:
        return None, "there is no such file"
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
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
    if not makes_environments:
        return None, f"it cannot make environments (install python{version[0]}.{version[1]}-venv)"
    return Interpreter(Path(path), tuple(version), built_for), ""


def _interpreter_candidates():
    """Paths or command words, in the order in which they are tried; each only once, and only where there is such a file."""
    named = [os.environ["MESHREC_PYTHON"]] if os.environ.get("MESHREC_PYTHON") else []
    paths = list(named)
    launcher = shutil.which("py") if sys.platform == "win32" else None
    for version in (f"{major}.{minor}" for major, minor in SUPPORTED_VERSIONS):
        paths.append(shutil.which(f"python{version}"))
        paths += [str(place) for place in _common_locations(version)]
        if launcher:
            paths.append([launcher, f"-{version}"])
    # Last Blender's own: it is complete, but it goes when this Blender does.
    paths += [shutil.which("python3"), shutil.which("python"), sys.executable]
    tried = []
    for path in paths:
        if path and path not in tried and (isinstance(path, list) or path in named or Path(path).is_file()):
            tried.append(path)
            yield path


def _common_locations(version):
    home, tail = Path.home(), f"bin/python{version}"
    if sys.platform == "win32":
        folder = f"Python{version.replace('.', '')}"
        bases = [os.environ.get("LOCALAPPDATA"), os.environ.get("PROGRAMFILES")]
        return [Path(base) / part / folder / "python.exe" for base in bases if base for part in ("Programs/Python", ".")]
    places = [Path(f"/Library/Frameworks/Python.framework/Versions/{version}") / tail] if sys.platform == "darwin" else []
    places += [Path(base) / tail for base in ("/opt/homebrew", "/usr/local", "/usr")]
    pyenv = Path(os.environ.get("PYENV_ROOT", home / ".pyenv")) / "versions"
    for folder in (pyenv, home / ".local" / "share" / "uv" / "python"):
        places += sorted(folder.glob(f"*{version}*/{tail}"))
    return places


def find_device():
    """The Device to make an environment for, by looking at this computer."""
    if sys.platform == "darwin":
        return Device("mps", "Apple graphics processor") if platform.machine() == "arm64" else Device("cpu", "processor")
    try:
        done = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT,
        )
    except (OSError, subprocess.TimeoutExpired):
        return Device("cpu", "processor")
    name, _, driver = done.stdout.partition("\n")[0].partition(", ")
    if done.returncode or not driver:
        return Device("cpu", "processor", Message("nvidia-driver-without-card", "NVIDIA's driver is installed but finds no graphics card."))
    if sys.platform == "win32":
        text = "On Windows the lock has PyTorch for the processor only, so {device} is not used."
        return Device("cpu", "processor", Message("graphics-card-unsupported-on-windows", text, device=name))
    if int(driver.partition(".")[0] or 0) < MIN_NVIDIA_DRIVER:
        text = "{device} needs NVIDIA's driver {needed} or later (this is {found})."
        return Device(
            "cpu", "processor", Message("nvidia-driver-too-old", text, device=name, needed=MIN_NVIDIA_DRIVER, found=driver.strip())
        )
    return Device("cuda", name)


def choose_device(kind="auto"):
    """The Device that a setting names; `auto` is what `find_device` finds.

    Raises:
        InputError: this computer's system has no such device.
    """
    if kind == "auto":
        return find_device()
    if kind not in _SYSTEM_DEVICES.get(sys.platform, ("cpu",)):
        raise InputError(
            "installation-device-unavailable",
            "The backend cannot be installed for {device} on this system.",
            "Choose Automatic or CPU.",
            device=_DEVICE_NAMES.get(kind, kind),
        )
    return Device(kind, _DEVICE_NAMES[kind])
