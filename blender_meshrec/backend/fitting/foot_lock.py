"""Foot locking: the reconstructed feet hold still where they touch, on the floor.

A foot that appears above or below the floor is seen at the right place in the image but at the wrong distance: it moves along its
line of sight, nearly, to where that meets the floor. An error that both feet share is an error of the whole body, and the root
moves; the legs absorb the rest. `core/foot_planting` plans each foot; this module weighs movements by their cost in the image.
"""

from dataclasses import dataclass

import numpy as np

from ...core.array_types import ArrayLike, BoolArray, FloatArray
from ...core.axis_rotations import transpose
from ...core.conventions import WORLD_FROM_BODY
from ...core.foot_planting.foot_plan import FootPlan, FootShape, PlanOptions, PosedFoot
from ...core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from ...core.two_bone_ik import Limb, soft_shortfall, solve_two_bone_ik
from .leg_kinematics import KNEE_AXIS, LEG_JOINTS, Legs, Soles, pose_legs
from .smoothing import smooth_whittaker

# A correction fades over this time before and after a contact, s. Measured on footage: 0.2 s makes motion 4 % jerkier.
FADE_TIME = 0.3
# What a foot stands on is a step or a box of its own height from this height on, m; lower ground is the floor.
MIN_STEP_HEIGHT = 0.15
# Feet farther from z = 0 than this are not on the floor when people's distances are corrected: they are known to a few percent. m.
MAX_FLOOR_ERROR = 0.4
# Maximum size of that correction: along the line of sight as a fraction of the distance, and across it in m.
MAX_SHIFT_ALONG, MAX_SHIFT_ACROSS = 0.2, 0.06
# The root follows what both feet need up to this frequency, Hz; the legs do what is faster.
ROOT_CUTOFF = 1.5
# Cutoff, Hz, of the root's movement towards targets that are out of reach. Smoothing lowers peaks, so the movement overshoots by a
# factor, and is repeated for what is still missing.
REACH_CUTOFF = 4.0
OVERSHOOT, REACH_ITERATIONS = 1.2, 3
# Weight of the feet against the image in moving the root: equal horizontally, higher vertically, because legs cannot grow.
VERTICAL_WEIGHT = 20.0
BODY_RADIUS = 0.45  # m, typical distance of joints from the body's centre, for the effect of a change of distance in the image
# Cost of moving an ankle along its line of sight, relative to across it: depth is five times less certain.
ANKLE_DEPTH_WEIGHT = 0.2**2


@dataclass(frozen=True)
class _LockedLeg:
    """A leg as posed and the plan of its foot."""

    limb: Limb
    foot: FootPlan

    def shortfall(self, shift: FloatArray) -> FloatArray:
        """What the leg lacks, (F,3) m, to reach its foot's target with the root moved by `shift` (F,3) m."""
        return soft_shortfall(self.limb, self.limb.root + shift, self.foot.ankle_target(shift))


