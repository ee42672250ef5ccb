"""Forward kinematics of a whole rig from the bones that are turned, and turning a part of it afterwards."""

import numpy as np

from ...core.axis_rotations import right_multiply


class Pose:
    """A posed rig: rotations (B,F,3,3) and heads (B,F,3) m, in the axes of its RestPose; bones come first, for speed."""

    def __init__(self, rest, bone_rotations, heads, frames):
        """bone_rotations: bone -> (F,3,3); other bones keep their rest to their parents. heads: bone -> (F,3) m, of bones that move."""
        self.rest = rest
        count = len(rest.heads)
        self.rotations = np.empty((count, frames, 3, 3))
        self.heads = np.empty((count, frames, 3))
        self._solve(range(count), bone_rotations, heads)

    def _solve(self, bones, bone_rotations, heads):
        rest, parents, inherit = self.rest, self.rest.rig.parents, self.rest.rig.inherit_rotation
        for bone in bones:
            parent = parents[bone]
            if bone in bone_rotations:
                self.rotations[bone] = bone_rotations[bone]
            elif parent < 0 or not inherit[bone]:
                self.rotations[bone] = rest.rotations[bone]
            else:
                self.rotations[bone] = right_multiply(self.rotations[parent], rest.local_rotations[bone])
            if bone in heads:
                self.heads[bone] = heads[bone]
            elif parent < 0:
                self.heads[bone] = rest.heads[bone]
            else:
                self.heads[bone] = self.heads[parent] + self.rotations[parent] @ rest.offsets[bone]

    def point_position(self, bone, point):
        """Where a point (3,) that is fixed to a bone at rest comes to be, (F,3)."""
        local = self.rest.rotations[bone].T @ (point - self.rest.heads[bone])
        return self.heads[bone] + self.rotations[bone] @ local

    def segment_end(self, slot, below):
        """Where a part of the body ends, (F,3)."""
        if (bone := self.rest.first_bone(below)) is not None:
            return self.heads[bone]
        return self.point_position(self.rest.slots[slot][-1], self.rest.segment_end(slot, below))

    def rest_delta(self, bone):
        """How a bone has turned from its rest, (F,3,3)."""
        return right_multiply(self.rotations[bone], self.rest.rotations[bone].T)
