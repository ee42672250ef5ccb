"""The anatomical angles of a SKEL armature in the sidebar: names, values and ranges, and which angles are at a limit."""

from math import degrees, isfinite
from typing import ClassVar

import bpy

from ...core.skel.vocabulary import DOFS, dof_index
from ...scene.context import pose_bones
from ...scene.person.skel_armature import channel_angle_name
from ..blender_types import require
from ..sidebar import SidebarTab
from ..translation import translate

_LIMIT_TOLERANCE = 1e-3  # rad; an angle this close to a limit is at the limit


def bone_angles(bone: bpy.types.PoseBone) -> list[tuple[int, str]]:
    """(channel, name) of each angle that a pose bone has."""
    return [(column, channel_angle_name(bone, column)) for column in range(3) if channel_angle_name(bone, column)]


def limit_side(bone: bpy.types.PoseBone, column: int, name: str) -> int:
    """The limit that a pose bone's angle has reached: -1 for the lower, 1 for the upper, 0 for none."""
    dof = DOFS[dof_index(name)]
    value = bone.rotation_euler[column]
    return int(value > dof.high - _LIMIT_TOLERANCE) - int(value < dof.low + _LIMIT_TOLERANCE)


class AnglesPanel(SidebarTab, bpy.types.Panel):
    bl_idname = "MESHREC_PT_angles"
    bl_label = "Anatomical Angles"
    bl_options: ClassVar = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        rig = context.object
        return rig is not None and rig.type == "ARMATURE" and rig.pose is not None and "angles" in next(iter(rig.pose.bones), {})

    def draw(self, context: bpy.types.Context) -> None:
        layout, bone = self.layout, context.active_pose_bone
        if bone is None or not bone_angles(bone):
            layout.label(text="Select a bone in Pose Mode", icon="INFO")
        else:
            layout.label(text=bone.name, icon="BONE_DATA", translate=False)
            for column, name in bone_angles(bone):
                _draw_angle(layout, bone, column, name)
        _draw_reached_limits(layout, require(context.object))


def _draw_angle(layout: bpy.types.UILayout, bone: bpy.types.PoseBone, column: int, name: str) -> None:
    dof = DOFS[dof_index(name)]
    row = layout.split(factor=0.7, align=True)
    row.alert = limit_side(bone, column, name) != 0
    row.prop(bone, "rotation_euler", index=column, text=name, translate=False)
    limits = {"low": f"{degrees(dof.low):.0f}", "high": f"{degrees(dof.high):.0f}"} if isfinite(dof.low) else {}
    row.label(text=translate("{low}° to {high}°", **limits) if limits else translate("free"), translate=False)


def _draw_reached_limits(layout: bpy.types.UILayout, rig: bpy.types.Object) -> None:
    """List the angles of all bones that are at a limit."""
    angles = [(bone, *angle) for bone in pose_bones(rig) for angle in bone_angles(bone)]
    reached = [(name, side) for bone, column, name in angles if (side := limit_side(bone, column, name))]
    if not reached:
        return
    box = layout.box()
    box.label(text="At the limit", icon="ERROR")
    for name, side in reached:
        box.label(text=translate("{angle}: upper limit" if side > 0 else "{angle}: lower limit", angle=name), translate=False)


CLASSES = (AnglesPanel,)
