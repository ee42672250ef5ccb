"""The mapping that a VRM file holds itself, as a BoneMapping.

Sources: the VRM 0.x and VRMC_vrm-1.0 specifications, section humanoid.
"""

from collections.abc import Sequence
from itertools import pairwise

from ..rig import REQUIRED_SLOTS, SIDES, BoneMapping, Rig
from .bone_tree import BoneTree
from .confidence import STATED_CONFIDENCE
from .limbs import PARTS_BY_LIMB, LimbBones, Limbs, bones_of_limb
from .names import parse_names
from .torso import find_torso
from .twist_bones import find_twist_bones

# VRM 1.0's names of the parts -> slots; several bones of one slot in the order of the body.
_TORSO_SLOTS = {"hips": "hips", "spine": "spine", "chest": "spine", "upperChest": "spine", "neck": "neck", "head": "head"}
_LIMB_SLOTS = {
    "Shoulder": "clavicle", "UpperArm": "upper_arm", "LowerArm": "lower_arm", "Hand": "hand",
    "UpperLeg": "upper_leg", "LowerLeg": "lower_leg", "Foot": "foot", "Toes": "toes",
}  # fmt: skip
_FINGER_SLOTS = {"Thumb": "thumb", "Index": "index", "Middle": "middle", "Ring": "ring", "Little": "little"}
_FINGER_JOINTS = ("Metacarpal", "Proximal", "Intermediate", "Distal")


def map_from_vrm(rig: Rig) -> BoneMapping | None:
    """The mapping of a VRM character; None if it has none, or if it lacks parts or is not connected as a body is."""
    slots = _read_slots(rig)
    if any(slot not in slots for slot in REQUIRED_SLOTS):
        return None
    tree = BoneTree(rig)
    limbs = _limbs_from_slots(rig, slots)
    if not all(_is_connected(tree, parts) for parts in limbs.values()):
        return None
    _, names = parse_names(rig.bones)
    torso = find_torso(tree, names, limbs, lambda arm_root: ([], None))
    if not torso:
        return None
    twist_bones = find_twist_bones(tree, names, limbs)
    mapped_bones = {bone for bones in slots.values() for bone in bones}
    slots = {**{slot: _bone_names(rig, bones) for slot, bones in twist_bones.items()}, **slots}
    root_bones = _bone_names(rig, torso.get("root", []))
    if root_bones and mapped_bones.isdisjoint(root_bones):
        slots["root"] = root_bones
    return BoneMapping(
        slots={slot: tuple(bones) for slot, bones in slots.items()},
        confidence={bone: STATED_CONFIDENCE for bones in slots.values() for bone in bones},
        found_by="vrm",
        convention="VRM",
    )


def _read_slots(rig: Rig) -> dict[str, list[str]]:
    """Slot -> bones from parent to child, of the bones that the rig has."""
    existing = set(rig.bones)
    ordered: dict[str, list[tuple[int, str]]] = {}
    for part, bone in rig.humanoid.items():
        slot, place = _slot_of_part(part)
        if slot and bone in existing:
            ordered.setdefault(slot, []).append((place, bone))
    return {slot: [bone for _, bone in sorted(bones)] for slot, bones in ordered.items()}


def _slot_of_part(part: str) -> tuple[str | None, int]:
    """The slot of a part of VRM's, None if there is none, and the place among the slot's bones."""
    if part in _TORSO_SLOTS:
        return _TORSO_SLOTS[part], list(_TORSO_SLOTS).index(part)
    side = next((side for side in SIDES if part.startswith(side)), None)
    if side is None:
        return None, 0
    sided_part = part.removeprefix(side)
    if sided_part in _LIMB_SLOTS:
        return f"{side}_{_LIMB_SLOTS[sided_part]}", 0
    for finger, slot in _FINGER_SLOTS.items():
        joint = sided_part.removeprefix(finger)
        if joint != sided_part and joint in _FINGER_JOINTS:
            return f"{side}_{slot}", _FINGER_JOINTS.index(joint)
    return None, 0


def _bone_names(rig: Rig, bones: Sequence[int]) -> list[str]:
    return [rig.bones[bone] for bone in bones]


def _limbs_from_slots(rig: Rig, slots: dict[str, list[str]]) -> Limbs:
    index = {bone: number for number, bone in enumerate(rig.bones)}
    return {
        (side, limb): {part: [index[bone] for bone in slots[f"{side}_{part}"]] for part in parts if f"{side}_{part}" in slots}
        for side in SIDES
        for limb, parts in PARTS_BY_LIMB.items()
    }


def _is_connected(tree: BoneTree, parts: LimbBones) -> bool:
    """Whether each bone of a limb is a descendant of the one before."""
    return all(tree.is_descendant(below, above) for above, below in pairwise(bones_of_limb(parts)))
