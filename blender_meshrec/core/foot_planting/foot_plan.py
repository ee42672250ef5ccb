"""One foot over a clip: how it turns and where its ankle goes so that its contacts hold still on the ground.

While the heel or the ball touches, that point keeps one footprint; while both touch, the foot is flat with one heading. Between
contacts the corrections fade, and the foot is lifted out of the floor.
"""

from dataclasses import dataclass

import numpy as np

from ..array_types import BoolArray, FloatArray, IntArray
from ..axis_rotations import rotation_about_axis, rotation_between, transpose, unit_vector
from ..contacts import contact_runs
from ..rotations import rotmat_from_rotvec, rotvec_from_rotmat
from .footprints import flat_headings, overlap_contacts, plan_footprints
from .run_blending import ease_into_runs, fade_between_runs, smooth_upper_envelope
from .skin_contact import rolling_path, skin_rise

UP = np.array([0.0, 0.0, 1.0])
# Feet rise out of the floor over this time, s.
LIFT_TIME = 0.12


@dataclass(frozen=True)
class FootShape:
    """A foot at rest, as vectors (3,) m from its ankle.

    to_heel, to_ball: the contact points; where the foot has toes, the ball is their joint and may be above the ground. to_tip: the
    end of a foot without toes, or None. forward: from heel to tip. upright_from_rest: (3,3), from the rest pose's axes to those of
    a foot that stands flat in the world, z up.
    """

    to_heel: FloatArray
    to_ball: FloatArray
    to_tip: FloatArray | None
    forward: FloatArray
    upright_from_rest: FloatArray

    @property
    def ball_height(self) -> float:
        """Height of the ball above the heel when the foot is flat, m."""
        return float((self.upright_from_rest @ (self.to_ball - self.to_heel))[2])

    def ground_points(self) -> list[tuple[FloatArray, float]]:
        """The points that must stay above the floor, (3,) m from the ankle, and their heights m when the foot is flat on it."""
        points = [(self.to_heel, 0.0), (self.to_ball, self.ball_height)]
        return points if self.to_tip is None else [*points, (self.to_tip, 0.0)]

    def headings(self, delta: FloatArray) -> FloatArray:
        """Headings (F,) rad, continuous, of a foot turned from rest by `delta` (F,3,3); 0 is upright_from_rest's own."""
        forward, upright = delta @ self.forward, self.upright_from_rest @ self.forward
        return np.unwrap(np.arctan2(forward[:, 1], forward[:, 0])) - np.arctan2(upright[1], upright[0])

    def flat_rotation(self, heading: float | FloatArray) -> FloatArray:
        """Rotations (...,3,3) from rest of a foot that is flat, with headings (...) rad."""
        return rotation_about_axis(UP, heading) @ self.upright_from_rest

    def flat_heel_to_ball(self, heading: float) -> FloatArray:
        """The horizontal vector (2,) m from heel to ball of a flat foot."""
        return (self.flat_rotation(heading) @ (self.to_ball - self.to_heel))[:2]


@dataclass(frozen=True)
class PosedFoot:
    """A foot as posed: ankle (F,3) m, delta (F,3,3) its rotation from rest, contacts (F,2) bool of heel and ball."""

    shape: FootShape
    ankle: FloatArray
    delta: FloatArray
    contacts: BoolArray


@dataclass(frozen=True)
class PlanOptions:
    """How feet are planted.

    fade_time: s, over which corrections fade before and after a contact. settle_time: s, within which the foot comes to rest before a
    contact and leaves after it. max_drift: m, see `plan_footprints`. ankle_led_roll: 0..1, how much of a roll over the ball follows
    the path of the ankle rather than the posed rotation. floor: height below which nothing goes, m. min_step_height: m above the
    floor from which on measured ground is a step. skin_give: m, how deep skin may be in the ground in contact, as a real sole is pressed
    flat.
    """

    fade_time: float
    settle_time: float = 0.0
    max_drift: float = np.inf
    ankle_led_roll: float = 0.0
    floor: float = 0.0
    min_step_height: float = 0.0
    skin_give: float = 0.0


