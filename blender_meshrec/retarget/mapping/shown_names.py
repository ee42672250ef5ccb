"""Names of bones as lists show them: without a prefix that they share, and with the part of the spine that each bone is."""

from collections import Counter
from collections.abc import Sequence

SPINE_PARTS = ("Lower", "Middle", "Chest")
_SEPARATORS = ":|_-. "
# Parts that follow the first, or the last, of several bones of a source; all others are distributed along the chain.
_FOLLOWING_FIRST, _FOLLOWING_LAST = ("lower_arm", "hand", "lower_leg", "foot", "toes", "head"), ("upper_arm", "upper_leg", "hips")
_SHARED = 0.8  # the fraction of the bones that have a common prefix; the others, a root or a prop, keep their names


def common_prefix(names: Sequence[str]) -> str:
    """The longest prefix, up to a separator, that most names share and without which they still differ; "" if there is none.

    "mixamorig:Hips", "mixamorig:Spine", ... share "mixamorig:".
    """
    counts = Counter(name[: end + 1] for name in names for end, letter in enumerate(name[:-1]) if letter in _SEPARATORS and end > 0)
    shared = [prefix for prefix, count in counts.items() if count >= max(2, _SHARED * len(names))]
    for prefix in sorted(shared, key=len, reverse=True):
        if len({name.removeprefix(prefix) for name in names}) == len(set(names)):
            return prefix
    return ""


def part_of_chain(number: int, count: int) -> str:
    """Which part of a spine the bone `number`, from 0, of `count` is: "" for a single one."""
    if count < 2:
        return ""
    return SPINE_PARTS[0] if number == 0 else SPINE_PARTS[-1] if number == count - 1 else SPINE_PARTS[1]


def source_bone(slot: str, bones: Sequence[str], number: int, count: int) -> str:
    """The bone of a source's slot that the bone `number`, from 0, of `count` bones of a target's follows; "" if there is none."""
    if not bones:
        return ""
    part = slot.partition("_")[2] or slot
    if part in _FOLLOWING_FIRST:
        return bones[0]
    if part in _FOLLOWING_LAST:
        return bones[-1]
    return bones[min(int((number + 1) / max(count, number + 1) * len(bones) - 1e-6), len(bones) - 1)]
