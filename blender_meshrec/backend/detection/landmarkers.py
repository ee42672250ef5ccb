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
from ...core.silhouettes import MARGIN, SIDE
from ...core.skeletons import KEYPOINT_SETS, limb_indices
from .crops import cut_square, square_round, undo_turns
from .detections import CONFIDENT, Pose, person_box

# Side of the square the landmarker is given, px. It samples 256 px round a person, who fills most of a crop.
CROP = 384
# More than one, because the person who is meant may not be the one who is seen best.
PEOPLE_IN_A_CROP = 4
WORKERS = 2
# The landmarks that lie in the picture are present by this much on average, and this many limb joints are, in the
# crop: anything less is no person, or too little of one.
PRESENT, LIMBS = 0.55, 4
_LIMBS = limb_indices(KEYPOINT_SETS["blazepose33"].points)


class Landmarkers:
    """A few landmarkers for still images, started when first needed: a clip the cache knows needs none."""

    def __init__(self, model):
        self._model = model
        self._all = []
        self._free = SimpleQueue()
        # One more that also cuts people out, which takes a tenth longer; few frames need it.
        self._cutter, self._cutting = None, Lock()
        self._threads = ThreadPoolExecutor(WORKERS, "landmarker")

    def submit(self, work, *arguments):
        """Do something that calls `look` in a thread; returns its Future."""
        if not self._all:
            self._all = [_start(self._model) for _ in range(WORKERS)]
            for landmarker in self._all:
                self._free.put(landmarker)
        return self._threads.submit(work, *arguments)

    def look(self, image, square, cut_out=False):
        """Everybody in a Square of an image (H,W,3) uint8 RGB, as Poses in px of the image and metres in camera axes.

        cut_out: with their silhouettes; the rest comes out the same.
        """
        import mediapipe

        crop, picture_from_crop = cut_square(image, square, CROP)
        if crop is None:
            return []
        picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=crop)
        if cut_out:
            with self._cutting:
                self._cutter = self._cutter or _start(self._model, masks=True)
                result = self._cutter.detect(picture)
        else:
            landmarker = self._free.get()
            try:
                result = landmarker.detect(picture)
            finally:
                self._free.put(landmarker)
        # None where nobody was asked to be cut out, and where there is nobody.
        masks = result.segmentation_masks or [None] * len(result.pose_landmarks)
        poses = (
            _pose(landmarks, world, mask, picture_from_crop, square.quarter_turns, (image.shape[1], image.shape[0]))
            for landmarks, world, mask in zip(result.pose_landmarks, result.pose_world_landmarks, masks)
        )
        return [pose for pose in poses if pose is not None]

    def close(self):
        self._threads.shutdown(cancel_futures=True)
        for landmarker in (*self._all, *([self._cutter] if self._cutter else [])):
            landmarker.close()


def _start(model, masks=False):
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.PoseLandmarkerOptions(
        # The file is read here: MediaPipe fails on non-Latin paths on Windows.
        base_options=BaseOptions(model_asset_buffer=model.read_bytes()),
        running_mode=vision.RunningMode.IMAGE,
        num_poses=PEOPLE_IN_A_CROP,
        output_segmentation_masks=masks,
    )
    try:
        return vision.PoseLandmarker.create_from_options(options)
    except OSError as error:
        # MediaPipe loads its native half here; on Linux that wants the system's OpenGL ES.
        raise NotSetUpError(
            f"MediaPipe cannot start on this computer: {error}.",
            "Install the system library it names (on Debian and Ubuntu: apt install libgles2 libegl1), and try again.",
        ) from error


def _pose(landmarks, world, mask, picture_from_crop, quarter_turns, image_size):
    """A Pose of the landmarker's answer, or None if it is no person or too little of one."""
    place = np.array([(point.x, point.y) for point in landmarks])
    visibility, presence = np.array([(point.visibility, point.presence) for point in landmarks]).T
    pixels = place @ picture_from_crop[:, :2].T + picture_from_crop[:, 2]
    in_crop = ((place > 0) & (place < 1)).all(1)
    in_picture = ((pixels > 0) & (pixels < image_size)).all(1)
    score = float(presence[in_picture].mean()) if in_picture.any() else 0.0
    if score < PRESENT or (in_crop & (presence > CONFIDENT))[_LIMBS].sum() < LIMBS:
        return None
    metres = np.array([(point.x, point.y, point.z) for point in world])
    metres[:, :2] = metres[:, :2] @ undo_turns(quarter_turns).T
    # A landmark that the crop cut off was guessed: a crop that shows it knows better, and its pose counts for more.
    keypoints, score = np.column_stack([pixels, np.minimum(visibility, presence)]), score * float(in_crop.mean())
    if mask is None:
        return Pose(keypoints, metres, score)
    square = square_round(person_box(keypoints, "blazepose33"), MARGIN)
    return Pose(keypoints, metres, score, silhouette=_silhouette(mask.numpy_view(), picture_from_crop, square), square=square[:3])


def _silhouette(mask, picture_from_crop, square):
    """The part of a crop's mask (M,M) or (M,M,1), 0..1, that a Square of the picture shows: (SIDE,SIDE) bool, false beside the crop."""
    mask = np.ascontiguousarray(mask.reshape(mask.shape[:2]))
    # Pixel middles lie at halves: shares of the crop -> px of the picture -> shares of the square.
    crop_from_pixel = np.array([[1.0, 0, 0.5], [0, 1.0, 0.5]]) / len(mask)
    turn = picture_from_crop[:, :2] @ crop_from_pixel[:, :2]
    move = picture_from_crop[:, :2] @ crop_from_pixel[:, 2] + picture_from_crop[:, 2]
    fine = 2 * SIDE
    scale = fine / square.side
    corner = np.array([square.x, square.y]) - square.side / 2
    matrix = np.column_stack([scale * turn, scale * (move - corner) - 0.5])
    cut = cv2.warpAffine(mask, matrix, (fine, fine), flags=cv2.INTER_LINEAR)
    return cv2.resize(cut, (SIDE, SIDE), interpolation=cv2.INTER_AREA) > 0.5
