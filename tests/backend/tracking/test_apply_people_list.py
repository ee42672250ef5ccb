"""A list of people applied to tracks: joined, parted and exchanged frames, and tracks that are found again by their places."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend.tracking.apply_people_list import find_tracks, joined_observations, sources_of_people
from blender_meshrec.core.people_edits import merge_people, split_person, swap_people
from blender_meshrec.core.people_list import ListedFootage, ListedTrack, list_of_tracks
from blender_meshrec.core.records import Observations
from blender_meshrec.core.silhouettes import MASK_SIZE, Silhouettes

FRAMES, SIZE = np.arange(60), (200, 100)
K = 17


def make_track(left, rows, sureness=0.9, seed=0):
    """A person 20 px wide who moves to the right by a third of a pixel a frame."""
    rng = np.random.default_rng(seed)
    visible = np.isin(FRAMES, rows)
    x = left + FRAMES / 3
    boxes = np.stack([x, np.full(60, 10.0), x + 20, np.full(60, 90.0)], 1) * visible[:, None]
    keypoints = np.concatenate([rng.uniform(0, 99, (60, K, 2)), np.full((60, K, 1), sureness)], 2) * visible[:, None, None]
    outlines = np.array(rows[::10])
    masks = np.zeros((len(outlines), MASK_SIZE, MASK_SIZE), bool)
    return Observations(
        "coco17", boxes, keypoints, visible, keypoints * 0.01, Silhouettes(outlines, np.full((len(outlines), 3), left), masks)
    )


TRACKS = (make_track(10, list(range(60)), seed=1), make_track(100, list(range(5, 50)), 0.5, seed=2))


def listed(tracks):
    found = []
    for number, track in enumerate(tracks, 1):
        rows = np.flatnonzero(track.visible)
        sides = track.boxes / [*SIZE, *SIZE]
        boxes = tuple((int(row), *map(float, sides[row])) for row in {int(rows[0]), *map(int, rows[::7]), int(rows[-1])})
        found.append(ListedTrack(number, ((int(rows[0]), int(rows[-1])),), tuple(sorted(boxes))))
    return list_of_tracks(ListedFootage("a.mp4", "", SIZE, 60), found, [""] * len(found))


def test_a_list_without_edits_changes_nothing():
    people = listed(TRACKS)
    sources = sources_of_people(people, TRACKS, FRAMES, SIZE)
    for number, track in enumerate(TRACKS, 1):
        assert joined_observations(TRACKS, sources[number]) is track


def test_exchanged_people_have_each_others_rows_from_there_on():
    sources = sources_of_people(swap_people(listed(TRACKS), 1, 2, 30), TRACKS, FRAMES, SIZE)
    first = joined_observations(TRACKS, sources[1])
    assert np.array_equal(first.keypoints[:30], TRACKS[0].keypoints[:30])
    assert np.array_equal(first.keypoints[30:], TRACKS[1].keypoints[30:])
    assert np.array_equal(first.keypoints_3d[30:], TRACKS[1].keypoints_3d[30:])
    assert np.array_equal(first.visible, np.where(FRAMES < 30, TRACKS[0].visible, TRACKS[1].visible))
    assert first.silhouettes.rows.tolist() == [0, 10, 20, 35, 45]
    assert first.silhouettes.squares[:, 0].tolist() == [10, 10, 10, 100, 100]
    second = joined_observations(TRACKS, sources[2])
    assert not (first.visible & second.visible & (first.boxes == second.boxes).all(1)).any()


def test_merged_people_have_the_surer_rows():
    merged = merge_people(listed(TRACKS), 2, [1])
    joined = joined_observations(TRACKS, sources_of_people(merged, TRACKS, FRAMES, SIZE)[2])
    assert np.array_equal(joined.keypoints, TRACKS[0].keypoints)
    weak = (replace(TRACKS[0], keypoints=TRACKS[0].keypoints * [1, 1, 0.3]), TRACKS[1])
    joined = joined_observations(weak, sources_of_people(merged, weak, FRAMES, SIZE)[2])
    assert np.array_equal(joined.keypoints[5:50], TRACKS[1].keypoints[5:50]) and joined.visible.all()


def test_parted_people_share_no_row():
    parted, new = split_person(listed(TRACKS), 1, 20)
    sources = sources_of_people(parted, TRACKS, FRAMES, SIZE)
    assert joined_observations(TRACKS, sources[1]).visible.tolist() == (FRAMES < 20).tolist()
    assert joined_observations(TRACKS, sources[new]).visible.tolist() == (FRAMES >= 20).tolist()


def test_what_one_track_lacks_the_joined_person_lacks():
    tracks = (TRACKS[0], replace(TRACKS[1], keypoints_3d=None))
    sources = sources_of_people(swap_people(listed(tracks), 1, 2, 30), tracks, FRAMES, SIZE)
    assert joined_observations(tracks, sources[1]).keypoints_3d is None


def test_tracks_are_found_again_where_the_tracker_numbers_otherwise():
    people = swap_people(listed(TRACKS), 1, 2, 30)
    turned = TRACKS[::-1]
    found, expected = (sources_of_people(people, tracks, FRAMES, SIZE) for tracks in (turned, TRACKS))
    for number in (1, 2):
        a, b = joined_observations(turned, found[number]), joined_observations(TRACKS, expected[number])
        assert np.array_equal(a.keypoints, b.keypoints) and np.array_equal(a.visible, b.visible)


def test_a_track_that_was_broken_in_two_is_found_again():
    parts = (TRACKS[1], make_track(10, list(range(25)), seed=1), make_track(10, list(range(25, 60)), seed=1))
    found = find_tracks(listed(TRACKS), parts, FRAMES, SIZE)
    assert found[1].tolist() == [1] * 25 + [2] * 35 and (found[2][5:50] == 0).all()


def test_a_part_of_the_clip_has_the_same_people():
    rows = slice(20, 40)
    part = [replace(track, boxes=track.boxes[rows], keypoints=track.keypoints[rows], visible=track.visible[rows],
                    keypoints_3d=track.keypoints_3d[rows], silhouettes=None) for track in TRACKS[::-1]]  # fmt: skip
    found = find_tracks(listed(TRACKS), part, FRAMES[rows], SIZE)
    assert (found[1] == 1).all() and (found[2] == 0).all()


def test_somebody_elsewhere_is_nobody_of_the_list():
    other = (make_track(170, list(range(60))),)
    assert all((index == -1).all() for index in find_tracks(listed(TRACKS), other, FRAMES, SIZE).values())


def test_nobody_cannot_be_joined():
    with pytest.raises(ValueError, match="nobody"):
        joined_observations(TRACKS, np.full(60, -1))
