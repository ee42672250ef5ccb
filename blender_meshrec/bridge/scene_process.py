"""Have scenes made by a Blender in a child process: for `meshrec` where bpy is not at hand."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from ..core.errors import InputError, MeshRecError, error_from_exit_code
from ..core.files.output_file import atomic_write
from ..core.messages import message_from_json

_PACKAGE_FOLDER = Path(__file__).resolve().parents[1]
_JOB_SCRIPT = _PACKAGE_FOLDER / "scene" / "make_job.py"
_LOG_TAIL_LINES = 30  # lines of a crashed Blender's output that a bug report needs


@dataclass(frozen=True)
class RetargetTarget:
    """The artist's character that is to perform.

    rig: FILE or FILE#object. options: of RetargetOptions, those that are not its defaults. mapping: path of a mapping preset,
    None to find the bones.
    """

    rig: str
    options: dict = field(default_factory=dict)
    mapping: str | None = None


@dataclass(frozen=True)
class SceneRequest:
    """What to make of one clip's people.

    name: of the clip. people: (name, motion path) pairs: .npz, and with a retarget target whatever retargeting reads. outputs: (path,
    indices into people) pairs; the suffixes name the formats. body: "open" or the path of an SMPL-family file. preset:
    blender, unreal or unity. retarget_target: a RetargetTarget, None for the people themselves. skel: "open" or the path of a SKEL file for
    people with SKEL's skeleton, None for SMPL's. stretch: let the bones of calibrated people stretch. surfaces: point caches of the
    people's exact surfaces, or (); surface_paths: for each output where those of its people will lie.
    """

    name: str
    people: tuple
    outputs: tuple
    body: str = "open"
    preset: str = "blender"
    retarget_target: RetargetTarget | None = None
    skel: str | None = None
    stretch: bool = True
    surfaces: tuple = ()
    surface_paths: tuple = ()


@dataclass(frozen=True)
class SceneResult:
    """What became of a request: notes, sentences about what could not be carried over, and a retarget's quality, path -> numbers.

    surfaces: the point caches that came to lie beside the outputs.
    """

    notes: tuple = ()
    quality: dict = field(default_factory=dict)
    surfaces: tuple = ()


def run_scene_process(request, blender=None):
    """Make every output of a SceneRequest in a child process; each appears whole or not at all, however the child ends.

    Args:
        blender: path of a Blender, or of a Python that has bpy; found by `find_scene_command` where it is None.

    Returns:
        A SceneResult.

    Raises:
        InputError: no Blender was found, or a format or preset is not known. OutputError, ModelError: as their names say.
        MeshRecError: Blender ended without an answer.
    """
    scene_command = find_scene_command(blender)
    with tempfile.TemporaryDirectory(prefix="meshrec-") as scratch, ExitStack() as stack:
        # The child writes into this process's temporary folders: killing it leaves nothing behind.
        outputs = [
            {"path": str(stack.enter_context(atomic_write(path))), "people": list(people), "home": str(Path(path).resolve().parent)}
            for path, people in request.outputs
        ]
        for entry, places in zip(outputs, request.surface_paths):
            entry["surfaces"] = [str(Path(place).resolve()) for place in places]
        settings = {
            "name": request.name,
            "people": [{"name": name, "motion": str(Path(motion).resolve())} for name, motion in request.people],
            "outputs": outputs,
            "body": request.body if request.body == "open" else str(Path(request.body).resolve()),
            "preset": request.preset,
            "retarget": _retarget_settings(request.retarget_target),
            "skel": request.skel if request.skel in (None, "open") else str(Path(request.skel).resolve()),
            "stretch": request.stretch,
            "surfaces": [str(Path(surface).resolve()) for surface in request.surfaces],
        }
        settings_path = Path(scratch) / "settings.json"
        settings_path.write_text(json.dumps(settings), encoding="utf-8")
        made = _run_child([*scene_command, str(settings_path)], scratch)
        # The child knows the outputs by their temporary places.
        places = {entry["path"]: str(path) for entry, (path, _) in zip(outputs, request.outputs)}
        return SceneResult(made.notes, {places[place]: numbers for place, numbers in made.quality.items()})


def _retarget_settings(target):
    if target is None:
        return None
    # Not resolved as a path: it may carry an object's name behind a #.
    mapping = os.path.abspath(target.mapping) if target.mapping else None
    return {"rig": os.path.abspath(target.rig), "options": target.options, "mapping": mapping}


def environ_with_temp_folder(folder):
    """The environment of a child whose temporary files lie in `folder`: every Blender makes some, and a killed one leaves them."""
    return {**os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))}


def _run_child(command, scratch):
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    child = subprocess.Popen(command, env=environ_with_temp_folder(scratch), **pipes)
    try:
        text = child.communicate()[0].decode("utf-8", "replace")
    finally:
        if child.poll() is None:  # interrupted
            child.kill()
            child.wait()
    answers = [line for line in text.splitlines() if line.startswith('{"meshrec"')]
    if not answers:
        details = "\n".join(text.splitlines()[-_LOG_TAIL_LINES:])
        error = MeshRecError(
            "blender-ended-unexpectedly",
            "Blender ended unexpectedly (exit code {returncode}).",
            "Choose another Blender with --blender.",
            returncode=child.returncode,
        )
        error.add_note(details)
        raise error
    answer = json.loads(answers[-1])
    if answer["meshrec"] == "made":
        return SceneResult(tuple(map(message_from_json, answer["notes"])), answer["quality"])
    error = error_from_exit_code(answer["exit_code"], message_from_json(answer["problem"]), message_from_json(answer["remedy"]))
    error.add_note(answer["details"])
    raise error


def find_scene_command(blender=None):
    """The command that runs the making job, up to its settings file.

    In this order: `blender`; this Python, if it has bpy; the checkout's own Blender modules; Blender on PATH.
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
    python = "Scripts/python.exe" if sys.platform == "win32" else "bin/python"
    modules = sorted((_PACKAGE_FOLDER.parent / ".venvs").glob(f"bpy-*/{python}"))
    if modules:
        return _scene_command(next((path for path in modules if "bpy-4.5" in str(path)), modules[-1]))
    found = shutil.which("blender")
    if found:
        return _scene_command(Path(found))
    raise InputError(
        "blender-not-found", "No Blender was found to make the scene with.", "Give --blender FILE, or write an .npz and convert it later."
    )


def _scene_command(program):
    if program.name.lower().startswith("python"):
        return [str(program), str(_JOB_SCRIPT)]
    return [str(program), "-b", "--factory-startup", "--python", str(_JOB_SCRIPT), "--"]
