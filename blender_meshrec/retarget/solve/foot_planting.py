"""Feet stay where they touch: every contact has one place on the floor, and the legs reach for it.

A heel or a toe touches over a run of frames; while both touch, the foot lies flat, one way round. Where runs overlap they share
that flat foot, so a foot that rolls from the heel over the ball keeps one footprint. Between contacts the corrections fade. What
the legs cannot reach without straightening, the hips come down for.
"""

import numpy as np

from ...core.axis_rotations import right_multiply, rotation_about_axis, rotation_between, transpose, unit_vector
from ...core.contacts import contact_runs
from ...core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from ...core.time_series import interpolate_over_time
from ..rig import SIDES
from .footprints import plan_footprints
from .limb_ik import MAX_EXTENSION, limb_from_pose, soft_ik_distance, solve_two_bone_ik
from .rest_pose import LEG
from .temporal_blending import ease_into_runs, fade_between_runs, smooth_triangular, smooth_upper_envelope

# A correction fades over this time before and after a contact, s.
FADE_TIME = 0.2
# A foot comes to rest, and leaves, within this time, s: contacts begin while the source's feet still move a little.
SETTLE_TIME = 0.1
# While a foot rolls over its ball its ankle goes this much by where the leg takes it, and for the rest by how the foot is turned.
LEG_LED_SHARE = 0.7
# How far prints may be drawn away from their feet by the prints before them, as a share of the leg.
MAX_DRIFT = 0.25
# A foot that is longer for its leg than people's carries its prints farther, by the square of how much longer.
USUAL_FOOT_TO_LEG = 0.22
# What stands higher than this over the floor stands on a step of its own height, m of a source of ordinary size.
MIN_STEP_HEIGHT = 0.08
# The hips follow what bent and what straight legs ask for within these times, s, and come down this much ahead of need.
HIP_SMOOTHING, STRAIGHT_LEG_SMOOTHING, HIP_LEAD = 0.25, 0.05, 0.25
# A leg is bent up to this share of its length.
BENT_LEG_RATIO = 0.9
# A leg that carries is not straighter than this: so near its end its knee would tremble.
MAX_SUPPORT_EXTENSION = 0.997
# Horizontally no leg is spread beyond this share of its length: before, the hips move.
MAX_HORIZONTAL_REACH = 0.9
# Feet rise out of the floor over this time, s.
LIFT_TIME = 0.12
_UP = np.array([0.0, 0.0, 1.0])


