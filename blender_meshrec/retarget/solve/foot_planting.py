"""Feet stay where they touch: every contact has one place on the floor, and the legs reach for it.

A heel or a toe touches over a run of frames; while both touch, the foot lies flat, one way round. Where runs overlap they share
that flat foot, so a foot that rolls from the heel over the ball keeps one footprint. Between contacts the corrections fade. What
the legs cannot reach without straightening, the hips come down for.
"""

import numpy as np

from ...core.axis_rotations import about, shortest_turn, transposed, turned_by, unit
from ...core.contacts import contact_runs
from ...core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from ...core.timeline import across_time
from ..rig import SIDES
from .fading import covering, faded, settling, smoothed
from .footprints import plan_footprints
from .limb_ik import STRETCH, eased_extent, limb_of, reach
from .rest_pose import LEG

# A correction fades over this time before and after a contact, s.
FADE = 0.2
# A foot comes to rest, and leaves, within this time, s: contacts begin while the source's feet still move a little.
SETTLE = 0.1
# While a foot rolls over its ball its ankle goes this much by where the leg takes it, and for the rest by how the foot is turned.
LED_BY_LEG = 0.7
# How far prints may be drawn away from their feet by the prints before them, as a share of the leg.
DRIFT = 0.25
# A foot that is longer for its leg than people's carries its prints farther, by the square of how much longer.
FOOT_FOR_LEG = 0.22
# What stands higher than this over the floor stands on a step of its own height, m of a source of ordinary size.
STEP = 0.08
# The hips follow what bent and what straight legs ask for within these times, s, and come down this much ahead of need.
FOLLOW, FOLLOW_CLOSELY, AHEAD = 0.25, 0.05, 0.25
# A leg is bent up to this share of its length.
BENT = 0.9
# A leg that carries is not straighter than this: so near its end its knee would tremble.
STANDING = 0.997
# Horizontally no leg is spread beyond this share of its length: before, the hips move.
SPREAD = 0.9
# Feet rise out of the floor over this time, s.
LIFT = 0.12
_UP = np.array([0.0, 0.0, 1.0])


