"""MediaPipe's pose landmarker, made to find several and small people.

The landmarker alone misses people who are small in the picture or stand close together. Here it looks at crops: one
round each person who is being followed, where it sees them large, and tiles of the picture, by turns, where newcomers
may be. Every crop is judged as a still image: the landmarker's own smoothing assumes 30 frames a second, lags, and
follows whom it likes. What a tile shows is believed once a crop round the same place shows it again. Who stands on their
head, which it does not recognise, is turned upright for it.

The tiles, the turns and the checks are ours.
"""

import importlib.metadata
from dataclasses import replace

import numpy as np

from ...core.files.model_files import model_file
from ...core.silhouettes import MAX_SILHOUETTES
from ..registry import detector
from ..tracking.tracker import ExpectedPerson
from .crops import image_tiles, square_around
from .detections import box_iou, compute_appearance, contained_fraction, detection_similarity, is_same_person, person_box, remove_duplicates
from .detector import Detector
from .landmarkers import LandmarkerPool

MODEL = "pose_landmarker.task"
# A crop's side over the person's: room for a step or a raised arm, yet the person large enough to be seen apart from
# others. A closer and a wider look follow where nobody is seen.
CROP_MARGINS = (1.35, 1.1, 2.0)
# For somebody who was missed, two crops a frame, by turns: how wide, and how many quarter turns from how they last stood.
MISSED_CROPS = (((1.1, 1.35), 0), ((2.0, 2.8), 0), ((1.1, 1.35), 2), ((2.0, 2.8), 0), ((1.35, 2.0), 1), ((1.35, 2.0), 3))
# Overlap of the boxes from which a person stands where one was expected.
MIN_EXPECTED_IOU = 0.3
# Likeness of two looks at one person; a false find hardly ever looks the same twice.
MIN_CONFIRMING_SIMILARITY = 0.35
# Share of a newcomer's box in somebody else's from which it is taken for a piece of them.
MAX_CONTAINED_FRACTION = 0.9
# Tiles go down to this part of the picture's short side, and to the second where people are smaller than SMALL_PERSON_FRACTION of it.
TILE_DIVISIONS, FINE_TILE_DIVISIONS, SMALL_PERSON_FRACTION = 2, 3, 0.25
# Everybody is cut out in every so many frames, so that there are about as many silhouettes as a clip needs; in no fewer than the
# second, and where footage does not say how long it is, than the third.
MIN_SILHOUETTE_INTERVAL, DEFAULT_SILHOUETTE_INTERVAL = 4, 24
# Seconds of footage in which every tile has its turn, and how many are looked at in one frame at most: while somebody is
# followed, and while nobody is. In the first frame all are.
TILE_CYCLE, EMPTY_TILE_CYCLE = (2.5, 4), (1.0, 8)


