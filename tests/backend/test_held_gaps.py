"""Gaps in which a person is held are noted in the report, and the user is told."""

from types import SimpleNamespace

import numpy as np

from blender_meshrec.backend.footage.looked_at import LookedAt
from blender_meshrec.backend.held_gaps import say_held_gaps


def clip_with(visible, cuts=(), step=1):
    """What `say_held_gaps` reads of a clip of 10 frames a second."""
    person = SimpleNamespace(number=2, recovery=SimpleNamespace(visible=np.array(visible, bool)), judged={})
    times = np.arange(len(visible)) / 10
    frames = SimpleNamespace(timestamps=times)
    looked_at = LookedAt(step * np.arange(len(times)), np.arange(step * len(times)) / 30)
    return SimpleNamespace(people=[person], breaks=list(cuts), frames=frames, motion_times=times, looked_at=looked_at, warnings=[])


def test_long_gaps_are_said():
    clip = clip_with([1] * 5 + [0] * 12 + [1] * 4 + [0] * 5 + [1] * 3 + [0] * 20)
    say_held_gaps(clip)
    assert clip.people[0].judged["held_frames"] == [[5, 16]]  # neither half a second nor the end
    (warning,) = clip.warnings
    assert warning.name == "person-held" and warning.values["person"] == 2
    assert "from frame 5 to frame 16, 1.3 s" in warning


def test_frames_are_the_footages_own():
    clip = clip_with([1] * 5 + [0] * 12 + [1] * 4, step=3)
    say_held_gaps(clip)
    assert clip.people[0].judged["held_frames"] == [[15, 48]]


def test_a_shot_without_the_person_is_no_gap():
    clip = clip_with([1] * 5 + [0] * 12 + [1] * 4, cuts=(5, 17))
    say_held_gaps(clip)
    assert clip.people[0].judged["held_frames"] == [] == clip.warnings
