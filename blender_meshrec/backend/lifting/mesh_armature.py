"""Pose and shape of a mesh that a network gave without any: DIK on its joints, ends by their own skin, betas by least squares.

DecoMR regresses vertices alone. Here they become an armature: the body's joints are mixtures of its vertices (U of PC-HMR), DIK
(methods/dik.py) turns joints into rotations, and where joints do not show how an end is turned, head, hands and feet are the rotation
with the least squared error of their vertices. With the rotations known, vertices are linear in betas. Ours.
"""

import torch

from ...bodies import lbs
from ...bodies.alignment import fit_rotation
from ...bodies.joint_projector import JointProjector
from ...bodies.smpl import Smpl
from ...core.skeletons import SMPL_JOINTS
from ...methods.dik import global_rotmats, solve_dik

# The joints whose skin shows how each end is turned; all of them get its rotation.
ENDS = (
    ("head",),
    *((f"{side}_{upper}", f"{side}_{lower}") for side in ("left", "right") for upper, lower in (("ankle", "foot"), ("wrist", "hand"))),
)
MIN_WEIGHT = 0.8  # of the end's joints, from which a vertex belongs to it
SHAPE_VERTICES = 600  # that betas are fitted to, spread over the skin
SHAPE_SIGMA = 0.015  # m, of a mesh's vertices: the larger, the nearer betas stay to zero


class MeshArmature:
    """Finds the pose and the betas of meshes of one body of 24 joints."""

    def __init__(self, body: Smpl) -> None:
        self.body, self.projector = body, JointProjector(body)
        weights = body.lbs_weights
        self._ends = []
        for names in ENDS:
            joints = [SMPL_JOINTS.index(name) for name in names]
            vertices = torch.nonzero(weights[:, joints].sum(1) > MIN_WEIGHT)[:, 0]
            self._ends.append((names, vertices, _centred(body.v_template[vertices])))
        self._sample = torch.linspace(0, len(weights) - 1, SHAPE_VERTICES, device=body.device).long()
        self._skin = body.skin.subset(self._sample)

    def __call__(self, vertices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Local rotations (N,24,3,3), the root's in the axes of the vertices, and betas (N,B) of meshes (N,V,3) m."""
        joints = self.projector.smpl @ vertices
        rotmats, _root = solve_dik(joints, self.body.J_template)
        rotations = global_rotmats(rotmats)
        for names, rows, rest in self._ends:
            turned = fit_rotation(_centred(vertices[:, rows]), rest, None, rotations[names[0]])
            rotations |= dict.fromkeys(names, turned)
        rotmats = lbs.local_rotmats(torch.stack([rotations[name] for name in SMPL_JOINTS], 1), self.body.tree)
        return rotmats, torch.stack([self._betas(*row) for row in zip(vertices[:, self._sample], joints[:, 0], rotmats)])

    def _betas(self, vertices: torch.Tensor, root: torch.Tensor, rotmats: torch.Tensor) -> torch.Tensor:
        """Betas (B,) of some vertices (N,3) m of a mesh with a root joint (3,) m and local rotations (24,3,3)."""
        count = self.body.num_betas
        shapes = torch.cat([vertices.new_zeros(1, count), torch.eye(count).to(vertices)])
        poses = rotmats.expand(len(shapes), -1, -1, -1)
        rest = self.body.rest_joints(shapes)
        joints, rotations = lbs.forward_kinematics(poses, rest, self.body.tree)
        posed = lbs.pose_skin(self._skin, shapes, poses, joints, rotations, rest) - joints[:, :1]
        # Vertices about the root are linear in betas: those of the mean, and a column for each beta.
        columns = (posed[1:] - posed[:1]).flatten(1).T / SHAPE_SIGMA
        residual = ((vertices - root - posed[0]) / SHAPE_SIGMA).flatten()
        normal = columns.T @ columns / SHAPE_VERTICES + torch.eye(count).to(columns) / SHAPE_VERTICES**0.5
        return torch.linalg.solve(normal, columns.T @ residual / SHAPE_VERTICES)


def _centred(points: torch.Tensor) -> torch.Tensor:
    """Points (...,N,3) about their mean."""
    return points - points.mean(-2, keepdim=True)
