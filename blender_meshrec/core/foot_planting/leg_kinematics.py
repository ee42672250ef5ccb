"""Legs of SMPL bodies: where a pose puts their joints and the contact points of their soles."""

from dataclasses import dataclass

import numpy as np

from ..array_types import BoolArray, FloatArray
from ..files.body_template import BodyTemplate

# SMPL's hip, knee, ankle and foot joints, the left leg first; SMPL-H and SMPL-X number these joints alike.
LEG_JOINTS = np.array([[1, 4, 7, 10], [2, 5, 8, 11]])
# A foot lies on its edge or on its instep, no longer and fully: the cosine of its shin with up, and how far up its axis across points, or
# down the one through its sole.
UPRIGHT_SHIN, LYING_SHIN = 0.6, 0.3
ON_SOLE, OFF_SOLE = 0.5, 0.8
KNEE_AXIS = np.array([1.0, 0.0, 0.0])  # a knee flexes about its thigh's x axis


@dataclass(frozen=True)
class Soles:
    """Contact points of a body at rest, on the plane it stands on: left heel, left toe, right heel, right toe, (4,3) m, y up."""

    points: FloatArray


@dataclass(frozen=True)
class Legs:
    """Both legs over F frames in the world.

    joints: (F,2,4,3) m and rotations (F,2,4,3,3) of hip, knee, ankle and foot. points: (F,4,3) m, the soles' contact points.
    """

    joints: FloatArray
    rotations: FloatArray
    points: FloatArray


def feet_on_soles(legs: Legs) -> BoolArray:
    """Whether each of the soles' contact points (F,4) is below its foot, which does not lie on its edge or on its instep."""
    up = legs.rotations[..., 2, :]  # in the axes of hip, knee, ankle and foot: to the left, along the leg or through the sole, forward
    return (lying_feet(up[:, :, 1:2, 1], up[:, :, 2:]) < 0.5).reshape(len(up), 4)


def lying_feet(shins: FloatArray, up: FloatArray) -> FloatArray:
    """How far feet lie on their edge or on their instep, 0 to 1: only with a leg that lies, too. How others are rolled is hardly seen.

    Args:
        shins: (...), the cosines of their axes with up. up: (...,3), in the feet's axes: across to the left, through the sole, forward.
    """
    lies = (UPRIGHT_SHIN - shins) / (UPRIGHT_SHIN - LYING_SHIN)
    off_sole = (np.maximum(np.abs(up[..., 0]), -up[..., 1]) - ON_SOLE) / (OFF_SOLE - ON_SOLE)
    return np.clip(lies, 0.0, 1.0) * np.clip(off_sole, 0.0, 1.0)


def soles_from_template(template: BodyTemplate, betas: FloatArray) -> Soles:
    """The soles of a body: the points of the ground below its heels and big toes when its feet are flat."""
    vertices = template.rest_vertices(betas)
    names = [f"{side}_{point}" for side in ("left", "right") for point in ("heel", "big_toe")]
    points = vertices[[template.landmarks[name] for name in names]].astype(float)
    nearest_joint = np.asarray(template.lbs_weights).argmax(1)
    points[:, 1] = vertices[np.isin(nearest_joint, LEG_JOINTS[:, 2:])][:, 1].min()
    return Soles(points)


def pose_legs(rotmats: FloatArray, pelvis: FloatArray, rest_joints: FloatArray, soles: Soles) -> Legs:
    """Pose both legs.

    Args:
        rotmats: (F,J,3,3) local, the root's in the world. pelvis: (F,3) m. rest_joints: (J,3) m.
    """
    frames = len(rotmats)
    joints, rotations = np.empty((frames, 2, 4, 3)), np.empty((frames, 2, 4, 3, 3))
    points = np.empty((frames, 4, 3))
    for leg, chain in enumerate(LEG_JOINTS):
        rotation, position, parent = rotmats[:, 0], pelvis, 0
        for k, joint in enumerate(chain):
            position = position + rotation @ (rest_joints[joint] - rest_joints[parent])
            rotation = rotation @ rotmats[:, joint]
            joints[:, leg, k], rotations[:, leg, k], parent = position, rotation, joint
        for k, bone in enumerate((2, 3)):  # the heel moves with the ankle, the toe with the foot
            offset = soles.points[2 * leg + k] - rest_joints[chain[bone]]
            points[:, 2 * leg + k] = joints[:, leg, bone] + rotations[:, leg, bone] @ offset
    return Legs(joints, rotations, points)
