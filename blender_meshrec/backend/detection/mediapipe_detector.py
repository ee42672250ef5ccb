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
from ...core.silhouettes import MOST
from ..registry import detector
from ..tracking.tracker import Expected
from .crops import picture_tiles, square_round
from .detections import agreement, appearance, inside, overlap, person_box, same_person, without_doubles
from .detector import Detector
from .landmarkers import Landmarkers

MODEL = "pose_landmarker.task"
# A crop's side over the person's: room for a step or a raised arm, yet the person large enough to be seen apart from
# others. A closer and a wider look follow where nobody is seen.
MARGINS = (1.35, 1.1, 2.0)
# For somebody who was missed, two crops a frame, by turns: how wide, and how many quarter turns from how they last stood.
MISSED = (((1.1, 1.35), 0), ((2.0, 2.8), 0), ((1.1, 1.35), 2), ((2.0, 2.8), 0), ((1.35, 2.0), 1), ((1.35, 2.0), 3))
# Overlap of the boxes from which a person stands where one was expected.
THERE = 0.3
# Likeness of two looks at one person; a false find hardly ever looks the same twice.
CONFIRMED = 0.35
# Share of a newcomer's box in somebody else's from which it is taken for a piece of them.
WITHIN = 0.9
# Tiles go down to this part of the picture's short side, and to the second where people are smaller than SMALL of it.
PARTS, CLOSER_PARTS, SMALL = 2, 3, 0.25
# Everybody is cut out in every so many frames, so that there are about as many silhouettes as a clip needs; in no fewer than the
# second, and where footage does not say how long it is, than the third.
CUT_OUT_LEAST, CUT_OUT_UNKNOWN = 4, 24
# Seconds of footage in which every tile has its turn, and how many are looked at in one frame at most: while somebody is
# followed, and while nobody is. In the first frame all are.
ROUND, NOBODY_ROUND = (2.5, 4), (1.0, 8)


@detector("mediapipe")
class MediaPipeDetector(Detector):
    """Finds several people, with their 33 landmarks in the picture and in metres. Raises ModelError if the bundle is missing."""

    keypoint_set = "blazepose33"

    def __init__(self, request=None):
        self._model = model_file(MODEL)
        self._landmarkers = Landmarkers(self._model)
        self._cut_out_every = CUT_OUT_UNKNOWN

    def open(self, path, frames=None, fps=None):
        footage = super().open(path, frames, fps)
        if footage.claimed:
            self._cut_out_every = max(CUT_OUT_LEAST, -(-footage.claimed // MOST))
        return footage

    def identity(self):
        return f"mediapipe {importlib.metadata.version('mediapipe')} {self._model.stat().st_size}"

    def close(self):
        self._landmarkers.close()

    def find(self, frame, expected):
        if frame.image is None:
            return []
        image = frame.image
        cut_out = frame.row % self._cut_out_every == 0
        following = [self._landmarkers.submit(self._look_for, image, person, cut_out) for person in expected]
        glimpsing = self._glimpse(image, self._tiles(frame, expected))
        seen = [pose for job in following for pose in job.result()]
        there = [any(overlap(person.box, self._box(pose)) > THERE for person in expected) for pose in seen]
        found = without_doubles([pose for pose, expected_here in zip(seen, there) if expected_here], self.keypoint_set)
        strangers = [pose for pose, expected_here in zip(seen, there) if not expected_here]
        found += self._confirm(image, strangers + [pose for job in glimpsing for pose in job.result()], found, cut_out)
        if frame.row == 0 and self._are_small(image, map(self._box, found)):
            coarse, fine = (picture_tiles(image.shape[1], image.shape[0], parts) for parts in (PARTS, CLOSER_PARTS))
            glimpsing = self._glimpse(image, fine[len(coarse) :])
            found += self._confirm(image, [pose for job in glimpsing for pose in job.result()], found, cut_out)
        return [replace(pose, look=appearance(image, pose.keypoints, self.keypoint_set)) for pose in found]

    def _glimpse(self, image, tiles):
        return [self._landmarkers.submit(self._landmarkers.look, image, tile) for tile in tiles]

    def _tiles(self, frame, expected):
        """The tiles whose turn it is: a few, so that all have had theirs within a ROUND."""
        width, height = frame.image.shape[1], frame.image.shape[0]
        if frame.row == 0:
            return picture_tiles(width, height, PARTS)
        tiles = picture_tiles(width, height, CLOSER_PARTS if self._are_small(frame.image, (person.box for person in expected)) else PARTS)
        seconds, most = ROUND if expected else NOBODY_ROUND
        first, end = (int(moment * len(tiles) / seconds) for moment in (frame.time - frame.since, frame.time))
        return [tiles[turn % len(tiles)] for turn in range(max(first, end - most), end)]

    @staticmethod
    def _are_small(image, boxes):
        """Whether people are so small that others like them may have been overlooked; so it is when there are none."""
        heights = [box[3] - box[1] for box in boxes]
        return not heights or np.median(heights) < SMALL * min(image.shape[:2])

    def _look_for(self, image, person, cut_out):
        """The people round an expected one: looks until somebody stands there, not just nearby.

        Of who was missed only what two looks agree on counts: somersaults and glare make up people.
        """
        seen = []
        for square in looks_for(person):
            seen += self._landmarkers.look(image, square, cut_out)
            if person.missed == 0 and any(overlap(person.box, self._box(pose)) > THERE for pose in seen):
                return seen
        if person.missed == 0:
            return seen
        return [a for a in seen if any(a is not b and agreement(a, b, self.keypoint_set) > CONFIRMED for b in seen)]

    def _confirm(self, image, glimpses, found, cut_out):
        """Of people glimpsed, those who are not yet found and look the same from a crop of their own."""
        new = [pose for pose in without_doubles(glimpses, self.keypoint_set) if not self._known(pose, found)]
        second_looks = [self._landmarkers.submit(self._look_for, image, Expected(self._box(pose)), cut_out) for pose in new]
        confirmed = []
        for glimpse, job in zip(new, second_looks):
            for pose in job.result():
                if agreement(glimpse, pose, self.keypoint_set) > CONFIRMED and not self._known(pose, found + confirmed):
                    confirmed.append(pose)
                    break
        return confirmed

    def _known(self, pose, others):
        """Whether a pose lies on one of those found already; a small one that lies all within is taken for a part of it."""
        box = self._box(pose)
        return any(same_person(pose, other, self.keypoint_set) or inside(box, self._box(other)) > WITHIN for other in others)

    def _box(self, pose):
        return person_box(pose.keypoints, self.keypoint_set)


def looks_for(person):
    """The Squares in which to look for somebody, in order.

    Who was there a moment ago is worth several looks. Who has been missed gets a pair of them each frame: by turns close
    by, farther round, and on their head or side.
    """
    if person.missed == 0:
        return [square_round(person.box, margin, person.quarter_turns) for margin in MARGINS]
    margins, turns = MISSED[person.missed % len(MISSED)]
    return [square_round(person.box, margin, person.quarter_turns + turns) for margin in margins]
