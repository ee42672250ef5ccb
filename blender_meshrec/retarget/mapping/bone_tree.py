"""A rig's bones as joint positions and a tree, the form in which mapping by names and by shape both read a rig."""

from collections.abc import Iterable

import numpy as np

from ...core.array_types import BoolArray, FloatArray, IntArray
from ..rig import Rig


class BoneTree:
    """The hierarchy and the joint positions of a Rig at rest.

    Bone tails are left out, because importers let them point anywhere.

    heads: (B,3) in the world, so that the object's rotation, scale and mirroring are included. parents: -1 at roots.
    subtree_sizes: (B,) number of bones in each bone's subtree, itself included. reach: (B,) length of the longest path from a
    bone's head down to a leaf's head, in world units. is_deform: (B,) bones that deform the skin.
    """

    parents: list[int]
    children: list[list[int]]
    roots: list[int]
    heads: FloatArray
    subtree_sizes: IntArray
    reach: FloatArray
    is_deform: BoolArray

    def __init__(self, rig: Rig) -> None:
        self.parents = rig.parents.tolist()
        self.heads = rig.rest[:, :3, 3] @ rig.world[:3, :3].T + rig.world[:3, 3]
        count = len(rig)
        self.is_deform = rig.deform
        self.children = [[] for _ in range(count)]
        self.roots = []
        self.subtree_sizes = np.ones(count, int)
        self.reach = np.zeros(count)
        for bone, parent in enumerate(self.parents):
            (self.children[parent] if parent >= 0 else self.roots).append(bone)
        for bone in range(count - 1, -1, -1):
            if (parent := self.parents[bone]) >= 0:
                self.subtree_sizes[parent] += self.subtree_sizes[bone]
                length = np.linalg.norm(self.heads[bone] - self.heads[parent])
                self.reach[parent] = max(self.reach[parent], length + self.reach[bone])

    def __len__(self) -> int:
        return len(self.parents)

    def chain_from_root(self, bone: int) -> list[int]:
        """A bone and its ancestors, root first."""
        chain = []
        while bone >= 0:
            chain.append(bone)
            bone = self.parents[bone]
        return chain[::-1]

    def chain_between(self, ancestor: int, bone: int) -> list[int]:
        """The bones from `ancestor` down to `bone`, both included."""
        chain = self.chain_from_root(bone)
        return chain[chain.index(ancestor) :]

    def longest_chain(self, bone: int) -> list[int]:
        """The bones from `bone` down along the path of its reach."""
        chain = [bone]
        while children := self.children[chain[-1]]:
            chain.append(max(children, key=lambda child: self._reach_through(chain[-1], child)))
        return chain

    def _reach_through(self, bone: int, child: int) -> float:
        return float(np.linalg.norm(self.heads[child] - self.heads[bone]) + self.reach[child])

    def is_descendant(self, bone: int, ancestor: int) -> bool:
        """Whether a bone is `ancestor` or one of its descendants."""
        while bone > ancestor:  # parents come before their children
            bone = self.parents[bone]
        return bone == ancestor

    def common_ancestor(self, bones: Iterable[int]) -> int:
        """The lowest bone that is an ancestor of all of `bones`, or one of them; -1 if there is none."""
        shared = -1
        for ancestors in zip(*(self.chain_from_root(bone) for bone in bones), strict=False):
            if len(set(ancestors)) > 1:
                break
            shared = ancestors[0]
        return shared

    def subtree(self, bone: int) -> list[int]:
        """A bone and all its descendants, parents first."""
        found: list[int] = []
        pending = [bone]
        while pending:
            found.append(pending.pop())
            pending.extend(self.children[found[-1]])
        return sorted(found)
