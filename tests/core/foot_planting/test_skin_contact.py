"""Skin on the ground: a wheel rolls without slipping, lowest points touch, and nothing moves outside contacts."""

import numpy as np
import pytest

from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.axis_rotations import rotation_about_axis
from blender_meshrec.core.foot_planting.skin_contact import rolling_path, skin_rise

RADIUS = 0.05
TURN = 0.02  # rad a frame
FRAMES = 60


def wheel(width: float = 0.0) -> FloatArray:
    """The rim (F,N,3) m of a wheel that turns about its fixed axle on the ground, towards +x; `width` m across."""
    angles = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    rim = np.concatenate(
        [np.stack([RADIUS * np.cos(angles), np.full_like(angles, y), RADIUS * np.sin(angles)], 1) for y in {-width, width}]
    )
    turned = np.swapaxes(rotation_about_axis([0, 1.0, 0], TURN * np.arange(FRAMES)) @ rim.T, 1, 2)
    return turned + [0, 0, RADIUS]


@pytest.mark.parametrize("width", [0.0, 0.03])
def test_a_wheel_rolls_by_its_circumference(width):
    """Its axle moves by the radius times the turn, within 2 %, straight, and is in the middle on average."""
    path = rolling_path(wheel(width), np.array([[5, 45]]), 1.0)
    np.testing.assert_allclose(np.diff(path[5:45], axis=0), np.broadcast_to([RADIUS * TURN, 0], (39, 2)), atol=0.02 * RADIUS * TURN)
    np.testing.assert_allclose(path[5:45].mean(0), 0, atol=1e-12)
    assert not path[:5].any() and not path[45:].any()


def test_each_contact_has_its_own_path():
    path = rolling_path(wheel(), np.array([[0, 20], [20, 60]]), 1.0)
    for rows in (slice(0, 20), slice(20, 60)):
        np.testing.assert_allclose(path[rows].mean(0), 0, atol=1e-12)


def test_the_path_is_limited():
    path = rolling_path(wheel(), np.array([[0, FRAMES]]), 0.01)
    np.testing.assert_allclose(np.linalg.norm(path, axis=1).max(), 0.01)


def test_a_foot_at_rest_stays():
    """Flat on four points, or turning about the middle between them: no movement within a micrometre."""
    corners = np.array([[0.1, 0.04, 0], [0.1, -0.04, 0], [-0.1, 0.04, 0], [-0.1, -0.04, 0]])
    for turn in (0.0, 0.05):
        points = np.swapaxes(rotation_about_axis([0, 0, 1.0], turn * np.arange(FRAMES)) @ corners.T, 1, 2)
        assert np.abs(rolling_path(points, np.array([[0, FRAMES]]), 1.0)).max() < 1e-6


def test_points_above_the_ground_do_not_count():
    """A tip that swings 1 cm above the ground moves nothing; the same point on the ground is followed."""
    still = np.zeros((FRAMES, 1, 3))
    for height, expected in ((0.01, 0.0), (0.0, 0.1)):
        moving = np.zeros((FRAMES, 1, 3))
        moving[..., 0], moving[..., 2] = np.linspace(0, 0.2, FRAMES)[:, None], height
        path = rolling_path(np.concatenate([still, moving], 1), np.array([[0, FRAMES]]), 1.0)
        np.testing.assert_allclose(np.ptp(path[:, 0]), expected, atol=0.002)


def test_skin_rises_to_the_ground_and_sinks_to_it():
    """Lowest points above the ground come down to it, those deeper than the give come up to that, others stay."""
    ground = np.array([0.1, 0.1, 0.1, 0.0])
    points = np.array([0.15, 0.08, 0.097, -0.02])[:, None, None] + np.array([[0, 0, 0.0], [0, 0, 0.03]])
    np.testing.assert_allclose(skin_rise(points, ground, 0.005), [-0.05, 0.015, 0.0, 0.015], atol=1e-12)
