"""The sliders that edit a result: properties of a person's armature object, whose change makes its edited action anew."""

from typing import Any, ClassVar

import bpy
from bpy.props import FloatProperty, IntProperty, PointerProperty

from ...core.errors import MeshRecError
from ...core.result_edits import ResultEdits
from ...scene.result_edits.edited_action import apply_edits
from ..blender_types import OperatorResult, require
from ..operator_feedback import reports_errors
from ..selection import result_armature


def _on_change(edits: "ResultEditSettings", context: bpy.types.Context) -> None:
    armature_object = edits.id_data
    if isinstance(armature_object, bpy.types.Object):
        try:
            apply_edits(armature_object, edits.values())
        except MeshRecError:
            return  # the panel says why the sliders have no effect


def _strength(name: str, description: str) -> Any:
    return FloatProperty(name=name, description=description, min=0.0, soft_max=1.0, max=5.0, subtype="FACTOR", update=_on_change)


class ResultEditSettings(bpy.types.PropertyGroup):
    """Edits of one person. Lengths are in metres, whatever the scene's unit."""

    smoothing: _strength("Smoothing", "Smooth the whole body; feet stay where they touch")
    smoothing_torso: _strength("Torso", "Smooth the hips, the spine and the head more")
    smoothing_arms: _strength("Arms", "Smooth the arms and hands more")
    smoothing_legs: _strength("Legs", "Smooth the legs and feet more; feet stay where they touch")
    hip_height: FloatProperty(
        name="Hip Height", description="Metres by which the hips are raised; feet stay where they are", soft_min=-0.3, soft_max=0.3,
        precision=3, step=1, update=_on_change,
    )  # fmt: skip
    foot_width: FloatProperty(
        name="Foot Width", description="Metres by which the feet are moved apart", soft_min=-0.3, soft_max=0.3, precision=3, step=1,
        update=_on_change,
    )  # fmt: skip
    arm_spread: FloatProperty(
        name="Arm Spread", description="Angle by which the arms are raised sideways", soft_min=-0.8, soft_max=0.8, subtype="ANGLE",
        update=_on_change,
    )  # fmt: skip
    trim_start: IntProperty(name="Trim Start", description="Frames that are left out at the start", min=0, update=_on_change)
    trim_end: IntProperty(name="Trim End", description="Frames that are left out at the end", min=0, update=_on_change)
    key_error: FloatProperty(
        name="Fewer Keys", description="Millimetres that bones may move for having fewer keys; 0 keeps a key on every frame", min=0.0,
        soft_max=10.0, precision=1, update=_on_change,
    )  # fmt: skip

    def values(self) -> ResultEdits:
        """The settings as ResultEdits."""
        names = [name for name in ResultEdits.__dataclass_fields__ if name != "key_error"]
        return ResultEdits(**{name: getattr(self, name) for name in names}, key_error=self.key_error / 1000)


class ResetEdits(bpy.types.Operator):
    """Set all sliders back: the person plays its capture as it was reconstructed"""

    bl_idname = "meshrec.reset_edits"
    bl_label = "Reset Edits"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return result_armature(context) is not None

    @reports_errors
    def execute(self, context: bpy.types.Context) -> OperatorResult:
        armature_object = require(result_armature(context))
        edits = edits_of(armature_object)
        for name in ResultEdits.__dataclass_fields__:
            edits.property_unset(name)
        apply_edits(armature_object, edits.values())
        return {"FINISHED"}


def edits_of(armature_object: bpy.types.Object) -> ResultEditSettings:
    """The edits of a person."""
    return armature_object.meshrec_edits  # pyrefly: ignore[missing-attribute]  registered below


def register() -> None:
    bpy.types.Object.meshrec_edits = PointerProperty(type=ResultEditSettings)


def unregister() -> None:
    del bpy.types.Object.meshrec_edits


CLASSES = (ResultEditSettings, ResetEdits)
