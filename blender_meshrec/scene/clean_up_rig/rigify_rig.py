"""Rigify's rig for a person: a metarig with the person's joints, generated, and a hidden bone for each of the person's to copy.

The metarig's arms and legs are bent a little, because Rigify takes the plane in which they bend from its rest pose.
"""

from typing import Any

import addon_utils
import bpy
import numpy as np
from mathutils import Matrix, Vector

from ...core.array_types import FloatArray
from ...core.errors import InputError
from ..context import active_view_layer, armature_data, expect_type, pose_bones
from ..person.armature import edit_mode
from .built_rig import LIMB_JOINTS, SIDES, BuiltLimb, BuiltRig, bent_heads, bent_limbs
from .capture import Capture
from .control_names import SUFFIXES, side_of
from .follow import WIDGETS_PROPERTY

_ADDON = "rigify"
_BEND = 0.09  # rad of each bone of a limb
_FOLLOWERS = "MeshRec"  # the hidden bone collection of the bones that the person copies
# Joint -> metarig bone, control, and the bone of the generated rig that carries the person's, without side. Others keep their own keys.
_TORSO = {
    "pelvis": ("spine", "torso", "spine_fk"),
    "spine1": ("spine.001", "spine_fk.001", "spine_fk.001"),
    "spine2": ("spine.002", "spine_fk.002", "spine_fk.002"),
    "spine3": ("spine.003", "spine_fk.003", "spine_fk.003"),
    "neck": ("spine.004", "neck", "neck"),
    "head": ("spine.006", "head", "head"),
}
_SIDED = {
    "collar": ("shoulder", "shoulder", "shoulder"),
    "shoulder": ("upper_arm", "upper_arm_fk", "ORG-upper_arm"),
    "elbow": ("forearm", "forearm_fk", "ORG-forearm"),
    "wrist": ("hand", "hand_fk", "ORG-hand"),
    "hip": ("thigh", "thigh_fk", "ORG-thigh"),
    "knee": ("shin", "shin_fk", "ORG-shin"),
    "ankle": ("foot", "foot_fk", "ORG-foot"),
}
_ENDS = {"foot": ("toe", "ORG-toe"), "hand": (None, "ORG-hand")}  # joints that keep their own keys
_LIMBS = {"leg": ("thigh_parent", "foot_ik", "thigh_ik_target"), "arm": ("upper_arm_parent", "hand_ik", "upper_arm_ik_target")}
_LIMB_SETTINGS: dict[str, float | bool] = {"FK_limb_follow": 0.0, "IK_Stretch": 0.0, "pole_vector": True, "IK_parent": 1, "pole_parent": 1}
_TORSO_SETTINGS = {"neck_follow": 1.0, "head_follow": 1.0}
_REMOVED = ("breast.L", "breast.R", "pelvis.L", "pelvis.R", "spine.005")


def is_rigify_there() -> bool:
    """Whether this Blender has Rigify, enabled or not."""
    modules: Any = addon_utils.modules()
    return any(module.__name__ == _ADDON for module in modules)


def build_rigify_rig(name: str, capture: Capture, world: Matrix, collection: bpy.types.Collection) -> BuiltRig:
    """Generate Rigify's rig for a person, at `world` and at rest; the object becomes the active one of the view layer.

    Raises:
        InputError: this Blender has no Rigify.
    """
    if not is_rigify_there():
        raise InputError("rigify-missing", "This Blender has no Rigify.", "Choose the light rig, or install Blender's Rigify add-on.")
    _enable_rigify()
    bends = bent_limbs(capture, _BEND)
    metarig = _make_metarig(capture, bent_heads(capture, bends))
    rig = _generate(metarig, name, collection)
    followed = _add_followers(rig, capture, bends)
    rig.matrix_world = world
    _set_switches(rig)
    _hide(rig)
    controls = {joint: _control(joint) or followed[joint] for joint in capture.names}
    limbs = tuple(_limb(kind, side, followed) for kind in _LIMBS for side in SIDES)
    return BuiltRig(rig, bends, controls, followed, limbs)


