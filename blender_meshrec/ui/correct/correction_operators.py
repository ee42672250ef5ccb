"""The buttons of corrections: mark a range as bad, drag a joint in the camera's view, keep a pose, and take corrections back."""

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar, TypeVar

import bpy
import numpy as np
from bpy.props import EnumProperty, FloatProperty, IntProperty, StringProperty
from bpy_extras.view3d_utils import location_3d_to_region_2d, region_2d_to_location_3d
from mathutils import Vector

from ...core.array_types import FloatArray
from ...core.corrections import BODY_PARTS, WHOLE_BODY, BadRange, PersonCorrections, Pin
from ...core.errors import InputError, MeshRecError
from ...core.messages import title_of
from ...core.skeletons import SMPL_JOINTS
from ...scene.cameras.footage_clock import footage_clock, read_camera, seen_at
from ...scene.context import pose_bones
from ...scene.corrections.corrections import get_corrections, save_corrections, set_corrections
from ...scene.corrections.solve_again import find_clip_result
from ...scene.person.confidence import bones_of_joints
from ...scene.takes.earlier_results import find_clip_camera
from ..blender_types import OperatorMixin, OperatorResult, require, scene_of
from ..operator_feedback import poll_unless, reports_errors
from ..redraw import redraw
from ..selection import missing_person, result_armature
from ..translation import translate, translate_error
from .pin_overlay import Drag, is_through_clip_camera, set_drag

PART_ITEMS = (
    (WHOLE_BODY, "Whole Body", "Nothing that was seen in this range counts"),
    *((part, title_of(part), "What was seen of this part does not count") for part in BODY_PARTS),
)
Entry = TypeVar("Entry")
_REACH = 40  # px of the region, from a joint within which a click takes it
_END_KEYS = frozenset({"ESC", "RET", "NUMPAD_ENTER", "RIGHTMOUSE"})


