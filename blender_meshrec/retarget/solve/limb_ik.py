"""Two bones reaching for a place: the middle joint bends about its own hinge, then the whole limb swings the shortest way."""

from dataclasses import dataclass

import numpy as np

from ...core.axis_rotations import rotate_vectors, rotation_about_axis, rotation_between, unit_vector

# A limb is not stretched beyond this share of its length: its middle joint's angle runs away there.
MAX_EXTENSION = 0.9995
# From this share of its length a limb would rather have its root come nearer than straighten further.
SOFT_LIMIT_START = 0.96
# How much the limb's natural hinge counts beside the plane that its bones span, as the sine of the bend where both are even.
HINGE_WEIGHT = 0.05


@dataclass(frozen=True)
class Limb:
    """A limb over frames: root, middle, end (F,3) m, and its natural hinge (F,3), the axis a positive turn about which flexes it."""

    root: np.ndarray
    middle: np.ndarray
    end: np.ndarray
    hinge: np.ndarray

    @property
    def lengths(self):
        """Of the upper and the lower part, m."""
        return (
            float(np.linalg.norm(self.middle[0] - self.root[0])),
            float(np.linalg.norm(self.end[0] - self.middle[0])),
        )

    @property
    def extent(self):
        """How far the end is from the root, (F,) m."""
        return np.linalg.norm(self.end - self.root, axis=-1)


def limb_from_pose(pose, upper, lower, end, bends_towards):
    """One limb of a Pose as a Limb; slots of its three parts, and the direction (3,) its lower part bends to, at rest."""
    rest = pose.rest
    hinge = unit_vector(np.cross(rest.segment_direction(upper, lower), bends_towards))
    turned = pose.rest_delta(rest.slots[upper][-1]) @ hinge
    return Limb(pose.heads[rest.first_bone(upper)], pose.heads[rest.first_bone(lower)], pose.segment_end(lower, end), turned)


def soft_ik_distance(limb, distance):
    """How far a limb stretches towards something `distance` (F,) m from its root, (F,) m: the straighter it was, the less it gives."""
    length = sum(limb.lengths)
    start, room = SOFT_LIMIT_START * length, (1 - SOFT_LIMIT_START) * length

    def eased(values):
        over = np.maximum(values - start, 0)
        return np.minimum(values, start) + room * (1 - np.exp(-over / room))

    return np.minimum(distance, limb.extent + eased(distance) - eased(limb.extent))


def solve_two_bone_ik(limb, root, target):
    """Turns that bring a limb's end to a target, or as near as it reaches.

    Args:
        limb: a Limb as it is posed. root: (F,3) m, where its root is to be. target: (F,3) m.

    Returns:
        turns (F,3,3) in the world of the upper and of the lower part.

    The middle joint turns about its hinge h by the angle d that gives the limb its length: |a + Rot(h, d) b| = |target - root|
    with the upper part a and the lower part b, that is  A + B cos d + C sin d = k  with A = (a.h)(h.b), B = a.b - A,
    C = a.(h x b). Of the two solutions the one that flexes is taken.
    """
    upper, lower = limb.middle - limb.root, limb.end - limb.middle
    long, short = limb.lengths
    hinge = np.cross(upper, lower) / (long * short) + HINGE_WEIGHT * limb.hinge
    hinge /= np.maximum(np.linalg.norm(hinge, axis=-1, keepdims=True), 1e-9)
    wanted = target - root
    distance = np.linalg.norm(wanted, axis=-1)
    distance = np.clip(
        distance, abs(long - short) + 1e-3 * long, np.maximum(MAX_EXTENSION * (long + short), np.minimum(limb.extent, distance))
    )
    a = (upper * hinge).sum(-1) * (lower * hinge).sum(-1)
    b = (upper * lower).sum(-1) - a
    c = (upper * np.cross(hinge, lower)).sum(-1)
    k = (distance**2 - long**2 - short**2) / 2
    # Straight is where the two solutions meet, cos(d - phase) = 1; flexion is the larger d.
    angle = np.arctan2(c, b) + np.arccos(np.clip((k - a) / np.maximum(np.hypot(b, c), 1e-12), -1, 1))
    bend = rotation_about_axis(hinge, angle)
    swing = rotation_between(upper + rotate_vectors(bend, lower), wanted)
    return swing, swing @ bend
