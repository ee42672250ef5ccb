"""The camera's motion in the background: pans and zooms are measured, people and a still camera are not."""

import cv2
import numpy as np
import pytest

from blender_meshrec.backend.camera.background_matcher import WIDTH, BackgroundMatcher

HEIGHT = 240
STILL = np.zeros(3)


@pytest.fixture(scope="module")
def scenery():
    """A wide picture full of smooth spots, 3 times as large as a frame."""
    noise = np.random.default_rng(0).integers(0, 256, (3 * HEIGHT // 8, 3 * WIDTH // 8, 3)).astype(np.uint8)
    return cv2.GaussianBlur(cv2.resize(noise, (3 * WIDTH, 3 * HEIGHT), interpolation=cv2.INTER_CUBIC), (0, 0), 2)


def view(scenery, right=0.0, down=0.0, zoom=1.0):
    """A frame of the scenery whose content has moved right and down by so many pixels and grown about the middle by `zoom`."""
    middle = np.array([WIDTH / 2, HEIGHT / 2])
    matrix = np.eye(2, 3) * zoom
    matrix[:, 2] = middle + [right, down] - zoom * (3 * middle)
    return cv2.warpAffine(scenery, matrix, (WIDTH, HEIGHT))


def follow(frames, boxes=None):
    """The sum of the steps over frames, and the steps."""
    matcher = BackgroundMatcher()
    steps = np.array([matcher.update(frame, [] if boxes is None else boxes[row])[0] for row, frame in enumerate(frames)])
    return np.nansum(steps, 0), steps


def test_a_still_camera_does_not_move(scenery):
    total, steps = follow([view(scenery)] * 8)
    assert np.isnan(steps[0]).all() and np.isfinite(steps[1:]).all()
    assert np.abs(total).max() < 1e-4


def test_a_pan_is_measured_over_many_key_frames(scenery):
    frames = [view(scenery, right=-3.0 * row, down=1.0 * row) for row in range(60)]
    total, _steps = follow(frames)
    assert total[:2] * WIDTH == pytest.approx([-177, 59], abs=1.0)  # px
    assert abs(total[2]) < 0.01


def test_a_slow_pan_does_not_drift(scenery):
    frames = [view(scenery, right=0.05 * row) for row in range(100)]
    assert follow(frames)[0][0] * WIDTH == pytest.approx(4.95, abs=0.2)  # px


def test_a_zoom_is_measured(scenery):
    total, _steps = follow([view(scenery, zoom=1.01**row) for row in range(20)])
    assert np.exp(total[2]) == pytest.approx(1.01**19, rel=0.01)


def test_large_images_give_the_same(scenery):
    frames = [view(scenery, right=2.0 * row) for row in range(10)]
    large = [cv2.resize(frame, None, fx=4, fy=4) for frame in frames]
    assert follow(large)[0] == pytest.approx(follow(frames)[0], abs=1e-3)


def test_a_person_who_moves_is_not_the_background(scenery):
    frames, boxes = [], []
    for row in range(30):
        frame, left = view(scenery).copy(), 20 + 5 * row
        frame[20:220, left : left + 120] = view(scenery, right=50)[20:220, 150:270]
        frames.append(frame)
        boxes.append([np.array([left, 20, left + 120, 220])])
    total, steps = follow(frames, boxes)
    assert np.isfinite(steps[1:]).all() and np.abs(total).max() < 2e-3


def test_a_cut_and_a_blank_wall_are_unknown(scenery):
    other = view(scenery, right=200, down=150)
    _total, steps = follow([view(scenery), view(scenery), 255 - other, 255 - other])
    assert np.isnan(steps[:, 0]).tolist() == [True, False, True, False]
    assert np.isnan(follow([np.full((HEIGHT, WIDTH, 3), 128, np.uint8)] * 3)[1]).all()


def test_an_unreadable_frame_is_unknown(scenery):
    _total, steps = follow([view(scenery), None, view(scenery), view(scenery)])
    assert np.isnan(steps[:, 0]).tolist() == [True, True, True, False]
