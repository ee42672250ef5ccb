"""Where a rig's hips go: the performer's path, scaled by how high the hips are over the floor."""

import numpy as np

from ...core.axis_rotations import right_multiply, rotation_about_axis
from ..rig import SIDES

# Soles this near the object's own origin, as a share of the height of the hips, stand on a floor at the origin's height.
_ORIGIN_TOLERANCE = 0.1


class RootPlacement:
    """How a target RestPose is moved through the world by a source.

    leg_ratio: target metres a source metre, as long as one's legs are to the other's: then a step of the source's is one of the target's,
    and hips that stand on the source's ankles stand on the target's. floor: height of the floor in the target's axes, m. location_bone:
    the number of the bone that carries the body: the hips, or what hips and thighs hang from together, never one that its parent
    holds by its tail.
    """

    def __init__(self, source, target, source_stance, target_stance, is_control_rig):
        self.source, self.target = source, target
        rise = target.stretch[2, 2]
        self.leg_ratio = rise * leg_length(target) / leg_length(source)
        self._ankles = source_stance.ankle_height, target_stance.ankle_height
        standing = target_stance.floor * rise
        at_origin = abs(standing) < _ORIGIN_TOLERANCE * rise * hip_height(target, target_stance)
        self.floor = 0.0 if at_origin else -target.origin[2] / rise
        self.location_bone = _find_location_bone(target, is_control_rig)
        # From the target's own rest axes to the world's: left is x, forward is -y, up is z.
        self.upright_from_rest = np.array([[1.0, 0, 0], [0, -1.0, 0], [0, 0, 1.0]]) @ target.axes.T
        self._inverse_stretch = np.linalg.inv(target.stretch)

    def hip_path(self, performance, floor):
        """Where the middle of the hip joints goes, (F,3) m in the target's axes; floor: the height of the source's, m."""
        hips = performance.heads[:, [self.source.first_bone(f"{side}_upper_leg") for side in SIDES]].mean(1)
        return self.to_target_space(hips - [0.0, 0.0, floor])

    def to_target_space(self, points):
        """Points (..., 3) m of the source's world, scaled, in the target's axes."""
        below, here = self._ankles
        return (self.leg_ratio * (points - [0.0, 0.0, below])) @ self._inverse_stretch.T + [0.0, 0.0, self.floor + here]

    def hand_targets(self, performance, floor):
        """Where hands should be, side -> (F,3) m in the target's axes, to be where the performer's are in a world of this scale."""
        below, here = self._ankles
        places = {}
        for side in SIDES:
            if (hand := self.source.first_bone(f"{side}_hand")) is not None:
                at = performance.heads[:, hand] - [0.0, 0.0, floor]
                places[side] = self.to_target_space(at)
                if below > 0:  # below the ankles heights shrink or grow so that the floor stays the floor
                    places[side][:, 2] += np.minimum(at[:, 2] - below, 0.0) * (here / below - self.leg_ratio)
        return places

    def solve_body_location(self, bone_rotations, path):
        """Turn the carrier if it is not itself mapped, and give its head (F,3) so that the hip joints follow `path` (F,3)."""
        target, hips = self.target, self.target.slots["hips"][-1]
        if self.location_bone not in bone_rotations:
            bone_rotations[self.location_bone] = right_multiply(
                bone_rotations[hips], target.rotations[hips].T @ target.rotations[self.location_bone]
            )
        offset = target.rotations[self.location_bone].T @ (target.hip_centre - target.heads[self.location_bone])
        return path - bone_rotations[self.location_bone] @ offset

    def extract_root_motion(self, bone_rotations, heads):
        """Let the root bone carry path on the floor and heading, of `heads` (F,3) of `location_bone`: adds it to `bone_rotations`.

        Returns:
            (bone, heads (F,3)), or None where the rig has no root bone above the carrier.
        """
        target, root = self.target, self.target.first_bone("root")
        if root is None or root == self.location_bone or root not in target.chain_to_root(self.location_bone):
            return None
        forward = right_multiply(bone_rotations[self.location_bone], target.rotations[self.location_bone].T) @ target.axes[:, 1]
        heading = np.unwrap(np.arctan2(forward[:, 0], -forward[:, 1]))
        delta = rotation_about_axis(np.array([0.0, 0.0, 1.0]), heading) @ self.upright_from_rest
        bone_rotations[root] = right_multiply(delta, target.rotations[root])
        places = heads - delta @ (target.heads[self.location_bone] - target.heads[root])
        up = target.axes[:, 2]
        places[:, 2] = self.floor + (target.heads[root] - target.heads[self.location_bone]) @ up + self._location_bone_height
        return root, places

    def pin_in_place(self, heads):
        """Heads (F,3) of the carrier that stay over its own place on the floor."""
        still = heads.copy()
        still[:, :2] = (self.upright_from_rest @ self.target.heads[self.location_bone])[:2]
        return still

    @property
    def _location_bone_height(self):
        return self.target.heads[self.location_bone] @ self.target.axes[:, 2]


def leg_length(rest):
    """From hip joint to ankle with straight legs, m, the mean of both: how wide or bent they stand at rest does not matter."""
    parts = (("upper_leg", "lower_leg"), ("lower_leg", "foot"))
    return sum(rest.segment_length(f"{side}_{part}", f"{side}_{below}") for side in SIDES for part, below in parts) / len(SIDES)


def hip_height(rest, stance):
    """Hips over soles with straight legs, m."""
    return leg_length(rest) + max(stance.ankle_height, 0.0)


def _find_location_bone(target, is_control_rig):
    hips, thighs = target.slots["hips"][0], [target.first_bone(f"{side}_upper_leg") for side in SIDES]
    bone = hips
    if not is_control_rig:
        shared = set(target.chain_to_root(thighs[0])) & set(target.chain_to_root(thighs[1]))
        common = [above for above in target.chain_to_root(hips) if above in shared]
        bone = common[0] if common else hips
    while target.rig.connected[bone] and target.rig.parents[bone] >= 0:
        bone = int(target.rig.parents[bone])
    return bone
