"""A cache of detections on disk, so that a second run, or a run after an interruption, does not detect again.

One folder an entry, named by a hash of the footage and the detector; in it `frames-000000.npz` and so on, with some frames
each, and `done.json` once the footage was read to its end. Files are written atomically, so an interrupted run leaves a valid
beginning. Each file ends with a SHA-256 over its content, its name and its entry's name. The cache never makes a run fail: after a
full disk the run goes on without it, and the frames of a damaged file, and those after it, are detected again.
"""

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...core.array_types import AnyArray, FloatArray, IntArray
from ...core.errors import OutputError
from ...core.files.output_file import atomic_write
from ...core.messages import message_from_json, message_to_json
from ..camera.background_matcher import UNKNOWN
from ..camera.tracks import NOT_LOOKED_AT, FrameMatches, pack_matches, unpack_matches
from ..camera.vertical_lines import pack_edges, unpack_edges
from ..detection.detections import Detection
from ..footage.frame_source import Footage, PathArgument
from .packing import DetectedFrame, pack_frames, unpack_frames
from .part_of_cache import PartOfClip, part_of_clip

# Part of every entry's name: increased whenever detectors or the tracker give other results for the same footage.
CACHE_VERSION = 22
FRAMES_PER_FILE = 100
MAX_CACHE_BYTES = 512 * 2**20
_MAX_FILE_BYTES = 256 * 2**20  # FRAMES_PER_FILE frames with dozens of people take a tenth of it
_DIGEST_BYTES = hashlib.sha256().digest_size
# Files up to this size are hashed whole (0.1-0.5 s); of larger ones the size and samples spread over them are.
MAX_FULL_HASH_BYTES = 256 * 2**20
NUM_SAMPLES, SAMPLE_BYTES = 64, 2**20
_ENTRY_NAME, _FILE_NAME = re.compile(r"[0-9a-f]{32}"), re.compile(r"frames-\d{6,}\.npz|done\.json")


def content_hash(path: PathArgument) -> str:
    """A digest of a file's bytes, or of the names and bytes of a folder's files.

    Files above 256 MB are represented by their size and 64 samples of 1 MB, first and last included: a clip that is cut or
    encoded again changes in all of them.
    """
    digest = hashlib.sha256()
    path = Path(path)
    for file in sorted(item for item in path.iterdir() if item.is_file()) if path.is_dir() else [path]:
        size = file.stat().st_size
        digest.update(f"{file.name if path.is_dir() else ''}\0{size}\0".encode())
        with open(file, "rb") as stream:
            if size <= MAX_FULL_HASH_BYTES:
                while block := stream.read(SAMPLE_BYTES):
                    digest.update(block)
            else:
                for offset in np.linspace(0, size - SAMPLE_BYTES, NUM_SAMPLES).astype(int):
                    stream.seek(int(offset))
                    digest.update(stream.read(SAMPLE_BYTES))
    return digest.hexdigest()


@dataclass(frozen=True)
class Summary:
    """What is known of footage that was read to its end: nominal frame rate, warnings, number of frames stored.

    timestamps: s, of every frame, if the detector did not look at each; else empty.
    """

    fps: float
    warnings: list[str]
    num_frames: int
    timestamps: tuple[float, ...] = ()

    def to_json(self) -> str:
        """The text of `done.json`."""
        stored = {"fps": self.fps, "warnings": list(map(message_to_json, self.warnings)), "frames": self.num_frames}
        return json.dumps({**stored, "timestamps": self.timestamps} if self.timestamps else stored)

    @classmethod
    def from_json(cls, text: str) -> "Summary":
        """The inverse of `to_json`. Raises ValueError, TypeError or KeyError."""
        stored = json.loads(text)
        times = tuple(map(float, stored.get("timestamps", ())))
        return cls(stored["fps"], list(map(message_from_json, stored["warnings"])), stored["frames"], times)