class FootPlan:
    """One foot's plan: its turn from rest (F,3,3), its ankle (F,3) m while it touches, and its toes' turn, or None."""

    def __init__(self, pose, foot, contacts, support_height, placement, timestamps, max_drift):
        """contacts: (F,2) bool of heel and toe. support_height: (F,) m, height of what is touched. max_drift: m, see plan_footprints."""
        self.foot, self.contacts, self.support_height = foot, contacts, support_height
        self.timestamps, self.upright_from_rest = timestamps, placement.upright_from_rest
        self.floor = placement.floor
        self.ankle = pose.heads[foot.bone]
        self.delta = pose.rest_delta(foot.bone)
        self.to_heel, self.to_ball, self.to_tip = (point - foot.ankle for point in (foot.heel, foot.ball, foot.tip))
        self.ball_height = float((self.upright_from_rest @ (foot.ball - foot.heel))[2])
        self._plan_prints(max_drift)
        self.supported = self.contacts.any(1)
        self.runs = contact_runs(self.supported)
        self.flat_runs = contact_runs(self.contacts.all(1))
        self.rotation = self._solve_rotation()
        self.planted_ankle = self._solve_planted_ankle()
        self.toe_rotation = None if foot.toes is None else self._solve_toe_rotation(pose.rest_delta(foot.toes))

    def _flat_rotation(self, heading):
        """The turn from rest of a foot that lies flat with its headings (...)."""
        return rotation_about_axis(_UP, heading) @ self.upright_from_rest

    def _plan_prints(self, max_drift):
        """Places on the floor (2,F,2) of heel and ball where they touch, and the flat foot's heading (F,)."""
        forward = self.delta @ self.foot.forward
        rest = self.upright_from_rest @ self.foot.forward
        heading = np.unwrap(np.arctan2(forward[:, 1], forward[:, 0])) - np.arctan2(rest[1], rest[0])
        points = np.stack([(self.ankle + self.delta @ offset)[:, :2] for offset in (self.to_heel, self.to_ball)])

        def arm(turn):
            return (self._flat_rotation(turn) @ (self.to_ball - self.to_heel))[:2]

        self.prints, self.heading, self.contacts = plan_footprints(points, heading, self.contacts, arm, max_drift)

    def _solve_rotation(self):
        """The foot's turn from rest: flat where heel and toe touch, fading to its own elsewhere; what touches stays above the floor."""
        flat = self.contacts.all(1)
        correction = np.zeros((len(flat), 3))
        if flat.any():
            correction[flat] = rotvec_from_rotmat(self._flat_rotation(self.heading[flat]) @ transpose(self.delta[flat]))
        turn = rotmat_from_rotvec(fade_between_runs(correction, self.flat_runs, self.timestamps, FADE_TIME)) @ self.delta
        rolling = self.contacts[:, 1] & ~self.contacts[:, 0]
        if rolling.any():
            moved = np.zeros_like(self.ankle)
            moved[flat] = self._ankle_over_ball(turn)[flat] - self.ankle[flat]
            led = self.ankle + fade_between_runs(moved, self.flat_runs, self.timestamps, FADE_TIME)
            by_turn = self._ankle_over_ball(turn)
            arm = (by_turn + LEG_LED_SHARE * (led - by_turn) - self._ball_positions())[rolling]
            turn[rolling] = rotation_between(turn[rolling] @ -self.to_ball, arm) @ turn[rolling]
        for on, off, arm, least in (
            (0, 1, self.to_ball - self.to_heel, self.ball_height),
            (1, 0, self.to_heel - self.to_ball, -self.ball_height),
        ):
            alone = self.contacts[:, on] & ~self.contacts[:, off]
            pointing = turn[alone] @ arm
            sunk = pointing[:, 2] < least
            level = np.sqrt(max(arm @ arm - least**2, 0.0)) * unit_vector(pointing * [1, 1, 0])
            level[:, 2] = least
            turn[alone] = rotation_between(pointing, np.where(sunk[:, None], level, pointing)) @ turn[alone]
        return turn

    def _ball_positions(self):
        """Where the ball of the foot is planned to be while it touches, (F,3)."""
        return np.concatenate([self.prints[1], (self.support_height + self.ball_height)[:, None]], 1)

    def _ankle_over_ball(self, turn):
        """Where the ankle (F,3) is when the foot stands on its ball and is turned by `turn` (F,3,3)."""
        return self._ball_positions() - turn @ self.to_ball

    def _solve_planted_ankle(self):
        """Where the ankle (F,3) is while the foot touches; elsewhere where it was."""
        heel, ball = self.contacts.T
        on_heel = np.concatenate([self.prints[0], self.support_height[:, None]], 1) - self.rotation @ self.to_heel
        ankle = np.where(heel[:, None], on_heel, self.ankle)
        return np.where(ball[:, None], self._ankle_over_ball(self.rotation), ankle)

    def _solve_toe_rotation(self, delta):
        """The toes' turn from rest: flat while they touch, the way the foot points when it is flat."""
        runs = contact_runs(self.contacts[:, 1])
        heading = self.heading.copy()
        flat = self.contacts.all(1)
        for first, last in runs:
            inside = np.flatnonzero(flat[first:last]) + first
            rows = np.arange(first, last)
            if len(inside):
                heading[rows] = np.interp(rows, inside, self.heading[inside])
            else:
                heading[rows] = heading[rows].mean()
        touching = self.contacts[:, 1]
        correction = np.zeros((len(delta), 3))
        if touching.any():
            correction[touching] = rotvec_from_rotmat(self._flat_rotation(heading[touching]) @ transpose(delta[touching]))
        return rotmat_from_rotvec(fade_between_runs(correction, runs, self.timestamps, FADE_TIME)) @ delta

    def ankle_target(self, shift):
        """Where the ankle should be, (F,3) m, if the hips move by `shift` (F,3): planted, or on the way, and out of the floor."""
        left = np.where(self.supported[:, None], self.planted_ankle - self.ankle - shift, 0)
        target = self.ankle + shift + fade_between_runs(left, self.runs, self.timestamps, FADE_TIME)
        target[:, :2] = ease_into_runs(target[:, :2], self.runs, self.timestamps, SETTLE_TIME)
        low = np.stack([(self.rotation @ arm)[:, 2] - height for arm, height in self._low_points()], 1).min(1)
        sunk = np.maximum(self.floor - (target[:, 2] + low), 0) * ~self.supported
        if sunk.any():
            near = fade_between_runs(self.supported[:, None].astype(float), self.runs, self.timestamps, FADE_TIME)[:, 0]
            lift = np.maximum(sunk, smooth_upper_envelope(sunk, self.timestamps, LIFT_TIME) * (1 - near))
            target[:, 2] += np.where(self.supported, 0, lift)
        return target

    def _low_points(self):
        yield self.to_heel, 0.0
        yield self.to_ball, self.ball_height
        if self.foot.toes is None:
            yield self.to_tip, 0.0


