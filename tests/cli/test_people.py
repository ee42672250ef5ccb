"""The list of people on the command line: written by a reconstruction or alone, edited in order, and refused with sentences."""

import json
from pathlib import Path

import pytest

from blender_meshrec.cli import program
from blender_meshrec.cli.people_option import names_of_people, people_file
from blender_meshrec.core.files.people_file import people_to_text, read_people, write_people
from blender_meshrec.core.people_edits import name_person
from tests.support.people_lists import make_people


def test_a_reconstruction_writes_the_list_once_and_reads_it_then(backend, files):
    backend("work 0.01")
    words = ["reconstruct", "walk.mp4", "-o", "a.npz", "--people", "people.json", "--report", "r.json"]
    assert program.main(words) == 0
    assert read_people("people.json") == make_people()
    assert json.loads(Path("r.json").read_text())["people_list"].endswith("people.json")
    write_people("people.json", name_person(make_people(), 2, "Anna"))
    before = Path("people.json").read_bytes()
    assert program.main(words) == 0
    assert Path("people.json").read_bytes() == before  # an edited list stays
    assert files() == ["a.npz", "people.json", "r.json"]


def test_a_wrong_list_is_refused_before_the_work(no_backend, capsys):
    content = json.loads(people_to_text(make_people()))
    content["people"][1]["stretches"][0]["track"] = 9
    Path("people.json").write_text(json.dumps(content))
    assert program.main(["reconstruct", "walk.mp4", "-o", "a.npz", "--people", "people.json"]) == 2
    assert "people[1].stretches[0].track the value 9" in capsys.readouterr().err


def test_several_inputs_have_a_list_each_in_a_folder(backend, capsys, files):
    backend("work 0.01")
    words = ["reconstruct", "walk.mp4", "jump.mov", "-o", "out", "--people"]
    assert program.main([*words, "people.json"]) == 2
    assert "2 inputs" in capsys.readouterr().err
    assert program.main([*words, "lists"]) == 0
    assert files("lists") == ["jump.people.json", "walk.people.json"]


def test_a_name_becomes_that_of_the_persons_objects(backend, monkeypatch):
    from blender_meshrec.cli.commands import reconstruct

    backend("work 0.01")
    write_people("people.json", name_person(make_people(), 2, "Anna"))
    named = {}

    def keep(recoveries, numbers, outputs, name, settings):
        named.update(settings.names)
        return original(recoveries, numbers, outputs, name, settings)

    original = reconstruct.write_outputs
    monkeypatch.setattr(reconstruct, "write_outputs", keep)
    assert program.main(["reconstruct", "walk.mp4", "-o", "a.npz", "--person", "all", "--people", "people.json"]) == 0
    assert named == {2: "Anna"}
    assert {path.name for path in Path().glob("a.*")} == {"a.person1.npz", "a.person2.npz"}  # files go by number


def test_people_of_a_clip_are_listed_without_a_reconstruction(backend, capsys, files):
    backend("work 0.01")
    assert program.main(["people", "walk.mp4"]) == 0
    assert files() == ["walk.people.json"] and read_people("walk.people.json") == make_people()
    printed = capsys.readouterr().out
    assert "person 1" in printed and "83 %, frames 0-99 (track 2), 150-299 (track 3)" in printed
    assert program.main(["people", "walk.mp4"]) == 2  # edits of a list are not lost by accident
    assert "already" in capsys.readouterr().err
    assert program.main(["people", "walk.mp4", "--anew", "--drop", "1"]) == 0
    assert read_people("walk.people.json").numbers == (2,)


def test_edits_are_made_in_their_order(no_backend, capsys):
    write_people("people.json", make_people())
    words = ["--swap", "1", "2", "50", "--split", "2", "120", "--name", "4", "Anna", "--merge", "1", "4", "--name", "1", "Ben"]
    assert program.main(["people", "people.json", *words]) == 0
    people = read_people("people.json")
    assert people.numbers == (1, 2) and people.name_of(1) == "Ben"
    assert [(s.first, s.last, s.track) for s in people.person(2).stretches] == [(0, 49, 2), (50, 119, 1)]
    assert "Person 4 is new." in capsys.readouterr().out


def test_a_list_is_shown_without_being_written(no_backend, capsys):
    write_people("people.json", make_people())
    before = Path("people.json").stat().st_mtime_ns
    assert program.main(["people", "people.json"]) == 0
    assert Path("people.json").stat().st_mtime_ns == before
    assert capsys.readouterr().out.count("person ") == 2
    assert program.main(["people", "people.json", "-o", "copy.json", "--add", "1"]) == 2
    assert not Path("copy.json").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--merge", "1"], "give the person who stays"),
        (["--split", "2", "x"], "x is no number"),
        (["--swap", "1", "2"], "expected 3 arguments"),
        (["--swap", "1", "1", "3"], "cannot change places"),
        (["--drop", "7"], "no person 7"),
        (["--split", "1", "0"], "Frame 0 does not divide"),
    ],
)
def test_wrong_edits_are_refused_and_change_nothing(no_backend, capsys, words, said):
    write_people("people.json", make_people())
    before = Path("people.json").read_bytes()
    assert program.main(["people", "people.json", *words]) == 2
    assert said in capsys.readouterr().err and Path("people.json").read_bytes() == before


def test_missing_files_are_named(no_backend, capsys):
    assert program.main(["people", "gone.mp4"]) == 2
    assert "gone.mp4" in capsys.readouterr().err


def test_the_file_of_an_input(tmp_path):
    assert people_file(None, "walk.mp4") is None and people_file("a.json", "walk.mp4") == "a.json"
    assert Path(people_file(str(tmp_path), "clips/walk.mp4")) == tmp_path / "walk.people.json"


def test_names_are_those_that_people_have():
    from blender_meshrec.bridge.messages import Result

    assert names_of_people(Result((), (), people_text=people_to_text(name_person(make_people(), 2, "Anna")))) == {2: "Anna"}
    assert names_of_people(Result((), ())) == {}
