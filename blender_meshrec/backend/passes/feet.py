"""Feet held exactly still while they touch the floor, hands kept above it, and the origin of the world."""

from dataclasses import replace

import numpy as np

from ...core.array_types import BoolArray, FloatArray
from ...core.cameras import rigid_transform
from ...core.contacts import contacts_from_probabilities, contacts_on_support, detect_contacts, no_contacts
from ...core.foot_planting.foot_lock import MAX_PELVIS_SHIFT, lock_feet
from ...core.foot_planting.leg_kinematics import feet_on_soles, soles_from_template
from ...core.metrics import foot_slide
from ...core.rotations import rotvec_from_rotmat
from ..clip import Clip, Person
from ..fitting.body_params import local_rotmats, with_rotvecs
from ..fitting.hands_on_floor import lay_hands_on_floor
from ..moving_camera import camera_path_in_world
from .known_camera import shift_to_known_world
from .posed import body_in_world, known_contacts, posed_legs
from .views import further_cameras

KNEE = 1  # in the chain of a leg


def lock_feet_of_people(clip: Clip) -> None:
    """Hold feet exactly still while they touch the floor, and set the origin."""
    rotation, camera = clip.world_from_camera[:3, :3], clip.world_from_camera[:3, 3]
    roots = [clip.template.rest_joints(person.fit.body.betas)[0] for person in clip.people]
    for person, root in zip(clip.people, roots):
        person.free = body_in_world(person.fit.body, root, clip)
        lock_feet_of_person(person, clip, camera_path_in_world(clip))
    if clip.known_camera is None:
        # Foot locking has moved the pelvis: the origin is below the new first pelvis.
        pelvises = [person.locked.transl + root for person, root in zip(clip.people, roots)]
        shift = -first_pelvis(pelvises, [person.observations.visible for person in clip.people]) * [1, 1, 0]
    else:
        shift = shift_to_known_world(clip)
    for person in clip.people:
        person.free = replace(person.free, transl=person.free.transl + shift)
        locked = replace(person.locked, transl=person.locked.transl + shift)
        person.locked = lay_hands_on_floor(clip.template, locked, clip.motion_times) if clip.request.contacts else locked
    clip.world_from_camera = rigid_transform(rotation, camera + shift)


def lock_feet_of_person(person: Person, clip: Clip, camera: FloatArray) -> None:
    """Find one person's contacts and lock the feet there; camera: its places (F,3) m in the world."""
    times, template = clip.motion_times, clip.template
    if not clip.request.contacts:
        person.locked, person.contacts, person.foot_slide = person.free, np.zeros((len(times), 4)), (np.nan, np.nan)
        return
    legs, points_seen = posed_legs(template, person.free), np.repeat(person.ankles_seen, 2, axis=1)
    before = legs.points
    further = further_cameras(person, clip)
    # Depth, which a single view hardly shows, is not discounted where several do.
    sight_from = None if further else camera
    if person.estimate.contacts is None:
        contacts = detect_contacts(before, times, points_seen, sight_from)
    else:
        contacts = contacts_from_probabilities(person.estimate.contacts, times, points_seen, before, sight_from)
    rest_joints, soles = template.rest_joints(person.free.betas), soles_from_template(template, person.free.betas)
    contacts = contacts_on_support(contacts, before, legs.joints[:, :, KNEE])
    contacts = np.where(feet_on_soles(legs), contacts, no_contacts(contacts))
    certain = known_contacts(person, clip)
    if certain is not None:
        contacts = np.where(np.isnan(certain), contacts, certain)
    rotmats, pelvis = local_rotmats(person.free), person.free.transl + rest_joints[0]
    rotmats, held = lock_feet(rotmats, pelvis, rest_joints, soles, contacts, times, camera, further, MAX_PELVIS_SHIFT)
    person.free = replace(person.free, transl=person.free.transl + held - pelvis)
    person.locked = with_rotvecs(person.free, rotvec_from_rotmat(rotmats))
    after = posed_legs(template, person.locked).points
    person.contacts = contacts
    person.foot_slide = (foot_slide(before, contacts, times), foot_slide(after, contacts, times))


def first_pelvis(pelvises: list[FloatArray], visible: list[BoolArray]) -> FloatArray:
    """The pelvis (3,) m of the person seen first, in their first frame; pelvises (F,3) and visible (F,), one each a person."""
    first_rows = [int(np.argmax(rows)) if rows.any() else len(rows) for rows in visible]
    first = int(np.argmin(first_rows))
    return pelvises[first][min(first_rows[first], len(pelvises[first]) - 1)]
