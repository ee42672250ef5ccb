"""The camera: how it turned, zoomed and moved, and the steady view in which people are solved."""

import numpy as np

from ...core.array_types import FloatArray
from ...core.cameras import intrinsics_of_focal_length
from ...core.lens_distortion import invert_first_order
from ...core.time_series import frame_rate
from ..camera.solve_camera import PRIOR_SIGMA, solve_camera
from ..camera.steady_view import (
    centres_in_view,
    choose_steady_view,
    is_in_steady_view,
    is_motion_known,
    reference_row,
    steady_observations,
)
from ..camera.through_lens import through_ideal_lens
from ..clip import Clip
from ..fitting.clip_solve.solve_clip import world_from_up
from ..fitting.gravity_and_floor import estimate_floor_height
from ..moving_camera import floor_of_map, say_unsure_length
from .known_camera import take_known_camera
from .start import ground_evidence


def solve_camera_of_clip(clip: Clip) -> None:
    """Find the camera of every shot; if there is one shot, people are seen by a steady camera from then on."""
    if clip.known_camera is not None:
        take_known_camera(clip, clip.known_camera)
        return
    focal = float(clip.intrinsics[0, 0])
    sigma = min(clip.lens_sigma, PRIOR_SIGMA)
    rate, frames = frame_rate(clip.frames.timestamps), len(clip.frames)
    clip.camera = solve_camera(clip.tracks, clip.frames.size, focal, frames, sigma, clip.stages.count, rate)
    if len(clip.camera.shots) == 1:
        see_steadily(clip)


def stand_on_map_floor(clip: Clip) -> None:
    """Level the world, and scale the camera's path, by the floor in its map; say where nothing tells the scale."""
    clip.map_floor = floor = floor_of_map(clip) if clip.request.upright else None
    if floor is not None and clip.path_scale is not None:
        clip.path_scale = clip.path_scale.on_floor(floor)
        rotation = world_from_up(floor.up, 0.0)[:3, :3]
        height = estimate_floor_height([ground_evidence(person, clip) for person in clip.people], clip.motion_times, rotation)
        clip.world_from_camera = world_from_up(floor.up, -height)
        clip.tilt_sigma = np.full(2, floor.tilt_sigma)
    say_unsure_length(clip)


def see_steadily(clip: Clip) -> None:
    """See the people of one shot as a camera that neither turns nor zooms would have seen them from the same places."""
    path = clip.camera
    if not is_motion_known(path):
        return
    view = choose_steady_view(path.camera_from_first)
    row = reference_row(view)
    is_solved = bool(np.isfinite(path.focal)) and clip.lens_source != "given"
    focal = (path.focal if is_solved else float(clip.intrinsics[0, 0])) * float(path.zoom[row])
    intrinsics, zoom = intrinsics_of_focal_length(focal, clip.frames.size), path.zoom / path.zoom[row]
    size = np.array(clip.frames.size, float)
    if is_solved and path.distortion:
        undistort_people(clip, path.focal * path.zoom, invert_first_order(path.distortion))
    people = [person.observations for person in clip.people]
    if (zoom != 1).any():
        filmed = np.tile(intrinsics, (len(zoom), 1, 1))
        filmed[:, [0, 1], [0, 1]] *= zoom[:, None]
        people = [through_ideal_lens(seen, filmed, np.zeros(3), intrinsics, size) for seen in people]
        size = np.full(2, np.inf)
    if not all(is_in_steady_view(seen, view, intrinsics) for seen in people):
        return
    if is_solved:
        clip.lens_sigma, clip.lens_source = path.focal_sigma / path.focal, "camera"
    clip.intrinsics, clip.zoom = intrinsics, zoom if (zoom != 1).any() else None
    clip.camera_from_view, clip.camera_centres = view, centres_in_view(path, view)
    for person, seen in zip(clip.people, people, strict=True):
        person.observations = seen
        person.steady = steady_observations(seen, view, intrinsics, size)


def undistort_people(clip: Clip, focal: FloatArray, distortion: FloatArray) -> None:
    """Take the distortion (3,) that the camera's turn shows out of all that was seen of people; focal: (F,) px, of each frame."""
    clip.distortion, clip.distortion_source = distortion, "camera"
    filmed = np.tile(intrinsics_of_focal_length(1.0, clip.frames.size), (len(focal), 1, 1))
    filmed[:, [0, 1], [0, 1]] = focal[:, None]
    for person in clip.people:
        person.observations = through_ideal_lens(person.observations, filmed, distortion, filmed, np.array(clip.frames.size))
        person.steady = person.observations
