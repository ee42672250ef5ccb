"""Elimination of the frames of one person's equations: block-tridiagonal Cholesky over pairs of frames.

What remains is a small dense system of the clip's unknowns, which the people of a clip share. The factors of a long clip are made twice, on
the way forward and on the way back, a chunk at a time, so that they are never held at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, get_lapack_funcs  # pyrefly: ignore[untyped-import] - scipy ships no type stubs

from ....core.array_types import FloatArray
from ...prefetch import prefetch
from .normal_equations import BandedEquations, NormalEquations, num_chunks

_DTRTRS = get_lapack_funcs("trtrs", dtype=np.float64)


@dataclass(frozen=True)
class ReducedSystem:
    """One person's equations with the frames eliminated: corner (C,C) and gradient (C,) of the clip's unknowns; `frame_steps` goes back."""

    corner: FloatArray
    gradient: FloatArray
    solution: FloatArray

    def frame_steps(self, clip_step: FloatArray) -> FloatArray:
        """Steps (F,U) of the frames, given those of the clip's unknowns (C,)."""
        return -(self.solution[..., -1] + self.solution[..., :-1] @ clip_step)


def eliminate_frames(system: NormalEquations, damping: float) -> ReducedSystem:
    """Eliminate the frames; `damping` scales their diagonal (Marquardt 1963). Raises LinAlgError if it is not positive definite."""
    return Elimination(system, damping).reduced()


@dataclass(frozen=True)
class ChunkFactors:
    """The Cholesky factor of a chunk, pairs of frames as blocks: (2U,2U) each, lower triangles; the last may be of one frame.

    links: the transposed blocks below the factors, one for each, but for the clip's last.
    """

    factors: list[FloatArray]
    links: list[FloatArray]


