"""Limbs, centre line, twists and fingers of a rig, from what its names say and how its bones hang together."""

from itertools import pairwise

import numpy as np

from ..rig import FINGER_SLOTS, SIDES

ARM = ("clavicle", "upper_arm", "lower_arm", "hand")
LEG = ("upper_leg", "lower_leg", "foot", "toes")
# From which part a limb may go on to the next: an arm may lack its clavicle, a leg its foot, neither its two long bones.
_ALLOWED_PREDECESSORS = {
    "clavicle": (None,),
    "upper_arm": (None, "clavicle"),
    "lower_arm": ("upper_arm",),
    "hand": ("lower_arm",),
    "upper_leg": (None,),
    "lower_leg": ("upper_leg",),
    "foot": ("lower_leg",),
    "toes": ("foot", "lower_leg"),
}
_LONG_BONES = {"arm": ("upper_arm", "lower_arm"), "leg": ("upper_leg", "lower_leg")}
# Different words for bones of one part, one below the other.
_SAME_PART = ({"wrist", "hand"}, {"ankle", "foot"}, {"ulna", "radius"}, {"talus", "calcn"}, {"clavicle", "shoulder"})
_SPLIT_BONE_WEIGHT = 0.1
# As a share of the height of the hips over the feet: below this a bone lies on the floor.
_FLOOR_HEIGHT = 0.2


def find_limbs(tree, readings):
    """The arms and legs that names tell.

    Returns:
        (side, "arm" or "leg") -> part -> bones from parent to child, for each limb whose two long bones were found.
    """
    found = {}
    for side in SIDES:
        for limb, parts in (("arm", ARM), ("leg", LEG)):
            if bones := _find_limb(tree, readings, side, parts):
                found[side, limb] = _add_inline_twist_bones(tree, readings, bones, parts)
    return found


def _part_weight(reading, side, part):
    if reading.exact_slot:
        return 1.2 if reading.exact_slot == f"{side}_{part}" else 0.0
    return 0.0 if reading.is_helper or reading.is_twist else reading.limbs.get(part, 0.0)


def _find_limb(tree, readings, side, parts):
    """The best way down the tree through bones whose names speak for these parts, in this order; None without the long bones."""
    candidates = [
        bone for bone, reading in enumerate(readings) if reading.side == side and any(_part_weight(reading, side, p) for p in parts)
    ]
    best, came_from = {}, {}
    for bone in candidates:  # parents come first
        above = [other for other in tree.chain_from_root(bone)[:-1] if (other in best)]
        # Between equals, bones that carry skin and more bones.
        favour = 0.02 * tree.rig.deform[bone] + 0.01 * (1 - 1 / tree.subtree_sizes[bone])
        for part in parts:
            if not (weight := _part_weight(readings[bone], side, part)):
                continue
            choices = [(weight + favour, None)] if None in _ALLOWED_PREDECESSORS[part] else []
            for other in above:
                for before, score in best[other].items():
                    if before in _ALLOWED_PREDECESSORS[part]:
                        choices.append((score + weight + favour, (other, before)))
                    elif before == part and _can_share_part(readings[other], readings[bone], part):
                        choices.append((score + _SPLIT_BONE_WEIGHT * weight, (other, before)))
            if choices:
                score, before = max(choices, key=lambda choice: choice[0])
                best.setdefault(bone, {})[part] = score
                came_from[bone, part] = before
    ends = [
        (scores[part], (bone, part))
        for bone, scores in best.items()
        for part in scores
        if part not in ("clavicle", "upper_arm", "upper_leg")
    ]
    if not ends:
        return None
    step, bones = max(ends)[1], {}
    while step:
        bone, part = step
        bones.setdefault(part, []).insert(0, bone)
        step = came_from[step]
    if "toes" in bones:  # the first joint of the foot that may be the toes: ball before toes
        below = "foot" if "foot" in bones else "lower_leg"
        line = tree.chain_between(bones[below][-1], bones["toes"][0])[1:]
        bones["toes"] = [next(bone for bone in line if _part_weight(readings[bone], side, "toes"))]
    return {part: bones[part] for part in parts if part in bones}


