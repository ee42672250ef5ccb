"""Find arms and legs by the names of their bones.

A limb is a path down the tree on which each bone is assigned a part. The path with the highest score is found by dynamic
programming: parents come first, and each assignment continues the best one above it.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias

from ..rig import SIDES
from .bone_tree import BoneTree
from .limbs import LONG_BONES, PARTS_BY_LIMB, LimbBones, Limbs, bones_of_limb
from .names import ParsedName

# The parts that may precede each part, None at the beginning of a limb: an arm may lack its clavicle, a leg its foot.
_ALLOWED_PREDECESSORS: dict[str, tuple[str | None, ...]] = {
    "clavicle": (None,),
    "upper_arm": (None, "clavicle"),
    "lower_arm": ("upper_arm",),
    "hand": ("lower_arm",),
    "upper_leg": (None,),
    "lower_leg": ("upper_leg",),
    "foot": ("lower_leg",),
    "toes": ("foot", "lower_leg"),
}
# Parts at which a limb cannot end: both of its long bones are needed.
_INNER_PARTS = ("clavicle", "upper_arm", "upper_leg")
# Different words for bones of one part, one below the other.
_SAME_PART_PHRASES = ({"wrist", "hand"}, {"ankle", "foot"}, {"ulna", "radius"}, {"talus", "calcn"}, {"clavicle", "shoulder"})
_CONVENTION_WEIGHT = 1.2  # of a name that a known convention has; other names weigh at most 1
_SPLIT_BONE_WEIGHT = 0.1  # fraction of its weight that a further bone of the same part adds
_DEFORM_BONUS, _SUBTREE_BONUS = 0.02, 0.01  # of equal paths, prefer bones that deform the skin and bones with more descendants

_Assignment: TypeAlias = tuple[int, str]  # a bone and the part it is taken for


def find_limbs(tree: BoneTree, names: Sequence[ParsedName]) -> Limbs:
    """The arms and legs that the names identify: each limb whose two long bones are found."""
    limbs: Limbs = {}
    for side in SIDES:
        for limb, parts in PARTS_BY_LIMB.items():
            if bones := _LimbSearch(tree, names, side, parts).find_limb():
                limbs[side, limb] = _add_inline_twist_bones(tree, names, bones, parts)
    return limbs


class _LimbSearch:
    """The search for one limb by names.

    scores: bone -> part -> the score of the best path that ends with this assignment. previous: the assignment before it on that
    path, None at its beginning.
    """

    def __init__(self, tree: BoneTree, names: Sequence[ParsedName], side: str, parts: tuple[str, ...]) -> None:
        self.tree, self.names, self.side, self.parts = tree, names, side, parts
        self.scores: dict[int, dict[str, float]] = {}
        self.previous: dict[_Assignment, _Assignment | None] = {}

    def find_limb(self) -> LimbBones | None:
        """The bones of each part on the best path; None if the names do not identify both long bones."""
        for bone, name in enumerate(self.names):  # parents come first
            if name.side == self.side:
                self._score_bone(bone)
        ends = [
            (score, (bone, part)) for bone, by_part in self.scores.items() for part, score in by_part.items() if part not in _INNER_PARTS
        ]
        if not ends:
            return None
        bones = self._trace_path(max(ends)[1])
        if "toes" in bones:
            bones["toes"] = [self._first_toe_bone(bones)]
        return {part: bones[part] for part in self.parts if part in bones}

    def _weight(self, bone: int, part: str) -> float:
        """How clearly a bone's name names a part; 0 if it does not."""
        name = self.names[bone]
        if name.exact_slot:
            return _CONVENTION_WEIGHT if name.exact_slot == f"{self.side}_{part}" else 0.0
        return 0.0 if name.is_helper or name.is_twist else name.limbs.get(part, 0.0)

    def _score_bone(self, bone: int) -> None:
        """Score the best path that ends with each part the bone may be."""
        above = [ancestor for ancestor in self.tree.chain_from_root(bone)[:-1] if ancestor in self.scores]
        by_part: dict[str, float] = {}
        for part in self.parts:
            if choices := self._path_choices(bone, part, above):
                by_part[part], self.previous[bone, part] = max(choices, key=lambda choice: choice[0])
        if by_part:
            self.scores[bone] = by_part

    def _path_choices(self, bone: int, part: str, above: list[int]) -> list[tuple[float, _Assignment | None]]:
        """The scores of paths that end with this assignment, each with the assignment it continues."""
        weight = self._weight(bone, part)
        if not weight:
            return []
        bonus = _DEFORM_BONUS * self.tree.is_deform[bone] + _SUBTREE_BONUS * (1 - 1 / self.tree.subtree_sizes[bone])
        predecessors = _ALLOWED_PREDECESSORS[part]
        choices: list[tuple[float, _Assignment | None]] = [(weight + bonus, None)] if None in predecessors else []
        for ancestor in above:
            for part_above, score in self.scores[ancestor].items():
                if part_above in predecessors:
                    choices.append((score + weight + bonus, (ancestor, part_above)))
                elif part_above == part and _can_share_part(self.names[ancestor], self.names[bone], part):
                    choices.append((score + _SPLIT_BONE_WEIGHT * weight, (ancestor, part_above)))
        return choices

    def _trace_path(self, end: _Assignment) -> LimbBones:
        """The bones of each part on the path that ends with an assignment."""
        bones: LimbBones = {}
        step: _Assignment | None = end
        while step:
            bone, part = step
            bones.setdefault(part, []).insert(0, bone)
            step = self.previous[step]
        return bones

    def _first_toe_bone(self, bones: LimbBones) -> int:
        """The first bone below the foot that may be the toes: the ball rather than the toes below it."""
        above = bones["foot" if "foot" in bones else "lower_leg"][-1]
        below = self.tree.chain_between(above, bones["toes"][0])[1:]
        return next(bone for bone in below if self._weight(bone, "toes"))


def _can_share_part(above: ParsedName, below: ParsedName, part: str) -> bool:
    """Whether two bones, one below the other, may be the same part."""
    if above.exact_slot and above.exact_slot == below.exact_slot:
        return True
    if any({above.phrase, below.phrase} == phrases for phrases in _SAME_PART_PHRASES):
        return True
    return part in LONG_BONES and _words_without_numbers(above) == _words_without_numbers(below)


def _words_without_numbers(name: ParsedName) -> tuple[str, ...]:
    return tuple(word for word in name.words if not word.isdigit())


def is_numbered_only(names: Sequence[ParsedName], bones: LimbBones) -> bool:
    """Whether only numbers tell a limb's bones apart, more than its two long bones: "arm_1", "arm_2", "arm_3".

    Such names do not say which joint is the wrist or the ankle.
    """
    chain = [names[bone] for bone in bones_of_limb(bones)]
    is_known = any(name.exact_slot for name in chain)
    return len(chain) > 2 and not is_known and len({_words_without_numbers(name) for name in chain}) == 1


def _add_inline_twist_bones(tree: BoneTree, names: Sequence[ParsedName], bones: LimbBones, parts: tuple[str, ...]) -> LimbBones:
    """Add the twist bones between a long bone and the next part: the rest of the limb hangs from them."""
    for part, next_part in pairwise(parts):
        if part in bones and next_part in bones:
            chain = tree.chain_between(bones[part][0], bones[next_part][0])[:-1]
            bones[part] = [bone for bone in chain if bone in bones[part] or (names[bone].is_twist and part in names[bone].limbs)]
    return bones
