"""The buttons of the clean-up rig, of the strip of the capture and of its corrections."""

import math
from typing import TYPE_CHECKING, ClassVar

import bpy
from bpy.props import EnumProperty

from ...scene.clean_up_rig.follow import clean_up_rig_of, is_following, person_of, remove_rig, set_following
from ...scene.context import assigned_action, ensure_object_mode
from ...scene.result_edits.nla_layers import add_corrections, capture_to_strip
from ..blender_types import OperatorMixin, OperatorResult, require
from ..jobs import jobs
from ..operator_feedback import poll_unless, reports_errors
from ..selection import missing_person, result_armature, select_only
from ..translation import translate

if TYPE_CHECKING:
    from ...scene.clean_up_rig.make import CleanUpRig, Kind

KIND_ITEMS = (
    ("AUTO", "Automatic", "Rigify's controls where this Blender has Rigify, otherwise a light rig"),
    ("RIGIFY", "Rigify", "Rigify's controls"),
    ("LIGHT", "Light", "FK and IK controls of MeshRec's own"),
)
KINDS: dict[str, "Kind"] = {"AUTO": "auto", "RIGIFY": "rigify", "LIGHT": "light"}


def person_in(context: bpy.types.Context) -> bpy.types.Object | None:
    """The person that is selected, or whose clean-up rig is."""
    return result_armature(context) or person_of(context.object)


class _PersonOperator(OperatorMixin):
    """Works on the person that is selected, or whose clean-up rig is; reports errors of `_run`."""

    bl_options: ClassVar = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return poll_unless(cls, jobs.busy_message() or missing_person(person_in(context)))

    @reports_errors
    def execute(self, context: bpy.types.Context) -> OperatorResult:
        self._run(context, require(person_in(context)))
        return {"FINISHED"}

    def _run(self, context: bpy.types.Context, person: bpy.types.Object) -> None:
        raise NotImplementedError


class MakeCleanUpRig(_PersonOperator, bpy.types.Operator):
    """Give the person FK and IK controls with few keys, which it follows; feet are on IK while they touch. The capture stays as it is"""

    bl_idname = "meshrec.make_clean_up_rig"
    bl_label = "Make Clean-Up Rig"

    kind: EnumProperty(name="Controls", items=KIND_ITEMS)

    def _run(self, context: bpy.types.Context, person: bpy.types.Object) -> None:
        from ...scene.clean_up_rig.make import make_clean_up_rig  # imported late: enabling stays fast

        made = make_clean_up_rig(person, KINDS[self.kind])
        select_only(context, [made.rig])
        bpy.ops.object.mode_set(mode="POSE")
        self.report({"INFO"}, _summary(made))


class FollowControls(_PersonOperator, bpy.types.Operator):
    """Let the person follow its controls, or play the capture, to compare the two"""

    bl_idname = "meshrec.follow_controls"
    bl_label = "Follow Controls"

    def _run(self, context: bpy.types.Context, person: bpy.types.Object) -> None:
        set_following(person, not is_following(person))


class RemoveCleanUpRig(_PersonOperator, bpy.types.Operator):
    """Remove the controls and their keys; the person plays its capture again"""

    bl_idname = "meshrec.remove_clean_up_rig"
    bl_label = "Remove Clean-Up Rig"

    def _run(self, context: bpy.types.Context, person: bpy.types.Object) -> None:
        ensure_object_mode()
        remove_rig(person)
        person.select_set(True)
        require(context.view_layer).objects.active = person


class CaptureToStrip(_PersonOperator, bpy.types.Operator):
    """Put the action that the person plays into a strip of the NLA"""

    bl_idname = "meshrec.capture_to_strip"
    bl_label = "Capture to Strip"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        person = person_in(context)
        return super().poll(context) and person is not None and assigned_action(person) is not None

    def _run(self, context: bpy.types.Context, person: bpy.types.Object) -> None:
        capture_to_strip(person)


class AddCorrections(_PersonOperator, bpy.types.Operator):
    """Open a layer of the NLA above the capture: what you key now adds to the captured pose. Tab in the NLA Editor closes it"""

    bl_idname = "meshrec.add_corrections"
    bl_label = "Corrections"

    def _run(self, context: bpy.types.Context, person: bpy.types.Object) -> None:
        add_corrections(person)


def _summary(made: "CleanUpRig") -> str:
    return translate(
        "{keys} keys in place of {captured} ({share} %), within {distance} mm and {angle} degrees of the capture.",
        keys=made.keys,
        captured=made.captured_keys,
        share=round(100 * made.keys / max(made.captured_keys, 1), 1),
        distance=round(1000 * made.distance, 1),
        angle=round(math.degrees(made.angle), 2),
    )


def has_rig(person: bpy.types.Object | None) -> bool:
    """Whether a person has a clean-up rig."""
    return person is not None and clean_up_rig_of(person) is not None


CLASSES = (MakeCleanUpRig, FollowControls, RemoveCleanUpRig, CaptureToStrip, AddCorrections)
