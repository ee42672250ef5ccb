"""Contacts that an artist has edited: an armature's contact channels, against what was found, which the action stores."""

from dataclasses import dataclass

import bpy
import numpy as np

from ...core.array_types import ArrayLike, FloatArray
from ...core.body_contacts import CONTACT_PARTS
from ...core.errors import InputError
from ..motion.keyframes import action_fcurves
from ..takes.played_take import check_strip, played_action
from .contact_channels import read_contacts

# Custom properties of the action: contacts (9F,) that its motion was solved with; whether an artist had set them (9F,); times (F,) s.
FOUND_PROPERTY, EDITED_PROPERTY, TIMES_PROPERTY = "meshrec_contacts", "meshrec_edited", "meshrec_times"
_EDITED_BEFORE = -1.0  # in files of earlier versions, in place of a contact that an artist had set


@dataclass(frozen=True)
class EditedContacts:
    """Contacts (F,9) of CONTACT_PARTS: 1 or 0 where they were edited, nan elsewhere; at times (F,) s."""

    timestamps: FloatArray
    contacts: FloatArray


def store_found_contacts(action: bpy.types.Action, timestamps: FloatArray, contacts: ArrayLike, edited: FloatArray | None = None) -> None:
    """Store with an action what contacts (F,9) its motion has, and which of them an artist had set (F,9), nan where not."""
    found = np.asarray(contacts, float)
    action[FOUND_PROPERTY] = (found if edited is None else np.where(np.isnan(edited), found, edited)).ravel().tolist()
    action[EDITED_PROPERTY] = [] if edited is None or np.isnan(edited).all() else (~np.isnan(edited)).astype(int).ravel().tolist()
    action[TIMES_PROPERTY] = np.asarray(timestamps, float).tolist()


def result_action(armature_object: bpy.types.Object) -> tuple[bpy.types.Action, FloatArray]:
    """The action of a result, and its frames (F,) on which its rows lie: the keys of its visibility.

    Raises:
        InputError: the armature's action is not that of a result, or lies in a strip whose frames are not those of the action.
    """
    check_strip(armature_object)
    action = played_action(armature_object)
    curves = {} if action is None else {fcurve.data_path: fcurve for fcurve in action_fcurves(action, armature_object)}
    visible = curves.get('["visible"]')
    if action is None or FOUND_PROPERTY not in action or visible is None or len(visible.keyframe_points) != len(action[TIMES_PROPERTY]):
        raise InputError(
            "action-without-contacts",
            'The action of "{name}" is not that of a result.',
            "Give the armature the action that its reconstruction has made, or reconstruct it anew.",
            name=armature_object.name,
        )
    return action, np.array([key.co.x for key in visible.keyframe_points])


def found_contacts(action: bpy.types.Action) -> FloatArray:
    """The contacts (F,9) that a result's motion was solved with; (F,4) in files of earlier versions."""
    return np.array(action[FOUND_PROPERTY]).reshape(len(action[TIMES_PROPERTY]), -1)


def read_edited_contacts(armature_object: bpy.types.Object) -> EditedContacts:
    """The contacts of an armature's action that differ from what was found.

    Raises:
        InputError: its action is not that of a result.
    """
    action, frames = result_action(armature_object)
    found = found_contacts(action)
    flags = np.array(action.get(EDITED_PROPERTY, ()), bool)
    was_edited = flags.reshape(found.shape) if flags.size == found.size else np.zeros(found.shape, bool)
    current = read_contacts(armature_object, frames)[:, : found.shape[1]]  # files of earlier versions know the soles alone
    edited = np.full((len(frames), len(CONTACT_PARTS)), np.nan)
    edited[:, : found.shape[1]] = np.where(was_edited | (found == _EDITED_BEFORE) | (current != (found > 0.5)), current, np.nan)
    return EditedContacts(np.array(action[TIMES_PROPERTY]), edited)
