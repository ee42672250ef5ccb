"""2D keypoints from a file instead of pixels: an .npz, or a folder of OpenPose JSON.

The .npz holds `keypoints` (F,K,3) or (F,P,K,3): x px, y px, confidence; `keypoint_set`; `image_size` (width, height) px;
`fps`. OpenPose writes one JSON a frame, people in no particular order.
"""

import json
import zipfile
from pathlib import Path

import numpy as np

from ...core.conventions import FOLDER_FPS, standard_fps
from ...core.errors import InputError
from ...core.files.natural_order import natural_key
from ...core.messages import Message
from ...core.skeletons import KEYPOINT_SETS
from ..footage.frame_source import Footage, Frame
from ..footage.images import IMAGE_SUFFIXES
from ..registry import detector
from .detections import Detection
from .detector import Detector
from .keypoint_sets import convert_to_known_set

NPZ_REMEDY = "The file needs keypoints (F,K,3) or (F,P,K,3), keypoint_set, image_size (width, height) and fps."
JSON_REMEDY = (
    "Choose the folder that OpenPose's --write_json made, or convert it to an .npz with keypoints, keypoint_set, image_size and fps."
)
# OpenPose does not write the image's size: the smallest usual one that holds every point is taken.
COMMON_IMAGE_SIZES = ((640, 480), (854, 480), (960, 540), (1280, 720), (1920, 1080), (2560, 1440), (3840, 2160), (4096, 2160), (7680, 4320))


def is_keypoints(path):
    """Whether a path is 2D keypoints: an .npz, or a folder with JSON files and no images."""
    path = Path(path)
    if not path.is_dir():
        return path.suffix.lower() == ".npz"
    suffixes = {file.suffix.lower() for file in path.iterdir()}
    return ".json" in suffixes and not suffixes & IMAGE_SUFFIXES


class KeypointsFootage(Footage):
    """Frames without images. keypoints: (F,P,K,3), zeros where nobody is; has_stable_order: whether P tells people apart throughout."""

    def __init__(self, path, frames, keypoints, image_size, fps, has_stable_order):
        super().__init__(path, frames)
        if self.first >= len(keypoints):
            raise self.past_end_error(len(keypoints))
        self.keypoints = keypoints[self.first : self.end]
        self.size = tuple(int(side) for side in image_size)
        self.rotation = 0
        self.num_declared_frames = len(self.keypoints)
        self.has_stable_order = has_stable_order
        self._fps = standard_fps(fps)

    def read(self, decode_from=0):
        for row in range(self.num_declared_frames):
            yield Frame(row, row / self._fps, 1 / self._fps if row else 0.0, None)

    def frame_rate(self, timestamps):
        return self._fps


@detector("keypoints")
class KeypointsDetector(Detector):
    """Reads people from a file. Raises InputError if it is not one, or lacks something."""

    def __init__(self, request=None):
        self._footage = None

    def open(self, path, frames=None, fps=None):
        path = Path(path).absolute()
        if not path.exists():
            raise InputError("keypoints-file-not-found", "There is no file {path}.", "Check the path.", path=path)
        if path.is_dir():
            self._footage, self.keypoint_set = open_json_folder(path, frames, fps)
        else:
            self._footage, self.keypoint_set = open_npz(path, frames)
        return self._footage

    def identity(self):
        return None

    def detect(self, frame, expected):
        people = self._footage.keypoints[frame.row]
        return [
            Detection(person, None, float(person[:, 2].mean()), identity=number if self._footage.has_stable_order else None)
            for number, person in enumerate(people)
            if (person[:, 2] > 0).sum() >= 3
        ]


