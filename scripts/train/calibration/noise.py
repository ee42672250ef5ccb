"""What a detector would have made of a Pool's joints: 2D points that tremble, stray and go missing, silhouettes with holes or none at all.

Each person has a level of error of their own; errors drift over a window (an autoregressive part) and tremble (a white part).
"""

import numpy as np
import torch

from blender_meshrec.core.skeletons import H36M17
from blender_meshrec.methods.hmr import SIDE, in_windows

LEVEL = 0.022  # of half a window, one standard deviation at the worst level
KEPT = 0.85  # of the drift from frame to frame
ENDS = 1.6  # times as much at wrists and ankles
MISSING = 0.04
HOLES = 0.3  # of silhouettes lose a square of up to a third of the window
NONE = 0.5  # of windows have no silhouettes
_SCALE = torch.tensor([ENDS if name.endswith(("wrist", "ankle")) else 1.0 for name in H36M17])


def detected(rng, pool, noisy=True):
    """Rays (W,F,17,2) and confidence (W,F,17) of a Pool's joints."""
    rays = pool.joints[..., :2] / pool.joints[..., 2:]
    count, frames = rays.shape[:2]
    if not noisy:
        return rays, torch.ones(count, frames, len(H36M17))
    half = pool.windows[:, :, 2].mean(1)[:, None, None, None] / 2
    level = torch.as_tensor(rng.random((count, 1, 1, 1)), dtype=torch.float32) * LEVEL * half * _SCALE[:, None]
    white = torch.as_tensor(rng.normal(size=(2, *rays.shape)), dtype=torch.float32)
    drift = [white[0][:, 0]]
    for frame in range(1, frames):
        drift.append(KEPT * drift[-1] + (1 - KEPT**2) ** 0.5 * white[0][:, frame])
    rays = rays + level * (0.8 * torch.stack(drift, 1) + 0.6 * white[1])
    confidence = torch.as_tensor(rng.random((count, frames, len(H36M17))) >= MISSING).float()
    return rays, confidence


def seen(rng, pool, rays, confidence, silhouettes, noisy=True, none=NONE):
    """What methods/hmr.Hmr is shown of frames: points (W,F,17,3) and silhouettes (W,F,S,S), which are empty in `none` of the windows."""
    points = in_windows(rays.flatten(0, 1), pool.windows.flatten(0, 1)).unflatten(0, rays.shape[:2])
    if noisy:
        silhouettes = silhouettes.clone()
        for row in np.flatnonzero(rng.random(len(silhouettes)) < HOLES):
            size = int(rng.integers(4, SIDE // 3))
            x, y = rng.integers(0, SIDE - size, 2)
            silhouettes[row, :, y : y + size, x : x + size] = float(rng.random() < 0.3)
    shown = torch.as_tensor(rng.random(len(silhouettes)) >= none).to(silhouettes)
    return torch.cat([points, confidence[..., None]], -1), silhouettes * shown[:, None, None, None]
