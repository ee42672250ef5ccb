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
from ..two_bone_ik import Limb, shortfall, soft_shortfall, solve_two_bone_ik
from .foot_plan import FootPlan, FootShape, PlanOptions, PosedFoot
from .leg_kinematics import KNEE_AXIS, LEG_JOINTS, Legs, Soles, pose_legs

# A correction fades over this time before and after a contact, s. Measured on footage: 0.2 s makes motion 4 % jerkier.
FADE_TIME = 0.3
MAX_DRIFT = 0.05  # m: a heel or a toe that the solve takes twice as far from its print does not stand there
# What a foot stands on is a step or a box of its own height from this height on, m; lower ground is the floor.
MIN_STEP_HEIGHT = 0.15
MAX_PELVIS_SHIFT = 0.03  # m, after a reconstruction: where feet would need more, the contact is doubtful
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
    max_pelvis_shift: float = 0.0,
) -> tuple[FloatArray, FloatArray]:
    """Hold heels and toes in place while they touch, and keep the feet out of the floor.

    Args:
        rotmats: (F,J,3,3) local, the root's in the world (z up). pelvis: (F,3) m. rest_joints: (J,3) m.
        contacts: (F,4) 0..1: left heel, left toe, right heel, right toe. timestamps: (F,) s.
        camera: (3,) m, or (F,3) m of one that moves, its position: feet move along their lines of sight where they can.
        further_cameras: positions as of `camera`, of other views in which the feet are seen: they move where it shows least in all.
        max_pelvis_shift: m, how far the pelvis may give way to feet that their legs hardly reach.

    Returns:
        rotmats and pelvis, new arrays: the rotations of hips, knees, ankles and feet have changed.
    """
    touching = np.asarray(contacts) > 0.5
    posed = pose_legs(rotmats, pelvis, rest_joints, soles)
    legs = _plan_legs(posed, rest_joints, soles, touching, timestamps, (camera, *further_cameras))
    shift = _pelvis_shift(legs, max_pelvis_shift) if max_pelvis_shift else np.zeros_like(pelvis)
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


def _pelvis_shift(legs: Sequence[_LockedLeg], max_shift: float) -> FloatArray:
    """How far the pelvis gives way to planted feet, (F,3) m.

    A leg that is nearly straight gets much straighter by a centimetre: a locked foot would stretch its knee to the stop. So the pelvis goes
    to meet the foot by what soft extension leaves of the way (core/two_bone_ik.py), and by all that the straight leg does not reach.
    """
    planted = [leg.foot.contact_proximity[:, None] for leg in legs]
    still = np.zeros_like(legs[0].limb.root)
    soft = [near * soft_shortfall(leg.limb, leg.limb.root, leg.foot.ankle_target(still)) for near, leg in zip(planted, legs, strict=True)]
    # Where the other foot stands well, half of the way bends its knee, and half stretches this one.
    shift = _limited(np.sum(soft, 0) / np.maximum(np.sum(planted, 0), 1.0), max_shift)
    hard = [
        near * shortfall(leg.limb, leg.limb.root + shift, leg.foot.ankle_target(shift)) for near, leg in zip(planted, legs, strict=True)
    ]
    lengths = np.linalg.norm(hard, axis=-1, keepdims=True)
    return _limited(shift + (lengths * hard).sum(0) / np.maximum(lengths.sum(0), 1e-9), max_shift)


def _limited(vectors: FloatArray, max_length: float) -> FloatArray:
    """Vectors (F,3), shortened to a maximum length."""
    return vectors * np.minimum(1.0, max_length / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9))


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
