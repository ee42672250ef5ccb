"""People and bodies before a camera that moves, in the axes of its steady view.

What a pass finds of a person is from the camera of each frame; the world, in which feet stand still, needs it from one place.
"""

from dataclasses import replace

import numpy as np

from ..core.array_types import BoolArray, FloatArray
from ..core.cameras import invert_rigid_transform, rigid_transform
from ..core.files.body_template import BodyTemplate
from ..core.foot_planting.leg_kinematics import pose_legs, soles_from_template
from ..core.messages import Message
from ..core.records import BodyParams
from .camera.map_floor import TILT_SIGMA, MapFloor, find_map_floor, points_of_map
from .camera.path_scale import CONTACT, Feet, scale_from_feet
from .camera.seen_depths import SeenDepths, ratios_beside_feet
from .clip import Clip, Person
from .fitting.body_params import local_rotmats
from .fitting.tilt_from_lines import level_by_edges


def has_camera_path(clip: Clip) -> bool:
    """Whether the camera moves on a path that is taken out."""
    return clip.camera_centres is not None


def has_unscaled_path(clip: Clip) -> bool:
    """Whether the camera moves on a path whose length is not known."""
    return has_camera_path(clip) and clip.known_camera is None


def scale_camera_path(clip: Clip) -> None:
    """Find how long the camera's path is, from feet that stand still."""
    if clip.camera_centres is None:
        return
    feet = [_feet(person, clip.template) for person in clip.people]
    beside = np.concatenate([np.zeros(0), *(_floor_beside(one, clip) for one in feet)])
    clip.path_scale = scale_from_feet(feet, clip.camera_centres, clip.motion_times, beside)


def say_unsure_length(clip: Clip) -> None:
    """Warn that nothing tells how long the camera's path is."""
    if clip.path_scale is not None and not clip.path_scale.is_told:
        text = "How far the camera moves is a guess: no feet that stand still show it."
        clip.warnings.append(Message("camera-path-length-unsure", text))


def _floor_beside(feet: Feet, clip: Clip) -> FloatArray:
    """What points of the background beside somebody's feet say of the path's scale, of `ratios_beside_feet`."""
    seen = _seen_points(clip)
    if seen is None or clip.camera_from_view is None:
        return np.zeros(0)
    soles = feet.soles @ np.swapaxes(clip.camera_from_view, -1, -2)
    return ratios_beside_feet(seen, soles, float(clip.intrinsics[0, 0]), _is_standing(feet), float(clip.frames.size[0]))


def _seen_points(clip: Clip) -> SeenDepths | None:
    """The points of the background along the camera's path."""
    return clip.camera.shots[0].points if clip.camera.shots else None


def _is_standing(feet: Feet) -> BoolArray:
    """Which soles (F,4) are on the ground."""
    is_standing = np.repeat(feet.visible[:, None], feet.soles.shape[1], axis=1)
    if feet.contacts is not None and (feet.contacts > CONTACT).any():  # else people are taken to stand: few jump all the time
        is_standing &= feet.contacts > CONTACT
    return is_standing


def floor_of_map(clip: Clip) -> MapFloor | None:
    """The floor in the map of a camera that moves, on which people stand; None if the map shows none."""
    seen, centres, view, scale = _seen_points(clip), clip.camera_centres, clip.camera_from_view, clip.path_scale
    if seen is None or centres is None or view is None or scale is None:
        return None
    soles: list[FloatArray] = []
    places: list[FloatArray] = []
    for person in clip.people:
        feet = _feet(person, clip.template)
        frames, sole = np.nonzero(_is_standing(feet))
        soles.append(feet.soles[frames, sole])
        places.append(centres[frames])
    points = points_of_map(seen, view, centres, float(clip.intrinsics[0, 0]))
    up, sigma = clip.world_from_camera[2, :3], float(clip.tilt_sigma.max())
    floor = find_map_floor(points, np.concatenate(soles), np.concatenate(places), up, sigma, (scale.scale, scale.log_sigma))
    if floor is None:
        return None
    # A map is tilted and bent as much as the path is uncertain.
    up, tilt_sigma = floor.up, float(np.hypot(floor.tilt_sigma, clip.camera.shots[0].uncertainty))
    if clip.edges is not None:
        up, tilt_sigma = level_by_edges(clip.edges, up, tilt_sigma)
    floor = replace(floor, up=up, tilt_sigma=tilt_sigma)
    return floor if floor.tilt_sigma < np.hypot(sigma, TILT_SIGMA) else None


def _feet(person: Person, template: BodyTemplate) -> Feet:
    body, contacts = person.fit.body, person.estimate.contacts
    rest_joints = template.rest_joints(body.betas)
    soles = pose_legs(local_rotmats(body), body.transl + rest_joints[0], rest_joints, soles_from_template(template, body.betas)).points
    return Feet(soles, None if contacts is None else np.asarray(contacts, float), person.observations.visible)


def moved_body(body: BodyParams, places: FloatArray) -> BodyParams:
    """A body whose pelvis is moved by places (F,3) m."""
    return replace(body, transl=body.transl + places)


def camera_path_in_world(clip: Clip) -> FloatArray:
    """The camera's places (F,3) m in the world."""
    return clip.places @ clip.world_from_camera[:3, :3].T + clip.world_from_camera[:3, 3]


def camera_from_world(clip: Clip) -> FloatArray:
    """(F,4,4) of the camera of each frame."""
    matrix = np.broadcast_to(invert_rigid_transform(clip.world_from_camera), (len(clip.frames), 4, 4))
    matrix = rigid_transform(np.eye(3), -clip.places) @ matrix
    return matrix if clip.camera_from_view is None else rigid_transform(clip.camera_from_view, np.zeros(3)) @ matrix
