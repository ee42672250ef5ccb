"""Feet stay where they touch.

While a heel or a toe is in contact it must not slide, and it stands on the ground. A foot that seems to hang above the floor
or to sink into it is seen right but its distance is wrong: it is moved along its line of sight, nearly, to where that
meets the floor. What is wrong with both feet is wrong with the whole person, and the root moves; what is left the legs take
up. Before and after a contact the correction fades.
"""

import numpy as np

from ...core.contacts import contact_runs, deadband
from ...core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from .smoothing import smooth_whittaker
from ...core.time_series import windowed_mean, windowed_minimum
from .leg_ik import LEG_JOINTS, pose_legs, rotation_between, soft_reach_shortfall, solve_leg_ik

# A correction fades over this time before and after a contact, s.
FADE_TIME = 0.3
# A contact point that strays farther in the picture has moved: its lock follows on a leash. Metres at its distance, and rad for
# the foot's direction. Along the line of sight the leash is as much longer as the third number is less than one.
POSITION_DEADBAND, HEADING_DEADBAND, DEADBAND_DEPTH_SCALE = 0.1, 0.3, 0.05
# Feet rise out of the floor over this time, s.
LIFT_TIME = 0.1
# A foot this near z = 0 stands on the floor; a higher one on a step or a box of its own height. m.
FLOOR_TOLERANCE = 0.15
# Feet farther from z = 0 than this do not mean the floor: one world knows people's distances to a few percent. m.
MAX_FLOOR_ERROR = 0.4
# The farthest such a shift goes: along the line of sight, of the distance, and across it, m.
MAX_SHIFT_ALONG, MAX_SHIFT_ACROSS = 0.2, 0.06
# The root follows what both feet need, slowly: faster than this the legs do it. Hz.
ROOT_CUTOFF = 1.5
REACH_CUTOFF = 4.0
# Feet and picture pull at the root as equals across the line of sight; upwards the feet win: legs cannot grow.
VERTICAL_WEIGHT = 20.0
BODY_RADIUS = 0.45  # m, how far joints lie from the body's middle: what a change of distance moves them by in the picture
# An ankle's place is known along the line of sight five times worse than across it.
ANKLE_DEPTH_WEIGHT = 0.2**2
# Smoothing lowers a peak, so a little more than what is missing is asked for; what is still missing the next round finds.
OVERSHOOT, REACH_ITERATIONS = 1.2, 3


def lock_feet(rotmats, pelvis, rest_joints, soles, contacts, timestamps, camera):
    """Hold heels and toes in place while they touch, and keep feet out of the floor.

    Args:
        rotmats: (F,J,3,3) local, the root's in the world (z up). pelvis: (F,3) m. rest_joints: (J,3) m. soles: Soles.
        contacts: (F,4) 0..1: left heel, left toe, right heel, right toe. timestamps: (F,) s.
        camera: (3,) m, where it stands: the root moves along its line of sight where it can.

    Returns:
        rotmats and pelvis, new arrays: the root's place and the rotations of hips, knees and ankles have changed.
    """
    touching = np.asarray(contacts) > 0.5

    def posed():
        legs = pose_legs(rotmats, pelvis, rest_joints, soles)
        return legs, [_FootLock(legs, leg, soles, touching[:, 2 * leg : 2 * leg + 2], timestamps, camera) for leg in range(2)]

    _legs, feet = posed()
    pelvis = pelvis + _floor_shift(np.concatenate([foot.point_heights() for foot in feet], 1), touching, pelvis, camera)
    legs, feet = posed()
    shift = _root_shift(feet, pelvis, camera, timestamps)
    for _ in range(REACH_ITERATIONS):
        short = [
            soft_reach_shortfall(legs.joints[:, leg, 0] + shift, legs.joints[:, leg], foot.ankle_target(shift))
            for leg, foot in enumerate(feet)
        ]
        shift = shift + _reach_shift(short, timestamps)
    rotmats, pelvis = np.array(rotmats, float), pelvis + shift
    for leg, (hip, knee, ankle, _toes) in enumerate(LEG_JOINTS):
        joints, rotations = legs.joints[:, leg], legs.rotations[:, leg]
        thigh, shin = solve_leg_ik(joints, rotations, joints[:, 0] + shift, feet[leg].ankle_target(shift))
        rotmats[:, hip] = _transpose(rotmats[:, 0]) @ thigh
        rotmats[:, knee] = _transpose(thigh) @ shin
        rotmats[:, ankle] = _transpose(shin) @ feet[leg].rotmats @ rotations[:, 2]
    return rotmats, pelvis