class ObservationLog:
    """The detections of one entry, frame by frame.

    frames: those found in the cache. background: (3,) of camera/background_matcher.py for each frame, cached and appended; nan where an
    earlier version stored none. matches: of the background, likewise. edges: of the background, None for frames that were not looked at.
    summary: if the footage was read to its end, else None. With `root` None nothing is stored.
    """

    def __init__(self, root: PathArgument | None, key: str) -> None:
        self._folder = None if root is None else Path(root) / hashlib.sha256(key.encode()).hexdigest()[:32]
        self.frames: list[DetectedFrame] = []
        self.summary: Summary | None = None
        self.background: list[FloatArray] = []
        self.matches: list[FrameMatches] = []
        self.edges: list[IntArray | None] = []
        self._pending: list[DetectedFrame] = []
        self._portraits: list[tuple[int, Detection]] = []
        self._num_stored = 0
        if self._folder is not None and os.path.isdir(self._folder):
            self._load(self._folder)

    @classmethod
    def for_footage(cls, root: PathArgument | None, footage: Footage, identity: str | None, fps: float | None) -> "ObservationLog":
        """The log of footage and of a detector with this identity; it stores nothing if `root` or `identity` is None.

        A range that the cache has not is taken from the whole clip, if the cache has that.
        """
        if root is None or identity is None:
            return cls(None, "")
        content = content_hash(footage.source)

        def key(first: int, end: int | None) -> str:
            return f"{CACHE_VERSION} {identity} {first}:{end} {fps} {footage.play_rate} {content}"

        log = cls(root, key(footage.first, footage.end))
        if not log.frames and (footage.first, footage.end) != (0, None):
            log._take_part(cls(root, key(0, None)), footage.first, footage.end)
        return log

    def _take_part(self, whole: "ObservationLog", first: int, end: int | None) -> None:
        """Take over the rows first .. end of a whole clip that was read to its end, frame by frame; otherwise nothing changes."""
        if whole.summary is None or whole.summary.timestamps:
            return
        part = part_of_clip(PartOfClip(whole.frames, whole.background, whole.matches, whole.edges), first, end)
        if part is not None:
            self.frames, self.background, self.matches, self.edges = part
            self.summary = Summary(whole.summary.fps, whole.summary.warnings, len(part.frames))

    def append(
        self,
        time: float,
        detections: list[Detection],
        background: FloatArray = UNKNOWN,
        matches: FrameMatches = NOT_LOOKED_AT,
        edges: IntArray | None = None,
    ) -> None:
        """Append the detections of the next frame, and the background's movement (3,), matches and edges."""
        self._pending.append((time, detections))
        self._portraits += [(len(self.background), detection) for detection in detections if detection.portrait is not None]
        self.background.append(background)
        self.matches.append(matches)
        self.edges.append(edges)
        if len(self._pending) == FRAMES_PER_FILE:
            self.flush()

    def portraits(self) -> list[tuple[int, Detection]]:
        """The detections with portraits of all frames, cached and appended, and their rows."""
        known = [(row, found) for row, (_time, detections) in enumerate(self.frames) for found in detections if found.portrait is not None]
        return known + self._portraits

    def flush(self) -> None:
        """Write the frames that are not written yet."""
        if self._pending and self._folder is not None:
            content = io.BytesIO()
            background = np.array(self.background[-len(self._pending) :])
            camera = {**pack_matches(self.matches[-len(self._pending) :]), **pack_edges(self.edges[-len(self._pending) :])}
            np.savez(content, allow_pickle=False, background=background, **camera, **pack_frames(self._pending))
            self._write(self._folder / f"frames-{self._num_stored:06}.npz", content.getvalue())
            self._num_stored += len(self._pending)
        self._pending = []

    def finish(self, fps: float, warnings: list[str], timestamps: Sequence[float] = ()) -> Summary:
        """Note that the footage was read to its end; timestamps as of `Summary`. Returns the summary."""
        self.flush()
        self.summary = Summary(fps, warnings, self._num_stored, tuple(timestamps))
        if self._folder is not None:
            root = self._folder.parent
            self._write(self._folder / "done.json", self.summary.to_json().encode())
            self._evict(root)
        return self.summary

    def _write(self, file: Path, content: bytes) -> None:
        try:
            with atomic_write(file) as path:
                path.write_bytes(content + _digest(file, content))
        except OutputError:
            self._folder = None  # the run goes on without a cache

    def _load(self, folder: Path) -> None:
        while (file := folder / f"frames-{self._num_stored:06}.npz").is_file():
            try:
                with np.load(io.BytesIO(_read_sealed(file)), allow_pickle=False) as archive:
                    frames = unpack_frames(archive)
                    background = _stored_background(archive, len(frames))
                    matches = unpack_matches(archive, self._num_stored, len(frames))
                    edges = unpack_edges(archive, len(frames))
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
                break
            self.frames += frames
            self.background += list(background)
            self.matches += matches
            self.edges += edges
            self._num_stored += len(frames)
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            summary = Summary.from_json(_read_sealed(folder / "done.json").decode())
            self.summary = summary if summary.num_frames == self._num_stored else None
        with contextlib.suppress(OSError):
            os.utime(folder)

    def _evict(self, root: Path) -> None:
        """Delete the least recently used entries while the cache is too large; never this one."""
        # The user chose the folder `root`: files that are not the cache's own stay.
        with contextlib.suppress(OSError):  # another run may be deleting entries, too
            entries = [entry for entry in root.iterdir() if _ENTRY_NAME.fullmatch(entry.name) and not entry.is_symlink() and entry.is_dir()]
            total = 0
            for entry in sorted(entries, key=lambda entry: -entry.stat().st_mtime):
                files = [file for file in entry.iterdir() if _FILE_NAME.fullmatch(file.name)]
                total += sum(file.stat().st_size for file in files)
                if total > MAX_CACHE_BYTES and entry != self._folder:
                    _remove_entry(entry, files)


def _stored_background(arrays: Mapping[str, AnyArray], count: int) -> FloatArray:
    """The background's movement (F,3) in `count` frames; nan in files of earlier versions. Raises ValueError."""
    stored = np.asarray(arrays["background"], float) if "background" in arrays else np.tile(UNKNOWN, (count, 1))
    if stored.shape != (count, 3):
        raise ValueError("the background's movement is not of these frames")
    return stored


def _digest(file: Path, content: bytes) -> bytes:
    """The SHA-256 that ends a file; a file that was copied to another entry or name has another one."""
    return hashlib.sha256(f"{file.parent.name}/{file.name}\0".encode() + content).digest()


def _read_sealed(file: Path) -> bytes:
    """The content of a file without its digest. Raises OSError, or ValueError: it is damaged."""
    if not file.is_file() or file.stat().st_size > _MAX_FILE_BYTES:
        raise ValueError("no file of the cache")
    stored = file.read_bytes()
    content, digest = stored[:-_DIGEST_BYTES], stored[-_DIGEST_BYTES:]
    if _digest(file, content) != digest:
        raise ValueError("a damaged file")
    return content


def _remove_entry(entry: Path, files: list[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)
    for leftover in entry.glob(".meshrec-*"):  # temporary files of an interrupted run
        shutil.rmtree(leftover, ignore_errors=True)
    with contextlib.suppress(OSError):  # it still holds somebody else's files
        entry.rmdir()
