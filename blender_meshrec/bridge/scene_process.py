"""Scenes and files made by a Blender in a child process, for `meshrec` where bpy cannot be imported."""

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from ..core.errors import InputError, MeshRecError, error_from_exit_code
from ..core.files.output_file import atomic_write
from ..core.files.temporary_folder import scratch_folder, temporary_folder_error
from ..core.messages import Message, message_from_json
from ..core.options import OPEN_MODEL, ReconstructOptions, SceneOptions
from .backend_location import PACKAGE_FOLDER, PathName, venv_python
from .process_groups import kill_process_group, start_process_group

OutputPeople: TypeAlias = tuple[Path, tuple[int, ...]]  # an output's path, and the indices of the people in it

_JOB_SCRIPT = PACKAGE_FOLDER / "scene" / "make_job.py"
_LOG_TAIL_LINES = 30  # lines of a crashed Blender's output that a bug report needs
# A Blender that hangs is ended after a time that grows with its work, and that no scene of this size needs on a slow computer.
_BASE_SECONDS = 900.0
_SECONDS_PER_MOTION_MEGABYTE = 1000.0  # a frame has one or two kilobytes
_SECONDS_PER_RIG_MEGABYTE = 10.0
# Of a program that crashes; on Windows, Blender's exit code is the signal's number, or that of an exception.
_CRASH_SIGNALS = {int(getattr(signal, name)) for name in ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE") if hasattr(signal, name)}
_FIRST_WINDOWS_EXCEPTION = 0xC0000000
_TIME_LIMIT_VARIABLE = "MESHREC_BLENDER_SECONDS"
_running: "set[subprocess.Popen[bytes]]" = set()


@dataclass(frozen=True)
class RetargetTarget:
    """The artist's character that receives the motion.

    rig: FILE or FILE#object. options: of RetargetOptions, by name; its defaults for the others. mapping: path of a mapping preset, None
    to find the bones. up: the axis that is up in a motion of other software, "auto" as its format says.
    """

    rig: str
    options: dict[str, Any] = field(default_factory=dict)
    mapping: str | None = None
    up: str = ReconstructOptions.up


@dataclass(frozen=True)
class SceneRequest:
    """What to make of the people of one clip.

    name: of the clip. people: (name, motion path) pairs: .npz, and with a retarget target any motion that retargeting reads. outputs:
    their suffixes name the formats. body: "open" or the path of an SMPL-family file. preset: blender, unreal or unity. retarget_target:
    the character to retarget to, None to write the people themselves. skel: "open" or the path of a SKEL file for people with SKEL's
    skeleton, None for SMPL's. stretch: let the bones of calibrated people stretch. surfaces: point caches of the people's exact
    surfaces, or (); surface_paths: for each output, the paths that the surfaces of its people will have. pose_shapes: give
    meshes the pose blend shapes of their body. with_camera: write the camera too. textures: each person's texture, a PNG file, or None;
    () without any.
    """

    name: str
    people: tuple[tuple[str, Path], ...]
    outputs: tuple[OutputPeople, ...]
    body: str = OPEN_MODEL
    preset: str = SceneOptions.preset
    retarget_target: RetargetTarget | None = None
    skel: str | None = None
    stretch: bool = SceneOptions.stretch
    surfaces: tuple[Path, ...] = ()
    surface_paths: tuple[tuple[Path, ...], ...] = ()
    pose_shapes: bool = SceneOptions.pose_shapes
    with_camera: bool = SceneOptions.with_camera
    textures: tuple[Path | None, ...] = ()


@dataclass(frozen=True)
class SceneResult:
    """The result of a SceneRequest.

    notes: messages about what the files do not keep. quality: of a retarget, numbers by output path. surfaces, textures: the point caches
    and the pictures that were written beside the outputs.
    """

    notes: tuple[str, ...] = ()
    quality: dict[str, dict[str, Any]] = field(default_factory=dict)
    surfaces: tuple[Path, ...] = ()
    textures: tuple[Path, ...] = ()


def run_scene_process(request: SceneRequest, blender: PathName | None = None) -> SceneResult:
    """Make every output of a SceneRequest in a child process; each file appears whole or not at all, however the child ends.

    Args:
        blender: path of a Blender, or of a Python that has bpy; found by `find_scene_command` where it is None.

    Raises:
        InputError: no Blender was found, or a format or preset is unknown. OutputError: a file cannot be written. ModelError: a model
            file cannot be read. MeshRecError: Blender ended without an answer.
    """
    scene_command = find_scene_command(blender)
    with ExitStack() as stack:
        # The child writes to this process's temporary paths: if it is killed, no file remains.
        temporary_paths = [stack.enter_context(atomic_write(path)) for path, _people in request.outputs]
        rig = request.retarget_target.rig if request.retarget_target else ""
        made = _run_job(scene_command, _job_settings(request, temporary_paths), _time_limit(request), rig)
        final_paths = {str(temporary): str(path) for temporary, (path, _people) in zip(temporary_paths, request.outputs)}
        return SceneResult(made.notes, {final_paths[temporary]: numbers for temporary, numbers in made.quality.items()})


def run_mapping_process(rig: str, blender: PathName | None = None) -> dict[str, Any]:
    """Find the bones of the character in a file in a child process: what `scene.map_rig.map_file` returns.

    Args:
        rig: FILE or FILE#object. blender: as in `run_scene_process`.

    Raises:
        InputError: no Blender was found, or the file has no character that is a humanoid. MeshRecError: Blender ended without an answer.
    """
    settings = {"map": os.path.abspath(rig), "tethered": True}
    return _run_job(find_scene_command(blender), settings, _BASE_SECONDS + _rig_seconds(rig), rig).quality["mapping"]


def run_camera_process(path: str, name: str, first: int | None, blender: PathName | None = None) -> str:
    """Read the camera of a scene's file in a child process: what `scene.known_cameras.camera_of_file` returns.

    Args:
        path, name, first: as there. blender: as in `run_scene_process`.

    Raises:
        InputError: no Blender was found, or the file has no such camera. MeshRecError: Blender ended without an answer.
    """
    settings = {"camera": {"path": os.path.abspath(path), "name": name, "first": first}, "tethered": True}
    return _run_job(find_scene_command(blender), settings, _BASE_SECONDS + _rig_seconds(path), path).quality["camera"]["text"]


def _job_settings(request: SceneRequest, temporary_paths: Sequence[Path]) -> dict[str, Any]:
    """A SceneRequest as the JSON that scene/make_job.py reads; the outputs are written to `temporary_paths`."""
    outputs: list[dict[str, Any]] = [
        {"path": str(temporary), "people": list(people), "home": str(Path(path).resolve().parent)}
        for temporary, (path, people) in zip(temporary_paths, request.outputs)
    ]
    for entry, surface_paths in zip(outputs, request.surface_paths):
        entry["surfaces"] = _absolute_paths(surface_paths)
    return {
        "name": request.name,
        "people": [{"name": name, "motion": str(Path(motion).resolve())} for name, motion in request.people],
        "outputs": outputs,
        "body": _absolute_model(request.body),
        "preset": request.preset,
        "retarget": _retarget_settings(request.retarget_target),
        "skel": None if request.skel is None else _absolute_model(request.skel),
        "stretch": request.stretch,
        "pose_shapes": request.pose_shapes,
        "with_camera": request.with_camera,
        "tethered": True,
        "surfaces": _absolute_paths(request.surfaces),
        "textures": [None if path is None else str(path.resolve()) for path in request.textures],
    }


def _absolute_paths(paths: Iterable[PathName]) -> list[str]:
    return [str(Path(path).resolve()) for path in paths]


def _absolute_model(source: str) -> str:
    return source if source == OPEN_MODEL else str(Path(source).resolve())


def _retarget_settings(target: RetargetTarget | None) -> dict[str, Any] | None:
    if target is None:
        return None
    # Not Path.resolve: the rig may end in # and an object's name.
    mapping = os.path.abspath(target.mapping) if target.mapping else None
    return {"rig": os.path.abspath(target.rig), "options": target.options, "mapping": mapping, "up": target.up}


def environ_with_temp_folder(folder: PathName) -> dict[str, str]:
    """Environment variables for a child whose temporary files are in `folder`: a Blender that is killed leaves some."""
    return {**os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))}


