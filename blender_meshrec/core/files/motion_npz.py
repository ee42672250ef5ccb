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
| footage_mirrored, footage_speed | mirrored left to right before it is rotated; captured so many times faster than the file plays |
| q, skel_betas, skel_trans, skel_model_type | SKEL results only: (F,46) rad; (10,); (F,3) m; `open` or `skel` |
| joint_sigma | (F,24) m, how sure the solve is of each joint relative to the pelvis (one standard deviation along an axis) |
| free_legs | (F,8,3) rad, hips, knees, ankles and feet, left then right, as solved before the feet were held still |
| camera_zoom | (F,), each frame's focal length over that of camera_intrinsics; only where the camera zooms or footage has several shots |
| camera_distortion | (3,), k1, k2, k3 of the lens, distorted = undistorted * (1 + k1 r^2 + k2 r^4 + k3 r^6); only where they are known |
| scene_frame | the frame of a scene's timeline that row 0 is; 1 unless its camera was given |
| calibrated_joints | calibrated results only: (F,24,3) m, the joints with bones that stretch |
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..conventions import MAX_FILE_FPS, MIN_FILE_FPS
from ..errors import InputError
from ..records import Recovery
from .amass_columns import from_amass_columns, to_amass_columns
from .output_file import atomic_write
from .safe_npz import read_arrays

_MAX_BETAS = 10  # of any body family
# Largest magnitude -> fields of a Recovery.
_LIMITS = (
    ("positions", 1e5, ("trans", "joints", "lifted_joints", "skel_trans", "calibrated_joints", "joint_sigma")),  # m
    ("angles", 1e4, ("poses", "q", "free_legs")),  # rad
    ("shape parameters", 1e3, ("betas", "skel_betas")),
    ("camera's numbers", 1e7, ("camera_intrinsics", "camera_from_world", "camera_zoom", "camera_distortion")),
    ("picture's sides", 1e6, ("image_size",)),  # px
    ("timestamps", 1e10, ("timestamps",)),  # s
)
_SCALAR_FIELDS: Mapping[str, Callable[[Any], str | int | float]] = {
    "gender": str,
    "surface_model_type": str,
    "footage": str,
    "skel_model_type": str,
    "first_frame": int,
    "footage_rotation": int,
    "footage_mirrored": bool,
    "footage_speed": float,
    "scene_frame": int,
    "mocap_framerate": float,
}


def write_motion(path: str | Path, recovery: Recovery, amass_columns: bool = False) -> None:
    """Write a Recovery to `path` (.npz); with `amass_columns` in the widths that AMASS's own files have.

    Raises:
        OutputError: the file cannot be written; the file appears whole or not at all.
    """
    arrays: dict[str, Any] = to_amass_columns(recovery.arrays()) if amass_columns else recovery.arrays()
    with atomic_write(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def read_motion(path: str | Path) -> Recovery:
    """Read a motion .npz written by `write_motion`. Pickled arrays are refused.

    Raises:
        InputError: the file is no motion file, is damaged, has shapes that do not fit together, or values that no motion can have.
    """
    remedy = "Choose a .npz that `meshrec reconstruct` has written."
    try:
        stored = read_arrays(path, [field.name for field in fields(Recovery)])
    except FileNotFoundError as error:
        raise InputError("motion-file-not-found", "There is no file {path}.", "Check the path.", path=path) from error
    except (ValueError, OSError) as error:
        raise InputError("motion-file-unreadable", "{name} cannot be read as a motion file.", remedy, name=path) from error
    missing = [f.name for f in fields(Recovery) if f.default is MISSING and f.name not in stored]
    if missing:
        raise InputError("motion-file-incomplete", "{name} is no motion file of this software, or lacks parts of one.", remedy, name=path)
    try:
        with np.errstate(invalid="ignore"):  # whole numbers stored as infinity or nan; the limits find them
            recovery = recovery_from_arrays(from_amass_columns(stored, _MAX_BETAS))
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError("motion-file-damaged", "{name} is damaged: {reason}.", remedy, name=path, reason=error) from error
    if wrong := _find_invalid_value(recovery):
        raise InputError("motion-file-damaged", "{name} is damaged: {reason}.", remedy, name=path, reason=wrong)
    return recovery


def _find_invalid_value(recovery: Recovery) -> str | None:
    """The reason why a Recovery cannot be the motion of a clip, to complete a message; None if there is none."""
    if len(recovery) == 0:
        return "it holds no frames"
    if not MIN_FILE_FPS <= recovery.mocap_framerate <= MAX_FILE_FPS:
        return f"its frame rate is {recovery.mocap_framerate:g}; the limits are {MIN_FILE_FPS:.3g} and {MAX_FILE_FPS:g}"
    for what, limit, names in _LIMITS:
        arrays = [array for name in names if (array := getattr(recovery, name)) is not None]
        largest = max((float(np.abs(array.astype(float)).max(initial=0)) for array in arrays), default=0.0)
        if largest > limit:
            return f"its {what} reach {largest:.3g}; the limit is {limit:g}"
    if recovery.first_frame < 0 or (recovery.image_size < 0).any():
        return "it counts frames or pixels below zero"
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
