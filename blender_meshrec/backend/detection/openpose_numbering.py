"""The frame numbers in the names of OpenPose's files, of which some may be missing."""

import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from ...core.messages import Message

_FRAME_NUMBER = re.compile(r"(?P<clip>.*?)(?P<number>\d{1,15})(?P<rest>\D*)")
_MAX_FILLED_FRAMES = 300  # or as many as there are files

Content = TypeVar("Content")


def fill_missing_frames(files: Sequence[Path], contents: list[list[Content]], name: str) -> tuple[list[list[Content]], list[Message]]:
    """The contents of the frames, with an empty one for each number that is missing between the files, and messages about that.

    Args:
        files: one for each of the contents, in order. name: of the folder.

    Numbers in equal steps, as `--frame_step` writes them, and numbers with larger gaps than the limit are not filled.
    """
    numbers = _frame_numbers(files)
    if numbers is None:
        return contents, []
    steps = {after - before for before, after in itertools.pairwise(numbers)}
    if not steps or min(steps) < 1 or steps == {1}:
        return contents, []
    if len(steps) == 1:
        text = "The files in {name} are numbered in steps of {step}: they were taken for frames that follow each other at the frame rate."
        return contents, [Message("openpose-numbers-in-steps", text, name=name, step=steps.pop())]
    num_missing = numbers[-1] - numbers[0] + 1 - len(numbers)
    if num_missing > max(_MAX_FILLED_FRAMES, len(numbers)):
        text = "The numbers of the files in {name} have gaps of {count} frames together: the frames were taken to follow each other."
        return contents, [Message("openpose-gaps-ignored", text, name=name, count=num_missing)]
    content_of = dict(zip(numbers, contents))
    filled = [content_of.get(number, []) for number in range(numbers[0], numbers[-1] + 1)]
    text = "In {name} the files of {count} frames are missing: nobody was taken to be seen in them."
    return filled, [Message("openpose-frames-missing", text, name=name, count=num_missing)]


def _frame_numbers(files: Sequence[Path]) -> list[int] | None:
    """The last number in each file's name; None unless the names differ in nothing else."""
    found = [re.fullmatch(_FRAME_NUMBER, file.stem) for file in files]
    matches = [match for match in found if match is not None]
    if len(matches) < len(files) or len({(match["clip"], match["rest"]) for match in matches}) > 1:
        return None
    return [int(match["number"]) for match in matches]
