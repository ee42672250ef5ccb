"""MediaPipe's pose landmarker, several instances in parallel: a square of an image in, the people in it out.

Source: Bazarevsky et al. 2020, "BlazePose: On-device real-time body pose tracking"; Grishchenko et al. 2022, "BlazePose
GHUM Holistic" for the landmarks in metres.
"""

import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import cv2
import numpy as np

from ...core.array_types import BoolArray, FloatArray, ImageArray
from ...core.errors import ModelError, NotSetUpError
from ...core.silhouettes import BOX_MARGIN, MASK_SIZE
from ...core.skeletons import KEYPOINT_SETS, limb_indices
from ..kept_models import give_back, take_model
from ..mediapipe_import import import_mediapipe
from .crops import Square, crop_square, image_from_turned, square_around
from .detections import CONFIDENCE_THRESHOLD, Detection, person_box
from .landmark_network import Landmarks

if TYPE_CHECKING:
    from mediapipe.tasks.python.components.containers.landmark import Landmark, NormalizedLandmark
    from mediapipe.tasks.python.vision import PoseLandmarker, PoseLandmarkerResult

Arguments = ParamSpec("Arguments")
Output = TypeVar("Output")

# Side of the square that the landmarker receives, px. It samples 256 px around a person, who fills most of a crop.
CROP_SIDE = 384
# More than one, because the person of interest may not be the most prominent one.
MAX_PEOPLE_PER_CROP = 4
NUM_WORKERS = 2
# A person has this mean presence over the landmarks inside the image, and this many limb joints inside the crop.
MIN_PRESENCE, MIN_LIMB_JOINTS = 0.55, 4
# In a portrait, face and shoulders are enough: this visible, and shoulders this wide, in the image's shorter side.
MIN_PORTRAIT_VISIBILITY, MIN_PORTRAIT_WIDTH = 0.9, 0.2
# Landmarks farther from the image's corner, in the image's longer side, are nobody's: the frame is garbled.
MAX_DISTANCE_IN_IMAGES = 10
_SHOULDERS = [KEYPOINT_SETS["blazepose33"].index[f"{side}_shoulder"] for side in ("left", "right")]
_PORTRAIT = [*range(11), *_SHOULDERS]  # the face's landmarks come first
_LIMB_INDICES = limb_indices(KEYPOINT_SETS["blazepose33"].points)


