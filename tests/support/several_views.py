"""People before several cameras that stand around them, as files of 2D keypoints, and the cameras' calibration."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from blender_meshrec.core.array_types import ArrayLike, FloatArray
from blender_meshrec.core.rotations import rotvec_from_rotmat
from tests.support.synthetic_gait import View, make_view

RATE = 30.0
BEARINGS = (0.2, 1.4, 3.6)  # rad, of the cameras around the people


def cameras_around(count: int = 2, distance: float = 4.5, size: tuple[int, int] = (1280, 720)) -> list[View]:
    """Cameras that look down a little from all around."""
    return [make_view(distance, pitch=0.12, bearing=bearing, size=size) for bearing in BEARINGS[:count]]


def write_view(path: Path, view: View, people: Sequence[FloatArray], noise: float = 0.0, seed: int = 0) -> Path:
    """Write the keypoints of people, (F,17,3) m h36m17 each, as a view sees them; noise: px."""
    rng = np.random.default_rng(seed)
    keypoints = np.stack([view.keypoints(points) for points in people], 1)
    keypoints[..., :2] += noise * rng.normal(size=keypoints[..., :2].shape)
    np.savez(path, keypoints=keypoints, keypoint_set="h36m17", image_size=view.size, fps=RATE)
    return path


def shifted_times(frames: int, shift: float = 0.0) -> FloatArray:
    """Times (F,) s of a camera that starts `shift` frames later."""
    return (np.arange(frames) + shift) / RATE


def cameras_as_json(views: Sequence[View], names: Sequence[str]) -> str:
    """The calibration in OpenCV's terms, as JSON."""
    return json.dumps({name: opencv_values(view) for name, view in zip(names, views, strict=True)})


def opencv_values(view: View) -> dict[str, ArrayLike]:
    """A camera in OpenCV's terms, whose first pixel's centre is at 0."""
    matrix = view.intrinsics.copy()
    matrix[:2, 2] -= 0.5
    placed = view.camera_from_world
    return {
        "K": matrix.tolist(),
        "dist": [0.0, 0.0, 0.0, 0.0],
        "R": rotvec_from_rotmat(placed[:3, :3]).tolist(),
        "t": placed[:3, 3].tolist(),
        "size": list(view.size),
    }
