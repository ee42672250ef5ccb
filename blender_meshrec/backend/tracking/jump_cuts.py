"""Jump cuts: time is cut out of a take, so that people are elsewhere at once, while the camera stands or goes on as before.

The background does not tell of them. The picture changes in one frame by much more than in those around it, and nobody goes on from where
they were. A flash changes two frames, and somebody whom the detector loses changes no picture.
"""

from collections.abc import Sequence

import numpy as np

from ...core.array_types import FloatArray
from ..camera.picture_change import changes_at_once
from ..detection.detections import body_size
from .track import Track

GOES_ON = 0.5  # body sizes by which the torso of somebody who goes on moves at most in a frame


def jump_rows(changes: FloatArray, tracks: Sequence[Track]) -> list[int]:
    """The first rows after jump cuts.

    Args:
        changes: (F,), by how much the picture changes in each frame, as of FrameMatches. tracks: of everybody in these frames.
    """
    return [int(row) for row in np.flatnonzero(changes_at_once(changes)) if _all_break_off(int(row), tracks)]


def _all_break_off(row: int, tracks: Sequence[Track]) -> bool:
    """Whether somebody was there right before a row, and nobody of them goes on."""
    there = [track for track in tracks if track.rows and track.rows[0] < row and row - 1 in track.rows]
    return bool(there) and not any(_goes_on(row, track) for track in there)


def _goes_on(row: int, track: Track) -> bool:
    last = track.rows.index(row - 1)
    if last + 1 == len(track.rows) or track.rows[last + 1] > row + 1:
        return False
    before, behind = track.candidates[last], track.candidates[last + 1]
    moved = np.linalg.norm(np.subtract(behind.torso_centre, before.torso_centre))
    return bool(moved <= GOES_ON * (track.rows[last + 1] - row + 1) * max(body_size(before.box), body_size(behind.box)))
