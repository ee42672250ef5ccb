"""HKMR_MF: the model fitting in the loop of SPIN (Kolotouros et al. 2019), for samples with 2D labels only.

A few steps of Adam from the network's own answer, all samples of a batch at once, instead of SPIN's SMPLify to convergence: the energy is
the reprojection (Geman-McClure), the distance from the answer, and the VAE prior. A fit is kept where its 2D error is smaller than the
answer's, and is the target of the sample's pose. The shape stays the answer's: 2D joints alone do not tell a tall person from a near one.
N samples.
"""

import torch

from blender_meshrec.bodies.smpl import Smpl
from blender_meshrec.bodies.window_regression import WindowBodies
from blender_meshrec.methods.hkmr import HkmrPose, PosePrior

STEPS, STEP_SIZE = 5, 0.03
SIGMA = 0.1  # half windows, of Geman-McClure
POSE_WEIGHT, PRIOR_WEIGHT = 0.02, 1e-5


def project(body: Smpl, bodies: WindowBodies, windows: torch.Tensor) -> torch.Tensor:
    """The 17 joints (N,17,2) of bodies in half windows, by the perspective that the scale and the width of windows (N,4) imply."""
    joints = body.h36m17(bodies.betas, bodies.rotmats[:, 0], bodies.rotmats[:, 1:])
    joints = joints - joints[:, :1]
    scale = bodies.camera[:, None, :1]
    # The hip's depth is 2 / (scale * width) m.
    depth_ratio = 1 + joints[..., 2:] * scale * windows[:, None, 2:3] / 2
    return (bodies.camera[:, None, 1:] + scale * joints[..., :2]) / depth_ratio.clamp_min(0.2)


def fit_bodies(
    body: Smpl, prior: PosePrior, answer: HkmrPose, points: torch.Tensor, windows: torch.Tensor
) -> tuple[WindowBodies, torch.Tensor]:
    """Fit the open body to 2D joints, from a network's answer.

    Args:
        answer: N samples', without gradients. points: (N,17,2), the labels, in half windows. windows: (N,4).

    Returns:
        the fitted WindowBodies, and (N,) bool, where the mean 2D error has fallen.
    """
    start = answer.bodies()
    fitted = [value.clone().requires_grad_(True) for value in (answer.angles, answer.camera)]
    optimiser = torch.optim.Adam(fitted, lr=STEP_SIZE)
    for _ in range(STEPS):
        angles, camera = fitted
        bodies = HkmrPose(angles, answer.first_root, answer.betas, camera).bodies()
        squared = (project(body, bodies, windows) - points).square().sum(-1)
        energy = (squared / (squared + SIGMA**2)).mean(1)
        energy = energy + POSE_WEIGHT * (angles - answer.angles)[:, 1:].square().sum((1, 2))
        energy = energy + PRIOR_WEIGHT * prior.improbability(angles[:, 1:].flatten(1))
        optimiser.zero_grad()
        energy.sum().backward()
        optimiser.step()
    with torch.no_grad():
        bodies = HkmrPose(fitted[0], answer.first_root, answer.betas, fitted[1]).bodies()
        before, after = ((project(body, each, windows) - points).norm(dim=-1).mean(1) for each in (start, bodies))
    return WindowBodies(*(value.detach() for value in bodies)), after < before
