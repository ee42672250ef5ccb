"""One frame of the retargeting shown on the character before anything is keyed; everything is put back afterwards."""

import bpy
from mathutils import Matrix, Quaternion

from ..core.errors import MeshRecError
from ..scene.armature_performance import performance_from_armature
from ..scene.retarget import plan_retarget

# What is shown: the character's name and session number, its pose and its switches as they were. None while nothing is.
_active_preview = None


def is_on():
    """Whether a preview is shown."""
    return _active_preview is not None


def start(context):
    """Pose the character as it would be at the current frame.

    Raises:
        MeshRecError: as `plan_retarget` does; nothing is changed then.
    """
    global _active_preview
    stop()
    settings = context.scene.meshrec_retarget
    frame = context.scene.frame_current
    performance = performance_from_armature(settings.source, frame, frame)
    plan = plan_retarget(settings.target, performance, settings.get_mapping(), settings.get_options())
    bones = settings.target.pose.bones
    switches = {place: bones[place[0]][place[1]] for place in plan.switches if place[0] in bones and place[1] in bones[place[0]]}
    _active_preview = (settings.target.name, settings.target.session_uid, {bone.name: bone.matrix_basis.copy() for bone in bones}, switches)
    for column, name in enumerate(plan.keys.bones):
        bone = bones[name]
        at = plan.keys.locations.get(name)
        location = bone.location if at is None else at[0]
        bone.matrix_basis = Matrix.LocRotScale(location, Quaternion(plan.keys.rotations[0, column]), bone.scale)
    for bone, name in switches:
        bones[bone][name] = type(switches[bone, name])(plan.switches[bone, name])
    settings.target.update_tag()
    if _on_frame_change not in bpy.app.handlers.frame_change_post:
        bpy.app.handlers.frame_change_post.append(_on_frame_change)


def stop():
    """Put the character back as it was."""
    global _active_preview
    if _on_frame_change in bpy.app.handlers.frame_change_post:
        bpy.app.handlers.frame_change_post.remove(_on_frame_change)
    if _active_preview is None:
        return
    name, number, poses, switches = _active_preview
    _active_preview = None
    rig = bpy.data.objects.get(name)
    if rig is None or rig.session_uid != number or rig.pose is None:  # another file is open, or it was deleted
        return
    for bone, basis in poses.items():
        if bone in rig.pose.bones:
            rig.pose.bones[bone].matrix_basis = basis
    for (bone, switch), value in switches.items():
        if bone in rig.pose.bones:
            rig.pose.bones[bone][switch] = value
    rig.update_tag()


def refresh(context):
    """Show the frame anew, where one is shown: an option or the frame has changed. What cannot be shown ends it."""
    if not is_on():
        return
    try:
        start(context)
    except MeshRecError as error:
        context.scene.meshrec_retarget.result = str(error)
        stop()


def _on_frame_change(_scene, *_):
    refresh(bpy.context)