def plant_feet(pose, bone_rotations, heads, stance, contacts, support_heights, placement, timestamps):
    """Plant a posed rig's feet: changes `bone_rotations` of its legs and gives the carrier's new heads.

    Args:
        pose: a Pose, as the performance turned it. bone_rotations: bone -> (F,3,3), changed in place. heads: (F,3) m of the carrier.
        stance: the rig's Stance. contacts: (F,4) bool. support_heights: (F,2) m, how high above the floor what each foot touches is.
        placement: a RootPlacement. timestamps: (F,) s.

    Returns:
        heads (F,3) of the carrier.
    """
    feet, limbs = {}, {}
    for number, side in enumerate(SIDES):
        if side in stance.feet:
            touching = contacts[:, 2 * number : 2 * number + 2]
            limbs[side] = leg_limb(pose, side)
            foot, level = stance.feet[side], placement.floor + support_heights[:, number]
            leg = sum(limbs[side].lengths)
            drift = MAX_DRIFT * leg * max(1.0, float(np.linalg.norm(foot.ball - foot.heel)) / leg / USUAL_FOOT_TO_LEG) ** 2
            feet[side] = FootPlan(pose, foot, touching, level, placement, timestamps, drift)
    if not feet:
        return heads
    shift = _hip_follow_shift(feet, limbs, timestamps)
    shift = shift + _hip_spread_shift(feet, limbs, shift, timestamps)
    targets = {side: foot.ankle_target(shift) for side, foot in feet.items()}
    drop = np.max([_hip_drop(limbs[side], targets[side], shift, feet[side].supported) for side in feet], 0)
    if (drop > 0).any():
        shift = shift - smooth_upper_envelope(drop, timestamps, HIP_LEAD)[:, None] * _UP
        targets = {side: foot.ankle_target(shift) for side, foot in feet.items()}
    for side, foot in feet.items():
        upper, lower = solve_two_bone_ik(limbs[side], limbs[side].root + shift, targets[side])
        for slot, turn in ((f"{side}_upper_leg", upper), (f"{side}_lower_leg", lower)):
            for bone in pose.rest.slots[slot]:
                bone_rotations[bone] = turn @ bone_rotations[bone]
        for slot, turn in ((f"{side}_foot", foot.rotation), (f"{side}_toes", foot.toe_rotation)):
            for bone in pose.rest.slots.get(slot, ()):
                bone_rotations[bone] = right_multiply(foot.rotation if turn is None else turn, pose.rest.rotations[bone])
    return heads + shift


