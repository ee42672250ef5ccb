"""Read SMPL-family motions from the files in which others store them: .npz, .npy, .pkl and .pt. Nothing in them is executed."""

from pathlib import Path
from typing import Any

from ...core.errors import InputError
from ...core.files.motion_pickle import read_motion_pickle
from ...core.files.safe_npz import ArchiveError, archive_keys, read_arrays
from .smpl_arrays import LayoutError, SmplArrays
from .smpl_layouts import (
    BODY_KEYS,
    OTHER_KEYS,
    POSE_KEYS,
    ROOT_KEYS,
    TRANS_KEYS,
    WRAPPER_KEYS,
    has_smpl_names,
    not_smpl_error,
    parse_layout,
)
from .suffixes import PICKLE_SUFFIXES

_MAX_VALUES = 1 << 26  # half an hour of SMPL-H at 240 frames a second
_REMEDY = "Choose a motion of SMPL, SMPL-H or SMPL-X, such as AMASS holds."
_OWN_KEY = "lifted_joints"  # only in the motions of this software


def is_smpl_motion(path: Path | str) -> bool:
    """Whether a file is an SMPL-family motion that this add-on did not write: by its suffix, or by the names of an .npz's arrays."""
    if Path(path).suffix.lower() in PICKLE_SUFFIXES:
        return Path(path).is_file()
    names = archive_keys(path)
    return _OWN_KEY not in names and (has_smpl_names(names) or bool(names & set(WRAPPER_KEYS)))


def is_own_motion(path: Path | str) -> bool:
    """Whether a file is a motion .npz of this software, as far as the names of its arrays tell."""
    return _OWN_KEY in archive_keys(path)


def read_smpl_arrays(path: Path) -> SmplArrays:
    """Read the motion of an SMPL-family file.

    Raises:
        InputError: no such file, it holds no such motion, or its arrays do not fit together.
    """
    try:
        return parse_layout(_read_content(path), path.name)
    except FileNotFoundError as error:
        raise InputError("smpl-motion-not-found", "There is no file {path}.", "Check the path.", path=path) from error
    except LayoutError as error:
        raise InputError("smpl-motion-damaged", "{name} is damaged: {reason}.", _REMEDY, name=path.name, reason=str(error)) from error
    except (ValueError, OSError, TypeError, IndexError, KeyError, OverflowError) as error:
        raise InputError("smpl-motion-unreadable", "{name} cannot be read as a motion file.", _REMEDY, name=path) from error


def _read_content(path: Path) -> Any:
    """The content of a file, as `parse_layout` takes it."""
    if path.suffix.lower() in PICKLE_SUFFIXES:
        return read_motion_pickle(path)
    names = archive_keys(path)
    if has_smpl_names(names):
        content: dict[str, Any] = {}
        content.update(read_arrays(path, (*ROOT_KEYS, *BODY_KEYS, *POSE_KEYS, *TRANS_KEYS, *OTHER_KEYS), max_values=_MAX_VALUES))
        return content
    if names & set(WRAPPER_KEYS):
        return read_motion_pickle(path)
    if names:
        raise not_smpl_error(path.name, names)
    path.stat()  # raises FileNotFoundError
    raise ArchiveError
