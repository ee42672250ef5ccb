"""Views of textured scenery by a camera that turns, zooms or moves, and what is found of it."""

import cv2
import numpy as np

from blender_meshrec.backend.camera.background_matcher import BackgroundMatcher, small_size
from blender_meshrec.backend.camera.solve_camera import solve_camera
from blender_meshrec.backend.camera.tracks import join_matches
from blender_meshrec.core.rotations import rotmat_from_rotvec

SIZE, FOCAL = (480, 270), 450.0
SIDE, TEXTURE_FOCAL = 1600, 500.0  # px of the scenery, which spans 116 degrees


def scenery(seed=0):
    """A picture (SIDE,SIDE,3) full of smooth spots, at infinity in front of the camera."""
    noise = np.random.default_rng(seed).integers(0, 256, (SIDE // 8, SIDE // 8, 3)).astype(np.uint8)
    return cv2.GaussianBlur(cv2.resize(noise, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), (0, 0), 2)


def turn(pan=0.0, tilt=0.0, roll=0.0):
    """camera_from_first (3,3) of angles in degrees."""
    return rotmat_from_rotvec(np.radians([tilt, pan, roll]))


def view(picture, rotation=None, zoom=1.0, shift=0.0):
    """A frame (H,W,3); shift: px, by which the scenery moves sideways as a wall at one depth does."""
    intrinsics = np.array([[zoom * FOCAL, 0, SIZE[0] / 2 + shift], [0, zoom * FOCAL, SIZE[1] / 2], [0, 0, 1]])
    texture = np.array([[TEXTURE_FOCAL, 0, SIDE / 2], [0, TEXTURE_FOCAL, SIDE / 2], [0, 0, 1]])
    rotation = np.eye(3) if rotation is None else rotation
    return cv2.warpPerspective(picture, intrinsics @ rotation @ np.linalg.inv(texture), SIZE)


def match(frames, boxes=None):
    """What the footage pass keeps of frames, and the steps (F,3)."""
    matcher = BackgroundMatcher()
    found = [matcher.update(frame, [] if boxes is None else boxes[row]) for row, frame in enumerate(frames)]
    return [kept for _step, kept in found], np.array([step for step, _kept in found])


def solve(frames, boxes=None, focal=1.15 * FOCAL, **options):
    """The camera that is found in frames."""
    return solve_camera(join_matches(match(frames, boxes)[0], SIZE, small_size(SIZE)), SIZE, focal, **options)
