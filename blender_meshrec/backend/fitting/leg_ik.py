"""Legs by themselves: where a pose puts heels and toes, and a pose that puts them elsewhere (two-bone inverse kinematics)."""

from dataclasses import dataclass

import numpy as np

# SMPL's hip, knee, ankle and foot, the left leg first; SMPL-H and SMPL-X count these joints alike.
LEG_JOINTS = np.array([[1, 4, 7, 10], [2, 5, 8, 11]])
KNEE_AXIS = np.array([1.0, 0.0, 0.0])  # a knee bends about its thigh's x
# A leg is not stretched beyond this share of its length, unless it was: the knee's angle runs away there.
MAX_STRETCH = 0.998
# From this share of its length a leg would rather have the root move than straighten.
SOFT_STRETCH = 0.95
# How much the thigh's own hinge counts beside the plane that thigh and shin span, as the sine of the bend where both are even.
STRAIGHT_KNEE_SINE = 0.05


@dataclass(frozen=True)
class Soles:
    """Heels and toes of a body: left heel, left toe, right heel, right toe.

    points: (4,3) m at rest, y up. clearance: (4,) m above the plane the body stands on when its feet are flat.
    """

    points: np.ndarray
    clearance: np.ndarray


@dataclass(frozen=True)
class Legs:
    """Both legs of F frames in the world: joints (F,2,4,3) m and rotations (F,2,4,3,3) of hip, knee, ankle, foot; points (F,4,3) m."""

    joints: np.ndarray
    rotations: np.ndarray
    points: np.ndarray


def soles_from_template(template, betas):
    """The Soles of a BodyTemplate with a shape: the points of the ground right below heels and toes when the feet are flat."""
    vertices = template.rest_vertices(betas)
    names = [f"{side}_{point}" for side in ("left", "right") for point in ("heel", "big_toe")]
    points = vertices[[template.landmarks[name] for name in names]].astype(float)
    owner = np.asarray(template.lbs_weights).argmax(1)
    points[:, 1] = vertices[np.isin(owner, LEG_JOINTS[:, 2:])][:, 1].min()
    return Soles(points, np.zeros(4))


def pose_legs(rotmats, pelvis, rest_joints, soles):
    """Legs of local rotations (F,J,3,3), the root's global, and pelvis (F,3) m, on rest_joints (J,3)."""
    frames = len(rotmats)
    joints, rotations = np.empty((frames, 2, 4, 3)), np.empty((frames, 2, 4, 3, 3))
    points = np.empty((frames, 4, 3))
    for leg, chain in enumerate(LEG_JOINTS):
        above, at, parent = rotmats[:, 0], pelvis, 0
        for k, joint in enumerate(chain):
            at = at + above @ (rest_joints[joint] - rest_joints[parent])
            above = above @ rotmats[:, joint]
            joints[:, leg, k], rotations[:, leg, k], parent = at, above, joint
        for k, bone in enumerate((2, 3)):  # the heel moves with the ankle, the toe with the foot
            offset = soles.points[2 * leg + k] - rest_joints[chain[bone]]
            points[:, 2 * leg + k] = joints[:, leg, bone] + rotations[:, leg, bone] @ offset
    return Legs(joints, rotations, points)


def reach_shortfall(hip, joints, target):
    """By how much a leg is too short for a target, (F,3) m from where it can go; zero within reach.

    hip: (F,3) as it is to be. joints: (F,4,3), the leg's as they were. target: (F,3).
    """
    before, length = _leg_extents(joints)
    longest = np.maximum(MAX_STRETCH * length, before)
    return _excess_vectors(target - hip, lambda distance: np.minimum(distance, longest))


def soft_reach_shortfall(hip, joints, target):
    """`reach_shortfall` with a leg that gives way: the straighter it was, the less it likes to straighten further."""
    before, length = _leg_extents(joints)
    longest = np.maximum(MAX_STRETCH * length, before)
    start, room = SOFT_STRETCH * length, (1 - SOFT_STRETCH) * length

    def eased(distance):
        over = np.maximum(distance - start, 0)
        return np.minimum(distance, start) + room * (1 - np.exp(-over / room))

    return _excess_vectors(
        target - hip, lambda distance: np.minimum(np.minimum(distance, before + eased(distance) - eased(before)), longest)
    )


