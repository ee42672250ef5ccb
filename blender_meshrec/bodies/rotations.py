"""Rotations in torch beside those of roma: about given axes, between two rotations, from two columns."""

import math

import roma
import torch

# The representation by two columns (rotmats_from_columns) of no rotation, flattened.
IDENTITY_COLUMNS = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
MIN_COLUMN_LENGTH = 1e-12  # shorter columns are not brought to length 1


def cross_product_matrix(vectors: torch.Tensor) -> torch.Tensor:
    """The matrices (..., 3, 3) that multiply like the cross product with vectors (..., 3)."""
    x, y, z = vectors.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))


def rotmats_about_axes(axes: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
    """Rotation matrices (..., 3, 3) about unit axes (..., 3) by angles (...) rad; smooth at every angle."""
    angles = angles[..., None, None]
    return rodrigues(axes, torch.cos(angles), torch.sin(angles))


def rodrigues(axes: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    """Rotation matrices (..., 3, 3) about unit axes (..., 3) by the angle of a cosine and a sine, (..., 1, 1) each.

    Source: Rodrigues' formula.
    """
    cross = cross_product_matrix(axes)
    identity = torch.eye(3, dtype=axes.dtype, device=axes.device)
    return identity + sine * cross + (1 - cosine) * (cross @ cross)


def rotmats_from_columns(columns: torch.Tensor) -> torch.Tensor:
    """Rotation matrices (..., 3, 3) whose first two columns come from (..., 2, 3) by Gram-Schmidt.

    Source: Zhou et al. 2019, "On the Continuity of Rotation Representations in Neural Networks", eq. 15.
    """
    return roma.special_gramschmidt(columns.mT, MIN_COLUMN_LENGTH)


def interpolate_rotmats(first: torch.Tensor, second: torch.Tensor, fraction: torch.Tensor | float) -> torch.Tensor:
    """Rotation matrices (..., 3, 3) at a fraction (...) of the shortest way from the first to the second."""
    rotvec = roma.rotmat_to_rotvec(first.mT @ second)
    fraction = fraction[..., None] if isinstance(fraction, torch.Tensor) else fraction
    return first @ roma.rotvec_to_rotmat(fraction * rotvec)


def wrap_angle(angle: torch.Tensor) -> torch.Tensor:
    """Angles in rad moved by full turns to [-pi, pi]."""
    return angle - 2 * math.pi * torch.round(angle / (2 * math.pi))