@detector("mediapipe")
class MediaPipeDetector(Detector):
    """Finds several people, with their 33 landmarks in the picture and in metres. Raises ModelError if the bundle is missing."""

    keypoint_set = "blazepose33"

    def __init__(self, request=None):
        self._model = model_file(MODEL)
        self._landmarkers = LandmarkerPool(self._model)
        self._silhouette_interval = DEFAULT_SILHOUETTE_INTERVAL

    def open(self, path, frames=None, fps=None):
        footage = super().open(path, frames, fps)
        if footage.num_declared_frames:
            self._silhouette_interval = max(MIN_SILHOUETTE_INTERVAL, -(-footage.num_declared_frames // MAX_SILHOUETTES))
        return footage

    def identity(self):
        return f"mediapipe {importlib.metadata.version('mediapipe')} {self._model.stat().st_size}"

    def close(self):
        self._landmarkers.close()

    def detect(self, frame, expected):
        if frame.image is None:
            return []
        image = frame.image
        with_silhouettes = frame.row % self._silhouette_interval == 0
        following = [self._landmarkers.submit(self._detect_around, image, person, with_silhouettes) for person in expected]
        glimpsing = self._detect_in_tiles(image, self._due_tiles(frame, expected))
        seen = [pose for job in following for pose in job.result()]
        there = [any(box_iou(person.box, self._person_box(pose)) > MIN_EXPECTED_IOU for person in expected) for pose in seen]
        found = remove_duplicates([pose for pose, expected_here in zip(seen, there) if expected_here], self.keypoint_set)
        strangers = [pose for pose, expected_here in zip(seen, there) if not expected_here]
        found += self._confirm_newcomers(image, strangers + [pose for job in glimpsing for pose in job.result()], found, with_silhouettes)
        if frame.row == 0 and self._are_people_small(image, map(self._person_box, found)):
            coarse, fine = (image_tiles(image.shape[1], image.shape[0], parts) for parts in (TILE_DIVISIONS, FINE_TILE_DIVISIONS))
            glimpsing = self._detect_in_tiles(image, fine[len(coarse) :])
            found += self._confirm_newcomers(image, [pose for job in glimpsing for pose in job.result()], found, with_silhouettes)
        return [replace(pose, appearance=compute_appearance(image, pose.keypoints, self.keypoint_set)) for pose in found]

    def _detect_in_tiles(self, image, tiles):
        return [self._landmarkers.submit(self._landmarkers.detect, image, tile) for tile in tiles]

    def _due_tiles(self, frame, expected):
        """The tiles whose turn it is: a few, so that all have had theirs within a TILE_CYCLE."""
        width, height = frame.image.shape[1], frame.image.shape[0]
        if frame.row == 0:
            return image_tiles(width, height, TILE_DIVISIONS)
        tiles = image_tiles(
            width,
            height,
            FINE_TILE_DIVISIONS if self._are_people_small(frame.image, (person.box for person in expected)) else TILE_DIVISIONS,
        )
        seconds, most = TILE_CYCLE if expected else EMPTY_TILE_CYCLE
        first, end = (int(moment * len(tiles) / seconds) for moment in (frame.time - frame.interval, frame.time))
        return [tiles[turn % len(tiles)] for turn in range(max(first, end - most), end)]

    @staticmethod
    def _are_people_small(image, boxes):
        """Whether people are so small that others like them may have been overlooked; so it is when there are none."""
        heights = [box[3] - box[1] for box in boxes]
        return not heights or np.median(heights) < SMALL_PERSON_FRACTION * min(image.shape[:2])

    def _detect_around(self, image, person, with_silhouettes):
        """The people round an expected one: looks until somebody stands there, not just nearby.

        Of who was missed only what two looks agree on counts: somersaults and glare make up people.
        """
        seen = []
        for square in search_squares(person):
            seen += self._landmarkers.detect(image, square, with_silhouettes)
            if person.missed == 0 and any(box_iou(person.box, self._person_box(pose)) > MIN_EXPECTED_IOU for pose in seen):
                return seen
        if person.missed == 0:
            return seen
        return [
            a for a in seen if any(a is not b and detection_similarity(a, b, self.keypoint_set) > MIN_CONFIRMING_SIMILARITY for b in seen)
        ]

    def _confirm_newcomers(self, image, candidates, found, with_silhouettes):
        """Of people glimpsed, those who are not yet found and look the same from a crop of their own."""
        new = [pose for pose in remove_duplicates(candidates, self.keypoint_set) if not self._is_known(pose, found)]
        second_looks = [
            self._landmarkers.submit(self._detect_around, image, ExpectedPerson(self._person_box(pose)), with_silhouettes) for pose in new
        ]
        confirmed = []
        for glimpse, job in zip(new, second_looks):
            for pose in job.result():
                if detection_similarity(glimpse, pose, self.keypoint_set) > MIN_CONFIRMING_SIMILARITY and not self._is_known(
                    pose, found + confirmed
                ):
                    confirmed.append(pose)
                    break
        return confirmed

    def _is_known(self, pose, others):
        """Whether a pose lies on one of those found already; a small one that lies all within is taken for a part of it."""
        box = self._person_box(pose)
        return any(
            is_same_person(pose, other, self.keypoint_set) or contained_fraction(box, self._person_box(other)) > MAX_CONTAINED_FRACTION
            for other in others
        )

    def _person_box(self, pose):
        return person_box(pose.keypoints, self.keypoint_set)


def search_squares(person):
    """The Squares in which to look for somebody, in order.

    Who was there a moment ago is worth several looks. Who has been missed gets a pair of them each frame: by turns close
    by, farther round, and on their head or side.
    """
    if person.missed == 0:
        return [square_around(person.box, margin, person.quarter_turns) for margin in CROP_MARGINS]
    margins, turns = MISSED_CROPS[person.missed % len(MISSED_CROPS)]
    return [square_around(person.box, margin, person.quarter_turns + turns) for margin in margins]
