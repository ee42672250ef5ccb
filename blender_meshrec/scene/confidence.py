"""How sure the result is of each bone, as colours: the median of every joint's confidence over the frames with the person."""

import numpy as np

from ..core.skel.vocabulary import SKEL_JOINTS, SMPL_OF_SKEL
from ..core.skeletons import SMPL_JOINTS

# Confidence and sRGB: told apart by brightness too, for those who do not see red and green.
CONFIDENCE_COLOURS = ((0.25, (196, 54, 46)), (0.5, (240, 170, 50)), (0.8, (120, 205, 130)))
SELECTED_WHITE_SHARE, ACTIVE_WHITE_SHARE = 0.45, 0.8  # how far towards white
LOW_CONFIDENCE = 0.5


def joint_confidence(recovery):
    """The median confidence (24,) of each of SMPL's joints over the frames in which the person is seen."""
    seen = recovery.confidence[recovery.visible]
    return np.median(seen, axis=0) if len(seen) else np.zeros(len(SMPL_JOINTS))


def colour_bones(rig, confidence):
    """Colour an armature's bones by confidence (24,); those without a joint of their own take their parent's."""
    rig["confidence"] = [float(value) for value in confidence]
    known = dict(zip(SMPL_JOINTS, confidence))
    known.update((bone, confidence[joint]) for bone, joint in zip(SKEL_JOINTS, SMPL_OF_SKEL) if bone not in known)
    found = {}
    for bone in rig.pose.bones:  # parents come before their children
        found[bone.name] = known.get(bone.name, found[bone.parent.name] if bone.parent else 1.0)
        colour = bone_colour(found[bone.name])
        bone.color.palette = "CUSTOM"
        bone.color.custom.normal = colour
        bone.color.custom.select = colour + SELECTED_WHITE_SHARE * (1 - colour)
        bone.color.custom.active = colour + ACTIVE_WHITE_SHARE * (1 - colour)


def restore_side_colours(rig):
    """Take the colours by confidence away; the bones' own, which tell left from right, show again."""
    for bone in rig.pose.bones:
        bone.color.palette = "DEFAULT"


def is_coloured_by_confidence(rig):
    """Whether an armature shows confidence."""
    return any(bone.color.palette == "CUSTOM" for bone in rig.pose.bones)


def bone_colour(confidence):
    """The sRGB colour (3,), 0..1, of a confidence: between the nearest of CONFIDENCE_COLOURS."""
    steps = [step for step, _ in CONFIDENCE_COLOURS]
    return np.array([np.interp(confidence, steps, [colour[channel] / 255 for _, colour in CONFIDENCE_COLOURS]) for channel in range(3)])


def low_confidence_joints(confidence):
    """The names of the joints whose confidence (24,) is low, the lowest first."""
    order = np.argsort(confidence, kind="stable")
    return [SMPL_JOINTS[joint] for joint in order if confidence[joint] < LOW_CONFIDENCE]
