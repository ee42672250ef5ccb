"""Read BVH files: the skeleton and the channel values, in the file's own axes and units."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...core.array_types import FloatArray, IntArray
from ...core.errors import InputError

_REMEDY = "Export the motion as BVH again, or choose another file."
_MAX_BYTES = 1 << 30
_END_SITE = -2  # in the stack of open joints
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
    """The content of a BVH file. values: (F,C), degrees and file units, one column a channel. frame_time: s."""

    skeleton: BvhSkeleton
    values: FloatArray
    frame_time: float


def read_bvh(path: Path) -> BvhMotion:
    """Read a BVH file.

    Raises:
        InputError: the file cannot be read, is no BVH file, or is damaged.
    """
    head, found, body = _read_text(path).partition("MOTION")
    header = re.match(r"\s*Frames:\s*(\d+)\s+Frame Time:\s*(\S+)", body)
    if "HIERARCHY" not in head or not found or not header:
        raise InputError("bvh-not-one", "{name} is not a BVH file.", _REMEDY, name=path.name)
    try:
        skeleton = _HierarchyParser(head.split("HIERARCHY", 1)[1].split()).parse()
        num_frames, frame_time = int(header[1]), float(header[2])
        values = np.array(body[header.end() :].split(), dtype=float)
    except (ValueError, IndexError, KeyError, StopIteration) as error:
        raise InputError(
            "bvh-damaged", "{name} is damaged: its skeleton or its numbers cannot be read.", _REMEDY, name=path.name
        ) from error
    width = skeleton.num_channels
    num_frames = min(num_frames, len(values) // width if width else 0)
    values = values[: num_frames * width]
    if num_frames < 1 or not frame_time > 0 or not np.isfinite(values).all():
        raise InputError("bvh-without-motion", "{name} holds no motion.", _REMEDY, name=path.name)
    return BvhMotion(skeleton, values.reshape(num_frames, width), frame_time)


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError("bvh-too-large", "{name} is larger than a BVH file can be.", _REMEDY, name=path.name)
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
            "ROOT": self._begin_joint,
            "JOINT": self._begin_joint,
            "End": self._begin_end_site,
            "}": self.open_joints.pop,
            "OFFSET": self._read_offset,
            "CHANNELS": self._read_channels,
        }
        for word in self.words:
            if word not in handlers:
                raise ValueError(word)
            handlers[word]()
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
        if self.open_joints[-1] == _END_SITE:
            self.end_offsets[self.open_joints[-2]] = offset
        else:
            self.offsets[self.open_joints[-1]] = offset

    def _read_channels(self) -> None:
        names = [next(self.words) for _ in range(int(next(self.words)))]
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
