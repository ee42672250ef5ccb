"""People and bodies before a camera that moves, in the axes of its steady view.

What a pass finds of a person is from the camera of each frame; the world, in which feet stand still, needs it from one place.
"""

from dataclasses import replace

import numpy as np

from ..core.array_types import FloatArray
from ..core.cameras import invert_rigid_transform, rigid_transform
from ..core.files.body_template import BodyTemplate
from ..core.messages import Message
from ..core.records import BodyParams
from .camera.path_scale import Feet, scale_from_feet
from .clip import Clip, Person
from .fitting.body_params import local_rotmats
from .fitting.leg_kinematics import pose_legs, soles_from_template


def has_camera_path(clip: Clip) -> bool:
    """Whether the camera moves on a path that is taken out."""
    return clip.camera_centres is not None


def scale_camera_path(clip: Clip) -> None:
    """Find how long the camera's path is, from feet that stand still."""
    if clip.camera_centres is None:
        return
    feet = [_feet(person, clip.template) for person in clip.people]
    clip.path_scale = scale_from_feet(feet, clip.camera_centres, clip.timestamps)
    if not clip.path_scale.is_told:
        text = "How far the camera moves is a guess: no feet that stand still show it."
        clip.warnings.append(Message("camera-path-length-unsure", text))


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
    matrix = np.broadcast_to(invert_rigid_transform(clip.world_from_camera), (len(clip.timestamps), 4, 4))
    matrix = rigid_transform(np.eye(3), -clip.places) @ matrix
    return matrix if clip.camera_from_view is None else rigid_transform(clip.camera_from_view, np.zeros(3)) @ matrix
