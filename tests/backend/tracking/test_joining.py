"""Joining over the whole clip: who is whom is decided by all that is seen of people, before and after they meet or are hidden."""

import numpy as np
import pytest

from blender_meshrec.backend.detection.detections import Detection
from blender_meshrec.backend.tracking.tracker import Tracker
from tests.support.synthetic_keypoints import animate_stick_figure, clothing_colours, project_orthographic, shuffled_detections

FPS = 30


def track(frames, times, cuts=()):
    tracker = Tracker("blazepose33")
    for row, (time, detections) in enumerate(zip(times, frames)):
        if row in cuts:
            tracker.cut()
        tracker.update(row, time, detections)
    return tracker.people()


def person_at(xs, times, y=400.0, scale=200.0):
    """A person at x px in each frame."""
    positions = np.stack([np.asarray(xs, float), np.full(len(times), y)], -1)
    return project_orthographic(animate_stick_figure(times), positions, scale)


def identities(found, people):
    """For each person found, the number in `people` of whom each visible row shows."""
    return [[int(np.argmin([np.abs(p[row] - person.keypoints[row]).mean() for p in people])) for row in np.flatnonzero(person.visible)]
            for person in found]  # fmt: skip


def test_people_who_meet_and_turn_back_keep_their_numbers():
    """They walk up to each other, stand nearly in one place for a second, one hidden, and walk back: by motion alone they pass."""
    times = np.arange(150) / FPS
    path = np.interp(np.arange(150), [0, 55, 95, 149], [0, 1, 1, 0])
    people = [person_at(300 + 330 * path, times), person_at(980 - 330 * path, times, y=405)]
    hidden = {(1, row) for row in range(58, 92)}
    found = track(shuffled_detections(people, [clothing_colours(1), clothing_colours(2)], hidden), times)
    assert len(found) == 2
    assert [set(rows) for rows in identities(found, people)] in ([{0}, {1}], [{1}, {0}])


def test_people_who_pass_each_other_hidden_for_a_second_keep_their_numbers():
    times = np.arange(150) / FPS
    people = [person_at(np.linspace(200, 1100, 150), times), person_at(np.linspace(1100, 200, 150), times, y=405)]
    hidden = {(1, row) for row in range(60, 90)}
    found = track(shuffled_detections(people, [clothing_colours(1), clothing_colours(2)], hidden), times)
    assert len(found) == 2 and sorted(person.visible.sum() for person in found) == [120, 150]
    assert [set(rows) for rows in identities(found, people)] in ([{0}, {1}], [{1}, {0}])


def test_a_track_that_goes_over_to_somebody_else_is_divided():
    """Each is detected only while the other is hidden, near the same place: frame by frame, one person could be seen throughout."""
    times = np.arange(120) / FPS
    people = [person_at(np.full(120, 500.0), times), person_at(np.full(120, 560.0), times)]
    hidden = {(0, row) for row in range(60, 120)} | {(1, row) for row in range(75)}
    found = track(shuffled_detections(people, [clothing_colours(1), clothing_colours(2)], hidden), times)
    assert [set(rows) for rows in identities(found, people)] in ([{0}, {1}], [{1}, {0}])


@pytest.mark.parametrize("seconds", [1.5, 3.0, 8.0])
def test_a_person_who_comes_back_has_the_same_number(seconds):
    times = np.arange(400) / FPS
    gone = range(60, 60 + round(seconds * FPS))
    people = [person_at(np.linspace(300, 700, 400), times), person_at(np.full(400, 1000.0), times)]
    found = track(shuffled_detections(people, [clothing_colours(1), clothing_colours(2)], {(0, row) for row in gone}), times)
    assert len(found) == 2 and sorted(person.visible.sum() for person in found) == [400 - len(gone), 400]


def test_nobody_is_followed_across_a_cut():
    """Behind the cut somebody else stands where the person was, and the person elsewhere."""
    times = np.arange(120) / FPS
    first, second = person_at(np.full(120, 400.0), times), person_at(np.full(120, 900.0), times)
    frames = shuffled_detections([first], [clothing_colours(1)])
    behind = shuffled_detections([first, second], [clothing_colours(2), clothing_colours(1)])
    found = track([*frames[:60], *behind[60:]], times, cuts=(60,))
    same = next(person for person in found if person.visible.all())
    assert same.keypoints[:60] == pytest.approx(first[:60], abs=1e-3) and same.keypoints[60:] == pytest.approx(second[60:], abs=1e-3)
    assert len(found) == 2


def test_a_double_of_a_person_is_not_another_one():
    """A second detection of the same body, a little larger, in every other frame."""
    times = np.arange(120) / FPS
    person, other = person_at(np.linspace(300, 500, 120), times), person_at(np.full(120, 1000.0), times)
    double = person_at(np.linspace(300, 500, 120) + 12, times, y=420.0, scale=300.0)
    frames = shuffled_detections([person, other, double], [clothing_colours(1)] * 2 + [None], {(2, row) for row in range(0, 120, 2)})
    found = track(frames, times)
    assert len(found) == 2 and all(each.visible.all() for each in found)


def upside_down(person):
    """The same detections with the body upside down about the middle of its box."""
    turned = person.copy()
    turned[..., 1] = 2 * person[..., 1].mean(1, keepdims=True) - person[..., 1]
    return turned


def test_a_body_that_flips_for_some_frames_is_not_seen_in_them():
    times = np.arange(120) / FPS
    person = person_at(np.linspace(300, 500, 120), times)
    flipped = person.copy()
    flipped[50:58] = upside_down(person)[50:58]
    found = track([[Detection(points, None, 0.9, clothing_colours(1))] for points in flipped], times)
    assert len(found) == 1 and not found[0].visible[50:58].any() and found[0].visible.sum() == 112


def test_a_somersault_is_kept():
    times = np.arange(120) / FPS
    person = person_at(np.full(120, 500.0), times)
    angle = np.interp(np.arange(120), [50, 70], [0, 2 * np.pi])  # 540 degrees a second
    centre = person[..., :2].mean(1, keepdims=True)
    offset = person[..., :2] - centre
    cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
    turned = person.copy()
    turned[..., 0] = centre[..., 0] + cosine * offset[..., 0] - sine * offset[..., 1]
    turned[..., 1] = centre[..., 1] + sine * offset[..., 0] + cosine * offset[..., 1]
    found = track([[Detection(points, None, 0.9, clothing_colours(1))] for points in turned], times)
    assert len(found) == 1 and found[0].visible.all()


def test_a_person_upside_down_throughout_is_kept_unless_inside_somebody_upright():
    times = np.arange(90) / FPS
    upright = person_at(np.full(90, 400.0), times)
    spinner, ghost = upside_down(person_at(np.full(90, 900.0), times)), upside_down(upright)
    everybody = shuffled_detections([upright, spinner, ghost], [clothing_colours(i) for i in range(3)])
    found = track(everybody, times)
    assert len(found) == 2
    assert [set(rows) for rows in identities(found, [upright, spinner, ghost])] in ([{0}, {1}], [{1}, {0}])