def _can_share_part(above, below, part):
    """Whether two bones may be the same part, one below the other."""
    if above.exact_slot and above.exact_slot == below.exact_slot:
        return True
    if any({above.phrase, below.phrase} == pair for pair in _SAME_PART):
        return True
    plain = [tuple(word for word in reading.words if not word.isdigit()) for reading in (above, below)]
    return plain[0] == plain[1] and part in ("upper_arm", "lower_arm", "upper_leg", "lower_leg")


def _add_inline_twist_bones(tree, readings, bones, parts):
    """Add the twist bones that lie between a long bone and what hangs from it: they carry the rest of the limb."""
    for part, following in pairwise(parts):
        if part in bones and following in bones:
            line = tree.chain_between(bones[part][0], bones[following][0])[:-1]
            bones[part] = [bone for bone in line if bone in bones[part] or (readings[bone].is_twist and part in readings[bone].limbs)]
    return bones


def find_torso(tree, readings, limbs, head_by_shape):
    """Hips, spine, neck, head and a root on the floor, from where the limbs hang and what the bones between are called.

    Args:
        limbs: (side, "arm" or "leg") -> part -> bones; all four.
        head_by_shape: function of the bone the arms hang from -> neck bones and head, for rigs whose names do not say.

    Returns:
        slot -> bones; without "hips" where limbs hang from separate roots.
    """
    tops = {limb: [limbs[side, limb][next(iter(limbs[side, limb]))][0] for side in SIDES] for limb in ("arm", "leg")}
    legs, arms = tree.common_ancestor(tops["leg"]), tree.common_ancestor(tops["arm"])
    fork = tree.common_ancestor([legs, arms]) if min(legs, arms) >= 0 else -1
    if fork < 0:
        return {}
    height = _relative_heights(tree, limbs, tops)
    slots = {}

    def says(bone, slot, least=0.5):
        reading = readings[bone]
        return reading.exact_slot == slot or (not reading.exact_slot and not reading.is_helper and reading.centre.get(slot, 0.0) >= least)

    def on_floor(bone):
        return abs(height[bone]) < _FLOOR_HEIGHT

    line = tree.chain_from_root(fork)
    named = [bone for bone in line if says(bone, "hips") and not on_floor(bone)]
    below = [bone for bone in tree.chain_between(fork, legs) + tree.chain_between(fork, arms) if not on_floor(bone)]
    if named:
        hips = next((bone for bone in named if readings[bone].exact_slot == "hips"), named[-1])
    elif not on_floor(fork) or not below:
        hips = fork
    else:  # legs and spine meet on the floor only
        hips = next((bone for bone in below if says(bone, "hips")), below[0])
    slots["hips"] = [hips]
    above_hips = tree.chain_from_root(hips)[:-1]
    roots = [bone for bone in above_hips if on_floor(bone)]
    if roots:
        slots["root"] = [next((bone for bone in reversed(roots) if says(bone, "root", 0.3)), roots[-1])]

    spine = [] if hips not in tree.chain_from_root(arms) else tree.chain_between(hips, arms)[1:]
    cut = next((step for step, bone in enumerate(spine) if says(bone, "neck") or says(bone, "head")), len(spine))
    neck_below_arms = spine[cut:]
    spine = [bone for bone in spine[:cut] if not readings[bone].is_helper]
    limb_bones = {bone for limb in limbs.values() for bones in limb.values() for bone in bones}
    heads = [bone for bone in tree.subtree(hips) if says(bone, "head") and not limb_bones.intersection(tree.chain_from_root(bone))]
    if heads:
        clear = max(readings[bone].centre.get("head", 1.0) for bone in heads)
        head = next((b for b in heads if readings[b].exact_slot), None) or next(
            b for b in heads if readings[b].centre.get("head", 1.0) == clear
        )
        neck = [bone for bone in tree.chain_between(hips, head)[1:-1] if bone not in spine and not readings[bone].is_helper]
    else:
        neck, head = head_by_shape(arms)
        if arms in neck:
            spine = [bone for bone in spine if bone != arms]
        neck = [bone for bone in (*neck_below_arms, *neck) if bone not in spine and bone != head]
    if head is not None:
        slots["head"] = [head]
    slots["neck"] = list(dict.fromkeys(neck))
    slots["spine"] = spine
    return slots


