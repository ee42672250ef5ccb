"""Painting over people who are known, and finding those whom they hide from the landmarker."""

from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend.detection import mediapipe_detector
from blender_meshrec.backend.detection.detections import Detection, person_box
from blender_meshrec.backend.detection.detector import ExpectedPerson
from blender_meshrec.backend.detection.painting import paint_over
from blender_meshrec.backend.footage.frame_source import Frame
from tests.support.synthetic_keypoints import animate_stick_figure, project_orthographic

BACKGROUND, RED, BLUE = (40, 120, 60), (220, 30, 30), (30, 30, 220)


def standing(x, scale=150.0):
    """Somebody who stands at x px, as a Detection."""
    return Detection(project_orthographic(animate_stick_figure([0.0], pace=0), (x, 240), scale)[0], None, 0.9)


def picture(*people):
    """A picture (480,640,3) in which the boxes of people, (Detection, colour), are filled; the last ones are in front."""
    image = np.full((480, 640, 3), BACKGROUND, np.uint8)
    for person, colour in people:
        left, top, right, bottom = person_box(person.keypoints, "blazepose33").round().astype(int)
        image[top:bottom, left:right] = colour
    return image


def torso_colour(image, person):
    x, y = person.keypoints[[11, 12, 23, 24], :2].mean(0).round().astype(int)
    return tuple(int(value) for value in image[y, x])


def test_the_body_takes_the_colours_around_it_and_all_else_stays():
    person = standing(320)
    image = np.full((480, 640, 3), BACKGROUND, np.uint8)
    image[150:350, 290:350] = RED
    painted = paint_over(image, [person], "blazepose33")
    assert np.abs(np.subtract(torso_colour(painted, person), BACKGROUND)).max() < 60
    assert torso_colour(image, person) == RED  # the picture given is not changed
    left, top, right, bottom = person_box(person.keypoints, "blazepose33").round().astype(int)
    outside = np.ones(image.shape[:2], bool)
    outside[max(top - 60, 0) : bottom + 60, left - 60 : right + 60] = False
    assert np.array_equal(painted[outside], image[outside])


def test_a_picture_without_people_and_people_outside_of_it_change_nothing():
    image = picture()
    assert paint_over(image, [], "blazepose33") is image
    assert np.array_equal(paint_over(image, [standing(5000)], "blazepose33"), image)


class PreferringLandmarkers:
    """A landmarker that reports, of the people in a square, only the one whom it prefers: the first whose torso shows their colour."""

    def __init__(self, people):
        self._people = people

    def submit(self, work, *arguments, **options):
        done = Future()
        done.set_result(work(*arguments, **options))
        return done

    def detect(self, image, square, with_silhouettes=False):
        for person, colour in self._people:
            x, y = person.keypoints[[11, 12, 23, 24], :2].mean(0)
            inside = abs(x - square.x) < square.side / 2 and abs(y - square.y) < square.side / 2
            if inside and np.abs(np.subtract(torso_colour(image, person), colour)).max() < 40:
                return [replace(person)]
        return []

    def close(self):
        pass


@pytest.fixture
def two_people(monkeypatch):
    """A detector, a picture of two people side by side of whom the landmarker prefers one, and the two."""
    monkeypatch.setattr(mediapipe_detector, "landmark_model", lambda quality: None)
    front, other = standing(300), standing(352)
    detector = mediapipe_detector.MediaPipeDetector()
    detector._landmarkers = PreferringLandmarkers([(front, RED), (other, BLUE)])
    image = picture((front, RED))
    for person, colour in ((other, BLUE), (front, RED)):
        x, y = person.keypoints[[11, 12, 23, 24], :2].mean(0).round().astype(int)
        image[y - 8 : y + 8, x - 8 : x + 8] = colour
    return detector, image, front, other


def test_an_expected_person_beside_somebody_whom_the_landmarker_prefers_is_found(two_people):
    detector, image, front, other = two_people
    expected = [ExpectedPerson(person_box(person.keypoints, "blazepose33")) for person in (front, other)]
    found = detector.detect(Frame(3, 0.1, 0.033, image), expected)
    assert len(found) == 2
    assert {float(each.keypoints[0, 0]) for each in found} == {float(each.keypoints[0, 0]) for each in (front, other)}


def test_in_the_first_frame_people_beside_the_preferred_one_are_found(two_people):
    detector, image, _front, _other = two_people
    assert len(detector.detect(Frame(0, 0.0, 0.033, image), [])) == 2


def test_what_is_small_and_beside_a_known_person_is_a_part_of_them(two_people):
    detector, _image, front, _other = two_people
    hand = standing(0, scale=30.0)
    keypoints = np.array(hand.keypoints)
    keypoints[:, :2] += front.keypoints[15, :2] - keypoints[:, :2].mean(0)
    detection = Detection(keypoints, None, 0.9)
    assert detector._is_known(detection, [front]) and not detector._is_known(detection, [standing(600)])
