"""Windows of motion, varied: other proportions, limbs of other clips, other speeds, mirrored, tumbling.

B windows, F frames, 25 NODES. Positions are metres, y up.
"""

import numpy as np

from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skeletons import mirror_indices
from scripts.train.data.motion_clips import AXES, NODES, points_from_vectors

_LEGS = {side: [NODES.index(f"{side}_{n}") for n in ("knee", "ankle", "big_toe", "heel")] for side in ("left", "right")}
_ARMS = {side: [NODES.index(f"{side}_{n}") for n in ("elbow", "wrist")] for side in ("left", "right")}
_MIRROR = mirror_indices(NODES)
# Bones that share a length factor, and its spread: standard deviation of the log, and mean where the recordings' skeletons have
# it one-sided. Between recorded performers hips and shoulders differ most, for skeletons place those joints differently. What
# is attached to head and feet keeps to them.
_BONE_SCALES = [
    ([NODES.index(n) for n in names], spread, mean)
    for names, spread, mean in (
        (("left_hip", "right_hip"), 0.14, 0.04), (("left_knee", "right_knee"), 0.08, -0.02), (("left_ankle", "right_ankle"), 0.07, 0),
        (("spine", "thorax"), 0.06, 0), (("left_shoulder", "right_shoulder"), 0.13, 0.05), (("left_elbow", "right_elbow"), 0.07, 0),
        (("left_wrist", "right_wrist"), 0.1, 0), (("nose",), 0.12, 0.02), (("head_top",), 0.14, 0),
        (("left_big_toe", "right_big_toe", "left_heel", "right_heel"), 0.08, 0), (("face", "left_ear", "right_ear", "crown"), 0.08, 0),
    )
]  # fmt: skip

ASYMMETRY_SIGMA = 0.01  # standard deviation of the log lengths of one side
SPEED_RANGE = (0.67, 1.5)
LEG_SWAP_SHARE, ARM_SWAP_SHARE = 0.08, 0.15  # share of windows whose legs or arms come from another clip
LIMB_TURN_SHARE, LIMB_TURN_SIGMA = 0.05, 0.3  # share of limbs turned far in their sockets, and by how much, rad
POSTURE_SIGMA = 0.08  # every limb is turned a little, rad: people hold themselves differently
CROUCH_SHARE, LUNGE_SHARE = 0.15, 0.3  # share of windows that squat, sit or kneel, and of those, with each leg on its own
TUMBLE_SHARE, TUMBLE_SIGMA = 0.06, 1.0  # share of windows turned about any axis, and by how much, rad


class WindowSampler:
    """Draws varied windows of `frames` frames from clips: `draw(rng, count)`."""

    def __init__(self, clips, frames):
        self.frames = frames
        self.hip, self.vectors = (np.concatenate([getattr(c, name) for c in clips]) for name in ("hip", "vectors"))
        self.axes, self.valid = (np.concatenate([getattr(c, name) for c in clips]) for name in ("axes", "valid"))
        lengths = np.array([len(c.hip) for c in clips])
        self.start = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        self.length = lengths
        # Long clips repeat themselves, and so do performers: each counts less than its length.
        performers = np.array([c.subject for c in clips])
        own = np.array([lengths[performers == performer].sum() for performer in performers])
        self.chance = lengths**0.8 * own**-0.3
        self.chance /= self.chance.sum()

    def draw(self, rng, count):
        """points (B,F,25,3), axes (B,F,3,3,3) and valid (B,F): frames of the recording, none of its glitches."""
        speed = np.exp(rng.uniform(*np.log(SPEED_RANGE), (count, 1)))
        hip, vectors, axes, valid, _rows = self._take(rng, speed)
        legs = self._take(rng, speed[rng.random(count) < LEG_SWAP_SHARE])
        arms = self._take(rng, speed[rng.random(count) < ARM_SWAP_SHARE])
        chosen = rng.permutation(count)
        self._swap(vectors, axes, valid, legs, chosen[: len(legs[0])], _LEGS, AXES.index("pelvis"))
        chosen = rng.permutation(count)
        self._swap(vectors, axes, valid, arms, chosen[: len(arms[0])], _ARMS, AXES.index("thorax"))
        self._bend(rng, vectors, axes)
        _crouch(rng, hip, vectors, axes)
        vectors *= draw_bone_scales(rng, count)[:, None, :, None]
        points = points_from_vectors(hip, vectors)
        points, axes = _tumble(rng, points, axes)
        mirror = rng.random(count) < 0.5
        points[mirror], axes[mirror] = mirror_bodies(points[mirror], axes[mirror])
        return points, axes, valid

    def _take(self, rng, speed):
        """Windows at these speeds (B,1), linear between recorded frames; short clips hold their ends and are not valid there.

        hip (B,F,3), vectors (B,F,25,3), axes (B,F,3,3,3), valid (B,F), and the recorded frames (B,F) they are nearest to.
        """
        count = len(speed)
        clip = rng.choice(len(self.length), count, p=self.chance)[:, None]
        last = self.length[clip] - 1
        span = speed * (self.frames - 1)
        begin = np.where(span < last, rng.random((count, 1)) * (last - span), (last - span) * rng.random((count, 1)))
        place = begin + speed * np.arange(self.frames)
        inside = (place >= 0) & (place <= last)
        place = np.clip(place, 0, last)
        before = np.minimum(place.astype(int), np.maximum(last - 1, 0))
        share = (place - before).astype(np.float32)
        before += self.start[clip]
        after = np.minimum(before + 1, len(self.hip) - 1)

        def between(values):
            weight = share.reshape(*share.shape, *(1,) * (values.ndim - 1))
            return values[before] * (1 - weight) + values[after] * weight

        valid = inside & self.valid[before] & self.valid[after]
        return between(self.hip), between(self.vectors), between(self.axes), valid, np.where(share > 0.5, after, before)

    @staticmethod
    def _swap(vectors, axes, valid, donors, rows, limbs, base):
        """Give these windows the donors' limbs, as they hang in the frame of the body they are fixed to."""
        _hip, donor_vectors, donor_axes, donor_valid, _rows = donors
        turn = axes[rows, :, base] @ np.swapaxes(donor_axes[:, :, base], -1, -2)
        moved = [node for side in limbs.values() for node in side]
        given = np.einsum("bfij,bfnj->bfni", turn, donor_vectors[:, :, moved])
        for at, node in enumerate(moved):
            vectors[rows, :, node] = given[:, :, at]
        valid[rows] &= donor_valid

    @staticmethod
    def _bend(rng, vectors, axes):
        """Turn whole limbs in their sockets, by one rotation for the window."""
        count = len(vectors)
        for limbs, base in ((_LEGS, AXES.index("pelvis")), (_ARMS, AXES.index("thorax"))):
            for side in limbs.values():
                spread = np.where(rng.random((count, 1)) < LIMB_TURN_SHARE, LIMB_TURN_SIGMA, POSTURE_SIGMA)
                bend = rotmat_from_rotvec(spread * rng.normal(size=(count, 3))).astype(np.float32)
                frame = axes[:, :, base]
                turn = frame @ bend[:, None] @ np.swapaxes(frame, -1, -2)
                vectors[:, :, side] = np.einsum("bfij,bfnj->bfni", turn, vectors[:, :, side])


