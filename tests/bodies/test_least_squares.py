"""Damped Gauss-Newton steps find each frame's minimum, and smoothing finds the exact optimum."""

import numpy as np
import torch

from blender_meshrec.bodies.least_squares import levenberg_marquardt, smooth_solution


class Curves:
    """Rosenbrock's valley for each frame, with its own place: residuals 10 (y - x^2) and a - x."""

    def __init__(self, places):
        self.places = places

    def residuals(self, x, frames):
        return torch.stack([10 * (x[:, 1] - x[:, 0] ** 2), self.places[frames] - x[:, 0]], 1)

    def energy(self, x, frames):
        return self.residuals(x, frames).square().sum(1)

    def linearize(self, x, frames):
        zero, one = torch.zeros(len(x)).double(), torch.ones(len(x)).double()
        columns = torch.stack([torch.stack([-20 * x[:, 0], -one], 1), torch.stack([10 * one, zero], 1)], 1)
        residuals = self.residuals(x, frames)
        return self.energy(x, frames), (columns @ residuals[..., None])[..., 0], columns @ columns.mT

    def apply_step(self, x, step):
        return x + step


def test_every_frame_finds_its_own_minimum():
    places = torch.linspace(-2, 2, 9).double()
    found = levenberg_marquardt(Curves(places), torch.full((9, 2), -1.5).double(), 200)
    assert (found[:, 0] - places).abs().max() < 1e-2 and (found[:, 1] - places**2).abs().max() < 4e-2


def test_energies_do_not_increase_and_blocked_unknowns_stay():
    problem, frames = Curves(torch.linspace(-2, 2, 9).double()), torch.arange(9)
    begun = torch.full((9, 2), 0.3).double()

    def blocked(x, gradient):
        return torch.tensor([False, True]).expand_as(gradient)

    found = levenberg_marquardt(problem, begun, 20, blocked)
    assert (problem.energy(found, frames) <= problem.energy(begun, frames)).all()
    assert torch.equal(found[:, 1], begun[:, 1]) and not torch.equal(found[:, 0], begun[:, 0])


def test_smoothing_solves_its_normal_equations():
    rng = np.random.default_rng(0)
    frames, unknowns = 12, 3
    roots = rng.normal(size=(frames, unknowns, unknowns))
    curvature, best, weights = (
        roots @ roots.swapaxes(1, 2) + 0.1 * np.eye(unknowns),
        rng.normal(size=(frames, unknowns)),
        np.array([0.3, 5.0, 40.0]),
    )
    bends = np.kron(np.diff(np.eye(frames), 2, axis=0), np.eye(unknowns))
    whole = np.zeros((frames * unknowns, frames * unknowns))
    for frame, block in enumerate(curvature):
        rows = slice(frame * unknowns, (frame + 1) * unknowns)
        whole[rows, rows] = block
    wanted = np.linalg.solve(whole + bends.T @ np.diag(np.tile(weights, frames - 2)) @ bends, whole @ best.ravel())
    found = smooth_solution(*(torch.as_tensor(each) for each in (best, curvature, weights)))
    assert np.abs(found.numpy().ravel() - wanted).max() < 1e-5


def test_two_frames_stay_unchanged():
    best = torch.tensor([[1.0, 2], [3, 5]])
    assert torch.equal(smooth_solution(best, torch.eye(2).expand(2, 2, 2), torch.ones(2)), best)
