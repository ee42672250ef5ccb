"""The kind, rotations and lens of cameras that stand, turn, zoom and move; what cannot be known stands still and says so."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend.camera.moving_path import solve_moving_path
from blender_meshrec.backend.camera.solve_camera import solve_camera
from blender_meshrec.core.messages import Message
from blender_meshrec.core.rotations import angle_between_rotmats
from tests.backend.camera.scenery import FOCAL, SIZE, scenery, solve, turn, view


@pytest.fixture(scope="module")
def hills():
    return scenery()


def error_degrees(path, rotations):
    return np.degrees(angle_between_rotmats(path.camera_from_first, np.array(rotations)))


def noisy(frames, seed=0, grey=3.0):
    generator = np.random.default_rng(seed)
    return [np.clip(frame + generator.normal(0, grey, frame.shape), 0, 255).astype(np.uint8) for frame in frames]


def test_a_still_camera_stands_still(hills):
    path = solve(noisy([view(hills)] * 12))
    assert path.kind == "still" and path.sentences == ("The camera stands still.",)
    assert (path.camera_from_first == np.eye(3)).all() and (path.zoom == 1).all() and (path.confidence > 0.5).all()
    assert np.isnan(path.focal) and [(shot.first, shot.last, shot.kind) for shot in path.shots] == [(0, 12, "still")]


def test_a_still_camera_with_a_person_who_fills_half_of_the_picture(hills):
    frames, boxes = [], []
    for row in range(24):
        frame, left = view(hills).copy(), 40 + 6 * row
        frame[:, left : left + 200] = view(hills, shift=8.0 * row)[:, left : left + 200]
        frames.append(frame)
        boxes.append([np.array([left, 0, left + 200, SIZE[1]])])
    assert solve(noisy(frames), boxes).kind == "still"


@pytest.mark.parametrize("pan, tilt, roll", [(1.0, 0.0, 0.0), (0.6, -0.4, 0.2), (-0.1, 0.05, 0.0)])
def test_a_turning_camera(hills, pan, tilt, roll):
    rotations = [turn(pan * row, tilt * row, roll * row) for row in range(24)]
    path = solve(noisy([view(hills, rotation) for rotation in rotations]))
    assert path.kind == "turning" and (path.zoom == 1).all()
    lens = 0.02 if np.isfinite(path.focal) else 0.15  # where the turn does not tell the focal length, the given one is 15 % off
    assert error_degrees(path, rotations).max() < lens * 23 * np.linalg.norm([pan, tilt, roll]) + 0.1
    assert "turns in place" in path.sentences[0]


def test_a_wide_turn_tells_the_focal_length_and_a_small_one_does_not(hills):
    wide = solve([view(hills, turn(row)) for row in range(24)])
    assert wide.focal == pytest.approx(FOCAL, rel=0.02) and 0 < wide.focal_sigma < 0.06 * FOCAL
    small = solve([view(hills, turn(0.015 * row)) for row in range(24)])
    assert small.kind == "turning" and np.isnan(small.focal)


def test_rotations_fit_the_lens_that_is_taken(hills):
    """Where the turn does not tell the focal length, or it is certain, angles are those that this lens makes of the motion in pixels."""
    frames = [view(hills, turn(0.015 * row)) for row in range(24)]
    for sigma in (0.3, 0.0):
        path = solve(frames, focal=2 * FOCAL, prior_sigma=sigma)
        angle = np.degrees(angle_between_rotmats(np.eye(3), path.camera_from_first[-1]))
        assert angle == pytest.approx(0.015 * 23 / 2, rel=0.1)  # perspective stretches the borders by 7 % more than that lens would
    certain = solve([view(hills, turn(row)) for row in range(24)], focal=FOCAL, prior_sigma=0.0)
    assert certain.focal == pytest.approx(FOCAL, rel=1e-3)


def test_a_pan_there_and_back_does_not_drift(hills):
    angles = 25 * np.sin(np.linspace(0, 2 * np.pi, 50))
    path = solve(noisy([view(hills, turn(angle)) for angle in angles]))
    assert error_degrees(path, [turn(angle) for angle in angles])[-1] < 0.05


def test_a_zoom(hills):
    zoom = np.linspace(1, 1.5, 20)
    path = solve([view(hills, zoom=factor) for factor in zoom])
    assert path.kind == "turning" and path.zoom == pytest.approx(zoom, rel=0.01)
    assert error_degrees(path, [np.eye(3)] * 20).max() < 0.1
    assert "zooms by 50 %" in path.sentences[0]


def two_layers(hills):
    """A camera that moves to the right past something far, and something near that passes three times as fast."""
    other, frames = scenery(5), []
    for row in range(24):
        frame = view(hills, shift=-2.0 * row).copy()
        frame[SIZE[1] // 2 :] = view(other, shift=-6.0 * row)[SIZE[1] // 2 :]
        frames.append(frame)
    return frames


def test_a_camera_that_moves_has_a_path(hills):
    path = solve(two_layers(hills))
    assert path.kind == "moving" and path.centres is not None and path.shots[0].has_path
    way = path.centres[-1] - path.centres[0]
    assert way[0] > 0.95 * np.linalg.norm(way)
    assert path.centres[:, 0] == pytest.approx(np.linspace(0, way[0], 24), abs=0.02 * way[0])
    assert np.degrees(angle_between_rotmats(path.camera_from_first, np.eye(3))).max() < 1.0
    assert "moves through the scene; its path explains" in path.sentences[0]


def test_a_carried_camera_that_looks_like_a_turning_one_has_a_path_if_that_explains_more(hills, monkeypatch):
    monkeypatch.setattr("blender_meshrec.backend.camera.solve_camera.is_moving", lambda *given: False)
    path = solve(two_layers(hills))
    assert path.kind == "moving" and path.centres is not None


def test_a_path_that_is_not_found_is_left_in_with_a_sentence(hills, monkeypatch):
    why = Message("camera-path-not-found", "no path explains how the background moves")
    monkeypatch.setattr("blender_meshrec.backend.camera.solve_camera.solve_moving_path", lambda *given: why)
    monkeypatch.setattr("blender_meshrec.backend.camera.solve_camera._explained", lambda *given: 0.5)  # of this scene a turn explains 80 %
    path = solve(two_layers(hills))
    assert path.kind == "moving" and path.centres is None and (path.camera_from_first == np.eye(3)).all()
    assert path.sentences == (
        "The camera moves through the scene; its motion is not taken out.",
        "Its path through the scene is not taken out: no path explains how the background moves.",
    )


def test_a_turn_that_explains_little_is_said_to_be_doubtful(hills, monkeypatch):
    why = Message("camera-path-not-found", "no path explains how the background moves")
    monkeypatch.setattr("blender_meshrec.backend.camera.solve_camera.is_moving", lambda *given: False)
    monkeypatch.setattr("blender_meshrec.backend.camera.solve_camera.solve_moving_path", lambda *given: why)
    path = solve(two_layers(hills))
    assert path.kind == "turning" and any("doubtful" in sentence and "may move as well" in sentence for sentence in path.sentences)
    clear = solve([view(hills, turn(0.6 * row)) for row in range(24)])
    assert clear.kind == "turning" and not any("doubtful" in sentence for sentence in clear.sentences)


@pytest.mark.parametrize("explained, uncertainty, is_doubtful", [(0.9, 0.05, False), (0.7, 0.05, True), (0.9, 0.25, True)])
def test_a_path_that_explains_little_or_is_uncertain_is_said_to_be_doubtful(hills, monkeypatch, explained, uncertainty, is_doubtful):
    def solved(*given):
        return replace(solve_moving_path(*given), explained=explained, uncertainty=uncertainty)

    monkeypatch.setattr("blender_meshrec.backend.camera.solve_camera.solve_moving_path", solved)
    path = solve(two_layers(hills))
    assert path.shots[0].has_path and any("is doubtful" in sentence for sentence in path.sentences) == is_doubtful


def test_a_wall_that_passes_by_is_no_turn(hills):
    path = solve([view(hills, shift=-9.0 * row) for row in range(40)])
    assert path.kind == "moving"
    if path.centres is not None:
        assert path.centres[-1, 0] > 0.9 * np.linalg.norm(path.centres[-1])


def test_shots_are_solved_by_themselves(hills):
    first, second = [turn(0.8 * row) for row in range(15)], [turn(tilt=0.5 * row) for row in range(15)]
    other = scenery(7) // 2
    path = solve([view(hills, rotation) for rotation in first] + [view(other, rotation) for rotation in second])
    assert [(shot.first, shot.last, shot.kind) for shot in path.shots] == [(0, 15, "turning"), (15, 30, "turning")]
    assert error_degrees(path, first + second).max() < 0.6
    assert "2 shots" in path.sentences[1]


def test_a_flash_is_no_cut(hills):
    frames = [view(hills, turn(0.3 * row)) for row in range(20)]
    frames[9] = np.full_like(frames[9], 255)
    path = solve(frames)
    assert len(path.shots) == 1 and path.confidence[9] == 0
    assert error_degrees(path, [turn(0.3 * row) for row in range(20)]).max() < 0.4


def test_lost_frames_are_bridged_and_mentioned(hills):
    frames = [view(hills, turn(0.5 * row)) for row in range(30)]
    frames[12:18] = [np.full_like(frames[0], 128)] * 6
    path = solve(frames)
    assert path.kind == "turning" and error_degrees(path, [turn(0.5 * row) for row in range(30)]).max() < 0.5
    assert "In 20 % of the frames the background was not found" in path.sentences[-1]


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_a_few_frames(hills, frames):
    path = solve([view(hills, turn(row)) for row in range(frames)])
    assert path.kind == ("still" if frames == 1 else "turning") and path.camera_from_first.shape == (frames, 3, 3)
    assert error_degrees(path, [turn(row) for row in range(frames)]).max() < 0.5


def test_nothing_to_see_stands_still_with_a_sentence():
    walls = noisy([np.full((SIZE[1], SIZE[0], 3), 128, np.uint8)] * 12, grey=1.0)
    leaves = [view(scenery(seed)) for seed in range(12)]
    for frames in (walls, leaves):
        path = solve(frames)
        assert path.kind in ("unknown", "still") and (path.camera_from_first == np.eye(3)).all() and path.sentences
    nobody_looked = solve_camera(None, SIZE, FOCAL, num_frames=4)
    assert nobody_looked.kind == "unknown" and nobody_looked.camera_from_first.shape == (4, 3, 3) and nobody_looked.sentences
