"""Which bones of a rig are which part of a human: by a preset, a VRM file's own map, names, and shape alone, in this order."""

from itertools import pairwise

import numpy as np

from ...core.errors import InputError
from ..rig import REQUIRED_SLOTS, SIDES, SLOTS, BoneMapping
from . import presets
from .body_shape import find_body_by_shape, find_neck_and_head
from .bone_tree import BoneTree
from .chains import ARM, LEG, find_fingers, find_limbs, find_torso, find_twist_bones
from .names import parse_names

# VRM's names of the parts (1.0; 0.x differs at the thumb) -> slot and place in it.
_VRM_TORSO = {"hips": "hips", "spine": "spine", "chest": "spine", "upperChest": "spine", "neck": "neck", "head": "head"}
_VRM_LIMBS = {
    "Shoulder": "clavicle", "UpperArm": "upper_arm", "LowerArm": "lower_arm", "Hand": "hand",
    "UpperLeg": "upper_leg", "LowerLeg": "lower_leg", "Foot": "foot", "Toes": "toes",
}  # fmt: skip
_VRM_FINGERS = {"Thumb": "thumb", "Index": "index", "Middle": "middle", "Ring": "ring", "Little": "little"}
_VRM_JOINTS = ("Metacarpal", "Proximal", "Intermediate", "Distal")
REMEDY = "Choose the bones by hand in the Mapping list of the Retarget panel, or load a mapping preset for this rig."
# Confidence: what the file itself says; a bone of a known convention; what a clear name adds to what an unclear one gets.
_STATED_CONFIDENCE, _CONVENTION_CONFIDENCE, _NAME_CONFIDENCE, _CLEAR_NAME_BONUS = 1.0, 0.97, 0.55, 0.35
# What a bone loses when its limb's counterpart is of another length, and when the feet say that left is on the other side.
_UNEVEN_PENALTY, _WRONG_SIDE_PENALTY = 0.15, 0.2
_MAX_SHAPE_CONFIDENCE = 0.6  # the most that shape alone is trusted


def map_bones(rig, preset=None):
    """Find out which bones of a rig are which part of a human.

    Args:
        rig: a Rig.
        preset: a BoneMapping to use instead of looking; its bones that the rig lacks are left out.

    Returns:
        a BoneMapping with a confidence 0..1 for every mapped bone.

    Raises:
        InputError: the rig has no bones, or is no humanoid; it names what is missing.
    """
    if not len(rig):
        raise InputError("rig-without-bones", '"{name}" has no bones.', "Choose an armature that has bones.", name=rig.name)
    if preset is not None:
        return _apply_preset(rig, preset)
    if (mapping := _map_from_vrm(rig)) is not None:
        return mapping
    for shipped in presets.shipped_presets():
        if shipped.recognised_by and set(shipped.recognised_by) <= set(rig.bones):
            return _apply_preset(rig, shipped.mapping, found_by="names", confidence=_CONVENTION_CONFIDENCE)
    return _map_by_names_and_shape(rig)


def missing_slots(mapping):
    """The slots of REQUIRED_SLOTS that a mapping lacks."""
    return [slot for slot in REQUIRED_SLOTS if not mapping.slots.get(slot)]


def _apply_preset(rig, preset, found_by="preset", confidence=_STATED_CONFIDENCE):
    have = set(rig.bones)
    slots = {slot: [bone for bone in bones if bone in have] for slot, bones in preset.slots.items()}
    mapping = BoneMapping(
        slots,
        {bone: confidence for bones in slots.values() for bone in bones},
        found_by,
        preset.convention,
        presets.filter_controls(preset.controls, have),
    )
    if missing := missing_slots(mapping):
        named = [bone for slot in missing for bone in preset.slots.get(slot, ())]
        problem, values = 'The mapping does not fit "{name}"; {what} would be missing.', {"name": rig.name, "what": _join_slots(missing)}
        if not named:
            raise InputError("mapping-incomplete", problem, REMEDY, **values)
        problem = 'The mapping does not fit "{name}"; {what} would be missing: it has no bone {bones}.'
        raise InputError("mapping-bones-absent", problem, REMEDY, **values, bones=_quote_names(named))
    return mapping


# --- a VRM file's own map ------------------------------------------------------------------------------------------------


