"""Turning one set of directions onto another: differentiable, with finite values and gradients at every degenerate input."""

import roma
import torch

# Shorter than a micrometre a vector has no direction.
MIN_LENGTH = 1e-6
# Second singular value of a correlation, as a share of the first, below which its directions count as one line: two
# bones of equal length within one degree of each other.
COLLINEAR_RATIO = 1e-4


def normalize_or(vectors, fallback):
    """Unit vectors (..., 3) along `vectors` (..., 3) m; `fallback` (..., 3) where a vector is shorter than MIN_LENGTH."""
    squared = vectors.square().sum(-1, keepdim=True)
    known = squared > MIN_LENGTH**2
    # The square root never sees zero, so that its gradient stays finite in the branch that is not taken.
    return torch.where(known, vectors * torch.where(known, squared, 1.0).rsqrt(), fallback)


def perpendicular(directions):
    """Some unit vectors (..., 3) perpendicular to unit `directions` (..., 3); constants to differentiation."""
    with torch.no_grad():
        least = torch.nn.functional.one_hot(directions.abs().argmin(-1), 3).to(directions)
        across = torch.linalg.cross(directions, least)
        return across / across.norm(dim=-1, keepdim=True)


def plane_frame(first, second, valid):
    """Right-handed frames (..., 3, 3): columns along `first`, across the plane of both, and at right angles to these two.

    Args:
        first: unit vectors (..., 3). second: (..., 3). valid: (...) bool; where it is false the plane may not exist, and
            all but the first column is zero.
    """
    across = torch.linalg.cross(*torch.broadcast_tensors(first, second))
    squared = across.square().sum(-1, keepdim=True)
    usable = valid[..., None] & (squared > 0)
    across = torch.where(usable, across * torch.where(usable, squared, 1.0).rsqrt(), 0.0)
    first = first.expand_as(across)
    return torch.stack([first, across, torch.linalg.cross(first, across)], -1)


def swing_onto(rotmat, rest, target):
    """Turn `rotmat` by the least rotation that makes it carry `rest` onto `target`.

    Args:
        rotmat: (..., 3, 3). rest, target: unit vectors (..., 3).

    Returns:
        (..., 3, 3), with result @ rest == target. Half a turn goes about some axis across `rest`.

    The least rotation from a to b is a half-turn about a, then a half-turn about the middle of a and b: a product of
    reflections, orthonormal to rounding for any middle.
    """
    start = (rotmat @ rest[..., None])[..., 0]
    middle = start + target
    squared = middle.square().sum(-1, keepdim=True)
    opposite = squared < torch.finfo(rotmat.dtype).eps
    middle = torch.where(opposite, perpendicular(start), middle * torch.where(opposite, 1.0, squared).rsqrt())
    half = 2 * start[..., :, None] * rest[..., None, :] - rotmat
    return 2 * middle[..., :, None] * (middle[..., None, :] @ half) - half


def fit_rotation(observed, rest, weights, fallback):
    """Rotate `rest` onto `observed` with the least squared error, without moving.

    Args:
        observed, rest: corresponding vectors from one point, (..., N, 3) m; broadcast against each other.
        weights: (..., N) from 0, or None for ones.
        fallback: rotation matrices (..., 3, 3) that decide what the vectors leave open: where they all lie on one
            line (or only one is known) it is turned as little as possible onto it; where none is known it is returned.

    Returns:
        (..., 3, 3): observed ~ rotation @ rest.

    Source: Kabsch 1976; solved by Horn 1987 as in roma, whose gradient is damped where the answer is not unique.
    """
    observed, rest = torch.broadcast_tensors(observed, rest)
    weighted = observed if weights is None else observed * weights[..., None]
    correlation = weighted.transpose(-1, -2) @ rest
    size = correlation.square().sum((-1, -2), keepdim=True)
    scaled = correlation * torch.where(size > MIN_LENGTH**4, size, 1.0).rsqrt()
    minors = torch.linalg.cross(scaled, scaled.roll(1, -2)).square().sum((-1, -2), keepdim=True)
    flat = (size <= MIN_LENGTH**4) | (minors < COLLINEAR_RATIO**2)
    rotation = roma.special_procrustes(torch.where(flat, torch.eye(3).to(scaled), scaled))
    if not flat.any():
        return rotation
    best = (weighted.square().sum(-1) * rest.square().sum(-1)).argmax(-1)[..., None, None].expand(*size.shape[:-2], 1, 3)
    known = (fallback @ normalize_or(rest.gather(-2, best)[..., 0, :], torch.zeros_like(rest[..., 0, :]))[..., None])[..., 0]
    line = normalize_or(weighted.gather(-2, best)[..., 0, :], known)
    start = normalize_or(rest.gather(-2, best)[..., 0, :], (fallback.transpose(-1, -2) @ line[..., None])[..., 0])
    return torch.where(flat, swing_onto(fallback.expand_as(rotation), start, line), rotation)


def rotation_to_optical_axis(towards):
    """The least rotation that turns a line of sight (..., 2), as x/z and y/z, onto the z axis: (..., 3, 3)."""
    x, y, z = torch.nn.functional.normalize(torch.cat([towards, torch.ones_like(towards[..., :1])], -1), dim=-1).unbind(-1)
    share = 1 / (1 + z)
    rows = [1 - share * x * x, -share * x * y, -x, -share * x * y, 1 - share * y * y, -y, x, y, z]
    return torch.stack(rows, -1).unflatten(-1, (3, 3))
