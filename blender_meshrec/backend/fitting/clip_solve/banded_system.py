"""One person's linear equations: block-banded over frames, with an arrow for the unknowns of the clip.

A frame's unknowns meet those of the two frames after it and the clip's. The frames are eliminated pair by pair (block-tridiagonal
Cholesky); what remains is a small dense system of the clip's unknowns, which the people of a clip share.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular  # pyrefly: ignore[untyped-import] - scipy ships no type stubs

from ....core.array_types import FloatArray
from .body_points import FRAME_UNKNOWNS, MOVING, PosedPoints
from .equations import NUM_WORLD, Equations

CHUNK_FRAMES = 128  # frames whose derivatives are held at once


@dataclass(frozen=True)
class BandedSystem:
    """Normal equations of one person. U unknowns a frame, C of the clip: shape, marker offsets, the world's.

    diagonal: (F,U,U). next: (F-1,U,U) and after_next: (F-2,U,U), a frame against the one or two after it. arrow: (F,U,C).
    gradient: (F,U). corner: (C,C). clip_gradient: (C,).
    """

    diagonal: FloatArray
    next: FloatArray
    after_next: FloatArray
    arrow: FloatArray
    gradient: FloatArray
    corner: FloatArray
    clip_gradient: FloatArray


def project_equations(points: PosedPoints, equations: Equations) -> BandedSystem:
    """From equations over points to equations over the unknowns, by the derivatives of the body."""
    frames, size = len(points.state), FRAME_UNKNOWNS
    own = len(points.state.shape) + len(points.state.offsets)
    clip = own + NUM_WORLD
    system = BandedSystem(
        *(np.zeros((max(frames - step, 0), size, size)) for step in range(3)),
        arrow=np.zeros((frames, size, clip)), gradient=np.zeros((frames, size)),
        corner=np.zeros((clip, clip)), clip_gradient=np.zeros(clip),
    )  # fmt: skip
    for start in range(0, frames, CHUNK_FRAMES):
        _project_chunk(system, points, equations, start, min(start + CHUNK_FRAMES, frames), own)
    _add_turns(system, equations)
    system.corner[own:, own:] += equations.world_within
    system.clip_gradient[own:] += equations.world_gradient
    if equations.clip_gradient is not None and equations.clip_within is not None:
        system.corner[:own, :own] += equations.clip_within
        system.clip_gradient[:own] += equations.clip_gradient
    return system


def _project_chunk(system: BandedSystem, points: PosedPoints, equations: Equations, start: int, stop: int, own: int) -> None:
    """Add frames start..stop; two more are needed for what they share with the frames after them."""
    reach = min(stop + 2, len(points.state))
    rows, part = slice(start, stop), points.frames(start, reach)
    frame, clip = part.frame_jacobian(), part.clip_jacobian()
    count = stop - start
    within = equations.within[rows]

    def flat(jacobian: FloatArray) -> FloatArray:
        return jacobian.reshape(len(jacobian), -1, jacobian.shape[-1])

    mine = flat(frame[:count]).swapaxes(1, 2)
    system.gradient[rows] += (mine @ equations.gradient[rows].reshape(count, -1, 1))[..., 0]
    system.clip_gradient[:own] += np.einsum("fnac,fna->c", clip[:count], equations.gradient[rows], optimize=True)
    system.diagonal[rows] += mine @ flat(within @ frame[:count])
    weighted_clip = within @ clip[:count]
    for step, band, weights in ((1, system.next, equations.next), (2, system.after_next, equations.after_next)):
        used = np.flatnonzero(weights.any(0))
        last = min(stop, len(weights))
        if last <= start or not len(used):
            continue
        weight, pairs = weights[start:last, used, None, None], last - start
        here, there = frame[:pairs, used], frame[step : step + pairs, used]
        band[start:last] += flat(here).swapaxes(1, 2) @ flat(weight * there)
        here_clip, there_clip = clip[:pairs, used], clip[step : step + pairs, used]
        system.arrow[start:last, :, :own] += flat(here).swapaxes(1, 2) @ flat(weight * there_clip)
        system.arrow[start + step : last + step, :, :own] += flat(there).swapaxes(1, 2) @ flat(weight * here_clip)
        shared = flat(here_clip).reshape(-1, own).T @ flat(weight * there_clip).reshape(-1, own)
        system.corner[:own, :own] += shared + shared.T
    system.arrow[rows, :, :own] += mine @ flat(weighted_clip)
    world = equations.world[rows]
    system.arrow[rows, :, own:] += mine @ flat(world)
    all_clip = clip[:count].reshape(-1, own)
    system.corner[:own, :own] += all_clip.T @ weighted_clip.reshape(-1, own)
    mixed = all_clip.T @ world.reshape(-1, NUM_WORLD)
    system.corner[:own, own:] += mixed
    system.corner[own:, :own] += mixed.T


def _add_turns(system: BandedSystem, equations: Equations) -> None:
    """Add what residuals say of rotations alone."""
    system.gradient[:, 3:] += equations.turn_gradient.reshape(len(system.gradient), -1)
    for band, turns in zip((system.diagonal, system.next, system.after_next), equations.turns, strict=True):
        for k in range(len(MOVING)):
            own = slice(3 + 3 * k, 6 + 3 * k)
            band[:, own, own] += turns[:, k]


@dataclass(frozen=True)
class ReducedSystem:
    """One person's equations with the frames eliminated: corner (C,C) and gradient (C,) of the clip's unknowns; `frame_steps` goes back."""

    corner: FloatArray
    gradient: FloatArray
    solution: FloatArray

    def frame_steps(self, clip_step: FloatArray) -> FloatArray:
        """Steps (F,U) of the frames, given those of the clip's unknowns (C,)."""
        return -(self.solution[..., -1] + self.solution[..., :-1] @ clip_step)