def _map_from_vrm(rig):
    """The map that a VRM file carries; None where there is none or it lacks what a body needs."""
    have = set(rig.bones)
    ordered = {}
    for name, bone in rig.humanoid.items():
        slot, place = _vrm_slot(name)
        if slot and bone in have:
            ordered.setdefault(slot, []).append((place, bone))
    slots = {slot: [bone for _, bone in sorted(bones)] for slot, bones in ordered.items()}
    mapping = BoneMapping(slots, {}, "vrm", "VRM")
    if missing_slots(mapping):
        return None
    tree = BoneTree(rig)
    index = {bone: number for number, bone in enumerate(rig.bones)}
    limbs = {
        (side, limb): {p: [index[b] for b in mapping.slots[f"{side}_{p}"]] for p in parts if f"{side}_{p}" in mapping.slots}
        for side in SIDES
        for limb, parts in (("arm", ARM), ("leg", LEG))
    }
    _, readings = parse_names(rig.bones)
    extra = find_torso(tree, readings, limbs, lambda arms: ([], None))
    if not extra or any(not _is_connected(tree, parts) for parts in limbs.values()):
        return None
    slots = {**{slot: [rig.bones[b] for b in bones] for slot, bones in find_twist_bones(tree, readings, limbs).items()}, **slots}
    if "root" in extra and rig.bones[extra["root"][0]] not in mapping.bones:
        slots["root"] = [rig.bones[bone] for bone in extra["root"]]
    return BoneMapping(slots, {bone: _STATED_CONFIDENCE for bones in slots.values() for bone in bones}, "vrm", "VRM")


def _vrm_slot(name):
    if name in _VRM_TORSO:
        return _VRM_TORSO[name], list(_VRM_TORSO).index(name)
    side = next((side for side in SIDES if name.startswith(side)), None)
    part = name[len(side) :] if side else ""
    if part in _VRM_LIMBS:
        return f"{side}_{_VRM_LIMBS[part]}", 0
    for finger, slot in _VRM_FINGERS.items():
        if part.startswith(finger) and part[len(finger) :] in _VRM_JOINTS:
            return f"{side}_{slot}", _VRM_JOINTS.index(part[len(finger) :])
    return None, 0


def _is_connected(tree, parts):
    bones = [bone for part in parts.values() for bone in part]
    return all(tree.is_descendant(below, above) for above, below in pairwise(bones))


# --- names and shape -----------------------------------------------------------------------------------------------------


def _map_by_names_and_shape(rig):
    tree = BoneTree(rig)
    convention, readings = parse_names(rig.bones)
    named = find_limbs(tree, readings)
    shape = None
    if len(named) < 4:
        shape = find_body_by_shape(tree, {bone for bone, reading in enumerate(readings) if reading.is_helper})
    limbs = _complete_limbs(named, shape, readings)
    if len(limbs) < 4:
        raise _not_humanoid_error(rig, tree, limbs)
    if _is_quadruped(tree, limbs):
        raise InputError(
            "rig-on-four-legs", '"{name}" stands on four legs: its spine lies flat and its arms reach the ground.', REMEDY, name=rig.name
        )
    slots = find_torso(tree, readings, limbs, lambda arms: find_neck_and_head(tree, limbs, arms))
    if not slots:
        raise _not_humanoid_error(rig, tree, limbs)
    for (side, _), parts in limbs.items():
        slots.update({f"{side}_{part}": bones for part, bones in parts.items()})
    _remove_duplicates(slots)
    if missing := [slot for slot in REQUIRED_SLOTS if not slots.get(slot)]:
        raise InputError(
            "rig-parts-not-found",
            '"{name}" does not look like a person: {what} cannot be found.',
            REMEDY,
            name=rig.name,
            what=_join_slots(missing),
        )
    by_name = len(named) == 4
    slots.update(find_twist_bones(tree, readings, limbs))
    slots.update(find_fingers(tree, readings, limbs))
    slots = {slot: slots[slot] for slot in SLOTS if slots.get(slot)}
    confidence = _bone_confidence(tree, readings, slots, limbs, shape)
    return BoneMapping(
        {slot: [rig.bones[bone] for bone in bones] for slot, bones in slots.items()},
        {rig.bones[bone]: value for bone, value in confidence.items()},
        "names" if by_name else "geometry",
        convention if by_name else "",
    )


def _remove_duplicates(slots):
    """No bone in two slots: limbs keep theirs before the torso, the torso's ends before its middle."""
    taken = set()
    order = [slot for slot in SLOTS if "_" in slot] + ["hips", "head", "root", "neck", "spine"]
    for slot in order:
        if slot in slots:
            slots[slot] = [bone for bone in slots[slot] if bone not in taken]
            taken.update(slots[slot])


def _complete_limbs(named, shape, readings):
    """The limbs that names told, and from the shape those they did not, on the side that names or the other limbs tell."""
    if shape is None:
        return dict(named)
    limbs = dict(named)
    swap = _are_sides_swapped(shape, readings)
    for (side, limb), parts in shape.limbs.items():
        other = SIDES[1 - SIDES.index(side)] if swap else side
        if (other, limb) not in limbs and not _shares_bones(parts, limbs):
            limbs[other, limb] = parts
    return limbs


def _shares_bones(parts, limbs):
    bones = {bone for part in parts.values() for bone in part}
    return any(bones.intersection(part) for others in limbs.values() for part in others.values())


def _are_sides_swapped(shape, readings):
    """Whether names say left where the shape says right: names know better, feet may point backward."""
    agree = 0
    for (side, _), parts in shape.limbs.items():
        for part in parts.values():
            agree += sum({side: 1, "": 0}.get(readings[bone].side, -1) for bone in part)
    return agree < 0


