"""The buttons: each gathers settings, calls one function and reports."""

import time
import traceback
from pathlib import Path
from typing import ClassVar

import bpy
from bpy.props import StringProperty
from bpy_extras.io_utils import ImportHelper

from ..core.body_template import load_body
from ..core.errors import MeshRecError
from ..core.motion_file import read_motion
from ..scene.assemble import Person, assemble, match_scene
from . import jobs
from .preferences import backend_python, cache
from .properties import request_from

_INTERVAL = 0.1  # s


def make_people(context, name, numbered, body, match):
    """Make recoveries in the current scene, select their armatures and give the Assembly.

    Args:
        numbered: (number, Recovery) pairs of one clip. body: "open" or a file. match: let the scene follow the footage.
    """
    template = load_body(body)
    people = [Person(f"{name} person{number}", recovery, template) for number, recovery in numbered]
    scene = context.scene
    assembly = assemble(people, name, fps=None if match else scene.render.fps / scene.render.fps_base)
    if match:
        match_scene(scene, assembly, people[0].recovery.camera)
    for thing in context.selected_objects:
        thing.select_set(False)
    for rig in assembly.armatures:
        rig.select_set(True)
    context.view_layer.objects.active = assembly.armatures[0]
    return assembly


class Reconstruct(bpy.types.Operator):
    """Find the people in the footage and bring them into the scene as animated characters"""

    bl_idname = "meshrec.reconstruct"
    bl_label = "Reconstruct"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    _timer = None

    @classmethod
    def poll(cls, context):
        if jobs.current is not None and jobs.current.running:
            cls.poll_message_set("A reconstruction is running")
            return False
        if not context.scene.meshrec.source:
            cls.poll_message_set("Choose footage first")
            return False
        return True

    def execute(self, context):
        """Wait for the result: for scripts, and for Blender without a window."""
        if not self._start(context):
            return {"CANCELLED"}
        while jobs.current.running:
            jobs.current.advance()
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
        context.workspace.status_text_set("MeshRec is at work. Esc: cancel")
        return {"RUNNING_MODAL"}

    def modal(self, context, event):
        job = jobs.current
        if job is None:  # the add-on was switched off
            self._let_go(context)
            return {"CANCELLED"}
        if event.type == "ESC" and event.value == "PRESS" and job.running:
            job.cancel()
        elif event.type == "TIMER":
            job.advance()
            redraw(context)
        if job.running:
            return {"PASS_THROUGH"}
        self._let_go(context)
        return self._finish(context)

    def cancel(self, context):
        """Blender ends the operator: another file is opened, or the window closes."""
        jobs.stop()
        self._let_go(context)

    def _start(self, context):
        try:
            jobs.start(request_from(context.scene.meshrec, cache(context)), backend_python(context))
        except MeshRecError as error:
            self.report({"ERROR"}, str(error))
            return False
        return True

    def _finish(self, context):
        job = jobs.current
        if job.result is not None:
            try:
                self._make(context, job)
            except Exception as error:  # noqa: BLE001 - whatever happens, the artist is told and Blender goes on
                job.fail(as_meshrec_error(error), traceback.format_exc())
        redraw(context)
        if job.error is not None:
            self.report({"ERROR"}, str(job.error))
        return {"FINISHED"} if job.error is None and job.result is not None else {"CANCELLED"}

    def _make(self, context, job):
        name = Path(job.request.source).stem
        numbered = tuple(zip(job.result.people, job.result.recoveries))
        assembly = make_people(context, name, numbered, job.request.body, context.scene.meshrec.match_scene)
        summary = f"{len(numbered)} {'person' if len(numbered) == 1 else 'people'}, {len(numbered[0][1])} frames."
        job.notes = (summary, *job.result.report.get("warnings", ()), *assembly.notes)
        self.report({"INFO"}, summary)

    def _let_go(self, context):
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
        return jobs.current is not None and jobs.current.running

    def execute(self, context):
        jobs.current.cancel()
        redraw(context)
        return {"FINISHED"}


class ImportMotion(bpy.types.Operator, ImportHelper):
    """Bring a motion that `meshrec` has written into the scene as an animated character"""

    bl_idname = "meshrec.import_motion"
    bl_label = "Import Motion"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    filename_ext = ".npz"
    filter_glob: StringProperty(default="*.npz", options={"HIDDEN"})

    def execute(self, context):
        settings = context.scene.meshrec
        path = Path(self.filepath)
        body = bpy.path.abspath(settings.body) if settings.body else "open"
        try:
            assembly = make_people(context, path.stem, [(1, read_motion(path))], body, settings.match_scene)
        except MeshRecError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        for note in assembly.notes:
            self.report({"WARNING"}, note)
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
    return MeshRecError(f"Making the scene failed: {error}.", "Report this with Copy Details.")


def redraw(context):
    """Have every 3D view show how far the job is."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


CLASSES = (Reconstruct, Cancel, ImportMotion, CopyDetails)
