"""Paths of cameras through scenes of points whose places are known; what is no path, and what feet say of its length."""

import numpy as np
import pytest

from blender_meshrec.backend.camera.moving_path import MovingPath, solve_moving_path
from blender_meshrec.backend.camera.path_between_keys import fit_all_frames, interpolate_cameras
from blender_meshrec.backend.camera.path_scale import Feet, scale_from_feet
from blender_meshrec.backend.camera.point_tracks import PointTracks, chain_matches
from blender_meshrec.backend.camera.rotation_adjustment import Matches
from blender_meshrec.backend.camera.scene_adjustment import Scene, adjust_scene, derivatives, residuals, tangents
from blender_meshrec.core.rotations import angle_between_rotmats, rotmat_from_rotvec

FOCAL, HALF = 450.0, np.array([240.0, 135.0])  # px; half of the image's size
PIXEL = 1.5  # px of the footage that make one of the small image
PRIOR = (float(np.log(1.2 * FOCAL)), 0.3)
KEY_EVERY = 8


def turn(pan=0.0, tilt=0.0):
    return rotmat_from_rotvec(np.radians([tilt, pan, 0.0]))


def room(seed=0, count=500):
    """Points (N,3) of a room about the camera's way: near, far, and at the sides."""
    generator = np.random.default_rng(seed)
    return np.column_stack([generator.uniform(-9, 9, count), generator.uniform(-3, 3, count), generator.uniform(3, 12, count)])


def matches_of(points, rotations, centres, noise=0.1, seed=0, focal=FOCAL):
    """What the footage pass keeps: corners of a key frame found in the frames up to the next one, with noise in px of the small image."""
    generator = np.random.default_rng(seed)
    seen = (points[None] - centres[:, None]) @ np.swapaxes(rotations, 1, 2)
    pixels = focal * seen[..., :2] / np.maximum(seen[..., 2:], 1e-3)
    visible = (seen[..., 2] > 0.3) & (np.abs(pixels) < HALF).all(-1)
    pixels = pixels + noise * PIXEL * generator.normal(size=pixels.shape)
    pairs, parts = [], []
    for row in range(1, len(rotations)):
        key = (row - 1) // KEY_EVERY * KEY_EVERY
        both = np.flatnonzero(visible[key] & visible[row])[:110]
        if len(both):
            pairs.append((key, row))
            parts.append((pixels[key, both], pixels[row, both]))
    starts = np.concatenate([[0], np.cumsum([len(before) for before, _after in parts])])
    before, after = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    return Matches(np.array(pairs), starts, before, after, np.ones(len(before)), PIXEL)


def errors(path, rotations, centres):
    """The largest rotation error, degrees, and the mean error of the path after one scale, % of its length."""
    true = (centres - centres[0]) @ rotations[0].T
    scale = (path.centres * true).sum() / (path.centres**2).sum()
    length = np.linalg.norm(np.diff(true, axis=0), axis=1).sum()
    turned = np.degrees(angle_between_rotmats(path.camera_from_first, rotations @ rotations[0].T))
    return turned.max(), 100 * np.linalg.norm(scale * path.centres - true, axis=1).mean() / length


def beside(t):
    return turn(4 * np.sin(5 * t), 2 * np.sin(9 * t)), np.array([4 * t - 2, 0.03 * np.sin(30 * t), 0.0])


def orbit(t):
    angle = np.radians(60 * t)
    return turn(-60 * t), np.array([5 * np.sin(angle), 0.0, 5 - 5 * np.cos(angle)])


def approach(t):
    return turn(3 * np.sin(7 * t), 2 * np.sin(5 * t)), np.array([0.2 * np.sin(6 * t), 0.0, 2.5 * t])


@pytest.mark.parametrize("camera", [beside, orbit, approach])
def test_a_path_through_a_room(camera):
    rotations, centres = (np.array(part) for part in zip(*(camera(t) for t in np.linspace(0, 1, 49)), strict=True))
    path = solve_moving_path(matches_of(room(), rotations, centres), 49, PRIOR)
    assert isinstance(path, MovingPath)
    turned, away = errors(path, rotations, centres)
    assert turned < 1.5 and away < 1.5  # degrees, %
    assert path.explained > 0.9 and path.uncertainty < 0.15 and (path.confidence > 0.5).all()
    assert abs(np.log(path.focal / FOCAL)) < max(0.06, path.log_focal_sigma)


def test_a_known_lens_is_held_and_exact_points_give_an_exact_path():
    rotations, centres = (np.array(part) for part in zip(*(orbit(t) for t in np.linspace(0, 1, 33)), strict=True))
    path = solve_moving_path(matches_of(room(), rotations, centres, noise=0.0), 33, (np.log(FOCAL), 0.0))
    assert isinstance(path, MovingPath) and path.focal == pytest.approx(FOCAL, rel=1e-3)
    turned, away = errors(path, rotations, centres)
    assert turned < 0.1 and away < 0.1


