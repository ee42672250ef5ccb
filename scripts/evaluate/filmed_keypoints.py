"""Keypoints files of simulated views of motion capture, and the lenses that filmed them."""

from pathlib import Path

import numpy as np

from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.skeletons import H36M17
from scripts.train.data.camera_views import Views
from scripts.train.data.recordings import FPS

IMAGE_DIAGONAL = 2203  # px, of an image of 1920 x 1080


def write_keypoints(path: Path, views: Views, camera: int) -> FloatArray:
    """Write a keypoints file without intrinsics, in pixels of a 1920 x 1080 image (portrait if the person needs it).

    Returns:
        the intrinsics (3,3) px of the camera.
    """
    rays = views.rays[camera, :, : len(H36M17)] / views.zoom[camera]
    size = np.array([1920, 1080])
    focal = float(views.focal[camera] * IMAGE_DIAGONAL)
    pixels = rays * focal
    if np.abs(pixels[..., 1]).max() > size[1] / 2 and np.abs(pixels[..., 0]).max() <= size[1] / 2:
        size = size[::-1]  # portrait
    keypoints = np.concatenate([pixels + size / 2, views.confidence[camera, :, : len(H36M17), None]], -1)
    np.savez(path, keypoints=keypoints, keypoint_set="h36m17", image_size=size, fps=FPS)
    return np.array([[focal, 0, size[0] / 2], [0, focal, size[1] / 2], [0, 0, 1]])
