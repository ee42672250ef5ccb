"""One click from a captured person to a clean-up rig: controls, few keys, and a person who follows them.

`make_clean_up_rig` reads the capture, makes the rig (Rigify's where that is there), fits the keys (retarget/clean_up), keys it, and
measures how far the person then is from the capture. The capture stays as it is: the person plays it whenever the constraints are off.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

import bpy
import numpy as np

from ...core.array_types import BoolArray
from ...core.errors import InputError
from ...core.key_reduction import Keys
from ...core.rotations import rotvec_from_rotmat
from ...retarget.clean_up.fit_channels import fit_channels, phases_of
from ...retarget.clean_up.fit_controls import MAX_ANGLE, fit_controls
from ...retarget.clean_up.limb_poses import pole_places
from ...retarget.clean_up.records import CleanUpKeys, LimbControls, PhaseKeys, RotationKeys
from ...retarget.write.channels import euler_from_rotmat
from ..context import ensure_object_mode, pose_bones
from ..motion.keyframes import write_action
from .bezier_keys import write_phases, write_steps
from .built_rig import BuiltLimb, BuiltRig
from .capture import Capture, deviation, is_skel, orthonormal, play, read_capture
from .follow import clean_up_rig_of, follow_controls, remove_rig
from .light_rig import build_light_rig
from .rigify_rig import build_rigify_rig, is_rigify_there

Kind: TypeAlias = Literal["auto", "rigify", "light"]
_EulerModes: TypeAlias = Literal["XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX"]
_AT_REST = Keys(np.zeros(1, np.int64), np.zeros((1, 1)), np.zeros((1, 1)))
_TWIST_TOLERANCE = 0.45 * MAX_ANGLE


@dataclass(frozen=True)
class CleanUpRig:
    """A clean-up rig: its armature object and action; the keyframes of the capture and of the rig; how far the person is from the
    capture at most: m and rad. is_rigify: whether Rigify has made it."""

    rig: bpy.types.Object
    action: bpy.types.Action
    captured_keys: int
    keys: int
    distance: float
    angle: float
    is_rigify: bool


def make_clean_up_rig(armature_object: bpy.types.Object, kind: Kind = "auto") -> CleanUpRig:
    """Give a person a clean-up rig and let them follow it; an earlier rig of theirs goes.

    Args:
        kind: "rigify", "light", or "auto" for Rigify where it is there and the person has SMPL's bones.

    Raises:
        InputError: the armature is no person's, plays no motion, or has SKEL's bones, for which there is the light rig; nothing is changed
        then.
    """
    ensure_object_mode()
    capture = read_capture(armature_object)
    if kind == "rigify" and is_skel(capture.names):
        raise InputError("rigify-for-skel", "Rigify's rig has not SKEL's bones.", "Choose the light rig.")
    if clean_up_rig_of(armature_object) is not None:
        remove_rig(armature_object)
    is_rigify = kind == "rigify" or (kind == "auto" and is_rigify_there() and not is_skel(capture.names))
    build = build_rigify_rig if is_rigify else build_light_rig
    built = build(f"{armature_object.name} controls", capture, armature_object.matrix_world, armature_object.users_collection[0])
    limbs = [built.limb_controls(capture, limb) for limb in built.limbs]
    keys = fit_controls(built.motion(capture), built.axes(capture), tuple(limbs))
    action = write_action(f"{armature_object.name} clean-up", built.rig, np.empty(0), [])
    count = _write_keys(action, built, capture, limbs, keys)
    count += _write_twists(action, built, capture, limbs)
    follow_controls(armature_object, built.rig, built.followed)
    distance, angle = deviation(capture, play(armature_object, capture.names, capture.first, capture.last, follows=True))
    return CleanUpRig(built.rig, action, capture.keys, count, distance, angle, is_rigify)


def _write_keys(action: bpy.types.Action, built: BuiltRig, capture: Capture, limbs: list[LimbControls], keys: CleanUpKeys) -> int:
    """Key all controls but the twists; returns the number of keyframes."""
    first, rig = capture.first, built.rig
    count = _write_location(action, rig, built.controls[capture.names[0]], keys.root, first)
    for joint, rotation in zip(capture.names, keys.rotations, strict=True):
        count += _write_rotation(action, rig, built.controls[joint], rotation, first)
    for joint, glide in keys.glides.items():
        count += _write_location(action, rig, built.controls[capture.names[joint]], glide, first)
    for limb, control, limb_keys in zip(built.limbs, limbs, keys.limbs, strict=True):
        count += _write_location(action, rig, limb.ik, limb_keys.place, first)
        count += _write_rotation(action, rig, limb.ik, limb_keys.rotation, first)
        count += _write_location(action, rig, limb.pole, limb_keys.pole, first)
        count += _write_switch(action, rig, limb, control.uses_ik, first)
        if not control.uses_ik.any():
            _place_unused(built, capture, limb, control)
    return count


def _place_unused(built: BuiltRig, capture: Capture, limb: BuiltLimb, control: LimbControls) -> None:
    """Pose the IK controls of a limb that is never on IK as the limb is at the start, without keys."""
    motion, bones = built.motion(capture), pose_bones(built.rig)
    turn = motion.turns[0, control.end]
    place = motion.heads[0, control.end] + turn @ (control.place - motion.rest_heads[control.end])
    bones[limb.ik].location = ((place - control.place) @ control.place_axes).tolist()
    bones[limb.ik].rotation_mode = "XYZ"
    bones[limb.ik].rotation_euler = euler_from_rotmat((control.axes.T @ turn @ control.axes)[None], "XYZ")[0].tolist()
    bones[limb.pole].location = ((pole_places(motion, control)[0] - control.pole) @ control.pole_axes).tolist()


def _write_location(action: bpy.types.Action, rig: bpy.types.Object, bone: str, phases: tuple[PhaseKeys, ...], first: int) -> int:
    return write_phases(action, rig, f'pose.bones["{bone}"].location', bone, phases, first)


def _write_rotation(action: bpy.types.Action, rig: bpy.types.Object, bone: str, rotation: RotationKeys, first: int) -> int:
    if not rotation.phases:
        return 0
    pose_bones(rig)[bone].rotation_mode = cast("_EulerModes", rotation.order)
    return write_phases(action, rig, f'pose.bones["{bone}"].rotation_euler', bone, rotation.phases, first)


def _write_switch(action: bpy.types.Action, rig: bpy.types.Object, limb: BuiltLimb, uses_ik: BoolArray, first: int) -> int:
    changes = np.concatenate([[0], np.flatnonzero(np.diff(uses_ik.astype(int))) + 1])
    values = np.where(uses_ik, limb.ik_value, limb.fk_value)
    bone, name = limb.switch
    pose_bones(rig)[bone][name] = float(values[0])
    return write_steps(action, rig, f'pose.bones["{bone}"]["{name}"]', bone, first + changes.astype(float), values[changes])


def _write_twists(action: bpy.types.Action, built: BuiltRig, capture: Capture, limbs: list[LimbControls]) -> int:
    """Key the twists that turn what IK bends as the capture's bones are turned, where IK is on; returns the number of keyframes."""
    used = [(limb, control) for limb, control in zip(built.limbs, limbs, strict=True) if control.uses_ik.any()]
    if not used:
        return 0
    turned = tuple(name for limb, _ in used for name in limb.turned)
    bent = orthonormal(play(built.rig, turned, capture.first, capture.last)[..., :3, :3])
    count = 0
    for number, carried in enumerate(turned):
        limb, control = used[number // 2]
        name = limb.twists[number % 2]
        joint = (control.upper, control.middle)[number % 2]
        wanted = capture.motion.turns[:, joint] @ capture.rest[joint]
        axes = built.rest_axes(name).T @ built.rest_axes(carried)  # of what is carried, in those of the twist
        angles = np.unwrap(rotvec_from_rotmat(axes @ bent[:, number].swapaxes(-1, -2) @ wanted @ axes.T)[:, 1])
        keys, _curve = fit_channels(angles[:, None], np.full(len(angles), _TWIST_TOLERANCE), phases_of(control.uses_ik))
        pose_bones(built.rig)[name].rotation_mode = "YXZ"
        if name in built.followed.values():  # it carries the limb on FK, too
            keys = (*keys, *(PhaseKeys(start, (0,), _AT_REST) for start, _ in phases_of(~control.uses_ik)))
        twist = tuple(PhaseKeys(phase.start, (1,), phase.keys) for phase in keys)
        count += write_phases(action, built.rig, f'pose.bones["{name}"].rotation_euler', limb.ik, twist, capture.first)
    return count
