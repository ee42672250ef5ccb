"""Portraits: upright, of head and shoulders, taken often enough, and the best one chosen."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend.detection.detections import Detection
from blender_meshrec.backend.footage.frame_source import Frame
from blender_meshrec.backend.tracking.portraits import PORTRAIT_INTERVAL, PORTRAIT_SIDE, add_portraits, crop_portrait
from blender_meshrec.backend.tracking.tracker import MIN_TRACK_TIME, Tracker
from blender_meshrec.core.skeletons import KEYPOINT_SETS

POINTS = KEYPOINT_SETS["coco17"].points
# Upright, arms down, in an image of 320 x 240: the head is red, the torso green, everything else grey.
POSITIONS = {"nose": (160, 50), "shoulder": (25, 90), "elbow": (35, 130), "wrist": (35, 160), "hip": (15, 160), "knee": (15, 200)}


def person_and_image():
    keypoints = np.zeros((len(POINTS), 3))
    for index, name in enumerate(POINTS):
        side, _, part = name.partition("_")
        if name == "nose":
            keypoints[index] = (*POSITIONS["nose"], 1)
        elif part in POSITIONS:
            offset, y = POSITIONS[part]
            keypoints[index] = (160 + (offset if side == "left" else -offset), y, 1)
    image = np.full((240, 320, 3), 128, np.uint8)
    image[30:70, 145:175] = (255, 0, 0)
    image[90:160, 145:175] = (0, 255, 0)
    return keypoints, image


@pytest.mark.parametrize("turns", range(4))
def test_a_portrait_is_upright_in_every_orientation(turns):
    keypoints, image = person_and_image()
    for _ in range(turns):  # a quarter turn counterclockwise
        keypoints = np.column_stack([keypoints[:, 1], image.shape[1] - keypoints[:, 0], keypoints[:, 2]])
        image = np.rot90(image)
    portrait = crop_portrait(np.ascontiguousarray(image), keypoints, "coco17")
    assert portrait.shape == (PORTRAIT_SIDE, PORTRAIT_SIDE, 3) and portrait.dtype == np.uint8
    red, green = (np.argwhere((portrait[..., channel] > 200) & (portrait.min(-1) < 60)) for channel in (0, 1))
    assert len(red) > 0.02 * PORTRAIT_SIDE**2 and len(green) > 0.02 * PORTRAIT_SIDE**2
    assert red[:, 0].mean() < PORTRAIT_SIDE / 2 < green[:, 0].mean()  # rows: the head is above
    assert abs(red[:, 1].mean() - PORTRAIT_SIDE / 2) < PORTRAIT_SIDE / 8


def test_people_outside_the_image_have_no_portrait():
    keypoints, image = person_and_image()
    assert crop_portrait(image, keypoints + [1000, 0, 0], "coco17") is None
    assert crop_portrait(image, keypoints * [1, 1, 0], "coco17") is None


def test_every_confirmed_person_has_their_best_portrait():
    keypoints, image = person_and_image()
    tracker, rate = Tracker("coco17"), 30
    first = 7  # frames before are empty
    for row in range(first + int(np.ceil(rate * max(PORTRAIT_INTERVAL, MIN_TRACK_TIME))) + 1):
        shade = np.uint8(row)
        frame = Frame(row, row / rate, 1 / rate if row else 0.0, np.minimum(image, 200 + shade // 8))
        detection = Detection(keypoints, None, 0.9)
        detections = add_portraits(frame, [detection] if row >= first else [], "coco17")
        tracker.update(row, frame.time, detections)
    (person,) = tracker.people()
    assert person.portrait is not None
    confident, uncertain = (replace(detection, score=score, portrait=np.full((4, 4, 3), 100 * score)) for score in (0.9, 0.5))
    tracker = Tracker("coco17")
    for row, each in enumerate((uncertain, confident, uncertain)):
        tracker.update(row, row / 2, [each])
    assert tracker.people()[0].portrait.max() == 90
