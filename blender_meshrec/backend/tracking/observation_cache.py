"""What was seen in footage, kept on disk, so that a second run, or a run after a kill, need not look again.

One folder an entry, named by what was looked at and by what; in it `frames-000000.npz` and so on, a run of frames each,
and `done.json` once the footage was seen to its end. Every file appears whole or not at all, so what a killed run leaves
behind is a good beginning. Nothing here is worth failing for: a full disk or a damaged file costs a second look.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np

from ...core.errors import OutputError
from ...core.files.output_file import atomic_write
from ..detection.detections import Detection

# Part of every entry's name: raised whenever detectors or the tracker see the same footage differently.
CACHE_VERSION = 10
FRAMES_PER_FILE = 100
# Fields that a Detection may lack -> their names in the cache's files.
OPTIONAL_FIELDS = {
    "keypoints_3d": "keypoints_3d",
    "appearance": "look",
    "silhouette": "silhouette",
    "square": "square",
    "portrait": "portrait",
}
MAX_CACHE_BYTES = 512 * 2**20
# Up to here a file's every byte is hashed (0.1-0.5 s); of a larger one, samples spread over it, with its size.
MAX_FULL_HASH_BYTES = 256 * 2**20
NUM_SAMPLES, SAMPLE_BYTES = 64, 2**20
_ENTRY_NAME, _FILE_NAME = re.compile(r"[0-9a-f]{32}"), re.compile(r"frames-\d{6,}\.npz|done\.json")


def content_hash(path):
    """A digest of a file's bytes, or of the names and bytes of a folder's files.

    Of files above 256 MB the size and 64 samples of 1 MB, first and last included, stand for the whole: a clip that is
    cut or encoded anew changes in all of them.
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


class ObservationLog:
    """The frames of one entry: those already there in `frames`, a list of (time, poses), then those appended.

    summary: what `finish` was told when the footage had been seen to its end, else None. folder None keeps nothing.
    """

    def __init__(self, root, key):
        self._root = None if root is None else Path(root)
        self._folder = None if root is None else self._root / hashlib.sha256(key.encode()).hexdigest()[:32]
        self.frames = []
        self.summary = None
        self._pending = []
        self._num_stored = 0
        if self._folder is not None and self._folder.is_dir():
            self._load()

    @classmethod
    def for_footage(cls, root, footage, identity, fps):
        """The log of a piece of footage, seen by a detector of that identity; one that keeps nothing if either is None."""
        if root is None or identity is None:
            return cls(None, "")
        return cls(root, f"{CACHE_VERSION} {identity} {footage.first}:{footage.end} {fps} {content_hash(footage.source)}")

    def append(self, time, detections):
        """Note the poses of the next frame."""
        self._pending.append((time, detections))
        if len(self._pending) == FRAMES_PER_FILE:
            self.flush()

    def flush(self):
        """Write what is pending."""
        if self._pending and self._folder is not None:
            self._write(f"frames-{self._num_stored:06}.npz", lambda path: np.savez(path, **pack_frames(self._pending)))
            self._num_stored += len(self._pending)
        self._pending = []

    def finish(self, summary):
        """The footage was seen to its end; summary: a dict for json."""
        self.flush()
        if self._folder is not None:
            note = {**summary, "frames": self._num_stored}
            self._write("done.json", lambda path: path.write_text(json.dumps(note), encoding="utf-8"))
            self._evict()

    def _write(self, name, write):
        try:
            with atomic_write(self._folder / name) as path:
                write(path)
        except OutputError:
            # Without room for it there is no cache; the work goes on.
            self._folder = None

    def _load(self):
        while (file := self._folder / f"frames-{self._num_stored:06}.npz").is_file():
            try:
                with np.load(file, allow_pickle=False) as archive:
                    frames = unpack_frames(archive)
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
                break
            self.frames += frames
            self._num_stored += len(frames)
        with contextlib.suppress(OSError, ValueError):
            done = json.loads((self._folder / "done.json").read_text(encoding="utf-8"))
            self.summary = done if done["frames"] == self._num_stored else None
        with contextlib.suppress(OSError):
            os.utime(self._folder)

    def _evict(self):
        """Make room: the entries used longest ago go first, this one last."""
        # The folder is the user's choice: whatever else lies in it is theirs.
        entries = [entry for entry in self._root.iterdir() if _ENTRY_NAME.fullmatch(entry.name) and not entry.is_symlink()]
        with contextlib.suppress(OSError):  # another run may be making room, too
            total = 0
            for entry in sorted(entries, key=lambda entry: -entry.stat().st_mtime):
                files = [file for file in entry.iterdir() if _FILE_NAME.fullmatch(file.name)]
                total += sum(file.stat().st_size for file in files)
                if total > MAX_CACHE_BYTES and entry != self._folder:
                    _remove_entry(entry, files)


def _remove_entry(entry, files):
    for file in files:
        file.unlink(missing_ok=True)
    for leftover in entry.glob(".meshrec-*"):  # of a run that was killed while it wrote
        shutil.rmtree(leftover, ignore_errors=True)
    with contextlib.suppress(OSError):  # what else is in it is not ours
        entry.rmdir()


def pack_frames(frames):
    """(time, poses) pairs as named arrays: F frames, N poses in all."""
    poses = [pose for _time, found in frames for pose in found]
    arrays = {"times": np.array([time for time, _found in frames]), "counts": np.array([len(found) for _time, found in frames])}
    if poses:
        arrays["keypoints"] = np.stack([pose.keypoints for pose in poses])
        arrays["scores"] = np.array([pose.score for pose in poses])
        for field, name in OPTIONAL_FIELDS.items():
            known = [getattr(pose, field) for pose in poses]
            arrays[f"has_{name}"] = np.array([value is not None for value in known])
            if arrays[f"has_{name}"].any():
                arrays[name] = np.stack([value for value in known if value is not None])
    return arrays


def unpack_frames(arrays):
    """The inverse of `pack_frames`."""
    count = int(arrays["counts"].sum())
    poses = []
    if count:
        keypoints, scores = arrays["keypoints"], arrays["scores"]
        optional = {}
        for field, name in OPTIONAL_FIELDS.items():
            has = arrays[f"has_{name}"]
            known = iter(arrays[name] if has.any() else ())
            optional[field] = [next(known) if here else None for here in has]
        poses = [
            Detection(keypoints[i], score=float(scores[i]), **{field: optional[field][i] for field in OPTIONAL_FIELDS})
            for i in range(count)
        ]
    ends = np.cumsum(arrays["counts"])
    return [(float(time), poses[end - number : end]) for time, number, end in zip(arrays["times"], arrays["counts"], ends)]
