"""Filmed clips in compressed .npz files of a few thousand frames each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blender_meshrec.core.array_types import AnyArray, FloatArray
from scripts.train.data.filmed_bodies.clips import FilmedClip

# The dtypes of the arrays over N frames, and of those over C clips.
_FRAME_DTYPES = {
    "keypoints": np.float32,
    "keypoints_3d": np.float32,
    "visible": bool,
    "joints": np.float32,
    "points": np.float32,
    "hip": np.float32,
}
_CLIP_DTYPES = {"intrinsics": np.float64, "size": np.int32, "camera_from_world": np.float64, "betas": np.float32}
_TEXTS = ("name", "subject", "text")


@dataclass(frozen=True)
class Shard:
    """C clips, N frames.

    arrays: those of FilmedClip, joined over frames (N,...) or stacked over clips (C,...); the frames of clip c are
    clip_start[c]:clip_start[c + 1]; bone_sum: (C,) m. dropped: number of scenes in which the detector found nobody, or something else.
    """

    arrays: dict[str, AnyArray]
    dropped: int

    def __len__(self) -> int:
        return len(self.arrays["name"])

    def clip(self, index: int) -> FilmedClip:
        """One of the clips."""
        rows = slice(*self.arrays["clip_start"][index : index + 2])
        name, subject, text = (str(self.arrays[key][index]) for key in _TEXTS)
        over_frames = {key: self.arrays[key][rows] for key in _FRAME_DTYPES}
        of_clip = {key: self.arrays[key][index] for key in _CLIP_DTYPES}
        return FilmedClip(name=name, subject=subject, text=text, **over_frames, **of_clip)


def write_shard(path: Path, clips: Sequence[FilmedClip], dropped: int) -> None:
    """Write clips, at once or not at all."""
    lengths = [len(clip.joints) for clip in clips]
    arrays: dict[str, AnyArray] = {
        **{name: _joined([getattr(clip, name) for clip in clips], kind) for name, kind in _FRAME_DTYPES.items()},
        **{name: np.array([getattr(clip, name) for clip in clips], kind) for name, kind in _CLIP_DTYPES.items()},
        **{name: np.array([getattr(clip, name) for clip in clips], dtype=str) for name in _TEXTS},
        "clip_start": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        "bone_sum": np.array([clip.bone_sum for clip in clips], np.float32),
        "dropped": np.array(dropped),
    }
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    unfinished.replace(path)


def _joined(values: Sequence[FloatArray], kind: type) -> AnyArray:
    return np.concatenate([np.asarray(value) for value in values]).astype(kind) if values else np.zeros((0,), kind)


def read_shards(folder: Path) -> Shard:
    """All shards of a folder as one.

    Raises:
        FileNotFoundError: the folder has none, or none of them holds a clip.
    """
    paths = sorted(folder.glob("shard_*.npz"))
    if not paths:
        raise FileNotFoundError(f"the folder {folder} holds no shard_*.npz")
    parts: list[dict[str, AnyArray]] = []
    dropped = 0
    for path in paths:
        with np.load(path) as file:
            dropped += int(file["dropped"])
            if len(file["name"]):
                parts.append({name: file[name] for name in file.files})
    if not parts:
        raise FileNotFoundError(f"no shard of the folder {folder} holds a clip")
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0] if name not in ("clip_start", "dropped")}
    lengths = np.concatenate([np.diff(part["clip_start"]) for part in parts])
    arrays["clip_start"] = np.concatenate([[0], np.cumsum(lengths)])
    return Shard(arrays, dropped)
