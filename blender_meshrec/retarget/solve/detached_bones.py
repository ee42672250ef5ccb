"""Feet, toes and hands that do not hang from the limb they end: they are solved as its children and keyed where they hang."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...core.array_types import IntArray
from ..rig import SIDES, BoneMapping, Rig
from .rest_pose import RestPose

# Parts that may hang from elsewhere, each with the part that it ends.
_END_PARTS = (("foot", "lower_leg"), ("toes", "foot"), ("hand", "lower_arm"))


@dataclass(frozen=True)
class SolvingRig:
    """A rig in which every limb is one chain.

    keyed: the rig with its own parents. attached: the same bones in the same order, with each detached bone the child of the limb
    it ends. order: (B,) the row of each bone in the original rig. detached: the rows, in `keyed`, of detached bones.
    """

    keyed: Rig
    attached: Rig
    order: IntArray
    detached: tuple[int, ...] = ()

    @property
    def rows(self) -> slice | IntArray:
        """The row, in `keyed`, of each bone of the original rig."""
        return np.argsort(self.order) if self.detached else slice(None)


def attach_detached_bones(rig: Rig, mapping: BoneMapping) -> SolvingRig:
    """Attach feet, toes and hands to their limbs; the rig itself, twice, where nothing is detached, as on control rigs."""
    new_parents = _detached_bones(rig, mapping)
    if not new_parents:
        return SolvingRig(rig, rig, np.arange(len(rig)))
    order = _parents_first(rig.parents.tolist(), new_parents)
    rank = {row: number for number, row in enumerate(order)}
    keyed = _reorder(rig, order)
    parents = keyed.parents.copy()
    for bone, parent in new_parents.items():
        parents[rank[bone]] = rank[parent]
    detached = tuple(sorted(rank[bone] for bone in new_parents))
    inherit = keyed.inherit_rotation.copy()
    inherit[list(detached)] = True
    return SolvingRig(keyed, replace(keyed, parents=parents, inherit_rotation=inherit), np.array(order), detached)


def detached_names(rig: Rig, mapping: BoneMapping) -> list[str]:
    """The names of mapped feet, toes and hands that hang from elsewhere than their limb."""
    return [rig.bones[bone] for bone in _detached_bones(rig, mapping)]


def _detached_bones(rig: Rig, mapping: BoneMapping) -> dict[int, int]:
    """Detached bone -> the last bone of the part above it; none on control rigs, whose hierarchy their switches set."""
    if mapping.controls is not None:
        return {}
    rest = RestPose(rig, mapping)
    found: dict[int, int] = {}
    for side in SIDES:
        for part, part_above in _END_PARTS:
            bone, above = rest.first_bone(f"{side}_{part}"), rest.slots.get(f"{side}_{part_above}", [])
            if bone is None or not above or rig.connected[bone]:
                continue
            if above[-1] not in rest.chain_to_root(bone) and bone not in rest.chain_to_root(above[-1]):
                found[bone] = above[-1]
    return found


def _parents_first(parents: Sequence[int], new_parents: dict[int, int]) -> list[int]:
    """An order of the bones in which each comes after its parent and its new parent."""
    order: list[int] = []
    placed: set[int] = {-1}
    waiting = list(range(len(parents)))
    while waiting:
        ready = [bone for bone in waiting if parents[bone] in placed and new_parents.get(bone, -1) in placed]
        order += ready
        placed.update(ready)
        waiting = [bone for bone in waiting if bone not in placed]
    return order


def _reorder(rig: Rig, order: Sequence[int]) -> Rig:
    rows = list(order)
    rank = {row: number for number, row in enumerate(rows)} | {-1: -1}
    return replace(
        rig,
        bones=tuple(rig.bones[row] for row in rows),
        parents=np.array([rank[parent] for parent in rig.parents[rows].tolist()], np.int64),
        rest=rig.rest[rows],
        lengths=rig.lengths[rows],
        deform=rig.deform[rows],
        rotation_modes=tuple(rig.rotation_modes[row] for row in rows),
        lock_location=rig.lock_location[rows],
        lock_rotation=rig.lock_rotation[rows],
        inherit_rotation=rig.inherit_rotation[rows],
        local_location=rig.local_location[rows],
        connected=rig.connected[rows],
    )
