"""The camera: how it turned and moved, and the steady view in which people are solved."""

import numpy as np

from ...core.cameras import intrinsics_of_focal_length
from ..camera.solve_camera import PRIOR_SIGMA, solve_camera
from ..camera.steady_view import centres_in_view, choose_steady_view, is_in_steady_view, is_one_turning_view, steady_observations
from ..clip import Clip


def solve_camera_of_clip(clip: Clip) -> None:
    """Find how the camera turned and moved, and see people as a camera that does not turn would have seen them from the same places."""
    focal = float(clip.intrinsics[0, 0])
    clip.camera = solve_camera(clip.tracks, clip.frames.size, focal, len(clip.timestamps), min(clip.lens_sigma, PRIOR_SIGMA))
    if not is_one_turning_view(clip.camera):
        return
    if np.isfinite(clip.camera.focal) and clip.lens_source != "given":
        clip.intrinsics = intrinsics_of_focal_length(clip.camera.focal, clip.frames.size)
        clip.lens_sigma, clip.lens_source = clip.camera.focal_sigma / clip.camera.focal, "camera"
    view = choose_steady_view(clip.camera.camera_from_first)
    if all(is_in_steady_view(person.observations, view, clip.intrinsics) for person in clip.people):
        clip.camera_from_view = view
        clip.camera_centres = centres_in_view(clip.camera, view)
        for person in clip.people:
            person.steady = steady_observations(person.observations, view, clip.intrinsics, clip.frames.size)
