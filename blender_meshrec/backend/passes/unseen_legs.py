"""Legs that the picture never shows, behind a desk or below its edge: held at rest and marked, instead of invented as standing."""

from dataclasses import replace

import numpy as np

from ...core.array_types import BoolArray, FloatArray, IntArray
from ...core.foot_planting.leg_kinematics import LEG_JOINTS
from ...core.messages import Message
from ...core.records import BodyParams, Observations
from ...core.skeletons import KEYPOINT_SETS
from ..clip import Clip, Person
from ..detection.detections import CONFIDENCE_THRESHOLD
from ..fitting.body_params import local_rotvecs, with_rotvecs

# A leg is not shown if its knee and ankle are both unseen in all but this fraction of the frames with the person.
MAX_SEEN = 0.05
MOSTLY = 0.5  # of the frames: in so many both lie outside the picture, if only one leg is not shown
_SIDES = ("left", "right")


def hold_unseen_legs(clip: Clip) -> None:
    """Hold legs that are never in the picture at rest, with confidence 0 and without contacts, and say so."""
    for person in clip.people:
        unseen = unseen_legs(person.observations, clip.frames.size)
        if not unseen.any():
            continue
        hold_legs(person, unseen)
        if unseen.all():
            text = "The legs of person {person} are not in the picture: they are held at rest."
            clip.warnings.append(Message("legs-not-seen", text, person=person.number))
        else:
            text = "A leg of person {person} is not in the picture: it is held at rest."
            clip.warnings.append(Message("leg-not-seen", text, person=person.number))


def unseen_legs(observations: Observations, size: tuple[int, int]) -> BoolArray:
    """Whether the left and the right leg are never shown, (2,); size: width and height of the picture, px.

    A single leg that is hidden by the other one is in the picture: the lifter places it.
    """
    index, keypoints = KEYPOINT_SETS[observations.keypoint_set].index, observations.keypoints.astype(float)
    ends = keypoints[:, [[index[f"{side}_knee"], index[f"{side}_ankle"]] for side in _SIDES]][observations.visible]
    if not len(ends):
        return np.zeros(2, bool)
    inside: BoolArray = np.all((ends[..., :2] > 0) & (ends[..., :2] < size), axis=-1)
    seen = ((ends[..., 2] > CONFIDENCE_THRESHOLD) & inside).any(2).mean(0) > MAX_SEEN
    cut_off = ((ends[..., 2] > 0) & ~inside).all(2).mean(0) > MOSTLY
    return ~seen & (cut_off | ~seen.any())


def hold_legs(person: Person, unseen: BoolArray) -> None:
    """Give a person's unseen legs (2,) their pose at rest in all frames, confidence 0, and no contacts."""
    joints: IntArray = LEG_JOINTS[unseen].ravel()
    person.free, person.locked = at_rest(person.free, joints), at_rest(person.locked, joints)
    confidence, contacts = np.array(person.fit.confidence), np.array(person.contacts, float)
    # The hip's own place is that of the trunk; what lies beyond it is not known.
    confidence[:, LEG_JOINTS[unseen][:, 1:].ravel()] = 0.0
    contacts[:, np.repeat(unseen, 2)] = 0.0
    person.fit, person.contacts = replace(person.fit, confidence=confidence), contacts


def at_rest(body: BodyParams, joints: IntArray) -> BodyParams:
    """The body with some joints' local rotations (F,J,3) at zero."""
    rotvecs: FloatArray = local_rotvecs(body)
    rotvecs[:, joints] = 0.0
    return with_rotvecs(body, rotvecs)
