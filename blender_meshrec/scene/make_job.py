"""Write the outputs that a settings file asks for, in a process of its own.

    python make_job.py SETTINGS.json                                         (a Python that has bpy)
    blender -b --factory-startup --python make_job.py -- SETTINGS.json

The settings are those `bridge/scene_process.py` writes. The last line of JSON on standard output is the answer: notes, or why
it failed. The package needs no installation: it is found from where this file lies.
"""

import importlib
import json
import os
import sys
import traceback
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def main(settings_path):
    sys.path.insert(0, str(PACKAGE.parent))
    part = f"{PACKAGE.name}."
    errors, messages = (importlib.import_module(f"{part}core.{name}") for name in ("errors", "messages"))

    try:
        notes, quality = write_job_outputs(part, json.loads(Path(settings_path).read_text(encoding="utf-8")))
        answer = {"meshrec": "made", "notes": list(map(messages.message_to_json, notes)), "quality": quality}
        exit_code = errors.ExitCode.DONE
    except errors.MeshRecError as error:
        answer, exit_code = failure_answer(error, messages.message_to_json), error.exit_code
    except Exception as error:  # noqa: BLE001 - the other process shows it; this one must end in any case
        remedy = "Report this with the details."
        unforeseen = errors.MeshRecError("scene-process-failed", "Making the scene failed: {reason}.", remedy, reason=error)
        answer, exit_code = failure_answer(unforeseen, messages.message_to_json), unforeseen.exit_code
    print(f"\n{json.dumps(answer)}")
    sys.stdout.flush()
    sys.stderr.flush()
    # Some Blender modules hang or crash while Python tears them down; everything is written by now.
    os._exit(int(exit_code))


def write_job_outputs(part, settings):
    """Write the outputs; gives notes, and the quality of a retarget."""
    outputs = importlib.import_module(part + "scene.outputs")
    wanted = [
        outputs.Output(Path(entry["path"]), tuple(entry["people"]), Path(entry["home"]), tuple(entry.get("surfaces", ())))
        for entry in settings["outputs"]
    ]
    motions = [(person["name"], person["motion"]) for person in settings["people"]]
    if settings.get("retarget"):
        retarget_outputs = importlib.import_module(part + "scene.retarget_outputs")
        quality, notes = retarget_outputs.retarget_files(motions, wanted, settings["body"], settings["preset"], **settings["retarget"])
        return notes, quality
    assemble = importlib.import_module(part + "scene.assemble")
    load_body = importlib.import_module(part + "core.files.body_template").load_body
    read_motion = importlib.import_module(part + "core.files.motion_npz").read_motion
    template, skel = load_body(settings["body"]), settings.get("skel")
    skel = skel and importlib.import_module(part + "core.skel.template").load_skel(skel)
    surfaces = [path and Path(path) for path in settings.get("surfaces") or [None] * len(motions)]
    people = [assemble.Person(name, read_motion(motion), template, skel, surface) for (name, motion), surface in zip(motions, surfaces)]
    return outputs.write_outputs(people, wanted, settings["name"], settings["preset"], settings.get("stretch", True)), {}


def failure_answer(error, message_to_json):
    """The answer of a job that came to nothing: a MeshRecError, and the traceback of the exception at hand."""
    problem, remedy = message_to_json(error.problem), message_to_json(error.remedy)
    return {
        "meshrec": "failed",
        "exit_code": int(error.exit_code),
        "problem": problem,
        "remedy": remedy,
        "details": traceback.format_exc(),
    }


if __name__ == "__main__":
    main(sys.argv[-1])
