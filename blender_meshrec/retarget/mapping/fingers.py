"""Find the bones of fingers by their names."""

from collections.abc import Sequence

from ..rig import FINGER_SLOTS, SIDES
from .bone_tree import BoneTree
from .limbs import Limbs
from .names import ParsedName

_MAX_FINGER_BONES = 3


def find_fingers(tree: BoneTree, names: Sequence[ParsedName], limbs: Limbs) -> dict[str, list[int]]:
    """Slot -> bones, knuckle first, of the fingers that the names identify."""
    fingers: dict[str, list[int]] = {}
    for side in SIDES:
        if hand := limbs[side, "arm"].get("hand"):
            candidates = [bone for bone in tree.subtree(hand[0]) if _is_finger_bone(names[bone], side)]
            finger_of_bone = _identify_fingers(names, candidates)
            for finger in FINGER_SLOTS:
                if chain := _finger_chain(tree, [bone for bone in candidates if finger_of_bone.get(bone) == finger]):
                    fingers[f"{side}_{finger}"] = chain[:_MAX_FINGER_BONES]
    return fingers


def _is_finger_bone(name: ParsedName, side: str) -> bool:
    return name.finger is not None and not name.is_helper and name.side in (side, "")


def _identify_fingers(names: Sequence[ParsedName], bones: list[int]) -> dict[int, str]:
    """Bone -> finger: by its name, else by its number if no bone is named as that finger."""
    named = {bone: finger for bone in bones if (finger := names[bone].finger)}
    numbered = [bone for bone in bones if names[bone].finger == ""]
    fingers = _fingers_from_numbers([names[bone].numbers for bone in numbered])
    taken = set(named.values())
    return named | {bone: finger for bone, finger in zip(numbered, fingers, strict=True) if finger and finger not in taken}


def _finger_chain(tree: BoneTree, bones: list[int]) -> list[int]:
    """The bones that hang from one another, from the first one on; parents come first."""
    chain: list[int] = []
    for bone in bones:
        if not chain or tree.is_descendant(bone, chain[-1]):
            chain.append(bone)
    return chain


def _fingers_from_numbers(numbers: Sequence[tuple[str, ...]]) -> list[str | None]:
    """The fingers that numbers such as "finger1-2" and "Finger01" mean: counted from the thumb, from 0 or 1, if all five occur."""
    finger_numbers = [_finger_number(parts) for parts in numbers]
    counted = sorted({number for number in finger_numbers if number is not None})
    if counted not in ([0, 1, 2, 3, 4], [1, 2, 3, 4, 5]):
        return [None] * len(numbers)
    return [None if number is None else FINGER_SLOTS[number - counted[0]] for number in finger_numbers]


def _finger_number(numbers: tuple[str, ...]) -> int | None:
    """The finger's number: the first of several, or the first digit of a single one."""
    if not numbers:
        return None
    return int(numbers[0] if len(numbers) > 1 else numbers[0][0])
