"""Damped Gauss-Newton steps of many small problems at once, each frame a problem of its own. Source: Marquardt 1963."""

import torch

INITIAL_DAMPING, MIN_DAMPING, MAX_DAMPING = 1e-2, 1e-7, 1e3
MIN_CURVATURE = 1e-9  # curvature that damping takes an unknown to have which moves nothing
CONVERGED_GAIN = 1e-3  # share of the energy below which a step's gain ends a frame's fit


@torch.no_grad()
def levenberg_marquardt(problem, x, max_steps, blocked=None):
    """Make each frame's energy small until it gains no more.

    Args:
        problem: an object with
            energy(x (n,...), frames (n,)) -> (n,),
            expansion(x (n,...), frames (n,)) -> energy (n,), half its gradient (n,N), Gauss-Newton's half second derivative (n,N,N),
            move(x (n,...), step (n,N)) -> (n,...).
        x: (F,...), where to begin. max_steps: at most so many.
        blocked: of x (n,...) and gradient (n,N), which unknowns may not move now, (n,N) bool; none when None.

    Returns:
        (F,...), with no frame's energy above what it was.
    """
    x, going = x.clone(), torch.arange(len(x), device=x.device)
    damping = x.new_full((len(x),), INITIAL_DAMPING, dtype=torch.float64)
    value, gradient, curvature = problem.linearize(x, going)
    for _ in range(max_steps):
        moving = torch.ones_like(gradient[going]) if blocked is None else (~blocked(x[going], gradient[going])).double()
        matrix = curvature[going] * moving[:, :, None] * moving[:, None]
        added = damping[going, None] * (matrix.diagonal(dim1=1, dim2=2) + MIN_CURVATURE) + (1 - moving)
        step = torch.linalg.solve(matrix + torch.diag_embed(added), gradient[going] * moving)
        there = problem.apply_step(x[going], -step.to(x.dtype))
        reached = problem.energy(there, going)
        gained = value[going] - reached
        better = gained > 0
        x[going[better]], value[going[better]] = there[better], reached[better]
        damping[going] = torch.where(better, damping[going] / 5, damping[going] * 10).clamp_min(MIN_DAMPING)
        ended = torch.where(better, gained < CONVERGED_GAIN * value[going], damping[going] > MAX_DAMPING)
        renewed = going[better & ~ended]
        going = going[~ended]
        if not len(going):
            break
        if len(renewed):
            _, gradient[renewed], curvature[renewed] = problem.linearize(x[renewed], renewed)
    return x


@torch.no_grad()
def smooth_solution(best, curvature, weights, max_iterations=200, tolerance=1e-6):
    """Values that bend less over time and cost little: near the best of each frame, least of
    sum (x - best)^T curvature (x - best) + sum weights * (second difference of x)^2.

    Args:
        best: (F,N). curvature: (F,N,N), half the second derivative of each frame's energy at its best. weights: (N,).

    Returns:
        (F,N). Conjugate gradients, each frame preconditioned by itself.
    """
    if len(best) < 3:
        return best.clone()
    best, weights = best.double(), weights.double()
    small = MIN_CURVATURE * torch.eye(best.shape[1], dtype=best.dtype, device=best.device)
    alone = torch.linalg.cholesky(curvature + torch.diag(6 * weights) + small)  # 6: the diagonal of bends of bends

    def apply(x):
        bends = x[2:] - 2 * x[1:-1] + x[:-2]
        spread = torch.zeros_like(x)
        spread[2:] += bends
        spread[1:-1] -= 2 * bends
        spread[:-2] += bends
        return (curvature @ x[..., None])[..., 0] + weights * spread

    def alike(x):
        return torch.cholesky_solve(x[..., None], alone)[..., 0]

    # Of what is added to `best`: begins at zero.
    added, left = torch.zeros_like(best), (curvature @ best[..., None])[..., 0] - apply(best)
    begun = towards = alike(left)
    product = first = (left * begun).sum()
    for _ in range(max_iterations):
        if product <= tolerance**2 * first:
            break
        moved = apply(towards)
        length = product / (towards * moved).sum()
        added, left = added + length * towards, left - length * moved
        nearer = alike(left)
        before, product = product, (left * nearer).sum()
        towards = nearer + product / before * towards
    return best + added
