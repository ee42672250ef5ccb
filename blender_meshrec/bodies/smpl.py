"""SMPL-family bodies in torch: joints, vertices and named points of a shape in many poses."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from ..core.array_types import IntArray
from ..core.files.body_template import BodyTemplate
from ..core.skeletons import h36m17_weights_from_names
from .chunking import run_in_chunks
from .lbs import KinematicTree, Skin, forward_kinematics, pose_skin, rotmats_from_pose, shape_points
from .tensors import TensorLike, to_tensor

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

    v_template: torch.Tensor
    shapedirs: torch.Tensor
    posedirs: torch.Tensor | None
    lbs_weights: torch.Tensor
    J_template: torch.Tensor
    J_shapedirs: torch.Tensor
    h36m17_weights: torch.Tensor

    def __init__(self, template: BodyTemplate, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.template = template
        self.tree = KinematicTree(template.parents, device)
        self.device, self.dtype = torch.device(device), dtype
        for name in ("v_template", "shapedirs", "posedirs", "lbs_weights", "J_template", "J_shapedirs"):
            value = getattr(template, name)
            self.register_buffer(name, None if value is None else self._tensor(value))
        points = (*template.joint_names, "nose", "head_top")
        self.register_buffer("h36m17_weights", self._tensor(h36m17_weights_from_names(points)))
        self.faces: IntArray = template.faces
        self._landmark_skins: dict[tuple[str, ...], Skin] = {}

    @property
    def num_betas(self) -> int:
        """B, the betas that the body has."""
        return self.shapedirs.shape[-1]

    @property
    def num_joints(self) -> int:
        """J."""
        return len(self.J_template)

    @property
    def skin(self) -> Skin:
        """All vertices."""
        return Skin(self.v_template, self.shapedirs, self.posedirs, self.lbs_weights)

    def forward(
        self,
        betas: TensorLike,
        global_orient: TensorLike,
        body_pose: TensorLike,
        transl: TensorLike | None = None,
        chunk: int = CHUNK_FRAMES,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Posed joints (F,J,3) and vertices (F,V,3), metres."""
        shape, rotmats, shift = self._arguments(betas, global_orient, body_pose, transl)

        def pose(rows: slice) -> tuple[torch.Tensor, torch.Tensor]:
            return self._pose_body(shape if len(shape) == 1 else shape[rows], rotmats[rows], shift[rows])

        joints, vertices = run_in_chunks(pose, len(rotmats), chunk)
        return joints, vertices

    def joints(self, betas: TensorLike, global_orient: TensorLike, body_pose: TensorLike, transl: TensorLike | None = None) -> torch.Tensor:
        """Posed joints (F,J,3) m; no vertex is computed."""
        shape, rotmats, shift = self._arguments(betas, global_orient, body_pose, transl)
        return forward_kinematics(rotmats, self.rest_joints(shape), self.tree)[0] + shift[:, None]

    def landmarks(
        self,
        betas: TensorLike,
        global_orient: TensorLike,
        body_pose: TensorLike,
        transl: TensorLike | None = None,
        names: Sequence[str] | None = None,
    ) -> torch.Tensor:
        """Posed landmarks (F,L,3) m, in the order of `names` (all of the template's when None); only these vertices are skinned."""
        shape, rotmats, shift = self._arguments(betas, global_orient, body_pose, transl)
        return self._pose(shape, rotmats, shift, self._skin_of_landmarks(tuple(names or self.template.landmarks)))[1]

    def h36m17(self, betas: TensorLike, global_orient: TensorLike, body_pose: TensorLike, transl: TensorLike | None = None) -> torch.Tensor:
        """The 17 joints (F,17,3) m of h36m17, which lifters estimate, on this body.

        Limbs are the body's joints; hip and thorax the midpoints of hips and shoulders; spine the midpoint of those; nose
        and head top lie on the skin.
        """
        shape, rotmats, shift = self._arguments(betas, global_orient, body_pose, transl)
        joints, ends = self._pose(shape, rotmats, shift, self._skin_of_landmarks(("nose", "head_top")))
        return self.h36m17_weights @ torch.cat([joints, ends], 1)

    def rest_joints(self, betas: torch.Tensor) -> torch.Tensor:
        """(1,J,3) or (F,J,3) m: joints at rest of the shapes betas (1,B) or (F,B). Source: SMPL eq. 10."""
        return shape_points(self.J_template, self.J_shapedirs, betas)

    def _pose_body(self, betas: torch.Tensor, rotmats: torch.Tensor, transl: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Joints and all vertices of one chunk of frames."""
        return self._pose(betas, rotmats, transl, self.skin)

    def _pose(self, betas: torch.Tensor, rotmats: torch.Tensor, transl: torch.Tensor, skin: Skin) -> tuple[torch.Tensor, torch.Tensor]:
        """Joints and the skin's vertices."""
        rest_joints = self.rest_joints(betas)
        joints, rotations = forward_kinematics(rotmats, rest_joints, self.tree)
        vertices = pose_skin(skin, betas, rotmats, joints, rotations, rest_joints)
        return joints + transl[:, None], vertices + transl[:, None]

    def _skin_of_landmarks(self, names: tuple[str, ...]) -> Skin:
        if names not in self._landmark_skins:
            vertices = torch.tensor([self.template.landmarks[name] for name in names], device=self.device)
            self._landmark_skins[names] = self.skin.subset(vertices)
        return self._landmark_skins[names]

    def _arguments(
        self, betas: TensorLike, global_orient: TensorLike, body_pose: TensorLike, transl: TensorLike | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """betas (1,B) or (F,B), local rotations (F,J,3,3) and transl (F,3)."""
        rotmats = rotmats_from_pose(self._tensor(global_orient), self._tensor(body_pose))
        shift = rotmats.new_zeros(len(rotmats), 3) if transl is None else self._tensor(transl)
        return self._tensor(betas).reshape(-1, np.shape(betas)[-1]), rotmats, shift

    def _tensor(self, value: TensorLike) -> torch.Tensor:
        return to_tensor(value, self.dtype, self.device)
