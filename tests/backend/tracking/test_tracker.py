"""Tracking: people keep their identity past each other and after occlusion; false detections do not become people."""

from itertools import permutations

import numpy as np
import pytest

from blender_meshrec.backend.detection.detections import Detection, upright_quarter_turns
from blender_meshrec.backend.tracking.association import match_pairs
from blender_meshrec.backend.tracking.tracker import Tracker
from tests.support.synthetic_keypoints import animate_stick_figure, clothing_colours, project_orthographic, shuffled_detections

FPS = 30
TIMES = np.arange(120) / FPS


def track(frames, times=TIMES):
    tracker = Tracker("blazepose33")
    for row, (time, detections) in enumerate(zip(times, frames)):
        tracker.update(row, time, detections)
    return tracker


def walk_across(start, end, y=400, scale=200.0, times=TIMES, pace=1.0):
    """A person who walks from x = start to x = end, px."""
    positions = np.stack([np.linspace(start, end, len(times)), np.full(len(times), y)], -1)
    return project_orthographic(animate_stick_figure(times, pace=pace), positions, scale)


def shows_only(person, truth):
    """Whether every visible row shows the same person as the truth (F,33,3)."""
    return np.allclose(person.keypoints[person.visible], truth[person.visible], atol=1e-3)


def test_two_people_who_cross_keep_their_identities():
    people = [walk_across(200, 1000), walk_across(1000, 200, y=430, scale=180)]
    found = track(shuffled_detections(people, [clothing_colours(1), clothing_colours(2)])).people()
    assert len(found) == 2 and all(person.visible.all() for person in found)
    assert shows_only(found[0], people[0]) and shows_only(found[1], people[1])


def test_people_are_distinguished_by_motion_without_appearance():
    people = [walk_across(200, 1000), walk_across(1000, 200, y=430, scale=180)]
    found = track(shuffled_detections(people, [None, None])).people()
    assert len(found) == 2 and shows_only(found[0], people[0]) and shows_only(found[1], people[1])


@pytest.mark.parametrize("appearances", [(clothing_colours(1), clothing_colours(2)), (None, None)])
def test_an_occluded_person_keeps_their_identity(appearances):
    people = [walk_across(200, 1000), walk_across(1000, 200, y=410, scale=190)]
    hidden = {(1, frame) for frame in range(52, 68)}
    found = track(shuffled_detections(people, appearances, hidden)).people()
    assert [person.visible.sum() for person in found] == [120, 104]
    assert shows_only(found[0], people[0]) and shows_only(found[1], people[1])


def test_a_person_who_returns_is_recognised_by_clothes():
    times = np.arange(300) / FPS
    person, other = walk_across(200, 1200, times=times), walk_across(500, 520, y=420, times=times)
    frames = shuffled_detections([person, other], [clothing_colours(1), clothing_colours(2)], {(0, frame) for frame in range(80, 200)})
    found = track(frames, times).people()
    assert len(found) == 2
    assert sorted(person.visible.sum() for person in found) == [180, 300]


def test_behind_a_cut_people_are_told_apart_by_their_clothes_alone():
    """Two people stand elsewhere and are larger in the second shot: each where the other was."""
    clothes, places, sizes = [clothing_colours(1), clothing_colours(2)], ((300, 900), (920, 310)), (200.0, 330.0)
    tracker, times = Tracker("blazepose33"), np.arange(60) / FPS
    truth = [[walk_across(x, x + 10, scale=size, times=times) for x in row] for row, size in zip(places, sizes)]
    for shot in (0, 1):
        frames = shuffled_detections(truth[shot], clothes)
        for row in range(30):
            if shot and not row:
                tracker.cut()
                assert tracker.predict(times[30]) == []
            tracker.update(30 * shot + row, times[30 * shot + row], frames[row])
    found = tracker.people()
    assert len(found) == 2 and all(person.visible.all() for person in found)
    for person in found:
        who = int(np.abs(person.keypoints[0, :, 0].mean() - truth[0][0][0, :, 0].mean()) > 300)
        assert person.keypoints[30:] == pytest.approx(truth[1][who][:30], abs=1e-3)


