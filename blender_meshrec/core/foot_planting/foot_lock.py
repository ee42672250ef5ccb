"""Hold feet exactly still while they touch: the last step after the whole-clip solve, which brings them within a centimetre.

`core/foot_planting` plans each foot; the legs follow, and the body stays where it is seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..array_types import ArrayLike, BoolArray, FloatArray
from ..axis_rotations import transpose
from ..conventions import WORLD_FROM_BODY
from ..rotations import rotmat_from_rotvec, rotvec_from_rotmat
from ..two_bone_ik import Limb, soft_shortfall, solve_two_bone_ik
from .foot_plan import FootPlan, FootShape, PlanOptions, PosedFoot
from .leg_kinematics import KNEE_AXIS, LEG_JOINTS, Legs, Soles, pose_legs

# A correction fades over this time before and after a contact, s. Measured on footage: 0.2 s makes motion 4 % jerkier.
FADE_TIME = 0.3
MAX_DRIFT = 0.05  # m: a heel or a toe that the solve takes twice as far from its print does not stand there
# What a foot stands on is a step or a box of its own height from this height on, m; lower ground is the floor.
MIN_STEP_HEIGHT = 0.15
MAX_PELVIS_SHIFT = 0.03  # m: where feet would need more, the contact is doubtful
# Cost of moving an ankle along its line of sight, relative to across it: depth is five times less certain.
ANKLE_DEPTH_WEIGHT = 0.2**2


@dataclass(frozen=True)
class _LockedLeg:
    """A leg as posed and the plan of its foot."""

    limb: Limb
    foot: FootPlan


def lock_feet(
    rotmats: FloatArray,
    pelvis: FloatArray,
    rest_joints: FloatArray,
    soles: Soles,
    contacts: ArrayLike,
    timestamps: FloatArray,
    camera: FloatArray,
    further_cameras: Sequence[FloatArray] = (),
) -> FloatArray:
    """Hold heels and toes in place while they touch, and keep the feet out of the floor.

    Args:
        rotmats: (F,J,3,3) local, the root's in the world (z up). pelvis: (F,3) m. rest_joints: (J,3) m.
        contacts: (F,4) 0..1: left heel, left toe, right heel, right toe. timestamps: (F,) s.
        camera: (3,) m, or (F,3) m of one that moves, its position: feet move along their lines of sight where they can.
        further_cameras: positions as of `camera`, of other views in which the feet are seen: they move where it shows least in all.

    Returns:
        rotmats, a new array: the rotations of hips, knees, ankles and feet have changed.
    """
    touching = np.asarray(contacts) > 0.5
    posed = pose_legs(rotmats, pelvis, rest_joints, soles)
    legs = _plan_legs(posed, rest_joints, soles, touching, timestamps, (camera, *further_cameras))
    rotmats, still = np.array(rotmats, float), np.zeros_like(pelvis)
    for leg, (hip, knee, ankle, toes), rotations in zip(legs, LEG_JOINTS, np.moveaxis(posed.rotations, 1, 0), strict=True):
        upper, lower = solve_two_bone_ik(leg.limb, leg.limb.root, leg.foot.ankle_target(still))
        thigh, shin, foot = upper @ rotations[:, 0], lower @ rotations[:, 1], leg.foot.rotation
        rotmats[:, hip] = transpose(rotmats[:, 0]) @ thigh
        rotmats[:, knee] = transpose(thigh) @ shin
        rotmats[:, ankle] = transpose(shin) @ foot
        bend = rotvec_from_rotmat(rotmats[:, toes]) * (1 - leg.foot.contact_proximity)[:, None]
        rotmats[:, toes] = rotmat_from_rotvec(bend)  # the plan takes the foot to be rigid where it touches
    return rotmats


def pelvis_shift(
    rotmats: FloatArray,
    pelvis: FloatArray,
    rest_joints: FloatArray,
    soles: Soles,
    contacts: ArrayLike,
    timestamps: FloatArray,
    camera: FloatArray,
    further_cameras: Sequence[FloatArray] = (),
) -> FloatArray:
    """How far the pelvis gives way to planted feet, (F,3) m, before `lock_feet`, which has the same arguments.

    A leg that is nearly straight gets much straighter by a centimetre: a locked foot would stretch its knee to the stop. So the pelvis goes
    to meet the foot by what soft extension leaves of the way (core/two_bone_ik.py).
    """
    touching = np.asarray(contacts) > 0.5
    posed = pose_legs(rotmats, pelvis, rest_joints, soles)
    still = np.zeros_like(pelvis)
    legs = _plan_legs(posed, rest_joints, soles, touching, timestamps, (camera, *further_cameras))
    planted = np.stack([leg.foot.contact_proximity for leg in legs])[..., None]
    short = np.stack([soft_shortfall(leg.limb, leg.limb.root, leg.foot.ankle_target(still)) for leg in legs])
    # Where the other foot stands well, half of the way bends its knee, and half stretches this one.
    shift = (planted * short).sum(0) / np.maximum(planted.sum(0), 1.0)
    size = np.linalg.norm(shift, axis=-1, keepdims=True)
    return shift * np.minimum(1.0, MAX_PELVIS_SHIFT / np.maximum(size, 1e-9))


def _plan_legs(
    posed: Legs, rest_joints: FloatArray, soles: Soles, touching: BoolArray, timestamps: FloatArray, cameras: Sequence[FloatArray]
) -> list[_LockedLeg]:
    """Plan both feet; touching: (F,4) bool. cameras: positions (3,) or (F,3) m."""
    legs = []
    for leg, chain in enumerate(LEG_JOINTS):
        joints, rotations = posed.joints[:, leg], posed.rotations[:, leg]
        limb = Limb(joints[:, 0], joints[:, 1], joints[:, 2], rotations[:, 0] @ KNEE_AXIS)
        heel, toe = soles.points[2 * leg : 2 * leg + 2] - rest_joints[chain[2]]
        shape = FootShape(to_heel=heel, to_ball=toe, to_tip=None, forward=toe - heel, upright_from_rest=WORLD_FROM_BODY)
        foot = PosedFoot(shape, joints[:, 2], rotations[:, 2], touching[:, 2 * leg : 2 * leg + 2])
        options = PlanOptions(FADE_TIME, max_drift=MAX_DRIFT, min_step_height=MIN_STEP_HEIGHT)
        cost = np.mean([_image_cost(joints[:, 2], camera, ANKLE_DEPTH_WEIGHT) for camera in cameras], axis=0)
        lift_direction = _min_cost_lift(cost)
        legs.append(_LockedLeg(limb, FootPlan(foot, timestamps, options, lift_direction=lift_direction)))
    return legs


def _image_cost(points: FloatArray, camera: FloatArray, depth_weight: float) -> FloatArray:
    """The cost in the image of moving points (F,3), as quadratic forms (F,3,3), in squared metres at their distance.

    depth_weight: cost along the line of sight relative to across it.
    """
    sight = points - np.asarray(camera, float)
    sight = sight / np.maximum(np.linalg.norm(sight, axis=-1, keepdims=True), 0.1)
    along = sight[:, :, None] * sight[:, None, :]
    return np.eye(3) - along + depth_weight * along


def _min_cost_lift(cost: FloatArray) -> FloatArray:
    """The shifts (...,3) that rise by 1 at the lowest cost (...,3,3)."""
    up = np.array([0.0, 0.0, 1.0])
    shift = np.linalg.solve(cost, np.broadcast_to(up[:, None], (*cost.shape[:-1], 1)))[..., 0]
    return shift / shift[..., 2:]
