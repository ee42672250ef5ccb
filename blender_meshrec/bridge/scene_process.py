"""Scenes and files made by a Blender in a child process, for `meshrec` where bpy cannot be imported."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from ..core.errors import InputError, MeshRecError, error_from_exit_code
from ..core.files.output_file import atomic_write
from ..core.messages import Message, message_from_json
from ..core.options import OPEN_MODEL, SceneOptions
from .backend_location import PACKAGE_FOLDER, PathName, venv_python

OutputPeople: TypeAlias = tuple[Path, tuple[int, ...]]  # an output's path, and the indices of the people in it

_JOB_SCRIPT = PACKAGE_FOLDER / "scene" / "make_job.py"
_LOG_TAIL_LINES = 30  # lines of a crashed Blender's output that a bug report needs


@dataclass(frozen=True)
class RetargetTarget:
    """The artist's character that receives the motion.

    rig: FILE or FILE#object. options: of RetargetOptions, by name; its defaults for the others. mapping: path of a mapping preset, None
    to find the bones.
    """

    rig: str
    options: dict[str, Any] = field(default_factory=dict)
    mapping: str | None = None


@dataclass(frozen=True)
class SceneRequest:
    """What to make of the people of one clip.

    name: of the clip. people: (name, motion path) pairs: .npz, and with a retarget target any motion that retargeting reads. outputs:
    their suffixes name the formats. body: "open" or the path of an SMPL-family file. preset: blender, unreal or unity. retarget_target:
    the character to retarget to, None to write the people themselves. skel: "open" or the path of a SKEL file for people with SKEL's
    skeleton, None for SMPL's. stretch: let the bones of calibrated people stretch. surfaces: point caches of the people's exact
    surfaces, or (); surface_paths: for each output, the paths that the surfaces of its people will have.
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


@dataclass(frozen=True)
class SceneResult:
    """The result of a SceneRequest.

    notes: messages about what the files do not keep. quality: of a retarget, numbers by output path. surfaces: the point caches that
    were written beside the outputs.
    """

    notes: tuple[str, ...] = ()
    quality: dict[str, dict[str, Any]] = field(default_factory=dict)
    surfaces: tuple[Path, ...] = ()


def run_scene_process(request: SceneRequest, blender: PathName | None = None) -> SceneResult:
    """Make every output of a SceneRequest in a child process; each file appears whole or not at all, however the child ends.

    Args:
        blender: path of a Blender, or of a Python that has bpy; found by `find_scene_command` where it is None.

    Raises:
        InputError: no Blender was found, or a format or preset is unknown. OutputError: a file cannot be written. ModelError: a model
            file cannot be read. MeshRecError: Blender ended without an answer.
    """
    scene_command = find_scene_command(blender)
    with tempfile.TemporaryDirectory(prefix="meshrec-") as scratch, ExitStack() as stack:
        # The child writes to this process's temporary paths: if it is killed, no file remains.
        temporary_paths = [stack.enter_context(atomic_write(path)) for path, _people in request.outputs]
        settings_path = Path(scratch) / "settings.json"
        settings_path.write_text(json.dumps(_job_settings(request, temporary_paths)), encoding="utf-8")
        made = _run_child([*scene_command, str(settings_path)], scratch)
        final_paths = {str(temporary): str(path) for temporary, (path, _people) in zip(temporary_paths, request.outputs)}
        return SceneResult(made.notes, {final_paths[temporary]: numbers for temporary, numbers in made.quality.items()})


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
        "surfaces": _absolute_paths(request.surfaces),
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
    return {"rig": os.path.abspath(target.rig), "options": target.options, "mapping": mapping}


def environ_with_temp_folder(folder: PathName) -> dict[str, str]:
    """Environment variables for a child whose temporary files are in `folder`: a Blender that is killed leaves some."""
    return {**os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))}


def _run_child(command: Sequence[str], scratch: str) -> SceneResult:
    """Run scene/make_job.py and return its answer; its quality is by temporary path."""
    child = subprocess.Popen(
        command,
        env=environ_with_temp_folder(scratch),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        output = child.communicate()[0].decode("utf-8", "replace")
    finally:
        if child.poll() is None:  # interrupted
            child.kill()
            child.wait()
    answers = [line for line in output.splitlines() if line.startswith('{"meshrec"')]
    if not answers:
        error = MeshRecError(
            "blender-ended-unexpectedly",
            "Blender ended unexpectedly (exit code {returncode}).",
            "Choose another Blender with --blender.",
            returncode=child.returncode,
        )
        error.add_note("\n".join(output.splitlines()[-_LOG_TAIL_LINES:]))
        raise error
    answer = json.loads(answers[-1])
    if answer["meshrec"] == "made":
        return SceneResult(tuple(map(message_from_json, answer["notes"])), answer["quality"])
    error = error_from_exit_code(answer["exit_code"], _read_message(answer["problem"]), _read_message(answer["remedy"]))
    error.add_note(answer["details"])
    raise error


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
        if not path.is_file():
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
