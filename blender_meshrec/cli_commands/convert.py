"""`meshrec convert`: a motion file to another format; no backend is needed."""

from pathlib import Path

from ..core.body_template import load_body
from ..core.errors import InputError
from ..core.motion_file import read_motion
from .outputs import check_outputs, write_outputs


def run(options, console):
    """Read the motion, make what the output's suffix asks for."""
    output, name = Path(options.output), Path(options.motion).stem
    check_outputs([output], options.blender)
    recovery = read_motion(options.motion)
    if output.suffix.lower() != ".npz":
        check_body(recovery, options)
    skel = options.skel if options.skeleton == "skel" else None
    made = write_outputs([recovery], [1], [(output, (0,))], name, options.body, options.preset, options.blender, skel=skel)
    for note in made.notes:
        console.warn(note)
    console.done(options.motion, [str(output)])
    return 0


def check_body(recovery, options):
    """Refuse a body of another family than the motion's: its betas would mean another shape.

    Raises:
        InputError, or ModelError where the body file cannot be read.
    """
    kind = load_body(options.body).surface_model_type
    if recovery.surface_model_type != kind:
        needed = "--body open" if recovery.surface_model_type == "open" else f"your {recovery.surface_model_type.upper()} file as --body"
        raise InputError(f"{options.motion} was made with another body ({recovery.surface_model_type}, not {kind}).", f"Give {needed}.")
