"""SKEL in torch: joints, skin and bones of a shape in many poses, from 46 anatomical angles. Source: Keller et al. 2023.

The steps, and what was settled against the published forward's numbers, are told in core/skel/kinematics, the plain numpy
version of the same. Differences to the published code: batched over frames, differentiable at every q (arcs at angle 0
included), and bone meshes scaled alike in all directions (ours; the published model measures the skin at fixed vertices).
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from ..core.skel.kinematics import BONE_SIZE_SUMS, FILE_DIRECTION_SUMS, SCAPULAE, SHAPED_DIRECTION_SUMS, SPINE, SPINE_DOFS
from ..core.skel.vocabulary import DOF_AXES, DOF_JOINTS, JOINT_DOFS, NUM_DOFS, SKEL_PARENTS, SMPL_OF_SKEL
from .chunking import run_in_chunks
from .lbs import KinematicTree, forward_kinematics, pose_blend_shapes, skin_vertices

# Vertices skinned at once, over all frames of a piece: twelve floats each, 40 MB.
CHUNK_VERTICES = 800_000
_SHIFTED_JOINTS = (*SPINE, *(joint for joint, *_ in SCAPULAE))
_ALIGNED = np.flatnonzero(FILE_DIRECTION_SUMS.any(1))
_FIXED = np.flatnonzero(~FILE_DIRECTION_SUMS.any(1))


class Skin(NamedTuple):
    """Skin vertices to pose: all of a body's or some. v_template (V,3), shapedirs (V,3,B), posedirs (V,3,207) or None, weights (V,24)."""

    v_template: torch.Tensor
    shapedirs: torch.Tensor
    posedirs: torch.Tensor | None
    lbs_weights: torch.Tensor


class SkelOutput(NamedTuple):
    """A posed body: joints (F,24,3) m, rotations (F,24,3,3) from rest, vertices (F,V,3) and bone_vertices (F,N,3) m or None."""

    joints: torch.Tensor
    rotations: torch.Tensor
    vertices: torch.Tensor | None = None
    bone_vertices: torch.Tensor | None = None


