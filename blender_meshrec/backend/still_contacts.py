"""Contacts of feet before a camera that moves, as a still camera would have shown them.

The contact network has learnt from still cameras that a foot which stands stays in its place in the picture. Where the camera goes on, a
standing foot moves there, and seems to be off the ground. The camera's path and people's distance tell what a camera would have seen
that stayed where this one was on average for a moment.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from ..core.array_types import FloatArray
from ..core.cameras import points_on_rays, rays_from_pixels
from ..core.skeletons import H36M17
from ..methods.lifter.lifter_input import POINTS, input_points
from ..methods.skeleton2mesh import contacts_of_joints
from .clip import Clip, Person
from .devices import run_with_cpu_fallback

MOMENT, AROUND = 0.5, 1.0  # s: for which one still camera takes the moving one's place, and what the network sees before and after
NEAREST = 0.3  # of a point's distance from the moving camera: it does not come nearer to the still one
# The joint (23,) of h36m17 that is about as far away as each point that the network sees.
_NEIGHBOURS = {"left_ear": "nose", "right_ear": "nose", "left_big_toe": "left_ankle", "left_heel": "left_ankle",
               "right_big_toe": "right_ankle", "right_heel": "right_ankle"}  # fmt: skip
_DEPTH_OF = [H36M17.index(_NEIGHBOURS.get(point, point)) for point in POINTS]


def see_contacts_from_still_places(clip: Clip) -> None:
    """Predict the contacts of all people anew, from places that stay for a moment each."""
    for person in clip.people:
        if person.estimate.contacts is not None and person.steady.visible.any():
            person.estimate = replace(person.estimate, contacts=clip.contacts_within_takes(_contacts(person, clip)))


def _contacts(person: Person, clip: Clip) -> FloatArray:
    """Probabilities (F,4) of a person's contacts."""
    seen, times, joints = person.steady, clip.motion_times, np.asarray(person.estimate.joints, float)
    points = input_points(seen.keypoints, seen.keypoint_set)
    confidence = points[..., 2] * seen.visible[:, None]
    depths = np.maximum(person.camera_space.joints[:, _DEPTH_OF, 2].astype(float), 0.1)
    ahead = points_on_rays(rays_from_pixels(points[..., :2], clip.intrinsics), depths)
    contacts = np.zeros((len(times), 4))
    for begin in np.arange(times[0], times[-1] + 1e-6, MOMENT):
        rows = np.flatnonzero((times >= begin - AROUND) & (times < begin + MOMENT + AROUND))
        inner = np.flatnonzero((times >= begin) & (times < begin + MOMENT))
        if not len(inner):
            continue
        places = clip.places[rows]
        moved = ahead[rows] + (places - places[np.isin(rows, inner)].mean(0))[:, None]
        rays = moved[..., :2] / np.maximum(moved[..., 2], NEAREST * depths[rows])[..., None]
        predict = partial(contacts_of_joints, rays, confidence[rows], joints[rows], times[rows], seen.keypoint_set != "h36m17")
        contacts[inner] = run_with_cpu_fallback(predict, clip.device, clip.warnings.append)[np.isin(rows, inner)]
    return contacts * seen.visible[:, None]
