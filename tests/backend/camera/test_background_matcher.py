"""The footage pass: cuts, lost frames, key frames that are taken again, and bounded memory."""

import numpy as np
import pytest

from blender_meshrec.backend.camera import background_matcher
from blender_meshrec.backend.camera.background_mask import background_mask
from blender_meshrec.backend.camera.background_matcher import MAX_KEYS, BackgroundMatcher
from blender_meshrec.backend.camera.key_frames import MAX_CORNERS, find_corners
from blender_meshrec.backend.camera.tracks import CUT, FOLLOWS, LOST
from tests.backend.camera.scenery import SIZE, match, scenery, turn, view


@pytest.fixture(scope="module")
def hills():
    return scenery()


@pytest.fixture(scope="module")
def room(hills):
    """A picture that is bright in the middle."""
    far = np.hypot(*(np.indices(hills.shape[:2]) - len(hills) / 2)) / 200
    return (hills * np.clip(1.2 - far, 0.1, 1)[..., None]).astype(np.uint8)


def test_cuts_and_lost_frames_are_told_apart(hills):
    grey = np.full((SIZE[1], SIZE[0], 3), 128, np.uint8)
    cut, _steps = match([view(hills), view(hills), view(scenery(3) // 2), view(scenery(3) // 2)])
    assert [frame.link for frame in cut] == [CUT, FOLLOWS, CUT, FOLLOWS]
    blank, _steps = match([grey, grey, view(hills), view(hills)])
    assert [frame.link for frame in blank] == [CUT, LOST, LOST, FOLLOWS]
    unread, steps = match([view(hills), None, view(hills), view(hills)])
    assert [frame.link for frame in unread] == [CUT, LOST, FOLLOWS, FOLLOWS]
    assert np.isnan(steps[:, 0]).tolist() == [True, True, True, False]


def test_nothing_is_matched_across_a_cut(hills):
    frames = [view(hills)] * 10 + [view(scenery(3) // 2)] * 10 + [view(hills)] * 10
    kept, _steps = match(frames)
    assert [row for row, frame in enumerate(kept) if frame.link == CUT] == [0, 10, 20]
    assert all(found.reference >= 10 * (row // 10) for row, frame in enumerate(kept) for found in frame.matches)


def test_a_zoom_from_one_frame_to_the_next_is_a_cut(room):
    """As in a dance that is cut together from two takes of one room; a lens zooms in steps."""
    jump, _steps = match([view(room)] * 8 + [view(room, zoom=1.3)] * 8)
    assert [row for row, frame in enumerate(jump) if frame.link == CUT] == [0, 8]
    assert all(found.reference >= 8 for frame in jump[8:] for found in frame.matches)
    zoom, _steps = match([view(room, zoom=1 + 0.04 * row) for row in range(16)])
    assert [row for row, frame in enumerate(zoom) if frame.link == CUT] == [0]


@pytest.mark.parametrize(("zoom", "is_linked"), [(1.3, False), (1.0, True)])
def test_another_take_is_not_linked_later_either(room, monkeypatch, zoom, is_linked):
    """Where the place is recognised only some frames after the cut: another take is left alone, the same view is taken up."""
    calls = []
    recognise, follow = background_matcher.recognise, background_matcher.follow
    monkeypatch.setattr(  # optical flow does not find the other view, and SIFT not at once
        background_matcher, "follow", lambda key, grey, *more: follow(key, grey, *more) if np.array_equal(grey, key.grey) else None
    )
    monkeypatch.setattr(background_matcher, "recognise", lambda *given: calls.append(1) or (recognise(*given) if len(calls) > 3 else None))
    moved = [view(room, turn(14.0), zoom=zoom)] * 12
    kept, _steps = match([view(room)] * 8 + moved)
    assert [row for row, frame in enumerate(kept) if frame.link == CUT] == [0, 8] and len(calls) > 3
    assert any(found.reference < 8 for frame in kept[8:] for found in frame.matches) == is_linked


def test_a_view_that_comes_back_takes_its_key_frame_again(hills):
    angles = 20 * np.sin(np.linspace(0, 4 * np.pi, 100))
    kept, steps = match([view(hills, turn(angle)) for angle in angles])
    keys = {found.reference for frame in kept for found in frame.matches}
    assert len(keys) < 20 and min(found.reference for frame in kept[75:] for found in frame.matches) < 25
    assert np.abs(np.nansum(steps, 0)).max() < 2e-3


def test_matches_are_where_the_background_is(hills):
    kept, _steps = match([view(hills, shift=3.0 * row) for row in range(6)])
    for row, frame in enumerate(kept[1:], 1):
        for found in frame.matches:
            moved = (found.points[:, 2:] - found.points[:, :2])[found.agrees] / 64 * SIZE[0] / 320
            assert np.abs(np.median(moved, 0) - [3.0 * (row - found.reference), 0]).max() < 0.3  # px
            assert found.agrees.mean() > 0.8


def test_corners_are_from_all_parts_of_the_picture(hills):
    """Also where the picture is so faint that its corners are weaker than those of the rest, which is full of them."""
    grey = view(hills)[..., 1].copy()
    grey[180:] = 100 + grey[180:] // 3
    corners = find_corners(grey, np.full(grey.shape, 255, np.uint8))
    assert len(corners) == MAX_CORNERS
    assert (corners[:, 1] > 180).mean() > 0.2
    carried = corners[:10] + 0.2
    assert (find_corners(grey, np.full(grey.shape, 255, np.uint8), carried)[:10] == carried).all()


def test_memory_is_bounded(hills, monkeypatch):
    monkeypatch.setattr(background_matcher, "RENEW_SHIFT", 1.0)
    monkeypatch.setattr(background_matcher, "SAME_VIEW", 0.0)
    matcher = BackgroundMatcher()
    for row in range(60):
        matcher.update(view(hills, turn(0.4 * row)), [])
    assert 10 < len(matcher._keys) <= MAX_KEYS


def test_a_run_that_goes_on_counts_rows_from_there(hills):
    matcher = BackgroundMatcher(first=100)
    links = [matcher.update(view(hills), [])[1] for _ in range(2)]
    assert [frame.link for frame in links] == [LOST, FOLLOWS] and links[1].matches[0].reference == 100


def test_the_mask_leaves_people_out():
    mask = background_mask((90, 160), 0.5, [np.array([100.0, 40.0, 140.0, 140.0])])
    assert mask[20:70, 50:70].max() == 0 and mask[:, :40].min() == 255 and mask.dtype == np.uint8
    assert background_mask((90, 160), 0.5, []).min() == 255


def test_silhouettes_are_used_where_boxes_leave_too_little():
    silhouette = np.zeros((96, 96), bool)
    silhouette[8:88, 40:56] = True
    square, box = np.array([160.0, 90.0, 200.0]), np.array([0.0, 0.0, 320.0, 180.0])
    mask = background_mask((90, 160), 0.5, [box], [(silhouette, square)])
    assert mask[45, 80] == 0 and mask[45, 20] == 255 and mask[45, 140] == 255
    assert mask[45, 80 + 10] == 0 and mask[45, 80 + 22] == 255  # px: half of 16 of 96 of the square, and the margin
    assert background_mask((90, 160), 0.5, [box]).max() == 0
