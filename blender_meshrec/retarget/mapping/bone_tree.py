"""A rig's bones as points in the world and as a tree: what mapping by names and mapping by shape both walk on."""

import numpy as np


class BoneTree:
    """Where a Rig's bones begin at rest, and who hangs from whom.

    heads: (B,3) in the world, so that a turned, scaled or mirrored object is seen as it stands; where bones end is not here,
    because importers let them point anywhere. parents: list of int,
    -1 at roots. children: list of lists. subtree_sizes: (B,) how many bones hang from each, itself included. reach: (B,) the longest
    way from a bone's head down to the last joint, in the world's units.
    """

    def __init__(self, rig):
        self.rig = rig
        self.parents = rig.parents.tolist()
        self.heads = rig.rest[:, :3, 3] @ rig.world[:3, :3].T + rig.world[:3, 3]
        count = len(rig)
        self.children = [[] for _ in range(count)]
        self.roots = []
        self.subtree_sizes = np.ones(count, int)
        self.reach = np.zeros(count)
        for bone, parent in enumerate(self.parents):
            (self.children[parent] if parent >= 0 else self.roots).append(bone)
        for bone in range(count - 1, -1, -1):
            if (parent := self.parents[bone]) >= 0:
                self.subtree_sizes[parent] += self.subtree_sizes[bone]
                step = np.linalg.norm(self.heads[bone] - self.heads[parent])
                self.reach[parent] = max(self.reach[parent], step + self.reach[bone])

    def __len__(self):
        return len(self.parents)

    def chain_from_root(self, bone):
        """A bone and its ancestors, root first."""
        line = []
        while bone >= 0:
            line.append(bone)
            bone = self.parents[bone]
        return line[::-1]

    def is_descendant(self, bone, ancestor):
        """Whether a bone is `ancestor` or hangs from it."""
        while bone > ancestor:  # parents come before their children
            bone = self.parents[bone]
        return bone == ancestor

    def common_ancestor(self, bones):
        """The nearest bone that all of `bones` are or hang from; -1 where they share none."""
        lines = [self.chain_from_root(bone) for bone in bones]
        shared = -1
        for step in zip(*lines, strict=False):
            if len(set(step)) > 1:
                break
            shared = step[0]
        return shared

    def chain_between(self, ancestor, bone):
        """The bones from `ancestor` down to `bone`, both included."""
        line = self.chain_from_root(bone)
        return line[line.index(ancestor) :]

    def subtree(self, bone):
        """A bone and everything that hangs from it, parents first."""
        found, waiting = [], [bone]
        while waiting:
            found.append(waiting.pop())
            waiting.extend(self.children[found[-1]])
        return sorted(found)
