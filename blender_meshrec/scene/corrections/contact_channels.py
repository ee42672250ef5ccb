"""The contact channels of a person: custom properties of the armature object that are on while a part of the body touches.

Frames here are those of the action (played_take.py).

The keys are constant and lie where a contact begins or ends, so that an artist can move, add and delete them like any others.
"""

import bpy
import numpy as np

from ...core.array_types import ArrayLike, BoolArray, FloatArray
from ...core.body_contacts import CONTACT_PARTS
from ..motion.curve_keys import ensure_fcurve, set_keys
from ..motion.keyframes import action_fcurves
from ..motion.motion_curves import CONTACT_GROUP, CONTACT_PROPERTIES, change_rows
from ..takes.played_take import played_action


def contact_curve(armature_object: bpy.types.Object, part: str) -> bpy.types.FCurve | None:
    """The curve of a part's contacts in the played action; None if the action has none."""
    action = played_action(armature_object)
    if action is None:
        return None
    path = f'["{CONTACT_PROPERTIES[CONTACT_PARTS.index(part)]}"]'
    return next((fcurve for fcurve in action_fcurves(action, armature_object) if fcurve.data_path == path), None)


def has_contact_channels(armature_object: bpy.types.Object) -> bool:
    """Whether the played action has contact channels."""
    return contact_curve(armature_object, CONTACT_PARTS[0]) is not None


def read_contacts(armature_object: bpy.types.Object, frames: ArrayLike) -> BoolArray:
    """The contacts (F,9) of CONTACT_PARTS at frames (F,) of the action; off where there is no channel."""
    frames = np.asarray(frames, float)
    contacts = np.zeros((len(frames), len(CONTACT_PARTS)), bool)
    action = played_action(armature_object)
    columns = {f'["{name}"]': column for column, name in enumerate(CONTACT_PROPERTIES)}
    for fcurve in [] if action is None else action_fcurves(action, armature_object):
        if (column := columns.get(fcurve.data_path)) is not None:
            contacts[:, column] = [fcurve.evaluate(frame) > 0.5 for frame in frames]
    return contacts


def is_touching(armature_object: bpy.types.Object, part: str, frame: float) -> bool:
    """Whether a part touches at a frame of the action."""
    fcurve = contact_curve(armature_object, part)
    return fcurve is not None and fcurve.evaluate(frame) > 0.5


def touching_run(armature_object: bpy.types.Object, part: str, frame: int, limits: tuple[int, int]) -> tuple[int, int]:
    """The first and last frame, within limits, of the contact or of the gap that a part has at a frame."""
    state = is_touching(armature_object, part, frame)
    first = last = min(max(frame, limits[0]), limits[1])
    while first > limits[0] and is_touching(armature_object, part, first - 1) == state:
        first -= 1
    while last < limits[1] and is_touching(armature_object, part, last + 1) == state:
        last += 1
    return first, last


def set_contact(armature_object: bpy.types.Object, part: str, first: float, last: float, is_on: bool) -> None:
    """Switch a part's contact on or off from one frame of the action to another, both included."""
    action = played_action(armature_object)
    if action is None:
        raise ValueError(f"{armature_object.name} has no action")
    name = CONTACT_PROPERTIES[CONTACT_PARTS.index(part)]
    if name not in armature_object:
        armature_object[name] = False
    fcurve = contact_curve(armature_object, part) or ensure_fcurve(action, armature_object, f'["{name}"]', CONTACT_GROUP)
    before, after = (len(fcurve.keyframe_points) > 0 and fcurve.evaluate(frame) > 0.5 for frame in (first - 1, last + 1))
    keys = {key.co.x: float(key.co.y > 0.5) for key in fcurve.keyframe_points if not first <= key.co.x <= last + 1}
    if last < action.frame_range[1]:  # the clip does not grow
        keys[float(last + 1)] = float(after)
    start = float(action.frame_range[0])
    if start < first and not any(frame < first for frame in keys):
        keys[start] = float(before)
    keys = dict(sorted({**keys, float(first): float(is_on)}.items()))
    frames, values = np.array(list(keys)), np.array(list(keys.values()))
    rows = change_rows(values)
    set_keys(fcurve, frames[rows], values[rows], "CONSTANT")


def write_contacts(armature_object: bpy.types.Object, frames: FloatArray, contacts: ArrayLike) -> None:
    """Set all contact channels to contacts (F,9) at frames (F,) of the action."""
    action, contacts = played_action(armature_object), np.asarray(contacts) > 0.5
    if action is None:
        raise ValueError(f"{armature_object.name} has no action")
    for column, part in enumerate(CONTACT_PARTS):
        path = f'["{CONTACT_PROPERTIES[column]}"]'
        fcurve = contact_curve(armature_object, part) or ensure_fcurve(action, armature_object, path, CONTACT_GROUP)
        rows = change_rows(contacts[:, column])
        set_keys(fcurve, frames[rows], contacts[rows, column].astype(float), "CONSTANT")
