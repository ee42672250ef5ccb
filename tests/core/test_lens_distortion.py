"""Radial distortion: there and back, OpenCV's and the turning camera's."""

import numpy as np
import pytest

from blender_meshrec.core.lens_distortion import distort_pixels, invert_first_order, turning_radius, undistort_pixels

INTRINSICS = np.array([[900.0, 0, 650], [0, 900, 350], [0, 0, 1]])
PIXELS = np.random.default_rng(0).uniform((0, 0), (1280, 720), (200, 2))


@pytest.mark.parametrize("distortion", [(-0.3, 0.1, -0.02), (0.2, 0, 0), (-0.12, 0, 0), (0, 0, 0)])
def test_undistorted_pixels_are_distorted_where_they_were(distortion):
    straight = undistort_pixels(PIXELS, INTRINSICS, distortion)
    np.testing.assert_allclose(distort_pixels(straight, INTRINSICS, distortion), PIXELS, atol=1e-4)  # px
    if any(distortion):
        assert np.abs(straight - PIXELS).max() > 5


def test_the_model_is_opencvs():
    cv2 = pytest.importorskip("cv2")
    coefficients = np.array([-0.25, 0.08, 0, 0, -0.01])  # k1, k2, p1, p2, k3
    rays = np.concatenate([(PIXELS - INTRINSICS[:2, 2]) / 900, np.ones((len(PIXELS), 1))], 1)
    expected = cv2.projectPoints(rays, np.zeros(3), np.zeros(3), INTRINSICS, coefficients)[0][:, 0]
    np.testing.assert_allclose(distort_pixels(PIXELS, INTRINSICS, (-0.25, 0.08, -0.01)), expected, atol=1e-6)


def test_every_frame_has_its_lens():
    zoomed = INTRINSICS * [[1.5, 1, 1], [1, 1.5, 1], [1, 1, 1]]
    both = undistort_pixels(np.stack([PIXELS, PIXELS]), np.stack([INTRINSICS, zoomed]), (-0.2, 0, 0))
    for lens, found in zip((INTRINSICS, zoomed), both, strict=True):
        np.testing.assert_allclose(found, undistort_pixels(PIXELS, lens, (-0.2, 0, 0)))


def test_the_turning_cameras_coefficient_is_undone():
    """It gives undistorted = distorted (1 + k r^2)."""
    k1 = -0.06
    radius = np.linalg.norm((PIXELS - INTRINSICS[:2, 2]) / 900, axis=1, keepdims=True)
    straight = INTRINSICS[:2, 2] + (PIXELS - INTRINSICS[:2, 2]) * (1 + k1 * radius**2)
    np.testing.assert_allclose(undistort_pixels(PIXELS, INTRINSICS, invert_first_order(k1)), straight, atol=0.5)  # px


def test_a_pixel_that_no_line_of_sight_reaches_stays_finite():
    far = np.array([[1e5, -1e5]])
    found = undistort_pixels(far, INTRINSICS, (-0.3, 0, 0))
    limit = turning_radius((-0.3, 0, 0))
    assert limit == pytest.approx((1 / 0.9) ** 0.5, abs=2e-3)
    assert np.linalg.norm(found - INTRINSICS[:2, 2]) / 900 == pytest.approx(limit, abs=1e-2)
