"""Hides chains of people: the 2D joints of a chain are not detected, and its part of the silhouette is missing. N people, S pixels a side.

A hidden hip or shoulder hides, half of the time, the middle joints that detectors derive from it. As in footage, the window is around
the joints that are seen.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch.nn import functional

from blender_meshrec.bodies.window_regression import SILHOUETTE_SIZE, window_coordinates, windows_around
from blender_meshrec.core.array_types import BoolArray
from blender_meshrec.core.skeletons import H36M17
from scripts.train.calibration.detector_noise import detect_keypoints, generator_inputs
from scripts.train.calibration.filmed_windows import FilmedWindows, unpack_silhouettes

# The keypoints of the chains of methods/hkmr.py.
CHAIN_KEYPOINTS: Mapping[str, tuple[str, ...]] = {
    "root": ("hip", "spine", "thorax"),
    "head": ("thorax", "nose", "head_top"),
    **{f"{side}_leg": tuple(f"{side}_{name}" for name in ("hip", "knee", "ankle")) for side in ("left", "right")},
    **{f"{side}_arm": tuple(f"{side}_{name}" for name in ("shoulder", "elbow", "wrist")) for side in ("left", "right")},
}
CHAIN_INDICES = {name: [H36M17.index(point) for point in points] for name, points in CHAIN_KEYPOINTS.items()}
DERIVED = {"leg": [H36M17.index(name) for name in ("hip", "spine")], "arm": [H36M17.index(name) for name in ("thorax", "spine")]}
# Shares of training samples: one chain hidden, two, and cut off by an edge of the picture.
ONE, TWO, CUT = 0.3, 0.1, 0.1
OCCLUDER_RADIUS = 0.12, 0.3  # half windows, around the line through a hidden chain's joints
MIN_SEEN = 5  # joints that stay


def draw_hidden(rng: np.random.Generator, points: torch.Tensor) -> list[list[int]]:
    """For each of N samples of points (N,17,2) in half windows, the keypoints that are hidden."""
    names, rows = list(CHAIN_INDICES), points.numpy()
    hidden: list[list[int]] = []
    for point, kind in zip(rows, rng.random(len(rows))):
        if kind < CUT:
            hidden.append(_beyond_edge(rng, point))
        else:
            count = 1 if kind < CUT + ONE else 2 if kind < CUT + ONE + TWO else 0
            hidden.append([joint for name in rng.choice(names, count, replace=False) for joint in hidden_by(rng, str(name))])
    return hidden


def hidden_by(rng: np.random.Generator, chain: str) -> list[int]:
    """The keypoints hidden with a chain."""
    derived = DERIVED.get(chain.rpartition("_")[2], []) if rng.random() < 0.5 else []
    return [*CHAIN_INDICES[chain], *derived]


def _beyond_edge(rng: np.random.Generator, point: np.ndarray) -> list[int]:
    """The keypoints beyond a random edge; below it three times of four."""
    axis, sign = (1, 1) if rng.random() < 0.75 else (int(rng.integers(2)), int(rng.choice([-1, 1])))
    along = sign * point[:, axis]
    most = np.sort(along)[MIN_SEEN]
    return np.flatnonzero(along > rng.uniform(most, along.max())).tolist()


def observe(
    rng: np.random.Generator, frames: FilmedWindows, hidden: Sequence[Sequence[int]] | None, noisy: bool = True, none: float = 0.0
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What a network sees of FilmedWindows of one frame each, with simulated detections.

    Args:
        hidden: for each frame, keypoints that are hidden; None: drawn by `draw_hidden`. none: the fraction without silhouette.

    Returns:
        points (N,17,3), silhouettes (N,S,S) and the windows (N,4) that both are in.
    """
    rays, confidence = detect_keypoints(rng, frames, noisy)
    true_windows = frames.windows[:, 0]
    points, silhouettes = generator_inputs(rng, frames, rays, confidence, unpack_silhouettes(frames.silhouettes), noisy, none)
    rays, confidence, silhouettes = rays[:, 0], confidence[:, 0].clone(), silhouettes[:, 0].clone()
    hidden = draw_hidden(rng, points[:, 0, :, :2]) if hidden is None else hidden
    is_shown = silhouettes.flatten(1).any(1)
    for row, joints in enumerate(hidden):
        confidence[row, list(joints)] = 0
        if joints and is_shown[row]:
            silhouettes[row, _occluded(points[row, 0, :, :2].numpy(), joints, rng.uniform(*OCCLUDER_RADIUS))] = 0
    windows = windows_around(rays, confidence > 0)
    silhouettes[is_shown] = _crop(silhouettes[is_shown], true_windows[is_shown], windows[is_shown])
    return torch.cat([window_coordinates(rays, windows), confidence[..., None]], -1), silhouettes, windows


def _occluded(points: np.ndarray, joints: Sequence[int], radius: float) -> torch.Tensor:
    """Pixels (S,S) within a radius of the line through some of the points (17,2), half windows."""
    step = (np.arange(SILHOUETTE_SIZE) + 0.5) * 2 / SILHOUETTE_SIZE - 1
    pixels = np.stack(np.meshgrid(step, step), -1)
    near: BoolArray = np.zeros(pixels.shape[:2], bool)
    line = points[list(joints)]
    for start, end in zip(line, line[1:] if len(line) > 1 else line):
        along = end - start
        share = np.clip(((pixels - start) @ along) / max(along @ along, 1e-9), 0, 1)
        near |= np.linalg.norm(pixels - start - share[..., None] * along, axis=-1) < radius
    return torch.as_tensor(near)


def _crop(silhouettes: torch.Tensor, windows: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Silhouettes (N,S,S) of windows (N,4) in the wanted windows (N,4)."""
    if not len(silhouettes):
        return silhouettes
    step = (torch.arange(SILHOUETTE_SIZE) + 0.5) / SILHOUETTE_SIZE
    grid = torch.stack(torch.meshgrid(step, step, indexing="xy"), -1)
    rays = wanted[:, None, None, :2] + grid * wanted[:, None, None, 2:]
    positions = 2 * (rays - windows[:, None, None, :2]) / windows[:, None, None, 2:] - 1
    return functional.grid_sample(silhouettes[:, None], positions, align_corners=False)[:, 0].round()
