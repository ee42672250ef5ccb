"""Contacts that an artist has edited: an armature's contact curves, against what was found, which the action stores."""

from dataclasses import dataclass

import bpy
import numpy as np

from ..core.array_types import FloatArray
from ..core.errors import InputError
from .context import assigned_action
from .keyframes import action_fcurves
from .motion_curves import CONTACT_PROPERTIES

# Custom properties of the action: contacts (4F,) as found, EDITED where an artist had the last word; times (F,) s.
FOUND_PROPERTY, TIMES_PROPERTY = "meshrec_contacts", "meshrec_times"
EDITED = -1.0
TOLERANCE = 0.02  # of an unedited contact: Blender stores single precision


@dataclass(frozen=True)
class EditedContacts:
    """Contacts (F,4) of heels and toes: 1 or 0 where they were edited, nan elsewhere; at times (F,) s."""

    timestamps: FloatArray
    contacts: FloatArray


def store_found_contacts(action: bpy.types.Action, timestamps: FloatArray, contacts: FloatArray, edited: FloatArray | None = None) -> None:
    """Store with an action what contacts (F,4) were found, and which of them an artist had edited (F,4), nan where not."""
    found = np.asarray(contacts, float)
    action[FOUND_PROPERTY] = (found if edited is None else np.where(np.isnan(edited), found, EDITED)).ravel().tolist()
    action[TIMES_PROPERTY] = np.asarray(timestamps, float).tolist()


def read_edited_contacts(armature_object: bpy.types.Object) -> EditedContacts:
    """The contacts of an armature's action that differ from what was found.

    Raises:
        InputError: its action is not that of a result.
    """
    action = assigned_action(armature_object)
    curves = {} if action is None else {fcurve.data_path: fcurve for fcurve in action_fcurves(action, armature_object)}
    visible = curves.get('["visible"]')
    if action is None or FOUND_PROPERTY not in action or visible is None or len(visible.keyframe_points) != len(action[TIMES_PROPERTY]):
        raise InputError(
            "action-without-contacts",
            'The action of "{name}" is not that of a result.',
            "Give the armature the action that its reconstruction has made, or reconstruct it anew.",
            name=armature_object.name,
        )
    found = np.array(action[FOUND_PROPERTY]).reshape(-1, len(CONTACT_PROPERTIES))
    current = found.copy()
    for column, name in enumerate(CONTACT_PROPERTIES):
        if (fcurve := curves.get(f'["{name}"]')) is not None:
            current[:, column] = [fcurve.evaluate(key.co.x) for key in visible.keyframe_points]
    is_edited = np.abs(current - found) > TOLERANCE
    return EditedContacts(np.array(action[TIMES_PROPERTY]), np.where(is_edited, current > 0.5, np.nan))
