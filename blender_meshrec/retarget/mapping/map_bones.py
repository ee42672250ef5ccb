"""Find which bones of a rig are which part of a human: by a preset, a VRM file's own map, names, and shape alone, in this order."""

from collections.abc import Sequence

import numpy as np

from ...core.errors import InputError
from ...core.messages import Message
from ..rig import REQUIRED_SLOTS, SIDES, SLOTS, BoneMapping, Rig
from . import mapping_errors, presets
from .body_shape import BodyShape, find_body_by_shape
from .bone_tree import BoneTree
from .confidence import CONVENTION_CONFIDENCE, STATED_CONFIDENCE, bone_confidence
from .detached_ends import add_detached_ends
from .fingers import find_fingers
from .limbs import LimbBones, Limbs, bones_of_limb, first_bones
from .map_from_vrm import map_from_vrm
from .named_limbs import find_limbs, is_numbered_only
from .names import ParsedName, parse_names
from .neck_and_head import find_neck_and_head
from .torso import find_torso
from .twist_bones import find_twist_bones

_NUM_LIMBS = 4
# A quadruped's spine is across its legs: cosine between them below this. Its arms reach down this fraction of its legs at least.
_MAX_QUADRUPED_COSINE, _MIN_QUADRUPED_REACH = 0.64, 0.7

_ARM_PARTS = frozenset(("upper_arm", "lower_arm", "hand"))
# The words of legs that are told from others.
_LEG_WORDS, _FRONT_WORDS, _BACK_WORDS = frozenset(("leg", "foot", "paw")), frozenset(("front", "fore")), frozenset(("back", "hind", "rear"))


def map_bones(rig: Rig, preset: BoneMapping | None = None) -> BoneMapping:
    """Find which bones of a rig are which part of a human.

    Args:
        preset: the mapping to use; its bones that the rig lacks are left out. If None, the mapping is detected.

    Returns:
        a BoneMapping with a confidence 0..1 for every mapped bone.

    Raises:
        InputError: the rig has no bones, or is no humanoid; the message names what is missing.
    """
    if not len(rig):
        raise InputError("rig-without-bones", '"{name}" has no bones.', "Choose an armature that has bones.", name=rig.name)
    if preset is not None:
        return _apply_preset(rig, preset)
    if (mapping := map_from_vrm(rig)) is not None:
        return mapping
    for shipped in presets.shipped_presets():
        if shipped.recognised_by and set(shipped.recognised_by) <= set(rig.bones):
            return _apply_preset(rig, shipped.mapping, found_by="names", confidence=CONVENTION_CONFIDENCE)
    return _map_by_names_and_shape(rig)


def fit_mapping(rig: Rig, mapping: BoneMapping) -> tuple[BoneMapping, tuple[Message, ...]]:
    """A mapping of another rig, without the bones that this rig lacks, and a sentence that names them.

    Raises:
        InputError: the rig lacks bones that a human needs.
    """
    existing, controls = set(rig.bones), mapping.controls
    named = list(mapping.bones)
    if controls is not None:
        named += [bone for bone, _name, _value in (*controls.fk, *controls.ik)]
        named += [*controls.ik_targets.values(), *controls.poles.values()]
    absent = [bone for bone in dict.fromkeys(named) if bone not in existing]
    if not absent:
        return mapping, ()
    text = '"{name}" has no bone {bones}: the mapping names it, and it is left out.'
    note = Message("mapping-bones-left-out", text, name=rig.name, bones=mapping_errors.quote_names(absent))
    return map_bones(rig, mapping), (note,)


def missing_slots(mapping: BoneMapping) -> list[str]:
    """The slots of REQUIRED_SLOTS that a mapping lacks."""
    return [slot for slot in REQUIRED_SLOTS if not mapping.slots.get(slot)]


def _apply_preset(rig: Rig, preset: BoneMapping, found_by: str = "preset", confidence: float = STATED_CONFIDENCE) -> BoneMapping:
    existing = set(rig.bones)
    slots = {slot: tuple(bone for bone in bones if bone in existing) for slot, bones in preset.slots.items()}
    mapping = BoneMapping(
        slots=slots,
        confidence={bone: confidence for bones in slots.values() for bone in bones},
        found_by=found_by,
        convention=preset.convention,
        controls=presets.filter_controls(preset.controls, existing),
    )
    if missing := missing_slots(mapping):
        raise mapping_errors.preset_mismatch_error(rig, preset, missing)
    return mapping


def _map_by_names_and_shape(rig: Rig) -> BoneMapping:
    tree = BoneTree(rig)
    convention, names = parse_names(rig.bones)
    if _names_four_legs(names):
        raise mapping_errors.four_legs_named_error(rig)
    limbs, shape = _find_limbs(tree, names)
    slots = _find_body_slots(rig, tree, names, limbs)
    slots.update(find_twist_bones(tree, names, limbs))
    slots.update(find_fingers(tree, names, limbs))
    slots = {slot: slots[slot] for slot in SLOTS if slots.get(slot)}
    confidence = bone_confidence(tree, names, slots, limbs, None if shape is None else shape.fit)
    is_by_name = shape is None
    return BoneMapping(
        slots={slot: tuple(rig.bones[bone] for bone in bones) for slot, bones in slots.items()},
        confidence={rig.bones[bone]: value for bone, value in confidence.items()},
        found_by="names" if is_by_name else "geometry",
        convention=convention if is_by_name else "",
    )