class _FootLock:
    """One foot's lock: how it is turned, (F,3,3), and how far its ankle should move, (F,3) m, where the foot touches."""

    def __init__(self, legs, leg, soles, touching, timestamps, camera):
        self.touching = touching.any(1)
        self._times = timestamps
        self._ankle = legs.joints[:, leg, 2]
        points, clearance = legs.points[:, 2 * leg : 2 * leg + 2], soles.clearance[2 * leg : 2 * leg + 2]
        self.rotmats = self._flattening_rotmats(points, clearance, touching)
        # Heel and toe, from the ankle, once the foot is turned.
        self._points = np.einsum("fab,fkb->fka", self.rotmats, points - self._ankle[:, None])
        self._clearance = clearance
        self._drift_metric = _image_cost(self._ankle, camera, DEADBAND_DEPTH_SCALE**2)
        self._lift_direction = _min_cost_lift(_image_cost(self._ankle, camera, ANKLE_DEPTH_WEIGHT))
        self.correction = self._contact_correction(touching)

    def point_heights(self):
        """How high heel and toe are above the ground at z = 0 with the foot turned, (F,2) m."""
        return (self._ankle[:, None] + self._points)[..., 2] - self._clearance

    def _flattening_rotmats(self, points, clearance, touching):
        """The turn (F,3,3) that lays a foot flat and keeps its direction while heel and toe touch; fading to none elsewhere.

        While only one of them touches, the other is kept from going below it.
        """
        pointing = points[:, 1] - points[:, 0]
        rise = clearance[1] - clearance[0]
        heading = np.unwrap(np.arctan2(pointing[:, 1], pointing[:, 0]))
        turn = np.zeros((len(points), 3))
        runs = contact_runs(touching.all(1))
        for first, last in runs:
            kept = deadband(heading[first:last, None], HEADING_DEADBAND)[:, 0]
            turn[first:last] = rotvec_from_rotmat(
                rotation_between(pointing[first:last], _vectors_with_rise(pointing[first:last], kept, rise))
            )
        turn = rotmat_from_rotvec(_fade_between_runs(turn, runs, self._times))
        pointing = np.einsum("fab,fb->fa", turn, pointing)
        sunk = np.where(touching[:, 1], pointing[:, 2] > rise, pointing[:, 2] < rise) & (touching.sum(1) == 1)
        level = _vectors_with_rise(pointing, np.arctan2(pointing[:, 1], pointing[:, 0]), rise)
        return rotation_between(pointing, np.where(sunk[:, None], level, pointing)) @ turn

    def _contact_correction(self, touching):
        """How far the ankle must move for touching points to stay where they are, on the ground."""
        points = self._ankle[:, None] + self._points
        height = ((points[..., 2] - self._clearance) * touching).sum(1) / np.maximum(touching.sum(1), 1)
        correction = np.zeros_like(self._ankle)
        for first, last in contact_runs(self.touching):
            ground = np.median(height[first:last])
            ground = ground if abs(ground) > FLOOR_TOLERANCE else 0.0
            correction[first:last] = (ground - height[first:last, None]) * self._lift_direction[first:last]
        points = points + correction[:, None]
        both = touching[1:] & touching[:-1]
        drift = np.zeros((len(points), 2))
        drift[1:] = (np.diff(points[..., :2], axis=0) * both[..., None]).sum(1) / np.maximum(both.sum(1), 1)[:, None]
        drift = np.cumsum(drift, 0)
        for first, last in contact_runs(self.touching):
            # Without its drift the foot would stay put; on its leash it follows a drift that is real.
            metric = np.linalg.cholesky(self._drift_metric[first:last, :2, :2].mean(0))
            kept = np.linalg.solve(metric.T, deadband(drift[first:last] @ metric, POSITION_DEADBAND).T).T
            correction[first:last, :2] += kept - drift[first:last]
        return correction

    def ankle_target(self, shift):
        """Where the ankle should be, (F,3) m, if the root moves by `shift` (F,3) m."""
        left = np.where(self.touching[:, None], self.correction - shift, 0)
        target = self._ankle + shift + _fade_between_runs(left, contact_runs(self.touching), self._times)
        return target + self._smooth_lift(self._penetration_depth(target))[:, None] * self._lift_direction

    def penetration_lift(self):
        """How far the foot would have to be lifted out of the floor along its line of sight, (F,3) m, touching or not."""
        return self._penetration_depth(self._ankle)[:, None] * self._lift_direction

    def _penetration_depth(self, ankle):
        return np.maximum(-((ankle[:, None] + self._points)[..., 2] - self._clearance).min(1), 0)

    def _smooth_lift(self, needed):
        """How far to lift a foot out of the floor, (F,) m: a little earlier and later than `needed` (F,), not to jerk; 0 in touch."""
        ahead = -windowed_minimum(-needed, self._times, LIFT_TIME)
        smooth = windowed_mean(ahead[:, None], self._times, LIFT_TIME / 2)[:, 0]
        from_touch = _fade_between_runs(self.touching[:, None].astype(float), contact_runs(self.touching), self._times)[:, 0]
        return np.where(self.touching, 0, np.maximum(needed, smooth * (1 - from_touch)))


