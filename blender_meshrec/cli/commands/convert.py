"""`meshrec convert`: a motion file to another format; only conversions between SMPL's poses and SKEL's angles need the backend."""

import os
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from ...bridge.backend_process import start_job
from ...bridge.messages import ReconstructRequest
from ...core.errors import ExitCode, InputError
from ...core.files.body_template import load_body
from ...core.files.motion_npz import write_motion
from ...core.files.temporary_folder import scratch_folder
from ...core.files.texture_file import read_texture, texture_path
from ...core.options import OPTIONS
from ...core.records import Recovery
from ...retarget.recovery_files import read_recovery
from ...retarget.source.smpl_file import is_own_motion
from .. import surfaces
from ..arguments import request_values
from ..console import Console
from ..output_checks import check_outputs, input_files
from ..outputs import settings_from_options, write_outputs


def run(options: Namespace, console: Console) -> int:
    """Read the motion, and write it in the format of the output's suffix."""
    output, name = Path(options.output), Path(options.motion).stem
    # The output may replace the motion itself.
    check_outputs([output], options.blender, protected=[file for file in input_files(options) if file != Path(options.motion)])
    surfaces.check_skeleton_option(options)
    recovery, notes = read_recovery(options.motion, options.body, options.up)
    if options.from_skel or (options.skeleton == "skel" and recovery.q is None):
        recovery = convert_in_backend(recovery, options, console)
    if output.suffix.lower() != ".npz":
        check_body_model(recovery, options)
    texture = None if output.suffix.lower() == ".npz" else read_texture(texture_path(Path(options.motion)))
    settings = replace(
        settings_from_options(options),
        surfaces=surfaces.find_motion_surfaces(options, recovery),
        textures=() if texture is None else (texture,),
    )
    made = write_outputs([recovery], [1], [(output, (0,))], name, settings)
    for note in (*notes, *made.notes):
        console.warn(note)
    console.done(options.motion, [str(path) for path in (output, *made.surfaces, *made.textures)])
    return ExitCode.DONE


def convert_in_backend(recovery: Recovery, options: Namespace, console: Console) -> Recovery:
    """The motion with SKEL's angles fitted to SMPL's poses; with --from-skel, with SMPL's poses fitted to SKEL's angles."""
    models = request_values(options, (OPTIONS["body"], OPTIONS["skel_body"]))
    with scratch_folder() as scratch:
        source = Path(options.motion)
        if not is_own_motion(source):
            source = scratch / f"{source.stem}.npz"
            write_motion(source, replace(recovery, poses=recovery.poses[:, :72]))
        request = ReconstructRequest(os.path.abspath(source), skeleton="smpl" if options.from_skel else "skel", **models)
        result = start_job(request, options.python).wait(lambda progress: console.progress(progress, options.motion))
    for warning in result.report["warnings"]:
        console.warn(warning)
    return result.recoveries[0]


def check_body_model(recovery: Recovery, options: Namespace) -> None:
    """Check that --body is of the motion's model family: the same betas are another shape in another family.

    Raises:
        InputError: it is not. ModelError: the body file cannot be read.
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
