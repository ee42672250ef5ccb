"""The button that solves a clip again where an artist has corrected it: bad ranges, dragged joints, contacts."""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import bpy
import numpy as np

from ...bridge.messages import Result, is_calibrated_method, request_from_text
from ...core.corrections import Corrections, PersonCorrections
from ...core.errors import InputError
from ...core.files.corrections import write_corrections
from ...core.files.motion_npz import write_motion
from ...core.files.temporary_folder import SCRATCH_PREFIX, TemporaryFolder, find_temporary_folder, temporary_folder_error
from ...scene.cameras.footage_clock import FIRST_PROPERTY
from ...scene.corrections.corrections import collect_corrections
from ...scene.corrections.solve_again import REQUEST_PROPERTY, ClipResult, earlier_recovery, find_clip_result
from ..blender_types import require
from ..jobs import jobs
from ..jobs.job_operator import JobOperator
from ..jobs.scene_making import people_of_result, replace_people
from ..operator_feedback import poll_unless
from ..selection import missing_person, result_armature
from ..setup.preferences import get_backend_python, get_cache_folder
from ..translation import translate
from .correction_operators import save_with_warning


class SolveAgain(JobOperator, bpy.types.Operator):
    """Solve the ranges that you have corrected again, from the detections and your corrections; the rest of the clip stays"""

    bl_idname = "meshrec.solve_again"
    bl_label = "Solve Again"
    bl_options: ClassVar = {"UNDO"}

    _armature = ""  # its name: Undo while the job runs makes other objects
    _corrected: dict[int, PersonCorrections]
    _folder: TemporaryFolder | None = None

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return poll_unless(cls, jobs.busy_message() or _obstacle(result_armature(context)))

    def _start(self, context: bpy.types.Context) -> jobs.Job:
        armature_object = require(result_armature(context))
        clip, self._armature = require(find_clip_result(armature_object)), armature_object.name
        self._corrected = {number: collect_corrections(person) for number, person in clip.armatures.items()}
        save_with_warning(self, clip.armatures.values())  # a file that cannot be written does not keep the clip from being solved
        request = request_from_text(clip.collection[REQUEST_PROPERTY])
        shapes, corrections = self._write_people(clip, is_everybody=request.person == "all")
        request = replace(
            request,
            height=None,
            betas=shapes,
            known_contacts=(),
            corrections=corrections,
            contacts=True,
            surface=None,
            cache=get_cache_folder(context),
        )
        return jobs.start(request, get_backend_python(context))

    def _write_people(self, clip: ClipResult, is_everybody: bool) -> tuple[tuple[str, ...], str]:
        """Write each person's motion, and everybody's corrections, to files.

        Returns:
            the motions in the order of the people, "" for one who is gone, and the corrections.
        """
        try:
            self._folder = TemporaryFolder(find_temporary_folder(), SCRATCH_PREFIX)
        except OSError as error:
            raise temporary_folder_error(error) from error
        folder, shapes, people = self._folder.path, dict[int, str](), list[PersonCorrections]()
        for number, armature_object in clip.armatures.items():
            motion = earlier_recovery(armature_object)
            path = folder / f"person{number}.npz"
            if motion is not None:
                write_motion(path, motion)
            else:
                _write_shape(path, armature_object)
            shapes[number] = str(path)
            people.append(replace(self._corrected[number], earlier="" if motion is None else path.name))
        file = folder / "clip.corrections.json"
        write_corrections(file, Corrections(people=tuple(people)))
        # A list goes by number; of one person alone it is a single file.
        ordered = tuple(shapes.get(number, "") for number in range(1, max(shapes) + 1)) if is_everybody else tuple(shapes.values())
        return ordered, str(file)

    def _make_scene(self, context: bpy.types.Context, job: jobs.Job, result: Result) -> None:
        armature_object = bpy.data.objects.get(self._armature)
        clip = None if armature_object is None else find_clip_result(armature_object)
        if clip is None:
            raise InputError("solved-person-gone", '"{name}" is gone.', "Select the person and solve the clip again.", name=self._armature)
        armatures = {number: rig for number, rig in clip.armatures.items() if number in result.people and self._is_corrected(number, rig)}
        if armatures:
            replace_people(context, people_of_result(job.request, result), armatures)
        summary = _summary([self._corrected[number] for number in armatures])
        job.notes = (summary, *result.report.get("warnings", ()))
        self.report({"INFO"}, summary)

    def _is_corrected(self, number: int, armature_object: bpy.types.Object) -> bool:
        """Whether a person gets a new take: one whom nothing was corrected of keeps theirs."""
        return bool(self._corrected.get(number)) or FIRST_PROPERTY not in armature_object

    def _discard_files(self) -> None:
        if self._folder is not None:
            self._folder.remove()
            self._folder = None


def _write_shape(path: Path, armature_object: bpy.types.Object) -> None:
    """Write the shape of a person whose motion cannot be written."""
    np.savez(path, betas=np.array(armature_object["betas"]), surface_model_type=armature_object.get("surface_model_type", "smpl"))


def _summary(people: list[PersonCorrections]) -> str:
    """What was solved again, translated."""
    ranges, pins = sum(len(person.bad) for person in people), sum(len(person.pins) for person in people)
    contacts = sum(len(person.contacts) for person in people)
    if not ranges + pins + contacts:
        return translate("Solved again; nothing was corrected.")
    template = "Solved again with {ranges} bad ranges, {pins} pins and {contacts} edited contacts."
    return translate(template, ranges=ranges, pins=pins, contacts=contacts)


def _obstacle(armature_object: bpy.types.Object | None) -> str:
    """Why a person cannot be solved again, as a translated sentence; "" if they can."""
    if armature_object is None:
        return missing_person(None)
    clip = find_clip_result(armature_object)
    if clip is None:
        return translate("This result was not reconstructed in this file: reconstruct the footage again")
    if is_calibrated_method(request_from_text(clip.collection[REQUEST_PROPERTY]).method):
        return translate("A calibrated result cannot be solved again")
    return ""


CLASSES = (SolveAgain,)
