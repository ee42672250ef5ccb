"""`meshrec retarget`: retarget a motion to an artist's character, without the backend."""

import os
from argparse import Namespace
from pathlib import Path

from ...bridge.scene_process import SceneRequest
from ...core.errors import ExitCode, InputError
from ..console import Console
from ..output_checks import check_outputs, check_report, input_files
from ..outputs import make_scenes, retarget_target_from_options, utf8_name
from .reconstruct import write_report


def run(options: Namespace, console: Console) -> int:
    """Retarget the motion to the character, and write it in the format of the output's suffix."""
    motion, output = Path(options.motion), Path(options.output)
    if not os.path.isfile(motion):
        raise InputError("motion-argument-not-found", "There is no file {path}.", "Check the path of the motion.", path=motion)
    target = retarget_target_from_options(options)
    if output.suffix.lower() == ".npz":
        raise InputError("npz-holds-no-character", "An .npz holds a motion and no character.", "Choose another suffix for the output.")
    check_outputs([output], options.blender, protected=input_files(options), with_character=True)
    check_report(options.report, input_files(options), [output])
    name = utf8_name(motion.stem)
    request = SceneRequest(name, ((name, motion),), ((output, (0,)),), options.body, options.preset, target)
    made = make_scenes(request, options.blender)
    for note in made.notes:
        console.warn(note)
    if options.report:
        facts = {"input": str(motion), "outputs": [str(output)], "warnings": list(made.notes), "retarget": made.quality}
        write_report(options.report, facts)
    console.done(options.motion, [str(output)])
    return ExitCode.DONE
