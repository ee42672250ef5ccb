"""Forward kinematics of a whole rig from the rotations of some of its bones."""

from collections.abc import Iterable, Mapping

import numpy as np

from ...core.array_types import FloatArray
from ...core.axis_rotations import right_multiply
from .rest_pose import RestPose

# Bone number -> an array of F frames.
BoneArrays = dict[int, FloatArray]


class Pose:
    """A posed rig in the axes of its RestPose: rotations (B,F,3,3) and heads (B,F,3) m; the bone axis comes first, for speed."""

    def __init__(self, rest: RestPose, bone_rotations: Mapping[int, FloatArray], heads: Mapping[int, FloatArray], frames: int) -> None:
        """Pose a rig.

        Args:
            bone_rotations: bone -> (F,3,3); the other bones keep their rest rotation relative to their parents.
            heads: bone -> (F,3) m of bones that move. frames: F.
        """
        self.rest = rest
        count = len(rest.heads)
        self.rotations: FloatArray = np.empty((count, frames, 3, 3))
        self.heads: FloatArray = np.empty((count, frames, 3))
        self._solve(range(count), bone_rotations, heads)

    def _solve(self, bones: Iterable[int], bone_rotations: Mapping[int, FloatArray], heads: Mapping[int, FloatArray]) -> None:
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

    def point_position(self, bone: int, point: FloatArray) -> FloatArray:
        """The position (F,3) m of a point that is fixed to a bone and at `point` (3,) m at rest."""
        local = self.rest.rotations[bone].T @ (point - self.rest.heads[bone])
        return self.heads[bone] + self.rotations[bone] @ local

    def segment_end(self, slot: str, below: str) -> FloatArray:
        """Where a body part ends, (F,3) m."""
        if (bone := self.rest.first_bone(below)) is not None:
            return self.heads[bone]
        return self.point_position(self.rest.slots[slot][-1], self.rest.segment_end(slot, below))

    def rest_delta(self, bone: int) -> FloatArray:
        """A bone's rotation away from rest, (F,3,3)."""
        return right_multiply(self.rotations[bone], self.rest.rotations[bone].T)