def mirror_bodies(points, axes):
    """Points (B,F,25,3) and axes (B,F,3,3,3) of the mirrored bodies."""
    flip = np.array([-1, 1, 1], np.float32)
    return points[:, :, _MIRROR] * flip, axes * flip[:, None] * flip  # M A M: still a rotation


def _crouch(rng, hip, vectors, axes):
    """Some windows go down, or up and down: thighs forward, shins back, the torso forward. Recordings have few of these."""
    count, frames = vectors.shape[:2]
    rows = np.flatnonzero(rng.random(count) < CROUCH_SHARE)
    period = rng.uniform(30, 150, (len(rows), 1))  # frames
    wave = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(frames) / period + rng.random((len(rows), 1))))
    how_far = np.where(rng.random((len(rows), 1)) < 0.3, 1.0, wave)[..., None]  # held, or moving
    across = axes[rows, :, AXES.index("pelvis"), :, 0]
    standing = _lower_ankle_height(vectors[rows])
    thigh, lean = rng.uniform(0.1, 2.2, len(rows)), rng.uniform(-0.05, 0.45, len(rows))
    alone = rng.random(len(rows)) < LUNGE_SHARE

    def turn(angle):
        return rotmat_from_rotvec(angle[:, None, None] * how_far * across).astype(np.float32)

    for limb in _LEGS.values():
        own = np.where(alone, rng.uniform(-0.5, 2.0, len(rows)), thigh)
        shin = np.abs(rng.normal(0.3, 0.35, len(rows)))
        for node, angle in ((limb[0], -own), (limb[1], shin)):
            vectors[rows, :, node] = np.einsum("bfij,bfj->bfi", turn(angle), vectors[rows, :, node])
    upper = [node for node in range(len(NODES)) if not any(node in limb for limb in _LEGS.values())]
    forward = turn(lean * thigh)
    vectors[np.ix_(rows, range(frames), upper)] = np.einsum("bfij,bfnj->bfni", forward, vectors[rows][:, :, upper])
    axes[rows] = forward[:, :, None] @ axes[rows]
    hip[rows, :, 1] += standing - _lower_ankle_height(vectors[rows])


def _lower_ankle_height(vectors):
    """How high the lower ankle is above the hip, (B,F) m."""
    return np.min([vectors[:, :, [NODES.index(f"{side}_hip"), *limb[:2]], 1].sum(2) for side, limb in _LEGS.items()], 0)


def draw_bone_scales(rng, count):
    """Length factors of every vector, (B,25)."""
    factors = np.ones((count, len(NODES)), np.float32)
    for nodes, spread, mean in _BONE_SCALES:
        factors[:, nodes] = np.exp(rng.normal(mean, spread, (count, 1)) + rng.normal(0, ASYMMETRY_SIGMA, (count, len(nodes))))
    factors[:, NODES.index("thorax")] = factors[:, NODES.index("spine")]
    return factors


def _tumble(rng, points, axes):
    """Turn some windows as a whole about the hip, as in cartwheels and on the ground."""
    rows = np.flatnonzero(rng.random(len(points)) < TUMBLE_SHARE)
    turn = rotmat_from_rotvec(rng.normal(0, TUMBLE_SIGMA, (len(rows), 3))).astype(np.float32)
    centre = points[rows][:, :, :1].mean(1, keepdims=True)
    points[rows] = np.einsum("bij,bfnj->bfni", turn, points[rows] - centre) + centre
    axes[rows] = turn[:, None, None] @ axes[rows]
    return points, axes
