"""The list of people of a reconstruction: written, read, edited, and read again without looking at the footage."""

import json
from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend import pipeline, registry
from blender_meshrec.backend.detection.detections import Detection
from blender_meshrec.backend.detection.detector import Detector
from blender_meshrec.backend.footage.video import Video
from blender_meshrec.backend.people_list import apply_people_list, with_doubts
from blender_meshrec.backend.pipeline import chosen_people, recover
from blender_meshrec.backend.tracking.detect_and_track import detect_and_track
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core import people_edits as edits
from blender_meshrec.core.errors import InputError
from blender_meshrec.core.files.people_file import people_from_text, people_to_text, write_people
from tests.support import synthetic_gait
from tests.support.footage_files import make_frame, write_video
from tests.support.synthetic_keypoints import animate_stick_figure, clothing_colours, project_orthographic

TIMES = np.arange(40) / 30
VIEW = synthetic_gait.make_view(distance=5, pitch=0.15)
COUNT = 75


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Exact keypoints of two people side by side, the first larger in the picture."""
    points = synthetic_gait.walk(TIMES).h36m17
    people = [VIEW.keypoints(points + offset) for offset in ([-0.8, -0.6, 0], [0.8, 0.6, 0])]
    path = tmp_path_factory.mktemp("pair") / "pair.npz"
    np.savez(path, keypoints=np.stack(people, 1), keypoint_set="h36m17", image_size=VIEW.size, fps=30.0)
    return ReconstructRequest(str(path), focal=f"{VIEW.intrinsics[0, 0]}px", person="all", quality="draft", include_doubtful=True)


@pytest.fixture(scope="module")
def found(pair):
    return recover(replace(pair, only_find=True))


def people_of(request):
    return apply_people_list(request, detect_and_track(request))


def test_the_list_says_who_is_where(found):
    people = people_from_text(found.people_text)
    assert people.numbers == (1, 2) and people.footage.frames == 40 and people.footage.name == "pair.npz"
    assert all(people.seen_ranges(number) == [(0, 39)] for number in (1, 2))
    assert found.recoveries == () and found.report["people_found"] == 2


def test_without_edits_people_are_as_without_a_list(pair, found):
    plain, listed = people_of(pair), people_of(replace(pair, people_text=found.people_text))
    for one, other in zip(plain.people, listed.people, strict=True):
        assert np.array_equal(one.keypoints, other.keypoints)
    assert listed.numbers == (1, 2) and not listed.warnings


def test_a_wrong_swap_and_its_repair_leave_everything_as_it_was(pair, found):
    people = people_from_text(found.people_text)
    swapped = edits.swap_people(people, 1, 2, 20)
    wrong = people_of(replace(pair, people_text=people_to_text(swapped)))
    plain = people_of(pair)
    assert np.array_equal(wrong.people[0].keypoints[20:], plain.people[1].keypoints[20:])
    first = recover(pair)
    back = recover(replace(pair, people_text=people_to_text(edits.swap_people(swapped, 1, 2, 20))))
    assert [recovery.arrays().keys() for recovery in first.recoveries] == [recovery.arrays().keys() for recovery in back.recoveries]
    for one, other in zip(first.recoveries, back.recoveries, strict=True):
        for name, value in one.arrays().items():
            assert np.array_equal(value, other.arrays()[name]), name  # bit for bit
    assert back.people_text == first.people_text


def test_numbers_and_names_are_those_of_the_list(pair, found, tmp_path):
    people = edits.name_person(edits.drop_person(people_from_text(found.people_text), 1), 2, "Anna")
    file = tmp_path / "people.json"
    write_people(file, people)
    result = recover(replace(pair, people_list=str(file), only_find=True))
    assert result.report["found"] == [{"person": 2, "frames_with_person": 20, "name": "Anna"}]
    assert people_from_text(result.people_text) == people
    listed = people_of(replace(pair, people_list=str(file)))
    assert listed.person_numbers == (2,) and chosen_people("largest", listed.person_numbers) == [2]
    with pytest.raises(InputError, match=r"no person 1 in the list.*2"):
        chosen_people("1", listed.person_numbers)


def test_a_missing_file_is_no_list(pair, tmp_path):
    assert people_of(replace(pair, people_list=str(tmp_path / "people.json"))).person_numbers == (1, 2)


def test_a_list_of_other_footage_is_refused(pair, found):
    content = json.loads(found.people_text)
    for track in content["tracks"]:
        track["boxes"] = [[frame, 0.0, 0.0, 0.01, 0.01] for frame, *_sides in track["boxes"]]
    with pytest.raises(InputError, match=r"Nobody of the list of people is seen in pair\.npz"):
        people_of(replace(pair, people_text=json.dumps(content)))


def test_footage_with_other_content_is_told(pair, found):
    content = json.loads(found.people_text)
    content["footage"]["digest"] = "00"
    (warning,) = people_of(replace(pair, people_text=json.dumps(content))).warnings
    assert warning.name == "people-list-of-changed-footage"


def test_a_person_of_the_list_who_is_not_found_is_told(pair, found):
    content = json.loads(found.people_text)
    content["tracks"][1]["boxes"] = [[frame, 0.0, 0.0, 0.01, 0.01] for frame, *_sides in content["tracks"][1]["boxes"]]
    listed = people_of(replace(pair, people_text=json.dumps(content)))
    assert listed.numbers == (1,) and [warning.name for warning in listed.warnings] == ["listed-person-not-found"]


def test_who_was_left_out_is_doubtful_in_the_list(pair):
    from blender_meshrec.backend.clip import LeftOut
    from blender_meshrec.core.messages import Message

    tracked = with_doubts(people_of(pair), [LeftOut(2, (Message("doubt-still", "It does not move."),))])
    people = people_from_text(people_to_text(tracked.people_list))
    assert people.person(2).doubtful == "It does not move." and people.person(1).doubtful == ""
    request = replace(pair, include_doubtful=False, people_text=people_to_text(people))
    numbers, left_out = pipeline.choose_undoubted(request, people_of(request), [1, 2])
    assert numbers == [1] and str(left_out[0].reasons[0]) == "It does not move."
    sure = replace(request, people_text=people_to_text(edits.confirm_person(people, 2)))
    assert pipeline.choose_undoubted(sure, people_of(sure), [1, 2]) == ([1, 2], [])


class TwoPeople(Detector):
    """Detects two stick figures, who stand apart."""

    def __init__(self, request):
        pass

    def identity(self):
        return "two people"

    def detect(self, frame, expected):
        figure = animate_stick_figure([frame.time])
        portrait = np.zeros((64, 64, 3), np.uint8) if frame.is_due(0.5) else None
        return [
            Detection(project_orthographic(figure, (x, 30), size)[0], figure[0], 0.9, clothing_colours(k), portrait=portrait)
            for k, (x, size) in enumerate(((25, 20), (70, 16)))
        ]

    def close(self):
        pass


def test_the_list_is_applied_without_opening_the_video_again(tmp_path, monkeypatch):
    monkeypatch.setitem(registry.DETECTORS.implementations, "two", TwoPeople)
    film = write_video(tmp_path / "film.mp4", [make_frame(i % 32) for i in range(COUNT)], options={"preset": "ultrafast", "crf": "20"})
    request = ReconstructRequest(str(film), detector="two", cache=str(tmp_path / "cache"), only_find=True)
    first = recover(request)
    assert first.thumbnails.shape[1:] == (32, 32, 3) and set(first.thumbnail_places[:, 0]) == {1, 2}
    people = people_from_text(first.people_text)

    def refuse(*_arguments):
        raise AssertionError("the footage is decoded again")

    monkeypatch.setattr(Video, "read", refuse)
    swapped = recover(replace(request, people_text=people_to_text(edits.swap_people(people, 1, 2, 40))))
    assert people_from_text(swapped.people_text).person(1).stretches[1].track == 2
    assert np.array_equal(swapped.thumbnail_places, first.thumbnail_places)
