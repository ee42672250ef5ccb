"""What operators that run a job in the backend have in common: they wait without blocking Blender, and change the scene at the end."""

import time
import traceback
from typing import TYPE_CHECKING

import bpy

from ...bridge.messages import Result
from ...core.errors import MeshRecError
from ..blender_types import OperatorMixin, OperatorResult, require
from ..operator_feedback import report_error
from ..redraw import redraw
from ..sidebar import TAB
from ..translation import translate
from . import jobs, status_bar

_INTERVAL = 0.1  # s
_TICKS_PER_REDRAW = 5


class JobOperator(OperatorMixin):
    """Runs a job. A subclass starts it and makes the scene of its result, and can discard files that nothing needs any more."""

    _timer: bpy.types.Timer | None = None
    _ticks = 0

    if TYPE_CHECKING:

        def _start(self, context: bpy.types.Context) -> jobs.Job: ...
        def _make_scene(self, context: bpy.types.Context, job: jobs.Job, result: Result) -> None: ...

    def _discard_files(self) -> None:
        """Nothing by default."""

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Wait for the result: for scripts and for Blender without a window."""
        job = self._try_start(context)
        if job is None:
            return {"CANCELLED"}
        while job.running:
            job.update()
            time.sleep(_INTERVAL / 2)
        return self._finish(context, job)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        if bpy.app.background:
            return self.execute(context)
        if self._try_start(context) is None:
            return {"CANCELLED"}
        manager = require(context.window_manager)
        self._timer = manager.event_timer_add(_INTERVAL, window=context.window)
        manager.modal_handler_add(self)
        status_bar.show()
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        job = jobs.current
        if job is None:  # the add-on was disabled
            self._end_modal(context)
            self._discard_files()
            return {"CANCELLED"}
        if event.type == "ESC" and event.value == "PRESS" and job.running and stops_job(context, event):
            job.cancel()
        elif event.type == "TIMER":
            self._ticks += 1
            if job.update() or self._ticks % _TICKS_PER_REDRAW == 0:  # the remaining time changes without new messages, too
                redraw()
                status_bar.redraw_status_bar()
        if job.running:
            return {"PASS_THROUGH"}
        self._end_modal(context)
        return self._finish(context, job)

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator: another file is opened, or the window closes."""
        jobs.stop()
        self._discard_files()
        self._end_modal(context)

    def _try_start(self, context: bpy.types.Context) -> jobs.Job | None:
        """Start the job; an error is reported, and None returned."""
        try:
            return self._start(context)
        except MeshRecError as error:
            self._discard_files()
            redraw()
            report_error(self, error)
            return None

    def _finish(self, context: bpy.types.Context, job: jobs.Job) -> OperatorResult:
        if job.result is not None:
            try:
                self._make_scene(context, job, job.result)
            except Exception as error:  # noqa: BLE001 - the panel shows any error, and Blender continues
                job.fail(as_meshrec_error(error), traceback.format_exc())
        self._discard_files()
        redraw()
        if job.error is not None:
            return report_error(self, job.error)
        if job.cancelled:
            self.report({"INFO"}, translate("Cancelled"))
        return {"FINISHED"} if job.result is not None else {"CANCELLED"}

    def _end_modal(self, context: bpy.types.Context) -> None:
        if self._timer is not None:
            require(context.window_manager).event_timer_remove(self._timer)
            self._timer = None
        status_bar.hide()


def stops_job(context: bpy.types.Context, event: bpy.types.Event) -> bool:
    """Whether Esc stops the job: with the pointer over MeshRec's tab, and not while an animation plays, which Esc stops, too."""
    if context.window is None or any(window.screen.is_animation_playing for window in require(context.window_manager).windows):
        return False
    return any(_is_over_tab(area, event.mouse_x, event.mouse_y) for area in context.window.screen.areas)


def _is_over_tab(area: bpy.types.Area, x: int, y: int) -> bool:
    """Whether a place in the window is over the sidebar of a 3D view that shows MeshRec's tab."""
    for region in area.regions if area.type == "VIEW_3D" else ():
        is_inside = 0 <= x - region.x < region.width and 0 <= y - region.y < region.height
        if region.type == "UI" and is_inside and region.active_panel_category == TAB:
            return True
    return False


def as_meshrec_error(error: Exception) -> MeshRecError:
    """The error itself if it is a MeshRecError, else one that quotes it."""
    if isinstance(error, MeshRecError):
        return error
    return MeshRecError("scene-not-made", "Making the scene failed: {reason}.", "Report this with Copy Details.", reason=error)
