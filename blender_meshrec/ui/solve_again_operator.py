"""The button that solves a clip again with the contacts that an artist has edited."""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import bpy
import numpy as np

from ..bridge.messages import Result, is_calibrated_method, request_from_text
from ..core.errors import InputError, MeshRecError
from ..core.files.temporary_folder import SCRATCH_PREFIX, TemporaryFolder, find_temporary_folder, temporary_folder_error
from ..scene.edited_contacts import EditedContacts, read_edited_contacts
from ..scene.solve_again import REQUEST_PROPERTY, ClipResult, find_clip_result
from . import jobs
from .blender_types import require
from .job_operator import JobOperator
from .operator_feedback import poll_unless
from .preferences import get_backend_python, get_cache_folder
from .redraw import redraw
from .scene_making import replace_people
from .selection import result_armature
from .translation import translate


class SolveAgain(JobOperator, bpy.types.Operator):
    """Solve the clip again from what was seen, with your changes of the contact curves; the person gets a new action"""

    bl_idname = "meshrec.solve_again"
    bl_label = "Solve Again"
    bl_options: ClassVar = {"UNDO"}

    _armature = ""  # its name: Undo while the job runs makes other objects
    _edited: dict[int, EditedContacts]
    _folder: TemporaryFolder | None = None

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return poll_unless(cls, jobs.busy_message() or _obstacle(result_armature(context)))

    def _start(self, context: bpy.types.Context) -> jobs.Job:
        armature_object = require(result_armature(context))
        clip, self._armature = require(find_clip_result(armature_object)), armature_object.name
        try:
            self._edited = {number: read_edited_contacts(armature_object) for number, armature_object in clip.armatures.items()}
            request = request_from_text(clip.collection[REQUEST_PROPERTY])
            files = self._write_people(clip, is_everybody=request.person == "all")
            cache = get_cache_folder(context)
            request = replace(request, height=None, betas=files, known_contacts=files, contacts=True, surface=None, cache=cache)
            return jobs.start(request, get_backend_python(context))
        except MeshRecError:
            self._discard_files()
            redraw()
            raise

    def _write_people(self, clip: ClipResult, is_everybody: bool) -> tuple[str, ...]:
        """Write each person's shape and edited contacts to a file; returns the files in the order of the people, "" for one who is gone."""
        try:
            self._folder = TemporaryFolder(find_temporary_folder(), SCRATCH_PREFIX)
        except OSError as error:
            raise temporary_folder_error(error) from error
        files: dict[int, str] = {}
        for number, armature_object in clip.armatures.items():
            edited, path = self._edited[number], self._folder.path / f"person{number}.npz"
            np.savez(
                path,
                contacts=edited.contacts,
                timestamps=edited.timestamps,
                betas=np.array(armature_object["betas"]),
                surface_model_type=armature_object["surface_model_type"],
            )
            files[number] = str(path)
        # A list goes by number; of one person alone it is a single file.
        return tuple(files.get(number, "") for number in range(1, max(files) + 1)) if is_everybody else tuple(files.values())

    def _make_scene(self, context: bpy.types.Context, job: jobs.Job, result: Result) -> None:
        request, recoveries = job.request, dict(zip(result.people, result.recoveries))
        armature_object = bpy.data.objects.get(self._armature)
        clip = None if armature_object is None else find_clip_result(armature_object)
        if clip is None:
            raise InputError("solved-person-gone", '"{name}" is gone.', "Select the person and solve the clip again.", name=self._armature)
        armatures = {number: rig for number, rig in clip.armatures.items() if number in recoveries and number in self._edited}
        edited = {number: self._edited[number].contacts for number in armatures}
        name, bodies = Path(request.source).stem, (request.body, request.skel_body)
        replace_people(context, name, armatures, recoveries, edited, bodies, result.report)
        count = int(sum((~np.isnan(contacts)).any(1).sum() for contacts in edited.values()))
        summary = translate("Solved again with edited contacts in {frames} frames.", frames=count)
        job.notes = (summary, *result.report.get("warnings", ()))
        self.report({"INFO"}, summary)

    def _discard_files(self) -> None:
        if self._folder is not None:
            self._folder.remove()
            self._folder = None


def _obstacle(armature_object: bpy.types.Object | None) -> str:
    """Why a person cannot be solved again, as a translated sentence; "" if they can."""
    if armature_object is None:
        return translate("Select a person that MeshRec has made")
    clip = find_clip_result(armature_object)
    if clip is None:
        return translate("This result was not reconstructed here: reconstruct it anew")
    if is_calibrated_method(request_from_text(clip.collection[REQUEST_PROPERTY]).method):
        return translate("A calibrated result cannot be solved again")
    return ""


CLASSES = (SolveAgain,)
