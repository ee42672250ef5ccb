"""`meshrec retarget`: a motion onto an artist's character; no backend is needed."""

from pathlib import Path

from ...bridge.maker_process import MakeRequest
from ...core.errors import InputError
from ..outputs import casting_of, check_outputs, check_report, files_read, make_scenes, writable
from .reconstruct import write_report


def run(options, console):
    """Let the character perform the motion, and write what the output's suffix asks for."""
    motion, output = Path(options.motion), Path(options.output)
    if not motion.is_file():
        raise InputError(f"There is no file {motion}.", "Check the path of the motion.")
    casting = casting_of(options)
    if output.suffix.lower() == ".npz":
        raise InputError("An .npz holds a motion and no character.", "Choose another suffix for the output.")
    check_outputs([output], options.blender, keep=files_read(options), cast=True)
    check_report(options.report, files_read(options), [output])
    name = writable(motion.stem)
    request = MakeRequest(name, ((name, motion),), ((output, (0,)),), options.body, options.preset, casting)
    made = make_scenes(request, options.blender)
    for note in made.notes:
        console.warn(note)
    if options.report:
        facts = {"input": str(motion), "outputs": [str(output)], "warnings": list(made.notes), "retarget": made.quality}
        write_report(options.report, facts)
    console.done(options.motion, [str(output)])
    return 0
