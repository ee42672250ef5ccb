"""The filmed person: a body with a shape and a motion. numpy only."""

import numpy as np

from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.files.body_template import BodyTemplate


class Performer:
    """A body in the world, frame by frame.

    template: with SMPL's joints. betas: (B,). local: (F,24,3,3) rotations, the root's in the world's axes. pelvis: (F,3) m.
    Derived: rest_vertices (V,3) and rest_joints (24,3), m; in the world joints (F,24,3), m, and rotations (F,24,3,3). Moving `joints` moves
    the body.
    """

    def __init__(self, template: BodyTemplate, betas: FloatArray, local: FloatArray, pelvis: FloatArray) -> None:
        self.template, self.local = template, local
        self.rest_vertices, self.rest_joints = template.rest(betas)
        self.rotations, self.joints = local.copy(), np.repeat(pelvis[:, None], local.shape[1], 1)
        for joint, parent in enumerate(template.parents[1:], 1):
            offset = self.rest_joints[joint] - self.rest_joints[parent]
            self.rotations[:, joint] = self.rotations[:, parent] @ local[:, joint]
            self.joints[:, joint] = self.joints[:, parent] + self.rotations[:, parent] @ offset

    def pose_blend_shapes(self, frame: int) -> FloatArray:
        """The body's pose blend shapes, (V,3) m at rest."""
        if self.template.posedirs is None:
            return np.zeros_like(self.rest_vertices)
        return self.template.posedirs @ (self.local[frame, 1:] - np.eye(3)).ravel()

    def vertex_transforms(self, frame: int) -> FloatArray:
        """The blended transform of each vertex from rest to the world, (V,3,4)."""
        rotations = self.rotations[frame]
        shift = self.joints[frame] - (rotations @ self.rest_joints[..., None])[..., 0]
        return np.einsum("vj,jrc->vrc", self.template.lbs_weights, np.concatenate([rotations, shift[..., None]], -1))
