"""The buttons: each gathers settings, calls one function and reports."""

import time
import traceback
from pathlib import Path
from typing import ClassVar

import bpy
from bpy.props import StringProperty
from bpy_extras.io_utils import ImportHelper

from ..core.errors import MeshRecError
from ..core.files.motion_npz import read_motion
from ..core.files.point_cache import SUFFIX
from . import jobs, setup_state
from .preferences import get_backend_python, get_cache_folder
from .properties import build_request
from .redraw import redraw
from .scene_making import make_people
from .surface_files import SurfaceFiles
from .translation import translate, translate_error, translate_message

_INTERVAL = 0.1  # s
_TICKS_PER_REDRAW = 5


class Reconstruct(bpy.types.Operator):
    """Find the people in the footage and bring them into the scene as animated characters"""

    bl_idname = "meshrec.reconstruct"
    bl_label = "Reconstruct"
    # Not REGISTER: Repeat Last would wait for the whole job instead of letting Blender go on.
    bl_options: ClassVar = {"UNDO"}

    _timer = None
    _ticks = 0
    _surfaces = None

    @classmethod
    def poll(cls, context):
        if jobs.is_running():
            cls.poll_message_set(translate("A reconstruction is running"))
            return False
        if setup_state.is_installing():
            cls.poll_message_set(translate("The backend is being installed"))
            return False
        if not context.scene.meshrec.source:
            cls.poll_message_set(translate("Choose footage first"))
            return False
        return True

    def execute(self, context):
        """Wait for the result: for scripts, and for Blender without a window."""
        if not self._start(context):
            return {"CANCELLED"}
        while jobs.current.running:
            jobs.current.update()
            time.sleep(_INTERVAL / 2)
        return self._finish(context)

    def invoke(self, context, event):
        if bpy.app.background:
            return self.execute(context)
        if not self._start(context):
            return {"CANCELLED"}
        manager = context.window_manager
        self._timer = manager.event_timer_add(_INTERVAL, window=context.window)
        manager.modal_handler_add(self)
        context.workspace.status_text_set(translate("MeshRec is at work. Esc: cancel"))
        return {"RUNNING_MODAL"}

    def modal(self, context, event):
        job = jobs.current
        if job is None:  # the add-on was switched off
            self._end_modal(context)
            self._discard_surfaces()
            return {"CANCELLED"}
        if event.type == "ESC" and event.value == "PRESS" and job.running:
            job.cancel()
        elif event.type == "TIMER":
            self._ticks += 1
            if job.update() or self._ticks % _TICKS_PER_REDRAW == 0:  # the time left goes on while nothing arrives
                redraw()
        if job.running:
            return {"PASS_THROUGH"}
        self._end_modal(context)
        return self._finish(context)

    def cancel(self, context):
        """Blender ends the operator: another file is opened, or the window closes."""
        jobs.stop()
        self._discard_surfaces()
        self._end_modal(context)

    def _start(self, context):
        settings = context.scene.meshrec
        try:
            if settings.is_calibrated and settings.surface == "EXACT":
                self._surfaces = SurfaceFiles(Path(settings.path).stem)
            prefix = self._surfaces and self._surfaces.prefix
            jobs.start(build_request(settings, get_cache_folder(context), prefix), get_backend_python(context))
        except MeshRecError as error:
            self._discard_surfaces()
            redraw()
            self.report({"ERROR"}, translate_error(error))
            return False
        return True

    def _finish(self, context):
        job = jobs.current
        if job.result is not None:
            try:
                self._make_scene(context, job)
            except Exception as error:  # noqa: BLE001 - whatever happens, the artist is told and Blender goes on
                job.fail(as_meshrec_error(error), traceback.format_exc())
        self._discard_surfaces()
        redraw()
        if job.error is not None:
            self.report({"ERROR"}, translate_error(job.error))
        return {"FINISHED"} if job.error is None and job.result is not None else {"CANCELLED"}

    def _make_scene(self, context, job):
        settings, result = context.scene.meshrec, job.result
        settings.set_people(result.report, result.portraits)
        numbered = tuple(zip(result.people, result.recoveries))
        name = Path(job.request.source).stem
        bodies = (job.request.body, job.request.skel_body)
        surfaces = self._surfaces.keep_surfaces(result.people) if self._surfaces else {}
        try:
            assembly = make_people(context, name, numbered, bodies, result.report, settings.rerun == "REPLACE", surfaces)
        except BaseException:
            for surface in surfaces.values():
                surface.unlink(missing_ok=True)
            raise
        counted = "1 person, {frames} frames." if len(numbered) == 1 else "{people} people, {frames} frames."
        summary = translate(counted, people=len(numbered), frames=len(numbered[0][1]))
        job.notes = (summary, *result.report.get("warnings", ()), *assembly.notes)
        self.report({"INFO"}, summary)

    def _discard_surfaces(self):
        if self._surfaces is not None:
            self._surfaces.discard()
            self._surfaces = None

    def _end_modal(self, context):
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        if context.workspace is not None:
            context.workspace.status_text_set(None)


class Cancel(bpy.types.Operator):
    """Stop the reconstruction; the scene stays as it is"""

    bl_idname = "meshrec.cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context):
        return jobs.is_running()

    def execute(self, context):
        jobs.current.cancel()
        redraw()
        return {"FINISHED"}


class ImportMotion(bpy.types.Operator, ImportHelper):
    """Bring a motion that MeshRec has exported into the scene as an animated character"""

    bl_idname = "meshrec.import_motion"
    bl_label = "Import Motion"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    filename_ext = ".npz"
    filter_glob: StringProperty(default="*.npz", options={"HIDDEN"})
    # SKIP_SAVE: the file of the last time is no file that was dropped.
    filepath: StringProperty(name="File Path", description="The motion file", subtype="FILE_PATH", options={"SKIP_SAVE"})

    def invoke(self, context, event):
        if self.properties.is_property_set("filepath"):  # it was dropped into the 3D view
            return self.execute(context)
        return super().invoke(context, event)

    def execute(self, context):
        path, settings = Path(self.filepath), context.scene.meshrec
        surface = path.with_suffix(SUFFIX)
        surfaces = {1: surface} if settings.surface == "EXACT" and surface.is_file() else {}
        try:
            bodies = settings.body_source, settings.skel_source
            assembly = make_people(context, path.stem, [(1, read_motion(path))], bodies, surfaces=surfaces)
        except MeshRecError as error:
            self.report({"ERROR"}, translate_error(error))
            return {"CANCELLED"}
        for note in assembly.notes:
            self.report({"WARNING"}, translate_message(note))
        return {"FINISHED"}


class CopyDetails(bpy.types.Operator):
    """Copy what is known of the error to the clipboard, for a bug report"""

    bl_idname = "meshrec.copy_details"
    bl_label = "Copy Details"

    @classmethod
    def poll(cls, context):
        return jobs.current is not None and jobs.current.error is not None

    def execute(self, context):
        job = jobs.current
        context.window_manager.clipboard = f"{job.error.problem}\n{job.error.remedy}\n\n{job.details}"
        return {"FINISHED"}


def as_meshrec_error(error):
    """An error a person can read, of any."""
    if isinstance(error, MeshRecError):
        return error
    return MeshRecError("scene-not-made", "Making the scene failed: {reason}.", "Report this with Copy Details.", reason=error)


CLASSES = (Reconstruct, Cancel, ImportMotion, CopyDetails)
