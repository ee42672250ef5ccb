"""Silhouettes of posed bodies on the CPU: points scattered over the skin, posed like vertices and rasterised as points.

At a hundred pixels a side a triangle is smaller than a pixel, so points closer than half a pixel show the same as triangles.
Ours. B bodies, N points, S pixels a side.
"""

from typing import NamedTuple

import numpy as np
import torch

from ..core.array_types import ArrayLike, FloatArray, IntArray
from ..core.files.body_template import BodyTemplate
from .lbs import KinematicTree, Skin, forward_kinematics, pose_skin, shape_points
from .tensors import to_tensor

# Between neighbouring points, m.
SPACING = 0.014
MIN_DEPTH = 1e-2  # m: nearer points are not seen


class JointMotion(NamedTuple):
    """Of a posed body: its joints' rotations (J,3,3), global, and by how much each of K betas shifts what moves with them, (K,J,3) m."""

    rotations: torch.Tensor
    shifts: torch.Tensor


class SurfacePoints:
    """Points of a BodyTemplate's skin, about `spacing` m apart, that are posed together."""

    def __init__(self, template: BodyTemplate, device: torch.device | str = "cpu", spacing: float = SPACING) -> None:
        faces, barycentric = scatter_surface_points(template.v_template, template.faces, spacing)
        corners = template.faces[faces]

        def interpolate(values: ArrayLike) -> torch.Tensor:
            return to_tensor(np.einsum("nc,nc...->n...", barycentric, np.asarray(values, np.float32)[corners]), device=device)

        self.tree = KinematicTree(template.parents, device)
        self.smpl_joint_indices: list[int] = template.smpl_joint_indices.tolist()
        self.v_template = interpolate(template.v_template)
        self.shapedirs = interpolate(template.shapedirs)
        self.lbs_weights = interpolate(template.lbs_weights)
        self.posedirs = None if template.posedirs is None else interpolate(template.posedirs)
        self.J_template, self.J_shapedirs = (to_tensor(value, device=device) for value in (template.J_template, template.J_shapedirs))

    def rest_joints(self, betas: torch.Tensor) -> torch.Tensor:
        """(B,J,3) m of betas (B,K)."""
        return shape_points(self.J_template, self.J_shapedirs, betas)

    def pose(
        self, betas: torch.Tensor, rotmats: torch.Tensor, transl: torch.Tensor, pose_correctives: bool = True
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Points (B,N,3) and joints (B,J,3), m.

        Args:
            betas: (B,K). rotmats: (B,J,3,3), local. transl: (B,3) m. pose_correctives: with the pose blend shapes.
        """
        rest_joints = self.rest_joints(betas)
        joints, rotations = forward_kinematics(rotmats, rest_joints, self.tree)
        skin = Skin(self.v_template, self.shapedirs, self.posedirs if pose_correctives else None, self.lbs_weights)
        points = pose_skin(skin, betas, rotmats, joints, rotations, rest_joints)
        return points + transl[:, None], joints + transl[:, None]

    def joint_motion(self, rotmats: torch.Tensor) -> list[JointMotion]:
        """What the betas move with each joint of bodies in poses (B,J,3,3), local."""
        count, shapes = len(rotmats), self.J_shapedirs.permute(2, 0, 1)
        each = rotmats.repeat_interleave(len(shapes), 0)
        joints, rotations = forward_kinematics(each, shapes.repeat(count, 1, 1), self.tree)
        shifts = joints - (rotations @ shapes.repeat(count, 1, 1)[..., None])[..., 0]
        shifts, rotations = (values.reshape(count, len(shapes), *values.shape[1:]) for values in (shifts, rotations))
        return [JointMotion(*motion) for motion in zip(rotations[:, 0], shifts, strict=True)]

    def shape_jacobian(self, motion: JointMotion, points: torch.Tensor) -> torch.Tensor:
        """Derivatives (P,3,K) m of some points of one body, of this motion, with respect to its K betas.

        Args:
            points: (P,) indices of points.

        Source: SMPL eq. 2-4, which are linear in betas while the rotations are constant.
        """
        weights = self.lbs_weights[points]
        rotated = torch.einsum("pj,jab,pbk->pak", weights, motion.rotations, self.shapedirs[points])
        return rotated + torch.einsum("pj,kja->pak", weights, motion.shifts)


def scatter_surface_points(vertices: ArrayLike, faces: IntArray, spacing: float) -> tuple[IntArray, FloatArray]:
    """Points spread evenly over a surface: the face of each, (N,), and its barycentric coordinates, (N,3).

    Args:
        vertices: (V,3) m. faces: (T,3). spacing: m.

    The same surface gives the same points.
    """
    a, b, c = np.moveaxis(np.asarray(vertices, float)[faces], 1, 0)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=-1) / 2
    count = max(1, round(area.sum() / spacing**2))
    chosen = np.searchsorted(np.cumsum(area), (np.arange(count) + 0.5) / count * area.sum())
    chosen = np.minimum(chosen, len(faces) - 1)
    # Positions within the faces: the low-discrepancy sequence of Roberts 2018, folded into the triangle.
    u, v = np.modf(np.outer(np.arange(1, count + 1), [0.7548776662466927, 0.5698402909980532]))[0].T
    outside = u + v > 1
    u, v = np.where(outside, 1 - u, u), np.where(outside, 1 - v, v)
    return chosen, np.stack([1 - u - v, u, v], -1).astype(np.float32)


def rasterise(points: torch.Tensor, windows: torch.Tensor, side: int, spacing: float = SPACING) -> tuple[torch.Tensor, torch.Tensor]:
    """Silhouettes and inverse depths of points in windows of the picture.

    Args:
        points: (B,N,3) m, camera axes (OpenCV), `spacing` m apart on the skin.
        windows: (B,4), left, top, width and height as x/z and y/z. side: px, S.

    Returns:
        silhouettes (B,S,S) bool, true where a pixel's centre is covered, and nearness (B,S,S), 1/z of the nearest point
        in 1/m, zero outside the silhouette.
    """
    fine = 2 * side
    nearness = _nearness_of_cells(points, windows, fine)
    # Gaps between points are closed by morphological closing; the smaller the cells, the larger its radius.
    cell_size = windows[:, 2:].amin(1) / fine / _inverse_depth(points).median(1).values
    radius = (0.75 * spacing / cell_size).ceil().clamp(1, 4)
    for size in radius.unique().int().tolist():
        rows = radius == size
        nearness[rows] = -_dilate(-_dilate(nearness[rows], size), size)
    # A cell is filled where any point falls into it, so a pixel's centre is covered where the cells on both sides of it are.
    quarters = torch.stack([nearness[:, row::2, column::2] for row in (0, 1) for column in (0, 1)])
    covered = (quarters > 0).sum(0) > 2
    return covered, quarters.amax(0) * covered


def _inverse_depth(points: torch.Tensor) -> torch.Tensor:
    return 1 / points[..., 2].clamp_min(MIN_DEPTH)


def _nearness_of_cells(points: torch.Tensor, windows: torch.Tensor, side: int) -> torch.Tensor:
    """The largest 1/z of the points (B,N,3) in each of side x side cells of their window, (B,side,side); 0 in empty cells."""
    inverse_depth = _inverse_depth(points)
    position = ((points[..., :2] * inverse_depth[..., None] - windows[:, None, :2]) * (side / windows[:, None, 2:])).floor()
    inside = (points[..., 2] > MIN_DEPTH) & (position >= 0).all(-1) & (position < side).all(-1)
    cell = torch.where(inside, position[..., 1] * side + position[..., 0], float(side * side)).long()  # the last cell takes the rest
    nearness = points.new_zeros(len(points), side * side + 1)
    nearness.scatter_reduce_(1, cell, inverse_depth, "amax")
    return nearness[:, :-1].reshape(len(points), side, side)


def _dilate(values: torch.Tensor, radius: int) -> torch.Tensor:
    """The largest of values (B,S,S) within a square of `radius` cells about each."""
    for axis in (1, 2):
        wide = values.clone()
        for step in range(1, radius + 1):
            overlap = values.shape[axis] - step
            torch.maximum(wide.narrow(axis, 0, overlap), values.narrow(axis, step, overlap), out=wide.narrow(axis, 0, overlap))
            torch.maximum(wide.narrow(axis, step, overlap), values.narrow(axis, 0, overlap), out=wide.narrow(axis, step, overlap))
        values = wide
    return values


def silhouette_iou(silhouettes: torch.Tensor, others: torch.Tensor, valid: torch.Tensor | None = None) -> torch.Tensor:
    """Intersection over union (B,) of silhouettes (B,S,S) bool; pixels where `valid` is false do not count."""
    both, either = silhouettes & others, silhouettes | others
    if valid is not None:
        both, either = both & valid, either & valid
    return both.flatten(1).sum(1) / either.flatten(1).sum(1).clamp_min(1)
