"""Doubts about people: what never moves, and what moves as a mirror image."""

import numpy as np

from blender_meshrec.backend.detection.detections import mirror_permutation, person_box
from blender_meshrec.backend.tracking.doubts import find_doubts
from blender_meshrec.core.records import Observations
from tests.support.synthetic_keypoints import animate_stick_figure, project_orthographic

TIMES = np.arange(150) / 30


def observed(keypoints):
    keypoints = np.asarray(keypoints, float)
    boxes = np.array([person_box(points, "blazepose33") for points in keypoints])
    return Observations("blazepose33", boxes, keypoints, np.ones(len(keypoints), bool))


def person(x=400.0, turn=0.0, pace=1.0, scale=200.0):
    keypoints = project_orthographic(animate_stick_figure(TIMES, turn=turn, pace=pace), (x, 400.0), scale)
    keypoints[..., :2] += np.random.default_rng(int(x)).normal(0, 0.004 * scale, keypoints[..., :2].shape)
    return keypoints


def names(doubts):
    return [[reason.name for reason in reasons] for reasons in doubts]


def test_a_statue_is_doubted_even_if_the_camera_moves_and_zooms():
    walker = person(turn=0.7)
    statue = person(x=900.0, pace=0.0)
    statue[..., :2] = statue[..., :2] * np.linspace(1, 1.2, 150)[:, None, None] + np.linspace(0, 80, 150)[:, None, None]
    assert names(find_doubts([observed(walker), observed(statue)], TIMES)) == [[], ["doubt-still"]]


def test_somebody_who_breathes_and_sways_is_not_a_statue():
    standing = person(x=900.0, pace=0.0)
    upper = standing[..., 1] < 400
    standing[..., 0] += upper * 3.5 * np.sin(2 * np.pi * 0.4 * TIMES)[:, None] * (400 - standing[..., 1]) / 60
    assert names(find_doubts([observed(person(turn=0.7)), observed(standing)], TIMES)) == [[], []]


def test_a_mirror_image_is_doubted_and_somebody_who_walks_otherwise_is_not():
    turn = 0.9 * np.sin(TIMES)
    walker, other = person(turn=turn, scale=220.0), person(x=1200.0, turn=-0.5, pace=1.37)
    image = project_orthographic(animate_stick_figure(TIMES, turn=turn), (400.0, 400.0), 140.0)
    mirrored = image[:, mirror_permutation("blazepose33")] * [-1, 1, 1] + [1000, 0, 0]
    doubts = find_doubts([observed(walker), observed(mirrored), observed(other)], TIMES)
    assert names(doubts) == [[], ["doubt-mirror"], []]


def mirrored(turn, late=0.0, size=140.0):
    """Somebody who does what a walker of size 220 px does, mirrored, `late` frames later."""
    keypoints = animate_stick_figure(TIMES - late / 30, turn=turn if np.isscalar(turn) else np.interp(TIMES - late / 30, TIMES, turn))
    return project_orthographic(keypoints, (400.0, 400.0), size)[:, mirror_permutation("blazepose33")] * [-1, 1, 1] + [1000, 0, 0]


def test_dancers_in_mirrored_step_are_two_people():
    """Who is a tenth of a second late is no image, nor who walks the same way as the other."""
    turn = 0.9 * np.sin(TIMES)
    leader = person(turn=turn, scale=220.0)
    assert names(find_doubts([observed(leader), observed(mirrored(turn))], TIMES)) == [[], ["doubt-mirror"]]
    assert names(find_doubts([observed(leader), observed(mirrored(turn, late=4))], TIMES)) == [[], []]
    along = np.linspace(0, 300, len(TIMES))[:, None, None] * [1, 0, 0]
    assert names(find_doubts([observed(leader + along), observed(mirrored(turn) + along)], TIMES)) == [[], []]
    assert names(find_doubts([observed(leader + along), observed(mirrored(turn) - along * 140 / 220)], TIMES)) == [[], ["doubt-mirror"]]


def test_the_only_person_and_short_ones_are_not_doubted():
    statue = person(pace=0.0)
    assert names(find_doubts([observed(statue)], TIMES)) == [[]]
    short = observed(person(x=900.0, pace=0.0)[:30])
    assert names(find_doubts([observed(person(turn=0.7)[:30]), short], TIMES[:30])) == [[], []]