def leg_limb(pose, side):
    """One leg of a Pose as a Limb whose end is the ankle."""
    return limb_from_pose(pose, *(f"{side}_{part}" for part in LEG), bends_towards=-pose.rest.axes[:, 1])


def _hip_follow_shift(feet, limbs, timestamps):
    """How the hips move, (F,3) m, so that the legs that carry them stand and bend as they did.

    A bent leg takes up quickly what its foot asks for, so the hips follow slowly; the straighter a leg is, the more a small
    change of its length bends its knee, and the more closely the hips follow.
    """
    still = np.zeros((len(timestamps), 3))
    asked, weights, straight = [], [], []
    for side, foot in feet.items():
        limb = limbs[side]
        target = foot.ankle_target(still)
        away = target - limb.root
        reachable = np.sqrt(np.maximum(limb.extent**2 - (away[:, :2] ** 2).sum(1), (0.2 * sum(limb.lengths)) ** 2))
        asked.append(np.concatenate([(target - foot.ankle)[:, :2], (away[:, 2] + reachable)[:, None]], 1))
        straightness = np.clip((limb.extent / sum(limb.lengths) - BENT_LEG_RATIO) / (1 - BENT_LEG_RATIO), 0, 1)
        carries = smooth_triangular(foot.supported[:, None].astype(float), timestamps, SETTLE_TIME)[:, 0]
        weights.append(carries * (0.05 + straightness))
        straight.append(carries * straightness)
    asked, weights = np.array(asked), np.array(weights)[..., None]
    total = weights.sum(0)[:, 0]
    known = total > 1e-3
    if not known.any():
        return still
    wanted = interpolate_over_time(timestamps, timestamps[known], (asked * weights).sum(0)[known] / total[known, None])
    shift = smooth_triangular(wanted, timestamps, HIP_SMOOTHING)
    closely = smooth_triangular(np.max(straight, 0)[:, None], timestamps, SETTLE_TIME)
    shift[:, 2:] += closely * (smooth_triangular(wanted[:, 2:], timestamps, STRAIGHT_LEG_SMOOTHING) - shift[:, 2:])
    return shift


def _hip_spread_shift(feet, limbs, shift, timestamps):
    """How the hips move over the floor, (F,3) m, for legs that would have to be spread too far."""
    asked, count = np.zeros_like(shift), np.zeros(len(shift))
    for side, foot in feet.items():
        across = (foot.ankle_target(shift) - limbs[side].root - shift) * [1, 1, 0]
        distance = np.linalg.norm(across, axis=1)
        before = np.linalg.norm((limbs[side].end - limbs[side].root)[:, :2], axis=1)
        over = np.maximum(distance - np.maximum(MAX_HORIZONTAL_REACH * sum(limbs[side].lengths), before), 0)
        asked += across * (over / np.maximum(distance, 1e-9))[:, None]
        count += over > 0
    if not count.any():
        return asked
    return smooth_triangular(1.5 * asked / np.maximum(count, 1)[:, None], timestamps, HIP_LEAD)


def _hip_drop(limb, target, shift, is_support):
    """By how much the hips must come down, (F,) m, for a leg to reach its target without straightening more than it likes."""
    length = sum(limb.lengths)
    away = target - limb.root - shift
    distance = np.linalg.norm(away, axis=1)
    straightest = np.where(is_support, MAX_SUPPORT_EXTENSION, MAX_EXTENSION) * length
    longest = np.minimum(soft_ik_distance(limb, distance), np.where(is_support, straightest, np.maximum(straightest, limb.extent)))
    across = (away[:, :2] ** 2).sum(1)
    reachable = np.sqrt(np.maximum(longest**2 - across, (0.2 * length) ** 2))
    return np.where(distance > longest, np.maximum(-away[:, 2] - reachable, 0), 0)
