"""The path of a rig's body: the performer's, scaled by the ratio of their legs' lengths."""

import numpy as np

from ...core.array_types import FloatArray
from ...core.axis_rotations import right_multiply, rotation_about_axis
from ..rig import SIDES, Performance
from .forward_kinematics import BoneArrays
from .rest_pose import RestPose
from .stance import Stance

# Soles this near to the object's own origin, as a fraction of the height of the hips, stand on a floor at the origin's height.
_ORIGIN_TOLERANCE = 0.1


class RootPlacement:
    """The map from a source's positions in the world to a target's.

    leg_ratio: target metres a source metre, the ratio of the legs' lengths: the target takes as many steps as the source, and its
    hips are as high over its ankles. floor: height of the floor in the target's axes, m. location_bone: the number of the bone
    that carries the body: the hips, or the common parent of hips and thighs, never a bone connected to its parent's tail.
    upright_from_rest: (3,3), from the target's rest axes to a body that stands upright in the world.
    """

    def __init__(self, source: RestPose, target: RestPose, source_stance: Stance, target_stance: Stance, is_control_rig: bool) -> None:
        self.source, self.target = source, target
        rise = target.stretch[2, 2]
        self.leg_ratio = rise * leg_length(target) / leg_length(source)
        self._ankles = source_stance.ankle_height, target_stance.ankle_height
        at_origin = abs(target_stance.floor) < _ORIGIN_TOLERANCE * hip_height(target, target_stance)
        self.floor = 0.0 if at_origin else float(-target.origin[2] / rise)
        self.location_bone = _find_location_bone(target, is_control_rig)
        # From the target's own rest axes to the world's: left is x, forward is -y, up is z.
        self.upright_from_rest = np.array([[1.0, 0, 0], [0, -1.0, 0], [0, 0, 1.0]]) @ target.axes.T
        self._inverse_stretch = np.linalg.inv(target.stretch)

    def hip_path(self, performance: Performance, floor: float) -> FloatArray:
        """The path of the middle of the hip joints, (F,3) m in the target's axes; floor: height of the source's floor, m."""
        hips = performance.heads[:, self.source.thighs].mean(1)
        return self.to_target_space(hips - [0.0, 0.0, floor])

    def to_target_space(self, points: FloatArray) -> FloatArray:
        """Points (..., 3) m of the source's world, scaled, in the target's axes."""
        source_ankle, target_ankle = self._ankles
        return (self.leg_ratio * (points - [0.0, 0.0, source_ankle])) @ self._inverse_stretch.T + [0.0, 0.0, self.floor + target_ankle]

    def hand_targets(self, performance: Performance, floor: float) -> dict[str, FloatArray]:
        """Targets of the hands, side -> (F,3) m in the target's axes: where the performer's are in a world of this scale."""
        source_ankle, target_ankle = self._ankles
        targets = {}
        for side in SIDES:
            if (hand := self.source.first_bone(f"{side}_hand")) is not None:
                position = performance.heads[:, hand] - [0.0, 0.0, floor]
                targets[side] = self.to_target_space(position)
                if source_ankle > 0:  # below the ankles heights scale so that the floor remains the floor
                    targets[side][:, 2] += np.minimum(position[:, 2] - source_ankle, 0.0) * (target_ankle / source_ankle - self.leg_ratio)
        return targets

    def solve_body_location(self, bone_rotations: BoneArrays, path: FloatArray) -> FloatArray:
        """The head (F,3) m of location_bone with which the hip joints follow `path` (F,3) m; adds its rotation if it is not mapped."""
        target, hips = self.target, self.target.slots["hips"][-1]
        if self.location_bone not in bone_rotations:
            bone_rotations[self.location_bone] = right_multiply(
                bone_rotations[hips], target.rotations[hips].T @ target.rotations[self.location_bone]
            )
        offset = target.rotations[self.location_bone].T @ (target.hip_centre - target.heads[self.location_bone])
        return path - bone_rotations[self.location_bone] @ offset

    def extract_root_motion(self, bone_rotations: BoneArrays, heads: FloatArray) -> tuple[int, FloatArray] | None:
        """Move the root bone by the path on the floor and the heading of location_bone; adds its rotation to `bone_rotations`.

        Args:
            heads: (F,3) m of location_bone.

        Returns:
            The root bone and its heads (F,3) m, or None if there is no root bone above location_bone.
        """
        target, root = self.target, self.target.first_bone("root")
        if root is None or root == self.location_bone or root not in target.chain_to_root(self.location_bone):
            return None
        forward = right_multiply(bone_rotations[self.location_bone], target.rotations[self.location_bone].T) @ target.axes[:, 1]
        heading = np.unwrap(np.arctan2(forward[:, 0], -forward[:, 1]))
        delta = rotation_about_axis(np.array([0.0, 0.0, 1.0]), heading) @ self.upright_from_rest
        bone_rotations[root] = right_multiply(delta, target.rotations[root])
        root_heads = heads - delta @ (target.heads[self.location_bone] - target.heads[root])
        up = target.axes[:, 2]
        root_heads[:, 2] = self.floor + (target.heads[root] - target.heads[self.location_bone]) @ up + self._location_bone_height
        return root, root_heads

    def pin_in_place(self, heads: FloatArray) -> FloatArray:
        """Heads (F,3) m of location_bone without movement over the floor: above its position at rest."""
        pinned = heads.copy()
        pinned[:, :2] = (self.upright_from_rest @ self.target.heads[self.location_bone])[:2]
        return pinned

    @property
    def _location_bone_height(self) -> float:
        return self.target.heads[self.location_bone] @ self.target.axes[:, 2]


def leg_length(rest: RestPose) -> float:
    """The mean length of the legs from hip joint to ankle when straight, m, however they are bent at rest."""
    parts = (("upper_leg", "lower_leg"), ("lower_leg", "foot"))
    return sum(rest.segment_length(f"{side}_{part}", f"{side}_{below}") for side in SIDES for part, below in parts) / len(SIDES)


def hip_height(rest: RestPose, stance: Stance) -> float:
    """Height of the hip joints over the soles with straight legs, m."""
    return leg_length(rest) + max(stance.ankle_height, 0.0)


def _find_location_bone(target: RestPose, is_control_rig: bool) -> int:
    hips, (left, right) = target.slots["hips"][0], target.thighs
    bone = hips
    if not is_control_rig:
        shared = set(target.chain_to_root(left)) & set(target.chain_to_root(right))
        common = [above for above in target.chain_to_root(hips) if above in shared]
        bone = common[0] if common else hips
    while target.rig.connected[bone] and target.rig.parents[bone] >= 0:
        bone = int(target.rig.parents[bone])
    return bone
