"""The second look: which crops it takes, and that its keypoints are filled in place, in order, while the detector goes on."""

from threading import Event

import numpy as np
import pytest
import torch

from blender_meshrec.backend.detection import second_look
from blender_meshrec.backend.detection.detections import Detection
from blender_meshrec.backend.detection.second_look import MAX_WAITING, SecondLook, crop_of, upright_square
from blender_meshrec.backend.footage.frame_source import Frame
from blender_meshrec.backend.tracking.detect_and_track import open_second_look
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.files.model_files import model_file
from blender_meshrec.core.skeletons import KEYPOINT_SETS

PICTURE = np.zeros((400, 600, 3), np.uint8)
NAMES = KEYPOINT_SETS["blazepose33"].index


def figure(x=300.0, lying=False):
    """Keypoints (33,3) of somebody upright, 200 px tall, or lying with the head to the right."""
    place = {"nose": (0, 100), "shoulder": (20, 80), "hip": (14, 10), "knee": (14, -50), "ankle": (14, -100)}
    points = np.zeros((33, 3), np.float32)
    for name, column in NAMES.items():
        side = -1 if name.startswith("left") else 1
        across, up = place.get(name.partition("_")[2] or name, (5, 90))
        points[column] = (x + up, 200 + side * across, 1) if lying else (x - side * across, 200 - up, 1)
    return points


class Network:
    """In place of MoveNet: finds every keypoint in the crop's middle, as sure as the picture is bright."""

    def __init__(self, monkeypatch):
        self.batches, self.go_on = [], Event()
        self.go_on.set()
        monkeypatch.setattr(second_look, "load_movenet", lambda device: None)
        monkeypatch.setattr(second_look, "find_keypoints", self.find)

    def find(self, _network, images):
        self.go_on.wait(20)
        self.batches.append(len(images))
        confidence = images.mean((1, 2, 3))[:, None, None] / 255
        return np.concatenate([np.full((len(images), 17, 2), 0.5), np.broadcast_to(confidence, (len(images), 17, 1))], -1)


@pytest.fixture
def looking():
    look = SecondLook(model_file("contacts.safetensors"), torch.device("cpu"))
    yield look
    look.close()


def frame(row, brightness=0):
    return Frame(row, row / 30, 1 / 30, PICTURE + np.uint8(brightness))


def test_a_square_is_around_the_person_and_turned_upright():
    upright, lying = upright_square(figure(), "blazepose33"), upright_square(figure(lying=True), "blazepose33")
    assert upright.quarter_turns == pytest.approx(0) and abs(lying.quarter_turns) == pytest.approx(1)
    assert upright.side == pytest.approx(1.25 * 200, abs=1) == lying.side
    assert (upright.x, upright.y) == pytest.approx((300, 200), abs=1) and (lying.x, lying.y) == pytest.approx((300, 200), abs=1)


def test_others_nearby_are_taken_out_of_the_crop():
    picture = np.full((400, 600, 3), 90, np.uint8)
    picture[:, 360:] = 250
    alone, beside, far = (crop_of(picture, figure(), others, "blazepose33").image for others in ([], [figure(390.0)], [figure(590.0)]))
    assert np.array_equal(alone, far)
    assert (beside == 250).mean() < 0.6 * (alone == 250).mean()


def test_keypoints_are_filled_in_place_while_the_detector_goes_on(monkeypatch, looking):
    network = Network(monkeypatch)
    network.go_on.clear()
    found = [looking.look_at(frame(row, 50 * row), [Detection(figure(), None, 0.9)], "blazepose33")[0] for row in range(3)]
    assert looking.num_unfilled == 3 and not any(each.second_look.any() for each in found)
    network.go_on.set()
    looking.run()
    assert looking.num_unfilled == 0 and network.batches == [1, 1, 1]
    assert [each.second_look[4].tolist() for each in found] == [pytest.approx([300, 200, 50 * row / 255], abs=1) for row in range(3)]


def test_frames_without_a_picture_or_a_person_keep_nobody_waiting(monkeypatch, looking):
    Network(monkeypatch)
    (unseen,) = looking.look_at(Frame(0, 0.0, 1 / 30, None), [Detection(figure(), None, 0.9)], "blazepose33")
    assert looking.look_at(frame(1), [], "blazepose33") == [] and looking.num_unfilled == 0 and not unseen.second_look.any()


def test_it_looks_in_one_of_so_many_frames(monkeypatch):
    network = Network(monkeypatch)
    look = SecondLook(model_file("contacts.safetensors"), torch.device("cpu"), step=3)
    found = [look.look_at(frame(row, 90), [Detection(figure(), None, 0.9)], "blazepose33")[0] for row in range(5)]
    look.run()
    look.close()
    assert [each.second_look is not None for each in found] == [True, False, False, True, False] and len(network.batches) == 2
    assert look.num_unfilled == 0 and look.identity.endswith("every 3")


def test_no_more_than_some_batches_wait(monkeypatch, looking):
    network = Network(monkeypatch)
    for row in range(3 * MAX_WAITING):
        looking.look_at(frame(row), [Detection(figure(), None, 0.9)], "blazepose33")
        assert len(looking._waiting) <= MAX_WAITING
    looking._batch = 4
    for row in range(3):
        looking.look_at(frame(row), [Detection(figure(), None, 0.9)] * 2, "blazepose33")
    assert looking.num_unfilled >= 1  # the third frame's two wait for more
    looking.run()
    assert sum(network.batches) == 3 * MAX_WAITING + 6 and network.batches[-2:] == [4, 2]


def test_an_error_of_the_network_reaches_the_run(monkeypatch, looking):
    Network(monkeypatch)
    monkeypatch.setattr(second_look, "find_keypoints", lambda network, images: 1 / 0)
    looking.look_at(frame(0), [Detection(figure(), None, 0.9)], "blazepose33")
    with pytest.raises(ZeroDivisionError):
        looking.run()


def test_draft_and_other_detectors_have_no_second_look_and_its_absence_is_told(monkeypatch, tmp_path):
    assert open_second_look(ReconstructRequest("a.mp4", quality="draft"), 30.0) == (None, [])
    assert open_second_look(ReconstructRequest("a.mp4", detector="rtmlib"), 30.0) == (None, [])
    monkeypatch.setattr("blender_meshrec.core.files.model_files.model_folders", lambda: [tmp_path])
    look, (note,) = open_second_look(ReconstructRequest("a.mp4"), 30.0)
    assert look is None and "second look" in note and "build.py setup" in note
