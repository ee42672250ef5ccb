"""How far DecoMR's mesh covers the people in real clips: by itself, with the body fitted to it, and beside the default method."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from blender_meshrec.backend.pipeline import open_clip, recover
from blender_meshrec.bodies.silhouette_rendering import SPACING, SurfacePoints, rasterise, silhouette_iou
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.crop_regression import CropRegression
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.records import Observations
from blender_meshrec.core.silhouettes import MASK_SIZE

MAX_FRAMES = 32
DISTANCE = 10.0  # m, at which a body without perspective is rendered
SUFFIXES = (".mp4", ".mov", ".avi")


def measure_coverage(folder: Path) -> dict[str, dict[str, float]]:
    """By clip: frames with a silhouette, and the mean intersection over union: alone, fitted, default."""
    found = {}
    for path in sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES):
        row = measure_clip(path)
        if row:
            found[path.stem] = row
            print(path.stem, row, flush=True)
    return found


def measure_clip(path: Path) -> dict[str, float]:
    """The numbers of one clip's largest person; empty where the detector segmented nobody."""
    with tempfile.TemporaryDirectory() as cache:
        return _measure_cached(ReconstructRequest(str(path), method="decomr", frames=(0, MAX_FRAMES), device="cpu", cache=cache))


def _measure_cached(request: ReconstructRequest) -> dict[str, float]:
    """The numbers of a clip; the footage is looked at once for each method."""
    clip, _tracked = open_clip(request, lambda progress: None)
    observations = clip.people[0].observations
    if observations.silhouettes is None or not len(observations.silhouettes):
        return {}
    alone = coverage_alone(observations)
    return {
        "frames": float(len(observations.silhouettes)),
        "alone": round(float(alone.mean()), 4),
        "fitted": fitted_coverage(request),
        "default": fitted_coverage(replace(request, method="auto")),
    }


def fitted_coverage(request: ReconstructRequest) -> float:
    """The mean intersection over union that a run reports of its largest person, once silhouettes have refined the fitted body."""
    report = recover(request).report
    return float(report["people"][0]["silhouettes"]["agreement_after"])


def coverage_alone(observations: Observations) -> FloatArray:
    """Intersection over union (S,) of the silhouettes with the mesh that was regressed in the same frame, by its own camera."""
    silhouettes = observations.silhouettes
    assert silhouettes is not None and observations.regression is not None
    regression = CropRegression.from_rows(observations.regression[silhouettes.rows])
    surface = SurfacePoints(load_body())
    rotmats, betas, camera = (
        torch.as_tensor(values, dtype=torch.float32) for values in (regression.rotmats, regression.betas, regression.camera)
    )
    points, joints = surface.pose(betas, rotmats, torch.zeros(len(betas), 3))
    points = points - (joints[:, 1:2] + joints[:, 2:3]) / 2
    # Weak perspective: everything at one distance; metres of the body stay metres, so that `rasterise` knows the points' spacing.
    places = points[..., :2] + camera[:, None, 1:] / camera[:, None, :1]
    flat = torch.cat([places, torch.full_like(points[..., 2:], DISTANCE) + 1e-3 * points[..., 2:]], -1)
    half = regression.squares[:, 2:] / 2
    squares = silhouettes.squares.astype(float)
    low = (squares[:, :2] - squares[:, 2:] / 2 - regression.squares[:, :2]) / half  # half crops
    windows = torch.as_tensor(np.concatenate([low, np.repeat(squares[:, 2:] / half, 2, 1)], 1), dtype=torch.float32)
    windows = windows / camera[:, :1] / DISTANCE
    masks, _nearness = rasterise(flat, windows, MASK_SIZE, SPACING)
    return silhouette_iou(masks, torch.tensor(silhouettes.masks)).numpy()
