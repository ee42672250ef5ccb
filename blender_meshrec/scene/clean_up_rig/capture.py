"""The captured motion of a person's armature on whole frames, without the controls that it may follow."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from ...core.array_types import BoolArray, FloatArray
from ...core.body_contacts import CONTACT_PARTS
from ...core.errors import InputError
from ...core.rotations import angle_between_rotmats
from ...core.skel.vocabulary import SKEL_JOINTS
from ...retarget.clean_up.records import CapturedMotion
from ..context import armature_data, assigned_action, pose_bones
from ..corrections.contact_channels import read_contacts
from ..motion.armature_motion import smpl_joint_names
from ..motion.isolated_playback import isolated_scene, pose_matrices
from ..motion.keyframes import action_fcurves
from ..person.skel_armature import GLIDING_JOINTS
from ..temporary_state import changed_attributes

FOLLOW = "MeshRec Clean-Up"  # the constraint with which a person's bone follows its control
_SIDES = ("left", "right")


@dataclass(frozen=True)
class Capture:
    """names: of the joints. first, last: frames of the timeline. motion: a CapturedMotion in armature space. rest: (J,3,3) axes of the
    bones. feet, hands: (F,2) bool, left and right, whether they touch. keys: the number of keyframes of the captured bones."""

    names: tuple[str, ...]
    first: int
    last: int
    motion: CapturedMotion
    rest: FloatArray
    feet: BoolArray
    hands: BoolArray
    keys: int


def read_capture(armature_object: bpy.types.Object) -> Capture:
    """Read the motion that an armature plays: its action, and what its NLA adds.

    Raises:
        InputError: the armature has neither SMPL's nor SKEL's bones, or plays nothing.
    """
    names = person_joint_names(armature_object)
    if names is None:
        raise InputError(
            "clean-up-needs-person",
            '"{name}" has not the bones of a person.',
            "Choose a person that MeshRec has made.",
            name=armature_object.name,
        )
    first, last, keys = _key_range(armature_object)
    poses = play(armature_object, names, first, last)
    bones = [armature_data(armature_object).bones[name] for name in names]
    rest = np.array([bone.matrix_local.to_3x3() for bone in bones])
    heads = np.array([bone.head_local for bone in bones])
    parents = np.array([names.index(bone.parent.name) if bone.parent else -1 for bone in bones])
    turns = orthonormal(poses[..., :3, :3]) @ rest.swapaxes(-1, -2)
    contacts = read_contacts(armature_object, np.arange(first, last + 1))
    feet = [contacts[:, [CONTACT_PARTS.index(f"{side}_{part}") for part in ("heel", "toe")]].any(1) for side in _SIDES]
    hands = [contacts[:, CONTACT_PARTS.index(f"{side}_hand")] for side in _SIDES]
    glides = _glides(parents, heads, turns, poses[..., :3, 3]) if is_skel(names) else {}
    motion = CapturedMotion(parents, heads, turns, _rigid_heads(parents, heads, turns, poses[:, 0, :3, 3], glides), glides)
    return Capture(names, first, last, motion, rest, np.stack(feet, -1), np.stack(hands, -1), keys)


def person_joint_names(armature_object: bpy.types.Object) -> tuple[str, ...] | None:
    """The ordered joint names of a person's armature, of SMPL's family or SKEL; None for any other armature."""
    is_skel_there = {bone.name for bone in armature_data(armature_object).bones} == set(SKEL_JOINTS)
    return SKEL_JOINTS if is_skel_there else smpl_joint_names(armature_object)


def is_skel(names: tuple[str, ...]) -> bool:
    """Whether these joints are SKEL's."""
    return names == SKEL_JOINTS


def play(armature_object: bpy.types.Object, names: tuple[str, ...], first: int, last: int, follows: bool = False) -> FloatArray:
    """The bones' matrices (F,J,4,4) in armature space on whole frames; by default without what `follow_controls` has added."""
    constraints = [constraint for bone in pose_bones(armature_object) for constraint in bone.constraints if constraint.name == FOLLOW]
    before = [constraint.mute for constraint in constraints]
    rows = [pose_bones(armature_object).find(name) for name in names]
    frames: list[FloatArray] = []
    try:
        for constraint in constraints:
            constraint.mute = not follows
        with changed_attributes(armature_data(armature_object), pose_position="POSE"), isolated_scene(armature_object) as evaluate:
            for frame in range(first, last + 1):
                frames.append(pose_matrices(armature_object.evaluated_get(evaluate(frame)))[rows])
    finally:
        for constraint, mute in zip(constraints, before, strict=True):
            constraint.mute = mute
    return np.array(frames)