def test_walls_alone_give_a_path():
    """A plane that is seen askew, and one in front of a camera that walks along it through a known lens."""
    generator = np.random.default_rng(1)
    x, y = generator.uniform(-8, 8, 500), generator.uniform(-3, 3, 500)
    rotations, centres = (np.array(part) for part in zip(*(beside(t) for t in np.linspace(0, 1, 49)), strict=True))
    for wall in (np.column_stack([x, y, 7 + 0.4 * x]), np.column_stack([x, y, np.full(500, 6.0)])):
        path = solve_moving_path(matches_of(wall, rotations, centres), 49, (np.log(FOCAL), 0.02))
        assert isinstance(path, MovingPath)
        turned, away = errors(path, rotations, centres)
        assert turned < 2.0 and away < 3.0


def test_a_hand_that_sways_by_centimetres_has_a_path():
    times = np.linspace(0, 1, 49)
    sway = np.column_stack([0.08 * np.sin(13 * times), 0.07 * np.sin(17 * times + 1), 0.05 * np.sin(11 * times)])
    rotations = np.array([turn(np.sin(9 * t), np.sin(7 * t)) for t in times])
    path = solve_moving_path(matches_of(room(), rotations, sway), 49, PRIOR)
    assert isinstance(path, MovingPath)
    turned, away = errors(path, rotations, sway)
    assert turned < 0.3 and away < 3.0


def test_corners_that_slide_along_edges_do_not_bend_the_path():
    """A wall far away and a few near points, some of which are no points: they move with a shift of the camera as none does."""
    generator = np.random.default_rng(2)
    wall = np.column_stack([generator.uniform(-9, 9, 300), generator.uniform(-5, 5, 300), np.full(300, 9.8)])
    near = np.column_stack([generator.uniform(-3, 3, 16), generator.uniform(-1, 1, 16), generator.uniform(4, 6, 16)])
    rotations, centres = (np.array(part) for part in zip(*(beside(t) for t in np.linspace(0, 1, 49)), strict=True))
    slides = near[:4].copy()
    matches = matches_of(np.concatenate([near, wall]), rotations, centres)
    for key in np.unique(matches.pairs[:, 0]):  # up along an edge, by 3 px of the small image in KEY_EVERY frames
        for pair in np.flatnonzero(matches.pairs[:, 0] == key):
            rows = np.arange(matches.starts[pair], matches.starts[pair + 1])
            seen = (slides - centres[key]) @ rotations[key].T
            places = FOCAL * seen[:, :2] / seen[:, 2:]
            is_one = np.linalg.norm(matches.before[rows, None] - places, axis=2).min(1) < 1
            matches.after[rows[is_one], 1] -= 3 * PIXEL * (matches.pairs[pair, 1] - key) / KEY_EVERY
    path = solve_moving_path(matches, 49, PRIOR)
    assert isinstance(path, MovingPath)
    turned, away = errors(path, rotations, centres)
    assert turned < 1.0 and away < 1.5


def test_a_turn_in_place_is_no_path():
    rotations = np.array([turn(30 * t, 5 * np.sin(6 * t)) for t in np.linspace(0, 1, 49)])
    for noise in (0.05, 0.3):
        why = solve_moving_path(matches_of(room(), rotations, np.zeros((49, 3)), noise), 49, PRIOR)
        assert not isinstance(why, MovingPath) and why.name in ("camera-path-no-parallax", "camera-path-unsure", "camera-path-not-found")


def test_too_little_to_see_is_no_path():
    rotations, centres = (np.array(part) for part in zip(*(beside(t) for t in np.linspace(0, 1, 20)), strict=True))
    for points, frames in ((room()[:25], 20), (room(), 3)):
        why = solve_moving_path(matches_of(points, rotations[:frames], centres[:frames]), frames, PRIOR)
        assert not isinstance(why, MovingPath) and why.name == "camera-path-few-points"


def test_matches_by_chance_are_no_path():
    rotations, centres = (np.array(part) for part in zip(*(beside(t) for t in np.linspace(0, 1, 30)), strict=True))
    matches = matches_of(room(), rotations, centres)
    matches.after[:] = np.random.default_rng(3).uniform(-HALF, HALF, matches.after.shape)
    assert not isinstance(solve_moving_path(matches, 30, PRIOR), MovingPath)


