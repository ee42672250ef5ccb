"""The file of corrections: a round trip, and what it refuses."""

import json

import pytest

from blender_meshrec.core.corrections import BadRange, ContactSpan, Corrections, PersonCorrections, Pin
from blender_meshrec.core.errors import InputError
from blender_meshrec.core.files.corrections import corrections_from_text, corrections_to_text, read_corrections, write_corrections

FULL = Corrections(
    "clip.mp4",
    (
        PersonCorrections(
            1,
            (BadRange(40, 60, "left_arm"), BadRange(70, 70)),
            (Pin(50, "left_wrist", (612.5, 240.0)), Pin(51, "left_wrist", (0.5, -3.0), 4.5)),
            (ContactSpan(10, 30, "left_heel", True), ContactSpan(31, 31, "seat", False)),
        ),
        PersonCorrections(2, earlier="results/two.npz"),
    ),
)


def test_round_trip(tmp_path):
    write_corrections(tmp_path / "clip.corrections.json", FULL)
    read = read_corrections(tmp_path / "clip.corrections.json")
    assert read.people[0] == FULL.people[0] and read.footage == "clip.mp4"
    assert read.people[1].earlier == str(tmp_path / "results/two.npz")  # relative to the file
    assert corrections_from_text(corrections_to_text(FULL)) == FULL


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.update(meshrec_corrections=2),
        lambda content: content.pop("people"),
        lambda content: content.update(people=[7]),
        lambda content: content["people"][0].update(person=0),
        lambda content: content["people"][1].update(person=1),
        lambda content: content["people"][0]["bad"][0].update(part="tail"),
        lambda content: content["people"][0]["bad"][0].update(last=3),
        lambda content: content["people"][0]["bad"][0].update(first=True),
        lambda content: content["people"][0]["pins"][0].update(joint="nose"),
        lambda content: content["people"][0]["pins"][0].update(pixel=[1]),
        lambda content: content["people"][0]["pins"][0].update(pixel=[float("nan"), 1]),
        lambda content: content["people"][0]["pins"][0].update(depth=-1),
        lambda content: content["people"][0]["contacts"][0].update(part="nose"),
        lambda content: content["people"][0]["contacts"][0].update(first=1e300),
        lambda content: content["people"][0].update(earlier=5),
    ],
)
def test_damaged_files_are_named(change, tmp_path):
    content = json.loads(corrections_to_text(FULL))
    change(content)
    path = tmp_path / "clip.corrections.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="corrections"):
        read_corrections(path)


def test_files_that_are_none_are_named(tmp_path):
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "text.json").write_text("{")
    for name in ("list.json", "text.json", "missing.json"):
        with pytest.raises(InputError):
            read_corrections(tmp_path / name)


def test_a_pin_takes_the_place_of_one_of_the_same_joint_and_frame():
    person = FULL.people[0].with_pin(Pin(50, "left_wrist", (1.0, 2.0)))
    assert len(person.pins) == 2 and person.pins[0].pixel == (1.0, 2.0)
    assert bool(person) and not PersonCorrections(3, earlier="x.npz")
    corrections = FULL.with_person(PersonCorrections(1))
    assert not corrections.of_person(1) and [p.person for p in corrections.people] == [1, 2] and corrections.of_person(9).person == 9
