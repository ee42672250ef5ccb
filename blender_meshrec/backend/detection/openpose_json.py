"""Reading 2D keypoints from a folder of OpenPose JSON: one file a frame, people in no particular order."""

from pathlib import Path

import numpy as np

from ...core.array_types import FloatArray
from ...core.conventions import FOLDER_FPS
from ...core.errors import InputError
from ...core.files.input_file import read_json
from ...core.files.natural_order import natural_key
from ...core.messages import Message
from ..footage.frame_source import FrameRange
from .keypoint_sets import convert_to_known_set
from .keypoints_footage import MAX_PEOPLE, MAX_VALUES, KeypointsFootage, check_people, clean_keypoints, is_normalized, too_many_people_error
from .openpose_numbering import fill_missing_frames

JSON_REMEDY = (
    "Choose the folder that OpenPose's --write_json made, or convert it to an .npz with keypoints, keypoint_set, image_size and fps."
)
# OpenPose does not write the image's size: the smallest of these that contains every point is assumed.
COMMON_IMAGE_SIZES = ((640, 480), (854, 480), (960, 540), (1280, 720), (1920, 1080), (2560, 1440), (3840, 2160), (4096, 2160), (7680, 4320))
DEFAULT_IMAGE_SIZE = (1280, 720)
MAX_FILE_BYTES = 1 << 22  # of one frame: 100 people with hands and faces take 0.5 MB


def open_json_folder(path: Path, frames: FrameRange | None, fps: float | None) -> tuple[KeypointsFootage, str]:
    """KeypointsFootage of a folder of OpenPose JSON, and the name of its keypoint set. Raises InputError."""
    files = sorted((file for file in path.glob("*.json") if not file.name.startswith(".")), key=lambda file: natural_key(file.name))
    if not files:
        raise InputError("keypoints-folder-empty", "The folder {name} holds no keypoints.", JSON_REMEDY, name=path.name)
    people_by_frame = _read_all(files, path.name)
    people_by_frame, numbering_notes = fill_missing_frames(files, people_by_frame, path.name)
    all_people = [person for people in people_by_frame for person in people]
    if len({len(person) for person in all_people}) > 1:
        raise InputError("keypoints-count-varies", "The files in {name} have different numbers of keypoints.", JSON_REMEDY, name=path.name)
    keypoints, keypoint_set = convert_to_known_set(np.array(all_people) if all_people else np.zeros((0, 25, 3)), path.name)
    if is_normalized(keypoints):
        raise InputError(
            "openpose-keypoints-normalised",
            "The keypoints in {name} are not in pixels.",
            "Run OpenPose with --keypoint_scale 0.",
            name=path.name,
        )
    keypoints = clean_keypoints(_pad_people(keypoints, [len(people) for people in people_by_frame]))
    check_people(keypoints, path.name)
    size = guess_image_size(keypoints)
    footage = KeypointsFootage(path, frames, keypoints, size, fps or FOLDER_FPS, keypoints.shape[1] == 1)
    footage.warnings.append(
        Message(
            "openpose-image-size-assumed",
            "OpenPose's files do not say how large the picture is: {width} x {height} was assumed. An .npz with image_size is exact.",
            width=size[0],
            height=size[1],
        )
    )
    footage.warnings += numbering_notes
    return footage, keypoint_set


def _read_all(files: list[Path], name: str) -> list[list[FloatArray]]:
    """The people of every file of the folder `name`. Raises InputError."""
    people_by_frame: list[list[FloatArray]] = []
    most_people, most_values = 1, 0
    for file in files:
        people = read_openpose_people(file)
        people_by_frame.append(people)
        most_people = max(most_people, len(people))
        most_values = max(most_values, *(person.size for person in people), 0)
        # The array of all frames has a place for as many people as any frame has.
        if len(files) * most_people * most_values > MAX_VALUES:
            raise InputError(
                "openpose-folder-too-large",
                "{name} holds too many keypoints: {count} files with up to {people} people; the limit is {limit:.0f} million numbers.",
                "Give a folder with fewer files or people.",
                name=name,
                count=len(files),
                people=most_people,
                limit=MAX_VALUES / 1e6,
            )
    return people_by_frame


def read_openpose_people(file: Path) -> list[FloatArray]:
    """The people of one OpenPose JSON, (K,3) each. Raises InputError."""
    try:
        people = read_json(file, MAX_FILE_BYTES)["people"]
        if len(people) > MAX_PEOPLE:
            raise too_many_people_error(len(people), file.name)
        return [np.array(person["pose_keypoints_2d"], float).reshape(-1, 3) for person in people]
    except (ValueError, KeyError, TypeError, OverflowError, OSError) as error:
        raise InputError("openpose-file-unreadable", "{name} is not a file that OpenPose wrote.", JSON_REMEDY, name=file.name) from error


def _pad_people(keypoints: FloatArray, counts: list[int]) -> FloatArray:
    """The keypoints (N,K,3) of all frames' people as (F,P,K,3), given the number of people in each frame; zeros where nobody is."""
    padded = np.zeros((len(counts), max(1, max(counts)), *keypoints.shape[1:]))
    for frame, people in zip(padded, np.split(keypoints, np.cumsum(counts)[:-1])):
        frame[: len(people)] = people
    return padded


def guess_image_size(keypoints: FloatArray) -> tuple[int, int]:
    """(width, height) px: the smallest of COMMON_IMAGE_SIZES, landscape or portrait, that contains every detected point."""
    detected = keypoints[keypoints[..., 2] > 0.1][:, :2]
    right, bottom = detected.max(0) if len(detected) else DEFAULT_IMAGE_SIZE
    sizes = [size for width, height in COMMON_IMAGE_SIZES for size in ((width, height), (height, width))]
    fitting = [size for size in sizes if size[0] >= right - 1 and size[1] >= bottom - 1]
    return min(fitting, key=lambda size: size[0] * size[1], default=(int(np.ceil(right)), int(np.ceil(bottom))))
