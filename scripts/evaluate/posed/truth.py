"""The truth of a posed clip, and files of it. numpy only."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from blender_meshrec.core.array_types import BoolArray, FloatArray

FPS = 30.0


@dataclass(frozen=True)
class PosedClip:
    """The truth of one clip, F frames, world z up with the floor at z = 0.

    betas (B,), poses (F,72) rad and transl (F,3) m: the open body. joints: (F,24,3) m. parts: names, (C,), that touch; touching: (F,C);
    heights: (C,) m, of what they touch. straight: (F,), stands upright with straight legs. still: (F,), the root stays where it is.
    flights: (N,2), first and last frames of jumps.
    """

    name: str
    betas: FloatArray
    poses: FloatArray
    transl: FloatArray
    joints: FloatArray
    parts: tuple[str, ...]
    touching: BoolArray
    heights: FloatArray
    straight: BoolArray
    still: BoolArray
    flights: FloatArray

    def __len__(self) -> int:
        return len(self.poses)

    def beginning(self, frames: int) -> "PosedClip":
        """The first frames of the clip, with the jumps that end in them."""
        cut = {name: getattr(self, name)[:frames] for name in ("poses", "transl", "joints", "touching", "straight", "still")}
        return replace(self, **cut, flights=self.flights[self.flights[:, 1] < frames])

    def save(self, path: Path) -> None:
        """Write the truth as .npz."""
        named = {key: value for key, value in vars(self).items() if key != "parts"}
        np.savez_compressed(path, **named, parts=np.array(self.parts, dtype=str))


def load_clip(path: Path) -> PosedClip:
    """Read what `save` wrote."""
    with np.load(path) as file:
        return PosedClip(
            name=str(file["name"]),
            parts=tuple(str(part) for part in file["parts"]),
            **{key: file[key] for key in file.files if key not in ("name", "parts")},
        )