def lock_feet(
    rotmats: FloatArray,
    pelvis: FloatArray,
    rest_joints: FloatArray,
    soles: Soles,
    contacts: ArrayLike,
    timestamps: FloatArray,
    camera: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Hold heels and toes in place while they touch, and keep the feet out of the floor.

    Args:
        rotmats: (F,J,3,3) local, the root's in the world (z up). pelvis: (F,3) m. rest_joints: (J,3) m.
        contacts: (F,4) 0..1: left heel, left toe, right heel, right toe. timestamps: (F,) s.
        camera: (3,) m, its position: the root moves along its line of sight where it can.

    Returns:
        rotmats and pelvis, new arrays: the pelvis and the rotations of hips, knees, ankles and feet have changed.
    """
    touching = np.asarray(contacts) > 0.5
    legs = _plan_legs(pose_legs(rotmats, pelvis, rest_joints, soles), rest_joints, soles, touching, timestamps, camera)
    heights = np.concatenate([leg.foot.contact_point_heights() for leg in legs], 1)
    pelvis = pelvis + _floor_shift(heights, touching, pelvis, camera)
    posed = pose_legs(rotmats, pelvis, rest_joints, soles)
    legs = _plan_legs(posed, rest_joints, soles, touching, timestamps, camera)
    shift = _root_shift([leg.foot for leg in legs], pelvis, camera, timestamps)
    for _ in range(REACH_ITERATIONS):
        shift = shift + _reach_shift([leg.shortfall(shift) for leg in legs], timestamps)
    rotmats = np.array(rotmats, float)
    for leg, (hip, knee, ankle, toes), rotations in zip(legs, LEG_JOINTS, np.moveaxis(posed.rotations, 1, 0), strict=True):
        upper, lower = solve_two_bone_ik(leg.limb, leg.limb.root + shift, leg.foot.ankle_target(shift))
        thigh, shin, foot = upper @ rotations[:, 0], lower @ rotations[:, 1], leg.foot.rotation
        rotmats[:, hip] = transpose(rotmats[:, 0]) @ thigh
        rotmats[:, knee] = transpose(thigh) @ shin
        rotmats[:, ankle] = transpose(shin) @ foot
        bend = rotvec_from_rotmat(rotmats[:, toes]) * (1 - leg.foot.contact_proximity)[:, None]
        rotmats[:, toes] = rotmat_from_rotvec(bend)  # the plan takes the foot to be rigid where it touches
    return rotmats, pelvis + shift


def _plan_legs(
    posed: Legs, rest_joints: FloatArray, soles: Soles, touching: BoolArray, timestamps: FloatArray, camera: FloatArray
) -> list[_LockedLeg]:
    """Plan both feet; touching: (F,4) bool."""
    legs = []
    for leg, chain in enumerate(LEG_JOINTS):
        joints, rotations = posed.joints[:, leg], posed.rotations[:, leg]
        limb = Limb(joints[:, 0], joints[:, 1], joints[:, 2], rotations[:, 0] @ KNEE_AXIS)
        heel, toe = soles.points[2 * leg : 2 * leg + 2] - rest_joints[chain[2]]
        shape = FootShape(to_heel=heel, to_ball=toe, to_tip=None, forward=toe - heel, upright_from_rest=WORLD_FROM_BODY)
        foot = PosedFoot(shape, joints[:, 2], rotations[:, 2], touching[:, 2 * leg : 2 * leg + 2])
        options = PlanOptions(FADE_TIME, min_step_height=MIN_STEP_HEIGHT)
        lift_direction = _min_cost_lift(_image_cost(joints[:, 2], camera, ANKLE_DEPTH_WEIGHT))
        legs.append(_LockedLeg(limb, FootPlan(foot, timestamps, options, lift_direction=lift_direction)))
    return legs


def _floor_shift(heights: FloatArray, touching: BoolArray, pelvis: FloatArray, camera: FloatArray) -> FloatArray:
    """A constant shift (3,) m that brings a person's standing feet to the floor where it shows least in the image.

    heights: (F,4) m, of heels and toes once the feet are flat. With several people in one world each has a distance, and so a
    height, of their own; some would float.
    """
    standing = heights[touching & (np.abs(heights) < MAX_FLOOR_ERROR)]
    # A person without standing feet must at least not be in the floor.
    error = float(np.median(standing)) if len(standing) else min(0.0, float(np.quantile(heights.min(1), 0.1)))
    cost = np.mean(_image_cost(pelvis, camera, _body_depth_weight(pelvis, camera)), 0)
    shift = -error * _min_cost_lift(cost)
    # A large shift repairs nothing: the person's size is wrong, or they stand on something else.
    sight = np.median(pelvis, 0) - camera
    distance = np.linalg.norm(sight)
    along = shift @ sight / distance
    across = np.linalg.norm(shift - along * sight / distance)
    return shift if abs(along) < MAX_SHIFT_ALONG * distance and across < MAX_SHIFT_ACROSS else np.zeros(3)


def _root_shift(feet: list[FootPlan], pelvis: FloatArray, camera: FloatArray, timestamps: FloatArray) -> FloatArray:
    """The root's movement (F,3) m: what the planted feet need, weighed against its cost in the image."""
    needed: FloatArray = np.sum([foot.correction for foot in feet], 0)
    count: FloatArray = np.sum([foot.supported.astype(float) for foot in feet], 0)
    # In the air no foot holds the body, but it does not sink into the floor either.
    left, right = (foot.penetration_lift() for foot in feet)
    deepest = np.where((left[:, 2] > right[:, 2])[:, None], left, right)
    sinking = (count == 0) & (deepest[:, 2] > 0)
    needed, count = np.where(sinking[:, None], deepest, needed), count + sinking
    if not count.any():
        return np.zeros_like(needed)
    weight, cost = np.diag([1.0, 1.0, VERTICAL_WEIGHT]), _image_cost(pelvis, camera, _body_depth_weight(pelvis, camera))
    shift = np.linalg.solve(weight + cost, (needed / np.maximum(count, 1)[:, None] @ weight)[..., None])[..., 0]
    known = count > 0
    for axis in range(3):
        shift[:, axis] = np.interp(timestamps, timestamps[known], shift[known, axis])
    return smooth_whittaker(shift, timestamps, ROOT_CUTOFF, np.where(known, 1.0, 0.1))


def _reach_shift(shortfalls: list[FloatArray], timestamps: FloatArray) -> FloatArray:
    """The root's movement (F,3) m towards targets that the legs fall short of by (F,3) m each."""
    count: FloatArray = np.sum([(np.abs(shortfall).max(1) > 1e-9).astype(float) for shortfall in shortfalls], 0)
    if not count.any():
        return np.zeros_like(shortfalls[0])
    needed = np.sum(shortfalls, 0) / np.maximum(count, 1)[:, None]
    return OVERSHOOT * smooth_whittaker(needed, timestamps, REACH_CUTOFF)


def _image_cost(points: FloatArray, camera: FloatArray, depth_weight: float | FloatArray) -> FloatArray:
    """The cost in the image of moving points (F,3), as quadratic forms (F,3,3), in squared metres at their distance.

    depth_weight: cost along the line of sight relative to across it, a number or (F,).
    """
    sight = points - np.asarray(camera, float)
    sight = sight / np.maximum(np.linalg.norm(sight, axis=-1, keepdims=True), 0.1)
    along = sight[:, :, None] * sight[:, None, :]
    return np.eye(3) - along + np.broadcast_to(depth_weight, len(points))[:, None, None] * along


def _body_depth_weight(pelvis: FloatArray, camera: FloatArray) -> FloatArray:
    """Depth weights (F,) of a whole body: with its distance its joints move apart in the image by BODY_RADIUS over the distance."""
    return (BODY_RADIUS / np.maximum(np.linalg.norm(pelvis - np.asarray(camera, float), axis=-1), 0.1)) ** 2


def _min_cost_lift(cost: FloatArray) -> FloatArray:
    """The shifts (...,3) that rise by 1 at the lowest cost (...,3,3)."""
    up = np.array([0.0, 0.0, 1.0])
    shift = np.linalg.solve(cost, np.broadcast_to(up[:, None], (*cost.shape[:-1], 1)))[..., 0]
    return shift / shift[..., 2:]
