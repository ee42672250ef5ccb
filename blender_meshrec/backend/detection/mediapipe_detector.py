"""MediaPipe's pose landmarker, extended to find several and small people.

The landmarker alone misses people who are small in the image or close together. Here it runs on crops: one around each person
who is being tracked, who is large in it, and tiles of the image, a few in each frame, for newcomers. Every crop is processed as
a still image: the landmarker's own smoothing assumes 30 frames a second, lags, and tracks whom it likes. A newcomer detected in
a tile is accepted once a crop around the same place confirms it. People on their head, whom the landmarker does not recognise,
are rotated upright for it. Whoever is hidden from the landmarker by somebody more prominent is looked for with that person painted over.

The tiles, the rotations, the confirmation and the painting are ours.
"""

import importlib.metadata
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ...bridge.messages import ReconstructRequest
from ...core.array_types import FloatArray, ImageArray
from ...core.errors import ModelError
from ...core.files.model_files import model_file
from ...core.quality_levels import HEAVY_MODEL, QUALITY_LEVELS, STANDARD_MODEL, chosen_refiners
from ...core.silhouettes import MAX_SILHOUETTES
from ..footage.frame_source import Footage, Frame, FrameRange, PathArgument
from ..registry import detector
from .crops import Square, image_tiles, square_around
from .detections import Detection, body_size, person_box
from .detector import Detector, ExpectedPerson
from .landmark_network import CROP_SIDE, LandmarkNetwork
from .landmarkers import LandmarkerPool, detection_of_landmarks
from .painting import paint_over
from .similarity import box_iou, compute_appearance, contained_fraction, detection_similarity, is_same_person, remove_duplicates
from .touching import crop_without_others, follow_touching, own_square

# A crop's side relative to the person's: wide enough for a step or a raised arm, narrow enough to separate the person from
# others. If nobody is found, a narrower and a wider crop follow.
CROP_MARGINS = (1.35, 1.1, 2.0)
# For a person who was missed, two crops a frame, from this list in turn: their margins, and their quarter turns relative to the
# person's last orientation.
MISSED_CROPS = (((1.1, 1.35), 0), ((2.0, 2.8), 0), ((1.1, 1.35), 2), ((2.0, 2.8), 0), ((1.35, 2.0), 1), ((1.35, 2.0), 3))
# A detection whose box overlaps an expected box more than this is where somebody was expected.
MIN_EXPECTED_IOU = 0.3
# Similarity of two detections from different crops that confirm each other; false detections are hardly ever this similar.
MIN_CONFIRMING_SIMILARITY = 0.35
# A newcomer whose box is inside another person's by more than this fraction counts as a part of that person.
MAX_CONTAINED_FRACTION = 0.9
# So does one that is smaller than the first number, in sizes of that person, and by more than the second number inside their box with the
# third number, in their sizes, around it: a hand, a shoe, or what painting over them has left.
PART_SIZE, MAX_PART_FRACTION, PART_MARGIN = 0.4, 0.4, 0.15
# A person who is expected, but not found, is looked for again without the people found, in crops of these margins.
SECOND_LOOK_MARGINS = (1.1, 1.35)
# Where a track ended, the person is looked for in one of so many frames, in a crop of this margin.
LOST_INTERVAL, LOST_MARGIN = 5, 1.6
# The landmark network sees a person where it is as sure as this.
MIN_PERSON = 0.4
# Rounds of search in the first frame of a shot, each without the people whom the ones before it found.
MAX_ROUNDS = 3
# Tiles go down to this part of the image's short side, and to the second if people are smaller than SMALL_PERSON_FRACTION of it.
TILE_DIVISIONS, FINE_TILE_DIVISIONS, SMALL_PERSON_FRACTION = 2, 3, 0.25
# Silhouettes are computed in one of this many frames, so that a clip has about as many as it needs: the least interval, and the
# interval for footage that does not declare its length.
MIN_SILHOUETTE_INTERVAL, DEFAULT_SILHOUETTE_INTERVAL = 4, 24
# Seconds of footage in which every tile is processed once, and how many tiles are processed at once, in one frame: while somebody is
# tracked, and while nobody is. In the first frame all tiles are processed.
TILE_CYCLE, EMPTY_TILE_CYCLE = (2.5, 4), (1.0, 8)


