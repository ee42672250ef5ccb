"""How a light rig's controls look and what of them can be changed: shapes, rotation modes, and locks of all channels without use."""

import bpy
import numpy as np

from ..context import armature_data, pose_bones
from .capture import Capture
from .control_names import ROOT, SUFFIXES
from .control_shapes import set_shape
from .rig_limbs import RigLimb

# The diameters of the circles of FK controls, as fractions of the height of the skeleton.
_DIAMETERS = {
    "torso": 0.27, "spine1": 0.2, "spine2": 0.2, "chest": 0.24, "neck": 0.09, "head": 0.15, "shoulder": 0.09, "upper_arm_fk": 0.09,
    "forearm_fk": 0.07, "hand_fk": 0.06, "fingers": 0.05, "thigh_fk": 0.14, "shin_fk": 0.1, "foot_fk": 0.08, "toes": 0.07,
    "spine": 0.2, "heel": 0.06, "forearm_roll": 0.06,
}  # fmt: skip
_SMALL = 0.02
_FREE = (False, False, False)
_LOCKED = (True, True, True)


def style_controls(rig: bpy.types.Object, capture: Capture, limbs: list[RigLimb]) -> None:
    """Give every control its shape and locks; rotations of controls are Euler angles, whose orders their keys set later."""
    height = float(np.ptp(capture.motion.rest_heads[:, 2]))
    for bone in pose_bones(rig):
        bone.rotation_mode = "XYZ"
        if bone.name.startswith("MCH-"):
            continue
        stem = bone.name.removesuffix(SUFFIXES["left"]).removesuffix(SUFFIXES["right"])
        moves = bone.name in (ROOT, "torso")
        _lock(bone, location=_FREE if moves else _LOCKED)
        if bone.name == ROOT:
            set_shape(bone, "ground", 0.4 * height)
        else:
            length = armature_data(rig).bones[bone.name].length
            set_shape(bone, "circle", _DIAMETERS.get(stem, _SMALL) * height, (0.0, 0.5 * length, 0.0))
    for limb in limbs:
        _style_limb(rig, limb, height)


def _style_limb(rig: bpy.types.Object, limb: RigLimb, height: float) -> None:
    bones = pose_bones(rig)
    end, pole = bones[limb.ik], bones[limb.pole]
    _lock(end)
    set_shape(end, "box", (0.08 if limb.kind == "leg" else 0.06) * height)
    _lock(pole, rotation=_LOCKED)
    set_shape(pole, "ball", 0.04 * height)
    for name in limb.twists:
        twist = bones[name]
        _lock(twist, location=_LOCKED, rotation=(True, False, True))
        twist.rotation_mode = "YXZ"
        set_shape(twist, "circle", 0.05 * height, (0.0, 0.25 * armature_data(rig).bones[name].length, 0.0))


def _lock(bone: bpy.types.PoseBone, location: tuple[bool, ...] = _FREE, rotation: tuple[bool, ...] = _FREE) -> None:
    bone.lock_location, bone.lock_rotation, bone.lock_scale = location, rotation, _LOCKED
    bone.lock_rotation_w = all(rotation)
