"""A list of two people who were followed as three tracks, of a clip of 300 frames."""

from blender_meshrec.core.people_list import ListedFootage, ListedPerson, ListedTrack, PeopleList, Stretch

FOOTAGE = ListedFootage("clip.mp4", "ab12", (1280, 720), 300)


def box(frame: int, left: float) -> tuple[int, float, float, float, float]:
    return frame, left, 0.2, left + 0.1, 0.9


def make_people() -> PeopleList:
    """Person 1 is track 1 all the time; person 2 is track 2 and, from frame 150 on, track 3."""
    tracks = (
        ListedTrack(1, ((0, 299),), (box(0, 0.1), box(299, 0.4))),
        ListedTrack(2, ((0, 99),), (box(0, 0.6), box(99, 0.6))),
        ListedTrack(3, ((150, 299),), (box(150, 0.7), box(299, 0.7))),
    )
    people = (ListedPerson(1, (Stretch(0, 299, 1),)), ListedPerson(2, (Stretch(0, 99, 2), Stretch(150, 299, 3))))
    return PeopleList(FOOTAGE, people, tracks)
