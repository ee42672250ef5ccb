"""Kinematics and linear blend skinning of SMPL-family bodies, batched over frames and differentiable.

Source of every equation: Loper et al. 2015, "SMPL: A Skinned Multi-Person Linear Model".
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import roma
import torch

from ..core.array_types import ArrayLike, FloatArray
from ..core.skeletons import SMPL_PARENTS


def rotmats_from_pose(global_orient: torch.Tensor, body_pose: torch.Tensor) -> torch.Tensor:
    """Local rotation matrices (F,J,3,3) of a pose.

    Args:
        global_orient: (F,3) rad as rotation vectors, or (F,3,3) or (F,1,3,3) as matrices.
        body_pose: (F,3(J-1)) or (F,J-1,3) rad, or (F,J-1,3,3).
    """
    frames = len(global_orient)
    if body_pose.ndim == 4:
        return torch.cat([global_orient.reshape(frames, 1, 3, 3), body_pose], 1)
    rotvecs = torch.cat([global_orient.reshape(frames, 1, 3), body_pose.reshape(frames, -1, 3)], 1)
    return roma.rotvec_to_rotmat(rotvecs)


# ---- kinematics -------------------------------------------------------------------------------------------------------


class KinematicTree:
    """The joints of a skeleton grouped by depth, so that kinematics takes one step per level instead of one per joint.

    parents: (J,) int, -1 at the root, each parent before its children. As an attribute, 0 stands for the root's parent.
    """

    def __init__(self, parents: ArrayLike, device: torch.device | str) -> None:
        parents = np.asarray(parents)
        depth = np.zeros(len(parents), int)
        for joint in range(1, len(parents)):
            depth[joint] = depth[parents[joint]] + 1
        order = np.argsort(depth, kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        self.parents: torch.Tensor = torch.as_tensor(np.maximum(parents, 0), device=device)
        self.rank: torch.Tensor = torch.as_tensor(rank, device=device)
        # For each level below the root: its joints, and the positions of their parents within the level above.
        self.levels: list[tuple[torch.Tensor, torch.Tensor]] = []
        level_above = order[:1]
        for level in range(1, depth.max() + 1):
            joints = order[depth[order] == level]
            slots = [int(np.flatnonzero(level_above == parents[joint])[0]) for joint in joints]
            self.levels.append((torch.as_tensor(joints, device=device), torch.as_tensor(slots, device=device)))
            level_above = joints


@lru_cache
def smpl_tree(device: torch.device | str = "cpu") -> KinematicTree:
    """The KinematicTree of SMPL's 24 joints."""
    with torch.inference_mode(False):  # tensors made in inference mode could not be used for gradients later
        return KinematicTree(SMPL_PARENTS, device)


def global_rotmats(local: torch.Tensor, tree: KinematicTree) -> torch.Tensor:
    """Global rotations (F,J,3,3) of rotations relative to the parents (F,J,3,3)."""
    return forward_kinematics(local, local.new_zeros(1, local.shape[1], 3), tree)[1]


def local_rotmats(rotations: torch.Tensor, tree: KinematicTree) -> torch.Tensor:
    """Rotations relative to the parents (F,J,3,3) of global rotations (F,J,3,3): the inverse of `global_rotmats`."""
    return torch.cat([rotations[:, :1], rotations[:, tree.parents[1:]].mT @ rotations[:, 1:]], 1)


def forward_kinematics(rotmats: torch.Tensor, rest_joints: torch.Tensor, tree: KinematicTree) -> tuple[torch.Tensor, torch.Tensor]:
    """Pose a skeleton.

    Args:
        rotmats: (F,J,3,3), local. rest_joints: (F,J,3) or (1,J,3) m.

    Returns:
        joints (F,J,3) m with the root at its rest position, and global rotations (F,J,3,3). Source: eq. 4.
    """
    offsets = rest_joints - rest_joints[:, tree.parents]
    rotations = [rotmats[:, :1]]
    joints = [rest_joints[:, :1].expand(len(rotmats), -1, -1)]
    for members, slots in tree.levels:
        parent_rotations = rotations[-1][:, slots]
        joints.append(joints[-1][:, slots] + (parent_rotations @ offsets[:, members, :, None])[..., 0])
        rotations.append(parent_rotations @ rotmats[:, members])
    return torch.cat(joints, 1)[:, tree.rank], torch.cat(rotations, 1)[:, tree.rank]