class PlannedFoot:
    """One foot's plan: its turn from rest (F,3,3), its ankle (F,3) m while it touches, and its toes' turn, or None."""

    def __init__(self, pose, foot, touching, level, placing, timestamps, drift):
        """touching: (F,2) bool of heel and toe. level: (F,) m, the height of what is touched. drift: m, see plan_footprints."""
        self.foot, self.touching, self.level = foot, touching, level
        self.timestamps, self.canonical = timestamps, placing.canonical
        self.floor = placing.floor
        self.ankle = pose.heads[foot.bone]
        self.delta = pose.delta(foot.bone)
        self.to_heel, self.to_ball, self.to_tip = (point - foot.ankle for point in (foot.heel, foot.ball, foot.tip))
        self.ball_height = float((self.canonical @ (foot.ball - foot.heel))[2])
        self._plan_prints(drift)
        self.supported = self.touching.any(1)
        self.runs = contact_runs(self.supported)
        self.flat_runs = contact_runs(self.touching.all(1))
        self.turn = self._turned()
        self.wanted = self._planted()
        self.toes = None if foot.toes is None else self._toes(pose.delta(foot.toes))

    def _flat(self, heading):
        """The turn from rest of a foot that lies flat with its headings (...)."""
        return about(_UP, heading) @ self.canonical

    def _plan_prints(self, drift):
        """Places on the floor (2,F,2) of heel and ball where they touch, and the flat foot's heading (F,)."""
        forward = self.delta @ self.foot.forward
        rest = self.canonical @ self.foot.forward
        heading = np.unwrap(np.arctan2(forward[:, 1], forward[:, 0])) - np.arctan2(rest[1], rest[0])
        points = np.stack([(self.ankle + self.delta @ offset)[:, :2] for offset in (self.to_heel, self.to_ball)])

        def arm(turn):
            return (self._flat(turn) @ (self.to_ball - self.to_heel))[:2]

        self.prints, self.heading, self.touching = plan_footprints(points, heading, self.touching, arm, drift)

    def _turned(self):
        """The foot's turn from rest: flat where heel and toe touch, fading to its own elsewhere; what touches stays above the floor."""
        flat = self.touching.all(1)
        correction = np.zeros((len(flat), 3))
        if flat.any():
            correction[flat] = rotvec_from_rotmat(self._flat(self.heading[flat]) @ transposed(self.delta[flat]))
        turn = rotmat_from_rotvec(faded(correction, self.flat_runs, self.timestamps, FADE)) @ self.delta
        rolling = self.touching[:, 1] & ~self.touching[:, 0]
        if rolling.any():
            moved = np.zeros_like(self.ankle)
            moved[flat] = self._on_ball(turn)[flat] - self.ankle[flat]
            led = self.ankle + faded(moved, self.flat_runs, self.timestamps, FADE)
            by_turn = self._on_ball(turn)
            arm = (by_turn + LED_BY_LEG * (led - by_turn) - self._ball())[rolling]
            turn[rolling] = shortest_turn(turn[rolling] @ -self.to_ball, arm) @ turn[rolling]
        for on, off, arm, least in (
            (0, 1, self.to_ball - self.to_heel, self.ball_height),
            (1, 0, self.to_heel - self.to_ball, -self.ball_height),
        ):
            alone = self.touching[:, on] & ~self.touching[:, off]
            pointing = turn[alone] @ arm
            sunk = pointing[:, 2] < least
            level = np.sqrt(max(arm @ arm - least**2, 0.0)) * unit(pointing * [1, 1, 0])
            level[:, 2] = least
            turn[alone] = shortest_turn(pointing, np.where(sunk[:, None], level, pointing)) @ turn[alone]
        return turn

    def _ball(self):
        """Where the ball of the foot is planned to be while it touches, (F,3)."""
        return np.concatenate([self.prints[1], (self.level + self.ball_height)[:, None]], 1)

    def _on_ball(self, turn):
        """Where the ankle (F,3) is when the foot stands on its ball and is turned by `turn` (F,3,3)."""
        return self._ball() - turn @ self.to_ball

    def _planted(self):
        """Where the ankle (F,3) is while the foot touches; elsewhere where it was."""
        heel, ball = self.touching.T
        on_heel = np.concatenate([self.prints[0], self.level[:, None]], 1) - self.turn @ self.to_heel
        ankle = np.where(heel[:, None], on_heel, self.ankle)
        return np.where(ball[:, None], self._on_ball(self.turn), ankle)

    def _toes(self, delta):
        """The toes' turn from rest: flat while they touch, the way the foot points when it is flat."""
        runs = contact_runs(self.touching[:, 1])
        heading = self.heading.copy()
        flat = self.touching.all(1)
        for first, last in runs:
            inside = np.flatnonzero(flat[first:last]) + first
            rows = np.arange(first, last)
            if len(inside):
                heading[rows] = np.interp(rows, inside, self.heading[inside])
            else:
                heading[rows] = heading[rows].mean()
        touching = self.touching[:, 1]
        correction = np.zeros((len(delta), 3))
        if touching.any():
            correction[touching] = rotvec_from_rotmat(self._flat(heading[touching]) @ transposed(delta[touching]))
        return rotmat_from_rotvec(faded(correction, runs, self.timestamps, FADE)) @ delta

    def target(self, shift):
        """Where the ankle should be, (F,3) m, if the hips move by `shift` (F,3): planted, or on the way, and out of the floor."""
        left = np.where(self.supported[:, None], self.wanted - self.ankle - shift, 0)
        target = self.ankle + shift + faded(left, self.runs, self.timestamps, FADE)
        target[:, :2] = settling(target[:, :2], self.runs, self.timestamps, SETTLE)
        low = np.stack([(self.turn @ arm)[:, 2] - height for arm, height in self._low_points()], 1).min(1)
        sunk = np.maximum(self.floor - (target[:, 2] + low), 0) * ~self.supported
        if sunk.any():
            near = faded(self.supported[:, None].astype(float), self.runs, self.timestamps, FADE)[:, 0]
            lift = np.maximum(sunk, covering(sunk, self.timestamps, LIFT) * (1 - near))
            target[:, 2] += np.where(self.supported, 0, lift)
        return target

    def _low_points(self):
        yield self.to_heel, 0.0
        yield self.to_ball, self.ball_height
        if self.foot.toes is None:
            yield self.to_tip, 0.0


