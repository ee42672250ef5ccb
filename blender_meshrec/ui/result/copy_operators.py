"""The buttons that copy a text to the clipboard."""

import bpy

from ..blender_types import OperatorMixin, OperatorResult, require
from ..jobs import jobs
from ..selection import report_of, result_armature
from ..setup import setup_state
from ..translation import translate


class _CopyOperator(OperatorMixin):
    """Copies the text of `_text`; the button is greyed out while that is None."""

    @classmethod
    def _text(cls, context: bpy.types.Context) -> str | None:
        raise NotImplementedError

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return cls._text(context) is not None

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        require(context.window_manager).clipboard = require(self._text(context))
        return {"FINISHED"}


class CopyReport(_CopyOperator, bpy.types.Operator):
    """Copy the whole report of this result to the clipboard; it is also a text block of the file"""

    bl_idname = "meshrec.copy_report"
    bl_label = "Copy Report"

    @classmethod
    def _text(cls, context: bpy.types.Context) -> str | None:
        report = report_of(result_armature(context))
        return None if report is None else report.as_string()

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        name = require(report_of(result_armature(context))).name
        self.report({"INFO"}, translate('The report is on the clipboard, and the text block "{name}" of this file.', name=name))
        return super().execute(context)


class CopyCheck(_CopyOperator, bpy.types.Operator):
    """Copy the report of Check Installation to the clipboard"""

    bl_idname = "meshrec.copy_check"
    bl_label = "Copy Report"

    @classmethod
    def _text(cls, context: bpy.types.Context) -> str | None:
        check = setup_state.check
        return None if check is None or check.running else check.text


class CopyInstallDetails(_CopyOperator, bpy.types.Operator):
    """Copy the details of the failed installation to the clipboard, for a bug report"""

    bl_idname = "meshrec.copy_install_details"
    bl_label = "Copy Details"

    @classmethod
    def _text(cls, context: bpy.types.Context) -> str | None:
        installation = setup_state.installation
        if installation is None or installation.error is None:
            return None
        return f"{installation.error}\n\n{installation.details}"


class CopyDetails(_CopyOperator, bpy.types.Operator):
    """Copy the details of the error to the clipboard, for a bug report"""

    bl_idname = "meshrec.copy_details"
    bl_label = "Copy Details"

    @classmethod
    def _text(cls, context: bpy.types.Context) -> str | None:
        job = jobs.current
        return None if job is None or job.error is None else f"{job.error.problem}\n{job.error.remedy}\n\n{job.details}"


CLASSES = (CopyReport, CopyCheck, CopyInstallDetails, CopyDetails)
