"""The names of a light rig's bones, by joints of SMPL-family bodies and of SKEL. They end in .L and .R, so that Blender mirrors poses."""

from ...core.skel.vocabulary import SKEL_JOINTS

_CENTRE = {"pelvis": "torso", "spine1": "spine1", "spine2": "spine2", "spine3": "chest", "lumbar_body": "spine", "thorax": "chest"}
_SIDED = {
    "collar": "shoulder",
    "shoulder": "upper_arm_fk",
    "elbow": "forearm_fk",
    "wrist": "hand_fk",
    "hand": "fingers",
    "hip": "thigh_fk",
    "knee": "shin_fk",
    "ankle": "foot_fk",
    "foot": "toes",
}
_SKEL_SIDED = {
    "femur": "thigh_fk",
    "tibia": "shin_fk",
    "talus": "foot_fk",
    "calcn": "heel",
    "toes": "toes",
    "scapula": "shoulder",
    "humerus": "upper_arm_fk",
    "ulna": "forearm_fk",
    "radius": "forearm_roll",
    "hand": "hand_fk",
}
_SKEL_SIDES = {"l": "left", "r": "right"}
SUFFIXES = {"left": ".L", "right": ".R"}
# Limb -> its joints from root to end, and the names of its IK controls: end, pole, twists of the upper and lower bone.
LIMBS = {
    "leg": (("hip", "knee", "ankle"), "foot_ik", "knee", ("thigh_twist", "shin_twist")),
    "arm": (("shoulder", "elbow", "wrist"), "hand_ik", "elbow", ("upper_arm_twist", "forearm_twist")),
}
# SKEL's forearm is two bones one behind the other, so that its arms have no IK.
SKEL_LIMBS = {"leg": (("femur", "tibia", "talus"), *LIMBS["leg"][1:])}
ROOT = "root"
SWITCH = "IK"  # the property of an IK control that switches its limb: 0 is FK, 1 is IK


def side_of(joint: str) -> str:
    """ "left", "right" or "" of a joint's name."""
    if joint in SKEL_JOINTS:
        return _SKEL_SIDES.get(joint.rpartition("_")[2], "")
    side = joint.partition("_")[0]
    return side if side in SUFFIXES else ""


def control_name(joint: str) -> str:
    """The FK control of a joint."""
    side = side_of(joint)
    if not side:
        return _CENTRE.get(joint, joint)
    if joint in SKEL_JOINTS:
        return _SKEL_SIDED[joint.partition("_")[0]] + SUFFIXES[side]
    part = joint.partition("_")[2]
    return _SIDED.get(part, part) + SUFFIXES[side]


def mechanism_name(control: str) -> str:
    """The hidden bone that a person's bone follows in place of a control."""
    return f"MCH-{control}"
