"""Rotations that turn directions onto other directions: differentiable, with finite values and gradients at every degenerate input."""

import roma
import torch

# Shorter than a micrometre a vector has no direction.
MIN_LENGTH = 1e-6
# Directions count as collinear where the second singular value of their correlation is below this fraction of the first: two
# bones of equal length within one degree of each other.
COLLINEAR_RATIO = 1e-4


def normalize_or(vectors: torch.Tensor, fallback: torch.Tensor) -> torch.Tensor:
    """Unit vectors (..., 3) along `vectors` (..., 3) m; `fallback` (..., 3) where a vector is shorter than MIN_LENGTH."""
    squared = vectors.square().sum(-1, keepdim=True)
    known = squared > MIN_LENGTH**2
    # The square root never gets zero, so that the gradient stays finite in the branch that is not taken.
    return torch.where(known, vectors * torch.where(known, squared, 1.0).rsqrt(), fallback)


def perpendicular(directions: torch.Tensor) -> torch.Tensor:
    """Some unit vectors (..., 3) perpendicular to unit `directions` (..., 3); constants to differentiation."""
    with torch.no_grad():
        least = torch.nn.functional.one_hot(directions.abs().argmin(-1), 3).to(directions)
        across = torch.linalg.cross(directions, least)
        return across / across.norm(dim=-1, keepdim=True)


def plane_frame(first: torch.Tensor, second: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Right-handed frames (..., 3, 3). Columns: along `first`, normal to the plane of both, and their cross product.

    Args:
        first: unit vectors (..., 3). second: (..., 3). valid: (...) bool; where it is false the plane may not exist, and
            all but the first column is zero.
    """
    normal = torch.linalg.cross(*torch.broadcast_tensors(first, second))
    squared = normal.square().sum(-1, keepdim=True)
    usable = valid[..., None] & (squared > 0)
    normal = torch.where(usable, normal * torch.where(usable, squared, 1.0).rsqrt(), 0.0)
    first = first.expand_as(normal)
    return torch.stack([first, normal, torch.linalg.cross(first, normal)], -1)


def swing_onto(rotmat: torch.Tensor, rest: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Turn `rotmat` by the least rotation after which it maps `rest` to `target`.

    Args:
        rotmat: (..., 3, 3). rest, target: unit vectors (..., 3).

    Returns:
        (..., 3, 3), with result @ rest == target. A half-turn is made about some axis perpendicular to `rest`.

    The least rotation from a to b is a half-turn about a, then a half-turn about the bisector of a and b. It is a product of
    reflections, and so orthonormal to rounding for any bisector.
    """
    start = (rotmat @ rest[..., None])[..., 0]
    bisector = start + target
    squared = bisector.square().sum(-1, keepdim=True)
    opposite = squared < torch.finfo(rotmat.dtype).eps
    bisector = torch.where(opposite, perpendicular(start), bisector * torch.where(opposite, 1.0, squared).rsqrt())
    half = 2 * start[..., :, None] * rest[..., None, :] - rotmat
    return 2 * bisector[..., :, None] * (bisector[..., None, :] @ half) - half


def fit_rotation(observed: torch.Tensor, rest: torch.Tensor, weights: torch.Tensor | None, fallback: torch.Tensor) -> torch.Tensor:
    """Rotate `rest` onto `observed` with the least squared error, without translation.

    Args:
        observed, rest: corresponding vectors from one point, (..., N, 3) m; broadcast against each other.
        weights: (..., N) from 0, or None for ones.
        fallback: rotation matrices (..., 3, 3) that decide what the vectors leave open: where they are collinear (or only
            one is known) it is turned as little as possible onto their line; where none is known it is returned.

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
    collinear = (size <= MIN_LENGTH**4) | (minors < COLLINEAR_RATIO**2)
    rotation = nearest_rotmats(torch.where(collinear, torch.eye(3).to(scaled), scaled))
    if not collinear.any():
        return rotation
    longest = (weighted.square().sum(-1) * rest.square().sum(-1)).argmax(-1)[..., None, None].expand(*size.shape[:-2], 1, 3)
    unturned = (fallback @ normalize_or(rest.gather(-2, longest)[..., 0, :], torch.zeros_like(rest[..., 0, :]))[..., None])[..., 0]
    line = normalize_or(weighted.gather(-2, longest)[..., 0, :], unturned)
    start = normalize_or(rest.gather(-2, longest)[..., 0, :], (fallback.transpose(-1, -2) @ line[..., None])[..., 0])
    return torch.where(collinear, swing_onto(fallback.expand_as(rotation), start, line), rotation)


def nearest_rotmats(matrices: torch.Tensor) -> torch.Tensor:
    """The rotation matrices (..., 3, 3) nearest to matrices (..., 3, 3) in the Frobenius norm."""
    return roma.special_procrustes(matrices)  # pyrefly: ignore[bad-return]  # roma infers a tuple, which only return_singular_values gives


def rotation_to_optical_axis(rays: torch.Tensor) -> torch.Tensor:
    """The least rotations (..., 3, 3) that turn lines of sight (..., 2), as x/z and y/z, onto the z axis.

    Source: Rodrigues' formula with the axis d x z = (dy, -dx, 0) and the cosine dz of the unit direction d.
    """
    x, y, z = torch.nn.functional.normalize(torch.cat([rays, torch.ones_like(rays[..., :1])], -1), dim=-1).unbind(-1)
    scale = 1 / (1 + z)
    rows = [1 - scale * x * x, -scale * x * y, -x, -scale * x * y, 1 - scale * y * y, -y, x, y, z]
    return torch.stack(rows, -1).unflatten(-1, (3, 3))
