"""The errors of mapping: a rig that is no humanoid, or that a preset does not fit."""

from collections.abc import Sequence

from ...core.errors import InputError
from ..rig import SIDES, BoneMapping, Rig
from .bone_tree import BoneTree
from .limbs import Limbs

_REMEDY = "Choose the bones by hand in the Mapping list of the Retarget panel, or load a mapping preset for this rig."
_MAX_LISTED_NAMES = 4


def preset_mismatch_error(rig: Rig, preset: BoneMapping, missing: Sequence[str]) -> InputError:
    """The rig lacks the bones of a preset's slots `missing`."""
    absent_bones = [bone for slot in missing for bone in preset.slots.get(slot, ())]
    what = _join_slots(missing)
    if not absent_bones:
        return InputError(
            "mapping-incomplete",
            'The mapping does not fit "{name}"; {what} would be missing.',
            _REMEDY,
            name=rig.name,
            what=what,
        )
    return InputError(
        "mapping-bones-absent",
        'The mapping does not fit "{name}"; {what} would be missing: it has no bone {bones}.',
        _REMEDY,
        name=rig.name,
        what=what,
        bones=quote_names(absent_bones),
    )


def quadruped_error(rig: Rig) -> InputError:
    """The rig is an animal on four legs."""
    return InputError(
        "rig-on-four-legs",
        '"{name}" stands on four legs: its spine lies flat and its arms reach the ground.',
        _REMEDY,
        name=rig.name,
    )


def four_legs_named_error(rig: Rig) -> InputError:
    """The names of the rig's bones tell front legs from back legs."""
    return InputError(
        "rig-names-four-legs",
        '"{name}" is no person: its bones name front legs and back legs.',
        _REMEDY,
        name=rig.name,
    )


def missing_parts_error(rig: Rig, missing: Sequence[str]) -> InputError:
    """The rig has four limbs but lacks the slots `missing`."""
    return InputError(
        "rig-parts-not-found",
        '"{name}" does not look like a person: {what} cannot be found.',
        _REMEDY,
        name=rig.name,
        what=_join_slots(missing),
    )


def not_humanoid_error(rig: Rig, tree: BoneTree, limbs: Limbs) -> InputError:
    """The rig lacks limbs, or its limbs do not hang from one spine."""
    missing = [f"{side} {limb}" for limb in ("arm", "leg") for side in SIDES if (side, limb) not in limbs]
    if missing:
        return InputError(
            "rig-limbs-not-found",
            '"{name}" does not look like a person: no {what} was found among its {count} bones.',
            _REMEDY,
            name=rig.name,
            what=_join_words(missing, "or"),
            count=len(tree),
        )
    roots = [root for root in tree.roots if tree.subtree_sizes[root] > 2]
    if len(roots) > 1:
        return InputError(
            "rig-roots-separate",
            'The arms and legs of "{name}" hang not from one spine but from {count} separate roots: {bones}.',
            _REMEDY,
            name=rig.name,
            count=len(roots),
            bones=quote_names([rig.bones[root] for root in roots]),
        )
    return InputError(
        "rig-without-spine",
        '"{name}" does not look like a person: its arms and legs do not hang from one spine.',
        _REMEDY,
        name=rig.name,
    )


def _join_slots(slots: Sequence[str]) -> str:
    return _join_words([f"the {slot.replace('_', ' ')}" for slot in slots], "and")


def _join_words(words: Sequence[str], conjunction: str) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {conjunction} {words[-1]}"


def quote_names(names: Sequence[str]) -> str:
    """The first of the names, in quotes."""
    shown = ", ".join(f'"{name}"' for name in names[:_MAX_LISTED_NAMES])
    num_hidden = len(names) - _MAX_LISTED_NAMES
    return f"{shown} and {num_hidden} more" if num_hidden > 0 else shown