@detector("mediapipe")
class MediaPipeDetector(Detector):
    """Finds several people, with 33 landmarks each in the image and in metres. Raises ModelError if the quality's model is missing."""

    keypoint_set = "blazepose33"

    def __init__(self, request: ReconstructRequest | None = None) -> None:
        super().__init__(request)
        self._model = landmark_model("standard" if request is None else request.quality)
        self._landmarkers = LandmarkerPool(self._model)
        self._network = LandmarkNetwork(self._model)
        self._has_silhouettes = request is None or needs_silhouettes(request)
        self._silhouette_interval = DEFAULT_SILHOUETTE_INTERVAL

    def open(self, path: PathArgument, frames: FrameRange | None = None, fps: float | None = None) -> Footage:
        footage = super().open(path, frames, fps)
        if footage.num_declared_frames:
            self._silhouette_interval = max(MIN_SILHOUETTE_INTERVAL, -(-footage.num_declared_frames // MAX_SILHOUETTES))
        return footage

    def identity(self) -> str:
        model = "" if self._model.name == STANDARD_MODEL else f" {self._model.name}"
        silhouettes = "" if self._has_silhouettes else " without silhouettes"
        return f"mediapipe {importlib.metadata.version('mediapipe')} {self._model.stat().st_size}{model}{silhouettes}"

    def close(self) -> None:
        self._landmarkers.close()

    def detect(self, frame: Frame, expected: list[ExpectedPerson]) -> list[Detection]:
        image = frame.image
        if image is None:
            return []
        with_silhouettes = self._has_silhouettes and frame.row % self._silhouette_interval == 0
        lost = [person for person in expected if person.is_lost and person.missed % LOST_INTERVAL == 0]
        expected = [person for person in expected if not person.is_lost]
        found, elsewhere = self._find_expected(image, expected, with_silhouettes)
        found += self._confirm_newcomers(image, elsewhere, found, with_silhouettes)
        tiles, rounds = self._due_tiles(frame, image, expected), MAX_ROUNDS if frame.is_first_of_shot else 1
        tiles += [square_around(person.box, LOST_MARGIN, person.quarter_turns) for person in lost]
        found += self._find_newcomers(image, tiles, found, with_silhouettes, rounds)
        if frame.is_first_of_shot and self._are_people_small(image, map(self._person_box, found)):
            found += self._find_newcomers(image, self._additional_fine_tiles(image), found, with_silhouettes)
        return [replace(person, appearance=compute_appearance(image, person.keypoints, self.keypoint_set)) for person in found]

    def _find_expected(
        self, image: ImageArray, expected: list[ExpectedPerson], with_silhouettes: bool
    ) -> tuple[list[Detection], list[Detection]]:
        """The people who are expected, and who else was seen around them."""
        followed = follow_touching(expected, partial(self._look_without, image), self.keypoint_set)
        missing = [person for number, person in enumerate(expected) if number not in followed]
        # All crops are submitted before the first result is awaited.
        jobs = [self._landmarkers.submit(self._detect_around, image, person, with_silhouettes) for person in missing]
        at_expected, elsewhere = self._split_by_expected(_results(jobs), expected)
        found = list(followed.values())
        found += [each for each in remove_duplicates(at_expected, self.keypoint_set) if not self._is_known(each, found)]
        return found + self._look_again(image, expected, found, with_silhouettes), elsewhere

    def _look_without(self, image: ImageArray, person: ExpectedPerson, others: list[FloatArray]) -> Detection | None:
        """A person where they are expected, in the image without others, of keypoints (K,3) each; None if nobody is seen there."""
        square = own_square(person, self.keypoint_set)
        crop = crop_without_others(image, square, np.asarray(person.keypoints, float), others, CROP_SIDE, self.keypoint_set)
        if crop is None:
            return None
        landmarks = self._network.find_landmarks(crop[0])
        if landmarks.is_person < MIN_PERSON:
            return None
        return detection_of_landmarks(landmarks, None, crop[1], square.quarter_turns, (image.shape[1], image.shape[0]))

    def _find_newcomers(
        self, image: ImageArray, tiles: list[Square], known: list[Detection], with_silhouettes: bool, rounds: int = 1
    ) -> list[Detection]:
        """The people in tiles who are not known yet; in several rounds, also those whom the ones found before outshine."""
        found: list[Detection] = []
        for _round in range(rounds if tiles else 0):
            painted = paint_over(image, known + found, self.keypoint_set)
            new = self._confirm_newcomers(painted, _results(self._submit_tiles(painted, tiles)), known + found, with_silhouettes)
            if not new:
                break
            found += new
        return found

    def _look_again(
        self, image: ImageArray, expected: list[ExpectedPerson], found: list[Detection], with_silhouettes: bool
    ) -> list[Detection]:
        """Those expected people who were not found because somebody whom the landmarker prefers is before or beside them."""
        boxes = [self._person_box(detection) for detection in found]
        missing = [person for person in self._without_detection(expected, boxes) if _may_be_outshone(person, boxes)]
        again: list[Detection] = []
        if not missing:
            return again
        painted = paint_over(image, found, self.keypoint_set)
        jobs = [self._landmarkers.submit(self._detect_behind, painted, person, with_silhouettes) for person in missing]
        for job in jobs:
            for detection in job.result():
                if not self._is_known(detection, found + again):
                    again.append(detection)
                    break
        return again

    def _detect_behind(self, painted: ImageArray, person: ExpectedPerson, with_silhouettes: bool) -> list[Detection]:
        """The detections of an expected person in an image without those who were found, which another crop confirms."""
        squares = [square_around(person.box, margin, person.quarter_turns) for margin in SECOND_LOOK_MARGINS]
        seen = [detection for square in squares for detection in self._landmarkers.detect(painted, square, with_silhouettes)]
        here = [detection for detection in seen if box_iou(person.box, self._person_box(detection)) > MIN_EXPECTED_IOU]
        confirmed = [a for a in here if any(a is not b and self._confirms(a, b) for b in seen)]
        return sorted(confirmed, key=lambda detection: -box_iou(person.box, self._person_box(detection)))

    @staticmethod
    def _without_detection(expected: list[ExpectedPerson], boxes: list[FloatArray]) -> list[ExpectedPerson]:
        """The expected people to whom none of the boxes (4,) px of detections belongs, each box to one person."""
        overlaps = np.array([[box_iou(person.box, box) for box in boxes] for person in expected]).reshape(len(expected), len(boxes))
        missing = set(range(len(expected)))
        while overlaps.size and overlaps.max() > MIN_EXPECTED_IOU:
            row, column = np.unravel_index(overlaps.argmax(), overlaps.shape)
            missing.discard(int(row))
            overlaps[row], overlaps[:, column] = 0.0, 0.0
        return [expected[row] for row in sorted(missing)]

    def _split_by_expected(self, detections: list[Detection], expected: list[ExpectedPerson]) -> tuple[list[Detection], list[Detection]]:
        """The detections where somebody was expected, and the others."""
        at_expected: list[Detection] = []
        elsewhere: list[Detection] = []
        for detection in detections:
            box = self._person_box(detection)
            is_expected = any(box_iou(person.box, box) > MIN_EXPECTED_IOU for person in expected)
            (at_expected if is_expected else elsewhere).append(detection)
        return at_expected, elsewhere

    def _submit_tiles(self, image: ImageArray, tiles: list[Square]) -> list[Future[list[Detection]]]:
        return [self._landmarkers.submit(self._landmarkers.detect, image, tile) for tile in tiles]

    def _due_tiles(self, frame: Frame, image: ImageArray, expected: list[ExpectedPerson]) -> list[Square]:
        """The tiles to process in this frame: now and then a few, so that all are processed within a TILE_CYCLE."""
        height, width = image.shape[:2]
        if frame.is_first_of_shot or frame.changes_at_once:
            return image_tiles(width, height, TILE_DIVISIONS)
        are_small = self._are_people_small(image, (person.box for person in expected))
        tiles = image_tiles(width, height, FINE_TILE_DIVISIONS if are_small else TILE_DIVISIONS)
        seconds, at_once = TILE_CYCLE if expected else EMPTY_TILE_CYCLE
        first, end = (at_once * int(time * len(tiles) / (seconds * at_once)) for time in (frame.time - frame.interval, frame.time))
        return [tiles[i % len(tiles)] for i in range(max(first, end - at_once), end)]

    @staticmethod
    def _additional_fine_tiles(image: ImageArray) -> list[Square]:
        """The tiles of FINE_TILE_DIVISIONS that are smaller than those of TILE_DIVISIONS."""
        height, width = image.shape[:2]
        coarse, fine = (image_tiles(width, height, divisions) for divisions in (TILE_DIVISIONS, FINE_TILE_DIVISIONS))
        return fine[len(coarse) :]

    @staticmethod
    def _are_people_small(image: ImageArray, boxes: Iterable[FloatArray]) -> bool:
        """Whether people are so small that others of their size may have been missed; true if there are none."""
        heights = [box[3] - box[1] for box in boxes]
        return not heights or bool(np.median(heights) < SMALL_PERSON_FRACTION * min(image.shape[:2]))

    def _detect_around(self, image: ImageArray, person: ExpectedPerson, with_silhouettes: bool) -> list[Detection]:
        """The people around an expected one, in crop after crop until one is where the person was expected.

        Of a person who was missed only detections that another crop confirms count: somersaults and glare cause false ones.
        """
        found: list[Detection] = []
        for square in search_squares(person):
            found += self._landmarkers.detect(image, square, with_silhouettes)
            if person.missed == 0 and any(box_iou(person.box, self._person_box(each)) > MIN_EXPECTED_IOU for each in found):
                return found
        if person.missed == 0:
            return found
        return [a for a in found if any(a is not b and self._confirms(a, b) for b in found)]

    def _confirm_newcomers(
        self, image: ImageArray, candidates: list[Detection], known: list[Detection], with_silhouettes: bool
    ) -> list[Detection]:
        """Of the candidates those who are not known yet, as a crop around each of them shows them again."""
        new = [candidate for candidate in remove_duplicates(candidates, self.keypoint_set) if not self._is_known(candidate, known)]
        expected = [ExpectedPerson(self._person_box(candidate)) for candidate in new]
        jobs = [self._landmarkers.submit(self._detect_around, image, person, with_silhouettes) for person in expected]
        confirmed: list[Detection] = []
        for candidate, job in zip(new, jobs):
            for detection in job.result():
                if self._confirms(candidate, detection) and not self._is_known(detection, known + confirmed):
                    confirmed.append(detection)
                    break
        return confirmed

    def _confirms(self, a: Detection, b: Detection) -> bool:
        return detection_similarity(a, b, self.keypoint_set) > MIN_CONFIRMING_SIMILARITY

    def _is_known(self, detection: Detection, others: list[Detection]) -> bool:
        """Whether a detection shows a person among the others, or a part of one."""
        box = self._person_box(detection)
        for other in others:
            other_box = self._person_box(other)
            size = body_size(other_box)
            around = other_box + PART_MARGIN * size * np.array([-1, -1, 1, 1])
            is_part = body_size(box) < PART_SIZE * size and contained_fraction(box, around) > MAX_PART_FRACTION
            is_inside = contained_fraction(box, other_box) > MAX_CONTAINED_FRACTION
            if is_part or is_inside or is_same_person(detection, other, self.keypoint_set):
                return True
        return False

    def _person_box(self, detection: Detection) -> FloatArray:
        return person_box(detection.keypoints, self.keypoint_set)


def needs_silhouettes(request: ReconstructRequest) -> bool:
    """Whether silhouettes are computed: a draft that no refiner looks at needs none, and the time is saved."""
    return request.quality != "draft" or "silhouettes" in chosen_refiners(request.refine, request.quality)


def landmark_model(quality: str) -> Path:
    """The path of the landmark model of a quality. Raises ModelError: it is missing or damaged."""
    name = QUALITY_LEVELS[quality].landmark_model
    try:
        return model_file(name)
    except ModelError as error:
        if name != HEAVY_MODEL or error.name != "model-file-missing":
            raise
        raise ModelError(
            "best-model-missing",
            "Quality Best needs the larger landmark model {name}, which this installation does not have.",
            "Choose Quality Standard, or install the add-on again from a zip that contains it; in a checkout, install npm and run "
            "`python3 build.py setup`.",
            name=name,
        ) from error


def _results(jobs: list[Future[list[Detection]]]) -> list[Detection]:
    """The detections of all jobs, in order."""
    return [detection for job in jobs for detection in job.result()]


def _may_be_outshone(person: ExpectedPerson, boxes: list[FloatArray]) -> bool:
    """Whether somebody in one of the boxes (4,) px is in the crop of an expected person."""
    square = square_around(person.box, SECOND_LOOK_MARGINS[-1])
    half = square.side / 2
    crop = np.array([square.x - half, square.y - half, square.x + half, square.y + half])
    return any(contained_fraction(box, crop) > 0.0 for box in boxes)


def search_squares(person: ExpectedPerson) -> list[Square]:
    """The Squares in which to search for a person, in order.

    A person seen in the frame before gets up to three crops. A person who was missed gets two each frame: in turn close by,
    farther around, and rotated.
    """
    if person.missed == 0:
        return [square_around(person.box, margin, person.quarter_turns) for margin in CROP_MARGINS]
    margins, turns = MISSED_CROPS[person.missed % len(MISSED_CROPS)]
    return [square_around(person.box, margin, person.quarter_turns + turns) for margin in margins]
