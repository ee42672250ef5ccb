"""SKEL in torch: joints, skin and bones of a shape in many poses, from 46 anatomical angles. Source: Keller et al. 2023.

core/skel/kinematics is the plain numpy version; it explains the steps and how they were checked against the published forward.
Differences to the published code: batched over frames, differentiable at every q (arcs at angle 0
included), and bone meshes scaled alike in all directions (ours; the published model measures the skin at fixed vertices).
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from ..core.array_types import ArrayLike, FloatArray, IntArray
from ..core.skel.kinematics import BONE_SIZE_SUMS, FILE_DIRECTION_SUMS, SCAPULAE, SHAPED_DIRECTION_SUMS, SPINE, SPINE_DOFS
from ..core.skel.template import SkelTemplate
from ..core.skel.vocabulary import DOF_AXES, DOF_JOINTS, JOINT_DOFS, NUM_DOFS, SKEL_PARENTS, SMPL_OF_SKEL
from .chunking import run_in_chunks
from .lbs import KinematicTree, Skin, forward_kinematics, pose_skin, shape_points, skin_vertices
from .rotations import cross_product_matrix, rotmats_about_axes
from .tensors import TensorLike, to_tensor

# Vertices skinned at once, over all frames of a chunk: twelve floats each, 40 MB.
CHUNK_VERTICES = 800_000
# Joints that shift from their parents as their angles change.
SHIFTED_JOINTS = (*SPINE, *(joint for joint, *_ in SCAPULAE))
_ALIGNED = np.flatnonzero(FILE_DIRECTION_SUMS.any(1))
_FIXED = np.flatnonzero(~FILE_DIRECTION_SUMS.any(1))


class SkelOutput(NamedTuple):
    """A posed body: joints (F,24,3) m, rotations (F,24,3,3) from rest, vertices (F,V,3) and bone_vertices (F,N,3) m or None."""

    joints: torch.Tensor
    rotations: torch.Tensor
    vertices: torch.Tensor | None = None
    bone_vertices: torch.Tensor | None = None


class Skel(nn.Module):
    """A SKEL body, posed over F frames; differentiable in every argument.

    Every method takes
        q: (F,46) rad, in the order of core/skel/vocabulary.DOF_NAMES.
        betas: (B,) or (1,B), one shape for the clip, or (F,B), B <= 10.
        transl: (F,3) m, or None. Joint 0 lies at its rest position plus transl.
    as tensors or arrays.
    """

    J_template: torch.Tensor
    J_shapedirs: torch.Tensor
    per_joint_rot: torch.Tensor
    axes: torch.Tensor
    bone_template: torch.Tensor
    bone_weights: torch.Tensor
    bone_shapedirs: torch.Tensor | None
    bones_at_rest: torch.Tensor | None
    bone_of_vertex: torch.Tensor
    file_directions: torch.Tensor
    file_sizes: torch.Tensor
    direction_sums: torch.Tensor
    size_sums: torch.Tensor
    shift_ancestors: torch.Tensor
    dofs_of_joints: torch.Tensor
    skel_of_smpl: torch.Tensor
    dof_joints: torch.Tensor
    aligned: torch.Tensor
    fixed: torch.Tensor
    in_order: torch.Tensor

    def __init__(self, template: SkelTemplate, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.template = template
        self.tree = KinematicTree(SKEL_PARENTS, device)
        self.device, self.dtype = torch.device(device), dtype
        self.faces: IntArray = template.faces
        self.bone_faces: IntArray = template.bone_faces
        transfo = template.apose_rel_transfo
        directions = np.einsum("jab,jb->ja", template.per_joint_rot, FILE_DIRECTION_SUMS @ transfo[:, :3, 3])[_ALIGNED]
        has_bone_shapes = template.bone_shapedirs is not None
        buffers: dict[str, ArrayLike | None] = {
            "J_template": template.J_template,
            "J_shapedirs": template.J_shapedirs,
            "per_joint_rot": template.per_joint_rot,
            "axes": np.einsum("dba,db->da", transfo[DOF_JOINTS, :3, :3], DOF_AXES),  # in the frames Ra^T
            # Bones are turned from their directions in the file, and scaled from their sizes in it.
            "file_directions": directions / np.linalg.norm(directions, axis=-1, keepdims=True),
            "file_sizes": np.linalg.norm(BONE_SIZE_SUMS @ transfo[:, :3, 3], axis=-1),
            "direction_sums": SHAPED_DIRECTION_SUMS[_ALIGNED],
            "size_sums": BONE_SIZE_SUMS,
            "shift_ancestors": _shift_ancestors(),
            "bone_template": template.bone_template,
            "bone_weights": template.bone_weights,
            "bone_shapedirs": template.bone_shapedirs,
            "bones_at_rest": template.rest_bone_vertices(np.zeros(1)) if has_bone_shapes else None,
        }
        for name, value in buffers.items():
            self.register_buffer(name, None if value is None else self._tensor(value))
        for name, indices in {**_INDICES, "bone_of_vertex": template.bone_of_vertex}.items():
            self.register_buffer(name, torch.as_tensor(np.array(indices), device=device))
        posedirs = None if template.posedirs is None else self._tensor(template.posedirs)
        self.skin = Skin(self._tensor(template.v_template), self._tensor(template.shapedirs), posedirs, self._tensor(template.lbs_weights))

    def forward(
        self,
        q: TensorLike,
        betas: TensorLike,
        transl: TensorLike | None = None,
        skin: Skin | None = None,
        with_skin: bool = True,
        with_bones: bool = False,
        chunk: int | None = None,
    ) -> SkelOutput:
        """Pose the body.

        Args:
            skin: the vertices to pose, from `subset`; all when None. with_skin, with_bones: whether to pose skin and bone meshes.
            chunk: frames posed at once; as many as fit CHUNK_VERTICES when None.
        """
        posed = self._pose_in_chunks(q, betas, transl, (skin or self.skin) if with_skin else None, with_bones, chunk)
        return SkelOutput(posed[0], posed[1], posed[2] if with_skin else None, posed[-1] if with_bones else None)

    def joints(self, q: TensorLike, betas: TensorLike, transl: TensorLike | None = None) -> torch.Tensor:
        """Posed joints (F,24,3) m; no vertex is computed."""
        return self._pose_in_chunks(q, betas, transl, None)[0]

    def vertices(self, q: TensorLike, betas: TensorLike, transl: TensorLike | None = None) -> torch.Tensor:
        """The whole posed skin (F,V,3) m."""
        return self._pose_in_chunks(q, betas, transl, self.skin)[2]

    def subset(self, vertices: ArrayLike) -> Skin:
        """The Skin of some vertices (indices), for `forward`: for a fit over a fixed thousand of them."""
        return self.skin.subset(torch.as_tensor(np.asarray(vertices), dtype=torch.long, device=self.device))

    def rest_joints(self, betas: torch.Tensor) -> torch.Tensor:
        """(1,24,3) or (F,24,3) m: joints at rest of the shapes betas (1,B) or (F,B)."""
        return shape_points(self.J_template, self.J_shapedirs, betas)

    def bone_orientations(self, betas: torch.Tensor) -> torch.Tensor:
        """K, (1,24,3,3) or (F,24,3,3): body_from_bone at rest, of the shapes betas (1,B) or (F,B)."""
        return self._orientations(_offsets(self.rest_joints(betas), self.tree))

    def _pose_in_chunks(
        self,
        q: TensorLike,
        betas: TensorLike,
        transl: TensorLike | None,
        skin: Skin | None,
        with_bones: bool = False,
        chunk: int | None = None,
    ) -> tuple[torch.Tensor, ...]:
        """Joints and rotations of all frames, then the skin's vertices where there is a skin, then the bones' where asked for."""
        angles, shape, shift = self._arguments(q, betas, transl)
        vertices = (0 if skin is None else len(skin.v_template)) + (len(self.bone_template) if with_bones else 0)

        def pose(rows: slice) -> tuple[torch.Tensor, ...]:
            return self._pose(angles[rows], shape if len(shape) == 1 else shape[rows], shift[rows], skin, with_bones)

        return run_in_chunks(pose, len(angles), chunk or max(CHUNK_VERTICES // max(vertices, 24), 1))

    def _pose(
        self, q: torch.Tensor, betas: torch.Tensor, transl: torch.Tensor, skin: Skin | None, with_bones: bool
    ) -> tuple[torch.Tensor, ...]:
        """The same of one chunk of a clip."""
        rest = self.rest_joints(betas)
        offsets = _offsets(rest, self.tree)
        orientations = self._orientations(offsets)
        local = self._local_rotations(q, orientations)
        # A shift adds to a joint's offset from its parent: the same as a rest position moved by the sum of all shifts above it.
        shifted = rest + self.shift_ancestors @ self._shifts(q, rest, offsets)
        joints, rotations = forward_kinematics(local, shifted, self.tree)
        found = [joints + transl[:, None], rotations]
        if skin is not None:
            found.append(pose_skin(skin, betas, self._smpl_rotations(local), joints, rotations, rest) + transl[:, None])
        if with_bones:
            bones = self._rest_bones(betas, rest, offsets, orientations)
            found.append(skin_vertices(bones, self.bone_weights, joints, rotations, rest) + transl[:, None])
        return tuple(found)

    def _orientations(self, offsets: torch.Tensor) -> torch.Tensor:
        """K of each bone: the least rotation of its direction in the file onto that between the shaped joints."""
        target = self.direction_sums @ offsets
        target = target / torch.linalg.norm(target, dim=-1, keepdim=True).clamp_min(1e-12)
        source = self.file_directions.expand_as(target)
        cross = cross_product_matrix(torch.linalg.cross(source, target))
        cosine = (source * target).sum(-1)[..., None, None]
        identity = torch.eye(3, dtype=offsets.dtype, device=offsets.device)
        rotation = identity + cross + cross @ cross / (1 + cosine).clamp_min(1e-9)
        fixed = self.per_joint_rot[self.fixed].expand(len(offsets), -1, -1, -1)
        return torch.cat([rotation @ self.per_joint_rot[self.aligned], fixed], 1)[:, self.in_order]

    def _local_rotations(self, q: torch.Tensor, orientations: torch.Tensor) -> torch.Tensor:
        """Rotations about each angle's axis, in the body's axes at rest: R3 R2 R1 of each joint, (F,24,3,3)."""
        axes = (orientations[:, self.dof_joints] @ self.axes[..., None])[..., 0]
        single = _append_identity(rotmats_about_axes(axes, q))
        first, second, third = self.dofs_of_joints.unbind()
        return single[:, third] @ (single[:, second] @ single[:, first])

    def _shifts(self, q: torch.Tensor, rest: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        """Shifts (F,5,3) m of SHIFTED_JOINTS: arcs of the spine, ellipsoid of the scapulae, curve(q) - curve(0)."""
        bending, extension = np.array(SPINE_DOFS).T
        sideways, lowered_by_bending = arc_displacement(q[:, bending])
        backwards, lowered_by_extension = arc_displacement(q[:, extension])
        length = offsets[:, list(SPINE), 1].abs()[..., None]
        shifts = [length * torch.stack([-sideways, -lowered_by_bending - lowered_by_extension, -backwards], -1)]
        (right, *_), (left, *_) = SCAPULAE
        radius_across = torch.linalg.norm(rest[:, left] - rest[:, right], dim=-1) / 4
        radius_up = torch.linalg.norm(offsets[:, SPINE[1]], dim=-1) / 2
        for _, abduction, elevation, side in SCAPULAE:
            a, e = side * q[:, abduction], side * q[:, elevation] - np.pi / 4
            x = side * radius_across * (np.sqrt(0.5) - torch.cos(a) * torch.cos(e))
            shifts.append(torch.stack([x, -radius_up * (torch.sin(e) + np.sqrt(0.5)), radius_across * torch.sin(a)], -1)[:, None])
        return torch.cat(shifts, 1)

    def _smpl_rotations(self, local: torch.Tensor) -> torch.Tensor:
        """The local rotations (F,24,3,3) of SMPL's joints, which the pose blend shapes depend on."""
        return _append_identity(local)[:, self.skel_of_smpl]

    def _rest_bones(self, betas: torch.Tensor, rest: torch.Tensor, offsets: torch.Tensor, orientations: torch.Tensor) -> torch.Tensor:
        """Bone meshes at rest, (1,N,3) or (F,N,3) m."""
        if self.bone_shapedirs is not None and self.bones_at_rest is not None:
            return shape_points(self.bones_at_rest, self.bone_shapedirs, betas)
        owner = self.bone_of_vertex
        scales = torch.linalg.norm(self.size_sums @ offsets, dim=-1) / self.file_sizes
        transforms = (scales[..., None, None] * orientations)[:, owner]
        return (transforms @ self.bone_template[..., None])[..., 0] + rest[:, owner]

    def _arguments(self, q: TensorLike, betas: TensorLike, transl: TensorLike | None) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """q (F,46), betas (1,B) or (F,B), transl (F,3)."""
        angles = self._tensor(q)
        if angles.ndim != 2 or angles.shape[-1] != NUM_DOFS:
            raise ValueError(f"q needs shape (F, {NUM_DOFS}), not {tuple(angles.shape)}")
        shape = self._tensor(betas)
        shape = shape.reshape(-1, shape.shape[-1])
        return angles, shape, angles.new_zeros(len(angles), 3) if transl is None else self._tensor(transl)

    def _tensor(self, value: TensorLike) -> torch.Tensor:
        return to_tensor(value, self.dtype, self.device)


