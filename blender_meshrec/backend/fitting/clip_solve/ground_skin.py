"""How high above the ground a part of the body is that touches it.

A trunk, a head and a hand keep their outlines, which are farther from the joint on one side than on another. About knees, elbows, hips
and shoulders skin folds: whichever side is down, it is about as near as at rest. A foot lies on its sole, on its edge or on its instep.
"""

from dataclasses import dataclass

import numpy as np

from ....core.array_types import FloatArray, IntArray
from ....core.farthest_point_sampling import farthest_point_sampling
from ....core.files.body_template import BodyTemplate
from ....core.foot_planting.leg_kinematics import lying_feet, soles_from_template
from ....core.skeletons import SMPL_JOINTS
from .body_points import ATTACHED, SOLES

TRUNK = ("pelvis", "spine1", "spine2", "spine3", "left_collar", "right_collar")
TRUNK_REACH = 0.08  # m along the spine from a joint of the trunk, within which skin is the part's own
SOLE_REACH = 0.03  # m along the foot from a point of the sole, within which skin is above it
WRIST_REACH = 0.04  # m beyond the nearest skin, the same about a wrist: fingers give way (hands_on_floor.py)
OUTLINE_POINTS = 60  # of a part


@dataclass(frozen=True)
class GroundSkin:
    """The skin of K parts.

    carriers: (K,), joints that turn them. outlines: (K,P,3) m from the part's point, at rest. distances: (K,) m, of skin that is as near on
    all sides; either is 0 where the other tells. shins: (K,), the joint that turns the shin of a sole, else -1.
    """

    carriers: IntArray
    outlines: FloatArray
    distances: FloatArray
    shins: IntArray

    def radii(self, rotations: FloatArray, up: FloatArray) -> FloatArray:
        """How far the lowest skin is below each part's point, (F,K) m; rotations: (F,24,3,3) of the joints, up: (3,), in the same axes."""
        down = -(np.swapaxes(rotations[:, self.carriers], -1, -2) @ up)
        radii = self.distances + np.einsum("kpa,fka->fkp", self.outlines, down).max(-1)
        upright = np.swapaxes(rotations[:, self.shins], -1, -2)[..., 1, :] @ up
        return np.where(self.shins < 0, radii, radii * lying_feet(upright, -down))


def skin_of_parts(template: BodyTemplate, betas: FloatArray, parts: dict[str, int]) -> GroundSkin:
    """The skin of parts; parts: the joint of each, or -1 for a point that lies on the skin, as those of soles."""
    vertices, rest = template.rest_vertices(betas).astype(float), template.rest_joints(betas)[template.smpl_joint_indices].astype(float)
    owners = template.lbs_weights.argmax(1)
    soles = dict(zip(SOLES, soles_from_template(template, betas).points, strict=True))
    of_trunk = np.isin(owners, template.smpl_joint_indices[[SMPL_JOINTS.index(name) for name in TRUNK]])
    outlines, distances = np.zeros((len(parts), OUTLINE_POINTS, 3)), np.zeros(len(parts))
    carriers, shins = np.maximum(list(parts.values()), 0), np.full(len(parts), -1)
    for row, (name, joint) in enumerate(parts.items()):
        if name in SOLES:
            shins[row], *foot = [SMPL_JOINTS.index(f"{name.split('_')[0]}_{bone}") for bone in ("knee", "ankle", "foot")]
            away = vertices[np.isin(owners, template.smpl_joint_indices[foot])] - soles[name]
            outlines[row] = _outline_of_foot(away[away[:, 1] < rest[foot[0], 1] - soles[name][1]])
            carriers[row] = SMPL_JOINTS.index(ATTACHED[name])
        if joint < 0:
            continue
        away = vertices - rest[joint]
        far = np.linalg.norm(away, axis=-1)
        if name in TRUNK:
            outlines[row] = _outline(away[of_trunk & (np.abs(away[:, 1]) < TRUNK_REACH)])
        elif name == "head":
            outlines[row] = _outline(away[owners == template.smpl_joint_indices[joint]])
        elif name.endswith("wrist"):
            outlines[row] = _outline(away[far < far.min() + WRIST_REACH])
        else:
            distances[row] = far.min()
    return GroundSkin(carriers, outlines, distances, shins)


def _outline_of_foot(away: FloatArray) -> FloatArray:
    """The cross-section (P,3) of a foot's skin (N,3) about a point of its sole, which is in it: feet that pitch a little stand on it."""
    near = away[np.abs(away[:, 2]) < SOLE_REACH] * [1, 1, 0]
    return _outline(np.concatenate([np.zeros((1, 3)), near]))


def _outline(points: FloatArray) -> FloatArray:
    """OUTLINE_POINTS (P,3) of points (N,3) that lie farthest apart."""
    return points[np.resize(farthest_point_sampling(points, OUTLINE_POINTS), OUTLINE_POINTS)]