def _enable_rigify() -> None:
    """Enable Rigify, with an entry in the preferences, which it reads."""
    preferences = expect_type(bpy.context.preferences, bpy.types.Preferences)
    if _ADDON not in preferences.addons:
        addon_utils.enable(_ADDON, default_set=True)


def _entry(joint: str) -> tuple[str | None, str | None, str]:
    """The metarig bone, the control, and the carrying bone of a joint, with its side; None where there is none."""
    if joint in _TORSO:
        return _TORSO[joint]
    side = side_of(joint)
    suffix, part = SUFFIXES.get(side, ""), joint.partition("_")[2]
    if part in _SIDED:
        bone, control, carrier = (f"{stem}{suffix}" for stem in _SIDED[part])
        return bone, control, carrier
    if part in _ENDS:
        end, carrier = _ENDS[part]
        return (f"{end}{suffix}" if end else None), None, f"{carrier}{suffix}"
    return None, None, ""


def _control(joint: str) -> str | None:
    return _entry(joint)[1]


def _follower(joint: str) -> str:
    return f"MCH-meshrec-{joint}"


def _make_metarig(capture: Capture, heads: FloatArray) -> bpy.types.Object:
    bpy.ops.object.armature_basic_human_metarig_add()  # pyrefly: ignore[missing-attribute]  Rigify's
    metarig = active_view_layer().objects.active
    if metarig is None:
        raise TypeError("Rigify has made no metarig")
    metarig.matrix_world = Matrix.Identity(4)
    places = dict(zip(capture.names, heads, strict=True))
    with edit_mode():
        bones = armature_data(metarig).edit_bones
        for removed in _REMOVED:
            if removed in bones:
                bones.remove(bones[removed])
        for joint, place in places.items():
            bone = _entry(joint)[0]
            if bone is not None:
                bones[bone].head = Vector(place.tolist())
        _set_tails(bones, capture, places)
    _bone_parameters(pose_bones(metarig)["spine"]).pivot_pos = 1
    return metarig


def _bone_parameters(bone: bpy.types.PoseBone) -> Any:
    return bone.rigify_parameters  # pyrefly: ignore[missing-attribute]  Rigify's


def _set_tails(bones: bpy.types.ArmatureEditBones, capture: Capture, places: dict[str, FloatArray]) -> None:
    """Let each bone of the metarig end at the next joint, and hands, toes, heels and the head a little further."""
    height = float(np.ptp(capture.motion.rest_heads[:, 2]))
    for joint, child in (("pelvis", "spine1"), ("spine1", "spine2"), ("spine2", "spine3"), ("spine3", "neck"), ("neck", "head")):
        bones[_TORSO[joint][0]].tail = Vector(places[child].tolist())
    bones["spine.006"].parent, bones["spine.006"].use_connect = bones["spine.004"], True
    bones["spine.006"].tail = bones["spine.006"].head + Vector((0, 0, 0.11 * height))
    for side, suffix in SUFFIXES.items():
        chain = {"collar": "shoulder", "shoulder": "elbow", "elbow": "wrist", "hip": "knee", "knee": "ankle", "ankle": "foot"}
        for joint, child in chain.items():
            bones[f"{_SIDED[joint][0]}{suffix}"].tail = Vector(places[f"{side}_{child}"].tolist())
        wrist, elbow = (Vector(places[f"{side}_{joint}"].tolist()) for joint in ("wrist", "elbow"))
        bones[f"hand{suffix}"].tail = wrist + (wrist - elbow).normalized() * 0.05 * height
        toe, ankle = (Vector(places[f"{side}_{joint}"].tolist()) for joint in ("foot", "ankle"))
        bones[f"toe{suffix}"].tail = toe + Vector((0, -0.04 * height, 0))
        floor = toe.z - 0.01 * height
        outwards = Vector((0.02 * height if side == "left" else -0.02 * height, 0, 0))
        behind = Vector((ankle.x, ankle.y + 0.03 * height, floor))
        bones[f"heel.02{suffix}"].head, bones[f"heel.02{suffix}"].tail = behind - outwards, behind + outwards


