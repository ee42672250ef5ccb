"""The button that solves a clip again with the list of people that the user has changed; the footage is not looked at again."""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import bpy

from ...bridge.messages import ReconstructRequest, Result, request_from_text, request_to_text
from ...core.errors import MeshRecError
from ...core.messages import Message
from ...core.people_list import PeopleList
from ...scene.corrections.solve_again import REQUEST_PROPERTY
from ...scene.takes.earlier_results import find_clip, hide_people
from ..blender_types import require, scene_of, settings_of
from ..footage.scene_camera import SceneCamera
from ..jobs import jobs
from ..jobs.job_operator import JobOperator
from ..jobs.scene_making import make_people, textures_of
from ..operator_feedback import poll_unless
from ..properties import build_request
from ..redraw import redraw
from ..setup.preferences import get_backend_python, get_cache_folder
from ..translation import translate
from .people_state import people_of, take_over_people


class SolvePeople(JobOperator, bpy.types.Operator):
    """Solve the clip again with the people as the list has them, from what was seen: each rig gets a new take"""

    bl_idname = "meshrec.solve_people"
    bl_label = "Solve Again"
    bl_options: ClassVar = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        known = people_of(settings_of(context)) is not None
        return poll_unless(cls, jobs.busy_message() or ("" if known else translate("Reconstruct the clip first")))

    def _start(self, context: bpy.types.Context) -> jobs.Job:
        settings = settings_of(context)
        people = require(people_of(settings))
        try:
            clip = find_clip(scene_of(context), settings.path).collection
            stored = None if clip is None else clip.get(REQUEST_PROPERTY)
            request = build_request(settings) if stored is None else request_from_text(stored)
            return jobs.start(
                request_with_people(request, people, settings.people_text, get_cache_folder(context)), get_backend_python(context)
            )
        except MeshRecError:
            redraw()
            raise

    def _make_scene(self, context: bpy.types.Context, job: jobs.Job, result: Result) -> None:
        settings, request = settings_of(context), job.request
        settings.set_people(result.report, result.portraits)
        take_over_people(settings, result)
        numbered = tuple(zip(result.people, result.recoveries))
        camera = SceneCamera(settings.scene_camera) if request.camera_text and settings.scene_camera else None
        name, bodies = Path(request.source).stem, (request.body, request.skel_body)
        assembly = make_people(context, name, numbered, bodies, result.report, True, {}, camera, textures_of(result))
        assembly.collection[REQUEST_PROPERTY] = request_to_text(request)
        people = people_of(settings)
        hidden = hide_people(numbered[0][1].footage, () if people is None else people.numbers)
        text = '"{name}" is hidden: the list of people has them no more.'
        notes = [Message("listed-person-hidden", text, name=gone) for gone in hidden]
        template = "Solved again: 1 person, {frames} frames." if len(numbered) == 1 else "Solved again: {people} people, {frames} frames."
        summary = translate(template, people=len(numbered), frames=len(numbered[0][1]))
        job.notes = (summary, *notes, *result.report.get("warnings", ()), *assembly.notes)
        self.report({"INFO"}, summary)

    def _discard_files(self) -> None:
        """No files are kept."""


def request_with_people(request: ReconstructRequest, people: PeopleList, text: str, cache: str | None) -> ReconstructRequest:
    """A request with a list of people; a chosen person who is not in it gives way to everybody."""
    is_gone = request.person.isdecimal() and int(request.person) not in people.numbers
    return replace(request, person="all" if is_gone else request.person, people_text=text, surface=None, cache=cache)


CLASSES = (SolvePeople,)
