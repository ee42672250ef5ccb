"""One person's linear equations over the unknowns of frames and clip, a range of frames at a time.

A frame's unknowns meet those of the two frames after it and the clip's: the equations are block-banded over frames, with an arrow. They are
projected from the equations over points (equations.py) when they are asked for, so that those of a long clip are never held at once.
"""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ....core.array_types import FloatArray
from .body_points import FRAME_UNKNOWNS, MOVING, PosedPoints
from .equations import Equations

CHUNK_FRAMES = 64  # frames that are projected at once, whose derivatives fit the cache; even, since frames are eliminated in pairs
HELD_FRAMES = 2048  # the equations of a clip of so many frames are kept, those of a longer one are projected again


@dataclass(frozen=True)
class BandedEquations:
    """The equations of F successive frames. U unknowns a frame, C of the clip: shape, marker offsets, the world's.

    diagonal: (F,U,U). next, after_next: (F,U,U), a frame against the one or two after it, also where those are of the next range; zero at
    the clip's end. arrow: (F,U,C). gradient: (F,U). corner: (C,C) and clip_gradient: (C,): what these frames add to the clip's equations.
    """

    diagonal: FloatArray
    next: FloatArray
    after_next: FloatArray
    arrow: FloatArray
    gradient: FloatArray
    corner: FloatArray
    clip_gradient: FloatArray


class NormalEquations(Protocol):
    """The equations of a clip's frames, by chunks of an even number `chunk_frames`. is_held: what is made of chunks may be kept."""

    @property
    def num_frames(self) -> int: ...

    @property
    def chunk_frames(self) -> int: ...

    @property
    def is_held(self) -> bool: ...

    def chunk(self, index: int) -> BandedEquations:
        """The equations of the chunk `index`."""
        ...


def num_chunks(system: NormalEquations) -> int:
    """How many chunks a clip has."""
    return -(-system.num_frames // system.chunk_frames)


@dataclass(frozen=True)
class ProjectedEquations:
    """NormalEquations by the derivatives of a body at `points`."""

    points: PosedPoints
    equations: Equations
    chunk_frames: int = CHUNK_FRAMES
    held_frames: int = HELD_FRAMES
    _held: dict[int, BandedEquations] = field(default_factory=dict)

    @property
    def num_frames(self) -> int:
        return len(self.points.state)

    @property
    def is_held(self) -> bool:
        return self.num_frames <= self.held_frames

    def chunk(self, index: int) -> BandedEquations:
        """The equations of the chunk `index`; the first has what the residuals say of the clip alone."""
        if index in self._held:
            return self._held[index]
        start = self.chunk_frames * index
        found = _project(self.points, self.equations, start, min(start + self.chunk_frames, self.num_frames))
        if index == 0:
            _add_clip(found, self.equations)
        if self.is_held:
            self._held[index] = found
        return found


def _project(points: PosedPoints, equations: Equations, start: int, stop: int) -> BandedEquations:
    """The equations of frames start..stop; the two frames before and after share residuals with them."""
    count, size = stop - start, FRAME_UNKNOWNS
    own = len(points.state.shape) + len(points.state.offsets)
    clip_size = own + len(equations.world_gradient)
    low, high = max(start - 2, 0), min(stop + 2, len(points.state))
    part, rows, inner = points.frames(low, high), slice(start, stop), slice(start - low, stop - low)
    frame, clip = part.frame_jacobian(), part.clip_jacobian()
    mine, clip_mine = _flat(frame[inner]).swapaxes(1, 2), clip[inner]
    gradient, within, world = equations.gradient[rows], equations.within[rows], equations.world[rows]
    weighted_clip = within @ clip_mine
    all_clip = clip_mine.reshape(-1, own)
    found = BandedEquations(
        diagonal=mine @ _flat(within @ frame[inner]),
        next=np.zeros((count, size, size)),
        after_next=np.zeros((count, size, size)),
        arrow=np.concatenate([mine @ _flat(weighted_clip), mine @ _flat(world)], -1),
        gradient=(mine @ gradient.reshape(count, -1, 1))[..., 0],
        corner=np.zeros((clip_size, clip_size)),
        clip_gradient=np.zeros(clip_size),
    )
    found.clip_gradient[:own] += all_clip.T @ gradient.ravel()
    found.corner[:own, :own] += all_clip.T @ weighted_clip.reshape(-1, own)
    mixed = all_clip.T @ world.reshape(-1, world.shape[-1])
    found.corner[:own, own:] += mixed
    found.corner[own:, :own] += mixed.T
    for step, band, weights in ((1, found.next, equations.next), (2, found.after_next, equations.after_next)):
        used = np.flatnonzero(weights[low:high].any(0))
        if not len(used):
            continue
        jacobians = frame[:, used], clip[:, used]
        _add_pairs(found, band, *jacobians, weights[low : high - step, used], step, inner)
    _add_turns(found, equations, start, stop)
    return found


def _add_pairs(
    found: BandedEquations, band: FloatArray, frame: FloatArray, clip: FloatArray, weights: FloatArray, step: int, inner: slice
) -> None:
    """Add what points K share with themselves `step` frames later.

    band: (F,U,U), which is filled. frame: (G,K,3,U) and clip: (G,K,3,O), derivatives in the range's frames, which are `inner` of G, and
    around. weights: (G-step,K).
    """
    own, first, last = clip.shape[-1], inner.start, inner.stop
    pairs = max(min(last, len(weights)) - first, 0)  # that begin within the range
    weight = weights[first : first + pairs, :, None, None]
    here, there = frame[first : first + pairs], weight * frame[first + step : first + step + pairs]
    here_clip, there_clip = clip[first : first + pairs], weight * clip[first + step : first + step + pairs]
    mine = _flat(here).swapaxes(1, 2)
    band[:pairs] += mine @ _flat(there)
    found.arrow[:pairs, :, :own] += mine @ _flat(there_clip)
    shared = here_clip.reshape(-1, own).T @ there_clip.reshape(-1, own)
    found.corner[:own, :own] += shared + shared.T
    # Pairs that end within the range.
    begin = max(first - step, 0)
    ends = slice(begin + step - first, last - first)
    before = weights[begin : last - step, :, None, None] * clip[begin : last - step]
    found.arrow[ends, :, :own] += _flat(frame[begin + step : last]).swapaxes(1, 2) @ _flat(before)


def _add_turns(found: BandedEquations, equations: Equations, start: int, stop: int) -> None:
    """Add what residuals say of rotations alone."""
    found.gradient[:, 3:] += equations.turn_gradient[start:stop].reshape(stop - start, -1)
    for band, all_turns in zip((found.diagonal, found.next, found.after_next), equations.turns, strict=True):
        turns = all_turns[start:stop]
        for k in range(len(MOVING)):
            own = slice(3 + 3 * k, 6 + 3 * k)
            band[: len(turns), own, own] += turns[:, k]


def _add_clip(found: BandedEquations, equations: Equations) -> None:
    """Add what residuals say of the clip's unknowns alone."""
    own = len(found.clip_gradient) - len(equations.world_gradient)
    found.corner[own:, own:] += equations.world_within
    found.clip_gradient[own:] += equations.world_gradient
    if equations.clip_gradient is not None and equations.clip_within is not None:
        found.corner[:own, :own] += equations.clip_within
        found.clip_gradient[:own] += equations.clip_gradient


def _flat(jacobian: FloatArray) -> FloatArray:
    """(F,K,3,U) as (F,3K,U)."""
    return jacobian.reshape(len(jacobian), 3 * jacobian.shape[1], jacobian.shape[-1])
