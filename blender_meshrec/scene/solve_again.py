"""People whose clip was solved again: each armature gets a new action, and the camera its view; the old actions stay."""

from collections.abc import Mapping
from typing import NamedTuple

import bpy
import numpy as np

from ..core.array_types import FloatArray
from ..core.errors import InputError
from ..core.files.body_template import BodyTemplate
from ..core.records import Recovery
from ..core.skel.template import SkelTemplate
from .armature_recovery import find_clip_camera
from .camera import set_camera_view
from .context import assigned_action
from .edited_contacts import store_found_contacts
from .keyframes import snapped_key_frames
from .skel_person import animate_skel_person
from .smpl_person import animate_smpl_person, rig_motion

REQUEST_PROPERTY = "meshrec_request"  # of a clip's collection: the request that made it, as text


class ClipResult(NamedTuple):
    """A result in the scene: its collection, and the armatures of its people by their number."""

    collection: bpy.types.Collection
    armatures: Mapping[int, bpy.types.Object]


def find_clip_result(armature_object: bpy.types.Object) -> ClipResult | None:
    """The result that an armature belongs to; None for one that was not reconstructed, or by an earlier version."""
    for clip in bpy.data.collections:
        people = {person["meshrec_person"]: person for person in clip.children if "meshrec_person" in person}
        armatures = {
            number: next(obj for obj in person.objects if "quality" in obj)
            for number, person in people.items()
            if any("quality" in obj for obj in person.objects)
        }
        if REQUEST_PROPERTY in clip and armature_object in armatures.values():
            return ClipResult(clip, armatures)
    return None


def replace_motions(
    armatures: Mapping[int, bpy.types.Object],
    recoveries: Mapping[int, Recovery],
    edited: Mapping[int, FloatArray],
    template: BodyTemplate,
    skel: SkelTemplate | None,
    fps: float,
) -> None:
    """Give the armatures new actions; the old ones keep a user, so that they are saved.

    Args:
        recoveries: by number, of the same shapes. edited: (F,4) of each, as of `EditedContacts`. fps: the timeline's rate.

    Raises:
        InputError: the shape of a body has changed.
    """
    for number, armature_object in armatures.items():
        if not np.allclose(recoveries[number].betas, armature_object["betas"], atol=1e-4):
            raise InputError(
                "solved-with-another-shape", '"{name}" has another shape now.', "Reconstruct it anew.", name=armature_object.name
            )
    for number, armature_object in armatures.items():
        recovery, old = recoveries[number], assigned_action(armature_object)
        if skel is not None:
            action = animate_skel_person(armature_object, recovery, skel, fps)
        else:
            action = animate_smpl_person(armature_object, recovery, rig_motion(armature_object.name, recovery, template, False), fps)
        store_found_contacts(action, recovery.timestamps, recovery.contacts, edited[number])
        if old is not None:
            old.use_fake_user = True
    first = next(iter(armatures))
    camera = find_clip_camera(armatures[first])
    if camera is not None:
        set_camera_view(camera, recoveries[first].camera, snapped_key_frames(recoveries[first].timestamps, fps))
