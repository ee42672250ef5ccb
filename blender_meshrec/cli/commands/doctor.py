"""`meshrec doctor`: what is installed, what is missing, and where files are stored."""

import json
import os
import platform
import shutil
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any, Protocol

from ...bridge.backend_location import LAUNCH_SCRIPT, find_backend
from ...bridge.scene_process import environ_with_temp_folder, find_scene_command
from ...core.errors import ExitCode, MeshRecError
from ...core.files.model_files import listed_models
from ...core.files.temporary_folder import find_temporary_folder, scratch_folder
from ...core.files.user_folders import cache_folder
from ...core.version import version

_TIMEOUT = 120  # s; the first import of a fresh environment is slow
_LOW_DISK_SPACE = 1e9  # bytes


class CheckOutput(Protocol):
    """Receives the results: the command line's Console, or the report in the add-on's preferences."""

    def print_result(self, text: str) -> None: ...

    def fail(self, error: Exception) -> object: ...


def run(options: Namespace, console: CheckOutput) -> int:
    """Check everything that a reconstruction needs; 4 where something other than Blender is missing."""
    console.print_result(f"meshrec    {version()}, Python {platform.python_version()}, {platform.platform()}")
    missing = [*check_backend(options.python, console), *check_models(console)]
    check_blender(options.blender, console)
    check_disk(console)
    if missing:
        console.print_result("")
        for error in missing:
            console.fail(error)
        return ExitCode.MODEL_MISSING
    return ExitCode.DONE


def check_backend(chosen: str | None, console: CheckOutput) -> list[MeshRecError]:
    """Print the backend's environment and its devices; returns the errors."""
    try:
        python = find_backend(chosen)
        found = describe_backend(python)
    except MeshRecError as error:
        console.print_result("backend    MISSING")
        return [error]
    console.print_result(f"backend    {python}, Python {found['python']}")
    for package, package_version in found["versions"].items():
        console.print_result(f"           {package} {package_version}")
    device_names = "".join(f" ({name})" for name in found.get("device_names", {}).values())
    console.print_result(f"devices    {', '.join(found['devices']) or 'none'}{device_names}")
    problems = [f"{package} ({reason})" for package, reason in found["missing"].items()]
    if not problems:
        return []
    return [
        MeshRecError(
            "backend-incomplete",
            "The backend's environment lacks {problems}.",
            "Install the backend again: in the add-on's preferences, with `meshrec setup`, or with `python3 build.py setup` in a checkout.",
            problems=problems,
        )
    ]


def describe_backend(python: Path) -> dict[str, Any]:
    """The backend's description of its environment.

    Raises:
        MeshRecError: the Python does not run, or cannot import the software.
    """
    remedy = "Choose another Python with --python, or install the backend: in the add-on's preferences, or with `meshrec setup`."
    try:
        done = subprocess.run(
            [str(python), "-I", str(LAUNCH_SCRIPT), "describe"], capture_output=True, text=True, errors="replace", timeout=_TIMEOUT
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MeshRecError(
            "backend-python-not-running", "The backend's Python {python} does not run: {reason}.", remedy, python=python, reason=error
        ) from error
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError) as error:
        failure = MeshRecError(
            "backend-python-cannot-load", "The backend's Python {python} cannot load the software.", remedy, python=python
        )
        failure.add_note(done.stderr)
        raise failure from error


def check_models(console: CheckOutput) -> list[MeshRecError]:
    """Print the model files; returns the errors."""
    try:
        listed = listed_models()
    except MeshRecError as error:
        console.print_result("model      the list FAILED")
        return [error]
    for entry, path, error in (model for model in listed if not model.is_left_out):
        console.print_result(f"model      {path}, sha256 as listed" if error is None else f"model      {entry['file']} FAILED")
    for model in (model for model in listed if model.is_left_out):
        console.print_result(f"model      {model.entry['file']} not installed: {model.entry['optional']} is not available")
    if not listed:
        return [MeshRecError("model-list-missing", "The list of model files is missing.", "Install the software again.")]
    return [model.error for model in listed if model.error is not None and not model.is_left_out]


def check_blender(chosen: str | None, console: CheckOutput) -> None:
    """Print the Blender that makes scenes; .npz and .bvh can be written without one."""
    if chosen is None and "bpy" in sys.modules:
        console.print_result(f"Blender    this one, {sys.modules['bpy'].app.version_string}")
        return
    try:
        program = find_scene_command(chosen)[0]
        console.print_result(f"Blender    {program}, {blender_version(Path(program))}")
    except MeshRecError as error:
        console.print_result(f"Blender    none: only .npz and .bvh can be written. {error.remedy}")


def blender_version(program: Path) -> str:
    """The version that a Blender, or a Python with bpy, prints; a description of the failure where it prints none."""
    code = "import bpy, os; print('Blender', bpy.app.version_string, flush=True); os._exit(0)"
    arguments = ["-c", code] if program.name.lower().startswith("python") else ["--version"]
    try:
        with scratch_folder() as scratch:
            done = subprocess.run(
                [str(program), *arguments],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_TIMEOUT,
                env=environ_with_temp_folder(scratch),
            )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"which does not run: {error}"
    return next((line for line in done.stdout.splitlines() if line.startswith("Blender")), "which does not say its version")


def check_disk(console: CheckOutput) -> None:
    """Print the folders of the cache and of temporary files, and their free space."""
    try:
        temporary = find_temporary_folder()
    except MeshRecError as error:
        console.print_result(f"temporary  NONE: {error.problem}")
        return
    for label, folder in (("cache", cache_folder()), ("temporary", temporary)):
        existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
        free = shutil.disk_usage(existing).free
        writable = "" if os.access(existing, os.W_OK) else ", CANNOT BE WRITTEN"
        console.print_result(f"{label:10} {folder}, {free / 1e9:.1f} GB free{' (little)' if free < _LOW_DISK_SPACE else ''}{writable}")