def descendant_matrix(parents: ArrayLike) -> FloatArray:
    """(J,J): 1 where the column's joint is the row's joint or hangs below it, else 0."""
    parents = np.asarray(parents)
    below = np.eye(len(parents))
    for joint in range(len(parents) - 1, 0, -1):
        below[parents[joint]] += below[joint]
    return below


# ---- skinning ---------------------------------------------------------------------------------------------------------


class Skin(NamedTuple):
    """Skin vertices to pose, all of a body's or some: v_template (V,3) m, shapedirs (V,3,B), posedirs (V,3,9(J-1)) or None,
    lbs_weights (V,J)."""

    v_template: torch.Tensor
    shapedirs: torch.Tensor
    posedirs: torch.Tensor | None
    lbs_weights: torch.Tensor

    def subset(self, vertices: torch.Tensor) -> "Skin":
        """The skin of some vertices (indices)."""
        posedirs = None if self.posedirs is None else self.posedirs[vertices]
        return Skin(self.v_template[vertices], self.shapedirs[vertices], posedirs, self.lbs_weights[vertices])


def shape_points(template: torch.Tensor, shapedirs: torch.Tensor, betas: torch.Tensor) -> torch.Tensor:
    """Points or joints (F,N,3) m of shapes betas (F,B): template (N,3) m plus shapedirs (N,3,>=B) times betas. Source: eq. 8, 10."""
    return template + torch.einsum("vcb,fb->fvc", shapedirs[..., : betas.shape[-1]], betas)


def pose_skin(
    skin: Skin, betas: torch.Tensor, rotmats: torch.Tensor, joints: torch.Tensor, rotations: torch.Tensor, rest_joints: torch.Tensor
) -> torch.Tensor:
    """Vertices (F,V,3) m of a Skin, with blend shapes of shape and pose.

    Args:
        betas: (F,B) or (1,B). rotmats: (F,J,3,3), local, which the pose blend shapes depend on.
        joints, rotations, rest_joints: as of `skin_vertices`.
    """
    vertices = shape_points(skin.v_template, skin.shapedirs, betas)
    if skin.posedirs is not None:
        vertices = vertices + pose_blend_shapes(rotmats, skin.posedirs)
    return skin_vertices(vertices, skin.lbs_weights, joints, rotations, rest_joints)


def skin_vertices(
    vertices: torch.Tensor, lbs_weights: torch.Tensor, joints: torch.Tensor, rotations: torch.Tensor, rest_joints: torch.Tensor
) -> torch.Tensor:
    """Linear blend skinning.

    Args:
        vertices: (F,V,3) or (1,V,3) m, at rest, pose blend shapes included. lbs_weights: (V,J).
        joints: (F,J,3) m and rotations (F,J,3,3), from `forward_kinematics`. rest_joints: (F,J,3) or (1,J,3) m.

    Returns:
        (F,V,3) m. Source: eq. 2-3.
    """
    # Transforms that map the rest pose onto itself: x -> G x + (joint - G rest_joint).
    shift = joints - (rotations @ rest_joints[..., None])[..., 0]
    blended = torch.cat([rotations, shift[..., None]], -1).flatten(2)
    blended = torch.matmul(lbs_weights, blended).unflatten(-1, (3, 4))
    return (blended[..., :3] * vertices[:, :, None, :]).sum(-1) + blended[..., 3]


def pose_blend_shapes(rotmats: torch.Tensor, posedirs: torch.Tensor) -> torch.Tensor:
    """Vertex offsets (F,V,3) m that correct skinning: posedirs (V,3,9(J-1)) times the local rotations (F,J,3,3) minus identity.

    Source: eq. 9.
    """
    feature = rotmats[:, 1:] - torch.eye(3, dtype=rotmats.dtype, device=rotmats.device)
    return (feature.flatten(1) @ posedirs.flatten(0, 1).T).unflatten(1, (-1, 3))
