"""The record of an SMPL-family motion as a file holds it, and the reading of its numbers: rotations in any form, frame rates, shapes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from ...core.array_types import AnyArray, FloatArray
from ...core.conventions import MAX_FILE_FPS, MIN_FILE_FPS
from ...core.messages import Message
from ...core.rotations import rotvec_from_rotmat

UpAxis: TypeAlias = Literal["z", "y", "-y"]
# The joints that SMPL, SMPL-H and SMPL-X have in common; the others are hands.
NUM_BODY_JOINTS = 22
DEFAULT_FPS = 30.0
NUM_SKEL_ANGLES = 46
_FPS_KEYS = ("mocap_framerate", "mocap_frame_rate", "framerate", "frame_rate", "mocap_fps", "fps")
_MAX_SHEAR = 0.02  # of R R^T to the identity, in every entry; beyond it a matrix is no rotation


class LayoutError(Exception):
    """Why the arrays of a file are no motion; the message completes "{name} is damaged: ..."."""


@dataclass(frozen=True)
class SmplArrays:
    """The motion of one person as a file holds it.

    poses: (F,D) rad, D >= 66, rotation vectors of SMPL's, SMPL-H's or SMPL-X's joints. trans: (F,3) m. betas: (B,), None if the file has
    none. fps: frames per second, None if the file does not say. up: the axis that is up where the format says so, "-y" in a camera's
    axes; else None. is_grounded: whether the format has its floor at height 0. notes: what the reader had to assume.
    """

    poses: FloatArray
    trans: FloatArray
    betas: FloatArray | None
    fps: float | None
    up: UpAxis | None = None
    is_grounded: bool = True
    notes: tuple[Message, ...] = ()


def first_present(content: Mapping[str, Any], keys: Iterable[str]) -> AnyArray | None:
    """The first of some keys that holds numbers."""
    for key in keys:
        value = content.get(key)
        if isinstance(value, (list, tuple, int, float)):
            try:
                value = np.asarray(value, float)
            except (ValueError, TypeError):
                continue
        if isinstance(value, np.ndarray) and value.dtype.kind in "iuf":
            return value
    return None


def to_rotvecs(rotations: AnyArray, joint_counts: Iterable[int]) -> FloatArray:
    """Rotations of J joints, in any form, as rotation vectors (F,3J).

    Args:
        rotations: rotation vectors (F,3J) or (F,J,3), or matrices (F,J,3,3), (F,3,3) or (F,9J). joint_counts: the J that are possible,
            which tell (F,9J) from (F,3J).

    Raises:
        LayoutError: it is none of these, or not finite.
    """
    values, counts = np.asarray(rotations, float), tuple(joint_counts)
    if not np.isfinite(values).all():
        raise LayoutError("it holds numbers that are not finite")
    if values.ndim == 1:
        values = values[None]
    matrices = _as_matrices(values, counts)
    if matrices is None:
        is_batch = values.ndim == 3 and len(values) == 1 and values.shape[2] in {3 * count for count in counts if count > 1}
        return values[0] if is_batch else values.reshape(len(values), -1)
    if np.abs(matrices @ matrices.swapaxes(-1, -2) - np.eye(3)).max(initial=0) > _MAX_SHEAR or (np.linalg.det(matrices) < 0).any():
        raise LayoutError("its matrices are no rotations")
    return rotvec_from_rotmat(matrices).reshape(len(values), -1)


def _as_matrices(values: FloatArray, counts: tuple[int, ...]) -> FloatArray | None:
    """Matrices (F,J,3,3) of J joints, J one of `counts`; None if the values are no matrices."""
    if values.ndim >= 3 and values.shape[-2:] == (3, 3):
        return values.reshape(len(values), -1, 3, 3)
    widths = {9 * count for count in counts} - {3 * count for count in counts}
    return values.reshape(len(values), -1, 3, 3) if values.ndim == 2 and values.shape[1] in widths else None


def to_betas(betas: AnyArray | None) -> FloatArray | None:
    """Shape parameters (B,) of one person from (B,), (1,B) or (F,B)."""
    if betas is None or not betas.size:
        return None
    rows = np.asarray(betas, float).reshape(-1, betas.shape[-1]) if betas.ndim else np.asarray(betas, float).reshape(1, 1)
    shape = rows[0] if (rows == rows[0]).all() else rows.mean(0)
    return shape if np.isfinite(shape).all() else None


def read_fps(content: Mapping[str, Any], name: str) -> tuple[float | None, tuple[Message, ...]]:
    """The frame rate that a file states, as a number or as text, and notes where it states none."""
    stated = next((content[key] for key in _FPS_KEYS if content.get(key) is not None), None)
    if stated is None:
        text = "{name} does not say its frame rate: {fps} frames a second are assumed."
        return None, (Message("smpl-rate-unknown", text, name=name, fps=f"{DEFAULT_FPS:g}"),)
    fps = _parse_fps(stated)
    if fps is not None:
        return fps, ()
    text = "The frame rate of {name} cannot be read: {fps} frames a second are assumed."
    return None, (Message("smpl-rate-unreadable", text, name=name, fps=f"{DEFAULT_FPS:g}"),)


def _parse_fps(stated: Any) -> float | None:
    """A frame rate as a file stores it: a number, or text such as 120, 29.97 or 30000/1001; None if it is none."""
    value = np.asarray(stated)
    if value.size != 1:
        return None
    item = value.reshape(-1)[0]
    text = item.decode("latin-1") if isinstance(item, bytes) else str(item)
    numerator, _, denominator = text.strip().lower().removesuffix("fps").removesuffix("hz").partition("/")
    try:
        fps = float(numerator.replace(",", ".")) / float(denominator or 1)
    except (ValueError, ZeroDivisionError, OverflowError):
        return None
    return fps if MIN_FILE_FPS <= fps <= MAX_FILE_FPS else None