def eliminate_frames(system: BandedSystem, damping: float) -> ReducedSystem:
    """Eliminate the frames by block-tridiagonal Cholesky; `damping` scales the diagonal (Marquardt 1963)."""
    right = np.concatenate([system.arrow, system.gradient[..., None]], -1)
    solution = factorise(system, damping).solve(right)
    arrow = system.arrow.reshape(-1, system.arrow.shape[-1])
    product = arrow.T @ solution.reshape(len(arrow), -1)
    return ReducedSystem(system.corner - product[:, :-1], system.clip_gradient - product[:, -1], solution)


@dataclass(frozen=True)
class Factorisation:
    """The Cholesky factor of the frames' equations, pairs of frames as blocks.

    factors: (2U,2U) each, lower triangles; the last may be of one frame. links: (2U,2U) each, the transposed blocks below them.
    """

    factors: list[FloatArray]
    links: list[FloatArray]

    def solve(self, right: FloatArray) -> FloatArray:
        """Solve for right-hand sides (F,U,R)."""
        size = right.shape[1]
        solved: list[FloatArray] = []
        for block, factor in enumerate(self.factors):
            side = right[2 * block : 2 * block + 2].reshape(-1, right.shape[-1])
            solved.append(_solve_triangle(factor, side - self.links[block - 1].T @ solved[-1] if block else side))
        result = np.empty_like(right)
        following: FloatArray | None = None
        for block in range(len(self.factors) - 1, -1, -1):
            side = solved[block] if following is None else solved[block] - self.links[block] @ following
            following = _solve_triangle(self.factors[block], side, transposed=True)
            result[2 * block : 2 * block + 2] = following.reshape(-1, size, right.shape[-1])
        return result

    def inverse_diagonal(self, size: int) -> FloatArray:
        """The blocks (F,U,U) on the diagonal of the inverse, of `size` U (Takahashi's recurrence)."""
        blocks: list[FloatArray] = []
        following: FloatArray | None = None
        for block in range(len(self.factors) - 1, -1, -1):
            factor = self.factors[block]
            inverse = _solve_triangle(factor, np.eye(len(factor)))
            inverse = inverse.T @ inverse
            if following is not None:
                gain = _solve_triangle(factor, self.links[block], transposed=True)
                inverse += gain @ following @ gain.T
            following = inverse
            frames = len(factor) // size
            blocks += [inverse[size * k : size * (k + 1), size * k : size * (k + 1)] for k in range(frames - 1, -1, -1)]
        return np.stack(blocks[::-1])


def factorise(system: BandedSystem, damping: float = 0.0) -> Factorisation:
    """Factorise the frames' equations. Raises LinAlgError if they are not positive definite."""
    frames = len(system.gradient)
    factors: list[FloatArray] = []
    links: list[FloatArray] = []
    for first in range(0, frames, 2):
        last = min(first + 2, frames)
        diagonal = _pair_diagonal(system, first, last, damping)
        if first:
            link = _solve_triangle(factors[-1], _pair_link(system, first, last))
            diagonal -= link.T @ link
            links.append(link)
        factors.append(np.linalg.cholesky(diagonal))
    return Factorisation(factors, links)


def _solve_triangle(factor: FloatArray, right: FloatArray, transposed: bool = False) -> FloatArray:
    """Solve with a lower triangle (N,N), or its transpose, for right-hand sides (N,R)."""
    return np.asarray(solve_triangular(factor, right, lower=True, trans=int(transposed), check_finite=False))


def _pair_diagonal(system: BandedSystem, first: int, last: int, damping: float) -> FloatArray:
    """The damped diagonal block of one or two frames."""
    size = system.gradient.shape[1]
    matrix = np.zeros(((last - first) * size,) * 2)
    matrix[:size, :size] = system.diagonal[first]
    if last - first == 2:
        matrix[size:, size:] = system.diagonal[first + 1]
        matrix[:size, size:] = system.next[first]
        matrix[size:, :size] = system.next[first].T
    matrix[np.diag_indices(len(matrix))] *= 1 + damping
    matrix[np.diag_indices(len(matrix))] += 1e-6
    return matrix


def _pair_link(system: BandedSystem, first: int, last: int) -> FloatArray:
    """The two frames before `first` against the frames first..last."""
    size = system.gradient.shape[1]
    link = np.zeros((2 * size, (last - first) * size))
    link[:size, :size] = system.after_next[first - 2]
    link[size:, :size] = system.next[first - 1]
    if last - first == 2:
        link[size:, size:] = system.after_next[first - 1]
    return link


def solve_dense(matrix: FloatArray, right: FloatArray) -> FloatArray:
    """Solve the small symmetric system of the clip's unknowns."""
    return np.asarray(cho_solve(cho_factor(matrix), right))
