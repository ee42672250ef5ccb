"""The buttons that install, repair, check and remove the backend. Nothing waits here but for scripts."""

from typing import ClassVar

import bpy
from bpy.props import BoolProperty

from ..bridge.backend_environment import LOG_FILE, remove_environments
from ..bridge.backend_location import environment_home
from ..core.errors import InputError, MeshRecError, NotSetUpError
from . import jobs, setup_state
from .preferences import build_installation_plan, get_backend_python
from .redraw import start_redrawing
from .translation import translate, translate_error, translate_message


def check_online(plan):
    """Raises NotSetUpError where packages would have to be downloaded and Blender does not allow it."""
    if plan.bundle or bpy.app.online_access:
        return
    problem = "The backend's packages have to be downloaded, and Blender's online access is off."
    if bpy.app.online_access_override:
        remedy = "Start Blender without --offline-mode, or choose an Offline Bundle."
        raise NotSetUpError("online-access-overridden", problem, remedy)
    raise NotSetUpError("online-access-off", problem, "Click Allow Online Access, or choose an Offline Bundle.")


class InstallBackend(bpy.types.Operator):
    """Make the environment the backend runs in, in this extension's own folder; goes on where it was stopped"""

    bl_idname = "meshrec.install_backend"
    bl_label = "Install Backend"

    anew: BoolProperty(name="Anew", description="Throw away what is there first", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context):
        if jobs.is_running():
            cls.poll_message_set(translate("A reconstruction is running"))
            return False
        if setup_state.is_installing():
            cls.poll_message_set(translate("The backend is being installed"))
            return False
        return True

    def execute(self, context):
        """Wait for the end: for scripts, and for Blender without a window."""
        if not self._start(context):
            return {"CANCELLED"}
        installation = setup_state.installation
        try:
            installation.wait()
        except MeshRecError as error:
            self.report({"ERROR"}, translate_error(error))
            return {"CANCELLED"}
        for note in installation.notes:
            self.report({"WARNING"}, translate_message(note))
        return {"FINISHED"}

    def invoke(self, context, event):
        if bpy.app.background:
            return self.execute(context)
        if not self._start(context):
            return {"CANCELLED"}
        start_redrawing()
        return {"FINISHED"}

    def _start(self, context):
        plan = build_installation_plan(context, anew=self.anew)
        try:
            check_online(plan)
            setup_state.start_installation(plan)
        except MeshRecError as error:
            self.report({"ERROR"}, translate_error(error))
            return False
        return True


class CancelInstall(bpy.types.Operator):
    """Stop installing; Install Backend goes on from here"""

    bl_idname = "meshrec.cancel_install"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context):
        return setup_state.is_installing()

    def execute(self, context):
        setup_state.installation.cancel()
        return {"FINISHED"}


class RemoveBackend(bpy.types.Operator):
    """Remove the backend's environment from the disk; the add-on stays"""

    bl_idname = "meshrec.remove_backend"
    bl_label = "Remove Backend"

    @classmethod
    def poll(cls, context):
        return InstallBackend.poll(context)

    def invoke(self, context, event):
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context):
        try:
            remove_environments()
        except MeshRecError as error:
            self.report({"ERROR"}, translate_error(error))
            return {"CANCELLED"}
        setup_state.installation = setup_state.check = None
        setup_state.discard_probe()
        return {"FINISHED"}


class AllowOnline(bpy.types.Operator):
    """Let Blender use the internet: the same setting as Preferences > System > Network > Allow Online Access"""

    bl_idname = "meshrec.allow_online"
    bl_label = "Allow Online Access"
    bl_options: ClassVar = {"INTERNAL"}

    @classmethod
    def poll(cls, context):
        if bpy.app.online_access_override:
            cls.poll_message_set(translate("Blender was started with --offline-mode or --online-mode"))
            return False
        return not bpy.app.online_access

    def execute(self, context):
        context.preferences.system.use_online_access = True
        return {"FINISHED"}


class CheckBackend(bpy.types.Operator):
    """Look at everything a reconstruction needs and say what is missing"""

    bl_idname = "meshrec.check_backend"
    bl_label = "Check Installation"

    @classmethod
    def poll(cls, context):
        return setup_state.check is None or not setup_state.check.running

    def execute(self, context):
        check = setup_state.start_check(get_backend_python(context))
        if bpy.app.background:
            check.wait()
            self.report({"INFO"}, check.text)
        else:
            start_redrawing()
        return {"FINISHED"}


class CopyCheck(bpy.types.Operator):
    """Copy the report of Check Installation to the clipboard"""

    bl_idname = "meshrec.copy_check"
    bl_label = "Copy Report"

    @classmethod
    def poll(cls, context):
        return setup_state.check is not None and not setup_state.check.running

    def execute(self, context):
        context.window_manager.clipboard = setup_state.check.text
        return {"FINISHED"}


class CopyInstallDetails(bpy.types.Operator):
    """Copy what is known of the failed installation to the clipboard, for a bug report"""

    bl_idname = "meshrec.copy_install_details"
    bl_label = "Copy Details"

    @classmethod
    def poll(cls, context):
        return setup_state.installation is not None and setup_state.installation.error is not None

    def execute(self, context):
        installation = setup_state.installation
        context.window_manager.clipboard = f"{installation.error}\n\n{installation.details}"
        return {"FINISHED"}


class OpenInstallLog(bpy.types.Operator):
    """Open the installation's log file"""

    bl_idname = "meshrec.open_install_log"
    bl_label = "Open Log"

    def execute(self, context):
        path = environment_home() / LOG_FILE
        if not path.is_file():
            error = InputError("installation-log-missing", "There is no log: nothing was installed yet.", "Click Install Backend first.")
            self.report({"ERROR"}, translate_error(error))
            return {"CANCELLED"}
        return bpy.ops.wm.path_open(filepath=str(path))


CLASSES = (
    InstallBackend,
    CancelInstall,
    RemoveBackend,
    AllowOnline,
    CheckBackend,
    CopyCheck,
    CopyInstallDetails,
    OpenInstallLog,
)
