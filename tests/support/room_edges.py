"""Edges of a room, as a camera of known lens and tilt sees them."""

import numpy as np

from blender_meshrec.backend.camera.vertical_lines import VerticalLines
from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.cameras import project
from blender_meshrec.core.rotations import rotmat_from_rotvec


def room_edges(
    intrinsics: FloatArray,
    tilt: tuple[float, float],
    heading: float = 30.0,
    each: int = 12,
    askew: int = 0,
    directions: tuple[int, ...] = (0, 1, 2),
    seed: int = 0,
) -> VerticalLines:
    """Edges of boxes about 4 m ahead, 0.5 m long, along some of a room's axes (0 and 2 are level), whose ends err by 0.5 px.

    Args:
        intrinsics: (3,3) px. tilt: pitch and roll, degrees. heading: of the room, degrees. each: how many along each axis. askew: how many
            that point anywhere.
    """
    generator = np.random.default_rng(seed)
    ways = np.concatenate([*(np.tile(np.eye(3)[axis], (each, 1)) for axis in directions), generator.normal(size=(askew, 3))])
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    middles = generator.uniform([-1.2, -1.5, 3.2], [1.2, 1.5, 5.0], (len(ways), 3))
    turned, ahead = (_camera_from_level(*tilt, turn) for turn in (heading, 0.0))  # the boxes turn with the room, and stay ahead
    in_camera = np.stack([middles @ ahead.T + sign * 0.25 * ways @ turned.T for sign in (-1, 1)], 1)
    pixels = project(in_camera, intrinsics) + generator.normal(0, 0.5, (len(ways), 2, 2))
    pixels = np.where(pixels[:, :1, 1:] > pixels[:, 1:, 1:], pixels[:, ::-1], pixels).reshape(-1, 4)
    return VerticalLines(np.zeros(len(pixels), int), pixels, 1.0)


def _camera_from_level(pitch: float, roll: float, heading: float) -> FloatArray:
    level_from_camera = rotmat_from_rotvec([-np.radians(pitch), 0, 0]) @ rotmat_from_rotvec([0, 0, np.radians(roll)])
    return level_from_camera.T @ rotmat_from_rotvec([0, np.radians(heading), 0])
