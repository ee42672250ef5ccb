"""What is drawn over the footage does not move with the scene: it hides neither turns nor cuts, and only it is taken out."""

import cv2
import numpy as np
import pytest

from blender_meshrec.backend.camera.background_matcher import small_size
from blender_meshrec.backend.camera.screen_graphics import graphic_matches, without_graphics
from blender_meshrec.backend.camera.solve_camera import find_shots, solve_camera
from blender_meshrec.backend.camera.tracks import CUT, join_matches
from tests.backend.camera.scenery import FOCAL, SIZE, match, scenery, turn, view

BAR = 200  # px, from where a score bar covers the picture: more than half of the corners that are found are its own


@pytest.fixture(scope="module")
def hills():
    return scenery()


def with_bar(picture):
    """A frame with a bar full of letters over it, above plain sky."""
    drawn = picture.copy()
    drawn[:90] = 200
    drawn[BAR:] = 40
    for row in range(4):
        cv2.putText(drawn, "TEAM 12-3 OVERS 4.5 HERE", (4, BAR + 16 + 16 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (240, 240, 240), 1)
    return drawn


def tracks_of(frames, boxes=None):
    return join_matches(match(frames, boxes)[0], SIZE, small_size(SIZE))


def test_a_score_bar_does_not_hold_a_turning_camera_still(hills):
    tracks = tracks_of([with_bar(view(hills, turn(0.25 * row))) for row in range(60)])
    assert solve_camera(tracks, SIZE, FOCAL).kind != "turning"
    is_graphic = graphic_matches(tracks)
    is_on_bar = tracks.points[:, 3] > BAR
    assert is_graphic[is_on_bar].mean() > 0.95 and is_graphic[~is_on_bar].mean() < 0.02
    found = solve_camera(without_graphics(tracks), SIZE, FOCAL)
    assert found.kind == "turning"
    assert np.degrees(np.arccos((np.trace(found.camera_from_first[-1]) - 1) / 2)) == pytest.approx(0.25 * 59, rel=0.1)


def test_a_cut_behind_a_score_bar_is_found(hills):
    others = scenery(3) // 2
    frames = [with_bar(view(hills))] * 12 + [with_bar(view(others))] * 12
    assert np.flatnonzero(np.isnan(match(frames)[1][:, 0])).tolist() == [0, 12]  # how the view moved is unknown there
    tracks = tracks_of(frames)
    assert [row for row, link in enumerate(tracks.links) if link == CUT] == [0, 12]
    assert find_shots(without_graphics(tracks)) == [(0, 12), (12, 24)]


def test_a_flash_behind_a_score_bar_is_no_cut(hills):
    frames = [with_bar(view(hills))] * 8 + [with_bar(np.clip(view(hills).astype(int) + 120, 0, 255).astype(np.uint8))]
    frames += [with_bar(view(hills))] * 8
    assert find_shots(without_graphics(tracks_of(frames))) == [(0, 17)]


def test_somebody_before_the_lens_of_a_still_camera_is_no_cut(hills):
    boxes = [[]] * 8 + [[np.array([60.0, 0.0, 480.0, 270.0])]] * 8
    covered = view(hills)
    covered[:, 60:] = 30
    tracks = tracks_of([view(hills)] * 8 + [covered] * 8, boxes)
    assert find_shots(without_graphics(tracks)) == [(0, 16)]
    assert not graphic_matches(tracks).any()


@pytest.mark.parametrize("height", [100, 200])
def test_a_still_camera_past_which_something_large_goes_stays_still(hills, height):
    """A train, before a background of which parts are never hidden: these are no graphics."""
    train = scenery(7)
    frames = []
    for row in range(60):
        frame = view(hills)
        left = -400 + 16 * row
        first, last = max(left, 0), min(left + 400, SIZE[0])
        if first < last:
            frame[135 - height // 2 : 135 + height // 2, first:last] = train[:height, first - left : last - left]
        frames.append(frame)
    tracks = tracks_of(frames)
    assert solve_camera(without_graphics(tracks), SIZE, FOCAL).kind == "still"
    assert graphic_matches(tracks).mean() < 0.05


@pytest.mark.parametrize("move", ["pan", "zoom", "still"])
def test_without_graphics_nothing_is_taken_out(hills, move):
    steps = np.linspace(0, 1, 50)
    frames = {
        "pan": [view(hills, turn(12 * step)) for step in steps],
        "zoom": [view(hills, zoom=1 + 0.6 * step) for step in steps],
        "still": [view(hills)] * 50,
    }[move]
    assert not graphic_matches(tracks_of(frames)).any()
