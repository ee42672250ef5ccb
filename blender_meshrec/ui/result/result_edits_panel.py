"""The sections that change a result without a new reconstruction: sliders and layers, and the clean-up rig."""

from typing import ClassVar

import bpy

from ...scene.clean_up_rig.follow import is_following
from ...scene.motion.armature_motion import smpl_joint_names
from ..blender_types import require
from ..layouts import align_properties, draw_text
from ..sidebar import SidebarTab
from ..translation import translate
from .clean_up_operators import has_rig, person_in
from .result_edits import edits_of


class ResultEditsPanel(SidebarTab, bpy.types.Panel):
    bl_idname = "MESHREC_PT_result_edits"
    bl_label = "Edit Result"
    bl_options: ClassVar = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return person_in(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout, person = self.layout, require(person_in(context))
        align_properties(layout)
        edits = edits_of(person)
        if smpl_joint_names(person) is None:
            draw_text(layout, translate("The sliders are for people with SMPL's skeleton."), context, icon="INFO")
        else:
            for names in (
                ("smoothing", "smoothing_torso", "smoothing_arms", "smoothing_legs"),
                ("hip_height", "foot_width", "arm_spread"),
                ("trim_start", "trim_end"),
                ("key_error",),
            ):
                column = layout.column(align=True)
                for name in names:
                    column.prop(edits, name)
            layout.operator("meshrec.reset_edits", icon="LOOP_BACK")
        column = layout.column(align=True)
        column.operator("meshrec.add_corrections", icon="NLA")
        column.operator("meshrec.capture_to_strip", icon="NLA_PUSHDOWN")


class CleanUpRigPanel(SidebarTab, bpy.types.Panel):
    bl_idname = "MESHREC_PT_clean_up_rig"
    bl_label = "Clean-Up Rig"
    bl_options: ClassVar = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return person_in(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout, person = self.layout, require(person_in(context))
        column = layout.column(align=True)
        column.operator("meshrec.make_clean_up_rig", icon="ARMATURE_DATA")
        if has_rig(person):
            column.operator("meshrec.follow_controls", icon="LINKED", depress=is_following(person))
            column.operator("meshrec.remove_clean_up_rig", icon="X")


CLASSES = (ResultEditsPanel, CleanUpRigPanel)
