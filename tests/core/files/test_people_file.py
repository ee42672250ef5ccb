"""The file of people: it comes back as it was written, and each mistake is told with its field."""

import json

import pytest

from blender_meshrec.core.errors import InputError
from blender_meshrec.core.files.people_file import people_from_text, people_to_text, read_people, write_people
from blender_meshrec.core.people_edits import name_person
from tests.support.people_lists import make_people


def test_a_list_comes_back_as_it_was_written(tmp_path):
    people = name_person(make_people(), 2, "Änne")
    write_people(tmp_path / "clip.people.json", people)
    assert read_people(tmp_path / "clip.people.json") == people
    assert people_from_text(people_to_text(people)) == people
    content = json.loads((tmp_path / "clip.people.json").read_text(encoding="utf-8"))
    assert content["people"][1] == {
        "person": 2,
        "name": "Änne",
        "seen": 0.833,
        "stretches": [{"first": 0, "last": 99, "track": 2}, {"first": 150, "last": 299, "track": 3}],
    }


def test_a_file_written_by_hand_needs_no_more_than_stretches():
    content = json.loads(people_to_text(make_people()))
    del content["footage"]["digest"], content["footage"]["first"]
    for person in content["people"]:
        del person["seen"]
    for track in content["tracks"]:
        del track["boxes"]
    people = people_from_text(json.dumps(content))
    assert people.people == make_people().people and people.tracks[0].boxes == ()


def changed(place, value):
    content = json.loads(people_to_text(make_people()))
    *way, key = place
    inner = content
    for step in way:
        inner = inner[step]
    if value is KeyError:
        del inner[key]
    else:
        inner[key] = value
    return json.dumps(content)


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (["footage", "size"], [0, 5], r"footage\.size the value \[0, 5\]"),
        (["footage", "frames"], "many", r"footage\.frames the value \"many\""),
        (["footage", "name"], KeyError, r"lacks footage\.name"),
        (["people"], {}, r"people the value \{\}"),
        (["people", 1, "person"], 0, r"people\[1\]\.person the value 0"),
        (["people", 1, "person"], 1, r"people\[1\]\.person the value 1.*another number"),
        (["people", 0, "name"], "a\tb", r"people\[0\]\.name the value"),
        (["people", 0, "stretches"], [], r"people\[0\]\.stretches the value \[\]"),
        (["people", 1, "stretches", 1, "track"], 9, r"people\[1\]\.stretches\[1\]\.track the value 9.*tracks of the list"),
        (["people", 1, "stretches", 1, "track"], True, r"people\[1\]\.stretches\[1\]\.track the value true"),
        (["people", 1, "stretches", 1, "last"], 10, r"people\[1\]\.stretches\[1\]\.last the value 10.*not before the first"),
        (["people", 1, "stretches", 1, "first"], -1, r"people\[1\]\.stretches\[1\]\.first the value -1"),
        (["people", 1, "stretches", 0], 7, r"people\[1\]\.stretches\[0\] the value 7"),
        (
            ["people", 1, "stretches", 1],
            {"first": 5, "last": 9, "track": 1},
            r"people\[1\]\.stretches gives person 2 frames 5 to 9 of track 1",
        ),
        (["people", 0, "doubtful"], 3, r"people\[0\]\.doubtful the value 3"),
        (["tracks", 2, "track"], 1, r"tracks\[2\]\.track the value 1"),
        (["tracks", 0, "seen"], KeyError, r"lacks tracks\[0\]\.seen"),
        (["tracks", 0, "seen", 0], [9, 3], r"tracks\[0\]\.seen\[0\] the value \[9, 3\]"),
        (["tracks", 0, "boxes", 1], [0, 1e400, 0, 1, 1], r"tracks\[0\]\.boxes\[1\] the value"),
        (["tracks", 0, "boxes", 1], [0, 10**400, 0, 1, 1], r"tracks\[0\]\.boxes\[1\] the value"),
        (["meshrec_people"], 2, "another version"),
    ],
)
def test_each_mistake_is_told_with_its_field(place, value, said):
    with pytest.raises(InputError, match=said) as caught:
        people_from_text(changed(place, value), "clip.people.json")
    assert str(caught.value).startswith(("clip.people.json ", "In clip.people.json, "))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"people": []}', "[" * 100_000, '{"meshrec_corrections": 1}'])
def test_what_is_no_list_is_refused(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(InputError, match="is no list of people"):
        read_people(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"There is no file .*gone\.json"):
        read_people(tmp_path / "gone.json")