def _leg_extents(joints):
    """How far the ankles of legs (F,4,3) were from the hips, and how far they can be, (F,) m."""
    return np.linalg.norm(joints[:, 2] - joints[:, 0], axis=-1), np.linalg.norm(np.diff(joints[:, :3], axis=1), axis=-1).sum(1)


def _excess_vectors(wanted, allowed):
    """What is left of vectors (F,3) m beyond their allowed lengths."""
    distance = np.linalg.norm(wanted, axis=-1)
    return wanted * ((distance - allowed(distance)) / np.maximum(distance, 1e-9))[:, None]


def solve_leg_ik(joints, rotations, hip, target):
    """Bend and swing a leg so that its ankle reaches a target; the knee keeps its plane.

    Args:
        joints: (F,4,3) m and rotations (F,4,3,3) of the leg as it is. hip: (F,3) m, where the hip is to be. target: (F,3) m.

    Returns:
        global rotations (F,3,3) of thigh and of shin. A target out of reach is approached as far as the leg goes.

    The knee turns about its hinge h by the angle d that gives the leg its length: |a + Rot(h, d) b| = |target - hip| with
    thigh a and shin b, that is  A + B cos d + C sin d = k  with A = (a.h)(h.b), B = a.b - A, C = a.(h x b). Then the whole
    leg swings the shortest way.
    """
    thigh, shin = joints[:, 1] - joints[:, 0], joints[:, 2] - joints[:, 1]
    lengths = np.linalg.norm(thigh, axis=-1), np.linalg.norm(shin, axis=-1)
    plane = np.cross(thigh, shin) / (lengths[0] * lengths[1])[:, None]
    hinge = plane + STRAIGHT_KNEE_SINE * (rotations[:, 0] @ KNEE_AXIS)
    hinge /= np.maximum(np.linalg.norm(hinge, axis=-1, keepdims=True), 1e-9)
    wanted = target - hip - reach_shortfall(hip, joints, target)
    distance = np.linalg.norm(wanted, axis=-1)
    a = (thigh * hinge).sum(-1) * (shin * hinge).sum(-1)
    b = (thigh * shin).sum(-1) - a
    c = (thigh * np.cross(hinge, shin)).sum(-1)
    k = (distance**2 - lengths[0] ** 2 - lengths[1] ** 2) / 2
    # Straight is where the two meet: cos(d - phase) = 1. Flexion is the larger d.
    angle = np.arctan2(c, b) + np.arccos(np.clip((k - a) / np.maximum(np.hypot(b, c), 1e-12), -1, 1))
    turn = rotmat_from_axis_angle(hinge, np.arctan2(np.sin(angle), np.cos(angle)))
    bent = thigh + (turn @ shin[..., None])[..., 0]
    swing = rotation_between(bent, wanted)
    return swing @ rotations[:, 0], swing @ turn @ rotations[:, 1]


def rotmat_from_axis_angle(axis, angle):
    """Rotations (F,3,3) about unit axes (F,3) by angles (F,) rad."""
    x, y, z = axis.T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(-1, 3, 3)
    sine, cosine = np.sin(angle)[:, None, None], np.cos(angle)[:, None, None]
    return np.eye(3) + sine * cross + (1 - cosine) * (cross @ cross)


def rotation_between(source, target):
    """The least rotations (F,3,3) that turn vectors (F,3) into the directions of others; not for opposite ones."""
    source = source / np.maximum(np.linalg.norm(source, axis=-1, keepdims=True), 1e-12)
    target = target / np.maximum(np.linalg.norm(target, axis=-1, keepdims=True), 1e-12)
    axis = np.cross(source, target)
    sine = np.linalg.norm(axis, axis=-1)
    return rotmat_from_axis_angle(axis / np.maximum(sine, 1e-12)[:, None], np.arctan2(sine, (source * target).sum(-1)))
