"""People who touch are followed by what the picture shows of each, and only where they are expected."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend.detection.crops import Square, crop_square, image_from_turned
from blender_meshrec.backend.detection.detections import Detection, person_box
from blender_meshrec.backend.detection.detector import ExpectedPerson
from blender_meshrec.backend.detection.landmark_network import CROP_SIDE, LandmarkNetwork
from blender_meshrec.backend.detection.landmarkers import LandmarkerPool, detection_of_landmarks
from blender_meshrec.backend.detection.skeleton_drawing import draw_skeleton
from blender_meshrec.backend.detection.touching import crop_without_others, follow_touching, own_square, reach_from_hips, touching_people
from blender_meshrec.backend.footage.images import decode_image
from blender_meshrec.backend.tracking.clean_tracks import clean_tracks
from blender_meshrec.backend.tracking.tracker import Tracker
from blender_meshrec.core.files.model_files import model_file
from blender_meshrec.core.skeletons import KEYPOINT_SETS
from tests.support.synthetic_keypoints import animate_stick_figure, project_orthographic

SET = "blazepose33"
GROUND, RED, BLUE = (40, 120, 60), (220, 30, 30), (30, 30, 220)


def standing(x, y=240.0, scale=150.0):
    return Detection(project_orthographic(animate_stick_figure([0.0], pace=0), (x, y), scale)[0], None, 0.9)


def expected(detection, missed=0):
    keypoints = detection.keypoints
    return ExpectedPerson(person_box(keypoints, SET), 0, missed, keypoints=keypoints, reach=reach_from_hips(keypoints, SET))


def moved(detection, x, y=0.0):
    return replace(detection, keypoints=detection.keypoints + np.array([x, y, 0.0]))


def picture(*people):
    """A picture (480,640,3) of skeletons 22 px wide, (Detection, colour); the last ones are in front."""
    image = np.full((480, 640, 3), GROUND, np.uint8)
    for person, colour in people:
        mask = np.zeros(image.shape[:2], np.uint8)
        draw_skeleton(mask, person.keypoints[:, :2], SET, 255, 15, width=22)
        image[mask > 0] = colour
    return image


def share_of(image, colour):
    return float((np.abs(image.astype(int) - colour).max(-1) < 40).mean())


@pytest.mark.parametrize("quarter_turns", [0.3, -0.6, 1.5])
def test_a_crop_may_be_turned_by_any_angle(quarter_turns):
    """A bright dot of a crop is where `image_from_crop` says, and directions turn as those of whole turns do."""
    image = np.zeros((400, 500, 3), np.uint8)
    image[148:153, 308:313] = 255
    crop = crop_square(image, Square(260, 170, 200, quarter_turns), 128)
    rows, columns = np.nonzero(crop.image[..., 0] > 128)
    place = (np.array([columns.mean(), rows.mean()]) + 0.5) / 128
    np.testing.assert_allclose(crop.image_from_crop @ [*place, 1.0], [310.5, 150.5], atol=1.5)
    np.testing.assert_allclose(image_from_turned(1.0) @ image_from_turned(quarter_turns), image_from_turned(1 + quarter_turns), atol=1e-12)


@pytest.mark.parametrize("in_front", [0, 1])
def test_the_picture_of_one_of_two_who_touch_shows_hardly_anything_of_the_other(in_front):
    mine, other = standing(300), standing(355)
    painted = [(mine, RED), (other, BLUE)]
    image = picture(*(painted if in_front else painted[::-1]))
    square = own_square(expected(mine), SET)
    before = crop_square(image, square, CROP_SIDE).image
    crop, image_from_crop = crop_without_others(image, square, mine.keypoints, [other.keypoints], CROP_SIDE, SET)
    assert crop.shape == (CROP_SIDE, CROP_SIDE, 3)
    assert share_of(crop, BLUE) < 0.25 * share_of(before, BLUE)
    assert share_of(crop, RED) > 0.7 * share_of(before, RED)
    centre = image_from_crop @ [0.5, 0.5, 1.0]
    np.testing.assert_allclose(centre, [square.x, square.y], atol=1.0)


def test_who_stands_in_front_hides_what_is_behind_them():
    """Their feet are lower in the picture, and they are larger: nothing of them is left in the picture of the other."""
    behind, front = standing(300), standing(312, y=275.0, scale=170.0)
    image = picture((behind, RED), (front, BLUE))
    square = own_square(expected(behind), SET)
    crop, _image_from_crop = crop_without_others(image, square, behind.keypoints, [front.keypoints], CROP_SIDE, SET)
    own, _image_from_crop = crop_without_others(image, square, front.keypoints, [behind.keypoints], CROP_SIDE, SET)
    assert share_of(crop, BLUE) < 0.02
    assert share_of(own, BLUE) > 0.6 * share_of(crop_square(image, square, CROP_SIDE).image, BLUE)


def test_turned_crops_take_out_the_same_pixels():
    mine, other = standing(300), standing(355)
    image = picture((mine, RED), (other, BLUE))
    square = own_square(expected(mine), SET)
    upright, turned = (
        crop_without_others(image, square._replace(quarter_turns=turns), mine.keypoints, [other.keypoints], CROP_SIDE, SET)[0]
        for turns in (0, 1)
    )
    assert np.abs(np.rot90(upright).astype(int) - turned).mean() < 2


def test_a_bend_does_not_change_the_square():
    """The size comes from when nobody was near; the place from the hips."""
    person = expected(standing(300))
    bent = np.array(person.keypoints)
    bent[:23, 1] = bent[23, 1]
    one, other = own_square(person, SET), own_square(person._replace(keypoints=bent), SET)
    assert other.side == one.side and (other.x, other.y) == (one.x, one.y)


def test_only_people_who_touch_are_followed():
    people = [expected(standing(x)) for x in (100, 150, 500)]
    assert touching_people(people, SET) == {0: [1], 1: [0]}
    newcomer = people[1]._replace(keypoints=None)
    assert touching_people([people[0], newcomer, people[2]], SET) == {}


def test_people_whose_boxes_alone_meet_do_not_touch():
    """Who raises an arm towards somebody who stands behind at a distance is seen as before."""
    one, other = standing(100), standing(330, y=110.0, scale=60.0)
    keypoints = np.array(one.keypoints)
    index = KEYPOINT_SETS[SET].index
    keypoints[[index["left_wrist"], index["left_index"]], :2] = [335, 300]
    reaching = replace(one, keypoints=keypoints)
    boxes = [person_box(person.keypoints, SET) for person in (reaching, other)]
    assert boxes[0][2] > boxes[1][0] and boxes[0][1] < boxes[1][3]
    assert touching_people([expected(reaching), expected(other)], SET) == {}


@pytest.mark.parametrize(
    ("shift", "missed", "is_followed"), [((6.0, 4.0), 0, True), ((0.0, 160.0), 0, False), ((45.0, 0.0), 0, False), ((45.0, 0.0), 14, True)]
)
def test_what_is_found_agrees_with_what_was_expected(shift, missed, is_followed):
    """The longer ago a person was seen, the farther they may be."""
    one, other = standing(300), standing(220)
    people = [expected(one, missed), expected(other)]
    answers = {id(people[0]): moved(one, *shift), id(people[1]): None}
    found = follow_touching(people, lambda person, others: answers[id(person)], SET)
    assert list(found) == ([0] if is_followed else [])


def test_two_who_are_found_in_one_place_are_not_followed():
    one, other = standing(300), standing(322)
    people = [expected(one), expected(other)]
    assert follow_touching(people, lambda person, others: moved(one, 10.0), SET) == {}
    assert len(follow_touching(people, lambda person, others: replace(one, keypoints=person.keypoints), SET)) == 2


def test_the_landmark_network_agrees_with_the_landmarker(shared_media):
    """A man who kicks a ball: the joints by the network alone, in a square around him, are where the whole landmarker has them."""
    image = decode_image(shared_media / "image" / "debian-opencv-doc__messi5.jpg")
    model, box = model_file("pose_landmarker.task"), np.array([70, 60, 455, 340], float)
    pool = LandmarkerPool(model)
    whole = pool.submit(pool.detect, image, Square(*((box[:2] + box[2:]) / 2), 1.3 * 385)).result()[0]
    pool.close()
    square = own_square(expected(whole), SET)
    landmarks = LandmarkNetwork(model).find_landmarks(crop_square(image, square, CROP_SIDE).image)
    crop = crop_square(image, square, CROP_SIDE)
    found = detection_of_landmarks(landmarks, None, crop.image_from_crop, square.quarter_turns, (image.shape[1], image.shape[0]))
    assert landmarks.is_person > 0.9 and found is not None
    assert np.median(np.linalg.norm(found.keypoints[:, :2] - whole.keypoints[:, :2], axis=1)) < 0.03 * 385
    assert np.median(np.linalg.norm(found.keypoints_3d - whole.keypoints_3d, axis=1)) < 0.08


def test_an_empty_picture_shows_nobody():
    network = LandmarkNetwork(model_file("pose_landmarker.task"))
    assert network.find_landmarks(np.full((CROP_SIDE, CROP_SIDE, 3), 90, np.uint8)).is_person < 0.4


def test_the_tracker_expects_the_pose_of_those_whom_it_knows():
    """After a third of a second; their size is that from before somebody came near."""
    tracker, times = Tracker(SET), np.arange(30) / 30
    for row, time in enumerate(times):
        near = row >= 20
        person = standing(300, scale=150.0 if not near else 100.0)  # what is seen of them becomes smaller
        people = [person, standing(340 if near else 600)]
        tracker.update(row, time, people)
        first = min(tracker.predict(time + 1 / 30), key=lambda each: abs(each.box[[0, 2]].mean() - 300))
        assert (first.keypoints is not None) == (row >= 9)
    np.testing.assert_array_equal(first.keypoints, person.keypoints)
    assert first.reach == pytest.approx(reach_from_hips(standing(300).keypoints, SET), rel=1e-3)


def test_one_who_is_hidden_most_of_the_time_is_nobodys_double():
    """Two who are apart for half a second, and then in one place for two."""
    tracker = Tracker(SET)
    for row in range(75):
        x = 300 + max(0.0, 220 * (1 - row / 15))
        tracker.update(row, row / 30, [standing(300), standing(x + 18)])
    assert len(clean_tracks(tracker._tracks, SET)) == 2
    assert len(clean_tracks([track.part(range(20, 75)) for track in tracker._tracks], SET)) == 1