class FootPlan:
    """The plan of one foot.

    ankle: (F,3) m, as posed. rotation: (F,3,3) from rest. contacts: (F,2) bool, those that footprints hold. supported: (F,) bool,
    whether one of them does. correction: (F,3) m, from the posed ankle to the planted one, zero where nothing touches.
    """

    def __init__(
        self,
        foot: PosedFoot,
        timestamps: FloatArray,
        options: PlanOptions,
        ground: FloatArray | None = None,
        lift_direction: FloatArray = UP,
    ) -> None:
        """Plan a posed foot.

        Args:
            timestamps: (F,) s. ground: (F,) m, height of what the foot stands on, or None to measure it.
            lift_direction: (3,) or (F,3) with z = 1: the direction in which the foot moves to another height.
        """
        self.ankle, self._shape = foot.ankle, foot.shape
        self._timestamps, self._options = timestamps, options
        self._lift_direction = np.broadcast_to(lift_direction, foot.ankle.shape)
        self.contacts = overlap_contacts(foot.contacts)
        self._flat_runs = contact_runs(np.all(self.contacts, axis=1))
        self._headings = flat_headings(foot.shape.headings(foot.delta), self.contacts)
        self.rotation = self._flatten(foot.delta, self._headings, self._flat_runs)
        heights = self._contact_heights()
        self._ground = options.floor + step_heights(heights - options.floor, np.any(self.contacts, axis=1), options.min_step_height)
        if ground is not None:
            self._ground = ground
        grounded = self.ankle + np.where(np.any(self.contacts, axis=1), self._ground - heights, 0.0)[:, None] * self._lift_direction
        self._plan_footprints(grounded)
        self.supported = np.any(self.contacts, axis=1)
        self._runs = contact_runs(self.supported)
        if options.ankle_led_roll:
            self._lead_roll_by_ankle()
        self._keep_lone_contacts_lowest()
        self.correction = self._planted_ankle() - self.ankle
        self._skin_movement = np.zeros_like(self.ankle)
        self._lowest_skin: FloatArray | None = None  # (F,) m over the ankle

    def ankle_target(self, shift: FloatArray) -> FloatArray:
        """Where the ankle should go, (F,3) m, if the root moves by `shift` (F,3) m."""
        remaining = np.where(self.supported[:, None], self.correction + self._skin_movement - shift, 0)
        target = self.ankle + shift + self._fade(remaining, self._runs)
        if self._options.settle_time:
            target[:, :2] = ease_into_runs(target[:, :2], self._runs, self._timestamps, self._options.settle_time)
        return target + self._lift(self.penetration_depth(target))[:, None] * self._lift_direction

    def hold_skin(self, skin: FloatArray, shift: FloatArray) -> None:
        """Change the plan so that the foot's skin, not its heel and ball, touches the ground, does not slip, and is above the floor.

        Args:
            skin: (F,N,3) m, points from the ankle, turned as planned. shift: (F,3) m, the movement of the root.

        Where skin also follows the shin, which turns with the plan, this is needed several times.
        """
        points = self.ankle_target(shift)[:, None] + skin
        movement = np.zeros_like(self.ankle)
        movement[:, :2] = rolling_path(points, self._runs, self._options.max_drift)
        movement[:, 2] = np.where(self.supported, skin_rise(points, self._ground, self._options.skin_give), 0.0)
        self._skin_movement = self._skin_movement + movement
        self._lowest_skin = skin[..., 2].min(1)

    @property
    def contact_proximity(self) -> FloatArray:
        """How near in time each frame is to a contact, (F,): 1 during contacts, fading to 0."""
        return self._fade(self.supported[:, None].astype(float), self._runs)[:, 0]

    def penetration_depth(self, ankle: FloatArray) -> FloatArray:
        """How deep the foot is in the floor with its ankle at (F,3) m, (F,) m."""
        heights = [(self.rotation @ point)[:, 2] - rest_height for point, rest_height in self._shape.ground_points()]
        if self._lowest_skin is not None:
            heights = [self._lowest_skin]
        return np.maximum(self._options.floor - (ankle[:, 2] + np.min(heights, 0)), 0)

    def contact_point_heights(self) -> FloatArray:
        """Heights (F,2) m of heel and ball above where they are when the foot stands flat at z = 0, at the posed ankle."""
        return self.ankle[:, 2:] + np.stack(
            [(self.rotation @ self._shape.to_heel)[:, 2], (self.rotation @ self._shape.to_ball)[:, 2] - self._shape.ball_height], 1
        )

    def toe_rotation(self, delta: FloatArray) -> FloatArray:
        """Rotations (F,3,3) from rest of the toes, posed by `delta` (F,3,3): flat while the ball touches, in the flat foot's heading."""
        runs = contact_runs(self.contacts[:, 1])
        headings, flat = self._headings.copy(), np.all(self.contacts, axis=1)
        for first, last in runs:
            rows, known = np.arange(first, last), np.flatnonzero(flat[first:last]) + first
            headings[rows] = np.interp(rows, known, self._headings[known]) if len(known) else headings[rows].mean()
        return self._flatten(delta, headings, runs)

    def _flatten(self, delta: FloatArray, headings: FloatArray, runs: IntArray) -> FloatArray:
        """Rotations `delta` (F,3,3) from rest, replaced by a flat foot's on runs (N,2) of frames, the difference fading elsewhere."""
        correction = np.zeros((len(delta), 3))
        rows = np.concatenate([np.arange(first, last) for first, last in runs]) if len(runs) else np.empty(0, int)
        if len(rows):
            correction[rows] = rotvec_from_rotmat(self._shape.flat_rotation(headings[rows]) @ transpose(delta[rows]))
        return rotmat_from_rotvec(self._fade(correction, runs)) @ delta

    def _contact_heights(self) -> FloatArray:
        """The mean height (F,) m of the points that touch, 0 where none does."""
        return (self.contact_point_heights() * self.contacts).sum(1) / np.maximum(self.contacts.sum(1), 1)

    def _plan_footprints(self, ankle: FloatArray) -> None:
        """Plan the footprints of a foot whose ankle is on (F,3) m; releases contacts that they do not hold."""
        points = np.stack([(ankle + self.rotation @ offset)[:, :2] for offset in (self._shape.to_heel, self._shape.to_ball)])
        self._prints, self.contacts = plan_footprints(
            points, self._headings, self.contacts, self._shape.flat_heel_to_ball, self._options.max_drift
        )

    def _lead_roll_by_ankle(self) -> None:
        """Turn a foot that stands on its ball alone about it, towards where the path of the ankle leads."""
        rolling = self.contacts[:, 1] & ~self.contacts[:, 0]
        if not rolling.any():
            return
        flat = np.all(self.contacts, axis=1)
        by_rotation = self._ankle_over_ball()
        moved = np.where(flat[:, None], by_rotation - self.ankle, 0.0)
        by_path = self.ankle + self._fade(moved, self._flat_runs)
        ball_to_ankle = (by_rotation + self._options.ankle_led_roll * (by_path - by_rotation) - self._ball_positions())[rolling]
        turned = self.rotation[rolling]
        self.rotation[rolling] = rotation_between(turned @ -self._shape.to_ball, ball_to_ankle) @ turned

    def _keep_lone_contacts_lowest(self) -> None:
        """Where one point touches alone, keep the other from going below it."""
        heel_to_ball, rise = self._shape.to_ball - self._shape.to_heel, self._shape.ball_height
        for on, off, vector, least in ((0, 1, heel_to_ball, rise), (1, 0, -heel_to_ball, -rise)):
            alone = self.contacts[:, on] & ~self.contacts[:, off]
            pointing = self.rotation[alone] @ vector
            level = np.sqrt(max(vector @ vector - least**2, 0.0)) * unit_vector(pointing * [1, 1, 0])
            level[:, 2] = least
            allowed = np.where((pointing[:, 2] < least)[:, None], level, pointing)
            self.rotation[alone] = rotation_between(pointing, allowed) @ self.rotation[alone]

    def _planted_ankle(self) -> FloatArray:
        """The ankle (F,3) m while the foot touches; as posed elsewhere."""
        heel, ball = self.contacts.T
        over_heel = np.concatenate([self._prints[0], self._ground[:, None]], 1) - self.rotation @ self._shape.to_heel
        ankle = np.where(heel[:, None], over_heel, self.ankle)
        return np.where(ball[:, None], self._ankle_over_ball(), ankle)

    def _ball_positions(self) -> FloatArray:
        """The ball (F,3) m on its footprint."""
        return np.concatenate([self._prints[1], (self._ground + self._shape.ball_height)[:, None]], 1)

    def _ankle_over_ball(self) -> FloatArray:
        """The ankle (F,3) m of a foot that stands on its ball."""
        return self._ball_positions() - self.rotation @ self._shape.to_ball

    def _fade(self, values: FloatArray, runs: IntArray) -> FloatArray:
        return fade_between_runs(values, runs, self._timestamps, self._options.fade_time)

    def _lift(self, depth: FloatArray) -> FloatArray:
        """How far to lift the foot, (F,) m, that would be `depth` (F,) m in the floor: smoothly, and not while it touches."""
        depth = np.where(self.supported, 0, depth)
        if not depth.any():
            return depth
        smooth = smooth_upper_envelope(depth, self._timestamps, LIFT_TIME) * (1 - self.contact_proximity)
        return np.where(self.supported, 0, np.maximum(depth, smooth))


def step_heights(heights: FloatArray, touching: BoolArray, min_height: float) -> FloatArray:
    """Heights (F,) m over the floor of what a foot stands on: the median over each contact, touching (F,); 0 where below min_height."""
    steps = np.zeros(len(heights))
    for first, last in contact_runs(touching):
        middle = np.median(heights[first:last])
        steps[first:last] = middle if middle > min_height else 0.0
    return steps
