"""Suggestions for the bones of a rig that could not be mapped: what its names, and the limbs that were found, say of each part."""

from collections.abc import Container, Sequence

from ..rig import LIMB_SLOTS, SIDES, SLOTS, BoneMapping, Rig
from .bone_tree import BoneTree
from .map_bones import find_limbs_of_rig
from .names import ParsedName, parse_names

# The slots that a list shows for a rig of which nothing is known.
LISTED_SLOTS = (
    "hips", "spine", "neck", "head",
    *(f"{side}_{slot}" for side in SIDES for slot in LIMB_SLOTS),
)  # fmt: skip
_CHAINS = ("spine", "neck")  # slots of several bones
_MIN_WEIGHT = 0.3  # how clearly a name has to name a part


def suggest_bones(rig: Rig) -> BoneMapping:
    """The most likely bones of each part, of any rig: parts that nothing speaks for are missing, and it need not be a humanoid."""
    convention, names = parse_names(rig.bones)
    limbs = find_limbs_of_rig(BoneTree(rig), names)
    found = {f"{side}_{part}": bones for (side, _limb), parts in limbs.items() for part, bones in parts.items()}
    confidence = {rig.bones[bone]: max(_weight(names[bone], slot), _MIN_WEIGHT) for slot, bones in found.items() for bone in bones}
    slots = {slot: tuple(rig.bones[bone] for bone in bones) for slot, bones in found.items()}
    for slot in SLOTS:
        if slot not in slots and (chosen := _clearest_bones(rig, names, slot, confidence)):
            slots[slot] = tuple(chosen)
            confidence |= chosen
    return BoneMapping(slots, confidence, found_by="names", convention=convention)


def _clearest_bones(rig: Rig, names: Sequence[ParsedName], slot: str, taken: Container[str]) -> dict[str, float]:
    """The bones whose names say most clearly that they are of a slot, with how clearly; those that are taken are left out."""
    weights = {bone: _weight(name, slot) for bone, name in zip(rig.bones, names, strict=True) if bone not in taken}
    best = max(weights.values(), default=0.0)
    if best < _MIN_WEIGHT:
        return {}
    chosen = [bone for bone, weight in weights.items() if weight == best]
    return dict.fromkeys(chosen if slot in _CHAINS else chosen[:1], best)


def _weight(name: ParsedName, slot: str) -> float:
    """How clearly a name names a slot, 0..1."""
    if name.is_helper or name.is_twist:
        return 0.0
    if name.exact_slot:
        return float(name.exact_slot == slot)
    side, _, part = slot.partition("_")
    if side not in SIDES:
        return name.centre.get(slot, 0.0)
    return name.limbs.get(part, 0.0) if name.side == side else 0.0
