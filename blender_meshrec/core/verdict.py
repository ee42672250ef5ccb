"""The verdict on a motion: good, doubtful or bad, with its reasons, from measures of what is known to go wrong.

`LIMITS` is the whole table: from which value on a measure makes a motion doubtful, and from which bad. The limits were set on public
clips that were judged by eye (docs/verdicts.md).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from .array_types import FloatArray
from .messages import Message

GOOD, DOUBTFUL, BAD = "good", "doubtful", "bad"
MAX_WORST_FRAMES = 5
MIN_APART = 1 / 20  # of the clip, between two of the worst frames
MIN_SHARE_OF_WORST = 0.2  # of the worst frame's excess: less is not among the worst


@dataclass(frozen=True)
class Measure:
    """How much of something is wrong: `value` in the unit of its limit, nan where unknown; by_frame: the same by frame (F,), or None."""

    value: float
    by_frame: FloatArray | None = None


@dataclass(frozen=True)
class Limit:
    """From which values of a measure a motion is doubtful, and bad.

    name: of the measure. unit: of its values; greater is worse. reason: the sentence for a value.
    """

    name: str
    doubtful: float
    bad: float
    unit: str
    reason: Callable[[float], Message]


@dataclass(frozen=True)
class Verdict:
    """What is thought of a motion: "good", "doubtful" or "bad"; the reasons, the gravest first; the worst frames, in order."""

    verdict: str
    reasons: tuple[Message, ...] = ()
    worst_frames: tuple[int, ...] = ()


NEVER = float("inf")
LEAST_STATURE = 1.4  # m, of adults; nearly all are taller
LIMITS = (
    # --- against the picture: the detector's own keypoints scatter by about 1 % of the person's size ---
    # A body that lies off the keypoints by more than the lifted joints do is held there by something that is not in the picture.
    Limit(
        "off_picture",
        1.5,
        3.5,
        "% of the person's size, median, beyond the lifted joints",
        lambda value: Message(
            "verdict-off-picture",
            "The body lies {value:.1f} % of the person's height beside the picture, more than the keypoints explain.",
            value=value,
        ),
    ),
    # The worst moments: a limb, or the whole body, was lost.
    Limit(
        "far_off_at_times",
        8.0,
        25.0,
        "% of the person's size, 95th percentile",
        lambda value: Message(
            "verdict-far-off-at-times", "At times the body lies {value:.0f} % of the person's height beside the picture.", value=value
        ),
    ),
    # Keypoints that no human pose explains: people mixed up, loose clothes, limbs that the detector guessed.
    Limit(
        "keypoints_unlike_a_body",
        2.5,
        4.5,
        "% of the person's size, median, of the lifted joints",
        lambda value: Message(
            "verdict-keypoints-unlike-a-body",
            "The keypoints do not fit together as a body: several people, loose clothes or hidden limbs.",
            value=value,
        ),
    ),
    # --- what was seen ---
    Limit(
        "unseen",
        20.0,
        60.0,
        "% of the frames from where a shot first shows the person to where it last does",
        lambda value: Message(
            "verdict-unseen", "The person was not found in {value:.0f} % of the frames: the motion is filled in there.", value=value
        ),
    ),
    # Whoever comes in late or leaves early is right while they are there; but they may have been there all along, and were not found.
    Limit(
        "absent",
        20.0,
        NEVER,
        "% of the frames, before and after those",
        lambda value: Message(
            "verdict-absent",
            "In {value:.0f} % of the frames the person is not there yet, or no longer, or was not found: they are held still there.",
            value=value,
        ),
    ),
    Limit(
        "jumps",
        3.0,
        15.0,
        "% of the frames",
        lambda value: Message("verdict-jumps", "The keypoints jump from place to place: several people may be mixed up.", value=value),
    ),
    Limit(
        "unsure",
        35.0,
        60.0,
        "% of the limbs' keypoints below half confidence",
        lambda value: Message("verdict-unsure", "The detector was unsure of {value:.0f} % of the limbs.", value=value),
    ),
    Limit(
        "feet_unseen",
        30.0,
        90.0,
        "% of the frames with the person",
        lambda value: Message(
            "verdict-feet-unseen", "The feet are not in view in {value:.0f} % of the frames: where the floor is, is a guess.", value=value
        ),
    ),
    # Detectors take heels for toes, and fronts for backs.
    Limit(
        "feet_backwards",
        50.0,
        NEVER,
        "% of the frames with the person",
        lambda value: Message(
            "verdict-feet-backwards",
            "The feet were seen to point backwards in {value:.0f} % of the frames, which was not followed: check feet and facing.",
            value=value,
        ),
    ),
    Limit(
        "trembling",
        1.5,
        4.0,
        "% of the person's size, noise of the keypoints",
        lambda value: Message("verdict-trembling", "The keypoints tremble by {value:.1f} % of the person's height.", value=value),
    ),
    # --- the body and the ground ---
    Limit(
        "below_floor",
        5.0,
        15.0,
        "cm, 95th percentile over frames of the lowest point",
        lambda value: Message("verdict-below-floor", "The body reaches {value:.0f} cm below the floor.", value=value),
    ),
    Limit(
        "contacts_above_floor",
        10.0,
        NEVER,
        "cm, 95th percentile of soles in contact",
        lambda value: Message(
            "verdict-contacts-above-floor",
            "Feet in contact stand {value:.0f} cm above the floor: on something, or the floor is wrong.",
            value=value,
        ),
    ),
    # Feet that the contact network does not call a contact, but that rest in the air: the world is tipped, or they stand on something.
    Limit(
        "foot_held_up",
        0.7,
        NEVER,
        "s, of a foot that rests 8 to 35 cm above the floor",
        lambda value: Message(
            "verdict-foot-held-up",
            "A foot rests for {value:.1f} s a little above the floor: on something, or the floor is wrong.",
            value=value,
        ),
    ),
    # Feet are held still while they touch; where their legs do not reach, the person moves otherwise than their feet say.
    Limit(
        "feet_slide",
        25.0,
        NEVER,
        "cm/s, mean speed of feet in contact, after they were held still",
        lambda value: Message(
            "verdict-feet-slide",
            "Feet that touch the floor slide at {value:.0f} cm/s: on something that glides, or the path is wrong.",
            value=value,
        ),
    ),
    # Who stands, walks or runs has a foot that stands still, or is in the air. What a camera's path is missing is in the person's.
    Limit(
        "gliding",
        1.0,
        NEVER,
        "s on feet of which none stands still",
        lambda value: Message(
            "verdict-gliding",
            "For {value:.1f} s the person goes over the floor and no foot stands still: something carries them, or the path is wrong.",
            value=value,
        ),
    ),
    # Nobody flies for longer than a jump: 1.25 s is one of 1.9 m. Slow motion that is not declared as such also shows here.
    Limit(
        "hanging",
        1.25,
        4.0,
        "s without anything near the floor",
        lambda value: Message(
            "verdict-hanging", "For {value:.1f} s nothing touches the floor: what holds the person is not known.", value=value
        ),
    ),
    # In the air for a time t, a body rises by g t²/8 at most; a body that is hidden by half or mixed up with another's flies higher.
    Limit(
        "thrown",
        20.0,
        NEVER,
        "cm, by which the lowest point rises higher than in a jump",
        lambda value: Message(
            "verdict-thrown",
            "The body rises {value:.0f} cm higher than a jump takes it: it stands on something, or its distance is wrong there.",
            value=value,
        ),
    ),
    # A person at rest is above what they touch, or something else holds them; in a world that is tipped they are not.
    Limit(
        "unbalanced",
        14.0,
        40.0,
        "cm, of the centre of mass beyond what touches the floor, median over the worst second",
        lambda value: Message(
            "verdict-unbalanced",
            "The person leans {value:.0f} cm beyond what they stand or lie on: something holds them, or the world is tipped.",
            value=value,
        ),
    ),
    # --- the pose ---
    Limit(
        "unlike_lifted",
        12.0,
        25.0,
        "degrees, mean over the limbs, from the lifted pose",
        lambda value: Message(
            "verdict-unlike-lifted", "The limbs deviate by {value:.0f} degrees from the pose as it was estimated.", value=value
        ),
    ),
    Limit(
        "odd_shape",
        5.0,
        NEVER,
        "standard deviations of the population, largest of the betas",
        lambda value: Message(
            "verdict-odd-shape", "The body's proportions are odd: {value:.0f} standard deviations from the average.", value=value
        ),
    ),
    # One view takes an adult who seems to stand above the others' floor for a child.
    Limit(
        "small",
        10.0,
        NEVER,
        "cm, by which the person is smaller than 1.4 m, if nobody told their height",
        lambda value: Message(
            "verdict-small",
            "The person is taken to be {value:.0f} cm smaller than small adults are: if this is no child, the floor or the lens is wrong.",
            value=value,
        ),
    ),
    # --- the world ---
    # 15 degrees where nobody stands, which the ground that the person touches makes less.
    Limit(
        "gravity_unsure",
        10.0,
        NEVER,
        "degrees, standard deviation",
        lambda value: Message("verdict-gravity-unsure", "Which way is up is known to {value:.0f} degrees only.", value=value),
    ),
    Limit(
        "camera_rolled",
        10.0,
        25.0,
        "degrees",
        lambda value: Message(
            "verdict-camera-rolled", "The world is tipped sideways by {value:.0f} degrees in the picture: cameras rarely are.", value=value
        ),
    ),
    # The solve knows no camera that moves: its motion goes into the person's path.
    Limit(
        "camera_moves",
        20.0,
        NEVER,
        "% of the person's height",
        lambda value: Message("verdict-camera-moves", "The camera moves; the path cannot be trusted.", value=value),
    ),
)


def judge(measures: Mapping[str, Measure], limits: tuple[Limit, ...] = LIMITS) -> Verdict:
    """The verdict on a motion.

    Args:
        measures: by the names of `limits`; those that are missing or nan say nothing.
    """
    exceeded = [
        (limit, measures[limit.name]) for limit in limits if limit.name in measures and measures[limit.name].value >= limit.doubtful
    ]
    exceeded.sort(key=lambda pair: -_gravity(pair[0], pair[1].value))
    is_bad = any(measure.value >= limit.bad for limit, measure in exceeded)
    verdict = BAD if is_bad else DOUBTFUL if exceeded else GOOD
    reasons = tuple(limit.reason(measure.value) for limit, measure in exceeded)
    return Verdict(verdict, reasons, worst_frames(measures, limits))


def worst_frames(measures: Mapping[str, Measure], limits: tuple[Limit, ...] = LIMITS) -> tuple[int, ...]:
    """The frames at which measures exceed their limits most, apart from each other; the worst ones of a good motion too."""
    by_frame = [
        np.nan_to_num(np.asarray(measures[limit.name].by_frame, float), nan=0.0) / limit.doubtful
        for limit in limits
        if limit.name in measures and measures[limit.name].by_frame is not None
    ]
    if not by_frame:
        return ()
    score = np.max(by_frame, axis=0)
    chosen: list[int] = []
    for row in np.argsort(-score, kind="stable"):
        if len(chosen) == MAX_WORST_FRAMES or score[row] <= MIN_SHARE_OF_WORST * score.max():
            break
        if all(abs(int(row) - other) > MIN_APART * len(score) for other in chosen):
            chosen.append(int(row))
    return tuple(sorted(chosen))


def _gravity(limit: Limit, value: float) -> float:
    """How far a value exceeds its limits: 1 where it begins to be doubtful, 2 where it is bad."""
    if limit.bad == NEVER:
        return 1 + min(value / limit.doubtful - 1, 0.9)
    return 1 + (value - limit.doubtful) / (limit.bad - limit.doubtful)
