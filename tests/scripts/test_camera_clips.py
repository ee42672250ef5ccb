"""The clips with a known camera: what is drawn follows the truth, and the errors that are printed are those of the camera found."""

import numpy as np
import pytest

from blender_meshrec.backend.camera.solve_camera import solve_camera
from scripts.evaluate.camera_clips import FOCAL, SIZE, Room, make_clips, pose, recover_camera, rotation_errors


def test_a_room_is_seen_where_the_camera_looks():
    room = Room(0, 1.0)
    ahead, turned = (room.draw(pose(pan=pan), SIZE, FOCAL) for pan in (0.0, 5.0))
    shift = round(FOCAL * np.tan(np.radians(5.0)))  # px; x grows to the right, and a positive pan moves the scene there
    middle = slice(SIZE[0] // 2 - 40, SIZE[0] // 2 + 40)
    moved = slice(middle.start + shift, middle.stop + shift)
    difference = np.abs(ahead[:, middle].astype(float) - turned[:, moved]).mean()
    assert difference < 0.6 * np.abs(ahead[:, middle].astype(float) - turned[:, middle]).mean()


def test_the_camera_of_a_short_clip_is_found():
    clip = next(clip for clip in make_clips() if clip.name == "3 frames")
    frames = []
    path, _seconds, _solving = recover_camera(clip, frames.append)
    assert path.kind == clip.kind and rotation_errors(clip, path).max() < 0.15
    assert len(frames) == 3 and frames[0].shape == (SIZE[1], SIZE[0], 3)
    still = solve_camera(None, SIZE, FOCAL, num_frames=3)
    assert rotation_errors(clip, still) == pytest.approx([0, 1, 2])
