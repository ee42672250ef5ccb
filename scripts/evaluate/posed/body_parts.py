"""The parts of the open body that touch supports, as sets of skin vertices, and the masses of its segments."""

from collections.abc import Sequence

import numpy as np
import torch

from blender_meshrec.bodies.lbs import Skin, forward_kinematics, pose_skin
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.core.array_types import BoolArray, FloatArray, IntArray
from blender_meshrec.core.farthest_point_sampling import farthest_point_sampling
from blender_meshrec.core.files.body_template import BodyTemplate
from blender_meshrec.core.skeletons import SMPL_JOINTS

JOINT = {name: index for index, name in enumerate(SMPL_JOINTS)}
SIDES = ("left", "right")
VERTICES_OF_PART, VERTICES_OF_BODY = 60, 300  # a sample that suffices to place them
_TRUNK = ("pelvis", "spine1", "spine2", "spine3", "left_collar", "right_collar")

# Segments: mass as a share of the body's, and the joints between whose ends the centre of mass lies, at a share of the way.
# Source: de Leva 1996, table 4 (male), the trunk's parts assigned to SMPL's joints.
_SEGMENTS: list[tuple[float, str, str, float]] = [
    (0.112, "pelvis", "spine1", 0.2),
    (0.163, "spine1", "spine2", 0.5),
    (0.160, "spine3", "neck", 0.4),
    (0.069, "neck", "head", 1.3),
    *((0.142, f"{side}_hip", f"{side}_knee", 0.41) for side in SIDES),
    *((0.043, f"{side}_knee", f"{side}_ankle", 0.44) for side in SIDES),
    *((0.014, f"{side}_ankle", f"{side}_foot", 0.5) for side in SIDES),
    *((0.027, f"{side}_shoulder", f"{side}_elbow", 0.58) for side in SIDES),
    *((0.016, f"{side}_elbow", f"{side}_wrist", 0.46) for side in SIDES),
    *((0.006, f"{side}_wrist", f"{side}_hand", 0.8) for side in SIDES),
]


def centre_of_mass_weights() -> FloatArray:
    """Weights (24,) of SMPL's joints whose sum is the body's centre of mass."""
    weights = np.zeros(len(SMPL_JOINTS))
    for mass, start, end, share in _SEGMENTS:
        weights[JOINT[start]] += mass * (1 - share)
        weights[JOINT[end]] += mass * share
    return weights / weights.sum()


def part_vertices(template: BodyTemplate) -> dict[str, IntArray]:
    """Vertex indices of each part that can touch something, by name.

    "body" is all of them but the thumbs, which point down 2 cm below a flat palm and cannot bend on this body.
    """
    vertices, joints = template.rest(np.zeros(10))
    owner = template.lbs_weights.argmax(1)
    x, y, z = vertices.T

    def owned(*names: str) -> BoolArray:
        return np.isin(owner, [JOINT[name] for name in names])

    def near(joint: str, radius: float) -> BoolArray:
        return np.linalg.norm(vertices - joints[JOINT[joint]], axis=1) < radius

    seat = owned("pelvis", "left_hip", "right_hip") & (y > -0.22) & (y < 0.08) & (z < 0.03)
    parts: dict[str, BoolArray] = {
        "seat": seat,
        "back": owned(*_TRUNK) & (z < 0) & (y > 0.05),
        "front": owned(*_TRUNK, "left_hip", "right_hip") & (z > 0.03) & (y > -0.15),
        "trunk": owned(*_TRUNK, "left_hip", "right_hip") & (y > -0.2),
        "head": owned("head"),
    }
    thumbs = np.zeros(len(vertices), bool)
    for side, sign in (("left", 1), ("right", -1)):
        ankle, foot, wrist = (joints[JOINT[f"{side}_{name}"]] for name in ("ankle", "foot", "wrist"))
        sole = owned(f"{side}_ankle", f"{side}_foot") & (y < ankle[1])
        hand = owned(f"{side}_wrist", f"{side}_hand")
        along = sign * (x - wrist[0])  # from the wrist to the finger tips
        thumb = hand & (z > wrist[2] + 0.045)
        thumbs |= thumb
        parts |= {
            f"{side}_heel": sole & (z < ankle[2] + 0.02),
            f"{side}_toe": sole & (z > foot[2] - 0.01),
            f"{side}_palm": hand & (along > -0.02) & (along < 0.075) & ~thumb,
            f"{side}_hand": hand & ~thumb,
            f"{side}_grip": hand & (along > 0.04) & (along < 0.13) & ~thumb,
            f"{side}_fingers": hand & (along > 0.11) & ~thumb,
            f"{side}_knee": near(f"{side}_knee", 0.1) & (z > joints[JOINT[f"{side}_knee"], 2]),
            f"{side}_elbow": near(f"{side}_elbow", 0.07),
            f"{side}_thigh": owned(f"{side}_hip") & (z < joints[JOINT[f"{side}_hip"], 2]),
        }
    parts["body"] = ~thumbs
    return {name: np.flatnonzero(chosen) for name, chosen in parts.items()}


class PosedBody:
    """The open body of one shape in torch: joints and some of its skin's points, as functions of local rotations and pelvis.

    parts: that touch something. points: their names -> rows of `vertices`, the indices of the skin vertices that are posed.
    """

    def __init__(self, template: BodyTemplate, betas: FloatArray, parts: Sequence[str]) -> None:
        body = make_body(template)
        self.template, self.betas, self.tree = template, betas, body.tree
        self.shape = torch.as_tensor(betas, dtype=torch.float32)[None]
        self.rest_joints = body.rest_joints(self.shape)
        rest = template.rest_vertices(betas)
        chosen: dict[str, IntArray] = {}
        for name, members in part_vertices(template).items():
            if name in ("body", *parts):
                count = VERTICES_OF_BODY if name == "body" else VERTICES_OF_PART
                # The middle of a sample of every Nth vertex of a gripping hand is the hand's.
                even = members[:: max(1, len(members) // count)]
                chosen[name] = even if name.endswith("grip") else members[_spread(rest[members], count)]
        self.vertices = np.unique(np.concatenate(list(chosen.values())))
        self.points = {name: np.searchsorted(self.vertices, members) for name, members in chosen.items()}
        self.points["body"] = np.arange(len(self.vertices))
        self.skin: Skin = body.skin.subset(torch.as_tensor(self.vertices))

    def pose(self, rotmats: torch.Tensor, pelvis: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Joints (F,24,3) and points (F,P,3), m, of local rotations (F,24,3,3) and the pelvis (F,3) m."""
        joints, rotations = forward_kinematics(rotmats, self.rest_joints, self.tree)
        points = pose_skin(self.skin, self.shape, rotmats, joints, rotations, self.rest_joints)
        shift = (pelvis - self.rest_joints[0, 0])[:, None]
        return joints + shift, points + shift


def _spread(points: FloatArray, count: int) -> IntArray:
    """Indices of at most `count` of points (N,3), spread evenly."""
    return farthest_point_sampling(points, count) if len(points) > count else np.arange(len(points))
