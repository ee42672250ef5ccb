"""Shows one frame of the retargeting on the character without keyframes, and restores the character's pose afterwards."""

from dataclasses import dataclass
from typing import Any

import bpy
from mathutils import Matrix, Quaternion

from ..core.errors import MeshRecError
from ..scene.armature_performance import performance_from_armature
from ..scene.context import pose_bones
from ..scene.retarget import RetargetPlan, plan_retarget
from .blender_types import retarget_settings_of, scene_of


@dataclass(frozen=True)
class _Preview:
    """The character that shows a preview, and its state before.

    session_uid: tells the character from another object of the same name. poses: bone -> matrix_basis.
    switches: (bone, property) -> value.
    """

    name: str
    session_uid: int
    poses: dict[str, Matrix]
    switches: dict[tuple[str, str], Any]


_active_preview: _Preview | None = None


def is_on() -> bool:
    """Whether a preview is shown."""
    return _active_preview is not None


def start(context: bpy.types.Context) -> None:
    """Pose the character as the retargeting would pose it at the current frame.

    Raises:
        MeshRecError: as `plan_retarget` raises it; then nothing is changed.
    """
    global _active_preview
    stop()
    settings = retarget_settings_of(context)
    frame = scene_of(context).frame_current
    performance = performance_from_armature(settings.source, frame, frame)
    plan = plan_retarget(settings.target, performance, settings.get_mapping(), settings.get_options())
    _active_preview = _record_state(settings.target, plan)
    _apply_first_frame(settings.target, plan, _active_preview)
    if _on_frame_change not in bpy.app.handlers.frame_change_post:
        bpy.app.handlers.frame_change_post.append(_on_frame_change)


def stop() -> None:
    """Restore the character's state from before the preview."""
    global _active_preview
    if _on_frame_change in bpy.app.handlers.frame_change_post:
        bpy.app.handlers.frame_change_post.remove(_on_frame_change)
    if _active_preview is None:
        return
    preview, _active_preview = _active_preview, None
    if preview.name not in bpy.data.objects:  # another file is open, or the character was deleted
        return
    rig = bpy.data.objects[preview.name]
    if rig.session_uid != preview.session_uid or rig.pose is None:
        return
    bones = pose_bones(rig)
    for name, basis in preview.poses.items():
        if name in bones:
            bones[name].matrix_basis = basis
    for (name, switch), value in preview.switches.items():
        if name in bones:
            bones[name][switch] = value
    rig.update_tag()


def refresh(context: bpy.types.Context) -> None:
    """Update the preview, if there is one, to the current frame and options; an error ends it."""
    if not is_on():
        return
    try:
        start(context)
    except MeshRecError as error:
        retarget_settings_of(context).result = str(error)
        stop()


def _record_state(rig: bpy.types.Object, plan: RetargetPlan) -> _Preview:
    """The character's pose, and the values of the switches that the plan sets."""
    bones = pose_bones(rig)
    switches = {(bone, name): bones[bone][name] for bone, name in plan.switches if bone in bones and name in bones[bone]}
    return _Preview(rig.name, rig.session_uid, {bone.name: bone.matrix_basis.copy() for bone in bones}, switches)


def _apply_first_frame(rig: bpy.types.Object, plan: RetargetPlan, before: _Preview) -> None:
    bones = pose_bones(rig)
    for column, name in enumerate(plan.keys.bones):
        bone = bones[name]
        locations = plan.keys.locations.get(name)
        location = bone.location if locations is None else locations[0]
        bone.matrix_basis = Matrix.LocRotScale(location, Quaternion(plan.keys.rotations[0, column]), bone.scale)
    for (bone_name, switch), value in before.switches.items():
        bones[bone_name][switch] = type(value)(plan.switches[bone_name, switch])
    rig.update_tag()


def _on_frame_change(_scene: bpy.types.Scene, *_: object) -> None:
    refresh(bpy.context)
