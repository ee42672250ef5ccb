"""Rows of a recovery: cut out, joined, and changed shot by shot, since nothing is interpolated across a cut."""

import dataclasses
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from .array_types import AnyArray, IntArray
from .records import Recovery

# Arrays of a whole clip; all others have one row a frame.
OF_CLIP = ("betas", "skel_betas", "camera_intrinsics", "camera_distortion", "image_size")


def frame_arrays(recovery: Recovery) -> dict[str, AnyArray]:
    """The arrays (F,...) with one row a frame, by field."""
    arrays = recovery.arrays()
    return {name: value for name, value in arrays.items() if isinstance(value, np.ndarray) and name not in OF_CLIP}


def rows_of(recovery: Recovery, first: int, last: int) -> Recovery:
    """The rows first:last; their times stay."""
    rows: dict[str, Any] = {name: value[first:last] for name, value in frame_arrays(recovery).items()}
    return dataclasses.replace(recovery, **rows)


def join_rows(parts: Sequence[Recovery]) -> Recovery:
    """Recoveries of successive rows as one, whose other fields are the first one's."""
    rows = [frame_arrays(part) for part in parts]
    joined: dict[str, Any] = {name: np.concatenate([part[name] for part in rows]) for name in rows[0]}
    return dataclasses.replace(parts[0], **joined)


def with_rows_of(recovery: Recovery, other: Recovery, rows: IntArray, others: IntArray) -> Recovery:
    """The recovery with rows (R,) that are those of another one, `others` (R,), but for their times; arrays that only one has stay."""
    mine, theirs = frame_arrays(recovery), frame_arrays(other)
    changed: dict[str, Any] = {}
    for name in (mine.keys() & theirs.keys()) - {"timestamps"}:
        if mine[name].shape[1:] == theirs[name].shape[1:]:
            changed[name] = np.array(mine[name])
            changed[name][rows] = theirs[name][others]
    return dataclasses.replace(recovery, **changed)


def change_shots(recovery: Recovery, cuts: Sequence[int], change: Callable[[Recovery], Recovery]) -> Recovery:
    """The recovery with each shot changed by itself; cuts: the first rows of all shots but the first."""
    if not len(cuts):
        return change(recovery)
    return join_rows([change(rows_of(recovery, first, last)) for first, last in pairwise([0, *cuts, len(recovery)])])
