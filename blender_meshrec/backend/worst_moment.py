"""A picture of a result at its worst moment, over the footage: what a supervisor looks at first."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from ..bodies.make_body import make_body
from ..bridge.messages import ReconstructRequest, Result
from ..core.array_types import ImageArray
from ..core.errors import MeshRecError
from ..core.files.body_template import load_body
from ..core.records import Recovery
from ..core.verdict import BAD, DOUBTFUL
from .footage.true_time import in_true_time
from .footage.video import open_footage
from .footage.video_writer import resize_to_height
from .overlay import PosedVertices, draw_people

HEIGHT = 240  # px
BACKGROUND = 96  # grey, where there is no picture
_JPEG_QUALITY = 80
_GRAVITY = {BAD: 2, DOUBTFUL: 1}


def with_picture(result: Result, request: ReconstructRequest) -> Result:
    """The result with its picture; without one where nothing can be drawn."""
    if not result.recoveries:
        return result
    recovery = result.recoveries[0]
    time = worst_time(result.report.get("people", ()), recovery)
    row = int(np.abs(recovery.timestamps - time).argmin())
    image = footage_at(recovery, time, row)
    people = [(each, PosedVertices(each, make_body(load_body(request.body)))) for each in result.recoveries]
    drawn = draw_people(image, row, people, np.asarray(load_body(request.body).faces))
    panel = np.hstack([resize_to_height(image, HEIGHT), resize_to_height(drawn, HEIGHT)])
    is_encoded, content = cv2.imencode(".jpg", cv2.cvtColor(panel, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return replace(result, picture=np.asarray(content, np.uint8).ravel()) if is_encoded else result


def worst_time(people: Sequence[dict[str, Any]], recovery: Recovery) -> float:
    """The time, s, of the worst frame of the person with the gravest verdict; the middle of what was seen where no frame is known.

    people: of the report.
    """
    known = [person for person in people if person.get("worst_times")]
    if known:
        return float(max(known, key=lambda person: _GRAVITY.get(person.get("verdict", ""), 0))["worst_times"][0])
    rows = np.flatnonzero(recovery.visible)
    return float(recovery.timestamps[rows[len(rows) // 2] if len(rows) else 0])


def footage_at(recovery: Recovery, time: float, row: int) -> ImageArray:
    """The footage's frame at a time, s, as (H,W,3) uint8 RGB; grey where there is none, as of 2D keypoints.

    row: of the recovery. Frames before it are decoded, but not converted.
    """
    width, height = (int(side) for side in recovery.image_size)
    try:
        footage = open_footage(recovery.footage, (recovery.first_frame, None))
        footage, _speed = in_true_time(footage, recovery.footage_speed * footage.play_rate)
        for frame in footage.read(decode_from=max(0, min(row, round(time * footage.play_rate)) - 1)):
            if frame.image is not None and frame.time > time - 1e-3:
                return frame.image
    except (MeshRecError, OSError, ValueError):  # not footage, or no longer there
        pass
    return np.full((max(height, 2), max(width, 2), 3), BACKGROUND, np.uint8)
