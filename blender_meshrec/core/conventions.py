"""All axis and unit conventions.

The software uses three right-handed frames, in metres:

* body: y up, the subject faces +z, the subject's left is +x (SMPL's rest pose);
* camera: x right, y down, z forward (OpenCV);
* world: z up, floor at z = 0 (Blender). A subject at rest faces -y.
"""

import numpy as np

from .array_types import ArrayLike, FloatArray
from .frozen_arrays import read_only_array

# C of ARCHITECTURE.md, Rx(+90 deg): (x, y, z) -> (x, -z, y).
WORLD_FROM_BODY: FloatArray = read_only_array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])

# A level camera that looks along +y: its x axis is world x, its y axis is world -z.
WORLD_FROM_LEVEL_CAMERA: FloatArray = read_only_array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])

# Blender's cameras look along their own -z with +y up: Rx(180 deg).
BLENDER_CAMERA_FROM_OPENCV: FloatArray = read_only_array(np.diag([1.0, -1.0, -1.0]))

# Frame rates that files may state: from one frame in 20 minutes to high-speed cameras.
MIN_FILE_FPS, MAX_FILE_FPS = 1 / 1200, 10_000.0
# Image files that the backend reads, whether Blender does or not.
IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".pjpeg", ".pjp", ".mpo", ".png", ".apng", ".webp", ".bmp", ".dib", ".tif", ".tiff")
    + (".jp2", ".ppm", ".pgm", ".pbm", ".pnm", ".exr", ".avif", ".avifs", ".heic", ".heif", ".hif")
)

IMAGE_FPS = 24.0
FOLDER_FPS = 30.0
FIRST_BLENDER_FRAME = 1
_NOMINAL_RATES = (24, 30, 48, 60, 120)  # fps; NTSC variants are slower by 1.001
_RATE_TOLERANCE = 2e-4  # relative


def key_frames(timestamps: ArrayLike, fps: float) -> FloatArray:
    """Positions of keyframes on Blender's timeline: 1 + t * fps, timestamps (F,) in seconds; fractional for variable rates."""
    return FIRST_BLENDER_FRAME + np.asarray(timestamps, float) * fps


def standard_fps(fps: float) -> float:
    """Replace a measured rate by the exact standard rate: 23.976 by 24/1.001, 29.97 by 30/1.001."""
    for nominal in _NOMINAL_RATES:
        for exact in (nominal / 1.001, float(nominal)):
            if abs(fps - exact) < _RATE_TOLERANCE * exact:
                return exact
    nearest = round(fps)
    return float(nearest) if nearest and abs(fps - nearest) < _RATE_TOLERANCE * nearest else float(fps)
