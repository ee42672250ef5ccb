"""The paper's additions to PC-HMR (table 3): self-rotation of bones, and shape compensation by pose blend shapes of an estimated pose."""

import roma
import torch
from torch import nn

from blender_meshrec.bodies.lbs import forward_kinematics, pose_blend_shapes, skin_vertices
from blender_meshrec.bodies.smpl import Smpl
from blender_meshrec.methods.pc_hmr import BONES, transform_bones
from scripts.train.calibration.mesh_and_pose_streams import Meshes

HIDDEN_UNITS = 256


class CorrectionNetwork(nn.Module):
    """Two layers from a mesh's rotations (N,24,3,3), betas (N,10) and bone rotations psi (N,16,3,3) to (N,outputs); initially zero."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        last = nn.Linear(HIDDEN_UNITS, outputs)
        self.layers = nn.Sequential(nn.Linear(24 * 9 + 10 + len(BONES) * 9, HIDDEN_UNITS), nn.ReLU(), last)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, meshes: Meshes, target: torch.Tensor) -> torch.Tensor:
        psi = transform_bones(meshes.joints, target).psi.detach()
        return self.layers(torch.cat([meshes.rotmats.flatten(1), meshes.betas, psi.flatten(1)], 1))


def compensate_shape(body: Smpl, meshes: Meshes, rotvecs: torch.Tensor) -> torch.Tensor:
    """The vertices (N,V,3) m of Meshes relative to their hips, with the pose blend shapes of a pose corrected by rotvecs (N,23,3) rad."""
    if body.posedirs is None:
        raise ValueError("the body has no pose blend shapes")
    corrected = torch.cat([meshes.rotmats[:, :1], meshes.rotmats[:, 1:] @ roma.rotvec_to_rotmat(rotvecs)], 1)
    rest = body.rest_joints(meshes.betas)
    joints, rotations = forward_kinematics(meshes.rotmats, rest, body.tree)
    shaped = body.v_template + torch.einsum("vcb,fb->fvc", body.shapedirs, meshes.betas)
    vertices = shaped + pose_blend_shapes(corrected, body.posedirs)
    return skin_vertices(vertices, body.lbs_weights, joints, rotations, rest) - meshes.hips[:, None]
