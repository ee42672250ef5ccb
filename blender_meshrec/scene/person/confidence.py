"""How sure a result is of each joint: over the clip, and as a colour that the 3D view draws at each frame."""

import bpy
import numpy as np

from ...core.array_types import FloatArray
from ...core.records import Recovery
from ...core.skel.vocabulary import SKEL_JOINTS, SMPL_OF_SKEL
from ...core.skeletons import SMPL_JOINTS
from ..context import pose_bones

# Confidence and sRGB. The colours also differ in brightness, for people who do not distinguish red from green.
CONFIDENCE_COLOURS = ((0.25, (196, 54, 46)), (0.5, (240, 170, 50)), (0.8, (120, 205, 130)))
SHOWN_PROPERTY = "meshrec_show_confidence"  # of an armature object
LOW_CONFIDENCE = 0.5


def joint_confidence(recovery: Recovery) -> FloatArray:
    """The median confidence (24,) of each of SMPL's joints over the frames in which the person is visible."""
    confidence = recovery.confidence[recovery.visible]
    return np.median(confidence, axis=0) if len(confidence) else np.zeros(len(SMPL_JOINTS))


def is_confidence_shown(armature_object: bpy.types.Object) -> bool:
    """Whether the 3D view draws the confidence of an armature's joints."""
    return bool(armature_object.get(SHOWN_PROPERTY, True)) and "confidence" in armature_object


def bones_of_joints(armature_object: bpy.types.Object) -> dict[str, int]:
    """The bones whose heads are joints of SMPL, SKEL's included, and the joint's row in the confidence."""
    rows = {name: row for row, name in enumerate(SMPL_JOINTS)}
    rows |= {bone: joint for bone, joint in zip(SKEL_JOINTS, SMPL_OF_SKEL) if bone not in rows}
    return {bone.name: rows[bone.name] for bone in pose_bones(armature_object) if bone.name in rows}


def confidence_colour(confidence: float) -> FloatArray:
    """The sRGB colour (3,), 0..1, of a confidence, interpolated between CONFIDENCE_COLOURS."""
    steps = [step for step, _ in CONFIDENCE_COLOURS]
    return np.array([np.interp(confidence, steps, [colour[channel] / 255 for _, colour in CONFIDENCE_COLOURS]) for channel in range(3)])


def low_confidence_joints(confidence: FloatArray) -> list[str]:
    """The names of the joints whose confidence (24,) is low, the lowest first."""
    order = np.argsort(confidence, kind="stable")
    return [SMPL_JOINTS[joint] for joint in order if confidence[joint] < LOW_CONFIDENCE]
