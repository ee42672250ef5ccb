"""What an artist would do next, as one line of the panel and the button for it."""

from typing import NamedTuple

import bpy

from ...scene.takes.frame_states import find_problems
from ..blender_types import retarget_settings_of, settings_of
from ..jobs import jobs
from ..selection import result_armature
from ..translation import translate

LOOKED_PROPERTY = "meshrec_looked"  # of an armature object: an artist has been to a problem of its take


class NextStep(NamedTuple):
    """A translated sentence, the operator that does it, and its icon."""

    sentence: str
    operator: str
    icon: str


def next_step(context: bpy.types.Context) -> NextStep | None:
    """The next step; None while something runs, failed or waits for an answer, and before there is footage."""
    settings, job, person = settings_of(context), jobs.current, result_armature(context)
    if job is not None and (job.running or job.error is not None or job.cancelled):
        return None
    if person is None:
        return NextStep(translate("Next: reconstruct the footage"), "meshrec.reconstruct", "ARMATURE_DATA") if settings.source else None
    problems = len(find_problems(person))
    if problems and not person.get(LOOKED_PROPERTY):
        text = "Next: look at the places that are doubtful or filled in ({count})"
        return NextStep(translate(text, count=problems), "meshrec.next_problem", "NEXT_KEYFRAME")
    retargeting = retarget_settings_of(context)
    if retargeting.target is None:
        return NextStep(translate("Next: choose your character in Retarget, or export the person"), "meshrec.export", "EXPORT")
    if not retargeting.result:
        return NextStep(translate("Next: retarget the motion to your character"), "meshrec.retarget", "ARMATURE_DATA")
    return NextStep(translate("Next: export your character"), "meshrec.export", "EXPORT")