def test_things_that_move_by_themselves_are_left_out():
    rotations, centres = (np.array(part) for part in zip(*(beside(t) for t in np.linspace(0, 1, 49)), strict=True))
    matches = matches_of(room(), rotations, centres)
    is_moving = np.arange(len(matches.after)) % 4 == 0
    matches.after[is_moving] += np.random.default_rng(2).uniform(-25, 25, (is_moving.sum(), 2))
    path = solve_moving_path(matches, 49, PRIOR)
    assert isinstance(path, MovingPath) and path.explained < 0.9
    turned, away = errors(path, rotations, centres)
    assert turned < 2.0 and away < 3.0


def test_frames_that_see_nothing_do_not_jump():
    rotations, centres = (np.array(part) for part in zip(*(beside(t) for t in np.linspace(0, 1, 49)), strict=True))
    matches = matches_of(room(), rotations, centres)
    kept = [pair for pair, (_key, row) in enumerate(matches.pairs) if row not in (19, 20, 21)]
    rows = np.concatenate([np.arange(matches.starts[pair], matches.starts[pair + 1]) for pair in kept])
    starts = np.concatenate([[0], np.cumsum(np.diff(matches.starts)[kept])])
    path = solve_moving_path(
        Matches(matches.pairs[kept], starts, matches.before[rows], matches.after[rows], matches.weights[rows], PIXEL), 49, PRIOR
    )
    assert isinstance(path, MovingPath) and (path.confidence[19:22] == 0).all()
    turned, away = errors(path, rotations, centres)
    assert turned < 1.5 and away < 1.5


def test_corners_on_an_earlier_point_are_that_point():
    """A point that a key frame leads to the next one, whose corner lies 0.6 px beside it, is seen at its own place in later frames."""
    pairs, starts = np.array([[0, 1], [0, 2], [2, 3]]), np.array([0, 1, 2, 3])
    before = np.array([[10.0, 0.0], [10.0, 0.0], [12.6, 0.0]])
    after = np.array([[11.0, 0.0], [12.0, 0.0], [13.6, 0.0]])
    tracks = chain_matches(Matches(pairs, starts, before, after, np.ones(3), 1.0), 4)
    assert tracks.num_points == 1 and tracks.pixels[tracks.frames == 3] == pytest.approx(np.array([[13.0, 0.0]]), abs=0.02)
    apart = before + [[0, 0], [0, 0], [5.0, 0]]
    assert chain_matches(Matches(pairs, starts, apart, after, np.ones(3), 1.0), 4).num_points == 2


def scene_of(points, rotations, centres):
    base = np.zeros_like(points)
    distance = np.linalg.norm(points, axis=1)
    return Scene(rotations, centres, base, points / distance[:, None], 1 / distance, float(np.log(FOCAL)))


def test_an_adjustment_finds_cameras_and_points_again():
    rotations, centres = (np.array(part) for part in zip(*(beside(t) for t in np.linspace(0, 1, 9)), strict=True))
    points = room(count=60)
    generator = np.random.default_rng(0)
    near = (points[None] - centres[:, None]) @ np.swapaxes(rotations, 1, 2)
    pixels = FOCAL * near[..., :2] / near[..., 2:]
    frames, numbers = (part.ravel() for part in np.meshgrid(np.arange(9), np.arange(60)))
    tracks = PointTracks(frames, numbers, pixels[frames, numbers], 60, PIXEL, 6 * np.arange(9))
    assert residuals(tracks, scene_of(points, rotations, centres)) == pytest.approx(0, abs=1e-6)
    start = scene_of(points * generator.normal(1, 0.03, (60, 1)), rotations, centres + 0.02 * generator.normal(size=(9, 3)))
    start.centres[0] = centres[0]
    found = adjust_scene(tracks, start, (np.log(FOCAL), 0.0), 30, 5.0)
    assert np.abs(residuals(tracks, found)).max() < 0.05
    assert found.centres[0] == pytest.approx(centres[0], abs=1e-6)  # the first camera stays


