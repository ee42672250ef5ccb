"""What an image method regresses of a person's crop, as one row of numbers, the same for every method.

The axes are those of a camera that looks straight at the crop's centre (OpenCV's): a network that sees a crop cannot know where in the
picture it was cut.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from .array_types import BoolArray, FloatArray

# The parts of a row, in order. `known`: 1 where something was regressed; `has_rotmats`: 1 where the method gives rotations.
_PARTS = {
    "known": (), "has_rotmats": (), "joints": (17, 3), "rotmats": (24, 3, 3), "betas": (10,), "camera": (3,), "squares": (3,), "q": (46,),
}  # fmt: skip
_SIZES = {name: int(np.prod(shape)) for name, shape in _PARTS.items()}
ROW_LENGTH = sum(_SIZES.values())


@dataclass(frozen=True)
class CropRegression:
    """N crops: joints (N,17,3) m, h36m17 relative to the hip; rotmats (N,24,3,3), SMPL's local rotations, the root's in the crop's axes,
    where has_rotmats (N,); betas (N,10); camera (N,3), the method's own; squares (N,3) px, centre and side. known: (N,).
    q: (N,46) rad, SKEL's angles, the pelvis's in the crop's axes, from methods that regress them; None or zero from others."""

    joints: FloatArray
    rotmats: FloatArray
    betas: FloatArray
    camera: FloatArray
    squares: FloatArray
    has_rotmats: BoolArray
    known: BoolArray
    q: FloatArray | None = None

    row_length: ClassVar[int] = ROW_LENGTH

    def to_rows(self) -> FloatArray:
        """The crops as rows (N,ROW_LENGTH)."""
        count = len(self.joints)
        parts = {name: getattr(self, name) for name in _PARTS} | ({"q": np.zeros((count, 46))} if self.q is None else {})
        return np.concatenate([np.asarray(part, float).reshape(count, _SIZES[name]) for name, part in parts.items()], 1)

    @classmethod
    def from_rows(cls, rows: FloatArray) -> "CropRegression":
        """The inverse of `to_rows`; rows of zeros are crops of which nothing is known."""
        ends = np.cumsum(list(_SIZES.values()))[:-1]
        known, has_rotmats, *numbers = np.split(np.asarray(rows, float), ends, 1)
        shapes = list(_PARTS.values())[2:]
        joints, rotmats, betas, camera, squares, q = (part.reshape(len(rows), *shape) for part, shape in zip(numbers, shapes, strict=True))
        return cls(joints, rotmats, betas, camera, squares, has_rotmats[:, 0] > 0.5, known[:, 0] > 0.5, q)

    def turned(self, rotation: FloatArray, centres: FloatArray) -> "CropRegression":
        """The same crops as another view sees them: rotation (N,3,3), from their axes to its crops', and centres (N,2) px there."""
        rotmats = self.rotmats.copy()
        rotmats[:, 0] = rotation @ rotmats[:, 0]
        joints = self.joints @ np.swapaxes(rotation, -1, -2)
        return replace(self, joints=joints, rotmats=rotmats, squares=np.column_stack([centres, self.squares[:, 2]]))