class Skel(nn.Module):
    """A SKEL body, posed over F frames; differentiable in every argument.

    Every method takes
        q: (F,46) rad, in the order of core/skel.DOF_NAMES.
        betas: (B,) or (1,B), one shape for the clip, or (F,B), B <= 10.
        transl: (F,3) m, or None. Joint 0 lies at its place at rest plus transl.
    as tensors or arrays.
    """

    def __init__(self, template, device="cpu", dtype=torch.float32):
        super().__init__()
        self.template = template
        self.tree = KinematicTree(SKEL_PARENTS, device)
        self.device, self.dtype = torch.device(device), dtype
        self.faces, self.bone_faces = template.faces, template.bone_faces
        transfo = template.apose_rel_transfo
        self.register_buffer("J_template", self._tensor(template.J_template))
        self.register_buffer("J_shapedirs", self._tensor(template.J_shapedirs))
        self.register_buffer("per_joint_rot", self._tensor(template.per_joint_rot))
        # The axes in the frames Ra^T, and the directions each bone is turned from, both constant.
        self.register_buffer("axes", self._tensor(np.einsum("dba,db->da", transfo[DOF_JOINTS, :3, :3], DOF_AXES)))
        source = np.einsum("jab,jb->ja", template.per_joint_rot, FILE_DIRECTION_SUMS @ transfo[:, :3, 3])[_ALIGNED]
        self.register_buffer("turn_from", self._tensor(source / np.linalg.norm(source, axis=-1, keepdims=True)))
        self.register_buffer("measure_from", self._tensor(np.linalg.norm(BONE_SIZE_SUMS @ transfo[:, :3, 3], axis=-1)))
        self.register_buffer("carried", self._tensor(_shift_ancestors()))
        self.register_buffer("turn_onto", self._tensor(SHAPED_DIRECTION_SUMS[_ALIGNED]))
        self.register_buffer("measure", self._tensor(BONE_SIZE_SUMS))
        self.register_buffer("identity", torch.eye(3, dtype=dtype, device=device))
        for name, value in _INDICES.items():
            self.register_buffer(name, torch.as_tensor(value.copy(), device=device))
        self.register_buffer("bone_of_vertex", torch.as_tensor(template.bone_of_vertex.copy(), device=device))
        self.register_buffer("bone_template", self._tensor(template.bone_template))
        self.register_buffer("bone_weights", self._tensor(template.bone_weights))
        shaped = template.bone_shapedirs is not None
        self.register_buffer("bone_shapedirs", self._tensor(template.bone_shapedirs) if shaped else None)
        self.register_buffer("bones_at_rest", self._tensor(template.rest_bone_vertices(np.zeros(1))) if shaped else None)
        self.skin = Skin(*(None if value is None else self._tensor(value) for value in (
            template.v_template, template.shapedirs, template.posedirs, template.lbs_weights
        )))  # fmt: skip

    def forward(self, q, betas, transl=None, skin=None, with_skin=True, with_bones=False, chunk=None):
        """Pose the body.

        Args:
            skin: which vertices, from `subset`; all when None. with_skin, with_bones: whether to pose skin and bone meshes at all.
            chunk: frames posed at once; as many as fit CHUNK_VERTICES when None.

        Returns:
            a SkelOutput.
        """
        q, betas, transl = self._arguments(q, betas, transl)
        chosen = (skin or self.skin) if with_skin else None
        vertices = (0 if chosen is None else len(chosen.v_template)) + (len(self.bone_template) if with_bones else 0)
        chunk = chunk or max(CHUNK_VERTICES // max(vertices, 24), 1)

        def pose(rows):
            return self._pose(q[rows], betas if len(betas) == 1 else betas[rows], transl[rows], chosen, with_bones)

        joints, rotations, *meshes = run_in_chunks(pose, len(q), chunk)
        return SkelOutput(joints, rotations, meshes.pop(0) if with_skin else None, meshes.pop(0) if with_bones else None)

    def joints(self, q, betas, transl=None):
        """Posed joints (F,24,3) m, without touching a vertex."""
        return self.forward(q, betas, transl, with_skin=False).joints

    def subset(self, vertices):
        """The Skin of some vertices (indices), for `forward`: what a fit over a fixed thousand of them needs."""
        rows = torch.as_tensor(np.asarray(vertices), dtype=torch.long, device=self.device)
        return Skin(*(None if value is None else value[rows] for value in self.skin))

    def rest_joints(self, betas):
        """(1,24,3) or (F,24,3) m: joints at rest of the shapes betas (1,B) or (F,B)."""
        return self.J_template + torch.einsum("jcb,fb->fjc", self.J_shapedirs[..., : betas.shape[-1]], betas)

    def bone_orientations(self, betas):
        """K, (1,24,3,3) or (F,24,3,3): body_from_bone at rest, of the shapes betas (1,B) or (F,B)."""
        return self._orientations(_offsets(self.rest_joints(betas), self.tree))

    # --- one piece of a clip ---

    def _pose(self, q, betas, transl, chosen, with_bones):
        rest = self.rest_joints(betas)
        steps = _offsets(rest, self.tree)
        orientations = self._orientations(steps)
        local = self._local_rotations(q, orientations)
        # A pose's shifts add to a joint's offset from its parent: the same as resting where all shifts above it are added up.
        shifted = rest + self.carried @ self._shifts(q, rest, steps)
        joints, rotations = forward_kinematics(local, shifted, self.tree)
        found = [joints + transl[:, None], rotations]
        if chosen is not None:
            vertices = chosen.v_template + torch.einsum("vcb,fb->fvc", chosen.shapedirs[..., : betas.shape[-1]], betas)
            if chosen.posedirs is not None:
                vertices = vertices + pose_blend_shapes(self._smpl_rotations(local), chosen.posedirs)
            found.append(skin_vertices(vertices, chosen.lbs_weights, joints, rotations, rest) + transl[:, None])
        if with_bones:
            bones = self._rest_bones(betas, rest, steps, orientations)
            found.append(skin_vertices(bones, self.bone_weights, joints, rotations, rest) + transl[:, None])
        return tuple(found)

    def _orientations(self, steps):
        target = self.turn_onto @ steps
        target = target / torch.linalg.norm(target, dim=-1, keepdim=True).clamp_min(1e-12)
        source = self.turn_from.expand_as(target)
        cross = _skew(torch.linalg.cross(source, target))
        cosine = (source * target).sum(-1)[..., None, None]
        turned = self.identity + cross + cross @ cross / (1 + cosine).clamp_min(1e-9)
        fixed = self.per_joint_rot[self.fixed].expand(len(steps), -1, -1, -1)
        return torch.cat([turned @ self.per_joint_rot[self.aligned], fixed], 1)[:, self.in_order]

    def _local_rotations(self, q, orientations):
        """Turn about each angle's axis, in the body's axes at rest: R3 R2 R1 of each joint, (F,24,3,3)."""
        axes = (orientations[:, self.dof_joints] @ self.axes[..., None])[..., 0]
        cross = _skew(axes)
        q = q[..., None, None]
        single = self.identity + torch.sin(q) * cross + (1 - torch.cos(q)) * (cross @ cross)
        single = torch.cat([single, self.identity.expand(len(q), 1, 3, 3)], 1)
        first, second, third = self.turns
        return single[:, third] @ (single[:, second] @ single[:, first])

    def _shifts(self, q, rest, steps):
        """Shifts (F,5,3) of `_SHIFTED_JOINTS`: arcs of the spine, ellipsoid of the scapulae, curve(q) - curve(0)."""
        bending, extension = np.array(SPINE_DOFS).T
        aside, lost_by_bending = arc_displacement(q[:, bending])
        back, lost_by_extension = arc_displacement(q[:, extension])
        rise = steps[:, SPINE, 1].abs()[..., None]
        spine = rise * torch.stack([-aside, -lost_by_bending - lost_by_extension, -back], -1)
        (right, *_), (left, *_) = SCAPULAE
        across = torch.linalg.norm(rest[:, left] - rest[:, right], dim=-1) / 4
        upright = torch.linalg.norm(steps[:, SPINE[1]], dim=-1) / 2
        found = [spine]
        for _, abduction, elevation, side in SCAPULAE:
            a, e = side * q[:, abduction], side * q[:, elevation] - np.pi / 4
            sideways = side * across * (np.sqrt(0.5) - torch.cos(a) * torch.cos(e))
            found.append(torch.stack([sideways, -upright * (torch.sin(e) + np.sqrt(0.5)), across * torch.sin(a)], -1)[:, None])
        return torch.cat(found, 1)

    def _smpl_rotations(self, local):
        identity = self.identity.expand(len(local), 1, 3, 3)
        return torch.cat([local, identity], 1)[:, self.skel_of_smpl]

    def _rest_bones(self, betas, rest, steps, orientations):
        if self.bone_shapedirs is not None:
            return self.bones_at_rest + torch.einsum("ncb,fb->fnc", self.bone_shapedirs[..., : betas.shape[-1]], betas)
        owner = self.bone_of_vertex
        scales = torch.linalg.norm(self.measure @ steps, dim=-1) / self.measure_from
        turned = (scales[..., None, None] * orientations)[:, owner]
        return (turned @ self.bone_template[..., None])[..., 0] + rest[:, owner]

    def _arguments(self, q, betas, transl):
        q = self._tensor(q)
        if q.ndim != 2 or q.shape[-1] != NUM_DOFS:
            raise ValueError(f"q needs shape (F, {NUM_DOFS}), not {tuple(q.shape)}")
        betas = self._tensor(betas)
        betas = betas.reshape(-1, betas.shape[-1])
        return q, betas, q.new_zeros(len(q), 3) if transl is None else self._tensor(transl)

    def _tensor(self, value):
        if not torch.is_tensor(value):
            value = np.array(value)  # records are read-only, which torch warns of
        return torch.as_tensor(value, dtype=self.dtype, device=self.device)


def arc_displacement(angle):
    """The end of an arc of length 1 that bends by `angle`: (1 - cos a) / a aside, 1 - sin a / a lower; smooth at 0."""
    small = angle.abs() < 0.1
    safe = torch.where(small, torch.ones_like(angle), angle)
    square = torch.where(small, angle, torch.zeros_like(angle)) ** 2
    # Taylor series: the next terms are below 1e-15 where they are used.
    aside = angle * (1 / 2 - square * (1 / 24 - square * (1 / 720 - square / 40320)))
    lower = square * (1 / 6 - square * (1 / 120 - square * (1 / 5040 - square / 362880)))
    return torch.where(small, aside, (1 - torch.cos(safe)) / safe), torch.where(small, lower, 1 - torch.sin(safe) / safe)


def _offsets(rest, tree):
    return torch.cat([rest[:, :1], rest[:, 1:] - rest[:, tree.parents[1:]]], 1)


def _shift_ancestors():
    """(24,5): which of the joints that shift each joint is carried by, itself included."""
    carried = np.zeros((24, len(_SHIFTED_JOINTS)))
    for joint in range(24):
        above = joint
        while above >= 0:
            carried[joint, [column for column, shifted in enumerate(_SHIFTED_JOINTS) if shifted == above]] = 1
            above = SKEL_PARENTS[above]
    return carried


def _joint_dofs():
    """Each joint's first, second and third angle in q, (3,24); NUM_DOFS, which stands for no turn, where it has fewer."""
    turns = np.full((3, 24), NUM_DOFS)
    for joint, dofs in enumerate(JOINT_DOFS):
        turns[: dofs.stop - dofs.start, joint] = np.arange(dofs.start, dofs.stop)
    return turns


def _skel_joint_of_smpl():
    """Which SKEL joint feeds each SMPL joint, (24,): of two the later one; 24, which stands for no turn, where there is none."""
    feeding = np.full(24, 24)
    for joint, smpl in enumerate(SMPL_OF_SKEL):
        feeding[smpl] = joint
    return feeding


_INDICES = {
    "turns": _joint_dofs(),
    "skel_of_smpl": _skel_joint_of_smpl(),
    "dof_joints": DOF_JOINTS,
    "aligned": _ALIGNED,
    "fixed": _FIXED,
    "in_order": np.argsort(np.concatenate([_ALIGNED, _FIXED])),
}


def _skew(v):
    """The matrix (..., 3, 3) that multiplies like the cross product with v (..., 3)."""
    x, y, z = v.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
