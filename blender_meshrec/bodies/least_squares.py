"""Damped Gauss-Newton steps of many small problems at once, each frame a problem of its own. Source: Marquardt 1963."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

import torch

INITIAL_DAMPING, MIN_DAMPING, MAX_DAMPING = 1e-2, 1e-7, 1e3
MIN_CURVATURE = 1e-9  # added to the curvature, so that an unknown that changes nothing does not make it singular
CONVERGED_GAIN = 1e-3  # a frame is done when a step lowers its energy by less than this fraction

Linearization: TypeAlias = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
BlockedUnknowns: TypeAlias = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class LeastSquaresProblem(Protocol):
    """What is minimised, for n of the F frames: unknowns x (n,...), changed by steps (n,N); frames (n,) are indices."""

    def energy(self, x: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
        """(n,)."""
        ...

    def linearize(self, x: torch.Tensor, frames: torch.Tensor) -> Linearization:
        """Energy (n,), half its gradient (n,N), and the Gauss-Newton approximation of half its second derivative (n,N,N)."""
        ...

    def apply_step(self, x: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        """x (n,...) after a step (n,N)."""
        ...


@torch.no_grad()
def levenberg_marquardt(
    problem: LeastSquaresProblem, x: torch.Tensor, max_steps: int, blocked: BlockedUnknowns | None = None
) -> torch.Tensor:
    """Minimise the energy of each frame by damped Gauss-Newton steps.

    Args:
        x: (F,...), the start. max_steps: per frame.
        blocked: gives, for x (n,...) and gradient (n,N), the unknowns that may not change in this step, (n,N) bool; None: none.

    Returns:
        (F,...). No frame's energy is above its start's.
    """
    x, active = x.clone(), torch.arange(len(x), device=x.device)
    damping = x.new_full((len(x),), INITIAL_DAMPING, dtype=torch.float64)
    value, gradient, curvature = problem.linearize(x, active)
    for _ in range(max_steps):
        free = torch.ones_like(gradient[active]) if blocked is None else (~blocked(x[active], gradient[active])).double()
        matrix = curvature[active] * free[:, :, None] * free[:, None]
        added = damping[active, None] * (matrix.diagonal(dim1=1, dim2=2) + MIN_CURVATURE) + (1 - free)
        step = torch.linalg.solve(matrix + torch.diag_embed(added), gradient[active] * free)
        candidate = problem.apply_step(x[active], -step.to(x.dtype))
        candidate_value = problem.energy(candidate, active)
        gain = value[active] - candidate_value
        better = gain > 0
        x[active[better]], value[active[better]] = candidate[better], candidate_value[better]
        damping[active] = torch.where(better, damping[active] / 5, damping[active] * 10).clamp_min(MIN_DAMPING)
        done = torch.where(better, gain < CONVERGED_GAIN * value[active], damping[active] > MAX_DAMPING)
        changed = active[better & ~done]
        active = active[~done]
        if not len(active):
            break
        if len(changed):
            _, gradient[changed], curvature[changed] = problem.linearize(x[changed], changed)
    return x


@torch.no_grad()
def smooth_solution(
    best: torch.Tensor, curvature: torch.Tensor, weights: torch.Tensor, max_iterations: int = 200, tolerance: float = 1e-6
) -> torch.Tensor:
    """Smooth the solutions of the frames over time, each as far as its energy allows. Minimises
    sum (x - best)^T curvature (x - best) + sum weights * (second difference of x)^2.

    Args:
        best: (F,N). curvature: (F,N,N), half the second derivative of each frame's energy at its best. weights: (N,).

    Returns:
        (F,N). Solved by conjugate gradients; the preconditioner is each frame's own block.
    """
    if len(best) < 3:
        return best.clone()
    best, weights = best.double(), weights.double()
    small = MIN_CURVATURE * torch.eye(best.shape[1], dtype=best.dtype, device=best.device)
    block = torch.linalg.cholesky(curvature + torch.diag(6 * weights) + small)  # 6: the squared second difference's diagonal

    def apply(x: torch.Tensor) -> torch.Tensor:
        differences = x[2:] - 2 * x[1:-1] + x[:-2]
        roughness = torch.zeros_like(x)
        roughness[2:] += differences
        roughness[1:-1] -= 2 * differences
        roughness[:-2] += differences
        return (curvature @ x[..., None])[..., 0] + weights * roughness

    def precondition(x: torch.Tensor) -> torch.Tensor:
        return torch.cholesky_solve(x[..., None], block)[..., 0]

    # The unknown is what is added to `best`.
    added, residual = torch.zeros_like(best), (curvature @ best[..., None])[..., 0] - apply(best)
    preconditioned = direction = precondition(residual)
    product = first_product = (residual * preconditioned).sum()
    for _ in range(max_iterations):
        if product <= tolerance**2 * first_product:
            break
        applied = apply(direction)
        length = product / (direction * applied).sum()
        added, residual = added + length * direction, residual - length * applied
        preconditioned = precondition(residual)
        previous, product = product, (residual * preconditioned).sum()
        direction = preconditioned + product / previous * direction
    return best + added