def plant_feet(pose, turns, heads, stance, contacts, levels, placing, timestamps):
    """Plant a posed rig's feet: changes `turns` of its legs and gives the carrier's new heads.

    Args:
        pose: a Pose, as the performance turned it. turns: bone -> (F,3,3), changed in place. heads: (F,3) m of the carrier.
        stance: the rig's Stance. contacts: (F,4) bool. levels: (F,2) m, how high above the floor what each foot touches is.
        placing: a Placing. timestamps: (F,) s.

    Returns:
        heads (F,3) of the carrier.
    """
    feet, limbs = {}, {}
    for number, side in enumerate(SIDES):
        if side in stance.feet:
            touching = contacts[:, 2 * number : 2 * number + 2]
            limbs[side] = leg_of(pose, side)
            foot, level = stance.feet[side], placing.floor + levels[:, number]
            leg = sum(limbs[side].lengths)
            drift = DRIFT * leg * max(1.0, float(np.linalg.norm(foot.ball - foot.heel)) / leg / FOOT_FOR_LEG) ** 2
            feet[side] = PlannedFoot(pose, foot, touching, level, placing, timestamps, drift)
    if not feet:
        return heads
    shift = _following(feet, limbs, timestamps)
    shift = shift + _spreading(feet, limbs, shift, timestamps)
    targets = {side: foot.target(shift) for side, foot in feet.items()}
    drop = np.max([_drop(limbs[side], targets[side], shift, feet[side].supported) for side in feet], 0)
    if (drop > 0).any():
        shift = shift - covering(drop, timestamps, AHEAD)[:, None] * _UP
        targets = {side: foot.target(shift) for side, foot in feet.items()}
    for side, foot in feet.items():
        upper, lower = reach(limbs[side], limbs[side].root + shift, targets[side])
        for slot, turn in ((f"{side}_upper_leg", upper), (f"{side}_lower_leg", lower)):
            for bone in pose.rest.slots[slot]:
                turns[bone] = turn @ turns[bone]
        for slot, turn in ((f"{side}_foot", foot.turn), (f"{side}_toes", foot.toes)):
            for bone in pose.rest.slots.get(slot, ()):
                turns[bone] = turned_by(foot.turn if turn is None else turn, pose.rest.rotations[bone])
    return heads + shift


def leg_of(pose, side):
    """One leg of a Pose as a Limb whose end is the ankle."""
    return limb_of(pose, *(f"{side}_{part}" for part in LEG), bends_towards=-pose.rest.axes[:, 1])


def _following(feet, limbs, timestamps):
    """How the hips move, (F,3) m, so that the legs that carry them stand and bend as they did.

    A bent leg takes up quickly what its foot asks for, so the hips follow slowly; the straighter a leg is, the more a small
    change of its length bends its knee, and the more closely the hips follow.
    """
    still = np.zeros((len(timestamps), 3))
    asked, weights, straight = [], [], []
    for side, foot in feet.items():
        limb = limbs[side]
        target = foot.target(still)
        away = target - limb.root
        reachable = np.sqrt(np.maximum(limb.extent**2 - (away[:, :2] ** 2).sum(1), (0.2 * sum(limb.lengths)) ** 2))
        asked.append(np.concatenate([(target - foot.ankle)[:, :2], (away[:, 2] + reachable)[:, None]], 1))
        straightness = np.clip((limb.extent / sum(limb.lengths) - BENT) / (1 - BENT), 0, 1)
        carries = smoothed(foot.supported[:, None].astype(float), timestamps, SETTLE)[:, 0]
        weights.append(carries * (0.05 + straightness))
        straight.append(carries * straightness)
    asked, weights = np.array(asked), np.array(weights)[..., None]
    total = weights.sum(0)[:, 0]
    known = total > 1e-3
    if not known.any():
        return still
    wanted = across_time(timestamps, timestamps[known], (asked * weights).sum(0)[known] / total[known, None])
    shift = smoothed(wanted, timestamps, FOLLOW)
    closely = smoothed(np.max(straight, 0)[:, None], timestamps, SETTLE)
    shift[:, 2:] += closely * (smoothed(wanted[:, 2:], timestamps, FOLLOW_CLOSELY) - shift[:, 2:])
    return shift


def _spreading(feet, limbs, shift, timestamps):
    """How the hips move over the floor, (F,3) m, for legs that would have to be spread too far."""
    asked, count = np.zeros_like(shift), np.zeros(len(shift))
    for side, foot in feet.items():
        across = (foot.target(shift) - limbs[side].root - shift) * [1, 1, 0]
        distance = np.linalg.norm(across, axis=1)
        before = np.linalg.norm((limbs[side].end - limbs[side].root)[:, :2], axis=1)
        over = np.maximum(distance - np.maximum(SPREAD * sum(limbs[side].lengths), before), 0)
        asked += across * (over / np.maximum(distance, 1e-9))[:, None]
        count += over > 0
    if not count.any():
        return asked
    return smoothed(1.5 * asked / np.maximum(count, 1)[:, None], timestamps, AHEAD)


def _drop(limb, target, shift, carries):
    """By how much the hips must come down, (F,) m, for a leg to reach its target without straightening more than it likes."""
    length = sum(limb.lengths)
    away = target - limb.root - shift
    distance = np.linalg.norm(away, axis=1)
    straightest = np.where(carries, STANDING, STRETCH) * length
    longest = np.minimum(eased_extent(limb, distance), np.where(carries, straightest, np.maximum(straightest, limb.extent)))
    across = (away[:, :2] ** 2).sum(1)
    reachable = np.sqrt(np.maximum(longest**2 - across, (0.2 * length) ** 2))
    return np.where(distance > longest, np.maximum(-away[:, 2] - reachable, 0), 0)