def _generate(metarig: bpy.types.Object, name: str, collection: bpy.types.Collection) -> bpy.types.Object:
    """Generate the rig, and remove the metarig."""
    layer = active_view_layer()
    before, armatures, collections = set(bpy.data.objects), set(bpy.data.armatures), set(bpy.data.collections)
    bpy.ops.pose.rigify_generate()  # pyrefly: ignore[missing-attribute]  Rigify's
    rig = next(obj for obj in bpy.data.objects if obj not in before and obj.type == "ARMATURE")
    data = metarig.data
    bpy.data.objects.remove(metarig)
    if isinstance(data, bpy.types.Armature):
        bpy.data.armatures.remove(data)
    for other in list(rig.users_collection):
        other.objects.unlink(rig)
    collection.objects.link(rig)
    rig.name = armature_data(rig).name = name
    bpy.data.batch_remove([made for made in set(bpy.data.armatures) - armatures if made.users == 0])  # Rigify's own leavings
    for widgets in set(bpy.data.collections) - collections:
        widgets.name, rig[WIDGETS_PROPERTY] = f"WGTS_{name}", widgets
    layer.objects.active = rig
    layer.update()
    return rig


def _add_followers(rig: bpy.types.Object, capture: Capture, bends: FloatArray) -> dict[str, str]:
    """Add the bones that the person's bones copy; returns them by joint."""
    heads = bent_heads(capture, bends)
    with edit_mode():
        bones = armature_data(rig).edit_bones
        for row, joint in enumerate(capture.names):
            carrier = _entry(joint)[2] or _follower(capture.names[int(capture.motion.parents[row])])
            bone = bones.new(_follower(joint))
            bone.length = 0.03
            matrix = np.eye(4)
            matrix[:3, :3], matrix[:3, 3] = bends[row] @ capture.rest[row], heads[row]
            bone.matrix = Matrix(matrix.tolist())
            bone.parent, bone.use_deform = bones[carrier], False
    return {joint: _follower(joint) for joint in capture.names}


def _set_switches(rig: bpy.types.Object) -> None:
    """Let controls follow what the fit takes them to follow, and limbs keep their lengths."""
    bones = pose_bones(rig)
    for bone in bones:
        bone.ik_stretch = 0.0
    settings = [("torso", _TORSO_SETTINGS)]
    settings += [(f"{parent}{suffix}", _LIMB_SETTINGS) for parent, _, _ in _LIMBS.values() for suffix in SUFFIXES.values()]
    for bone, values in settings:
        for name, value in values.items():
            if name in bones[bone]:
                bones[bone][name] = type(bones[bone][name])(value)


def _hide(rig: bpy.types.Object) -> None:
    """Hide the followers, and Rigify's tweaks, which bend its own skin and not the person's."""
    armature = armature_data(rig)
    hidden = armature.collections.new(_FOLLOWERS)
    for bone in armature.bones:
        if bone.name.startswith("MCH-meshrec-"):
            hidden.assign(bone)
    for group in armature.collections_all:
        if group == hidden or "(Tweak)" in group.name:
            group.is_visible = False


def _limb(kind: str, side: str, followed: dict[str, str]) -> BuiltLimb:
    parent, ik, pole = (f"{stem}{SUFFIXES[side]}" for stem in _LIMBS[kind])
    joints = tuple(f"{side}_{joint}" for joint in LIMB_JOINTS[kind])
    twists = followed[joints[0]], followed[joints[1]]
    return BuiltLimb(side, kind, joints, joints[0], ik, pole, twists, twists, (parent, "IK_FK"), 0.0, 1.0)