class _CorrectionOperator(OperatorMixin):
    """An operator on the corrections of the selected person; it reports errors of `_correct`, and saves the file."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return poll_unless(cls, missing_person(correctable_person(context)))

    @reports_errors
    def execute(self, context: bpy.types.Context) -> OperatorResult:
        person = require(result_armature(context))
        set_corrections(person, self._correct(context, person, get_corrections(person)))
        clip = find_clip_result(person)
        save_with_warning(self, [person] if clip is None else clip.armatures.values())
        redraw()
        return {"FINISHED"}

    def _correct(self, context: bpy.types.Context, person: bpy.types.Object, corrections: PersonCorrections) -> PersonCorrections:
        raise NotImplementedError


def correctable_person(context: bpy.types.Context) -> bpy.types.Object | None:
    """The armature of the selected result, if its bones are joints that corrections can name."""
    person = result_armature(context)
    return person if person is not None and bones_of_joints(person) else None


def save_with_warning(operator: bpy.types.Operator, people: Iterable[bpy.types.Object]) -> None:
    """Write the file of the corrections of people of one clip; a warning where that is not possible: the scene has them all the same."""
    try:
        save_corrections(people)
    except MeshRecError as error:
        operator.report({"WARNING"}, translate_error(error))


class MarkBad(_CorrectionOperator, bpy.types.Operator):
    """Mark frames in which the person, or a part of the body, was detected wrongly: Solve Again interpolates there, or follows your pins"""

    bl_idname = "meshrec.mark_bad"
    bl_label = "Mark as Bad"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    part: EnumProperty(name="Part", description="What was seen wrongly", items=PART_ITEMS)
    first: IntProperty(name="From", description="First frame of the timeline", options={"SKIP_SAVE"})
    last: IntProperty(name="To", description="Last frame of the timeline", options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        scene = scene_of(context)
        if scene.use_preview_range:
            self.first, self.last = scene.frame_preview_start, scene.frame_preview_end
        else:
            self.first, self.last = scene.frame_current - 5, scene.frame_current + 5
        return require(context.window_manager).invoke_props_dialog(self)

    def _correct(self, context: bpy.types.Context, person: bpy.types.Object, corrections: PersonCorrections) -> PersonCorrections:
        if self.last < self.first:
            raise InputError("bad-range-reversed", "The range ends before it begins.", "Choose a last frame after the first.")
        clock = footage_clock(person)
        bad = BadRange(clock.footage_frame(self.first), clock.footage_frame(self.last), self.part)
        return replace(corrections, bad=tuple(sorted({*corrections.bad, bad}, key=lambda entry: (entry.first, entry.last, entry.part))))


class PinJoint(_CorrectionOperator, bpy.types.Operator):
    """Set where a joint is in the picture at the current frame"""

    bl_idname = "meshrec.pin_joint"
    bl_label = "Pin Joint"
    bl_options: ClassVar = {"REGISTER", "UNDO", "INTERNAL"}

    joint: StringProperty(name="Joint", description="The bone whose head is the joint")
    x: FloatProperty(name="X", description="Pixels of the footage from the left")
    y: FloatProperty(name="Y", description="Pixels of the footage from the top")

    def _correct(self, context: bpy.types.Context, person: bpy.types.Object, corrections: PersonCorrections) -> PersonCorrections:
        if self.joint not in SMPL_JOINTS:
            raise InputError("pin-without-joint", '"{name}" is no joint.', "Drag a joint of the person.", name=self.joint)
        frame = footage_clock(person).footage_frame(scene_of(context).frame_current)
        return corrections.with_pin(Pin(frame, self.joint, (self.x, self.y)))


class PinPose(_CorrectionOperator, bpy.types.Operator):
    """Keep the selected bones where you have posed them at the current frame, in depth too"""

    bl_idname = "meshrec.pin_pose"
    bl_label = "Pin Pose"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    def _correct(self, context: bpy.types.Context, person: bpy.types.Object, corrections: PersonCorrections) -> PersonCorrections:
        rows = bones_of_joints(person)
        chosen = [bone for bone in pose_bones(person) if bone.name in rows and _is_selected(bone)]
        joints = {SMPL_JOINTS[rows[bone.name]]: bone.head for bone in chosen}
        for bone in chosen:  # a limb's bone ends where the next joint is
            joints |= {SMPL_JOINTS[rows[child.name]]: child.head for child in bone.children if child.name in rows}
        camera, clock = read_camera(person), footage_clock(person)
        if not joints or camera is None:
            raise InputError("pin-without-joint", '"{name}" is no joint.', "Drag a joint of the person.", name=person.name)
        row = int(np.argmin(np.abs(clock.timeline - scene_of(context).frame_current)))
        for name, (x, y, depth) in zip(joints, seen_at(camera, row, np.array(list(joints.values()))).tolist(), strict=True):
            corrections = corrections.with_pin(Pin(int(clock.footage[row]), name, (x, y), depth))
        return corrections


class RemoveCorrection(_CorrectionOperator, bpy.types.Operator):
    """Take a correction back"""

    bl_idname = "meshrec.remove_correction"
    bl_label = "Remove Correction"
    bl_options: ClassVar = {"REGISTER", "UNDO", "INTERNAL"}

    kind: EnumProperty(name="Kind", items=(("BAD", "Bad Range", ""), ("PIN", "Pin", ""), ("ALL", "All", "")), options={"SKIP_SAVE"})
    index: IntProperty(name="Index", options={"SKIP_SAVE"})

    def _correct(self, context: bpy.types.Context, person: bpy.types.Object, corrections: PersonCorrections) -> PersonCorrections:
        if self.kind == "ALL":
            return replace(corrections, bad=(), pins=())
        if self.kind == "BAD":
            return replace(corrections, bad=_without(corrections.bad, self.index))
        return replace(corrections, pins=_without(corrections.pins, self.index))


class DragJoint(bpy.types.Operator):
    """Drag joints in the camera's view to where they are in the picture, in as many frames as you like; Enter or Esc ends it"""

    bl_idname = "meshrec.drag_joint"
    bl_label = "Drag Joint"
    bl_options: ClassVar = {"INTERNAL"}

    _joint = ""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        person = correctable_person(context)
        if person is not None and not is_through_clip_camera(context, person):
            return poll_unless(cls, translate("Click View through Camera first"))
        return poll_unless(cls, missing_person(person))

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        require(context.window_manager).modal_handler_add(self)
        require(context.window).cursor_modal_set("CROSSHAIR")
        require(context.workspace).status_text_set(translate("Drag joints to where they are in the picture. Enter or Esc: done"))
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        """Events outside of the view pass, so that the timeline can be scrubbed and buttons be clicked between two drags."""
        person, at = result_armature(context), (event.mouse_region_x, event.mouse_region_y)
        if person is None or not is_through_clip_camera(context, person):
            return self._end(context)
        if self._joint and event.type == "LEFTMOUSE" and event.value == "RELEASE":
            joint, pixel = self._joint, footage_pixel(context, at)
            self._take(context, "", at)
            if pixel is not None:
                bpy.ops.meshrec.pin_joint(  # pyrefly: ignore[missing-attribute]  of this add-on
                    "EXEC_DEFAULT", True, joint=joint, x=pixel[0], y=pixel[1]
                )
            return {"RUNNING_MODAL"}
        if self._joint:
            self._take(context, "" if event.type in {"ESC", "RIGHTMOUSE"} else self._joint, at)
            return {"RUNNING_MODAL"}
        if not _is_inside(require(context.region), at):
            return {"PASS_THROUGH"}
        if event.type in _END_KEYS and event.value == "PRESS":
            return self._end(context)
        if event.type == "LEFTMOUSE" and event.value == "PRESS":
            self._take(context, nearest_joint(context, at), at)
            return {"RUNNING_MODAL"}  # a click beside every joint must not change the selection
        return {"PASS_THROUGH"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator: another file is opened, or the window closes."""
        set_drag(None)

    def _take(self, context: bpy.types.Context, joint: str, at: tuple[float, float]) -> None:
        """Have a joint follow the pointer; "" for none."""
        self._joint = joint
        set_drag(Drag(joint, at) if joint else None)
        require(context.area).tag_redraw()

    def _end(self, context: bpy.types.Context) -> OperatorResult:
        set_drag(None)
        require(context.window).cursor_modal_restore()
        require(context.workspace).status_text_set(None)
        if context.area is not None:
            context.area.tag_redraw()
        return {"FINISHED"}


def _is_inside(region: bpy.types.Region, at: tuple[float, float]) -> bool:
    return 0 <= at[0] < region.width and 0 <= at[1] < region.height


def _without(entries: tuple[Entry, ...], index: int) -> tuple[Entry, ...]:
    """Entries without one of them."""
    return tuple(entry for number, entry in enumerate(entries) if number != index)


def nearest_joint(context: bpy.types.Context, at: tuple[float, float]) -> str:
    """The joint of the selected person nearest to a place of the region, px; "" if none is near."""
    person = require(result_armature(context))
    best, found, bones = float(_REACH), "", pose_bones(person)
    for name, joint in bones_of_joints(person).items():
        place = person.matrix_world @ bones[name].head
        seen = location_3d_to_region_2d(context.region, context.space_data.region_3d, place)  # pyrefly: ignore
        distance = float("inf") if seen is None else (seen - Vector(at)).length
        if distance < best:
            best, found = distance, SMPL_JOINTS[joint]
    return found


def footage_pixel(context: bpy.types.Context, at: tuple[float, float]) -> tuple[float, float] | None:
    """The pixel of the footage below a place of the region, px; None if the view is not through the clip's camera."""
    person = require(result_armature(context))
    camera_object, camera = find_clip_camera(person), read_camera(person)
    if camera_object is None or camera is None:
        return None
    ahead = camera_object.matrix_world @ Vector((0.0, 0.0, -1.0))
    place = region_2d_to_location_3d(context.region, context.space_data.region_3d, at, ahead)  # pyrefly: ignore
    return pixel_of_ray(camera.intrinsics, np.array(camera_object.matrix_world.inverted() @ place))


def pixel_of_ray(intrinsics: FloatArray, place: FloatArray) -> tuple[float, float]:
    """The pixel at which a camera of Blender sees a place (3,) of its own axes (x right, y up, z backwards)."""
    x, y, z = place
    pixel = intrinsics @ np.array([x / -z, -y / -z, 1.0])
    return float(pixel[0]), float(pixel[1])


def _is_selected(bone: bpy.types.PoseBone) -> bool:
    """Whether a bone is selected; before Blender 5.0 that belongs to the bone, not to the pose bone."""
    return bone.bone.select if bpy.app.version < (5, 0, 0) else bone.select  # pyrefly: ignore[missing-attribute]


CLASSES = (MarkBad, PinJoint, PinPose, RemoveCorrection, DragJoint)
