"""When heels and toes touch the ground in motion capture, and windows of motion that know it.

What a network learns from them it can tell from 2D alone: how feet come to rest shows in the picture better than their height
shows in a 3D estimate of it.
"""

import numpy as np

from blender_meshrec.core.contacts import detect_contacts
from lifter.bodies import Windows, mirrored, proportions
from lifter.motion import NODES, rebuild

FPS = 30.0
FEET = [NODES.index(point) for point in ("left_heel", "left_big_toe", "right_heel", "right_big_toe")]
OTHER_SIDE = [2, 3, 0, 1]
# Each point's ground is the height it is seldom below: where heels and toes lie in a recording's feet nobody has measured.
LOWEST = 0.02


def on_the_ground(points):
    """Points (F,4,3) m, z up, each moved so that it is seldom below z = 0."""
    return points - np.quantile(points[..., 2], LOWEST, axis=0)[:, None] * [0, 0, 1]


def contacts_of(clip):
    """Whether heels and toes of a Clip touch, (F,4) bool, left heel, left toe, right heel, right toe."""
    points = clip.points()[:, FEET].astype(float)[..., [0, 2, 1]] * [1, -1, 1]
    return detect_contacts(on_the_ground(points), np.arange(len(points)) / FPS) > 0.5


class Footing(Windows):
    """Windows of clips as they are, but for proportions, habits, speed and side; with contacts."""

    def __init__(self, clips, frames):
        super().__init__(clips, frames)
        self.contacts = np.concatenate([contacts_of(clip) for clip in clips])

    def draw_touching(self, rng, count):
        """points (B,F,25,3), axes (B,F,3,3,3), valid (B,F) and contacts (B,F,4)."""
        speed = np.exp(rng.uniform(np.log(0.8), np.log(1.25), (count, 1)))
        hip, vectors, axes, valid, rows = self._take(rng, speed)
        self._bend(rng, vectors, axes)
        vectors *= proportions(rng, count)[:, None, :, None]
        points, contacts = rebuild(hip, vectors), self.contacts[rows]
        mirror = rng.random(count) < 0.5
        points[mirror], axes[mirror] = mirrored(points[mirror], axes[mirror])
        contacts[mirror] = contacts[mirror][..., OTHER_SIDE]
        return points, axes, valid, contacts
