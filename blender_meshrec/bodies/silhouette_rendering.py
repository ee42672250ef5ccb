"""Silhouettes of posed bodies on the CPU: points strewn over the skin, posed like vertices, dropped into pixels.

At a hundred pixels a triangle is smaller than a pixel, so points at a spacing below half of one show what triangles would.
Ours. B bodies, N points, S pixels a side.
"""

import numpy as np
import torch

from .lbs import KinematicTree, forward_kinematics, pose_blend_shapes, skin_vertices

# Between neighbouring points, m.
SPACING = 0.014


class SurfacePoints:
    """Points of a BodyTemplate's skin, about SPACING apart, that are posed together: `pose`."""

    def __init__(self, template, device="cpu", spacing=SPACING):
        faces, shares = scatter_surface_points(template.v_template, template.faces, spacing)
        corners = template.faces[faces]

        def mixed(values):
            blend = np.einsum("nc,nc...->n...", shares, np.asarray(values, np.float32)[corners])
            return torch.as_tensor(blend, dtype=torch.float32, device=device)

        self.tree = KinematicTree(template.parents, device)
        self.smpl_joint_indices = template.smpl_joint_indices.tolist()
        self.v_template, self.shapedirs, self.lbs_weights = (
            mixed(getattr(template, n)) for n in ("v_template", "shapedirs", "lbs_weights")
        )
        self.posedirs = None if template.posedirs is None else mixed(template.posedirs)
        self.J_template, self.J_shapedirs = (
            torch.as_tensor(np.array(value), dtype=torch.float32, device=device) for value in (template.J_template, template.J_shapedirs)
        )

    def rest_joints(self, betas):
        """(B,J,3) m of betas (B,K)."""
        return self.J_template + torch.einsum("jck,bk->bjc", self.J_shapedirs[..., : betas.shape[-1]], betas)

    def pose(self, betas, rotmats, transl, pose_correctives=True):
        """Points (B,N,3) and joints (B,J,3), m.

        Args:
            betas: (B,K). rotmats: (B,J,3,3), local. transl: (B,3) m. pose_correctives: with the pose blend shapes.
        """
        rest_joints = self.rest_joints(betas)
        joints, rotations = forward_kinematics(rotmats, rest_joints, self.tree)
        points = self.v_template + torch.einsum("vck,bk->bvc", self.shapedirs[..., : betas.shape[-1]], betas)
        if pose_correctives and self.posedirs is not None:
            points = points + pose_blend_shapes(rotmats, self.posedirs)
        points = skin_vertices(points, self.lbs_weights, joints, rotations, rest_joints)
        return points + transl[:, None], joints + transl[:, None]

    def shape_jacobian(self, rotmats, points):
        """How chosen points of one body move as its betas grow, (P,3,K) m.

        Args:
            rotmats: (J,3,3), local. points: (P,) indices of points.

        Source: SMPL eq. 2-4, all linear in betas while the rotations stay.
        """
        shapes = self.J_shapedirs.permute(2, 0, 1)
        joints, rotations = forward_kinematics(rotmats.expand(len(shapes), -1, -1, -1), shapes, self.tree)
        carried = joints - (rotations @ shapes[..., None])[..., 0]
        weights = self.lbs_weights[points]
        turned = torch.einsum("pj,jab,pbk->pak", weights, rotations[0], self.shapedirs[points])
        return turned + torch.einsum("pj,kja->pak", weights, carried)


def scatter_surface_points(vertices, faces, spacing):
    """Points spread evenly over a surface: the face of each, (N,), and what its corners count for, (N,3).

    Args:
        vertices: (V,3) m. faces: (T,3). spacing: m.

    The same surface gives the same points.
    """
    a, b, c = np.moveaxis(np.asarray(vertices, float)[faces], 1, 0)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=-1) / 2
    count = max(1, round(area.sum() / spacing**2))
    chosen = np.searchsorted(np.cumsum(area), (np.arange(count) + 0.5) / count * area.sum())
    chosen = np.minimum(chosen, len(faces) - 1)
    # Where in its face each point lies: the sequence of Roberts 2018, folded into the triangle.
    u, v = np.modf(np.outer(np.arange(1, count + 1), [0.7548776662466927, 0.5698402909980532]))[0].T
    outside = u + v > 1
    u, v = np.where(outside, 1 - u, u), np.where(outside, 1 - v, v)
    return chosen, np.stack([1 - u - v, u, v], -1).astype(np.float32)


def rasterise(points, windows, side, spacing=SPACING):
    """What a camera sees of points, in a window of its picture.

    Args:
        points: (B,N,3) m, camera axes (OpenCV), `spacing` m apart on the skin. windows: (B,4), left, top, width and height as
        x/z and y/z. side: px, S.

    Returns:
        silhouettes (B,S,S) bool, true where the middle of a pixel is covered, and nearness (B,S,S), 1/z of what is
        nearest in 1/m, zero beside the body.
    """
    count, fine = len(points), 2 * side
    near = 1 / points[..., 2].clamp_min(1e-2)
    at = ((points[..., :2] * near[..., None] - windows[:, None, :2]) * (fine / windows[:, None, 2:])).floor()
    seen = (points[..., 2] > 1e-2) & (at >= 0).all(-1) & (at < fine).all(-1)
    cell = torch.where(seen, at[..., 1] * fine + at[..., 0], float(fine * fine)).long()
    nearness = points.new_zeros(count, fine * fine + 1)
    nearness.scatter_reduce_(1, cell, near, "amax")
    nearness = nearness[:, :-1].reshape(count, fine, fine)
    # Gaps between points are closed, as a morphological closing does; where cells are smaller than the gaps, farther.
    cells = windows[:, 2:].amin(1) / fine / near.median(1).values
    radius = (0.75 * spacing / cells).ceil().clamp(1, 4)
    for size in radius.unique().int().tolist():
        rows = radius == size
        nearness[rows] = -_dilate(-_dilate(nearness[rows], size), size)
    # A cell is taken where any point falls into it, so a pixel's middle is covered where the cells on both sides of it are.
    quarters = [nearness[:, row::2, column::2] for row in (0, 1) for column in (0, 1)]
    covered = sum((quarter > 0).byte() for quarter in quarters) > 2
    return covered, torch.stack(quarters).amax(0) * covered


def _dilate(values, radius):
    """The largest of values (B,S,S) within a square of `radius` cells about each."""
    for axis in (1, 2):
        wide = values.clone()
        for step in range(1, radius + 1):
            kept = values.shape[axis] - step
            torch.maximum(wide.narrow(axis, 0, kept), values.narrow(axis, step, kept), out=wide.narrow(axis, 0, kept))
            torch.maximum(wide.narrow(axis, step, kept), values.narrow(axis, 0, kept), out=wide.narrow(axis, step, kept))
        values = wide
    return values


def silhouette_iou(silhouettes, others, valid=None):
    """Intersection over union (B,) of silhouettes (B,S,S) bool; pixels where `valid` is false do not count."""
    both, either = silhouettes & others, silhouettes | others
    if valid is not None:
        both, either = both & valid, either & valid
    return both.flatten(1).sum(1) / either.flatten(1).sum(1).clamp_min(1)
