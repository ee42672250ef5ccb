"""Read BVH files: the skeleton and the channel values, in the file's own axes and units."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np

from ...core.array_types import FloatArray, IntArray
from ...core.conventions import MAX_FILE_FPS, MIN_FILE_FPS
from ...core.errors import InputError
from ...core.files.input_file import refuse_special_file
from ...core.messages import Message

_REMEDY = "Export the motion as BVH again, or choose another file."
_MAX_BYTES = 1 << 28
_MAX_NUMBERS = 1 << 24  # an hour of 24 joints at 60 frames a second
_MAX_NUMBER = 1e9  # file units, or degrees; farther, squares of lengths overflow in some of what is computed
_END_SITE = -2  # in the stack of open joints
# Joint names may hold the keywords, so MOTION counts only before the number of frames.
_HIERARCHY = re.compile(r"\bHIERARCHY\b", re.IGNORECASE)
_MOTION = re.compile(r"(?:^|[\s}])MOTION\s+Frames\s*:\s*(\d+)\s+Frame\s*Time\s*:\s*(\S+)", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[-+]?\d*,\d+(?:e[-+]?\d+)?", re.IGNORECASE)
_JOINED_NUMBERS = re.compile(r"(?=.*\d)(?:[-+\d.]|(?<=[\d.])e)+", re.IGNORECASE)
# Frame rates that a rounded frame time may stand for, those whose time has no last digit; the first ones are preferred.
_USUAL_RATES = (
    30.0, 60.0, 120.0, 24.0, 240.0, 90.0, 48.0, 72.0, 75.0, 144.0, 150.0, 180.0, 300.0, 360.0, 480.0, 12.0, 15.0,
    30_000 / 1001, 60_000 / 1001, 24_000 / 1001, 120_000 / 1001,
)  # fmt: skip
_MAX_RATE_ERROR = 0.025  # of the stated to the meant rate, relative
_MIN_OFFSET = 1e-9  # file units; a child nearer than this does not show where its parent's bone ends


@dataclass(frozen=True)
class BvhSkeleton:
    """The hierarchy of a BVH file.

    joint_names: unique. parents: (J,), -1 at roots. offsets: (J,3) from the parent. channels: the names of each joint's channels, in
    the order of the file. tails: (J,3) where each joint's bone ends, from the joint.
    """

    joint_names: tuple[str, ...]
    parents: IntArray
    offsets: FloatArray
    channels: tuple[tuple[str, ...], ...]
    tails: FloatArray

    @property
    def num_channels(self) -> int:
        """The number of values that a frame has."""
        return sum(len(names) for names in self.channels)


@dataclass(frozen=True)
class BvhMotion:
    """The content of a BVH file.

    values: (F,C), degrees and file units, one column a channel. frame_time: s, of the rate that a rounded one stands for. fps: its
    inverse. notes: what the file lacks.
    """

    skeleton: BvhSkeleton
    values: FloatArray
    frame_time: float
    fps: float
    notes: tuple[Message, ...] = ()


def read_bvh(path: Path) -> BvhMotion:
    """Read a BVH file.

    Raises:
        InputError: the file cannot be read, is no BVH file, or is damaged.
    """
    text = _read_text(path)
    if sum(map(text.count, " \n\t")) > _MAX_NUMBERS:
        raise _too_large_error(path)
    start, header = _HIERARCHY.search(text), _MOTION.search(text)
    if not start or not header or header.start() < start.end():
        raise InputError("bvh-not-one", "{name} is not a BVH file.", _REMEDY, name=path.name)
    hierarchy_words = text[start.end() : header.start() + 1].replace("{", " { ").replace("}", " } ").split()
    words = text[header.end() :].split()
    try:
        skeleton = _HierarchyParser(hierarchy_words).parse()
        stated_frames, frame_time = int(header[1]), float(header[2])
        values = np.array(words, dtype=float)
        if (np.abs(values[np.isfinite(values)]) > _MAX_NUMBER).any():
            raise ValueError("numbers that no motion has")
    except (ValueError, IndexError, KeyError, StopIteration) as error:
        raise _damage_error(path.name, [header[2], *hierarchy_words, *words]) from error
    width = skeleton.num_channels
    num_frames = min(stated_frames, len(values) // width if width else 0)
    values = values[: num_frames * width]
    if num_frames < 1 or not 1 / MAX_FILE_FPS <= frame_time <= 1 / MIN_FILE_FPS or not np.isfinite(values).all():
        raise InputError("bvh-without-motion", "{name} holds no motion.", _REMEDY, name=path.name)
    notes: tuple[Message, ...] = ()
    if num_frames < stated_frames:
        ends_early = "{name} breaks off: it has {found} of {stated} frames."
        notes = (Message("bvh-breaks-off", ends_early, name=path.name, found=num_frames, stated=stated_frames),)
    fps = _meant_rate(header[2])
    frame_time = frame_time if fps == 1 / frame_time else 1 / fps
    return BvhMotion(skeleton, values.reshape(num_frames, width), frame_time, fps, notes)


def _meant_rate(frame_time: str) -> float:
    """The frame rate that a written frame time, s, stands for: 0.0333 is 30 frames a second, 0.008333 is 120."""
    stated = 1 / float(frame_time)
    exponent = Decimal(frame_time).as_tuple().exponent
    last_digit = 10.0**exponent if isinstance(exponent, int) else 0.0
    if abs(stated - round(stated)) < 1e-9 * stated:
        return stated
    for tolerance in (0.501, 0.999):  # of the last digit: rounded, or else cut off
        for rate in _USUAL_RATES:
            if abs(1 / rate - float(frame_time)) < tolerance * last_digit and abs(rate - stated) < _MAX_RATE_ERROR * rate:
                return rate
    return stated


def _damage_error(name: str, words: Sequence[str]) -> InputError:
    """The error for a file whose words cannot be read, which names the first number that is written as no program reads it."""
    for word in words:
        if _DECIMAL_COMMA.fullmatch(word):
            text = "{name} writes numbers with a decimal comma: {word}."
            remedy = "Replace the commas by points, or export the motion with English number formats."
            return InputError("bvh-decimal-commas", text, remedy, name=name, word=word)
        if _JOINED_NUMBERS.fullmatch(word) and not _is_number(word):
            text = "{name} has numbers that run together: {word}."
            return InputError(
                "bvh-numbers-joined", text, "Export the motion as BVH again, with spaces between numbers.", name=name, word=word
            )
    return InputError("bvh-damaged", "{name} is damaged: its skeleton or its numbers cannot be read.", _REMEDY, name=name)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _too_large_error(path: Path) -> InputError:
    return InputError(
        "bvh-too-large",
        "{name} is larger than the BVH files that are read: the limit is {limit:.0f} million numbers, and {megabytes:.0f} MB.",
        "Split the motion into shorter files.",
        name=path.name,
        limit=_MAX_NUMBERS / 1e6,
        megabytes=_MAX_BYTES / 2**20,
    )


def _read_text(path: Path) -> str:
    refuse_special_file(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise _too_large_error(path)
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError as error:
        raise InputError("bvh-not-found", "There is no file {path}.", "Check the path.", path=path) from error
    except OSError as error:
        raise InputError(
            "bvh-not-readable",
            "{path} cannot be read: {reason}.",
            "Check the path and that you may read it.",
            path=path,
            reason=error.strerror or error,
        ) from error


class _HierarchyParser:
    """A parser of the HIERARCHY section.

    Errors of the file show as ValueError, IndexError, KeyError or StopIteration.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words: Iterator[str] = iter(words)
        self.names: list[str] = []
        self.parents: list[int] = []
        self.offsets: list[FloatArray] = []
        self.channels: list[tuple[str, ...]] = []
        self.end_offsets: dict[int, FloatArray] = {}
        self.open_joints: list[int] = []  # from the root to the joint that is being read; _END_SITE for an end site

    def parse(self) -> BvhSkeleton:
        """Read the section to its end."""
        handlers = {
            "root": self._begin_joint,
            "joint": self._begin_joint,
            "end": self._begin_end_site,
            "}": self.open_joints.pop,
            "offset": self._read_offset,
            "channels": self._read_channels,
        }
        for word in self.words:
            if word.lower() not in handlers:
                raise ValueError(word)
            handlers[word.lower()]()
        if not self.names or self.open_joints:
            raise ValueError("unfinished skeleton")
        parents = np.array(self.parents)
        return BvhSkeleton(
            joint_names=_make_unique(self.names),
            parents=parents,
            offsets=np.array(self.offsets),
            channels=tuple(self.channels),
            tails=np.array([self._tail(joint, parents) for joint in range(len(self.names))]),
        )

    def _words_before_brace(self) -> list[str]:
        return list(iter(self.words.__next__, "{"))

    def _begin_joint(self) -> None:
        self.names.append(" ".join(self._words_before_brace()))
        self.parents.append(self.open_joints[-1] if self.open_joints else -1)
        self.offsets.append(np.zeros(3))
        self.channels.append(())
        self.open_joints.append(len(self.names) - 1)

    def _begin_end_site(self) -> None:
        self._words_before_brace()  # "Site"
        self.open_joints.append(_END_SITE)

    def _read_offset(self) -> None:
        offset = np.array([float(next(self.words)) for _ in range(3)])
        if not (np.abs(offset) <= _MAX_NUMBER).all():
            raise ValueError(offset)
        if self.open_joints[-1] == _END_SITE:
            self.end_offsets[self.open_joints[-2]] = offset
        else:
            self.offsets[self.open_joints[-1]] = offset

    def _read_channels(self) -> None:
        names = [next(self.words).capitalize() for _ in range(int(next(self.words)))]
        for name in names:
            if name[0] not in "XYZ" or name[1:] not in ("position", "rotation"):
                raise KeyError(name)
        self.channels[self.open_joints[-1]] = tuple(names)

    def _tail(self, joint: int, parents: IntArray) -> FloatArray:
        """Where a joint's bone ends: at its first child, else at its end site, else as far on as it is from its parent."""
        children = [self.offsets[child] for child in np.flatnonzero(parents == joint)]
        distant = [offset for offset in children if np.linalg.norm(offset) > _MIN_OFFSET]
        return distant[0] if distant else self.end_offsets.get(joint, self.offsets[joint])


def _make_unique(names: Sequence[str]) -> tuple[str, ...]:
    """The names, with a number added to those that occur again, as Blender names duplicates."""
    counts: dict[str, int] = {}
    unique = []
    for name in names:
        count = counts[name] = counts.get(name, -1) + 1
        unique.append(f"{name}.{count:03d}" if count else name)
    return tuple(unique)
