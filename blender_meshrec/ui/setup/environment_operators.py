"""The buttons that install, repair, check and remove the backend. Only scripts and Blender without a window wait for the end."""

from typing import TYPE_CHECKING, ClassVar

import bpy
from bpy.props import BoolProperty

from ...bridge.backend_environment import LOG_FILE, remove_environments
from ...bridge.backend_location import environment_home
from ...core.errors import InputError, MeshRecError, NotSetUpError
from ..blender_types import OperatorResult, require
from ..jobs import jobs
from ..operator_feedback import poll_unless, report_error, report_notes, reports_errors
from ..redraw import start_redrawing
from ..translation import translate
from . import setup_state
from .preferences import build_installation_plan, get_backend_python

if TYPE_CHECKING:
    from ...bridge.installation import Installation, InstallationPlan


def check_online(plan: "InstallationPlan") -> None:
    """Check that Blender allows the downloads that a plan needs.

    Raises:
        NotSetUpError: it does not.
    """
    if plan.bundle or bpy.app.online_access:
        return
    problem = "The backend's packages have to be downloaded, and Blender's online access is off."
    if bpy.app.online_access_override:
        remedy = "Start Blender without --offline-mode, or choose an Offline Bundle."
        raise NotSetUpError("online-access-overridden", problem, remedy)
    raise NotSetUpError("online-access-off", problem, "Click Allow Online Access, or choose an Offline Bundle.")


class InstallBackend(bpy.types.Operator):
    """Install the environment that the backend runs in, in this extension's own folder; an interrupted installation continues"""

    bl_idname = "meshrec.install_backend"
    bl_label = "Install Backend"

    anew: BoolProperty(name="From Scratch", description="Remove the earlier installation first", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return poll_unless(cls, jobs.busy_message())

    @reports_errors
    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Wait for the end: for scripts and for Blender without a window."""
        installation = self._start(context)
        installation.wait()
        report_notes(self, installation.notes)
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        if bpy.app.background:
            return self.execute(context)
        try:
            self._start(context)
        except MeshRecError as error:
            return report_error(self, error)
        start_redrawing()
        return {"FINISHED"}

    def _start(self, context: bpy.types.Context) -> "Installation":
        plan = build_installation_plan(context, anew=self.anew)
        check_online(plan)
        return setup_state.start_installation(plan)


class CancelInstall(bpy.types.Operator):
    """Stop installing; Install Backend continues from here"""

    bl_idname = "meshrec.cancel_install"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return setup_state.is_installing()

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        require(setup_state.installation).cancel()
        return {"FINISHED"}


class RemoveBackend(bpy.types.Operator):
    """Remove the backend's environment from the disk; the add-on stays"""

    bl_idname = "meshrec.remove_backend"
    bl_label = "Remove Backend"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return poll_unless(cls, jobs.busy_message())

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        return require(context.window_manager).invoke_confirm(self, event)

    @reports_errors
    def execute(self, context: bpy.types.Context) -> OperatorResult:
        remove_environments()
        setup_state.installation = setup_state.check = None
        setup_state.discard_probe()
        return {"FINISHED"}


class AllowOnline(bpy.types.Operator):
    """Let Blender use the internet: the same setting as Preferences > System > Network > Allow Online Access"""

    bl_idname = "meshrec.allow_online"
    bl_label = "Allow Online Access"
    bl_options: ClassVar = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if bpy.app.online_access_override:
            return poll_unless(cls, translate("Blender was started with --offline-mode or --online-mode"))
        return not bpy.app.online_access

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        require(context.preferences).system.use_online_access = True
        return {"FINISHED"}


class CheckBackend(bpy.types.Operator):
    """Check everything that a reconstruction needs, and report what is missing"""

    bl_idname = "meshrec.check_backend"
    bl_label = "Check Installation"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return setup_state.check is None or not setup_state.check.running

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        check = setup_state.start_check(get_backend_python(context))
        if bpy.app.background:
            check.wait()
            self.report({"INFO"}, check.text)
        else:
            start_redrawing()
        return {"FINISHED"}


class OpenInstallLog(bpy.types.Operator):
    """Open the installation's log file"""

    bl_idname = "meshrec.open_install_log"
    bl_label = "Open Log"

    @reports_errors
    def execute(self, context: bpy.types.Context) -> OperatorResult:
        path = environment_home() / LOG_FILE
        if not path.is_file():
            raise InputError("installation-log-missing", "There is no log: nothing was installed yet.", "Click Install Backend first.")
        return bpy.ops.wm.path_open(filepath=str(path))  # pyrefly: ignore[bad-return]  the stub declares None


CLASSES = (InstallBackend, CancelInstall, RemoveBackend, AllowOnline, CheckBackend, OpenInstallLog)
