"""What the paper tried on top of PC-HMR (table 3): bones that turn about themselves, and pose blend shapes of an estimated pose."""

import roma
import torch
from torch import nn

from blender_meshrec.bodies.lbs import forward_kinematics, pose_blend_shapes, skin_vertices
from blender_meshrec.methods.pc_hmr import BONES, transform_bones

HIDDEN_UNITS = 256


class CorrectionNetwork(nn.Module):
    """Two layers, from a mesh's rotations (N,24,3,3), betas (N,10) and the bones' turns psi (N,16,3,3) to (N,outputs); zero at first."""

    def __init__(self, outputs):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(24 * 9 + 10 + len(BONES) * 9, HIDDEN_UNITS), nn.ReLU(), nn.Linear(HIDDEN_UNITS, outputs))
        nn.init.zeros_(self.layers[-1].weight)
        nn.init.zeros_(self.layers[-1].bias)

    def forward(self, meshes, target):
        psi = transform_bones(meshes.joints, target).psi.detach()
        return self.layers(torch.cat([meshes.rotmats.flatten(1), meshes.betas, psi.flatten(1)], 1))


def compensate_shape(body, meshes, rotvecs):
    """The vertices (N,V,3) of Meshes, about their hips, with the pose blend shapes of rotations turned by rotvecs (N,23,3)."""
    turned = torch.cat([meshes.rotmats[:, :1], meshes.rotmats[:, 1:] @ roma.rotvec_to_rotmat(rotvecs)], 1)
    rest = body.rest_joints(meshes.betas)
    joints, rotations = forward_kinematics(meshes.rotmats, rest, body.tree)
    vertices = body.v_template + torch.einsum("vcb,fb->fvc", body.shapedirs, meshes.betas) + pose_blend_shapes(turned, body.posedirs)
    return skin_vertices(vertices, body.lbs_weights, joints, rotations, rest) - meshes.hips[:, None]
