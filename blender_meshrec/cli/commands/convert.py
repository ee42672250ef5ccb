"""`meshrec convert`: a motion file to another format; only between SMPL's poses and SKEL's angles is the backend needed."""

import os
from pathlib import Path

from ...bridge.backend_process import start_job
from ...bridge.messages import ReconstructRequest
from ...core.errors import InputError
from ...core.files.body_template import load_body
from ...core.files.motion_npz import read_motion
from ...retarget.source.smpl import is_smpl_motion
from .. import surfaces
from ..outputs import check_outputs, input_files, write_outputs


def run(options, console):
    """Read the motion, make what the output's suffix asks for."""
    output, name = Path(options.output), Path(options.motion).stem
    # A motion may be converted in its place.
    check_outputs([output], options.blender, protected=[file for file in input_files(options) if file != Path(options.motion)])
    surfaces.check_skeleton_option(options)
    skel = options.skel if options.skeleton == "skel" else None
    if options.from_skel or (skel and lacks_skel_angles(options.motion)):
        recovery = convert_in_backend(options, console)
    else:
        recovery = read_motion(options.motion)
    if output.suffix.lower() != ".npz":
        check_body_model(recovery, options)
    settings = {"skel": skel, "stretch": not options.no_stretch, "surfaces": surfaces.find_motion_surfaces(options, recovery)}
    made = write_outputs([recovery], [1], [(output, (0,))], name, options.body, options.preset, options.blender, **settings)
    for note in made.notes:
        console.warn(note)
    console.done(options.motion, [str(path) for path in (output, *made.surfaces)])
    return 0


def lacks_skel_angles(motion):
    """Whether a motion is not one of ours that holds SKEL's angles already."""
    return is_smpl_motion(motion) or read_motion(motion).q is None


def convert_in_backend(options, console):
    """The motion as the backend says it in SKEL's angles, or its angles in SMPL's poses."""
    request = ReconstructRequest(
        source=os.path.abspath(options.motion),
        body=options.body if options.body == "open" else os.path.abspath(options.body),
        skeleton="smpl" if options.from_skel else "skel",
        skel_body=options.skel if options.skel == "open" else os.path.abspath(options.skel),
    )
    result = start_job(request, options.python).wait(lambda progress: console.progress(progress, options.motion))
    for warning in result.report["warnings"]:
        console.warn(warning)
    return result.recoveries[0]


def check_body_model(recovery, options):
    """Refuse a body of another family than the motion's: its betas would mean another shape.

    Raises:
        InputError, or ModelError where the body file cannot be read.
    """
    kind = load_body(options.body).surface_model_type
    if recovery.surface_model_type != kind:
        needed = "--body open" if recovery.surface_model_type == "open" else f"your {recovery.surface_model_type.upper()} file as --body"
        raise InputError(
            "motion-of-another-body",
            "{motion} was made with another body ({surface_model_type}, not {kind}).",
            "Give {needed}.",
            motion=options.motion,
            surface_model_type=recovery.surface_model_type,
            kind=kind,
            needed=needed,
        )
