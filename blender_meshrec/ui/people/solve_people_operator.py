"""The button that solves a clip again with the list of people that the user has changed; the footage is not looked at again."""

from dataclasses import replace
from typing import ClassVar

import bpy

from ...bridge.messages import ReconstructRequest, Result, request_from_text, request_to_text
from ...core.messages import Message
from ...core.people_list import PeopleList
from ...scene.corrections.solve_again import REQUEST_PROPERTY
from ...scene.takes.earlier_results import find_clip, hide_people
from ..blender_types import require, scene_of, settings_of
from ..footage.scene_camera import SceneCamera
from ..jobs import jobs
from ..jobs.job_operator import JobOperator
from ..jobs.scene_making import make_people, people_of_result
from ..operator_feedback import poll_unless
from ..properties import build_request
from ..setup.preferences import get_backend_python, get_cache_folder
from ..translation import translate
from .people_state import missing_people, people_of, take_over_people


class SolvePeople(JobOperator, bpy.types.Operator):
    """Solve the clip again for the people of the list, without reading the footage again: each rig gets a new take"""

    bl_idname = "meshrec.solve_people"
    bl_label = "Solve Again"
    bl_options: ClassVar = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return poll_unless(cls, jobs.busy_message() or missing_people(settings_of(context)))

    def _start(self, context: bpy.types.Context) -> jobs.Job:
        settings = settings_of(context)
        clip = find_clip(scene_of(context), settings.path).collection
        stored = None if clip is None else clip.get(REQUEST_PROPERTY)
        request = build_request(settings) if stored is None else request_from_text(stored)
        request = request_with_people(request, require(people_of(settings)), settings.people_text, get_cache_folder(context))
        return jobs.start(request, get_backend_python(context))

    def _make_scene(self, context: bpy.types.Context, job: jobs.Job, result: Result) -> None:
        settings, request = settings_of(context), job.request
        settings.set_people(result.report, result.portraits)
        take_over_people(settings, result)
        clip = people_of_result(request, result)
        camera = SceneCamera(settings.scene_camera) if request.camera_text and settings.scene_camera else None
        assembly = make_people(context, clip, new_takes=True, scene_camera=camera)
        assembly.collection[REQUEST_PROPERTY] = request_to_text(request)
        people = people_of(settings)
        hidden = hide_people(clip.first.footage, () if people is None else people.numbers)
        text = '"{name}" is hidden: the list of people no longer has this person.'
        notes = [Message("listed-person-hidden", text, name=gone) for gone in hidden]
        is_one = len(result.people) == 1
        template = "Solved again: 1 person, {frames} frames." if is_one else "Solved again: {people} people, {frames} frames."
        summary = translate(template, people=len(result.people), frames=len(clip.first))
        job.notes = (summary, *notes, *result.report.get("warnings", ()), *assembly.notes)
        self.report({"INFO"}, summary)


def request_with_people(request: ReconstructRequest, people: PeopleList, text: str, cache: str | None) -> ReconstructRequest:
    """A request with a list of people; a chosen person who is not in it gives way to everybody."""
    is_gone = request.person.isdecimal() and int(request.person) not in people.numbers
    return replace(request, person="all" if is_gone else request.person, people_text=text, surface=None, cache=cache)


CLASSES = (SolvePeople,)