def _find_body_slots(rig: Rig, tree: BoneTree, names: Sequence[ParsedName], limbs: Limbs) -> dict[str, list[int]]:
    """Slot -> bones of the torso and the limbs.

    Raises:
        InputError: the rig is no humanoid.
    """
    if len(limbs) < _NUM_LIMBS:
        raise mapping_errors.not_humanoid_error(rig, tree, limbs)
    if _is_quadruped(tree, limbs):
        raise mapping_errors.quadruped_error(rig)
    slots = find_torso(tree, names, limbs, lambda arm_root: find_neck_and_head(tree, limbs, arm_root))
    if not slots:
        raise mapping_errors.not_humanoid_error(rig, tree, limbs)
    for (side, _), parts in limbs.items():
        slots.update({f"{side}_{part}": bones for part, bones in parts.items()})
    _remove_duplicates(slots)
    if missing := [slot for slot in REQUIRED_SLOTS if not slots.get(slot)]:
        raise mapping_errors.missing_parts_error(rig, missing)
    return slots


def _remove_duplicates(slots: dict[str, list[int]]) -> None:
    """Remove bones that are in two slots: limbs keep them before the torso, the torso's ends before its middle."""
    taken: set[int] = set()
    for slot in [slot for slot in SLOTS if "_" in slot] + ["hips", "head", "root", "neck", "spine"]:
        if slot in slots:
            slots[slot] = [bone for bone in slots[slot] if bone not in taken]
            taken.update(slots[slot])


def _find_limbs(tree: BoneTree, names: Sequence[ParsedName]) -> tuple[Limbs, BodyShape | None]:
    """The limbs that names identify, the others by shape, and the body's shape if it was needed."""
    named_limbs = find_limbs(tree, names)
    clear_limbs = {key: parts for key, parts in named_limbs.items() if not is_numbered_only(names, parts)}
    shape = None
    if len(clear_limbs) < _NUM_LIMBS:
        shape = find_body_by_shape(tree, {bone for bone, name in enumerate(names) if name.is_helper})
    limbs = _complete_limbs(clear_limbs, shape, names)
    limbs |= {key: parts for key, parts in named_limbs.items() if key not in limbs}
    add_detached_ends(tree, names, limbs)
    return limbs, shape


def find_limbs_of_rig(tree: BoneTree, names: Sequence[ParsedName]) -> Limbs:
    """The limbs that names and shape show, however few."""
    try:
        return _find_limbs(tree, names)[0]
    except (ValueError, IndexError):  # no body at all
        return {}


# --- limbs by shape ------------------------------------------------------------------------------------------------------


def _complete_limbs(named_limbs: Limbs, shape: BodyShape | None, names: Sequence[ParsedName]) -> Limbs:
    """The limbs that the names identify, and the others by shape."""
    limbs = dict(named_limbs)
    if shape is None:
        return limbs
    swap_sides = _are_sides_swapped(shape, names)
    for (shape_side, limb), parts in shape.limbs.items():
        side = SIDES[1 - SIDES.index(shape_side)] if swap_sides else shape_side
        if (side, limb) not in limbs and not _shares_bones(parts, limbs):
            limbs[side, limb] = parts
    return limbs


def _shares_bones(parts: LimbBones, limbs: Limbs) -> bool:
    bones = set(bones_of_limb(parts))
    return any(not bones.isdisjoint(bones_of_limb(other)) for other in limbs.values())


def _are_sides_swapped(shape: BodyShape, names: Sequence[ParsedName]) -> bool:
    """Whether most names have the other side than the shape. Names are right, because feet may point backward."""
    balance = 0
    for (side, _), parts in shape.limbs.items():
        sided = [names[bone].side for bone in bones_of_limb(parts) if names[bone].side]
        balance += sum(1 if name_side == side else -1 for name_side in sided)
    return balance < 0


# --- animals -------------------------------------------------------------------------------------------------------------


def _names_four_legs(names: Sequence[ParsedName]) -> bool:
    """Whether the names tell front legs from back legs, and none names an arm."""
    if any(not _ARM_PARTS.isdisjoint(name.limbs) for name in names):
        return False
    leg_words = [set(name.words) for name in names if name.side and not _LEG_WORDS.isdisjoint(name.words)]
    return all(any(not ends.isdisjoint(words) for words in leg_words) for ends in (_FRONT_WORDS, _BACK_WORDS))


def _is_quadruped(tree: BoneTree, limbs: Limbs) -> bool:
    """Whether the spine is across the legs and the arms reach the ground."""
    arm_bones = first_bones(limbs, "arm", "upper_arm")
    hips = tree.heads[first_bones(limbs, "leg", "upper_leg")].mean(0)
    leg_ends = np.mean([tree.heads[bones_of_limb(limbs[side, "leg"])[-1]] for side in SIDES], axis=0)
    legs, spine = leg_ends - hips, tree.heads[arm_bones].mean(0) - hips
    leg_length, spine_length = np.linalg.norm(legs), np.linalg.norm(spine)
    if min(leg_length, spine_length) <= 0:
        return False
    is_across = abs(legs @ spine) < _MAX_QUADRUPED_COSINE * leg_length * spine_length
    reach = np.mean([((tree.heads[tree.subtree(bone)] - hips) @ legs).max() for bone in arm_bones]) / leg_length**2
    return bool(is_across and reach > _MIN_QUADRUPED_REACH)
