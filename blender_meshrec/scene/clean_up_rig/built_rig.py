"""What the two kinds of clean-up rig have in common for the keys: which control turns a joint, which bone a person's bone copies."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import bpy
import numpy as np

from ...core.array_types import FloatArray
from ...core.axis_rotations import rotation_about_axis
from ...retarget.clean_up.limb_phases import contact_phases
from ...retarget.clean_up.records import CapturedMotion, ControlAxes, LimbControls
from ..context import armature_data
from .capture import Capture

SIDES = ("left", "right")
# Limb -> its joints from root to end, without their side.
LIMB_JOINTS = {"leg": ("hip", "knee", "ankle"), "arm": ("shoulder", "elbow", "wrist")}


@dataclass(frozen=True)
class BuiltLimb:
    """A limb: the names of its joints, of its IK control and pole, and of the bones that turn its two bones about themselves on IK.

    hinge: the joint whose bone has the limb's hinge as its X axis. turned: the bones that the twists carry, which the person's bones
    follow. switch: bone and property; ik_value, fk_value: of the switch.
    """

    side: str
    kind: str
    joints: tuple[str, ...]
    hinge: str
    ik: str
    pole: str
    twists: tuple[str, str]
    turned: tuple[str, str]
    switch: tuple[str, str]
    ik_value: float
    fk_value: float


@dataclass(frozen=True)
class BuiltRig:
    """A rig at rest.

    bends: (J,3,3), how the rig's rest pose turns the person's joints. controls: joint -> the control that turns it. followed: joint -> the
    bone that the person's bone copies.
    """

    rig: bpy.types.Object
    bends: FloatArray
    controls: Mapping[str, str]
    followed: Mapping[str, str]
    limbs: tuple[BuiltLimb, ...]

    def motion(self, capture: Capture) -> CapturedMotion:
        """The captured motion, with turns away from the rig's rest pose."""
        turns = capture.motion.turns @ self.bends.swapaxes(-1, -2)
        return replace(capture.motion, rest_heads=bent_heads(capture, self.bends), turns=turns)

    def axes(self, capture: Capture) -> ControlAxes:
        """The rest axes of the controls."""
        axes = np.array([self.rest_axes(self.controls[joint]) for joint in capture.names])
        return ControlAxes(axes, capture.motion.parents, self.rest_head(self.controls[capture.names[0]]))

    def limb_controls(self, capture: Capture, limb: BuiltLimb) -> LimbControls:
        """A limb as the fit takes it: on IK while its foot or hand touches."""
        upper, middle, end = (capture.names.index(joint) for joint in limb.joints)
        touching = (capture.feet if limb.kind == "leg" else capture.hands)[:, SIDES.index(limb.side)]
        heads, hinge = bent_heads(capture, self.bends), capture.names.index(limb.hinge)
        pole = self.rest_head(limb.pole)
        return LimbControls(
            upper,
            middle,
            end,
            contact_phases(touching),
            self.bends[hinge] @ capture.rest[hinge][:, 0],
            self.rest_axes(limb.ik),
            self.rest_head(limb.ik),
            self.location_axes(limb.ik),
            pole,
            self.location_axes(limb.pole),
            float(np.linalg.norm(pole - (heads[upper] + heads[end]) / 2)),
        )

    def rest_axes(self, bone: str) -> FloatArray:
        return np.array(armature_data(self.rig).bones[bone].matrix_local.to_3x3())

    def location_axes(self, bone: str) -> FloatArray:
        """The axes (3,3) of a bone's location: its own at rest, or its parent's where Blender's Local Location is off."""
        settings = armature_data(self.rig).bones[bone]
        if settings.use_local_location or settings.parent is None:
            return self.rest_axes(bone)
        return self.rest_axes(settings.parent.name)

    def rest_head(self, bone: str) -> FloatArray:
        return np.array(armature_data(self.rig).bones[bone].head_local)


def bent_heads(capture: Capture, bends: FloatArray) -> FloatArray:
    """The joints (J,3) m of a person at rest whose joints are turned by `bends` (J,3,3)."""
    rest, heads = capture.motion.rest_heads, capture.motion.rest_heads.copy()
    for joint, parent in enumerate(capture.motion.parents.tolist()):
        if parent >= 0:
            heads[joint] = heads[parent] + bends[parent] @ (rest[joint] - rest[parent])
    return heads


def bent_limbs(capture: Capture, angle: float) -> FloatArray:
    """Turns (J,3,3) that bend knees and elbows by twice an angle, rad, and leave hands and feet as they are turned."""
    bends = np.tile(np.eye(3), (len(capture.names), 1, 1))
    for parts in LIMB_JOINTS.values():
        for side in SIDES:
            upper, middle, _ = (capture.names.index(f"{side}_{part}") for part in parts)
            hinge = capture.rest[upper][:, 0]
            bends[upper], bends[middle] = rotation_about_axis(np.tile(hinge, (2, 1)), np.array([-angle, angle]))
    return bends
