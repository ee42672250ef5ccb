"""Levenberg-Marquardt over all frames and people of a clip at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ....core.array_types import IntArray
from .banded_system import BandedSystem, ReducedSystem, eliminate_frames, project_equations, solve_dense
from .body_points import NUM_OFFSETS, BodyState, PosedPoints, Shape, pose_points
from .equations import NUM_WORLD, SHARED, UP, Equations
from .residuals import Residual, World

# Small from the beginning: a common shift of all frames in depth is soft, but its diagonal is stiff.
INITIAL_DAMPING, DAMPING_UP, DAMPING_DOWN, MAX_DAMPING = 1e-6, 100.0, 10.0, 1e4
CONVERGED_GAIN = 2e-4  # a step that lowers the energy by less than this fraction is the last


@dataclass(frozen=True)
class PersonProblem:
    """One person: their shapes, start and residuals."""

    shape: Shape
    residuals: Sequence[Residual]


@dataclass(frozen=True)
class ClipState:
    """The people's states, and each one's world: what is SHARED is the same in all, the floor and the lean are each one's own."""

    people: tuple[BodyState, ...]
    worlds: tuple[World, ...]


def minimise(
    problems: Sequence[PersonProblem],
    state: ClipState,
    max_steps: int,
    free: Sequence[slice] = (UP,),
    on_step: Callable[[int], None] = lambda step: None,
) -> tuple[ClipState, float]:
    """Minimise the energy from a start.

    Args:
        free: which of UP, LENS and PATH of the world may change, as of equations.py.
        on_step: called before each step; an exception from it ends the solve.

    Returns:
        the state, and its energy, which is never above the start's.
    """
    posed = _pose(problems, state)
    energy, damping = _energy(problems, posed, state), INITIAL_DAMPING
    systems = None
    for step in range(max_steps):
        on_step(step)
        if systems is None:
            systems = [linearise(problem, points, world) for problem, points, world in zip(problems, posed, state.worlds, strict=True)]
        try:
            reduced = [eliminate_frames(system, damping) for system in systems]
            candidate = _apply(state, reduced, free)
        except np.linalg.LinAlgError:  # not positive definite within rounding, until it is damped more
            damping *= DAMPING_UP
            continue
        candidate_posed = _pose(problems, candidate)
        candidate_energy = _energy(problems, candidate_posed, candidate)
        gain = energy - candidate_energy
        if not gain > 0:  # nor a number
            damping *= DAMPING_UP
            if damping > MAX_DAMPING:
                break
            continue
        is_converged = gain < CONVERGED_GAIN * energy
        state, posed, energy, systems = candidate, candidate_posed, candidate_energy, None
        damping /= DAMPING_DOWN
        if is_converged:
            break
    return state, energy


def _pose(problems: Sequence[PersonProblem], state: ClipState) -> list[PosedPoints]:
    return [pose_points(problem.shape, body) for problem, body in zip(problems, state.people, strict=True)]


def _energy(problems: Sequence[PersonProblem], posed: Sequence[PosedPoints], state: ClipState) -> float:
    return sum(
        residual.add(points, world, None)
        for problem, points, world in zip(problems, posed, state.worlds, strict=True)
        for residual in problem.residuals
    )


def linearise(problem: PersonProblem, points: PosedPoints, world: World) -> BandedSystem:
    """One person's normal equations at a state."""
    equations = Equations(len(points.state))
    for residual in problem.residuals:
        residual.add(points, world, equations)
    return project_equations(points, equations)


def _apply(state: ClipState, reduced: Sequence[ReducedSystem], free: Sequence[slice]) -> ClipState:
    """The state after the step of the reduced systems: what is SHARED is the same for all, everything else is each person's own."""
    sizes = [len(body.shape) + NUM_OFFSETS + NUM_WORLD for body in state.people]
    # Columns of the joint system: what is shared, then each person's own.
    shared = SHARED.stop - SHARED.start
    total = shared + sum(size - shared for size in sizes)
    matrix, gradient, start = np.zeros((total, total)), np.zeros(total), shared
    columns: list[IntArray] = []
    for size in sizes:
        own = np.empty(size, int)
        world = size - NUM_WORLD
        is_shared = np.zeros(size, bool)
        is_shared[world + SHARED.start : world + SHARED.stop] = True
        own[is_shared], own[~is_shared] = np.arange(shared), np.arange(start, start + size - shared)
        columns.append(own)
        start += size - shared
    for system, own in zip(reduced, columns, strict=True):
        matrix[np.ix_(own, own)] += system.corner
        gradient[own] += system.gradient
    is_free = np.arange(total) >= shared
    for part in free:
        is_free[part.start - SHARED.start : part.stop - SHARED.start] = True
    step = np.zeros(total)
    matrix[np.diag_indices(total)] *= 1 + 1e-6
    matrix[np.diag_indices(total)] += 1e-9
    step[is_free] = -solve_dense(matrix[np.ix_(is_free, is_free)], gradient[is_free])
    people: list[BodyState] = []
    worlds: list[World] = []
    for body, world, system, own in zip(state.people, state.worlds, reduced, columns, strict=True):
        mine = step[own]
        shape, offsets = mine[: len(body.shape)], mine[len(body.shape) : len(mine) - NUM_WORLD]
        people.append(body.moved(system.frame_steps(mine), shape, offsets))
        worlds.append(world.moved(mine[len(mine) - NUM_WORLD :]))
    return ClipState(tuple(people), tuple(worlds))
