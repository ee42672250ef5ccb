"""Levenberg-Marquardt over all frames and people of a clip at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ....core.array_types import IntArray
from .banded_system import ReducedSystem, eliminate_frames, solve_dense
from .body_points import NUM_OFFSETS, BodyState, PosedPoints, Shape, pose_points
from .equations import FLOOR, UP, Equations, shared_columns
from .normal_equations import ProjectedEquations
from .residuals import Residual, World

# Small from the beginning: a common shift of all frames in depth is soft, but its diagonal is stiff.
INITIAL_DAMPING, DAMPING_UP, DAMPING_DOWN, MAX_DAMPING = 1e-6, 100.0, 10.0, 1e4
CONVERGED_GAIN = 2e-4  # a step that lowers the energy by less than this fraction is the last


@dataclass(frozen=True)
class PersonProblem:
    """One person: their shapes, start and residuals; shares_floor: whether they stand on the floor of the others who do."""

    shape: Shape
    residuals: Sequence[Residual]
    shares_floor: bool = False


@dataclass(frozen=True)
class ClipState:
    """The people's states, and each one's world: what is shared is the same in all, the lean is each one's own, and the floor too unless
    they share it."""

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
        free: which columns of the world that people share may change: UP, LENS, PATH and parts of views, as of equations.py.
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
            candidate = _apply(state, reduced, free, [problem.shares_floor for problem in problems])
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


def linearise(problem: PersonProblem, points: PosedPoints, world: World) -> ProjectedEquations:
    """One person's normal equations at a state."""
    equations = Equations(len(points.state), len(world.views))
    for residual in problem.residuals:
        residual.add(points, world, equations)
    return ProjectedEquations(points, equations)


def _apply(state: ClipState, reduced: Sequence[ReducedSystem], free: Sequence[slice], shares_floor: Sequence[bool]) -> ClipState:
    """The state after the step of the reduced systems: what is shared is the same for all, everything else is each person's own.

    shares_floor: of each person; one floor is shared by all who do.
    """
    of_world = shared_columns(len(state.worlds[0].views))
    world_size = len(of_world)
    of_world[FLOOR] = any(shares_floor)
    sizes = [len(body.shape) + NUM_OFFSETS + world_size for body in state.people]
    # Columns of the joint system: what is shared, then each person's own.
    shared = int(of_world.sum())
    start, columns = shared, list[IntArray]()
    for size, shares in zip(sizes, shares_floor, strict=True):
        own, is_shared = np.empty(size, int), np.zeros(size, bool)
        is_mine = of_world.copy()
        is_mine[FLOOR] &= shares
        is_shared[size - world_size :] = is_mine
        own[is_shared] = (np.cumsum(of_world) - 1)[is_mine]
        own[~is_shared] = np.arange(start, start + (~is_shared).sum())
        columns.append(own)
        start += int((~is_shared).sum())
    matrix, gradient = np.zeros((start, start)), np.zeros(start)
    for system, own in zip(reduced, columns, strict=True):
        matrix[np.ix_(own, own)] += system.corner
        gradient[own] += system.gradient
    is_free_of_world = np.zeros(world_size, bool)
    for part in (*free, FLOOR):
        is_free_of_world[part] = True
    is_free = np.arange(start) >= shared
    is_free[:shared] = is_free_of_world[of_world]
    step = np.zeros(start)
    matrix[np.diag_indices(start)] *= 1 + 1e-6
    matrix[np.diag_indices(start)] += 1e-9
    step[is_free] = -solve_dense(matrix[np.ix_(is_free, is_free)], gradient[is_free])
    people: list[BodyState] = []
    worlds: list[World] = []
    for body, world, system, own in zip(state.people, state.worlds, reduced, columns, strict=True):
        mine = step[own]
        shape, offsets = mine[: len(body.shape)], mine[len(body.shape) : len(mine) - world_size]
        people.append(body.moved(system.frame_steps(mine), shape, offsets))
        worlds.append(world.moved(mine[len(mine) - world_size :]))
    return ClipState(tuple(people), tuple(worlds))
