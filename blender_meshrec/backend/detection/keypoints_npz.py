"""Reading 2D keypoints from an .npz.

It holds `keypoints` (F,K,3) or (F,P,K,3): x px, y px, confidence; `keypoint_set`; `image_size` (width, height) px; `fps`.
"""

from pathlib import Path

import numpy as np

from ...core.array_types import AnyArray
from ...core.conventions import MAX_FILE_FPS, MIN_FILE_FPS
from ...core.errors import InputError
from ...core.files.safe_npz import read_arrays
from ...core.skeletons import KEYPOINT_SETS
from ..footage.frame_source import FrameRange
from .keypoints_footage import MAX_COORDINATE, MAX_VALUES, KeypointsFootage, check_people, clean_keypoints, has_stable_order, is_normalized

NPZ_REMEDY = "The file needs keypoints (F,K,3) or (F,P,K,3), keypoint_set, image_size (width, height) and fps."
NPZ_KEYS = ("keypoints", "keypoint_set", "image_size", "fps")


def open_npz(path: Path, frames: FrameRange | None) -> tuple[KeypointsFootage, str]:
    """KeypointsFootage of an .npz, and the name of its keypoint set. Raises InputError; nothing pickled is read."""
    stored = _load_npz(path)
    keypoint_set = _read_keypoint_set(stored, path.name)
    keypoints = _read_npz_keypoints(stored, keypoint_set, path.name)
    image_size, fps = _read_metadata(stored, path.name)
    keypoints = clean_keypoints(keypoints if keypoints.ndim == 4 else keypoints[:, None])
    check_people(keypoints, path.name)
    if is_normalized(keypoints):
        raise InputError(
            "keypoints-normalised",
            "The keypoints in {name} are not in pixels.",
            "Multiply them by the picture's width and height.",
            name=path.name,
        )
    footage = KeypointsFootage(path, frames, keypoints, image_size, fps, has_stable_order(keypoints))
    return footage, keypoint_set


def _load_npz(path: Path) -> dict[str, AnyArray]:
    """The arrays of an .npz, NPZ_KEYS among them."""
    try:
        stored = read_arrays(path, (*NPZ_KEYS, "poses"), max_values=MAX_VALUES)
    except (ValueError, OSError) as error:
        raise InputError("keypoints-file-unreadable", "{name} cannot be read as a keypoints file.", NPZ_REMEDY, name=path.name) from error
    missing = [key for key in NPZ_KEYS if key not in stored]
    if "poses" in stored and missing:
        raise InputError(
            "keypoints-file-is-motion",
            "{name} is a motion, not 2D keypoints.",
            "Use `meshrec convert` to turn a motion into another format.",
            name=path.name,
        )
    if missing:
        raise InputError("keypoints-file-incomplete", "{name} lacks {keys}.", NPZ_REMEDY, name=path.name, keys=missing)
    return stored


def _read_keypoint_set(stored: dict[str, AnyArray], name: str) -> str:
    """The keypoint set that the arrays of the file `name` state: an array of one word, of any string type."""
    array = stored["keypoint_set"]
    word = array.item() if array.size == 1 else array
    keypoint_set = word.decode("ascii", "replace") if isinstance(word, bytes) else str(word)
    if keypoint_set not in KEYPOINT_SETS:
        raise InputError(
            "keypoint-set-unknown",
            "{name} names an unknown keypoint set, {set}.",
            "Choose one of: {known}.",
            name=name,
            set=keypoint_set,
            known=sorted(KEYPOINT_SETS),
        )
    return keypoint_set


def _read_npz_keypoints(stored: dict[str, AnyArray], keypoint_set: str, name: str) -> AnyArray:
    """The keypoints (F,K,3) or (F,P,K,3) of the file `name`."""
    keypoints = stored["keypoints"]
    num_points = len(KEYPOINT_SETS[keypoint_set])
    has_shape = keypoints.ndim in (3, 4) and keypoints.shape[-2:] == (num_points, 3) and keypoints.size > 0
    if keypoints.dtype.kind not in "fiu" or not has_shape:
        raise InputError(
            "keypoints-shape-wrong",
            "The keypoints of {name} do not have the shape of {set}, (F,{count},3) or (F,P,{count},3).",
            NPZ_REMEDY,
            name=name,
            set=keypoint_set,
            count=num_points,
        )
    return keypoints


def _read_metadata(stored: dict[str, AnyArray], name: str) -> tuple[tuple[int, int], float]:
    """Image size (width, height) px and frame rate of the file `name`."""
    image_size, fps = np.ravel(stored["image_size"]), np.ravel(stored["fps"])
    if any(numbers.dtype.kind not in "fiu" for numbers in (image_size, fps)):
        raise InputError("keypoints-metadata-not-numeric", "The image_size or fps of {name} is not a number.", NPZ_REMEDY, name=name)
    if (
        len(image_size) != 2
        or len(fps) != 1
        or not (_in_range(image_size, 1, MAX_COORDINATE) and _in_range(fps, MIN_FILE_FPS, MAX_FILE_FPS))
    ):
        raise InputError("keypoints-metadata-unusable", "{name} has no usable image_size or fps.", NPZ_REMEDY, name=name)
    width, height = image_size
    return (int(width), int(height)), float(fps[0])


def _in_range(numbers: AnyArray, low: float, high: float) -> bool:
    return bool(((numbers >= low) & (numbers <= high)).all())
