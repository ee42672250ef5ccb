"""The names of a light rig's bones, by the joints of SMPL-family bodies. Left ends in .L and right in .R, so that Blender mirrors poses."""

_CENTRE = {"pelvis": "torso", "spine1": "spine1", "spine2": "spine2", "spine3": "chest"}
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
SUFFIXES = {"left": ".L", "right": ".R"}
# Limb -> its joints from root to end, and the names of its IK controls: end, pole, twists of the upper and lower bone.
LIMBS = {
    "leg": (("hip", "knee", "ankle"), "foot_ik", "knee", ("thigh_twist", "shin_twist")),
    "arm": (("shoulder", "elbow", "wrist"), "hand_ik", "elbow", ("upper_arm_twist", "forearm_twist")),
}
ROOT = "root"
SWITCH = "IK"  # the property of an IK control that switches its limb: 0 is FK, 1 is IK


def side_of(joint: str) -> str:
    """ "left", "right" or "" of a joint's name."""
    side = joint.partition("_")[0]
    return side if side in SUFFIXES else ""


def control_name(joint: str) -> str:
    """The FK control of a joint."""
    side = side_of(joint)
    if not side:
        return _CENTRE.get(joint, joint)
    part = joint.partition("_")[2]
    return _SIDED.get(part, part) + SUFFIXES[side]


def mechanism_name(control: str) -> str:
    """The hidden bone that a person's bone follows in place of a control."""
    return f"MCH-{control}"
