"""SMPL-family bodies in torch: joints, vertices and named points of a shape in many poses."""

import numpy as np
import torch
from torch import nn

from ..core.skeletons import h36m17_weights_from_names
from .chunking import run_in_chunks
from .lbs import KinematicTree, forward_kinematics, pose_blend_shapes, rotmats_from_pose, skin_vertices

# Frames skinned at once: (64, V, 12) floats is 40 MB at 13,000 vertices.
CHUNK_FRAMES = 64


class Smpl(nn.Module):
    """A body of J joints and V vertices with B betas, posed over F frames.

    Every method takes
        betas: (B,) or (1,B), one shape for the clip, or (F,B).
        global_orient: (F,3) rad, or (F,3,3). body_pose: (F,3(J-1)) rad, or (F,J-1,3,3).
        transl: (F,3) m, or None.
    as tensors or arrays, and is differentiable in all of them. Source: Loper et al. 2015, "SMPL".
    """

    def __init__(self, template, device="cpu", dtype=torch.float32):
        super().__init__()
        self.template = template
        self.tree = KinematicTree(template.parents, device)
        self.device, self.dtype = torch.device(device), dtype
        for name in ("v_template", "shapedirs", "posedirs", "lbs_weights", "J_template", "J_shapedirs"):
            value = getattr(template, name)
            self.register_buffer(name, None if value is None else self._tensor(value))
        points = (*template.joint_names, "nose", "head_top")
        self.register_buffer("h36m17_weights", self._tensor(h36m17_weights_from_names(points)))
        self.faces = template.faces
        self._subsets = {}

    @property
    def num_betas(self):
        return self.shapedirs.shape[-1]

    @property
    def num_joints(self):
        return len(self.J_template)

    def forward(self, betas, global_orient, body_pose, transl=None, chunk=CHUNK_FRAMES):
        """Posed joints (F,J,3) and vertices (F,V,3), metres."""
        betas, rotmats, transl = self._arguments(betas, global_orient, body_pose, transl)
        return run_in_chunks(lambda rows: self._pose(_slice_betas(betas, rows), rotmats[rows], transl[rows]), len(rotmats), chunk)

    def joints(self, betas, global_orient, body_pose, transl=None):
        """Posed joints (F,J,3) m, without touching a vertex."""
        betas, rotmats, transl = self._arguments(betas, global_orient, body_pose, transl)
        return forward_kinematics(rotmats, self.rest_joints(betas), self.tree)[0] + transl[:, None]

    def landmarks(self, betas, global_orient, body_pose, transl=None, names=None):
        """Posed landmarks (F,L,3) m, in the order of `names` (all of the template's when None); only these vertices are skinned."""
        betas, rotmats, transl = self._arguments(betas, global_orient, body_pose, transl)
        return self._pose(betas, rotmats, transl, tuple(names or self.template.landmarks))[1]

    def h36m17(self, betas, global_orient, body_pose, transl=None):
        """The 17 joints (F,17,3) m that a lifter speaks of, on this body.

        Limbs are the body's joints; hip and thorax the middles of hips and shoulders; spine the middle of those; nose
        and head top lie on the skin.
        """
        betas, rotmats, transl = self._arguments(betas, global_orient, body_pose, transl)
        joints, ends = self._pose(betas, rotmats, transl, ("nose", "head_top"))
        return self.h36m17_weights @ torch.cat([joints, ends], 1)

    def rest_joints(self, betas):
        """(1,J,3) or (F,J,3) m: joints at rest of the shapes betas (1,B) or (F,B). Source: SMPL eq. 10."""
        return self.J_template + torch.einsum("jcb,fb->fjc", self.J_shapedirs[..., : betas.shape[-1]], betas)

    def _pose(self, betas, rotmats, transl, landmarks=None):
        """Joints, and all vertices or the named ones."""
        v_template, shapedirs, posedirs, weights = self._skin_of(landmarks)
        rest_joints = self.rest_joints(betas)
        joints, rotations = forward_kinematics(rotmats, rest_joints, self.tree)
        vertices = v_template + torch.einsum("vcb,fb->fvc", shapedirs[..., : betas.shape[-1]], betas)
        if posedirs is not None:
            vertices = vertices + pose_blend_shapes(rotmats, posedirs)
        vertices = skin_vertices(vertices, weights, joints, rotations, rest_joints)
        return joints + transl[:, None], vertices + transl[:, None]

    def _skin_of(self, landmarks):
        if landmarks is None:
            return self.v_template, self.shapedirs, self.posedirs, self.lbs_weights
        if landmarks not in self._subsets:
            rows = torch.tensor([self.template.landmarks[name] for name in landmarks], device=self.device)
            posedirs = None if self.posedirs is None else self.posedirs[rows]
            self._subsets[landmarks] = self.v_template[rows], self.shapedirs[rows], posedirs, self.lbs_weights[rows]
        return self._subsets[landmarks]

    def _arguments(self, betas, global_orient, body_pose, transl):
        rotmats = rotmats_from_pose(self._tensor(global_orient), self._tensor(body_pose))
        transl = rotmats.new_zeros(len(rotmats), 3) if transl is None else self._tensor(transl)
        return self._tensor(betas).reshape(-1, np.shape(betas)[-1]), rotmats, transl

    def _tensor(self, value):
        if not torch.is_tensor(value):
            value = np.array(value)  # records are read-only, which torch warns of
        return torch.as_tensor(value, dtype=self.dtype, device=self.device)


def _slice_betas(betas, rows):
    return betas if len(betas) == 1 else betas[rows]
