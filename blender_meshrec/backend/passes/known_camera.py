"""A camera that is known beforehand takes the place of the solved one: people are solved in its world, at its scale."""

from dataclasses import replace

import numpy as np

from ...core.array_types import BoolArray, FloatArray
from ...core.cameras import rigid_transform, transform_points
from ...core.errors import InputError
from ...core.known_camera import KnownCamera
from ...core.messages import Message
from ..camera.camera_path import CameraPath, Kind, Shot
from ..camera.path_scale import PathScale
from ..camera.steady_view import MAX_ANGLE, steady_observations
from ..camera.through_lens import through_ideal_lens
from ..clip import Clip, Person
from ..fitting.gravity_and_floor import GroundEvidence, estimate_floor_height
from ..known_camera import MIN_TILT, choose_view, is_still, sight_of_people, size_on_floor, soles_on_ground, tilt_of
from ..moving_camera import moved_body
from .balance import upright_turns
from .posed import posed_legs


def take_known_camera(clip: Clip, camera: KnownCamera) -> None:
    """See people as a camera without distortion, zoom and turns would have seen them from the known one's places."""
    ideal = camera.intrinsics[len(camera) // 2]
    clip.intrinsics, clip.lens_sigma, clip.lens_source = ideal, 0.0, "given"
    clip.distortion, clip.distortion_source = camera.distortion, "given" if camera.distortion.any() else ""
    clip.zoom = camera.focal / ideal[0, 0] if np.ptp(camera.focal) > 1e-6 else None
    clip.camera = path_of_known_camera(camera)
    for person in clip.people:
        person.observations = through_ideal_lens(
            person.observations, camera.intrinsics, camera.distortion, ideal, np.array(clip.frames.size)
        )
        person.steady = person.observations
    rotations, places = camera.world_from_camera[:, :3, :3], camera.world_from_camera[:, :3, 3]
    view = rotations[0]
    if not is_still(camera) or tilt_of(view) > MIN_TILT:
        view, angle = choose_view(rotations, sight_of_people([person.observations for person in clip.people], camera, ideal))
        if angle > MAX_ANGLE:
            raise InputError(
                "camera-turns-too-far",
                "The camera sees people over {angle:.0f} degrees around itself, which is too much for one reconstruction.",
                "Choose a shorter range of frames, and join the parts in Blender: they share the camera's world.",
                angle=2 * np.degrees(angle),
            )
        clip.camera_from_view = np.swapaxes(rotations, -1, -2) @ view
        for person in clip.people:
            person.steady = steady_observations(person.observations, clip.camera_from_view, ideal, np.full(2, np.inf))
    reference = places[len(places) // 2]
    if not is_still(camera):
        clip.camera_centres, clip.path_scale = (places - reference) @ view, PathScale(1.0, 0.0, float("nan"))
    clip.known_world = rigid_transform(view, reference)


def path_of_known_camera(camera: KnownCamera) -> CameraPath:
    """What the report says of a known camera of F frames."""
    frames, rotations = len(camera), camera.world_from_camera[:, :3, :3]
    moves = np.ptp(camera.world_from_camera[:, :3, 3], axis=0).max() > 1e-6
    kind: Kind = "still" if is_still(camera) else "moving" if moves else "turning"
    sentence = Message("camera-is-given", "The camera is the given one, {name}.", name=camera.source)
    from_first = np.swapaxes(rotations, -1, -2) @ rotations[0]
    zoom, focal = camera.focal / camera.focal[0], float(camera.focal[0])
    shots = (Shot(0, frames, kind, 1.0),)
    return CameraPath(kind, from_first, zoom, focal, 0.0, 0.0, np.ones(frames), shots, (sentence,))


def stand_in_known_world(clip: Clip, known: FloatArray, evidence: list[GroundEvidence]) -> None:
    """Take gravity and the floor from the camera's world (4,4), with the floor at z = 0; a floor that is not known is where feet are."""
    camera = clip.require_known_camera()
    height = camera.floor
    if height is None:
        rotation = known[:3, :3]
        height = known[2, 3] + estimate_floor_height(evidence, clip.motion_times, rotation)
    clip.world_from_camera = rigid_transform(known[:3, :3], known[:3, 3] - [0, 0, height])
    clip.tilt_sigma = np.zeros(2)


def is_floor_known(clip: Clip) -> bool:
    """Whether the height of the floor below the camera is known, and with it the size of people who stand on it."""
    return clip.known_camera is not None and clip.known_camera.floor is not None


def adapt_people_to_known_world(clip: Clip) -> None:
    """Straighten people who lean where they should be balanced, and make those who stand on a floor that is known as large as that says."""
    for person in clip.people:
        soles = posed_legs(clip.template, moved_body(person.fit.body, clip.places)).points
        soles, camera = (transform_points(clip.world_from_camera, points) for points in (soles, clip.places))
        seen = np.repeat(person.ankles_seen, 2, axis=1)
        touching = seen & soles_on_ground(soles, camera, person.estimate.contacts, clip.motion_times)
        _straighten(person, clip, soles, camera, touching)
        if is_floor_known(clip) and person.betas is None:
            person.scale = size_on_floor(soles, camera, touching, clip.motion_times)


def _straighten(person: Person, clip: Clip, soles: FloatArray, camera: FloatArray, touching: BoolArray) -> None:
    """Turn the lifted joints of a person who leans; soles: (F,4,3) m and camera: (F,3) m, in the world. touching: (F,4)."""
    joints = transform_points(clip.world_from_camera, person.camera_space.joints + clip.places[:, None])
    turns = upright_turns(clip.world_from_camera, joints, soles, touching, camera, clip.motion_times, person.observations.visible)
    lifted = np.asarray(person.estimate.joints, float) @ np.swapaxes(turns, -1, -2)
    person.estimate = replace(person.estimate, joints=lifted)


def world_after_solve(clip: Clip, floor: float) -> FloatArray:
    """The world (4,4) after the solve, whose floor is at z = 0: a point's height is up . x + floor m in the view's axes."""
    world = clip.world_from_camera.copy()
    world[2, 3] = floor
    return world


def shift_to_known_world(clip: Clip) -> FloatArray:
    """What (3,) m is to be added to the world so that it is the camera's again."""
    return clip.known_world[:3, 3] - clip.world_from_camera[:3, 3]
