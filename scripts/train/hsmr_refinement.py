"""SKELify in the loop of HSMR's training: labels become fits to the 2D joints where those are nearer (HSMR, supplement S.3.1).

The energy and its weights are the paper's: Geman-McClure of the reprojection, in hundredths of the torso, 5^2 |betas|^2 and
(4.78 * 0.17)^2 of the prior on limits, minimised by LBFGS with a strong Wolfe line search, from the network's latest prediction. Ours: all
frames of a batch in one energy, each with a weak-perspective camera of its own; angles bounded as in methods/hsmr.py.
"""

from typing import NamedTuple

import numpy as np
import torch

from blender_meshrec.core.skel.vocabulary import DOF_LIMITS
from blender_meshrec.core.skeletons import H36M17, limb_indices
from blender_meshrec.methods.hsmr import ANGLE_WEIGHT, GEMAN_MCCLURE_SIGMA, REFINE_STEPS, SHAPE_WEIGHT
from blender_meshrec.methods.hsmr_network import KeypointHsmr, SkelRegression
from scripts.train.data.skel_samples import Batch, SampleIndex, SkelBody, SkelSamples, project

INNER_STEPS = 6  # of LBFGS in each of REFINE_STEPS
MAX_ERROR = 0.03  # half windows; a fit that is farther off becomes no frame's first label. Ours
LIMBS = limb_indices(H36M17)
_LIMITED = torch.as_tensor(np.isfinite(DOF_LIMITS[:, 0]))
_LOW, _HIGH = torch.as_tensor(np.where(np.isfinite(DOF_LIMITS), DOF_LIMITS, [-1.0, 1.0]), dtype=torch.float32).T
_SHOULDERS, _HIPS = ([H36M17.index(f"{side}_{name}") for side in ("left", "right")] for name in ("shoulder", "hip"))


class RefinementReport(NamedTuple):
    """How many labels were fitted and how many kept; the mean 2D errors of predictions and of fits, half windows."""

    fitted: int
    kept: int
    predicted_error: float
    fitted_error: float


@torch.no_grad()
def refine_labels(network: KeypointHsmr, samples: SkelSamples, body: SkelBody, index: SampleIndex) -> RefinementReport:
    """Fit SKEL to the 2D joints of some samples, from the network's predictions, and keep the fits that are better than the labels."""
    batch = samples.draw(np.random.default_rng(0), index, noisy=False)
    predicted = network.eval()(batch.points, batch.silhouettes)
    fitted = skelify_batch(body, batch, predicted)
    before, after = (reprojection_error(body, each, batch.positions) for each in (predicted, fitted))
    labels = SkelRegression(batch.q, batch.betas, batch.camera)
    known = samples.error[index.mirrored, index.frames]
    measured = torch.where(batch.is_labelled, reprojection_error(body, labels, batch.positions), torch.inf)
    current = torch.minimum(known, measured)
    is_better = (after < current) & (batch.is_labelled | (after < torch.minimum(before, torch.tensor(MAX_ERROR))))
    keep_better(samples, index, fitted, after, is_better)
    return RefinementReport(len(after), int(is_better.sum()), float(before.mean()), float(after.mean()))


def keep_better(samples: SkelSamples, index: SampleIndex, fitted: SkelRegression, error: torch.Tensor, is_better: torch.Tensor) -> None:
    """Replace the labels of the samples (B,) for which `is_better` holds."""
    rows = index.mirrored[is_better], index.frames[is_better]
    samples.q[rows], samples.betas[rows], samples.error[rows] = fitted.q[is_better], fitted.betas[is_better], error[is_better]
    samples.is_labelled[rows] = True


def reprojection_error(body: SkelBody, regression: SkelRegression, positions: torch.Tensor) -> torch.Tensor:
    """Mean distance (B,) of projected limb joints from positions (B,17,2), half windows."""
    joints = body.quick_joints17(regression.q, regression.betas)
    return (project(joints, regression.camera) - positions)[:, LIMBS].norm(dim=-1).mean(1)


@torch.enable_grad()
def skelify_batch(body: SkelBody, batch: Batch, start: SkelRegression) -> SkelRegression:
    """SKEL fitted to the limb joints of a batch, each sample by itself."""
    middle, half = (_LOW + _HIGH) / 2, (_HIGH - _LOW) / 2
    u = torch.where(_LIMITED, torch.asin(((start.q - middle) / half).clamp(-0.995, 0.995)), start.q).requires_grad_()
    betas, camera = (each.clone().requires_grad_() for each in (start.betas, start.camera))
    torso = (batch.positions[:, _SHOULDERS].mean(1) - batch.positions[:, _HIPS].mean(1)).norm(dim=-1).clamp_min(0.2)
    unit = (100 / torso)[:, None, None]

    def angles() -> torch.Tensor:
        return torch.where(_LIMITED, middle + half * torch.sin(u), u)

    def energy() -> torch.Tensor:
        q = angles()
        squared = (unit * (project(body.quick_joints17(q, betas), camera) - batch.positions)[:, LIMBS]).square().sum(-1)
        robust = GEMAN_MCCLURE_SIGMA**2 * squared / (GEMAN_MCCLURE_SIGMA**2 + squared)
        limited, low, high = q[:, _LIMITED], _LOW[_LIMITED], _HIGH[_LIMITED]
        prior = (torch.exp(2 * (low - limited)) + torch.exp(2 * (limited - high))).mean(1)
        return (robust.sum(1) + SHAPE_WEIGHT * betas.square().sum(1) + ANGLE_WEIGHT * prior).sum()

    optimiser = torch.optim.LBFGS([u, betas, camera], lr=1, max_iter=INNER_STEPS, history_size=12, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        value = energy()
        value.backward()
        return value

    for _ in range(REFINE_STEPS):
        optimiser.step(closure)
    return SkelRegression(angles().detach(), betas.detach(), camera.detach())
