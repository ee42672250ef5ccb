"""A body as the passes look at it: in the world, with its legs posed, of the known shape."""

from dataclasses import replace

import numpy as np

from ...core.array_types import FloatArray
from ...core.body_contacts import SOLE_PARTS
from ...core.corrections import certain_contacts
from ...core.files.body_template import BodyTemplate
from ...core.foot_planting.leg_kinematics import Legs, pose_legs, soles_from_template
from ...core.records import BodyParams
from ..clip import Clip, Person
from ..fitting.body_params import local_rotmats, transform_body, with_betas
from ..fitting.stature import betas_of_stature
from ..moving_camera import moved_body


def body_in_world(body: BodyParams, root: FloatArray, clip: Clip) -> BodyParams:
    """A body, whose root at rest is (3,) m, from camera axes to the world."""
    return transform_body(moved_body(body, clip.places), root, clip.world_from_camera[:3, :3], clip.world_from_camera[:3, 3])


def posed_legs(template: BodyTemplate, params: BodyParams) -> Legs:
    """The legs of a posed body, with heels and toes on the sole."""
    rest_joints = template.rest_joints(params.betas)
    return pose_legs(local_rotmats(params), params.transl + rest_joints[0], rest_joints, soles_from_template(template, params.betas))


def keep_known_shape(person: Person, template: BodyTemplate) -> None:
    """Give a body that was changed the known betas or height again."""
    known, body = person.known, person.fit.body
    betas = known.betas if known.height is None else betas_of_stature(template, body.betas, known.height)
    if betas is not None:
        person.fit = replace(person.fit, body=with_betas(body, template, betas))


def known_contacts(person: Person, clip: Clip) -> FloatArray | None:
    """Contacts (F,4) that are certain, 1 or 0, and nan where they are not known; None if none is."""
    stated = (
        None if person.known.contacts is None else person.known.contacts.at(clip.frames.timestamps, clip.looked_at)[:, : len(SOLE_PARTS)]
    )
    if person.known.corrections is None:
        return stated
    corrected = certain_contacts(person.known.corrections, clip.frame_numbers)[:, : len(SOLE_PARTS)]
    return corrected if stated is None else np.where(np.isnan(corrected), stated, corrected)
