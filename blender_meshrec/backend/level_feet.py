"""Feet that lie flat when they stand.

Detectors mark a heel where they see it, at the back of the shoe and some centimetres up, and the toes at their tips: taken
by the letter every foot points downwards, by 10 to 25 degrees. How much is a habit of the detector and the shoes, so it
is the same all through a clip: the pitch that feet have on the median while they carry the person is taken out.
"""

from dataclasses import replace

import numpy as np

from ..core.contacts import CARRIES, carrying
from ..core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from .legs import LEGS, pose_legs, soles_of

# More than this is no habit: dancers on their toes stay there. Rad.
MOST = np.radians(35.0)
# Feet that stand for less time than this tell nothing, s (summed over both feet).
LEAST = 0.2


def level_feet(template, params, up, visible, timestamps):
    """Take a clip's common pitch of standing feet out of both ankles.

    Args:
        template: a BodyTemplate. params: BodyParams of F frames, in camera axes. up: (3,) unit vector, away from the ground.
        visible: (F,). timestamps: (F,) s.

    Returns:
        BodyParams with other ankles.
    """
    betas = np.asarray(params.betas, float)
    rest_joints, soles = template.rest_joints(betas), soles_of(template, betas)
    poses = np.concatenate([params.global_orient, params.body_pose], 1).astype(float).reshape(len(timestamps), -1, 3)
    legs = pose_legs(rotmat_from_rotvec(poses), params.transl + rest_joints[0], rest_joints, soles)
    pitch = common_pitch(legs.points, soles, up, visible, timestamps)
    turn = rotmat_from_rotvec([pitch, 0, 0])  # about a foot's own x: positive lowers the toes
    ankles = LEGS[:, 2]
    poses[:, ankles] = rotvec_from_rotmat(rotmat_from_rotvec(poses[:, ankles]) @ turn)
    return replace(params, body_pose=poses[:, 1:].reshape(len(poses), -1))


def common_pitch(points, soles, up, visible, timestamps):
    """How far standing feet point up, beyond what a flat foot's heel and toe do: rad, the median; 0 if they hardly stand.

    points: (F,4,3) m, camera axes. The other arguments are `level_feet`'s.
    """
    heels, toes = points[:, 0::2], points[:, 1::2]
    pointing = toes - heels
    rise = pointing @ up
    flat = (soles.clearance[1::2] - soles.clearance[0::2]) / np.linalg.norm(soles.points[1::2] - soles.points[0::2], axis=-1)
    pitch = np.arcsin(np.clip(rise / np.maximum(np.linalg.norm(pointing, axis=-1), 1e-9), -1, 1)) - np.arcsin(flat)
    # The whole foot carries if its middle does.
    middle = np.repeat((heels + toes) / 2, 2, 1)
    standing = carrying(middle @ _upright(up).T, timestamps, visible)[:, 0::2] > CARRIES
    step = float(np.median(np.diff(timestamps))) if len(timestamps) > 1 else LEAST
    if standing.sum() * step < LEAST:
        return 0.0
    median = float(np.median(pitch[standing]))
    return median if abs(median) < MOST else 0.0


def _upright(up):
    """A rotation (3,3) into axes whose z is `up`."""
    up = np.asarray(up, float)
    side = np.cross(up, [0.0, 0.0, 1.0] if abs(up[2]) < 0.9 else [1.0, 0.0, 0.0])
    side /= np.linalg.norm(side)
    return np.stack([side, np.cross(up, side), up])
