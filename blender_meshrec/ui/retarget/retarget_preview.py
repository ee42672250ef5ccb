"""Shows the retargeting on the character without keyframes, frame by frame, and restores the character's pose afterwards.

The whole range is solved, so that what is shown is what will be keyed: feet are planted over time.
"""

import contextlib
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import bpy
from mathutils import Matrix, Quaternion

from ...core.errors import MeshRecError
from ...retarget.rig import Performance
from ...scene.context import pose_bones
from ...scene.corrections.plant_again import animation_range
from ...scene.motion.armature_performance import performance_from_armature
from ...scene.retargeting.retarget import RetargetPlan, plan_retarget
from ..blender_types import retarget_settings_of, scene_of


@dataclass(frozen=True)
class _Preview:
    """The character that shows a preview, its state before, and what it shows.

    session_uid: tells the character from another object of the same name. poses: bone -> matrix_basis.
    switches: (bone, property) -> value. performance: of the source from frame `first` on; plan: its retargeting.
    """

    name: str
    session_uid: int
    poses: dict[str, Matrix]
    switches: dict[tuple[str, str], Any]
    performance: Performance
    first: int
    plan: RetargetPlan


_active_preview: _Preview | None = None
_is_held = False  # whether changes of options do not refresh the preview


def is_on() -> bool:
    """Whether a preview is shown."""
    return _active_preview is not None


def start(context: bpy.types.Context, performance: Performance | None = None) -> None:
    """Pose the character as the retargeting will pose it at the current frame.

    performance: the source's, if it has not changed since; otherwise it is played.

    Raises:
        MeshRecError: as `plan_retarget` raises it; then nothing is changed.
    """
    global _active_preview
    stop()
    settings = retarget_settings_of(context)
    first, last = animation_range(settings.source)
    performance = performance or performance_from_armature(settings.source, first, last)
    plan = plan_retarget(settings.target, performance, settings.get_mapping(), settings.get_options())
    _active_preview = _record_state(settings.target, plan, performance, first)
    _show_frame(context)
    if _on_frame_change not in bpy.app.handlers.frame_change_post:
        bpy.app.handlers.frame_change_post.append(_on_frame_change)


def stop() -> None:
    """Restore the character's state from before the preview."""
    global _active_preview
    if _on_frame_change in bpy.app.handlers.frame_change_post:
        bpy.app.handlers.frame_change_post.remove(_on_frame_change)
    shown, _active_preview = _shown(), None
    if shown is None:  # nothing was shown, another file is open, or the character was deleted
        return
    preview, rig = shown
    bones = pose_bones(rig)
    for name, basis in preview.poses.items():
        if name in bones:
            bones[name].matrix_basis = basis
    for (name, switch), value in preview.switches.items():
        if name in bones:
            bones[name][switch] = value
    rig.update_tag()


def refresh(context: bpy.types.Context) -> None:
    """Update the preview, if there is one, to the current options; an error ends it."""
    if _active_preview is None or _is_held:
        return
    try:
        start(context, _active_preview.performance)
    except MeshRecError as error:
        retarget_settings_of(context).result = str(error)
        stop()


@contextlib.contextmanager
def refreshed_once(context: bpy.types.Context) -> Generator[None, None, None]:
    """Refresh the preview once after several options have changed."""
    global _is_held
    _is_held = True
    try:
        yield
    finally:
        _is_held = False
    refresh(context)


def posed_by_hand(context: bpy.types.Context) -> dict[str, Quaternion]:
    """The bones that an artist has turned since the preview showed the current frame: bone -> rotation in its own axes."""
    shown = _shown()
    if shown is None:
        return {}
    preview, rig = shown
    bones, row = pose_bones(rig), _row(context, preview)
    turned: dict[str, Quaternion] = {}
    for column, name in enumerate(preview.plan.keys.bones):
        change = Quaternion(preview.plan.keys.rotations[row, column]).inverted() @ bones[name].matrix_basis.to_quaternion()
        if abs(change.angle) > 1e-3:
            turned[name] = change
    return turned


def _shown() -> tuple[_Preview, bpy.types.Object] | None:
    """The active preview and its character; None without a preview, or if the character is gone."""
    rig = None if _active_preview is None else _character_of(_active_preview)
    return None if _active_preview is None or rig is None else (_active_preview, rig)


def _character_of(preview: _Preview) -> bpy.types.Object | None:
    """The character of a preview; None if it is gone."""
    rig = bpy.data.objects.get(preview.name)
    return rig if rig is not None and rig.session_uid == preview.session_uid and rig.pose is not None else None


def _record_state(rig: bpy.types.Object, plan: RetargetPlan, performance: Performance, first: int) -> _Preview:
    """The character's pose, and the values of the switches that the plan sets."""
    bones = pose_bones(rig)
    switches = {(bone, name): bones[bone][name] for bone, name in plan.switches if bone in bones and name in bones[bone]}
    poses = {bone.name: bone.matrix_basis.copy() for bone in bones}
    return _Preview(rig.name, rig.session_uid, poses, switches, performance, first, plan)


def _row(context: bpy.types.Context, preview: _Preview) -> int:
    """The row of the plan that lies on the current frame."""
    return min(max(scene_of(context).frame_current - preview.first, 0), len(preview.plan.keys.timestamps) - 1)


def _show_frame(context: bpy.types.Context) -> None:
    """Pose the character of the preview at the current frame."""
    shown = _shown()
    if shown is None:
        return
    preview, rig = shown
    bones, keys, row = pose_bones(rig), preview.plan.keys, _row(context, preview)
    at_rest = [name for name in preview.poses if name in bones and name not in keys.bones and name not in keys.locations]
    for name in at_rest if preview.plan.mapping.controls is None else ():
        bones[name].matrix_basis = preview.poses[name]
    for column, name in enumerate(keys.bones):
        bone, locations = bones[name], keys.locations.get(name)
        location = bone.location if locations is None else locations[row]
        bone.matrix_basis = Matrix.LocRotScale(location, Quaternion(keys.rotations[row, column]), bone.scale)
    for name, locations in keys.locations.items():
        if name not in keys.bones:
            bones[name].location = locations[row]
    for (bone_name, switch), value in preview.switches.items():
        bones[bone_name][switch] = type(value)(preview.plan.switches[bone_name, switch])
    rig.update_tag()


def _on_frame_change(_scene: bpy.types.Scene, *_: object) -> None:
    _show_frame(bpy.context)
