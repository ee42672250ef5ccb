"""Where a rig's hips go: the performer's path, scaled by how high the hips are over the floor."""

import numpy as np

from ...core.axis_rotations import about, turned_by
from ..rig import SIDES

# Soles this near the object's own origin, as a share of the height of the hips, stand on a floor at the origin's height.
_AT_ORIGIN = 0.1


class Placing:
    """How a target RestPose is moved through the world by a source.

    ratio: target metres a source metre, as long as one's legs are to the other's: then a step of the source's is one of the target's,
    and hips that stand on the source's ankles stand on the target's. floor: height of the floor in the target's axes, m. carrier:
    the number of the bone that carries the body: the hips, or what hips and thighs hang from together, never one that its parent
    holds by its tail.
    """

    def __init__(self, source, target, source_stance, target_stance, controlled):
        self.source, self.target = source, target
        rise = target.stretch[2, 2]
        self.ratio = rise * leg_length(target) / leg_length(source)
        self._ankles = source_stance.ankle_height, target_stance.ankle_height
        standing = target_stance.floor * rise
        at_origin = abs(standing) < _AT_ORIGIN * rise * hip_height(target, target_stance)
        self.floor = 0.0 if at_origin else -target.origin[2] / rise
        self.carrier = _carrier(target, controlled)
        # From the target's own rest axes to the world's: left is x, forward is -y, up is z.
        self.canonical = np.array([[1.0, 0, 0], [0, -1.0, 0], [0, 0, 1.0]]) @ target.axes.T
        self._unstretch = np.linalg.inv(target.stretch)

    def path(self, performance, floor):
        """Where the middle of the hip joints goes, (F,3) m in the target's axes; floor: the height of the source's, m."""
        hips = performance.heads[:, [self.source.first(f"{side}_upper_leg") for side in SIDES]].mean(1)
        return self.to_target(hips - [0.0, 0.0, floor])

    def to_target(self, points):
        """Points (..., 3) m of the source's world, scaled, in the target's axes."""
        below, here = self._ankles
        return (self.ratio * (points - [0.0, 0.0, below])) @ self._unstretch.T + [0.0, 0.0, self.floor + here]

    def hand_places(self, performance, floor):
        """Where hands should be, side -> (F,3) m in the target's axes, to be where the performer's are in a world of this scale."""
        below, here = self._ankles
        places = {}
        for side in SIDES:
            if (hand := self.source.first(f"{side}_hand")) is not None:
                at = performance.heads[:, hand] - [0.0, 0.0, floor]
                places[side] = self.to_target(at)
                if below > 0:  # below the ankles heights shrink or grow so that the floor stays the floor
                    places[side][:, 2] += np.minimum(at[:, 2] - below, 0.0) * (here / below - self.ratio)
        return places

    def carry(self, turns, path):
        """Turn the carrier if it is not itself mapped, and give its head (F,3) so that the hip joints follow `path` (F,3)."""
        target, hips = self.target, self.target.slots["hips"][-1]
        if self.carrier not in turns:
            turns[self.carrier] = turned_by(turns[hips], target.rotations[hips].T @ target.rotations[self.carrier])
        offset = target.rotations[self.carrier].T @ (target.hip_centre - target.heads[self.carrier])
        return path - turns[self.carrier] @ offset

    def root_motion(self, turns, heads):
        """Let the root bone carry path on the floor and heading, of `heads` (F,3) of the carrier: adds it to `turns`, gives its head.

        Returns:
            (bone, heads (F,3)), or None where the rig has no root bone above the carrier.
        """
        target, root = self.target, self.target.first("root")
        if root is None or root == self.carrier or root not in target.lineage(self.carrier):
            return None
        forward = turned_by(turns[self.carrier], target.rotations[self.carrier].T) @ target.axes[:, 1]
        heading = np.unwrap(np.arctan2(forward[:, 0], -forward[:, 1]))
        delta = about(np.array([0.0, 0.0, 1.0]), heading) @ self.canonical
        turns[root] = turned_by(delta, target.rotations[root])
        places = heads - delta @ (target.heads[self.carrier] - target.heads[root])
        up = target.axes[:, 2]
        places[:, 2] = self.floor + (target.heads[root] - target.heads[self.carrier]) @ up + self._carrier_height
        return root, places

    def in_place(self, heads):
        """Heads (F,3) of the carrier that stay over its own place on the floor."""
        still = heads.copy()
        still[:, :2] = (self.canonical @ self.target.heads[self.carrier])[:2]
        return still

    @property
    def _carrier_height(self):
        return self.target.heads[self.carrier] @ self.target.axes[:, 2]


def leg_length(rest):
    """From hip joint to ankle with straight legs, m, the mean of both: how wide or bent they stand at rest does not matter."""
    parts = (("upper_leg", "lower_leg"), ("lower_leg", "foot"))
    return sum(rest.length(f"{side}_{part}", f"{side}_{below}") for side in SIDES for part, below in parts) / len(SIDES)


def hip_height(rest, stance):
    """Hips over soles with straight legs, m."""
    return leg_length(rest) + max(stance.ankle_height, 0.0)


def _carrier(target, controlled):
    hips, thighs = target.slots["hips"][0], [target.first(f"{side}_upper_leg") for side in SIDES]
    bone = hips
    if not controlled:
        shared = set(target.lineage(thighs[0])) & set(target.lineage(thighs[1]))
        common = [above for above in target.lineage(hips) if above in shared]
        bone = common[0] if common else hips
    while target.rig.connected[bone] and target.rig.parents[bone] >= 0:
        bone = int(target.rig.parents[bone])
    return bone
