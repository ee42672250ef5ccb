"""Rotations in torch: about axes, from columns, between two rotations, and angles within half a turn."""

import math

import roma
import torch

from blender_meshrec.bodies.rotations import interpolate_rotmats, rotmats_about_axes, rotmats_from_columns, wrap_angle


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_rotmats_about_axes_agree_with_rotation_vectors():
    axes, angles = torch.nn.functional.normalize(random(50, 3), dim=-1), 3 * random(50, seed=1)
    assert (rotmats_about_axes(axes, angles) - roma.rotvec_to_rotmat(angles[:, None] * axes)).abs().max() < 1e-12


def test_columns_give_back_the_rotation_at_any_length():
    rotmats = roma.rotvec_to_rotmat(random(50, 3))
    columns = rotmats.mT[:, :2] * torch.tensor([[0.3], [2.0]]).double()
    assert (rotmats_from_columns(columns) - rotmats).abs().max() < 1e-12


def test_half_way_between_two_rotations():
    about = torch.tensor([[0.0, 0, 0.4], [0, 0, 1.0]])
    first, second = roma.rotvec_to_rotmat(about)
    assert (roma.rotmat_to_rotvec(interpolate_rotmats(first, second, 0.5)) - torch.tensor([0, 0, 0.7])).abs().max() < 1e-6


def test_wrapped_angles_are_equal_and_within_half_a_turn():
    angles = 20 * random(100)
    wrapped = wrap_angle(angles)
    assert wrapped.abs().max() <= math.pi + 1e-12
    assert (torch.sin(wrapped) - torch.sin(angles)).abs().max() < 1e-12 and (torch.cos(wrapped) - torch.cos(angles)).abs().max() < 1e-12