def arc_displacement(angle: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The end of an arc of length 1 bent by `angle` rad: (1 - cos a) / a sideways, 1 - sin a / a lower; smooth at 0."""
    small = angle.abs() < 0.1
    safe = torch.where(small, torch.ones_like(angle), angle)
    square = torch.where(small, angle, torch.zeros_like(angle)) ** 2
    # Taylor series: the next terms are below 1e-15 where they are used.
    sideways = angle * (1 / 2 - square * (1 / 24 - square * (1 / 720 - square / 40320)))
    lower = square * (1 / 6 - square * (1 / 120 - square * (1 / 5040 - square / 362880)))
    return torch.where(small, sideways, (1 - torch.cos(safe)) / safe), torch.where(small, lower, 1 - torch.sin(safe) / safe)


def _append_identity(rotmats: torch.Tensor) -> torch.Tensor:
    """Rotations (F,N,3,3) and one more that does not rotate, (F,N+1,3,3)."""
    identity = torch.eye(3, dtype=rotmats.dtype, device=rotmats.device)
    return torch.cat([rotmats, identity.expand(len(rotmats), 1, 3, 3)], 1)


def _offsets(rest: torch.Tensor, tree: KinematicTree) -> torch.Tensor:
    """Each joint's offset from its parent, (F,24,3) m; the root's position."""
    return torch.cat([rest[:, :1], rest[:, 1:] - rest[:, tree.parents[1:]]], 1)


def _shift_ancestors() -> FloatArray:
    """(24,5): 1 where the row's joint is the column's shifted joint or hangs below it, else 0."""
    ancestors = np.zeros((24, len(SHIFTED_JOINTS)))
    for joint in range(24):
        above = joint
        while above >= 0:
            ancestors[joint, [column for column, shifted in enumerate(SHIFTED_JOINTS) if shifted == above]] = 1
            above = SKEL_PARENTS[above]
    return ancestors


def _dofs_of_joints() -> IntArray:
    """Each joint's first, second and third angle in q, (3,24); NUM_DOFS, which stands for no rotation, where it has fewer."""
    dofs_of_joints = np.full((3, 24), NUM_DOFS)
    for joint, dofs in enumerate(JOINT_DOFS):
        dofs_of_joints[: dofs.stop - dofs.start, joint] = np.arange(dofs.start, dofs.stop)
    return dofs_of_joints


def _skel_joint_of_smpl() -> IntArray:
    """The SKEL joint that gives each SMPL joint its rotation, (24,): of two the later one; 24, for no rotation, where there is none."""
    skel_joint = np.full(24, 24)
    for joint, smpl in enumerate(SMPL_OF_SKEL):
        skel_joint[smpl] = joint
    return skel_joint


_INDICES: dict[str, IntArray] = {
    "dofs_of_joints": _dofs_of_joints(),
    "skel_of_smpl": _skel_joint_of_smpl(),
    "dof_joints": DOF_JOINTS,
    "aligned": _ALIGNED,
    "fixed": _FIXED,
    "in_order": np.argsort(np.concatenate([_ALIGNED, _FIXED])),
}
