"""Silhouettes of points scattered over a body agree with those of its triangles."""

import numpy as np
import pytest
import torch

from blender_meshrec.bodies.silhouette_rendering import SPACING, rasterise, scatter_surface_points, silhouette_iou
from blender_meshrec.bodies.smpl import Smpl
from blender_meshrec.core.rotations import rotmat_from_rotvec

torch.set_num_threads(1)
FACING_CAMERA = rotmat_from_rotvec(np.array([np.pi, 0.0, 0.0]))
SIDE = 96


def pose(rng, count=1, bend=0.3):
    """betas (B,10), local rotations (B,24,3,3) of people upright before a camera, transl (B,3)."""
    betas = torch.as_tensor(rng.normal(size=(count, 10)), dtype=torch.float32)
    rotmats = rotmat_from_rotvec(rng.normal(0, bend, (count, 24, 3)))
    rotmats[:, 0] = FACING_CAMERA @ rotmats[:, 0]
    transl = rng.normal(0, 0.1, (count, 3)) + [0, 0.2, 4]
    return betas, torch.as_tensor(rotmats, dtype=torch.float32), torch.as_tensor(transl, dtype=torch.float32)


def window_of(points, margin=1.2):
    """A square window around points (B,N,3), (B,4)."""
    rays = points[..., :2] / points[..., 2:]
    low, high = rays.amin(1), rays.amax(1)
    side = (high - low).amax(1, keepdim=True) * margin
    return torch.cat([(low + high - side) / 2, side, side], 1)


def triangles_seen(vertices, faces, window, side):
    """Slow and obvious: which pixels' middles lie in any triangle (S,S), and 1/z of the nearest there."""
    near = 1 / vertices[:, 2]
    at = (vertices[:, :2] * near[:, None] - window[:2]) / window[2:] * side
    seen, nearness = np.zeros((side, side), bool), np.zeros((side, side))
    middles = np.arange(side) + 0.5
    for face in faces:
        (ax, ay), (bx, by), (cx, cy) = at[face]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-12:
            continue
        columns = np.flatnonzero((middles >= min(ax, bx, cx)) & (middles <= max(ax, bx, cx)))
        for row in np.flatnonzero((middles >= min(ay, by, cy)) & (middles <= max(ay, by, cy))):
            x, y = middles[columns], middles[row]
            b = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
            c = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area
            inside = (b >= 0) & (c >= 0) & (b + c <= 1)
            hit = columns[inside]
            seen[row, hit] = True
            depth = ((1 - b - c) * near[face[0]] + b * near[face[1]] + c * near[face[2]])[inside]
            nearness[row, hit] = np.maximum(nearness[row, hit], depth)
    return seen, nearness


def test_points_are_spread_evenly_over_a_surface():
    # Two triangles: one of four times the other's area.
    vertices = np.array([[0, 0, 0], [2, 0, 0], [0, 2, 0], [0, 0, 1], [1, 0, 1], [0, 1, 1]], float)
    faces, barycentric = scatter_surface_points(vertices, np.array([[0, 1, 2], [3, 4, 5]]), 0.05)
    assert len(faces) == round(2.5 / 0.05**2)
    assert np.bincount(faces).tolist() == pytest.approx([800, 200], abs=1)
    assert (barycentric >= 0).all() and np.allclose(barycentric.sum(1), 1)
    points = np.einsum("nc,nc...->n...", barycentric, vertices[np.array([[0, 1, 2], [3, 4, 5]])[faces]])[faces == 0]
    # Every disc of three spacings inside the triangle holds about as many points as its area.
    counts = [(np.linalg.norm(points[:, :2] - middle, axis=1) < 0.15).sum() for middle in ((0.4, 0.4), (1.2, 0.3), (0.3, 1.3), (0.8, 0.8))]
    assert np.array(counts) == pytest.approx(np.pi * 9, rel=0.25)


def test_points_are_posed_like_the_body(template, surface):
    betas, rotmats, transl = pose(np.random.default_rng(1), 2)
    joints, vertices = Smpl(template)(betas, rotmats[:, 0], rotmats[:, 1:], transl)
    faces, barycentric = scatter_surface_points(template.v_template, template.faces, SPACING)
    on_skin = torch.einsum("nc,bncx->bnx", torch.as_tensor(barycentric), vertices[:, template.faces[faces].astype(int)])
    points, own_joints = surface.pose(betas, rotmats, transl)
    torch.testing.assert_close(own_joints, joints, atol=1e-5, rtol=0)  # m
    # Skinning blends its corners' weights instead of its corners: millimetres apart in sharp bends.
    assert (points - on_skin).norm(dim=-1).max() < 0.004
    assert (points - on_skin).norm(dim=-1).mean() < 3e-4


def test_shape_jacobian_agrees_with_finite_differences(surface):
    betas, rotmats, transl = pose(np.random.default_rng(2))
    chosen = torch.arange(0, len(surface.v_template), 997)
    jacobian = surface.shape_jacobian(surface.joint_motion(rotmats)[0], chosen)
    for beta in range(10):
        step = torch.zeros(1, 10)
        step[0, beta] = 0.5
        ends = [surface.pose(betas + sign * step, rotmats, transl)[0][0, chosen] for sign in (1, -1)]
        torch.testing.assert_close(ends[0] - ends[1], jacobian[..., beta], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("seed", "part"), [(3, 1.0), (4, 1.0), (5, 0.35)])
def test_points_give_the_silhouette_of_triangles(template, surface, seed, part):
    betas, rotmats, transl = pose(np.random.default_rng(seed))
    vertices = Smpl(template)(betas, rotmats[:, 0], rotmats[:, 1:], transl)[1]
    window = window_of(vertices)
    window[:, :2] += window[:, 2:] * (1 - part) / 2  # nearer, and cut off by the window's sides
    window[:, 2:] *= part
    seen, nearness = rasterise(surface.pose(betas, rotmats, transl)[0], window, SIDE)
    truth, near = triangles_seen(vertices[0].numpy(), template.faces, window[0].numpy(), SIDE)
    assert silhouette_iou(seen, torch.as_tensor(truth)[None]).item() > (0.95 if part == 1 else 0.97)
    # Neither larger nor smaller: the mean outline error is below a tenth of a pixel.
    outline = (truth[1:] != truth[:-1]).sum() + (truth[:, 1:] != truth[:, :-1]).sum()
    assert abs(seen.sum().item() - truth.sum()) / outline < 0.1  # px
    both = seen[0].numpy() & truth
    assert np.median(np.abs(1 / nearness[0].numpy()[both] - 1 / near[both])) < 0.015  # m
    assert (nearness[~seen] == 0).all()


def test_points_behind_the_camera_are_not_rendered(surface):
    betas, rotmats, transl = pose(np.random.default_rng(6))
    seen, nearness = rasterise(surface.pose(betas, rotmats, -transl)[0], torch.tensor([[-0.5, -0.5, 1.0, 1.0]]), SIDE)
    assert not seen.any() and not nearness.any()


def test_iou_counts_valid_pixels_only():
    one, other = torch.zeros(2, 4, 4, dtype=torch.bool), torch.zeros(2, 4, 4, dtype=torch.bool)
    one[0, :2], other[0, 1:3] = True, True
    assert silhouette_iou(one, other).tolist() == pytest.approx([1 / 3, 0])
    counted = torch.ones_like(one)
    counted[:, 2:] = False
    assert silhouette_iou(one, other, counted).tolist() == pytest.approx([1 / 2, 0])