def _time_limit(request: SceneRequest) -> float:
    """Seconds after which a Blender that makes a SceneRequest is taken to hang."""
    with contextlib.suppress(ValueError):
        if (chosen := float(os.environ.get(_TIME_LIMIT_VARIABLE, "0"))) > 0:
            return chosen
    motions = sum(_file_megabytes(motion) for _name, motion in request.people) * max(1, len(request.outputs))
    target = request.retarget_target
    return _BASE_SECONDS + _SECONDS_PER_MOTION_MEGABYTE * motions + (_rig_seconds(target.rig) if target else 0.0)


def _rig_seconds(rig: str) -> float:
    """Seconds to allow for reading a file of rigs: FILE or FILE#object."""
    return _SECONDS_PER_RIG_MEGABYTE * (_file_megabytes(rig) or _file_megabytes(rig.rpartition("#")[0]))


def _file_megabytes(path: PathName) -> float:
    try:
        return os.stat(path).st_size / 1e6
    except OSError:  # the child reports it
        return 0.0


def _run_job(scene_command: Sequence[str], settings: dict[str, Any], seconds: float, rig: str) -> SceneResult:
    """Have scene/make_job.py carry out settings in at most some seconds; returns its answer, whose quality is by temporary path.

    Args:
        scene_command: of `find_scene_command`.
        rig: the file of a character or a scene that it reads, "" for none: if Blender crashes, it is the likely reason.
    """
    with scratch_folder() as scratch:
        settings_path = scratch / "settings.json"
        try:
            settings_path.write_text(json.dumps(settings), encoding="utf-8")
        except OSError as error:
            raise temporary_folder_error(error) from error
        output, exit_code = _run_child([*scene_command, str(settings_path)], scratch, seconds)
    answers = [line for line in output.splitlines() if line.startswith('{"meshrec"')]
    if not answers:
        error = _unexpected_end(exit_code, rig)
        error.add_note("\n".join(output.splitlines()[-_LOG_TAIL_LINES:]))
        raise error
    answer = json.loads(answers[-1])
    if answer["meshrec"] == "made":
        return SceneResult(tuple(map(message_from_json, answer["notes"])), answer["quality"])
    error = error_from_exit_code(answer["exit_code"], _read_message(answer["problem"]), _read_message(answer["remedy"]))
    error.add_note(answer["details"])
    raise error


