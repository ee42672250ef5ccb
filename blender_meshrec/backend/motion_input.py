"""Input that is a motion instead of footage: SMPL motions to be converted to SKEL's angles, or SKEL's angles to SMPL rotations."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..bodies.make_body import make_body
from ..bridge.messages import Progress, ReconstructRequest, Result
from ..core.errors import InputError
from ..core.files.body_template import BodyTemplate, load_body
from ..core.files.motion_npz import read_motion
from ..core.messages import Message
from ..core.options import RECONSTRUCT_OPTIONS
from ..core.records import Recovery
from ..retarget.source.smpl_file import is_own_motion, is_smpl_motion
from ..retarget.source.smpl_recovery import recovery_from_smpl
from .devices import choose_device
from .refiners.skel_conversion import convert_to_skel, convert_to_smpl, load_skel_body

# The options that mean something for a motion; `person` is checked and names the outputs.
USED_OPTIONS = ("body", "person", "skeleton", "skel_body", "device", "up")


def is_motion_file(source: str) -> bool:
    """Whether a source is a motion rather than footage or keypoints."""
    return Path(source).is_file() and (is_own_motion(source) or is_smpl_motion(source))


def recover_motion(request: ReconstructRequest, on_progress: Callable[[Progress], None] = lambda progress: None) -> Result:
    """The counterpart of `pipeline.recover` for a motion file: its Recovery in SKEL's angles, or their angles as SMPL poses.

    Raises:
        MeshRecError as `pipeline.recover`; InputError if the motion has no angles to convert.
    """
    device = choose_device(request.device)
    body = make_body(load_body(request.body), device)
    recovery, notes = _read_motion(request.source, body.template, request.up)
    name = Path(request.source).name
    if request.skeleton != "skel" and recovery.q is None:
        raise InputError(
            "motion-without-skel-angles",
            "{name} is a motion without SKEL's angles, not footage.",
            "Convert or retarget it as it is.",
            name=name,
        )
    skel = load_skel_body(request.skel_body, device)

    def report_progress(done: int, total: int) -> None:
        on_progress(Progress("Convert to SKEL" if request.skeleton == "skel" else "Convert to SMPL", done, total))

    convert = convert_to_skel if request.skeleton == "skel" else convert_to_smpl
    recovery, report, warnings = convert(recovery, body, skel, report_progress)
    people = [{"person": 1, request.skeleton: report}]
    return Result((recovery,), (1,), {"input": request.source, "people": people, "warnings": [*unused_options(request), *notes, *warnings]})


def unused_options(request: ReconstructRequest) -> list[Message]:
    """A message about options that were given and mean nothing for a motion."""
    given = [
        option.argument.flag
        for option in RECONSTRUCT_OPTIONS
        if option.argument and option.name not in USED_OPTIONS and getattr(request, option.name) != option.default
    ]
    if not given:
        return []
    return [
        Message(
            "options-of-footage",
            "{name} is a motion and not footage, for which these options do nothing: {options}.",
            name=Path(request.source).name,
            options=tuple(given),
        )
    ]


def _read_motion(path: str, template: BodyTemplate, up: str) -> tuple[Recovery, tuple[Message, ...]]:
    """The motion of a file, with notes on what had to be assumed; of a body with hands, SMPL's joints alone."""
    if not is_smpl_motion(path):
        return read_motion(path), ()
    recovery, notes = recovery_from_smpl(path, template, up)
    return replace(recovery, poses=recovery.poses[:, :72]), notes