def test_the_only_person_before_a_cut_may_be_the_only_one_behind_it():
    tracker, times = Tracker("blazepose33"), np.arange(60) / FPS
    shots = [shuffled_detections([walk_across(x, x + 10, scale=size, times=times)], [None]) for x, size in ((300, 200.0), (900, 400.0))]
    for row, time in enumerate(times):
        if row == 30:
            tracker.cut()
        tracker.update(row, time, shots[row // 30][row % 30])
    assert [person.visible.all() for person in tracker.people()] == [True]


def test_a_stranger_in_other_clothes_is_a_new_person():
    times = np.arange(200) / FPS
    first, second = walk_across(200, 400, times=times), walk_across(900, 700, times=times)
    frames = shuffled_detections(
        [first, second], [clothing_colours(1), clothing_colours(2)], {(0, f) for f in range(80, 200)} | {(1, f) for f in range(120)}
    )
    assert len(track(frames, times).people()) == 2


def test_jumps_at_five_frames_a_second_are_tracked():
    times = np.arange(20) / 5
    positions = np.stack([np.linspace(300, 700, 20), 400 - 150 * np.abs(np.sin(times * 3))], -1)
    person = project_orthographic(animate_stick_figure(times), positions)
    found = track(shuffled_detections([person], [clothing_colours(1)]), times).people()
    assert len(found) == 1 and found[0].visible.all()


def test_short_tracks_are_dropped():
    person = walk_across(400, 500)
    frames = shuffled_detections([person], [clothing_colours(1)])
    ghost = project_orthographic(animate_stick_figure(TIMES), (1000, 300))
    for row in range(40, 44):
        frames[row] = [*frames[row], Detection(ghost[row], None, 0.6, clothing_colours(3))]
    assert len(track(frames).people()) == 1


def test_one_image_is_enough_for_a_track():
    people = [walk_across(300, 300, scale=300)[:1], walk_across(900, 900)[:1]]
    found = track(shuffled_detections(people, [None, None]), [0.0]).people()
    assert [len(person) for person in found] == [1, 1]


def test_the_largest_comes_first():
    sizes = (150.0, 260.0, 200.0)
    people = [walk_across(x, x + 50, scale=scale) for x, scale in zip((200, 700, 1200), sizes)]
    found = track(shuffled_detections(people, [clothing_colours(i) for i in range(3)])).people()
    assert [shows_only(person, people[i]) for person, i in zip(found, (1, 2, 0))] == [True] * 3
    assert found[0].median_area > found[1].median_area > found[2].median_area


def test_rows_without_the_person_are_zero():
    person = walk_across(400, 500)
    found = track(shuffled_detections([person], [clothing_colours(1)], {(0, f) for f in range(50, 60)})).people()[0]
    assert not found.visible[50:60].any() and not found.keypoints[50:60].any() and not found.boxes[50:60].any()
    assert found.keypoints_3d is None


def test_identities_given_by_the_detector_are_used():
    people = [walk_across(200, 1000), walk_across(1000, 200)]
    frames = [[Detection(person[row], None, 0.9, identity=i) for i, person in enumerate(people)] for row in range(120)]
    found = track(frames).people()
    assert len(found) == 2 and {shows_only(person, people[0]) for person in found} == {True, False}


def test_expected_boxes_move_with_the_predicted_velocity():
    walk = walk_across(200, 1000)
    tracker = track(shuffled_detections([walk], [None])[:60])
    soon = tracker.predict(TIMES[60])[0]
    later = tracker.predict(TIMES[59] + 0.5)[0]
    centre = (soon.box[0] + soon.box[2]) / 2
    assert abs(centre - walk[60, :, 0].mean()) < 15  # px
    assert later.box[0] + later.box[2] > soon.box[0] + soon.box[2] and soon.missed == 0
    assert not tracker.predict(TIMES[59] + 2.0)


@pytest.mark.parametrize("turns", range(4))
def test_quarter_turns_bring_a_person_upright(turns):
    keypoints = project_orthographic(animate_stick_figure([0.0]), (0, 0))[0]
    lying = keypoints.copy()
    for _ in range(turns):  # a quarter turn clockwise, y down: (x, y) -> (-y, x)
        lying[:, :2] = np.stack([-lying[:, 1], lying[:, 0]], -1)
    assert upright_quarter_turns(lying.astype(np.float32), "blazepose33") == turns


def test_matching_equals_exhaustive_search():
    rng = np.random.default_rng(0)
    for _ in range(200):
        rows, columns = rng.integers(1, 5, 2)
        scores = rng.random((rows, columns)) * (rng.random((rows, columns)) < 0.7)
        min_score = 0.2
        choices = [*range(columns), *[-1] * rows]
        best = max(sum(scores[r, c] - min_score for r, c in enumerate(choice) if c >= 0 and scores[r, c] > min_score)
                   for choice in set(permutations(choices, int(rows))))  # fmt: skip
        pairs = match_pairs(scores, min_score)
        assert len({r for r, _ in pairs}) == len({c for _, c in pairs}) == len(pairs)
        assert all(scores[pair] > min_score for pair in pairs)
        assert sum(scores[pair] - min_score for pair in pairs) == pytest.approx(best)
