"""The buttons that reconstruct people and import motion files."""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import bpy
from bpy.props import EnumProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from ..bridge.messages import Result, request_to_text
from ..core.files.point_cache import SUFFIX
from ..core.files.texture_file import read_texture, texture_path
from ..core.option_choices import UP_AXES
from ..retarget.source.suffixes import MOTION_SUFFIXES
from ..scene.corrections.solve_again import REQUEST_PROPERTY
from .blender_types import OperatorResult, require, settings_of
from .footage.scene_camera import SceneCamera
from .jobs import jobs
from .jobs.job_operator import JobOperator
from .jobs.saved_corrections import with_saved_corrections
from .jobs.scene_making import ClipPeople, make_people, people_of_result
from .jobs.surface_files import SurfaceFiles
from .operator_feedback import poll_unless, report_notes, reports_errors
from .people.people_state import missing_footage, take_over_people
from .properties import build_request
from .redraw import redraw
from .setup.preferences import get_backend_python, get_cache_folder
from .translation import translate


class Reconstruct(JobOperator, bpy.types.Operator):
    """Find the people in the footage and bring them into the scene as animated characters"""

    bl_idname = "meshrec.reconstruct"
    bl_label = "Reconstruct"
    # Not REGISTER: Repeat Last would block Blender until the job ends.
    bl_options: ClassVar = {"UNDO"}

    _surfaces: SurfaceFiles | None = None

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return poll_unless(cls, jobs.busy_message() or missing_footage(settings_of(context)))

    def _start(self, context: bpy.types.Context) -> jobs.Job:
        settings = settings_of(context)
        if settings.is_calibrated and settings.surface == "EXACT":
            self._surfaces = SurfaceFiles(Path(settings.path).stem)
        prefix = self._surfaces.prefix if self._surfaces else None
        request = with_saved_corrections(build_request(settings, get_cache_folder(context), prefix), settings.path)
        return jobs.start(request, get_backend_python(context))

    def _make_scene(self, context: bpy.types.Context, job: jobs.Job, result: Result) -> None:
        settings = settings_of(context)
        settings.set_people(result.report, result.portraits)
        take_over_people(settings, result)
        surfaces = self._surfaces.keep_surfaces(result.people) if self._surfaces else {}
        clip = people_of_result(job.request, result, surfaces)
        scene_camera = SceneCamera(settings.scene_camera) if job.request.camera_text else None
        try:
            assembly = make_people(context, clip, settings.rerun == "REPLACE", scene_camera)
        except BaseException:
            for surface in surfaces.values():
                surface.unlink(missing_ok=True)
            raise
        # With the lens that was found, so that the camera stays when the clip is solved again.
        focal = job.request.focal if scene_camera else f"{clip.first.camera_intrinsics[0, 0]:.2f}px"
        # Solved again, people keep the texture that they have.
        assembly.collection[REQUEST_PROPERTY] = request_to_text(replace(job.request, focal=focal, sensor=None, texture=False))
        template = "1 person, {frames} frames." if len(result.people) == 1 else "{people} people, {frames} frames."
        summary = translate(template, people=len(result.people), frames=len(clip.first))
        job.notes = (summary, *result.report.get("warnings", ()), *assembly.notes)
        self.report({"INFO"}, summary)

    def _discard_files(self) -> None:
        if self._surfaces is not None:
            self._surfaces.discard()
            self._surfaces = None


class Cancel(bpy.types.Operator):
    """Stop the reconstruction; the scene stays as it is"""

    bl_idname = "meshrec.cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return jobs.is_running()

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        require(jobs.current).cancel()
        redraw()
        return {"FINISHED"}


class ImportMotion(bpy.types.Operator, ImportHelper):
    """Bring a motion of MeshRec, an SMPL motion of other software or a BVH file into the scene as an animated character"""

    bl_idname = "meshrec.import_motion"
    bl_label = "Import Motion"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    filename_ext = ".npz"
    filter_glob: StringProperty(default=";".join(f"*{suffix}" for suffix in MOTION_SUFFIXES), options={"HIDDEN"})
    # SKIP_SAVE: otherwise the previous path would look like that of a dropped file.
    filepath: StringProperty(name="File Path", description="The motion file", subtype="FILE_PATH", options={"SKIP_SAVE"})
    up: EnumProperty(
        name="Up", description="The axis that points up in an SMPL motion of other software", items=tuple(choice.item for choice in UP_AXES)
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        if self.properties.is_property_set("filepath"):  # the file was dropped into the 3D view
            return self.execute(context)
        return super().invoke(context, event)

    @reports_errors
    def execute(self, context: bpy.types.Context) -> OperatorResult:
        from ..retarget.recovery_files import read_recovery  # imported late: enabling stays fast

        path, settings = Path(self.filepath), settings_of(context)
        surface = path.with_suffix(SUFFIX)
        surfaces = {1: surface} if settings.surface == "EXACT" and surface.is_file() else {}
        recovery, notes = read_recovery(path, settings.body_source, self.up)
        texture = read_texture(texture_path(path))
        textures = {} if texture is None else {1: texture}
        bodies = settings.body_source, settings.skel_source
        assembly = make_people(context, ClipPeople(path.stem, [(1, recovery)], bodies, surfaces=surfaces, textures=textures))
        report_notes(self, (*notes, *assembly.notes))
        return {"FINISHED"}


CLASSES = (Reconstruct, Cancel, ImportMotion)
