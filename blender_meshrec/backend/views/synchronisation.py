"""The clocks of a clip's views: by time code, by sound, or by how people move; the adjustment then finds fractions of a frame."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...core.array_types import FloatArray
from .footage_views import View
from .motion_sync import CLEAR_PEAK, MotionDelay, motion_delay, motion_signal
from .recorded_clocks import read_sound, read_time_code, sound_delay

TIME_CODE_SIGMA = 0.5  # frames
SOUND_SIGMA = 0.015  # s: sound travels 5 m meanwhile
MOTION_SIGMA = 0.1  # s
COMPARED_PEOPLE = 4  # the largest of a view


class Clock(NamedTuple):
    """A view's clock minus the first view's, s, how sure that is, s, and what told it: timecode, audio, motion or none."""

    delay: float
    sigma: float
    source: str


def first_time(view: View) -> float:
    """When the first frame of a view's range is, s from the beginning of its file."""
    return view.frames.first / view.frames.fps


def find_clocks(views: Sequence[View]) -> list[Clock]:
    """The clock of each view, that of the first one being 0."""
    by_time_code = _clocks_by_time_code(views)
    if by_time_code is not None:
        return by_time_code
    sounds = [read_sound(view.frames.source) for view in views]
    clocks = [Clock(0.0, 0.0, "first")]
    signals = [_signals(view) for view in views]
    for number in range(1, len(views)):
        first_sound, own_sound = sounds[0], sounds[number]
        heard = None if first_sound is None or own_sound is None else sound_delay(first_sound, own_sound)
        if heard is not None:
            clocks.append(Clock(heard + first_time(views[0]) - first_time(views[number]), SOUND_SIGMA, "audio"))
        else:
            clocks.append(_clock_by_motion(signals[0], signals[number]))
    return clocks


def _clocks_by_time_code(views: Sequence[View]) -> list[Clock] | None:
    """The clocks by the files' time codes; None unless all have one, and their ranges overlap."""
    codes = [code for code in (read_time_code(view.frames.source) for view in views) if code is not None]
    if not views or len(codes) < len(views):
        return None
    begins = [code + first_time(view) for code, view in zip(codes, views, strict=True)]
    duration = max(float(view.frames.timestamps[-1]) for view in views)
    if max(abs(begin - begins[0]) for begin in begins) >= duration:
        return None
    sigmas = [TIME_CODE_SIGMA / min(view.frames.fps, views[0].frames.fps) for view in views]
    return [Clock(begins[0] - begin, sigma, "timecode") for begin, sigma in zip(begins, sigmas, strict=True)]


def _signals(view: View) -> list[FloatArray]:
    pairs = list(zip(view.estimates, view.people, strict=True))[:COMPARED_PEOPLE]
    return [motion_signal(estimate, person, view.frames.timestamps) for estimate, person in pairs]


def _clock_by_motion(first: Sequence[FloatArray], second: Sequence[FloatArray]) -> Clock:
    """The clock at which two people of the views move most alike."""
    found = [motion_delay(a, b) for a in first for b in second]
    best = max(found, key=lambda delay: delay.correlation, default=MotionDelay(0.0, 0.0))
    return Clock(best.delay, MOTION_SIGMA, "motion") if best.correlation > CLEAR_PEAK else Clock(0.0, MOTION_SIGMA, "none")


def sampling_times(times: FloatArray, view: View) -> FloatArray:
    """The first view's times (F,) s by the clock of another view."""
    return np.asarray(times, float) + view.delay
