"""Backgrounds that tell little or something wrong: a result that fits or a sentence, never a wild path."""

import cv2
import numpy as np
import pytest

from blender_meshrec.core.rotations import angle_between_rotmats
from tests.backend.camera.scenery import FOCAL, SIZE, match, scenery, solve, turn, view

FRAMES = 24
PICTURE = scenery()
PAN = np.linspace(0, 12, FRAMES)  # degrees


def is_tame(path, largest):
    """Whether no frame is turned by more than so many degrees against its shot's first, from frame to frame by more than 3 of them, and
    no place lies farther away than the background."""
    turned = np.degrees(angle_between_rotmats(np.eye(3), path.camera_from_first))
    steps = np.degrees(angle_between_rotmats(path.camera_from_first[1:], path.camera_from_first[:-1]))
    inside = np.array([row not in path.cuts for row in range(1, len(path.zoom))], bool)
    places = np.zeros((1, 3)) if path.centres is None else path.centres
    is_near = bool(np.linalg.norm(places, axis=1).max() < 1.0)
    return turned.max() < largest and steps[inside].max(initial=0) < 3 and is_near and 0.5 < path.zoom.min() <= path.zoom.max() < 2


def turn_each(pans):
    """camera_from_first (F,3,3) of pans (F,), degrees."""
    return np.array([turn(pan=pan) for pan in pans])


def test_water_that_flows_everywhere_moves_no_camera_far():
    """Spots that come, drift and go, no two alike."""
    generator, frames = np.random.default_rng(0), []
    spots, drift = generator.uniform(0, 1, (400, 2)), generator.normal(0, 0.01, (400, 2))
    for _ in range(FRAMES):
        spots, drift = (spots + drift) % 1, drift + generator.normal(0, 0.006, drift.shape)
        frame = np.full((SIZE[1], SIZE[0], 3), 120, np.uint8)
        for x, y in spots * SIZE:
            cv2.circle(frame, (int(x), int(y)), 5, (170, 170, 170), -1)
        frames.append(cv2.GaussianBlur(frame, (0, 0), 2))
    path = solve(frames)
    assert path.sentences and is_tame(path, 5)


def test_a_crowd_that_fills_the_picture_leaves_the_camera_unknown():
    frames = [view(PICTURE, turn(pan=pan)) for pan in PAN]
    boxes = [[np.array([0.0, 0, *SIZE]), np.array([100.0, 20, 300, 260])]] * FRAMES
    path = solve(frames, boxes)
    assert path.kind == "unknown" and "too little" in path.sentences[0] and is_tame(path, 1)


def test_motion_blur_is_followed_or_said():
    frames = [cv2.blur(view(PICTURE, turn(pan=pan)), (23, 1)) for pan in PAN]
    path = solve(frames)
    assert path.sentences and is_tame(path, 20)
    if path.kind == "turning":
        assert np.degrees(angle_between_rotmats(path.camera_from_first[-1], turn(pan=PAN[-1]))) < 1


def test_a_cut_every_second_gives_a_camera_to_every_shot():
    pictures = [cv2.convertScaleAbs(scenery(seed), alpha=0.5 + 0.15 * seed, beta=30 * (seed % 2)) for seed in range(4)]
    frames = [view(picture, turn(pan=pan)) for picture in pictures for pan in np.linspace(0, 5, 10)]
    path = solve(frames)
    assert [shot.first for shot in path.shots] == [0, 10, 20, 30] and path.cuts == [10, 20, 30]
    for number, shot in enumerate(path.shots):
        alone = path.of_shot(number)
        assert shot.kind == "turning" and len(alone.zoom) == 10 and alone.shots[0].last == 10
        assert np.degrees(angle_between_rotmats(alone.camera_from_first[-1], turn(pan=5))) < 0.5
    assert is_tame(path, 8)


def test_a_rolling_shutter_bends_a_pan_and_no_path_comes_of_it():
    """Each row is taken later than the one above, while the view pans there and back."""
    pans = np.array([[4 * np.sin(0.25 * (row + part)) for part in (0.0, 0.6)] for row in range(FRAMES)])  # of the first and the last row
    x, y = np.meshgrid(np.arange(SIZE[0], dtype=np.float32), np.arange(SIZE[1], dtype=np.float32))
    frames = []
    for first, last in pans:
        shift = np.radians(last - first) * FOCAL * y / SIZE[1]
        frames.append(cv2.remap(view(PICTURE, turn(pan=first)), x - shift.astype(np.float32), y, cv2.INTER_LINEAR))
    path = solve(frames)
    assert path.kind == "turning" and is_tame(path, 10)
    true = turn_each(pans.mean(1))
    assert np.median(np.degrees(angle_between_rotmats(path.camera_from_first, true @ true[0].T))) < 0.7


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_clip_of_few_frames_has_a_camera(count):
    path = solve([view(PICTURE, turn(pan=pan)) for pan in range(count)])
    assert len(path.zoom) == count and path.sentences and is_tame(path, 4)


def test_a_bare_wall_stands_still_and_is_said():
    generator = np.random.default_rng(1)
    frames = [np.clip(128 + generator.normal(0, 1, (SIZE[1], SIZE[0], 3)), 0, 255).astype(np.uint8) for _ in range(FRAMES)]
    path = solve(frames)
    assert path.kind in ("unknown", "still") and path.sentences and is_tame(path, 0.1)


def test_corners_of_a_view_that_grows_are_found_to_a_tenth_of_a_pixel():
    zooms = np.linspace(1, 1.25, FRAMES)
    kept, _steps = match([view(PICTURE, zoom=zoom) for zoom in zooms])
    errors = []
    for row, found in enumerate(kept):
        for one in found.matches:
            points = one.points[one.agrees] / 64 + 0.5 - np.tile(np.array([320, 180]) / 2, 2)
            if row - one.reference > 6:
                errors.append(np.linalg.norm(points[:, :2] * zooms[row] / zooms[one.reference] - points[:, 2:], axis=1))
    assert np.median(np.concatenate(errors)) < 0.12  # px of the small image


def test_the_solve_tells_its_progress_and_can_be_ended():
    frames = [view(PICTURE, turn(pan=pan)) for pan in PAN]
    seen = []
    solve(frames, on_step=lambda done, total: seen.append((done, total)))
    assert seen and all(0 <= done < total for done, total in seen)

    def cancel(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        solve(frames, on_step=cancel)