class LandmarkerPool:
    """Landmarkers for still images, created on first use: a clip in the cache needs none."""

    def __init__(self, model: Path) -> None:
        self._model = model
        self._landmarkers: list[PoseLandmarker] = []
        self._idle: SimpleQueue[PoseLandmarker] = SimpleQueue()
        # One more that also segments people, which takes a tenth longer; few frames need it.
        self._mask_landmarker: PoseLandmarker | None = None
        self._mask_lock = Lock()
        self._threads = ThreadPoolExecutor(NUM_WORKERS, "landmarker")

    def submit(self, work: Callable[Arguments, Output], *arguments: Arguments.args, **options: Arguments.kwargs) -> Future[Output]:
        """Run a function that calls `detect` in a thread."""
        if not self._landmarkers:
            self._landmarkers = [self._take_landmarker() for _ in range(NUM_WORKERS)]
            for landmarker in self._landmarkers:
                self._idle.put(landmarker)
        return self._threads.submit(work, *arguments, **options)

    def detect(self, image: ImageArray, square: Square, with_silhouettes: bool = False) -> list[Detection]:
        """Everybody in a Square of an image (H,W,3) uint8 RGB, keypoints in px of the image.

        with_silhouettes: add silhouettes; everything else remains the same.
        """
        crop = crop_square(image, square, CROP_SIDE)
        if crop is None:
            return []
        result = self._run_landmarker(crop.image, with_silhouettes)
        # None without `with_silhouettes`, and if there is nobody.
        masks = result.segmentation_masks or [None] * len(result.pose_landmarks)
        image_size = (image.shape[1], image.shape[0])
        detections = []
        for landmarks, world_landmarks, mask in zip(result.pose_landmarks, result.pose_world_landmarks, masks):
            mask_values = None if mask is None else np.asarray(mask.numpy_view())
            detection = _to_detection(landmarks, world_landmarks, mask_values, crop.image_from_crop, square.quarter_turns, image_size)
            if detection is not None:
                detections.append(detection)
        return detections

    def _run_landmarker(self, image: ImageArray, with_masks: bool) -> "PoseLandmarkerResult":
        mediapipe = import_mediapipe()
        wrapped = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=image)
        if with_masks:
            with self._mask_lock:
                self._mask_landmarker = self._mask_landmarker or self._take_landmarker(masks=True)
                return self._mask_landmarker.detect(wrapped)
        landmarker = self._idle.get()
        try:
            return landmarker.detect(wrapped)
        finally:
            self._idle.put(landmarker)

    def close(self) -> None:
        """Stop the threads and release the landmarkers, or keep them for the next clip."""
        self._threads.shutdown(cancel_futures=True)
        for landmarker in self._landmarkers:
            self._release(landmarker)
        if self._mask_landmarker:
            self._release(self._mask_landmarker, masks=True)

    def _take_landmarker(self, masks: bool = False) -> "PoseLandmarker":
        return take_model(self._key(masks), lambda: _create_landmarker(self._model, masks))

    def _release(self, landmarker: "PoseLandmarker", masks: bool = False) -> None:
        if not give_back(self._key(masks), landmarker):
            landmarker.close()

    def _key(self, masks: bool) -> tuple[str, str, bool]:
        return "landmarker", str(self._model), masks


def _create_landmarker(model: Path, masks: bool = False) -> "PoseLandmarker":
    import_mediapipe()
    from mediapipe.tasks.python import BaseOptions, vision

    if not zipfile.is_zipfile(model):
        raise _damaged_bundle_error(model)
    options = vision.PoseLandmarkerOptions(
        # The file is read here: MediaPipe fails on non-Latin paths on Windows.
        base_options=BaseOptions(model_asset_buffer=model.read_bytes()),
        running_mode=vision.RunningMode.IMAGE,
        num_poses=MAX_PEOPLE_PER_CROP,
        output_segmentation_masks=masks,
    )
    try:
        return vision.PoseLandmarker.create_from_options(options)
    except (RuntimeError, ValueError) as error:
        raise _damaged_bundle_error(model) from error
    except OSError as error:
        # MediaPipe loads its native library here; on Linux that needs the system's OpenGL ES.
        raise NotSetUpError(
            "mediapipe-cannot-start",
            "MediaPipe cannot start on this computer: {reason}.",
            "Install the system library it names (on Debian and Ubuntu: apt install libgles2 libegl1), and try again.",
            reason=error,
        ) from error


def _damaged_bundle_error(model: Path) -> ModelError:
    return ModelError(
        "model-file-damaged",
        "The model file {name} is damaged.",
        "Run `python3 build.py setup` in a checkout, or install the add-on again from its zip.",
        name=model,
    )


def _to_detection(
    landmarks: "Sequence[NormalizedLandmark]",
    world_landmarks: "Sequence[Landmark]",
    mask: FloatArray | None,
    image_from_crop: FloatArray,
    quarter_turns: float,
    image_size: tuple[int, int],
) -> Detection | None:
    """A Detection of the landmarker's result, or None if too little of a person is in view."""
    visibility, presence = np.array([(point.visibility, point.presence) for point in landmarks]).T
    found = Landmarks(
        np.array([(point.x, point.y) for point in landmarks]),
        visibility,
        presence,
        np.array([(point.x, point.y, point.z) for point in world_landmarks]),
        1.0,
    )
    return detection_of_landmarks(found, mask, image_from_crop, quarter_turns, image_size)