def _relative_heights(tree, limbs, tops):
    """How high bones lie, 0 at the end of the legs and 1 where the legs begin, along the way the legs point."""
    leg_tops = tree.heads[tops["leg"]].mean(0)
    ends = []
    for side in SIDES:
        leg = limbs[side, "leg"]
        hip, knee = tree.heads[leg["upper_leg"][0]], tree.heads[leg["lower_leg"][0]]
        last = leg.get("toes", leg.get("foot"))
        ends.append(tree.heads[last[-1]] if last else 2 * knee - hip)  # a shin is about as long as a thigh
    ends = np.array(ends)
    up = leg_tops - ends.mean(0)
    length = np.linalg.norm(up) or 1.0
    floor = (ends @ (up / length)).min()
    top = leg_tops @ (up / length)
    return (tree.heads @ (up / length) - floor) / ((top - floor) or 1.0)


def find_twist_bones(tree, readings, limbs):
    """Bones beside a long bone that share its turning: slot -> bones, nearest to the body first."""
    part_of = {bone: (side, part) for (side, _), parts in limbs.items() for part, bones in parts.items() for bone in bones}
    found = {}
    for bone, reading in enumerate(readings):
        if not reading.is_twist or reading.is_helper or bone in part_of or not reading.limbs:
            continue
        above = next((other for other in reversed(tree.chain_from_root(bone)) if other in part_of), None)
        if above is None or part_of[above][0] != reading.side:
            continue
        side, part = part_of[above]
        if part in reading.limbs and part in (*_LONG_BONES["arm"], *_LONG_BONES["leg"]):
            found.setdefault(f"{side}_{part}_twist", []).append(bone)
    for slot, bones in found.items():
        origin = tree.heads[tree.parents[bones[0]]]
        found[slot] = sorted(bones, key=lambda bone: np.linalg.norm(tree.heads[bone] - origin))
    return found


def find_fingers(tree, readings, limbs):
    """The bones of the fingers that names tell, knuckle first, at most three a finger: slot -> bones."""
    found = {}
    for side in SIDES:
        hand = limbs[side, "arm"].get("hand")
        if not hand:
            continue
        said = [(bone, readings[bone]) for bone in tree.subtree(hand[0])]
        bones = [bone for bone, reading in said if reading.finger is not None and not reading.is_helper and reading.side in (side, "")]
        numbered = [bone for bone in bones if readings[bone].finger == ""]
        names = _fingers_from_numbers([readings[bone].numbers for bone in numbered])
        named = {bone: readings[bone].finger for bone in bones if readings[bone].finger}
        named.update({bone: name for bone, name in zip(numbered, names, strict=True) if name and name not in named.values()})
        for finger in FINGER_SLOTS:
            chain = []
            for bone in bones:  # parents first: each joint hangs from the one before
                if named.get(bone) == finger and (not chain or tree.is_descendant(bone, chain[-1])):
                    chain.append(bone)
            if chain:
                found[f"{side}_{finger}"] = chain[:3]
    return found


def _fingers_from_numbers(numbers):
    """Which finger "finger1-2" or "Finger01" is: counted from the thumb, from 0 or 1, when there are five of them."""
    groups = []
    for parts in numbers:
        groups.append(int(parts[0]) if len(parts) > 1 else int(parts[0][0]) if parts else None)
    counted = sorted({group for group in groups if group is not None})
    if counted not in ([0, 1, 2, 3, 4], [1, 2, 3, 4, 5]):
        return [None] * len(numbers)
    return [None if group is None else FINGER_SLOTS[group - counted[0]] for group in groups]
