"""The angles of a SKEL armature in the sidebar: what an anatomist calls them, how far they go, and which are at their end."""

from math import degrees, isfinite
from typing import ClassVar

import bpy

from ..core.skel.vocabulary import DOFS, dof_index
from ..scene.skel_armature import channel_angle_name
from .panels import SidebarTab
from .translation import translate

_LIMIT_TOLERANCE = 1e-3  # rad; as near as this, an angle is at its limit


def bone_angles(bone):
    """(channel, name) of every angle that a pose bone holds."""
    return [(column, channel_angle_name(bone, column)) for column in range(3) if channel_angle_name(bone, column)]


def limit_side(bone, column, name):
    """How a pose bone's angle lies to its limits: -1 or 1 at or beyond its lower or upper end, 0 between."""
    dof = DOFS[dof_index(name)]
    value = bone.rotation_euler[column]
    return int(value > dof.high - _LIMIT_TOLERANCE) - int(value < dof.low + _LIMIT_TOLERANCE)


class AnglesPanel(SidebarTab, bpy.types.Panel):
    bl_idname = "MESHREC_PT_angles"
    bl_label = "Anatomical Angles"
    bl_options: ClassVar = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context):
        rig = context.object
        return rig is not None and rig.type == "ARMATURE" and rig.pose is not None and "angles" in next(iter(rig.pose.bones), {})

    def draw(self, context):
        layout = self.layout
        bone = context.active_pose_bone
        if bone is None or not bone_angles(bone):
            layout.label(text="Select a bone in Pose Mode", icon="INFO")
        else:
            layout.label(text=bone.name, icon="BONE_DATA", translate=False)
            for column, name in bone_angles(bone):
                _draw_angle(layout, bone, column, name)
        angles = [(each, *angle) for each in context.object.pose.bones for angle in bone_angles(each)]
        ends = [(name, end) for each, column, name in angles if (end := limit_side(each, column, name))]
        if ends:
            box = layout.box()
            box.label(text="At the limit", icon="ERROR")
            for name, end in ends:
                box.label(text=translate("{angle}: most" if end > 0 else "{angle}: least", angle=name), translate=False)


def _draw_angle(layout, bone, column, name):
    dof = DOFS[dof_index(name)]
    row = layout.split(factor=0.7, align=True)
    row.alert = limit_side(bone, column, name) != 0
    row.prop(bone, "rotation_euler", index=column, text=name, translate=False)
    ends = {"low": f"{degrees(dof.low):.0f}", "high": f"{degrees(dof.high):.0f}"} if isfinite(dof.low) else {}
    row.label(text=translate("{low}° to {high}°", **ends) if ends else translate("free"), translate=False)


CLASSES = (AnglesPanel,)
