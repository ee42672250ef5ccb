"""Motion files: one person's recovery as an AMASS-style .npz.

| key | meaning |
|---|---|
| poses | (F,72) rad, SMPL order, axis-angle; wider for bodies with hands |
| trans | (F,3) m; forward(poses, betas) + trans == joints, no further rotation |
| betas, gender, surface_model_type | the body's shape; `smpl` or `open` |
| mocap_framerate, timestamps, visible | frames a second; (F,) s; (F,) |
| joints, confidence | (F,24,3) m, the posed joints in the world; (F,24) 0..1 |
| lifted_joints | (F,17,3) m, h36m17, z up: the 3D estimate before a body is fitted |
| contacts | (F,4) 0..1: left heel, left toe, right heel, right toe |
| camera_intrinsics, camera_from_world, image_size | (3,3) px; (F,4,4), OpenCV axes; (2,) px |
| footage, first_frame, footage_rotation | the file it came from, which of its frames is row 0, degrees clockwise to upright |
| q, skel_betas, skel_trans, skel_model_type | of SKEL results: (F,46) rad; (10,); (F,3) m; `open` or `skel` |
| calibrated_joints | of calibrated results: (F,24,3) m, where the joints are if bones may stretch |
"""

import zipfile
from dataclasses import MISSING, fields

import numpy as np

from ..errors import InputError
from ..records import Recovery
from .output_file import atomic_write

_MAX_BETAS = 10  # at most, whatever the body


def write_motion(path, recovery):
    """Write a Recovery to `path` (.npz). Raises OutputError; the file appears whole or not at all."""
    with atomic_write(path) as temporary:
        np.savez_compressed(temporary, **recovery.arrays())


def read_motion(path):
    """Read a motion .npz written by `write_motion`.

    Raises:
        InputError: not a motion file, damaged, of shapes that do not fit together, or no motion. Pickled arrays are refused.
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


def _find_invalid_value(recovery):
    """Why no clip is such a Recovery, in words; None where one may be."""
    if len(recovery) == 0:
        return "it holds no frames"
    if not 0 < recovery.mocap_framerate < np.inf:
        return f"its frame rate is {recovery.mocap_framerate:g}"
    if (np.diff(recovery.timestamps) <= 0).any():
        return "its timestamps do not rise"
    return f"it holds {len(recovery.betas)} betas" if len(recovery.betas) > _MAX_BETAS else None


def recovery_from_arrays(stored):
    """A Recovery of named arrays, as a file or the wire delivers them; unknown names are ignored."""
    values = {f.name: stored[f.name] for f in fields(Recovery) if f.name in stored}
    plain = {"gender": str, "surface_model_type": str, "footage": str, "skel_model_type": str}
    plain.update(first_frame=int, footage_rotation=int, mocap_framerate=float)
    for name, kind in plain.items():
        if name in values:
            values[name] = kind(np.asarray(values[name]).item())  # other software may have made an array of one
    return Recovery(**values)
