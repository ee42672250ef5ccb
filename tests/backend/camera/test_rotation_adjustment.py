"""The adjustment of rotations and lens: derivatives against finite differences, and a camera found from exact and from noisy matches."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend.camera import rotation_adjustment as ra
from blender_meshrec.core.rotations import angle_between_rotmats, rotmat_from_rotvec

FOCAL, PIXEL, SIZE = 900.0, 2.0, np.array([640.0, 360.0])


def turning_camera(frames=12, zoom=0.0, distortion=0.0, degrees=2.0):
    t = np.arange(frames)
    rotvec = np.radians(np.column_stack([0.5 * np.sin(t), degrees * t, 0.3 * np.cos(t) - 0.3]))
    return ra.Turning(rotmat_from_rotvec(rotvec), zoom * t / (frames - 1), float(np.log(FOCAL)), distortion)


def matches_of(camera, seed=0, noise=0.0, outliers=0.0, points=50):
    """Matches between frames 0, 1, 2 and 3 apart, of points in the earlier frame's picture."""
    generator = np.random.default_rng(seed)
    frames = len(camera.zoom)
    pairs = np.array([(a, a + gap) for gap in (1, 2, 3) for a in range(frames - gap)])
    before = generator.uniform(-SIZE / 2, SIZE / 2, (len(pairs), points, 2)).reshape(-1, 2)
    starts = np.arange(len(pairs) + 1) * points
    empty = ra.Matches(pairs, starts, before, np.zeros_like(before), np.ones(len(before)), PIXEL)
    after = np.zeros_like(before)
    for _ in range(20):  # the distortion there depends on the place itself
        after = after + PIXEL * ra.residuals(replace(empty, after=after), camera)
    after += noise * PIXEL * generator.normal(size=after.shape)
    is_wrong = generator.random(len(after)) < outliers
    after[is_wrong] += generator.uniform(20, 60, (is_wrong.sum(), 2))
    return replace(empty, after=after)


def test_derivatives_are_those_of_the_errors():
    camera = turning_camera(4, zoom=0.2, distortion=-0.05)
    matches = matches_of(camera, noise=2.0, points=5)
    earlier, later, common = ra._derivatives(matches, camera)
    step = 1e-6

    def change(row, unknown, by):
        rotations, zoom = camera.camera_from_first.copy(), camera.zoom.copy()
        if unknown < 3:
            rotations[row] = rotmat_from_rotvec(by * np.eye(3)[unknown]) @ rotations[row]
        else:
            zoom[row] += by
        return ra.residuals(matches, replace(camera, camera_from_first=rotations, zoom=zoom))

    for row in range(4):
        for unknown in range(4):
            measured = (change(row, unknown, step) - change(row, unknown, -step)) / (2 * step)
            is_earlier, is_later = (matches.pairs[matches.pair_of] == row).T[:, :, None]
            expected = is_earlier * earlier[:, :, unknown] + is_later * later[:, :, unknown]
            assert np.abs(measured - expected).max() < 1e-4 * max(1.0, np.abs(expected).max())
    for i, name in enumerate(("log_focal", "distortion")):
        ends = [ra.residuals(matches, replace(camera, **{name: getattr(camera, name) + by})) for by in (step, -step)]
        assert np.abs((ends[0] - ends[1]) / (2 * step) - common[:, :, i]).max() < 1e-4 * np.abs(common[:, :, i]).max()


@pytest.mark.parametrize("zoom", [0.0, 0.3])
def test_a_turning_camera_is_found_among_noise_and_outliers(zoom):
    truth = turning_camera(20, zoom=zoom)
    matches = matches_of(truth, noise=0.2, outliers=0.2)
    start = ra.Turning(np.tile(np.eye(3), (20, 1, 1)), np.zeros(20), float(np.log(1.2 * FOCAL)))
    start = replace(start, camera_from_first=rotmat_from_rotvec(np.radians([[0, 1.8 * row, 0] for row in range(20)])))
    found = ra.adjust(matches, start, (float(np.log(1.2 * FOCAL)), 0.3), is_zoom_free=zoom > 0)
    assert np.degrees(angle_between_rotmats(found.camera_from_first, truth.camera_from_first)).max() < 0.3
    assert np.exp(found.log_focal) == pytest.approx(FOCAL, rel=0.03)
    assert found.zoom == pytest.approx(truth.zoom, abs=0.01)
    assert abs(found.log_focal - np.log(FOCAL)) < 3 * found.sigma[0] < 0.2


def test_a_certain_lens_stays():
    truth = turning_camera()
    start = replace(truth, log_focal=float(np.log(1.3 * FOCAL)))
    found = ra.adjust(matches_of(truth), start, (start.log_focal, 0.0), is_zoom_free=False)
    assert found.log_focal == pytest.approx(start.log_focal, abs=1e-4)


def test_frames_without_matches_are_bridged():
    truth = turning_camera(12, degrees=1.0)
    matches = matches_of(truth)
    kept = np.flatnonzero(~np.isin(matches.pairs, [5, 6]).any(1))
    rows = np.concatenate([np.arange(matches.starts[pair], matches.starts[pair + 1]) for pair in kept])
    some = ra.Matches(
        matches.pairs[kept], np.arange(len(kept) + 1) * 50, matches.before[rows], matches.after[rows], matches.weights[rows], PIXEL
    )
    found = ra.adjust(some, truth, (truth.log_focal, 0.0), is_zoom_free=False)
    steps = np.degrees(angle_between_rotmats(found.camera_from_first[1:], found.camera_from_first[:-1]))
    assert np.isfinite(found.camera_from_first).all() and steps[4:7].max() < 2.0


def test_many_pairs_are_summed_in_parts(monkeypatch):
    truth = turning_camera(8)
    matches = matches_of(truth, noise=0.3)
    whole = ra.adjust(matches, truth, (truth.log_focal, 0.3), is_zoom_free=False)
    monkeypatch.setattr(ra, "PAIRS_AT_ONCE", 4)
    parts = ra.adjust(matches, truth, (truth.log_focal, 0.3), is_zoom_free=False)
    assert np.abs(whole.camera_from_first - parts.camera_from_first).max() < 1e-9
