"""The parts that arms and legs consist of."""

from typing import TypeAlias

from ..rig import SIDES

ARM = ("clavicle", "upper_arm", "lower_arm", "hand")
LEG = ("upper_leg", "lower_leg", "foot", "toes")
PARTS_BY_LIMB = {"arm": ARM, "leg": LEG}
# The parts that every limb has.
LONG_BONES = ("upper_arm", "lower_arm", "upper_leg", "lower_leg")

LimbBones: TypeAlias = dict[str, list[int]]  # part -> its bones from parent to child, in the order of ARM or LEG
Limbs: TypeAlias = dict[tuple[str, str], LimbBones]  # (side, "arm" or "leg") -> its bones


def first_bones(limbs: Limbs, limb: str, part: str) -> list[int]:
    """The first bone of a part of the left and the right limb."""
    return [limbs[side, limb][part][0] for side in SIDES]


def bones_of_limb(limb_bones: LimbBones) -> list[int]:
    """All bones of a limb, from parent to child."""
    return [bone for bones in limb_bones.values() for bone in bones]
