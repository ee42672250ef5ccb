"""Confidence of each bone as a colour: the median confidence of its joint over the frames in which the person is visible."""

import bpy
import numpy as np
from mathutils import Color

from ..core.array_types import FloatArray
from ..core.records import Recovery
from ..core.skel.vocabulary import SKEL_JOINTS, SMPL_OF_SKEL
from ..core.skeletons import SMPL_JOINTS
from .context import bone_color_settings, pose_bones

# Confidence and sRGB. The colours also differ in brightness, for people who do not distinguish red from green.
CONFIDENCE_COLOURS = ((0.25, (196, 54, 46)), (0.5, (240, 170, 50)), (0.8, (120, 205, 130)))
SELECTED_WHITE_FRACTION, ACTIVE_WHITE_FRACTION = 0.45, 0.8  # of white mixed into the colour of selected and active bones
LOW_CONFIDENCE = 0.5


def joint_confidence(recovery: Recovery) -> FloatArray:
    """The median confidence (24,) of each of SMPL's joints over the frames in which the person is visible."""
    confidence = recovery.confidence[recovery.visible]
    return np.median(confidence, axis=0) if len(confidence) else np.zeros(len(SMPL_JOINTS))


def colour_bones(armature_object: bpy.types.Object, confidence: FloatArray) -> None:
    """Colour an armature's bones by confidence (24,); bones without a joint of their own have their parent's colour."""
    armature_object["confidence"] = [float(value) for value in confidence]
    joint_values = dict(zip(SMPL_JOINTS, confidence))
    joint_values.update((bone, confidence[joint]) for bone, joint in zip(SKEL_JOINTS, SMPL_OF_SKEL) if bone not in joint_values)
    bone_values: dict[str, float] = {}
    for bone in pose_bones(armature_object):  # parents come before their children
        inherited = bone_values[bone.parent.name] if bone.parent else 1.0
        bone_values[bone.name] = joint_values.get(bone.name, inherited)
        colour = confidence_colour(bone_values[bone.name])
        bone_color_settings(bone).palette = "CUSTOM"
        custom = bone_color_settings(bone).custom
        custom.normal = Color(colour.tolist())
        custom.select = Color((colour + SELECTED_WHITE_FRACTION * (1 - colour)).tolist())
        custom.active = Color((colour + ACTIVE_WHITE_FRACTION * (1 - colour)).tolist())


def restore_side_colours(armature_object: bpy.types.Object) -> None:
    """Remove the colours by confidence, so that those of left and right show again."""
    for bone in pose_bones(armature_object):
        bone_color_settings(bone).palette = "DEFAULT"


def is_coloured_by_confidence(armature_object: bpy.types.Object) -> bool:
    """Whether an armature shows confidence."""
    return any(bone_color_settings(bone).palette == "CUSTOM" for bone in pose_bones(armature_object))


def confidence_colour(confidence: float) -> FloatArray:
    """The sRGB colour (3,), 0..1, of a confidence, interpolated between CONFIDENCE_COLOURS."""
    steps = [step for step, _ in CONFIDENCE_COLOURS]
    return np.array([np.interp(confidence, steps, [colour[channel] / 255 for _, colour in CONFIDENCE_COLOURS]) for channel in range(3)])


def low_confidence_joints(confidence: FloatArray) -> list[str]:
    """The names of the joints whose confidence (24,) is low, the lowest first."""
    order = np.argsort(confidence, kind="stable")
    return [SMPL_JOINTS[joint] for joint in order if confidence[joint] < LOW_CONFIDENCE]