def _floor_shift(height, touching, pelvis, camera):
    """A constant shift (3,) m that brings a person's standing feet to the floor where it shows least in the picture.

    height: (F,4) m, of heels and toes of feet that lie as they stand. With several people in one world each has a distance,
    and so a height, of their own; some would float.
    """
    standing = height[touching & (np.abs(height) < MAX_FLOOR_ERROR)]
    # Who is never seen to stand must at least not be in the floor.
    off = float(np.median(standing)) if len(standing) else min(0.0, float(np.quantile(height.min(1), 0.1)))
    cost = np.mean(_image_cost(pelvis, camera, _body_depth_weight(pelvis, camera)), 0)
    shift = -off * _min_cost_lift(cost)
    # A shift that tears somebody off their picture mends nothing: then their size is wrong, or they stand on something else.
    sight = np.median(pelvis, 0) - camera
    distance = np.linalg.norm(sight)
    along = shift @ sight / distance
    across = np.linalg.norm(shift - along * sight / distance)
    return shift if abs(along) < MAX_SHIFT_ALONG * distance and across < MAX_SHIFT_ACROSS else np.zeros(3)


def _root_shift(feet, pelvis, camera, timestamps):
    """How far the root moves, (F,3) m: what the touching feet ask for, weighed against what it does to the picture."""
    asked = sum(np.where(foot.touching[:, None], foot.correction, 0) for foot in feet)
    count = sum(foot.touching.astype(float) for foot in feet)
    # In the air there is no foothold, but nobody dives into the floor either.
    left, right = (foot.penetration_lift() for foot in feet)
    deepest = np.where((left[:, 2] > right[:, 2])[:, None], left, right)
    diving = (count == 0) & (deepest[:, 2] > 0)
    asked, count = np.where(diving[:, None], deepest, asked), count + diving
    if not count.any():
        return np.zeros_like(asked)
    weight, cost = np.diag([1.0, 1.0, VERTICAL_WEIGHT]), _image_cost(pelvis, camera, _body_depth_weight(pelvis, camera))
    shift = np.linalg.solve(weight + cost, (asked / np.maximum(count, 1)[:, None] @ weight)[..., None])[..., 0]
    known = count > 0
    for axis in range(3):
        shift[:, axis] = np.interp(timestamps, timestamps[known], shift[known, axis])
    return smooth_whittaker(shift, timestamps, ROOT_CUTOFF, np.where(known, 1.0, 0.1))


def _image_cost(points, camera, depth):
    """What a shift of points (F,3) does to the picture, as quadratic forms (F,3,3): squared metres at their distance.

    depth: what a shift along the line of sight counts, of one across it; a number or (F,).
    """
    sight = points - np.asarray(camera, float)
    sight = sight / np.maximum(np.linalg.norm(sight, axis=-1, keepdims=True), 0.1)
    along = sight[:, :, None] * sight[:, None, :]
    return np.eye(3) - along + np.broadcast_to(depth, len(points))[:, None, None] * along


def _body_depth_weight(pelvis, camera):
    """What a change of a whole person's distance counts: joints move apart in the picture by BODY_RADIUS over the distance."""
    return (BODY_RADIUS / np.maximum(np.linalg.norm(pelvis - np.asarray(camera, float), axis=-1), 0.1)) ** 2


def _min_cost_lift(cost):
    """The shifts (..., 3) that rise by 1 and cost least."""
    least = np.linalg.solve(cost, np.broadcast_to(np.array([0.0, 0.0, 1.0])[:, None], (*cost.shape[:-1], 1)))[..., 0]
    return least / least[..., 2:]


def _reach_shift(short, timestamps):
    """A root shift (F,3) m towards targets that legs are too short for."""
    count = sum((np.abs(s).max(1) > 1e-9).astype(float) for s in short)
    if not count.any():
        return np.zeros_like(short[0])
    needed = sum(short) / np.maximum(count, 1)[:, None]
    return OVERSHOOT * smooth_whittaker(needed, timestamps, REACH_CUTOFF)


def _vectors_with_rise(pointing, heading, rise):
    """Vectors (F,3) as long as `pointing`, towards headings (F,) rad, that rise by `rise` m."""
    along = np.sqrt(np.maximum((pointing**2).sum(-1) - rise**2, 0))
    return np.stack([along * np.cos(heading), along * np.sin(heading), np.full(len(heading), rise)], -1)


def _fade_between_runs(values, runs, timestamps):
    """Values (F,C) kept on runs (N,2) of frames, and elsewhere the nearest runs' end values fading out over FADE_TIME seconds."""
    result = np.zeros_like(values)
    for first, last in runs:
        result[first:last] = values[first:last]
    for k in range(len(runs) + 1):
        start = runs[k - 1][1] if k else 0
        stop = runs[k][0] if k < len(runs) else len(values)
        gap = timestamps[start:stop]
        room = timestamps[runs[k][0]] - timestamps[runs[k - 1][1] - 1] if 0 < k < len(runs) else np.inf
        if k:
            result[start:stop] += _fade_weight(gap - timestamps[start - 1], room)[:, None] * values[start - 1]
        if k < len(runs):
            result[start:stop] += _fade_weight(timestamps[stop] - gap, room)[:, None] * values[stop]
    return result


def _fade_weight(since, room):
    """From 1 at 0 s to 0 at FADE_TIME, or sooner where there is less room."""
    share = np.clip(since / min(FADE_TIME, room), 0, 1)
    return 1 - share**3 * (10 - 15 * share + 6 * share * share)


def _transpose(rotmats):
    return np.swapaxes(rotmats, -1, -2)
