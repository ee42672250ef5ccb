"""Rotations of directions onto directions: exact, least, and defined at degenerate input."""

import pytest
import roma
import torch

from blender_meshrec.bodies.alignment import fit_rotation, normalize_or, perpendicular, plane_frame, swing_onto


def directions(count, seed, dtype=torch.float64):
    return torch.nn.functional.normalize(torch.randn(count, 3, generator=torch.Generator().manual_seed(seed), dtype=dtype), dim=-1)


def rotations(count, seed):
    generator = torch.Generator().manual_seed(seed)
    return roma.rotvec_to_rotmat(2 * torch.randn(count, 3, generator=generator, dtype=torch.float64))


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-12), (torch.float32, 1e-4)])
def test_a_swing_is_the_least_rotation_to_the_target(dtype, tolerance):
    before, rest, target = rotations(500, 0).to(dtype), directions(500, 1, dtype), directions(500, 2, dtype)
    after = swing_onto(before, rest, target)
    assert ((after @ rest[..., None])[..., 0] - target).abs().max() < tolerance
    assert (after @ after.mT - torch.eye(3, dtype=dtype)).abs().max() < tolerance
    start = (before @ rest[..., None])[..., 0]
    least = torch.acos((start * target).sum(-1).clamp(-1, 1))
    assert (roma.rotmat_geodesic_distance(before, after) - least).abs().max() < max(tolerance, 1e-7) * 100


def test_a_half_turn_and_no_rotation_are_exact():
    before, rest = rotations(50, 3), directions(50, 4)
    start = (before @ rest[..., None])[..., 0]
    assert (swing_onto(before, rest, start) - before).abs().max() < 1e-14
    back = swing_onto(before, rest, -start)
    assert ((back @ rest[..., None])[..., 0] + start).abs().max() < 1e-14
    assert (torch.linalg.det(back) - 1).abs().max() < 1e-12
    assert (perpendicular(rest) * rest).sum(-1).abs().max() < 1e-15


def test_kabsch_recovers_a_rotation_and_uses_weights():
    true, rest = rotations(100, 5), torch.randn(100, 5, 3, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    seen = rest @ true.mT
    fallback = torch.eye(3, dtype=torch.float64)
    assert (fit_rotation(seen, rest, None, fallback) - true).abs().max() < 1e-13
    seen[:, 0] += 10
    weights = torch.ones(100, 5).double()
    weights[:, 0] = 0
    assert (fit_rotation(seen, rest, weights, fallback) - true).abs().max() < 1e-13


@pytest.mark.parametrize("vectors", [1, 3])
def test_collinear_vectors_leave_the_twist_to_the_fallback(vectors):
    """Several vectors along one line, or a single one, determine only the direction of the line."""
    true, fallback, line = rotations(40, 7), rotations(40, 8), directions(40, 9)
    rest = line[:, None] * torch.tensor([0.1, 0.25, -0.3]).double()[:vectors, None]
    found = fit_rotation(rest @ true.mT, rest, None, fallback)
    assert (found - swing_onto(fallback, line, (true @ line[..., None])[..., 0])).abs().max() < 1e-12


def test_unknown_vectors_give_the_fallback():
    fallback = rotations(10, 10)
    rest = torch.randn(10, 3, 3, generator=torch.Generator().manual_seed(11), dtype=torch.float64)
    assert (fit_rotation(torch.zeros_like(rest), rest, None, fallback) - fallback).abs().max() < 1e-14
    assert (fit_rotation(rest, rest, torch.zeros(10, 3).double(), fallback) - fallback).abs().max() < 1e-14


def test_short_vectors_take_the_fallback_with_finite_gradients():
    vectors = torch.tensor([[0.0, 0, 0], [1e-9, 0, 0], [0, 2.0, 0]], requires_grad=True)
    units = normalize_or(vectors, torch.tensor([0.0, 0, 1]))
    assert units.tolist() == [[0, 0, 1], [0, 0, 1], [0, 1, 0]]
    units.sum().backward()
    assert torch.isfinite(vectors.grad).all()


def test_a_plane_frame_is_right_handed_or_empty():
    first, second = directions(20, 12), directions(20, 13)
    frames = plane_frame(first, second, torch.ones(20, dtype=torch.bool))
    assert (frames.mT @ frames - torch.eye(3).double()).abs().max() < 1e-12 and (torch.linalg.det(frames) - 1).abs().max() < 1e-12
    assert (frames[..., 0] - first).abs().max() == 0 and (frames[..., 1] * second).sum(-1).abs().max() < 1e-12
    assert plane_frame(first, first, torch.zeros(20, dtype=torch.bool))[..., 1:].abs().max() == 0
