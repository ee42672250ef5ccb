"""Write the outputs of a settings file, in a process of its own.

    python make_job.py SETTINGS.json                                         (a Python that has bpy)
    blender -b --factory-startup --python make_job.py -- SETTINGS.json

`bridge/scene_process.py` writes the settings, and with "tethered" it holds the other end of standard input: when that closes, this
process ends. The line on standard output that begins with {"meshrec" is the answer in JSON: notes, or the reason of the failure; on
Windows, Blender prints its own after it. The package need not be installed: it is found from the path of this file.
"""

import importlib
import io
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..core.errors import MeshRecError

PACKAGE = Path(__file__).resolve().parents[1]


def main(settings_path: str) -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Exporters print paths, which the code page that Windows gives to pipes cannot write.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    sys.path.insert(0, str(PACKAGE.parent))
    errors, messages = _import("core.errors"), _import("core.messages")
    _import("bridge.memory_limit").limit_memory()
    _import("bridge.windows_system").end_children_with_this_process()
    try:
        settings = json.loads(Path(settings_path).read_text(encoding="utf-8"))
        if settings.get("tethered"):
            _import("bridge.tethered_process").end_with_parent()
        notes, quality = write_job_outputs(settings)
        answer = {"meshrec": "made", "notes": list(map(messages.message_to_json, notes)), "quality": quality}
        exit_code = errors.ExitCode.DONE
    except errors.MeshRecError as error:
        answer, exit_code = failure_answer(error, messages.message_to_json), error.exit_code
    except KeyboardInterrupt:
        os._exit(int(errors.ExitCode.CANCELLED))
    except MemoryError:
        remedy = "Close other programs, or choose smaller files or a shorter range of frames."
        failure = errors.MeshRecError("scene-memory-too-small", "The memory was not enough to make the scene.", remedy)
        answer, exit_code = failure_answer(failure, messages.message_to_json), failure.exit_code
    except Exception as error:  # noqa: BLE001 - the parent process shows it; this one must end in any case
        remedy = "Report this with the details."
        unforeseen = errors.MeshRecError("scene-process-failed", "Making the scene failed: {reason}.", remedy, reason=error)
        answer, exit_code = failure_answer(unforeseen, messages.message_to_json), unforeseen.exit_code
    print(f"\n{json.dumps(answer)}")
    sys.stdout.flush()
    sys.stderr.flush()
    # Some Blender modules hang or crash during Python's shutdown; all files are complete at this point.
    os._exit(int(exit_code))


def write_job_outputs(settings: Mapping[str, Any]) -> tuple[list[str], dict[str, dict[str, float]]]:
    """Write the outputs; returns notes, and the quality of a retarget by output path."""
    if settings.get("map"):
        return [], {"mapping": _import("scene.retargeting.map_rig").map_file(settings["map"])}
    if settings.get("camera"):
        return [], {"camera": {"text": _import("scene.cameras.known_cameras").camera_of_file(**settings["camera"])}}
    outputs = _import("scene.outputs")
    job_outputs = [
        outputs.Output(Path(entry["path"]), tuple(entry["people"]), Path(entry["home"]), tuple(entry.get("surfaces", ())))
        for entry in settings["outputs"]
    ]
    motions = [(person["name"], person["motion"]) for person in settings["people"]]
    if settings.get("retarget"):
        retarget_files = _import("scene.retargeting.retarget_outputs").retarget_files
        quality, notes = retarget_files(motions, job_outputs, settings["body"], settings["preset"], **settings["retarget"])
        return notes, quality
    person_class, read_motion = _import("scene.assemble").Person, _import("core.files.motion_npz").read_motion
    template, skel = _import("core.files.body_template").load_body(settings["body"]), settings.get("skel")
    skel = skel and _import("core.skel.template").load_skel(skel)
    surfaces = [path and Path(path) for path in settings.get("surfaces") or [None] * len(motions)]
    textures = [path and Path(path).read_bytes() for path in settings.get("textures") or [None] * len(motions)]
    people = [
        person_class(name, read_motion(motion), template, skel, surface, texture=texture)
        for (name, motion), surface, texture in zip(motions, surfaces, textures)
    ]
    options = settings.get("stretch", True), settings.get("pose_shapes", False), settings.get("with_camera", False)
    return outputs.write_outputs(people, job_outputs, settings["name"], settings["preset"], *options), {}


def failure_answer(error: "MeshRecError", message_to_json: Callable[[str], object]) -> dict[str, object]:
    """The answer of a failed job: a MeshRecError, and the traceback of the current exception."""
    problem, remedy = message_to_json(error.problem), message_to_json(error.remedy)
    return {
        "meshrec": "failed",
        "exit_code": int(error.exit_code),
        "problem": problem,
        "remedy": remedy,
        "details": traceback.format_exc(),
    }


def _import(module: str) -> Any:
    """A module of this package, whose name depends on its folder."""
    return importlib.import_module(f"{PACKAGE.name}.{module}")


if __name__ == "__main__":
    main(sys.argv[-1])