class Elimination:
    """The factor of the frames' equations, and their right-hand sides, arrow and gradient, solved forward with it."""

    def __init__(self, system: NormalEquations, damping: float) -> None:
        self._system, self._damping = system, damping
        self._incoming: list[FloatArray | None] = [None]  # the link to each chunk from the one before
        self._held: dict[int, ChunkFactors] = {}
        self._solved: list[list[FloatArray]] = []  # by chunk and block
        clip = len(system.chunk(0).clip_gradient)
        self._corner, self._gradient = np.zeros((clip, clip)), np.zeros(clip)
        # The equations of the next chunk are made while this one is eliminated.
        for index, chunk in enumerate(prefetch((system.chunk(index) for index in range(num_chunks(system))), depth=1)):
            self._forward(index, chunk)

    def _forward(self, index: int, chunk: BandedEquations) -> None:
        factors = self._factorise(index, chunk)
        self._corner += chunk.corner
        self._gradient += chunk.clip_gradient
        previous = self._solved[-1][-1] if self._solved else None
        link = self._incoming[index]
        right = np.concatenate([chunk.arrow, chunk.gradient[..., None]], -1)
        solved: list[FloatArray] = []
        for block, factor in enumerate(factors.factors):
            side = right[2 * block : 2 * block + 2].reshape(-1, right.shape[-1])
            if previous is not None and link is not None:
                side = side - link.T @ previous
            previous = _solve_triangle(factor, side)
            solved.append(previous)
            link = factors.links[block] if block < len(factors.links) else None
        self._solved.append(solved)
        self._incoming.append(link)

    def _factorise(self, index: int, chunk: BandedEquations) -> ChunkFactors:
        """The factors of a chunk, whose equations are known."""
        frames, start = len(chunk.gradient), index * self._system.chunk_frames
        factors: list[FloatArray] = []
        links: list[FloatArray] = []
        link = self._incoming[index]
        for first in range(0, frames, 2):
            diagonal = _pair_diagonal(chunk, first, min(first + 2, frames), self._damping)
            if link is not None:
                diagonal -= link.T @ link
            factors.append(_cholesky(diagonal))
            following = min(self._system.num_frames - start - first - 2, 2)
            if following > 0:
                link = _solve_triangle(factors[-1], _pair_link(chunk, first, following))
                links.append(link)
        found = ChunkFactors(factors, links)
        if self._system.is_held:
            self._held[index] = found
        return found

    def backward(self) -> Iterator[tuple[int, ChunkFactors]]:
        """Each chunk's first frame and factors, the last chunk first."""
        for index in range(num_chunks(self._system) - 1, -1, -1):
            held = self._held.get(index)
            yield index * self._system.chunk_frames, self._factorise(index, self._system.chunk(index)) if held is None else held

    def reduced(self) -> ReducedSystem:
        """The clip's equations and the frames' solution (F,U,C+1) for arrow and gradient."""
        # The forward solution has the product with the inverse already: L y = b, and b' A^-1 b = y' y.
        clip = len(self._gradient)
        product = np.zeros((clip + 1, clip + 1))
        for solved in self._solved:
            for block in solved:
                product += block.T @ block
        return ReducedSystem(self._corner - product[:clip, :clip], self._gradient - product[:clip, clip], self._solve_backward())

    def _solve_backward(self) -> FloatArray:
        size = self._system.chunk(0).gradient.shape[1]
        result = np.empty((self._system.num_frames, size, self._solved[0][0].shape[-1]))
        following: FloatArray | None = None
        for start, chunk in self.backward():
            solved = self._solved[start // self._system.chunk_frames]
            for block in range(len(chunk.factors) - 1, -1, -1):
                side = solved[block] if following is None else solved[block] - chunk.links[block] @ following
                following = _solve_triangle(chunk.factors[block], side, transposed=True)
                first = start + 2 * block
                result[first : first + 2] = following.reshape(-1, size, following.shape[-1])
        return result

    def inverse_diagonal(self) -> Iterator[tuple[int, FloatArray]]:
        """The first frame of each chunk, and its blocks (F,U,U) on the diagonal of the inverse (Takahashi's recurrence); the last first."""
        size = self._system.chunk(0).gradient.shape[1]
        following: FloatArray | None = None
        for start, chunk in self.backward():
            blocks: list[FloatArray] = []
            for block in range(len(chunk.factors) - 1, -1, -1):
                factor = chunk.factors[block]
                inverse = _solve_triangle(factor, np.eye(len(factor)))
                inverse = inverse.T @ inverse
                if following is not None:
                    gain = _solve_triangle(factor, chunk.links[block], transposed=True)
                    inverse += gain @ following @ gain.T
                following = inverse
                frames = len(factor) // size
                blocks += [inverse[size * k : size * (k + 1), size * k : size * (k + 1)] for k in range(frames - 1, -1, -1)]
            yield start, np.stack(blocks[::-1])


def _cholesky(matrix: FloatArray) -> FloatArray:
    """The lower triangle. Raises LinAlgError if the matrix is not positive definite."""
    return np.linalg.cholesky(matrix)


def _solve_triangle(factor: FloatArray, right: FloatArray, transposed: bool = False) -> FloatArray:
    """Solve with a lower triangle (N,N), or its transpose, for right-hand sides (N,R)."""
    # LAPACK's arrays are the transposed ones: its upper triangle, without a copy.
    solution, _info = _DTRTRS(factor.T, right, lower=0, trans=0 if transposed else 1)
    return np.asarray(solution)


def _pair_diagonal(chunk: BandedEquations, first: int, last: int, damping: float) -> FloatArray:
    """The damped diagonal block of one or two frames."""
    size = chunk.gradient.shape[1]
    matrix = np.zeros(((last - first) * size,) * 2)
    matrix[:size, :size] = chunk.diagonal[first]
    if last - first == 2:
        matrix[size:, size:] = chunk.diagonal[first + 1]
        matrix[:size, size:] = chunk.next[first]
        matrix[size:, :size] = chunk.next[first].T
    matrix[np.diag_indices(len(matrix))] *= 1 + damping
    matrix[np.diag_indices(len(matrix))] += 1e-6
    return matrix


def _pair_link(chunk: BandedEquations, first: int, following: int) -> FloatArray:
    """The two frames from `first` against the one or two frames after them."""
    size = chunk.gradient.shape[1]
    link = np.zeros((2 * size, following * size))
    link[:size, :size] = chunk.after_next[first]
    link[size:, :size] = chunk.next[first + 1]
    if following == 2:
        link[size:, size:] = chunk.after_next[first + 1]
    return link


def solve_dense(matrix: FloatArray, right: FloatArray) -> FloatArray:
    """Solve the small symmetric system of the clip's unknowns."""
    return np.asarray(cho_solve(cho_factor(matrix), right))
