"""Motion files: the motion of one person as an AMASS-style .npz.

| key | content |
|---|---|
| poses | (F,72) rad, SMPL order, rotation vectors; wider for bodies with fingers |
| trans | (F,3) m; forward(poses, betas) + trans == joints, no further rotation |
| betas, gender, surface_model_type | the body's shape; `smpl` or `open` |
| mocap_framerate, timestamps, visible | frames per second; (F,) s; (F,) |
| joints, confidence | (F,24,3) m, the posed joints in the world; (F,24) 0..1 |
| lifted_joints | (F,17,3) m, h36m17, z up: the estimated 3D joints before the body fit |
| contacts | (F,4) 0..1: left heel, left toe, right heel, right toe |
| camera_intrinsics, camera_from_world, image_size | (3,3) px; (F,4,4), OpenCV axes; (2,) px |
| footage, first_frame, footage_rotation | the source file, the index in it of the frame of row 0, degrees clockwise to upright |
| q, skel_betas, skel_trans, skel_model_type | SKEL results only: (F,46) rad; (10,); (F,3) m; `open` or `skel` |
| calibrated_joints | calibrated results only: (F,24,3) m, the joints with bones that stretch |
"""

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..records import Recovery
from .output_file import atomic_write

_MAX_BETAS = 10  # of any body family
_SCALAR_FIELDS: Mapping[str, Callable[[Any], str | int | float]] = {
    "gender": str,
    "surface_model_type": str,
    "footage": str,
    "skel_model_type": str,
    "first_frame": int,
    "footage_rotation": int,
    "mocap_framerate": float,
}


def write_motion(path: str | Path, recovery: Recovery) -> None:
    """Write a Recovery to `path` (.npz).

    Raises:
        OutputError: the file cannot be written; the file appears whole or not at all.
    """
    arrays: dict[str, Any] = recovery.arrays()
    with atomic_write(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def read_motion(path: str | Path) -> Recovery:
    """Read a motion .npz written by `write_motion`. Pickled arrays are refused.

    Raises:
        InputError: the file is no motion file, is damaged, has shapes that do not fit together, or values that no motion can have.
    """
    remedy = "Choose a .npz that `meshrec reconstruct` has written."
    try:
        with np.load(path, allow_pickle=False) as archive:
            stored = {key: archive[key] for key in archive.files}
    except FileNotFoundError as error:
        raise InputError("motion-file-not-found", "There is no file {path}.", "Check the path.", path=path) from error
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, KeyError) as error:
        raise InputError("motion-file-unreadable", "{name} cannot be read as a motion file.", remedy, name=path) from error
    missing = [f.name for f in fields(Recovery) if f.default is MISSING and f.name not in stored]
    if missing:
        raise InputError("motion-file-incomplete", "{name} lacks {keys}.", remedy, name=path, keys=missing)
    try:
        recovery = recovery_from_arrays(stored)
    except (ValueError, TypeError) as error:
        raise InputError("motion-file-damaged", "{name} is damaged: {reason}.", remedy, name=path, reason=error) from error
    if wrong := _find_invalid_value(recovery):
        raise InputError("motion-file-damaged", "{name} is damaged: {reason}.", remedy, name=path, reason=wrong)
    return recovery


def _find_invalid_value(recovery: Recovery) -> str | None:
    """The reason why a Recovery cannot be the motion of a clip, to complete a message; None if there is none."""
    if len(recovery) == 0:
        return "it holds no frames"
    if not 0 < recovery.mocap_framerate < np.inf:
        return f"its frame rate is {recovery.mocap_framerate:g}"
    if (np.diff(recovery.timestamps) <= 0).any():
        return "its timestamps do not rise"
    return f"it holds {len(recovery.betas)} betas" if len(recovery.betas) > _MAX_BETAS else None


def recovery_from_arrays(stored: Mapping[str, Any]) -> Recovery:
    """A Recovery from named values of a file or a wire message, as `Recovery.arrays` names them; unknown names are ignored.

    Raises:
        ValueError, TypeError: values are missing or do not fit together.
    """
    values = {f.name: stored[f.name] for f in fields(Recovery) if f.name in stored}
    for name, convert in _SCALAR_FIELDS.items():
        if name in values:
            values[name] = convert(np.asarray(values[name]).item())  # files of other software may hold arrays of one element
    return Recovery(**values)
