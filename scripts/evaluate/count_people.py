"""Count the people that the detector and the tracker find, and draw their tracks, to compare with a count by hand (docs/people.md).

    .venv/bin/python -m scripts.evaluate.count_people INPUT... [-o FOLDER] [--cache DIR] [--quality draft|standard|best]

For every input, an image or a video, a row of a table is printed: frames, people found, and of each person the frames in which they were
seen, the height of the box, the number of gaps longer than half a second, and the number of jumps to another place between two frames,
where a track may have changed to another person. With -o, FOLDER/NAME.png shows moments of the clip with each person's box, limbs and
number, and below them who is seen when. Count by eye on it: people who are missing, false people, numbers that change.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from blender_meshrec.backend.footage.true_time import in_true_time
from blender_meshrec.backend.footage.video import open_footage
from blender_meshrec.backend.overlay import PERSON_COLOURS
from blender_meshrec.backend.tracking.detect_and_track import TrackingResult, detect_and_track
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.array_types import ImageArray
from blender_meshrec.core.errors import NobodyFoundError
from blender_meshrec.core.records import Observations
from blender_meshrec.core.skeletons import KEYPOINT_SETS

MOMENTS, COLUMNS, TILE_WIDTH = 24, 4, 480  # of a sheet; px
BAR, LABEL = 10, 46  # px: height of a person's row in the strip, and the width of its label
MAX_GAP = 0.5  # s: longer ones are counted
# A torso that moves by this share of the body's height between two frames, and faster than this, heights a second, has jumped.
JUMP_SHARE, JUMP_SPEED = 0.4, 6.0
_LIMBS = (
    ("shoulder", "elbow"),
    ("elbow", "wrist"),
    ("hip", "knee"),
    ("knee", "ankle"),
    ("shoulder", "hip"),
)


class TrackMeasures(NamedTuple):
    """What the table says of one person: frames seen, median height in px, gaps above MAX_GAP, jumps."""

    frames: int
    height: float
    gaps: int
    jumps: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--cache")
    parser.add_argument("--quality", default="standard")
    parser.add_argument("--moments", type=int, default=MOMENTS)
    arguments = parser.parse_args()
    print("| input | frames | people | seconds | of each: frames seen (height px, gaps, jumps) |\n|---|---:|---:|---:|---|")
    for path in arguments.inputs:
        request = ReconstructRequest(str(path), cache=arguments.cache, quality=arguments.quality)
        try:
            found = detect_and_track(request)
        except NobodyFoundError:
            print(f"| {path.stem} | | 0 | | |", flush=True)
            continue
        people = [measure_track(person, found.frames.timestamps) for person in found.people]
        each = ", ".join(f"{person.frames} ({person.height:.0f}, {person.gaps}, {person.jumps})" for person in people)
        taken = found.seconds.get("find people", 0.0)
        print(f"| {path.stem} | {len(found.frames)} | {len(people)} | {taken:.1f} | {each} |", flush=True)
        if arguments.output is not None:
            arguments.output.mkdir(parents=True, exist_ok=True)
            sheet = draw_sheet(path, found, arguments.moments)
            cv2.imwrite(str(arguments.output / f"{path.stem}.png"), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))


def measure_track(person: Observations, timestamps: np.ndarray) -> TrackMeasures:
    """The TrackMeasures of one person; timestamps: (F,) s."""
    rows = np.flatnonzero(person.visible)
    boxes = person.boxes[rows].astype(float)
    height = float(np.median(np.max(boxes[:, 2:] - boxes[:, :2], axis=-1)))
    passed = np.diff(timestamps[rows])
    limbs = [KEYPOINT_SETS[person.keypoint_set].index[f"{side}_{joint}"] for side in ("left", "right") for joint in ("shoulder", "hip")]
    torso = person.keypoints[rows][:, limbs, :2].astype(float).mean(1)
    moved = np.linalg.norm(np.diff(torso, axis=0), axis=-1) / height
    jumps = moved > np.maximum(JUMP_SHARE, JUMP_SPEED * passed)
    return TrackMeasures(len(rows), height, int((passed > MAX_GAP).sum()), int(jumps.sum()))


def draw_sheet(path: Path, found: TrackingResult, moments: int = MOMENTS) -> ImageArray:
    """The sheet of a clip, (H,W,3) uint8 RGB: some of its frames with the people in them, and the strip of who is seen when."""
    rows = np.unique(np.linspace(0, len(found.frames) - 1, moments).round().astype(int))
    footage, _speed = in_true_time(open_footage(str(path)), None)
    wanted = {round(float(found.frames.timestamps[row]), 4): int(row) for row in rows}
    tiles = []
    for frame in footage.read():
        row = wanted.get(round(frame.time, 4))
        if row is not None and frame.image is not None:
            tiles.append(draw_tile(frame.image, row, found.people))
    width = COLUMNS * TILE_WIDTH if len(tiles) > 1 else 2 * TILE_WIDTH
    if len(tiles) == 1:
        enlarged = cv2.resize(tiles[0], (width, width * tiles[0].shape[0] // tiles[0].shape[1]))
        return np.asarray(np.vstack([enlarged, draw_strip(found.people, width)]), np.uint8)
    blank = np.zeros_like(tiles[0])
    tiles += [blank] * (-len(tiles) % COLUMNS)
    grid = [np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
    return np.vstack([*grid, draw_strip(found.people, width)])


def draw_tile(image: ImageArray, row: int, people: Sequence[Observations]) -> ImageArray:
    """One frame with the boxes, limbs and numbers of those seen in it, TILE_WIDTH px wide (images: twice that)."""
    scale = 2 * TILE_WIDTH / image.shape[1]
    drawn = cv2.resize(image, (2 * TILE_WIDTH, round(image.shape[0] * scale)), interpolation=cv2.INTER_AREA)
    for number, person in enumerate(people):
        if not person.visible[row]:
            continue
        colour, index = PERSON_COLOURS[number % len(PERSON_COLOURS)], KEYPOINT_SETS[person.keypoint_set].index
        left, top, right, bottom = (round(float(value) * scale) for value in person.boxes[row])
        cv2.rectangle(drawn, (left, top), (right, bottom), colour, 2)
        for start, end in ((f"{side}_{a}", f"{side}_{b}") for side in ("left", "right") for a, b in _LIMBS):
            ends = person.keypoints[row, [index[start], index[end]]]
            if ends[:, 2].min() > 0.3:
                (x, y), (u, v) = (ends[:, :2] * scale).round().astype(int).tolist()
                cv2.line(drawn, (x, y), (u, v), colour if start.startswith("left") else (255, 255, 255), 2)
        cv2.putText(drawn, str(number + 1), (left, max(top - 4, 22)), cv2.FONT_HERSHEY_SIMPLEX, 0.9, colour, 3)
    cv2.putText(drawn, str(row), (6, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 0), 2)
    return np.asarray(
        cv2.resize(drawn, (TILE_WIDTH, drawn.shape[0] * TILE_WIDTH // drawn.shape[1]), interpolation=cv2.INTER_AREA), np.uint8
    )


def draw_strip(people: Sequence[Observations], width: int) -> ImageArray:
    """Who is seen when: a row for each person, (BAR * people, width, 3) uint8 RGB."""
    strip = np.full((BAR * max(len(people), 1) + 4, width, 3), 30, np.uint8)
    for number, person in enumerate(people):
        top = number * BAR + 2
        cv2.putText(strip, str(number + 1), (4, top + BAR - 1), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (255, 255, 255), 1)
        step = (width - LABEL) / max(len(person), 1)
        for row in np.flatnonzero(person.visible):
            left = LABEL + int(row * step)
            strip[top : top + BAR - 2, left : left + max(1, int(step))] = PERSON_COLOURS[number % len(PERSON_COLOURS)]
    return strip


if __name__ == "__main__":
    main()