def _run_child(command: Sequence[str], scratch: Path, seconds: float) -> tuple[str, int]:
    """Run a command for at most some seconds; returns what it printed, and its exit code.

    The child ends when this process ends: it then finds its standard input closed.
    """
    try:
        child = start_process_group(command, stderr=subprocess.STDOUT, env=environ_with_temp_folder(scratch))
    except OSError as error:
        raise InputError(
            "blender-not-startable",
            "Blender could not be started with {path}: {reason}.",
            "Choose another Blender with --blender.",
            path=command[0],
            reason=error.strerror or error,
        ) from error
    tether, child.stdin = child.stdin, None  # `communicate` would close it
    _running.add(child)
    try:
        output = child.communicate(timeout=seconds)[0].decode("utf-8", "replace")
    except subprocess.TimeoutExpired as error:
        raise MeshRecError(
            "blender-took-too-long",
            "Blender was ended because it had not finished after {seconds:.0f} seconds.",
            "Try a shorter range of frames; if Blender needs more time, set {variable} to a number of seconds.",
            seconds=seconds,
            variable=_TIME_LIMIT_VARIABLE,
        ) from error
    finally:
        _running.discard(child)
        if child.poll() is None:  # interrupted, or out of time
            kill_process_group(child)
            child.wait()
        if child.stdout is not None:
            child.stdout.close()
        if tether is not None:
            tether.close()
    return output, child.returncode


def end_scene_processes() -> None:
    """End the children that other threads of this process wait for; their calls raise an error."""
    for child in tuple(_running):
        kill_process_group(child)


def _unexpected_end(returncode: int, rig: str) -> MeshRecError:
    """The error of a child that has ended without an answer."""
    if rig and (-returncode in _CRASH_SIGNALS or returncode in _CRASH_SIGNALS or returncode >= _FIRST_WINDOWS_EXCEPTION):
        return InputError(
            "blender-crashed-on-character",
            "Blender crashed on {name} (exit code {returncode}).",
            "The file may be damaged: choose another, or open it in Blender and save it again; or choose another Blender with --blender.",
            name=Path(rig).name,
            returncode=returncode,
        )
    return MeshRecError(
        "blender-ended-unexpectedly",
        "Blender ended unexpectedly (exit code {returncode}).",
        "Choose another Blender with --blender.",
        returncode=returncode,
    )


def _read_message(content: dict[str, Any]) -> Message:
    message = message_from_json(content)
    if not isinstance(message, Message):
        raise TypeError(f"not a message: {message}")
    return message


def find_scene_command(blender: PathName | None = None) -> list[str]:
    """The command that runs scene/make_job.py, without the path of its settings file.

    In this order: `blender`; this Python, if it has bpy; the checkout's own Blender modules; Blender on PATH.

    Raises:
        InputError: `blender` does not exist, or none was found.
    """
    if blender is not None:
        path = Path(shutil.which(str(blender)) or blender)
        if not os.path.isfile(path):
            raise InputError(
                "blender-not-at-path",
                "There is no Blender at {blender}.",
                "Give --blender the path of Blender's program file.",
                blender=blender,
            )
        return _scene_command(path)
    if importlib.util.find_spec("bpy"):
        return _scene_command(Path(sys.executable))
    environments = sorted((PACKAGE_FOLDER.parent / ".venvs").glob("bpy-*"))
    modules = [python for environment in environments if (python := venv_python(environment)).exists()]
    if modules:
        return _scene_command(next((path for path in modules if "bpy-4.5" in str(path)), modules[-1]))
    found = shutil.which("blender")
    if found:
        return _scene_command(Path(found))
    raise InputError(
        "blender-not-found", "No Blender was found to make the scene with.", "Give --blender FILE, or write an .npz and convert it later."
    )


def _scene_command(program: Path) -> list[str]:
    if program.name.lower().startswith("python"):
        return [str(program), str(_JOB_SCRIPT)]
    return [str(program), "-b", "--factory-startup", "--python", str(_JOB_SCRIPT), "--"]
