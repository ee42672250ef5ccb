"""Every axis and unit convention, in one place.

Three frames meet in this software, all right-handed and in metres:

* body: y up, the subject faces +z, the subject's left is +x (SMPL's rest pose);
* camera: x right, y down, z forward (OpenCV);
* world: z up, floor at z = 0 (Blender). A subject at rest faces -y.
"""

import numpy as np

# C of ARCHITECTURE.md, Rx(+90 deg): (x, y, z) -> (x, -z, y).
WORLD_FROM_BODY = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
WORLD_FROM_BODY.setflags(write=False)

# A level camera looking along +y: its right is world x, its down is world -z.
WORLD_FROM_LEVEL_CAMERA = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
WORLD_FROM_LEVEL_CAMERA.setflags(write=False)

# A camera-frame point seen in a y-up frame: Rx(180 deg).
Y_UP_FROM_CAMERA = np.diag([1.0, -1.0, -1.0])
Y_UP_FROM_CAMERA.setflags(write=False)

# Blender's cameras look along their own -z with +y up.
BLENDER_CAMERA_FROM_OPENCV = np.diag([1.0, -1.0, -1.0])
BLENDER_CAMERA_FROM_OPENCV.setflags(write=False)

IMAGE_FPS = 24.0
FOLDER_FPS = 30.0
FIRST_BLENDER_FRAME = 1


def key_frames(timestamps, fps):
    """Where keyframes lie on Blender's timeline: 1 + t * fps, timestamps (F,) in seconds; fractional for variable rates."""
    return FIRST_BLENDER_FRAME + np.asarray(timestamps, float) * fps


def standard_fps(fps):
    """Snap a measured rate to the exact one it stands for: 23.976 is 24/1.001, 29.97 is 30/1.001."""
    for nominal in (24, 30, 48, 60, 120):
        for exact in (nominal / 1.001, float(nominal)):
            if abs(fps - exact) < 2e-4 * exact:
                return exact
    nearest = round(fps)
    return float(nearest) if nearest and abs(fps - nearest) < 2e-4 * nearest else float(fps)