def test_derivatives_are_those_of_the_residuals():
    rotations, centres = (np.array(part) for part in zip(*(beside(t) for t in np.linspace(0, 1, 4)), strict=True))
    points = room(count=12)
    scene = scene_of(points, rotations, centres)
    frames, numbers = (part.ravel() for part in np.meshgrid(np.arange(4), np.arange(12)))
    tracks = PointTracks(frames, numbers, np.zeros((48, 2)), 12, PIXEL, np.arange(4))
    of_camera, of_point, of_focal = derivatives(tracks, scene, tangents(scene.directions))
    step = 1e-6
    for k in range(3):
        turned = Scene(
            rotmat_from_rotvec(step * np.eye(3)[k]) @ rotations, centres, scene.base, scene.directions, scene.inverse, scene.log_focal
        )
        placed = Scene(rotations, centres + step * np.eye(3)[k], scene.base, scene.directions, scene.inverse, scene.log_focal)
        for other, column in ((turned, k), (placed, 3 + k)):
            numeric = (residuals(tracks, other) - residuals(tracks, scene)) / step
            assert of_camera[:, :, column] == pytest.approx(numeric, abs=1e-2, rel=1e-3)
    across = tangents(scene.directions)[:, :, 0]
    slid = Scene(rotations, centres, scene.base, scene.directions + step * across, scene.inverse, scene.log_focal)
    nearer = Scene(rotations, centres, scene.base, scene.directions, scene.inverse + step, scene.log_focal)
    wider = Scene(rotations, centres, scene.base, scene.directions, scene.inverse, scene.log_focal + step)
    for other, column in ((slid, of_point[:, :, 0]), (nearer, of_point[:, :, 2]), (wider, of_focal[:, :, 0])):
        assert column == pytest.approx((residuals(tracks, other) - residuals(tracks, scene)) / step, abs=1e-2, rel=1e-3)


def test_frames_between_keys_are_found_from_the_points():
    rotations, centres = (np.array(part) for part in zip(*(beside(t) for t in np.linspace(0, 1, 21)), strict=True))
    points = room(count=80)
    near = (points[None] - centres[:, None]) @ np.swapaxes(rotations, 1, 2)
    frames, numbers = (part.ravel() for part in np.meshgrid(np.arange(21), np.arange(80)))
    tracks = PointTracks(frames, numbers, (FOCAL * near[..., :2] / near[..., 2:])[frames, numbers], 80, PIXEL, np.arange(21))
    keys = np.array([0, 10, 20])
    scene = scene_of(points, *interpolate_cameras(keys, rotations[keys], centres[keys], 21))
    found = fit_all_frames(tracks, scene, 8.0)
    assert np.degrees(angle_between_rotmats(found.rotations, rotations)).max() < 0.1
    assert np.linalg.norm(found.centres - centres, axis=1).max() < 0.02  # m


def walking_feet(frames, centres, seed=0, noise=0.01):
    """Soles (F,4,3) m from the camera of somebody who steps every 10 frames, and their contacts."""
    soles, contacts = np.zeros((frames, 4, 3)), np.zeros((frames, 4))
    for row in range(frames):
        for foot in (0, 1):
            phase = (row + 10 * foot) / 20
            step, swing = np.floor(phase), min(max((phase % 1 - 0.6) / 0.4, 0), 1)
            place = np.array([0.2 * foot, 1.5, 4 + 0.6 * (step + swing)])
            soles[row, 2 * foot : 2 * foot + 2] = place - centres[row]
            contacts[row, 2 * foot : 2 * foot + 2] = swing == 0
    return soles + noise * np.random.default_rng(seed).normal(size=soles.shape), contacts


def test_feet_that_stand_tell_the_scale():
    path = np.column_stack([np.linspace(0, 0.5, 60), 0.01 * np.sin(np.arange(60)), np.zeros(60)])
    times, scale = np.arange(60) / 30, 5.3
    soles, contacts = walking_feet(60, scale * path)
    found = scale_from_feet([Feet(soles, contacts, np.ones(60, bool))], path, times)
    assert found.scale == pytest.approx(scale, rel=0.05) and found.is_told and found.contact_seconds > 2
    both = scale_from_feet([Feet(soles, contacts, np.ones(60, bool))] * 2, path, times)
    assert both.scale == pytest.approx(scale, rel=0.05) and both.log_sigma <= found.log_sigma


def test_without_contacts_the_scale_is_a_guess_from_the_persons_distance():
    path = np.column_stack([np.linspace(0, 0.5, 60), np.zeros(60), np.zeros(60)])
    soles, _contacts = walking_feet(60, 5 * path)
    found = scale_from_feet([Feet(soles, np.zeros((60, 4)), np.ones(60, bool))], path, np.arange(60) / 30)
    assert not found.is_told and found.contact_seconds == 0
    assert found.scale == pytest.approx(1.5 * np.median(np.linalg.norm(soles, axis=-1)), rel=0.01)


def test_contacts_that_nobody_knows_are_those_of_slow_low_feet():
    path = np.column_stack([np.linspace(0, 0.5, 60), np.zeros(60), np.zeros(60)])
    soles = np.tile(np.array([[0, 1.5, 4.0], [0, 1.5, 3.8], [0.2, 1.5, 4.0], [0.2, 1.5, 3.8]]), (60, 1, 1)) - 5 * path[:, None]
    found = scale_from_feet([Feet(soles, None, np.ones(60, bool))], path, np.arange(60) / 30)
    assert found.scale == pytest.approx(5, rel=0.1) and found.is_told
