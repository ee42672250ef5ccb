"""Parsers of option values on the command line; each raises argparse.ArgumentTypeError, whose text argparse shows to the user."""

import contextlib
from argparse import ArgumentTypeError

MAX_FPS = 1000  # frames per second


def parse_person(word: str) -> str:
    """Check that a word is `largest`, `all`, or a number from 1."""
    if word in ("largest", "all") or (word.isascii() and word.isdigit() and int(word) >= 1):
        return word
    raise ArgumentTypeError(f"{word} is neither largest nor all nor a number from 1")


def parse_frame_range(word: str) -> tuple[int, int | None]:
    """Parse `A:B` as (first, end); without A the range starts at 0, without B it has no end (None)."""
    first, colon, end = word.partition(":")
    try:
        if not colon:
            raise ValueError
        frames = (int(first or 0), int(end) if end else None)
    except ValueError:
        raise ArgumentTypeError(f"{word} is not a range such as 0:100") from None
    if frames[0] < 0 or (frames[1] is not None and frames[1] <= frames[0]):
        raise ArgumentTypeError(f"the range {word} is empty")
    return frames


def parse_fps(word: str) -> float:
    """Parse frames per second: a number, or a fraction such as 24000/1001."""
    numerator, _, denominator = word.partition("/")
    with contextlib.suppress(ValueError, ZeroDivisionError):
        fps = float(numerator) / float(denominator or 1)
        if 0 < fps <= MAX_FPS:
            return fps
    raise ArgumentTypeError(f"{word} is not a number of frames per second")


def parse_non_negative(word: str) -> float:
    """Parse a finite number that is not negative."""
    with contextlib.suppress(ValueError):
        if 0 <= float(word) < float("inf"):
            return float(word)
    raise ArgumentTypeError(f"{word} is not a number from 0")


def parse_model(word: str) -> str:
    """The path of a body or SKEL file from its path or the name the user gave it; `open` stays as it is."""
    if word == "open":
        return word
    from .files.user_models import resolve_model_path  # loads numpy, which --help does not need

    return resolve_model_path(word)