def deviation(capture: Capture, poses: FloatArray) -> tuple[float, float]:
    """How far poses (F,J,4,4) are from a capture: the largest distance of a bone's head, m, and the largest angle, rad."""
    turns = orthonormal(poses[..., :3, :3]) @ capture.rest.swapaxes(-1, -2)
    distance = np.linalg.norm(poses[..., :3, 3] - capture.motion.heads, axis=-1)
    return float(distance.max()), float(angle_between_rotmats(turns, capture.motion.turns).max())


def orthonormal(matrices: FloatArray) -> FloatArray:
    """Rotations (...,3,3) of matrices that may also scale along their axes."""
    return matrices / np.linalg.norm(matrices, axis=-2, keepdims=True)


def _glides(parents: FloatArray, rest_heads: FloatArray, turns: FloatArray, heads: FloatArray) -> dict[int, FloatArray]:
    """How far the gliding joints of SKEL have moved from their places at rest, (F,3) m in armature axes turned as their parents are."""
    found: dict[int, FloatArray] = {}
    for joint in GLIDING_JOINTS:
        parent = int(parents[joint])
        from_parent = (turns[:, parent].swapaxes(-1, -2) @ (heads[:, joint] - heads[:, parent])[..., None])[..., 0]
        found[joint] = from_parent - (rest_heads[joint] - rest_heads[parent])
    return found


def _rigid_heads(
    parents: FloatArray, rest_heads: FloatArray, turns: FloatArray, root: FloatArray, glides: Mapping[int, FloatArray]
) -> FloatArray:
    """The heads (F,J,3) m of bones that keep their lengths, but for those that glide."""
    heads = np.empty((*turns.shape[:2], 3))
    heads[:, 0] = root
    for joint, parent in enumerate(parents.tolist()):
        if parent >= 0:
            offset = np.broadcast_to(rest_heads[joint] - rest_heads[parent], (len(heads), 3)) + glides.get(joint, 0.0)
            heads[:, joint] = heads[:, parent] + (turns[:, parent] @ offset[..., None])[..., 0]
    return heads


def _key_range(armature_object: bpy.types.Object) -> tuple[int, int, int]:
    """The first and last whole frame of the keys of an armature's bones, in its action and in its NLA, and the number of keys."""
    action, strips = assigned_action(armature_object), _strips_of(armature_object)
    curves = _bone_curves(() if action is None else action_fcurves(action, armature_object))
    ends = [(start, end) for start, end in (curve.range() for curve in curves)]
    ends += [(strip.frame_start, strip.frame_end) for strip in strips]
    if not ends:
        raise InputError(
            "clean-up-without-motion", '"{name}" plays no motion.', "Give it an action, or reconstruct anew.", name=armature_object.name
        )
    curves += [curve for strip in strips if strip.action is not None for curve in _bone_curves(_curves_of(strip.action))]
    keys = sum(len(curve.keyframe_points) for curve in curves)
    first, last = min(start for start, _ in ends), max(end for _, end in ends)
    return int(np.ceil(first - 1e-3)), int(np.floor(last + 1e-3)), keys


def _strips_of(armature_object: bpy.types.Object) -> list[bpy.types.NlaStrip]:
    animation = armature_object.animation_data
    tracks = () if animation is None else animation.nla_tracks
    return [strip for track in tracks if not track.mute for strip in track.strips]


def _bone_curves(curves: Iterable[bpy.types.FCurve]) -> list[bpy.types.FCurve]:
    return [curve for curve in curves if curve.data_path.startswith("pose.")]


def _curves_of(action: bpy.types.Action) -> list[bpy.types.FCurve]:
    """All curves of an action, whatever it animates."""
    if not hasattr(action, "slots"):
        return list(action.fcurves)
    strips: list[Any] = [strip for layer in action.layers for strip in layer.strips]
    return [curve for strip in strips for bag in strip.channelbags for curve in bag.fcurves]
