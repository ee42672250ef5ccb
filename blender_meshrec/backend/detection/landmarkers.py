"""MediaPipe's pose landmarker, several at work at once: a square of a picture in, the people in it out.

Source: Bazarevsky et al. 2020, "BlazePose: On-device real-time body pose tracking"; Grishchenko et al. 2022, "BlazePose
GHUM Holistic" for the landmarks in metres.
"""

from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from threading import Lock

import cv2
import numpy as np

from ...core.errors import NotSetUpError
from ...core.silhouettes import BOX_MARGIN, MASK_SIZE
from ...core.skeletons import KEYPOINT_SETS, limb_indices
from .crops import crop_square, image_from_turned, square_around
from .detections import CONFIDENCE_THRESHOLD, Detection, person_box

# Side of the square the landmarker is given, px. It samples 256 px round a person, who fills most of a crop.
CROP_SIDE = 384
# More than one, because the person who is meant may not be the one who is seen best.
MAX_PEOPLE_PER_CROP = 4
NUM_WORKERS = 2
# The landmarks that lie in the picture are present by this much on average, and this many limb joints are, in the
# crop: anything less is no person, or too little of one.
MIN_PRESENCE, MIN_LIMB_JOINTS = 0.55, 4
_LIMB_INDICES = limb_indices(KEYPOINT_SETS["blazepose33"].points)


class LandmarkerPool:
    """A few landmarkers for still images, started when first needed: a clip the cache knows needs none."""

    def __init__(self, model):
        self._model = model
        self._landmarkers = []
        self._idle = SimpleQueue()
        # One more that also cuts people out, which takes a tenth longer; few frames need it.
        self._mask_landmarker, self._mask_lock = None, Lock()
        self._threads = ThreadPoolExecutor(NUM_WORKERS, "landmarker")

    def submit(self, work, *arguments):
        """Do something that calls `detect` in a thread; returns its Future."""
        if not self._landmarkers:
            self._landmarkers = [_create_landmarker(self._model) for _ in range(NUM_WORKERS)]
            for landmarker in self._landmarkers:
                self._idle.put(landmarker)
        return self._threads.submit(work, *arguments)

    def detect(self, image, square, with_silhouettes=False):
        """Everybody in a Square of an image (H,W,3) uint8 RGB, as Poses in px of the image and metres in camera axes.

        with_silhouettes: with their silhouettes; the rest comes out the same.
        """
        import mediapipe

        crop, picture_from_crop = crop_square(image, square, CROP_SIDE)
        if crop is None:
            return []
        picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=crop)
        if with_silhouettes:
            with self._mask_lock:
                self._mask_landmarker = self._mask_landmarker or _create_landmarker(self._model, masks=True)
                result = self._mask_landmarker.detect(picture)
        else:
            landmarker = self._idle.get()
            try:
                result = landmarker.detect(picture)
            finally:
                self._idle.put(landmarker)
        # None where nobody was asked to be cut out, and where there is nobody.
        masks = result.segmentation_masks or [None] * len(result.pose_landmarks)
        poses = (
            _to_detection(landmarks, world, mask, picture_from_crop, square.quarter_turns, (image.shape[1], image.shape[0]))
            for landmarks, world, mask in zip(result.pose_landmarks, result.pose_world_landmarks, masks)
        )
        return [pose for pose in poses if pose is not None]

    def close(self):
        self._threads.shutdown(cancel_futures=True)
        for landmarker in (*self._landmarkers, *([self._mask_landmarker] if self._mask_landmarker else [])):
            landmarker.close()


def _create_landmarker(model, masks=False):
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.PoseLandmarkerOptions(
        # The file is read here: MediaPipe fails on non-Latin paths on Windows.
        base_options=BaseOptions(model_asset_buffer=model.read_bytes()),
        running_mode=vision.RunningMode.IMAGE,
        num_poses=MAX_PEOPLE_PER_CROP,
        output_segmentation_masks=masks,
    )
    try:
        return vision.PoseLandmarker.create_from_options(options)
    except OSError as error:
        # MediaPipe loads its native half here; on Linux that wants the system's OpenGL ES.
        raise NotSetUpError(
            "mediapipe-cannot-start",
            "MediaPipe cannot start on this computer: {reason}.",
            "Install the system library it names (on Debian and Ubuntu: apt install libgles2 libegl1), and try again.",
            reason=error,
        ) from error


def _to_detection(landmarks, world, mask, picture_from_crop, quarter_turns, image_size):
    """A Pose of the landmarker's answer, or None if it is no person or too little of one."""
    place = np.array([(point.x, point.y) for point in landmarks])
    visibility, presence = np.array([(point.visibility, point.presence) for point in landmarks]).T
    pixels = place @ picture_from_crop[:, :2].T + picture_from_crop[:, 2]
    in_crop = ((place > 0) & (place < 1)).all(1)
    in_picture = ((pixels > 0) & (pixels < image_size)).all(1)
    score = float(presence[in_picture].mean()) if in_picture.any() else 0.0
    if score < MIN_PRESENCE or (in_crop & (presence > CONFIDENCE_THRESHOLD))[_LIMB_INDICES].sum() < MIN_LIMB_JOINTS:
        return None
    metres = np.array([(point.x, point.y, point.z) for point in world])
    metres[:, :2] = metres[:, :2] @ image_from_turned(quarter_turns).T
    # A landmark that the crop cut off was guessed: a crop that shows it knows better, and its pose counts for more.
    keypoints, score = np.column_stack([pixels, np.minimum(visibility, presence)]), score * float(in_crop.mean())
    if mask is None:
        return Detection(keypoints, metres, score)
    square = square_around(person_box(keypoints, "blazepose33"), BOX_MARGIN)
    return Detection(keypoints, metres, score, silhouette=_resample_mask(mask.numpy_view(), picture_from_crop, square), square=square[:3])


def _resample_mask(mask, picture_from_crop, square):
    """The part of a crop's mask (M,M) or (M,M,1), 0..1, that a Square of the picture shows: (MASK_SIZE,MASK_SIZE) bool, false beside the crop."""
    mask = np.ascontiguousarray(mask.reshape(mask.shape[:2]))
    # Pixel middles lie at halves: shares of the crop -> px of the picture -> shares of the square.
    crop_from_pixel = np.array([[1.0, 0, 0.5], [0, 1.0, 0.5]]) / len(mask)
    turn = picture_from_crop[:, :2] @ crop_from_pixel[:, :2]
    move = picture_from_crop[:, :2] @ crop_from_pixel[:, 2] + picture_from_crop[:, 2]
    fine = 2 * MASK_SIZE
    scale = fine / square.side
    corner = np.array([square.x, square.y]) - square.side / 2
    matrix = np.column_stack([scale * turn, scale * (move - corner) - 0.5])
    cut = cv2.warpAffine(mask, matrix, (fine, fine), flags=cv2.INTER_LINEAR)
    return cv2.resize(cut, (MASK_SIZE, MASK_SIZE), interpolation=cv2.INTER_AREA) > 0.5
