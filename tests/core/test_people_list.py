"""The list of people: who is seen when, and edits that leave nothing but the changed assignment."""

import numpy as np
import pytest

from blender_meshrec.core import people_edits as edits
from blender_meshrec.core.errors import InputError
from blender_meshrec.core.files.people_file import people_to_text
from blender_meshrec.core.people_list import ListedPerson, Stretch, joined_stretches, ranges_of_frames
from tests.support.people_lists import make_people


def test_who_is_seen_when():
    people = make_people()
    assert people.seen_ranges(2) == [(0, 99), (150, 299)]
    assert people.seen_share(1) == 1.0 and people.seen_share(2) == pytest.approx(250 / 300)
    assert people.seen_cells(2, 6) == pytest.approx([1, 1, 0, 1, 1, 1])
    assert people.seen_cells(2, 3) == pytest.approx([1, 0.5, 1])


def test_a_person_is_seen_only_where_their_track_is():
    people = make_people()
    wide = people.with_people([ListedPerson(1, (Stretch(0, 299, 2),))])
    assert wide.seen_ranges(1) == [(0, 99)]


@pytest.mark.parametrize("frame", [1, 40, 120, 150, 299])
def test_a_second_swap_takes_the_first_one_back(frame):
    people = make_people()
    swapped = edits.swap_people(people, 1, 2, frame)
    assert swapped.person(1).stretches != people.person(1).stretches
    assert people_to_text(edits.swap_people(swapped, 1, 2, frame)) == people_to_text(people)
    assert people_to_text(edits.swap_people(swapped, 2, 1, frame)) == people_to_text(people)


def test_a_swap_exchanges_what_comes_after():
    people = edits.swap_people(make_people(), 1, 2, 50)
    assert people.person(1).stretches == (Stretch(0, 49, 1), Stretch(50, 99, 2), Stretch(150, 299, 3))
    assert people.person(2).stretches == (Stretch(0, 49, 2), Stretch(50, 299, 1))


def test_a_merge_takes_a_split_back():
    people = make_people()
    parted, new = edits.split_person(people, 1, 120)
    assert new == 4 and parted.numbers == (1, 2, 4)  # 3 is a track's number, which may come back as a person
    assert parted.person(1).stretches == (Stretch(0, 119, 1),) and parted.person(4).stretches == (Stretch(120, 299, 1),)
    assert edits.merge_people(parted, 1, [4]) == people


def test_a_merge_keeps_frames_of_both_and_a_name():
    people = edits.name_person(make_people(), 2, " Anna ")
    merged = edits.merge_people(people, 1, [2])
    assert merged.numbers == (1,) and merged.person(1).name == "Anna"
    assert set(merged.person(1).stretches) == {Stretch(0, 299, 1), Stretch(0, 99, 2), Stretch(150, 299, 3)}


def test_who_is_left_out_comes_back_with_all_their_frames():
    people = make_people()
    left = edits.drop_person(people, 1)
    assert left.numbers == (2,) and left.tracks == people.tracks
    again, number = edits.add_track(left, 1)
    assert number == 1 and again == people


def test_a_track_that_somebody_has_in_part_gives_the_rest():
    parted, new = edits.split_person(make_people(), 1, 120)
    rest, number = edits.add_track(edits.drop_person(parted, new), 1)
    assert rest.person(number).stretches == (Stretch(120, 299, 1),) and number != 1


def test_a_doubt_is_taken_away():
    people = make_people()
    doubted = people.with_people([people.person(1), ListedPerson(2, people.person(2).stretches, doubtful="It does not move.")])
    assert edits.confirm_person(doubted, 2) == people
    assert edits.merge_people(doubted, 2, [1]).person(2).doubtful == ""


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda p: edits.merge_people(p, 1, [1]), "Person 1 cannot be merged with themselves"),
        (lambda p: edits.merge_people(p, 1, [7]), "no person 7.*1, 2"),
        (lambda p: edits.split_person(p, 2, 0), "Frame 0 does not divide person 2, who is there from frame 0 to 299"),
        (lambda p: edits.split_person(p, 2, 300), "Frame 300 does not divide"),
        (lambda p: edits.swap_people(p, 2, 2, 5), "Person 2 cannot change places"),
        (lambda p: edits.swap_people(p, 1, 2, 300), "Neither person 1 nor person 2 is there from frame 300"),
        (lambda p: edits.swap_people(edits.split_person(p, 1, 120)[0], 1, 4, 60), "Nothing would be left of person 4|$"),
        (lambda p: edits.name_person(p, 1, "x" * 61), "longer than 60"),
        (lambda p: edits.name_person(p, 1, "a\nb"), "cannot be shown"),
        (lambda p: edits.drop_person(edits.drop_person(p, 1), 2), "Person 2 is the last one"),
        (lambda p: edits.add_track(p, 2), "All of track 2 belongs to somebody"),
        (lambda p: edits.add_track(p, 9), "no track 9"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(edit, said):
    people = make_people()
    if said.endswith("|$"):
        changed = edit(people)
        assert changed.person(1).stretches == (Stretch(0, 59, 1), Stretch(120, 299, 1)) and changed.person(4).stretches == (
            Stretch(60, 119, 1),
        )
        return
    with pytest.raises(InputError, match=said):
        edit(people)
    assert people == make_people()


def test_a_swap_that_leaves_nobody_is_refused():
    people, new = edits.split_person(make_people(), 1, 120)
    only_late = edits.drop_person(people, 1)
    with pytest.raises(InputError, match=f"Nothing would be left of person {new}"):
        edits.swap_people(edits.split_person(only_late, 2, 100)[0], 2, new, 120)


def test_stretches_that_continue_each_other_are_one():
    assert joined_stretches([Stretch(5, 9, 1), Stretch(0, 4, 1), Stretch(10, 12, 2)]) == (Stretch(0, 9, 1), Stretch(10, 12, 2))
    with pytest.raises(ValueError, match="no frames"):
        Stretch(5, 4, 1)


def test_rows_become_ranges_of_frames():
    seen = np.array([1, 1, 0, 1, 0, 0, 0, 1], bool)
    assert ranges_of_frames(seen, 10) == ((10, 11), (13, 13), (17, 17))
    assert ranges_of_frames(seen, 10, max_gap=1) == ((10, 13), (17, 17))
