"""Simulated detections of FilmedWindows: 2D points with noise, drift and gaps; silhouettes with holes, or none.

Every window has its own noise level. An error is the sum of a drift over the window (autoregressive) and of white noise.
"""

import numpy as np
import torch

from blender_meshrec.core.skeletons import H36M17
from blender_meshrec.methods.hmr import SILHOUETTE_SIZE, window_coordinates
from scripts.train.calibration.filmed_windows import FilmedWindows

MAX_SIGMA = 0.022  # of half a window: standard deviation at the highest noise level
AUTOCORRELATION = 0.85  # of the drift from frame to frame
END_FACTOR = 1.6  # noise of wrists and ankles over that of other joints
MISSING_FRACTION = 0.04  # fraction of missing points
HOLE_FRACTION = 0.3  # fraction of silhouettes that lose a square of up to a third of the window
NO_SILHOUETTE_FRACTION = 0.5  # fraction of windows without silhouettes
_SCALE = torch.tensor([END_FACTOR if name.endswith(("wrist", "ankle")) else 1.0 for name in H36M17])


def detect_keypoints(rng: np.random.Generator, pool: FilmedWindows, noisy: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
    """Rays (W,F,17,2) and confidence (W,F,17) of the joints of FilmedWindows."""
    rays = pool.joints[..., :2] / pool.joints[..., 2:]
    count, frames = rays.shape[:2]
    if not noisy:
        return rays, torch.ones(count, frames, len(H36M17))
    half = pool.windows[:, :, 2].mean(1)[:, None, None, None] / 2
    level = torch.as_tensor(rng.random((count, 1, 1, 1)), dtype=torch.float32) * MAX_SIGMA * half * _SCALE[:, None]
    white = torch.as_tensor(rng.normal(size=(2, *rays.shape)), dtype=torch.float32)
    drift = [white[0][:, 0]]
    for frame in range(1, frames):
        drift.append(AUTOCORRELATION * drift[-1] + (1 - AUTOCORRELATION**2) ** 0.5 * white[0][:, frame])
    rays = rays + level * (0.8 * torch.stack(drift, 1) + 0.6 * white[1])
    confidence = torch.as_tensor(rng.random((count, frames, len(H36M17))) >= MISSING_FRACTION).float()
    return rays, confidence


def generator_inputs(
    rng: np.random.Generator,
    pool: FilmedWindows,
    rays: torch.Tensor,
    confidence: torch.Tensor,
    silhouettes: torch.Tensor,
    noisy: bool = True,
    none: float = NO_SILHOUETTE_FRACTION,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The inputs of methods/hmr.Hmr: points (W,F,17,3) and silhouettes (W,F,S,S).

    noisy: some silhouettes get holes. none: the fraction of windows whose silhouettes are empty.
    """
    points = window_coordinates(rays.flatten(0, 1), pool.windows.flatten(0, 1)).unflatten(0, rays.shape[:2])
    if noisy:
        silhouettes = silhouettes.clone()
        for row in np.flatnonzero(rng.random(len(silhouettes)) < HOLE_FRACTION):
            size = int(rng.integers(4, SILHOUETTE_SIZE // 3))
            x, y = rng.integers(0, SILHOUETTE_SIZE - size, 2)
            silhouettes[row, :, y : y + size, x : x + size] = float(rng.random() < 0.3)
    shown = torch.as_tensor(rng.random(len(silhouettes)) >= none).to(silhouettes)
    return torch.cat([points, confidence[..., None]], -1), silhouettes * shown[:, None, None, None]
