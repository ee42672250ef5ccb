"""The CMU motion-capture skeleton, whatever file format it was read from: y up, metres, subject's left = +x, zero pose facing +z."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.rotations import quat_from_rotmat, rotmat_from_quat, slerp
from blender_meshrec.core.time_series import bracketing_samples, interpolate_over_time

# Files of the library state lengths in inches times 0.45.
METRES = 0.0254 / 0.45
_SIDE_BONES = ("hipjoint", "femur", "tibia", "foot", "toes", "clavicle", "humerus", "radius", "wrist", "hand", "fingers")
# Each bone's parent; the bones that start at the pelvis have the root. Thumbs are left out.
BONE_PARENTS: Mapping[str, str] = {
    "lowerback": "root", "upperback": "lowerback", "thorax": "upperback", "lowerneck": "thorax", "upperneck": "lowerneck",
    "head": "upperneck",
    **{side + bone: {"hipjoint": "root", "clavicle": "thorax"}.get(bone, side + parent) for side in "lr" for bone, parent in zip(
        _SIDE_BONES, ("", *_SIDE_BONES[:-1]), strict=True)},
}  # fmt: skip


@dataclass(frozen=True)
class CmuMotion:
    """A motion of the CMU skeleton, F frames.

    offsets: (3,) m for each bone, from its start to its end in the zero pose, where legs are spread by 20 degrees. root: (F,3) m.
    rotmats: (F,3,3) for the root and each bone: rotations in the world, relative to the zero pose. fps: frames a second.
    """

    offsets: Mapping[str, FloatArray]
    root: FloatArray
    rotmats: Mapping[str, FloatArray]
    fps: float

    def bone_ends(self) -> dict[str, FloatArray]:
        """The end of each bone, (F,3) m; the root's is where it is."""
        ends = {"root": self.root}
        for bone, parent in BONE_PARENTS.items():
            ends[bone] = ends[parent] + self.rotmats[bone] @ self.offsets[bone]
        return ends

    def resampled(self, fps: float) -> "CmuMotion":
        """The motion at another frame rate: every n-th frame where the rates allow it, else slerp between frames."""
        step = self.fps / fps
        if abs(step - round(step)) < 1e-3 and round(step) >= 1:
            rows = slice(None, None, round(step))
            return replace(self, root=self.root[rows], rotmats={bone: turns[rows] for bone, turns in self.rotmats.items()}, fps=fps)
        known = np.arange(len(self.root)) / self.fps
        times = np.arange(int(known[-1] * fps + 1e-6) + 1) / fps
        before, after, weight = bracketing_samples(times, known)
        rotmats: dict[str, FloatArray] = {}
        for bone, turns in self.rotmats.items():
            quats = quat_from_rotmat(turns)
            rotmats[bone] = rotmat_from_quat(slerp(quats[before], quats[after], weight))
        return replace(self, root=interpolate_over_time(times, known, self.root), rotmats=rotmats, fps=fps)