def _is_quadruped(tree, limbs):
    """Whether the spine lies across the legs and what hangs from the arms ends where the legs do: an animal on four legs."""
    starts = {limb: [limbs[side, limb][part][0] for side in SIDES] for limb, part in (("leg", "upper_leg"), ("arm", "upper_arm"))}
    hips, shoulders = (tree.heads[starts[limb]].mean(0) for limb in ("leg", "arm"))
    legs = np.mean([tree.heads[[bone for part in limbs[side, "leg"].values() for bone in part][-1]] for side in SIDES], axis=0) - hips
    spine = shoulders - hips
    leg_length, spine_length = np.linalg.norm(legs), np.linalg.norm(spine)
    if min(leg_length, spine_length) <= 0:
        return False
    across = abs(legs @ spine) < 0.64 * leg_length * spine_length
    reach = np.mean([((tree.heads[tree.subtree(bone)] - hips) @ legs).max() for bone in starts["arm"]]) / leg_length**2
    return bool(across and reach > 0.7)


def _bone_confidence(tree, readings, slots, limbs, shape):
    """How sure each bone is: what its name says, less where the two sides or the feet speak against it."""
    sides_agree = _sides_match_feet(tree, limbs)
    by_shape = _MAX_SHAPE_CONFIDENCE * (shape.fit if shape else 0.7)
    lengths = {}
    for (side, _), parts in limbs.items():
        for (part, bones), (_, below) in pairwise(parts.items()):
            lengths[side, part] = np.linalg.norm(tree.heads[below[0]] - tree.heads[bones[0]])
    confidence = {}
    for slot, bones in slots.items():
        side, _, part = slot.partition("_")
        if side not in SIDES:
            side, part = "", slot
        for bone in bones:
            reading = readings[bone]
            named_finger = float(reading.finger is not None)
            weight = max(reading.limbs.get(part.removesuffix("_twist"), 0.0), reading.centre.get(slot, 0.0), named_finger)
            if reading.exact_slot == slot:
                value = _CONVENTION_CONFIDENCE
            elif weight > 0 and reading.side == side:
                value = _NAME_CONFIDENCE + _CLEAR_NAME_BONUS * min(weight, 1.0)
            else:
                value = by_shape
            if side:
                pair = [lengths.get((which, part), 0.0) for which in SIDES]
                if min(pair) < 0.7 * max(pair):
                    value -= _UNEVEN_PENALTY
                if sides_agree is False:
                    value -= _WRONG_SIDE_PENALTY
            confidence[bone] = round(float(np.clip(value, 0.05, 1.0)), 3)
    return confidence


def _sides_match_feet(tree, limbs):
    """Whether the left side lies to the left of the way the feet point; None where there are no toes, or they do not say."""
    forward, hips, shoulders = [], [], []
    for side in SIDES:
        leg = limbs[side, "leg"]
        hips.append(tree.heads[leg["upper_leg"][0]])
        shoulders.append(tree.heads[limbs[side, "arm"]["upper_arm"][0]])
        if "foot" in leg and "toes" in leg:
            forward.append(tree.heads[leg["toes"][0]] - tree.heads[leg["foot"][0]])
    if len(forward) < 2:
        return None
    up = np.mean(shoulders, axis=0) - np.mean(hips, axis=0)
    across = np.cross(up, np.mean(forward, axis=0))
    lateral = hips[0] - hips[1] + shoulders[0] - shoulders[1]
    sine = across @ lateral / ((np.linalg.norm(across) * np.linalg.norm(lateral)) or 1.0)
    if abs(sine) < 0.3:
        return None
    return bool(sine > 0)


# --- refusing --------------------------------------------------------------------------------------------------------------


def _not_humanoid_error(rig, tree, limbs):
    missing = [f"{side} {limb}" for limb in ("arm", "leg") for side in SIDES if (side, limb) not in limbs]
    roots = [root for root in tree.roots if tree.subtree_sizes[root] > 2]
    if not missing and len(roots) > 1:
        names = _quote_names([rig.bones[root] for root in roots])
        return InputError(
            "rig-roots-separate",
            'The arms and legs of "{name}" hang not from one spine but from {count} separate roots: {bones}.',
            REMEDY,
            name=rig.name,
            count=len(roots),
            bones=names,
        )
    if not missing:
        return InputError(
            "rig-without-spine",
            '"{name}" does not look like a person: its arms and legs do not hang from one spine.',
            REMEDY,
            name=rig.name,
        )
    return InputError(
        "rig-limbs-not-found",
        '"{name}" does not look like a person: no {what} was found among its {count} bones.',
        REMEDY,
        name=rig.name,
        what=_join_with_or(missing),
        count=len(tree),
    )


def _join_with_or(words):
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _join_slots(slots):
    words = [f"the {slot.replace('_', ' ')}" for slot in slots]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _quote_names(names, most=4):
    shown = ", ".join(f'"{name}"' for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