def open_npz(path, frames):
    """KeypointsFootage of an .npz, and the name of its keypoint set. Raises InputError; nothing pickled is read."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            stored = {key: archive[key] for key in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, KeyError) as error:
        raise InputError("keypoints-file-unreadable", "{name} cannot be read as a keypoints file.", NPZ_REMEDY, name=path.name) from error
    missing = [key for key in ("keypoints", "keypoint_set", "image_size", "fps") if key not in stored]
    if "poses" in stored and missing:
        raise InputError(
            "keypoints-file-is-motion",
            "{name} is a motion, not 2D keypoints.",
            "Use `meshrec convert` to turn a motion into another format.",
            name=path.name,
        )
    if missing:
        raise InputError("keypoints-file-incomplete", "{name} lacks {keys}.", NPZ_REMEDY, name=path.name, keys=missing)
    name = _read_text(stored["keypoint_set"])
    if name not in KEYPOINT_SETS:
        raise InputError(
            "keypoint-set-unknown",
            "{name} names an unknown keypoint set, {set}.",
            "Choose one of: {known}.",
            name=path.name,
            set=name,
            known=sorted(KEYPOINT_SETS),
        )
    keypoints, image_size, fps = stored["keypoints"], np.ravel(stored["image_size"]), np.ravel(stored["fps"])
    points = len(KEYPOINT_SETS[name])
    if keypoints.dtype.kind not in "fiu" or keypoints.ndim not in (3, 4) or keypoints.shape[-2:] != (points, 3) or not keypoints.size:
        raise InputError(
            "keypoints-shape-wrong",
            "The keypoints of {name} do not have the shape of {set}, (F,{count},3) or (F,P,{count},3).",
            NPZ_REMEDY,
            name=path.name,
            set=name,
            count=points,
        )
    if any(numbers.dtype.kind not in "fiu" for numbers in (image_size, fps)):
        raise InputError("keypoints-metadata-not-numeric", "The image_size or fps of {name} is not a number.", NPZ_REMEDY, name=path.name)
    if len(image_size) != 2 or not (image_size > 0).all() or len(fps) != 1 or not 0 < fps[0] < 1e4:
        raise InputError("keypoints-metadata-unusable", "{name} has no usable image_size or fps.", NPZ_REMEDY, name=path.name)
    keypoints = clean_keypoints(keypoints if keypoints.ndim == 4 else keypoints[:, None])
    if is_normalized(keypoints):
        raise InputError(
            "keypoints-normalised",
            "The keypoints in {name} are not in pixels.",
            "Multiply them by the picture's width and height.",
            name=path.name,
        )
    return KeypointsFootage(path, frames, keypoints, image_size, float(fps[0]), has_stable_order(keypoints)), name


def open_json_folder(path, frames, fps):
    """KeypointsFootage of a folder of OpenPose JSON, and the name of its keypoint set. Raises InputError."""
    files = sorted((file for file in path.glob("*.json") if not file.name.startswith(".")), key=lambda file: natural_key(file.name))
    if not files:
        raise InputError("keypoints-folder-empty", "The folder {name} holds no keypoints.", JSON_REMEDY, name=path.name)
    people_of = [read_openpose_people(file) for file in files]
    everybody = [person for people in people_of for person in people]
    if len({len(person) for person in everybody}) > 1:
        raise InputError("keypoints-count-varies", "The files in {name} have different numbers of keypoints.", JSON_REMEDY, name=path.name)
    keypoints, name = convert_to_known_set(np.array(everybody) if everybody else np.zeros((0, 25, 3)), path.name)
    if is_normalized(keypoints):
        raise InputError(
            "openpose-keypoints-normalised",
            "The keypoints in {name} are not in pixels.",
            "Run OpenPose with --keypoint_scale 0.",
            name=path.name,
        )
    filled = np.zeros((len(files), max(1, max(map(len, people_of))), *keypoints.shape[1:]))
    for people, here in zip(filled, np.split(keypoints, np.cumsum([len(people) for people in people_of])[:-1])):
        people[: len(here)] = here
    filled = clean_keypoints(filled)
    size = guess_image_size(filled)
    footage = KeypointsFootage(path, frames, filled, size, fps or FOLDER_FPS, filled.shape[1] == 1)
    footage.warnings.append(
        Message(
            "openpose-image-size-assumed",
            "OpenPose's files do not say how large the picture is: {width} x {height} was assumed. An .npz with image_size is exact.",
            width=size[0],
            height=size[1],
        )
    )
    return footage, name


def read_openpose_people(file):
    """The people of one OpenPose JSON, a list of (K,3) arrays. Raises InputError."""
    try:
        people = json.loads(file.read_text(encoding="utf-8"))["people"]
        return [np.array(person["pose_keypoints_2d"], float).reshape(-1, 3) for person in people]
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise InputError("openpose-file-unreadable", "{name} is not a file that OpenPose wrote.", JSON_REMEDY, name=file.name) from error


def is_normalized(keypoints):
    """Whether keypoints (...,3) are shares of the picture's sides: nobody is two pixels high."""
    return 0 < keypoints[..., :2].max(initial=0) <= 2


def _read_text(stored):
    """What an array that holds one word says, however it was stored."""
    word = stored.item() if stored.size == 1 else stored
    return word.decode("ascii", "replace") if isinstance(word, bytes) else str(word)


def clean_keypoints(keypoints):
    """Numbers that are not finite count as not seen, and so does a point with no confidence; confidence lies in 0..1."""
    keypoints = np.array(keypoints, float)
    lost = ~np.isfinite(keypoints).all(-1) | (keypoints[..., 2] <= 0)
    keypoints[lost] = 0.0
    keypoints[..., 2] = np.minimum(keypoints[..., 2], 1.0)
    return keypoints


def guess_image_size(keypoints):
    """(width, height) px: the smallest of COMMON_IMAGE_SIZES, lying or standing, that holds every point seen."""
    seen = keypoints[keypoints[..., 2] > 0.1][:, :2]
    reach = seen.max(0) if len(seen) else np.array(COMMON_IMAGE_SIZES[3])
    sizes = [size for width, height in COMMON_IMAGE_SIZES for size in ((width, height), (height, width))]
    fitting = [size for size in sizes if size[0] >= reach[0] - 1 and size[1] >= reach[1] - 1]
    return min(fitting, key=lambda size: size[0] * size[1], default=tuple(np.ceil(reach).astype(int).tolist()))


def has_stable_order(keypoints):
    """Whether place P of (F,P,K,3) keeps to one person: from frame to frame people are nearest to themselves.

    Detectors that do not track list people as they find them; then the order is worth nothing and people are followed
    by where they are.
    """
    if keypoints.shape[1] == 1:
        return True
    seen = (keypoints[..., 2] > 0).sum(-1) >= 3
    weight = keypoints[..., 2:]
    middle = (keypoints[..., :2] * weight).sum(2) / np.maximum(weight.sum(2), 1e-6)
    steps = np.linalg.norm(middle[1:, :, None] - middle[:-1, None], axis=-1)
    steps[~(seen[1:, :, None] & seen[:-1, None])] = np.inf
    own = np.einsum("fpp->fp", steps)
    both = np.isfinite(own)
    # Where somebody else was nearer than oneself. A crossing makes a few of these, shuffled people many.
    strange = (steps.min(2) < own)[both]
    return bool(both.any()) and strange.mean() < 0.1
