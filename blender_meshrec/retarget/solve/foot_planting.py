"""Feet of a retargeted rig: footprints on its own proportions, and hips that let its legs reach them.

`core/foot_planting` plans each foot. What the legs cannot reach without straightening, the hips move for: they follow the legs that
carry the body, they move over the floor so that no leg is spread too far, and they come down ahead of a leg that would be too short.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...core.array_types import BoolArray, FloatArray
from ...core.axis_rotations import right_multiply
from ...core.foot_planting.foot_plan import UP, FootPlan, FootShape, PlanOptions, PosedFoot
from ...core.foot_planting.run_blending import smooth_triangular, smooth_upper_envelope
from ...core.time_series import interpolate_over_time
from ...core.two_bone_ik import Limb, soft_reachable_distance, solve_two_bone_ik
from ..rig import SIDES
from .foot_skin import Sole, rigid_positions
from .forward_kinematics import BoneArrays, Pose
from .limb_ik import bend_limb, limb_from_pose
from .rest_pose import LEG
from .root_placement import RootPlacement
from .stance import Foot, Stance

# A correction fades over this time before and after a contact, s. Measured on motion capture: 0.3 s makes the knees of characters with
# long feet 17 % jerkier.
FADE_TIME = 0.2
# A foot comes to rest, and leaves, within this time, s: contacts begin while the source's feet still move a little. Measured on motion
# capture: without it knees are 5 % jerkier. Reconstructed feet do without it, their motion is 7 % smoother so.
SETTLE_TIME = 0.1
# Maximum distance of a footprint from its foot that previous footprints may cause, as a fraction of the leg's length.
MAX_DRIFT = 0.25
# Weight of the ankle's path, against the foot's posed rotation, in a roll over the ball of the foot.
ANKLE_LED_ROLL = 0.7
# The usual length of a foot as a fraction of its leg. Longer feet carry footprints farther, by the square of the ratio.
USUAL_FOOT_TO_LEG = 0.22
# The hips follow bent and straight legs with these smoothing radii, s, and come down this much ahead of need, s.
HIP_SMOOTHING, STRAIGHT_LEG_SMOOTHING, HIP_LEAD = 0.25, 0.05, 0.25
# A leg counts as bent up to this extension, as a fraction of its length.
BENT_LEG_RATIO = 0.9
# Maximum extension of a leg that supports the body: near 1 the knee's angle changes very fast.
MAX_SUPPORT_EXTENSION = 0.997
# Maximum horizontal distance from hip to ankle, as a fraction of the leg's length; beyond it the hips move.
MAX_HORIZONTAL_REACH = 0.9
# How deep the skin of a sole may be in the ground in contact: as a fraction of the leg's length, and m. Real soles give by as much.
SOLE_GIVE, MAX_SOLE_GIVE = 0.005, 0.005
# Skin that follows shin and thigh turns with the leg, and the leg with the skin: passes until that settles.
LEG_SKIN_PASSES = 8
# A leg is never taken to be shorter than this fraction of its length.
MIN_LEG_RATIO = 0.2


@dataclass(frozen=True)
class Steps:
    """When feet touch what. touching: (F,4) bool, the heel and the ball of each foot, of SIDES. heights: (F,2) m, of what each stands on
    above the floor. timestamps: (F,) s."""

    touching: BoolArray
    heights: FloatArray
    timestamps: FloatArray


@dataclass(frozen=True)
class _PlantedLeg:
    """A leg as posed, the plan of its foot, and the skin of the foot, None where it is not known.

    toe_delta: (F,3,3) the planned rotation of the toes from rest, None without toes. shin_delta, thigh_delta: (F,3,3) the posed ones of
    these. hip: (3,) m, where the leg begins at rest. by_body: (F,N,3) m, the skin if the hips carried it as posed, None where they carry
    none.
    """

    limb: Limb
    foot: FootPlan
    at_rest: Foot
    sole: Sole | None
    toe_delta: FloatArray | None
    shin_delta: FloatArray
    thigh_delta: FloatArray
    hip: FloatArray
    by_body: FloatArray | None

    @property
    def skin_passes(self) -> int:
        """How often the plan has to be brought in line with the skin: more than once if that turns the skin."""
        if self.sole is None:
            return 0
        return LEG_SKIN_PASSES if self.sole.follows_leg else 1

    def hold_skin(self, shift: FloatArray) -> None:
        """Hold the skin of the foot, with the hips moved by `shift` (F,3) m."""
        if self.sole is not None:
            self.foot.hold_skin(self._skin_from_ankle(self.sole, shift), shift)

    def _skin_from_ankle(self, sole: Sole, shift: FloatArray) -> FloatArray:
        """The skin (F,N,3) m of the foot as planned, from the ankle."""
        from_ankle = sole.points - self.at_rest.ankle
        by_foot = _turn_points(self.foot.rotation, from_ankle)
        skin = by_foot
        if self.toe_delta is not None and sole.toe_weights.any():
            to_ball = self.at_rest.ball - self.at_rest.ankle
            by_toes = (self.foot.rotation @ to_ball)[:, None] + _turn_points(self.toe_delta, from_ankle - to_ball)
            skin = skin + sole.toe_weights[:, None] * (by_toes - by_foot)
        if sole.follows_leg:
            hip, ankle = self.limb.root + shift, self.foot.ankle_target(shift)
            thigh_turn, shin_turn = solve_two_bone_ik(self.limb, hip, ankle)
            by_shin = _turn_points(shin_turn @ self.shin_delta, from_ankle)
            by_thigh = (hip - ankle)[:, None] + _turn_points(thigh_turn @ self.thigh_delta, sole.points - self.hip)
            skin = skin + sole.shin_weights[:, None] * (by_shin - by_foot) + sole.thigh_weights[:, None] * (by_thigh - by_foot)
            if self.by_body is not None:
                skin = skin + sole.body_weights[:, None] * (self.by_body + (shift - ankle)[:, None] - by_foot)
        return skin


def plant_feet(
    pose: Pose,
    bone_rotations: BoneArrays,
    heads: FloatArray,
    stance: Stance,
    steps: Steps,
    placement: RootPlacement,
    soles: Mapping[str, Sole],
) -> FloatArray:
    """Plant the feet of a posed rig.

    Args:
        pose: the rig as posed. bone_rotations: bone -> (F,3,3), changed in place for the legs.
        heads: (F,3) m of the bone that carries the body. stance: of the rig.
        soles: side -> Sole that is kept above the floor, beside heel and ball.

    Returns:
        New heads (F,3) m of the bone that carries the body.
    """
    timestamps = steps.timestamps
    legs = {side: _plan_leg(pose, stance, side, soles.get(side), steps, placement) for side in SIDES if side in stance.feet}
    if not legs:
        return heads
    shift = _hip_shift(list(legs.values()), timestamps)
    for _ in range(max(leg.skin_passes for leg in legs.values())):
        for leg in legs.values():
            leg.hold_skin(shift)
        shift = _hip_shift(list(legs.values()), timestamps)
    for side, leg in legs.items():
        bend_limb(pose, side, LEG, leg.limb, leg.limb.root + shift, leg.foot.ankle_target(shift), bone_rotations)
        toe_rotation = leg.foot.rotation if leg.toe_delta is None else leg.toe_delta
        for slot, delta in ((f"{side}_foot", leg.foot.rotation), (f"{side}_toes", toe_rotation)):
            for bone in pose.rest.slots.get(slot, ()):
                bone_rotations[bone] = right_multiply(delta, pose.rest.rotations[bone])
    return heads + shift


def _plan_leg(pose: Pose, stance: Stance, side: str, sole: Sole | None, steps: Steps, placement: RootPlacement) -> _PlantedLeg:
    limb, foot = limb_from_pose(pose, side, LEG), stance.feet[side]
    plan = _plan_foot(pose, side, foot, limb, steps, placement)
    toe_delta = None if foot.toes is None else plan.toe_rotation(pose.rest_delta(foot.toes))
    thigh, shin = (pose.rest_delta(pose.rest.slots[f"{side}_{part}"][-1]) for part in LEG[:2])
    hip = pose.rest.heads[pose.rest.slots[f"{side}_{LEG[0]}"][0]]
    by_body = rigid_positions(pose, sole.body, sole.points) if sole is not None and sole.body_weights.any() else None
    return _PlantedLeg(limb, plan, foot, sole, toe_delta, shin, thigh, hip, by_body)


def _plan_foot(pose: Pose, side: str, foot: Foot, limb: Limb, steps: Steps, placement: RootPlacement) -> FootPlan:
    number = SIDES.index(side)
    shape = FootShape(
        to_heel=foot.heel - foot.ankle,
        to_ball=foot.ball - foot.ankle,
        to_tip=foot.tip - foot.ankle if foot.toes is None else None,
        forward=foot.forward,
        upright_from_rest=placement.upright_from_rest,
    )
    drift, give = max_drift(float(np.linalg.norm(foot.ball - foot.heel)), limb.length), min(SOLE_GIVE * limb.length, MAX_SOLE_GIVE)
    options = PlanOptions(FADE_TIME, SETTLE_TIME, drift, ANKLE_LED_ROLL, floor=placement.floor, skin_give=give)
    touching = steps.touching[:, 2 * number : 2 * number + 2]
    posed = PosedFoot(shape, pose.heads[foot.bone], pose.rest_delta(foot.bone), touching)
    return FootPlan(posed, steps.timestamps, options, ground=placement.floor + steps.heights[:, number])


def max_drift(foot_length: float, leg_length: float) -> float:
    """The maximum distance, m, of a footprint from its foot that previous footprints may cause, of a foot and a leg of these lengths, m."""
    return MAX_DRIFT * leg_length * max(1.0, foot_length / leg_length / USUAL_FOOT_TO_LEG) ** 2


def _turn_points(rotations: FloatArray, points: FloatArray) -> FloatArray:
    """Points (N,3), turned by rotations (F,3,3): (F,N,3)."""
    return np.swapaxes(rotations @ points.T, 1, 2)


def _hip_shift(legs: list[_PlantedLeg], timestamps: FloatArray) -> FloatArray:
    """The movement (F,3) m of the hips that lets the legs reach their targets."""
    shift = _hip_follow_shift(legs, timestamps)
    shift = shift + _hip_spread_shift(legs, shift, timestamps)
    drop = np.max([_hip_drop(leg, shift) for leg in legs], 0)
    if (drop > 0).any():
        shift = shift - smooth_upper_envelope(drop, timestamps, HIP_LEAD)[:, None] * UP
    return shift


def _hip_follow_shift(legs: list[_PlantedLeg], timestamps: FloatArray) -> FloatArray:
    """The movement (F,3) m of the hips with which the supporting legs stand and bend as posed.

    A bent leg absorbs quickly what its foot asks for, so the hips follow slowly; the straighter a leg is, the more a small
    change of its extension bends its knee, and the more closely the hips follow.
    """
    still = np.zeros((len(timestamps), 3))
    asked: list[FloatArray] = []
    weights: list[FloatArray] = []
    straight: list[FloatArray] = []
    for leg in legs:
        limb, target = leg.limb, leg.foot.ankle_target(still)
        hip_to_target = target - limb.root
        height = _leg_height(limb, limb.extent, hip_to_target)
        asked.append(np.concatenate([(target - leg.foot.ankle)[:, :2], (hip_to_target[:, 2] + height)[:, None]], 1))
        straightness = np.clip((limb.extent / limb.length - BENT_LEG_RATIO) / (1 - BENT_LEG_RATIO), 0, 1)
        support = smooth_triangular(leg.foot.supported[:, None].astype(float), timestamps, SETTLE_TIME)[:, 0]
        weights.append(support * (0.05 + straightness))
        straight.append(support * straightness)
    weight = np.array(weights)[..., None]
    total = weight.sum(0)[:, 0]
    known = total > 1e-3
    if not known.any():
        return still
    mean = (np.array(asked) * weight).sum(0)[known] / total[known, None]
    wanted = interpolate_over_time(timestamps, timestamps[known], mean)
    shift = smooth_triangular(wanted, timestamps, HIP_SMOOTHING)
    closeness = smooth_triangular(np.max(straight, 0)[:, None], timestamps, SETTLE_TIME)
    shift[:, 2:] += closeness * (smooth_triangular(wanted[:, 2:], timestamps, STRAIGHT_LEG_SMOOTHING) - shift[:, 2:])
    return shift


def _hip_spread_shift(legs: list[_PlantedLeg], shift: FloatArray, timestamps: FloatArray) -> FloatArray:
    """The further horizontal movement (F,3) m of the hips, moved by `shift`, towards feet that would spread a leg too far."""
    asked, count = np.zeros_like(shift), np.zeros(len(shift))
    for leg in legs:
        limb = leg.limb
        across = (leg.foot.ankle_target(shift) - limb.root - shift) * [1, 1, 0]
        distance = np.linalg.norm(across, axis=1)
        posed_distance = np.linalg.norm((limb.end - limb.root)[:, :2], axis=1)
        excess = np.maximum(distance - np.maximum(MAX_HORIZONTAL_REACH * limb.length, posed_distance), 0)
        asked += across * (excess / np.maximum(distance, 1e-9))[:, None]
        count += excess > 0
    if not count.any():
        return asked
    return smooth_triangular(1.5 * asked / np.maximum(count, 1)[:, None], timestamps, HIP_LEAD)


def _hip_drop(leg: _PlantedLeg, shift: FloatArray) -> FloatArray:
    """How far the hips, moved by `shift` (F,3) m, must come down, (F,) m, for a leg to reach its target without straightening too much."""
    limb = leg.limb
    hip_to_target = leg.foot.ankle_target(shift) - limb.root - shift
    distance = np.linalg.norm(hip_to_target, axis=1)
    limit = np.where(leg.foot.supported, MAX_SUPPORT_EXTENSION * limb.length, np.inf)
    longest = np.minimum(soft_reachable_distance(limb, distance), limit)
    return np.where(distance > longest, np.maximum(-hip_to_target[:, 2] - _leg_height(limb, longest, hip_to_target), 0), 0)


def _leg_height(limb: Limb, extent: FloatArray, hip_to_target: FloatArray) -> FloatArray:
    """The height (F,) m of the hip over its target for a leg extended to (F,) m, at the horizontal distance of hip_to_target (F,3)."""
    horizontal = (hip_to_target[:, :2] ** 2).sum(1)
    return np.sqrt(np.maximum(extent**2 - horizontal, (MIN_LEG_RATIO * limb.length) ** 2))
