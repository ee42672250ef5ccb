"""What each frame of a take is: seen, doubtful or filled in; and the problems, runs of frames that an artist should look at."""

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import NamedTuple

import bpy
import numpy as np

from ...core.array_types import FloatArray, IntArray
from ...core.skeletons import SMPL_JOINTS
from ..motion.keyframes import slot_fcurves
from ..person.confidence import LOW_CONFIDENCE
from .played_take import played_take
from .takes import FRAME_CONFIDENCE, WORST_FRAMES

_LIMBS = tuple(f"{side}_{joint}" for side in ("left", "right") for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle"))
_LIMB_ROWS = [SMPL_JOINTS.index(name) for name in _LIMBS]
_MIN_LOW_JOINTS = 2  # of the 12 limb joints; one alone, such as a hand behind the back, is no problem of the whole frame
_MAX_BREAK = 5  # frames between two parts of one problem


class State(IntEnum):
    """The state of a frame."""

    SEEN = 0
    DOUBTFUL = 1
    FILLED_IN = 2


@dataclass(frozen=True, eq=False)
class FrameStates:
    """A take by frame: frames (F,) of the timeline, states (F,) of State, confidence (F,24) of SMPL's joints."""

    frames: FloatArray
    states: IntArray
    confidence: FloatArray

    def row_at(self, frame: float) -> int:
        """The row that is shown at a frame of the timeline."""
        return max(0, int(np.searchsorted(self.frames, frame + 1e-3, side="right")) - 1)

    @cached_property
    def runs(self) -> tuple["Problem", ...]:
        """The runs of doubtful frames, then of frames that are filled in."""
        return tuple(problem for state in (State.DOUBTFUL, State.FILLED_IN) for problem in _runs(self, state))

    def share(self, state: State) -> float:
        """The share of a take's frames that have a state."""
        return float((self.states == state).mean())


class Problem(NamedTuple):
    """A run of frames to look at: first and last frame of the timeline, and what is wrong there."""

    first: int
    last: int
    state: State


_cache: dict[str, tuple[tuple[object, ...], FrameStates]] = {}  # of the last take of each armature, by name


def frame_states(armature_object: bpy.types.Object) -> FrameStates | None:
    """The FrameStates of the take that a person plays; None for an action that is no take of a reconstruction."""
    take = played_take(armature_object)
    if take is None or FRAME_CONFIDENCE not in take.action:
        return None
    action = take.action
    identity = (action.name_full, action.session_uid, action.frame_range[0], action.frame_range[1], take.shift)
    cached = _cache.get(armature_object.name)
    if cached is not None and cached[0] == identity:
        return cached[1]
    curve = next((curve for curve in slot_fcurves(action, "OBJECT") if curve.data_path == '["visible"]'), None)
    if curve is None or not len(curve.keyframe_points):
        return None
    states = _read_states(action, curve, take.shift)
    _cache[armature_object.name] = identity, states
    return states


def find_problems(armature_object: bpy.types.Object) -> list[Problem]:
    """The problems of the take that a person plays, in their order; those of one kind that nearly touch are one."""
    states, take = frame_states(armature_object), played_take(armature_object)
    if states is None or take is None:
        return []
    found = list(states.runs)
    for frame in (round(frame + take.shift) for frame in take.action.get(WORST_FRAMES, ())):
        if not any(problem.first <= frame <= problem.last for problem in found):
            found.append(Problem(frame, frame, State.DOUBTFUL))
    return sorted(found)


def next_problem(problems: list[Problem], frame: int, forwards: bool) -> Problem | None:
    """The problem that begins after a frame, or before it; from the end of the clip the first one, and the other way."""
    if not problems:
        return None
    if forwards:
        return next((problem for problem in problems if problem.first > frame), problems[0])
    return next((problem for problem in reversed(problems) if problem.first < frame), problems[-1])


def _read_states(action: bpy.types.Action, visible_curve: bpy.types.FCurve, shift: float) -> FrameStates:
    keys = np.empty(2 * len(visible_curve.keyframe_points), np.float32)
    visible_curve.keyframe_points.foreach_get("co", keys)
    frames, visible = keys.reshape(-1, 2).T
    confidence = np.array(action[FRAME_CONFIDENCE], float).reshape(-1, len(SMPL_JOINTS))
    if len(confidence) != len(frames):  # keys were added or deleted
        rows = np.linspace(0, len(confidence) - 1, len(frames)).round().astype(int)
        confidence = confidence[rows]
    is_doubtful = (confidence[:, _LIMB_ROWS] < LOW_CONFIDENCE).sum(1) >= _MIN_LOW_JOINTS
    states = np.where(visible < 0.5, State.FILLED_IN, np.where(is_doubtful, State.DOUBTFUL, State.SEEN))
    return FrameStates(frames.astype(float) + shift, states.astype(np.int64), confidence)


def _runs(states: FrameStates, state: State) -> list[Problem]:
    rows = np.flatnonzero(states.states == state)
    if not len(rows):
        return []
    pieces = np.split(rows, np.flatnonzero(np.diff(states.frames[rows]) > _MAX_BREAK) + 1)
    return [Problem(round(states.frames[piece[0]]), round(states.frames[piece[-1]]), state) for piece in pieces]
