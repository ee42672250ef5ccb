"""Slow motion that no file tells of: the lifter is surest of joints that move as fast as those of people do.

Footage of 120 frames a second that plays at 30 shows slow people, whose steps towards the camera are lifted too short: slow steps are
short. Every second, third or fourth frame, taken for footage of the lifter's rate, shows the same people at another speed. The speed counts
at which the spread that the lifter predicts is least. Everything is then solved in true time (`Clip.motion_times`), and the result keeps
the times of the file.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ...core.array_types import FloatArray, IntArray
from ...core.messages import Message
from ...core.records import Observations
from ...methods import skeleton2mesh
from ..clip import Clip, Person
from ..devices import run_with_cpu_fallback

SPEEDS = (2, 3, 4)  # times slower than people move; each is tried if the one before it is surer than the true time
MIN_GAIN = 0.02  # share by which the spread has to fall
MAX_FRAMES, MAX_PEOPLE = 600, 3  # from the middle of what shows somebody; those who are seen longest
MIN_FRAMES = 24  # of everybody who is looked at, at each speed that is tried


def find_playing_speed(clip: Clip) -> None:
    """Set how many times slower than in truth people seem to move, and say so if they do."""
    people = [person for person in clip.people if len(_middle_rows(person)) >= SPEEDS[0] * MIN_FRAMES]
    people = sorted(people, key=lambda person: -len(_middle_rows(person)))[:MAX_PEOPLE]
    if not people:
        return
    fewest = len(_middle_rows(people[-1]))
    spread = {1: _mean_spread(clip, people, 1)}
    for speed in (speed for speed in SPEEDS if fewest >= speed * MIN_FRAMES):
        spread[speed] = _mean_spread(clip, people, speed)
        if spread[speed] >= spread[1]:
            break
    best = min(spread, key=lambda speed: spread[speed])
    clip.playing_speed = best if spread[best] < (1 - MIN_GAIN) * spread[1] else 1
    if clip.playing_speed > 1:
        text = (
            "People in {name} move as in slow motion, about {speed} times too slowly: their joints were found at that speed, and keep the "
            "time of the file. If it was captured at about {rate:.4g} frames a second, that capture rate gives them their true time."
        )
        rate = clip.playing_speed * clip.frames.fps
        clip.warnings.append(Message("seems-slow-motion", text, name=Path(clip.frames.source).name, speed=clip.playing_speed, rate=rate))


def _mean_spread(clip: Clip, people: Sequence[Person], speed: int) -> float:
    """The mean over people's joints of what the lifter expects them to be off, m, if footage plays so many times too slowly."""
    spreads: list[FloatArray] = []
    for person in people:
        rows = _middle_rows(person)[::speed]
        steady = person.steady
        seen = Observations(steady.keypoint_set, steady.boxes[rows], steady.keypoints[rows], steady.visible[rows])
        lift = partial(skeleton2mesh.estimate, seen, clip.intrinsics, clip.frames.timestamps[rows] / speed)
        estimate = run_with_cpu_fallback(lift, clip.device, clip.warnings.append)
        if estimate.spread is not None:
            spreads.append(np.asarray(estimate.spread[:, 1:], float).reshape(-1))
    return float(np.concatenate(spreads).mean()) if spreads else float("inf")


def _middle_rows(person: Person) -> IntArray:
    """At most MAX_FRAMES of the rows that show a person, from their middle."""
    rows = np.flatnonzero(person.steady.visible)
    first = max(0, (len(rows) - MAX_FRAMES) // 2)
    return rows[first : first + MAX_FRAMES]