def detection_of_landmarks(
    landmarks: Landmarks, mask: FloatArray | None, image_from_crop: FloatArray, quarter_turns: float, image_size: tuple[int, int]
) -> Detection | None:
    """A Detection of landmarks in a crop, or None if too little of a person is in view.

    mask: (M,M) or (M,M,1), 0..1, of the crop, or None. image_from_crop: (2,3), as of `Crop`.
    """
    positions, visibility, presence = landmarks.positions, landmarks.visibility, landmarks.presence
    pixels = positions @ image_from_crop[:, :2].T + image_from_crop[:, 2]
    if not (np.abs(pixels) < MAX_DISTANCE_IN_IMAGES * max(image_size)).all():  # or not finite
        return None
    in_crop = ((positions > 0) & (positions < 1)).all(1)
    in_image = ((pixels > 0) & (pixels < image_size)).all(1)
    score = float(presence[in_image].mean()) if in_image.any() else 0.0
    is_seen: BoolArray = in_crop & (presence > CONFIDENCE_THRESHOLD)
    is_enough = is_seen[_LIMB_INDICES].sum() >= MIN_LIMB_JOINTS or _is_portrait(pixels, is_seen & in_image, visibility, image_size)
    if score < MIN_PRESENCE or not is_enough:
        return None
    keypoints_3d = np.array(landmarks.world)
    keypoints_3d[:, :2] = keypoints_3d[:, :2] @ image_from_turned(quarter_turns).T
    keypoints = np.column_stack([pixels, np.minimum(visibility, presence)])
    # Landmarks outside the crop are guesses: a crop that contains them gives a better detection, which needs the higher score.
    score *= float(in_crop.mean())
    if mask is None:
        return Detection(keypoints, keypoints_3d, score)
    square = square_around(person_box(keypoints, "blazepose33"), BOX_MARGIN)
    silhouette = _resample_mask(mask, image_from_crop, square)
    return Detection(keypoints, keypoints_3d, score, silhouette=silhouette, square=np.array(square[:3]))


def _is_portrait(pixels: FloatArray, seen: BoolArray, visibility: FloatArray, image_size: tuple[int, int]) -> bool:
    """Whether the picture shows a face and both shoulders, large, and cuts off or hides all below.

    pixels: (33,2). seen: (33,), landmarks that are in the image.
    """
    is_whole = bool(seen[_PORTRAIT].all() and visibility[_PORTRAIT].min() > MIN_PORTRAIT_VISIBILITY)
    width = float(np.linalg.norm(pixels[_SHOULDERS[0]] - pixels[_SHOULDERS[1]]))
    return is_whole and width > MIN_PORTRAIT_WIDTH * min(image_size)


def _resample_mask(mask: FloatArray, image_from_crop: FloatArray, square: Square) -> BoolArray:
    """The part of a crop's mask (M,M) or (M,M,1), 0..1, inside a Square of the image: (MASK_SIZE,MASK_SIZE), false outside the crop."""
    mask = np.ascontiguousarray(mask.reshape(mask.shape[:2]))
    # Pixel centres are at halves: px of the mask -> fractions of the crop -> px of the image -> px of the square.
    crop_from_pixel = np.array([[1.0, 0, 0.5], [0, 1.0, 0.5]]) / len(mask)
    linear = image_from_crop[:, :2] @ crop_from_pixel[:, :2]
    offset = image_from_crop[:, :2] @ crop_from_pixel[:, 2] + image_from_crop[:, 2]
    supersampled = 2 * MASK_SIZE
    scale = supersampled / square.side
    corner = np.array([square.x, square.y]) - square.side / 2
    matrix = np.column_stack([scale * linear, scale * (offset - corner) - 0.5])
    warped = cv2.warpAffine(mask, matrix, (supersampled, supersampled), flags=cv2.INTER_LINEAR)
    return np.asarray(cv2.resize(warped, (MASK_SIZE, MASK_SIZE), interpolation=cv2.INTER_AREA) > 0.5)
