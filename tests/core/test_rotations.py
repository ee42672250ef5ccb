"""Conversions and interpolation of rotations."""

import numpy as np
import pytest

from blender_meshrec.core import rotations


@pytest.fixture
def rotvecs():
    rng = np.random.default_rng(0)
    axis = rng.normal(size=(2000, 3))
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    return axis * rng.uniform(0, np.pi, (2000, 1))


def test_conversions_round_trip(rotvecs):
    rotmat = rotations.rotmat_from_rotvec(rotvecs)
    np.testing.assert_allclose(rotations.rotvec_from_rotmat(rotmat), rotvecs, atol=1e-7)
    np.testing.assert_allclose(rotations.rotvec_from_quat(rotations.quat_from_rotvec(rotvecs)), rotvecs, atol=1e-7)
    np.testing.assert_allclose(rotations.rotmat_from_quat(rotations.quat_from_rotmat(rotmat)), rotmat, atol=1e-12)


def test_matrices_are_rotations(rotvecs):
    rotmat = rotations.rotmat_from_rotvec(rotvecs)
    np.testing.assert_allclose(rotmat @ np.swapaxes(rotmat, -1, -2), np.broadcast_to(np.eye(3), rotmat.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(rotmat), 1, atol=1e-12)


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-8, 1e-4, np.pi - 1e-7, np.pi])
def test_tiny_angles_and_half_turns_are_exact(angle):
    for axis in np.vstack([np.eye(3), [[0.6, 0.0, 0.8]]]):
        rotmat = rotations.rotmat_from_rotvec(axis * angle)
        again = rotations.rotmat_from_rotvec(rotations.rotvec_from_rotmat(rotmat))
        np.testing.assert_allclose(again, rotmat, atol=1e-9)


def test_quarter_turn_about_x_maps_y_to_z():
    np.testing.assert_allclose(rotations.rotmat_from_rotvec([np.pi / 2, 0, 0]) @ [0, 1, 0], [0, 0, 1], atol=1e-15)


def test_product_of_quaternions_is_product_of_matrices(rotvecs):
    a, b = rotations.quat_from_rotvec(rotvecs[:1000]), rotations.quat_from_rotvec(rotvecs[1000:])
    product = rotations.rotmat_from_quat(rotations.multiply_quat(a, b))
    np.testing.assert_allclose(product, rotations.rotmat_from_quat(a) @ rotations.rotmat_from_quat(b), atol=1e-12)


def test_aligned_quaternions_differ_in_sign_and_never_jump(rotvecs):
    quat = rotations.quat_from_rotvec(rotvecs.reshape(500, 4, 3))
    aligned = rotations.align_quat_signs(quat)
    assert ((aligned[1:] * aligned[:-1]).sum(-1) >= 0).all()
    np.testing.assert_allclose(np.abs((aligned * quat).sum(-1)), 1, atol=1e-12)


def test_slerp_moves_at_constant_angular_speed(rotvecs):
    a, b = rotations.quat_from_rotvec(rotvecs[0]), rotations.quat_from_rotvec(rotvecs[1])
    weights = np.linspace(0, 1, 11)
    path = rotations.rotmat_from_quat(rotations.slerp(a, b, weights))
    steps = rotations.angle_between_rotmats(path[:-1], path[1:])
    np.testing.assert_allclose(steps, steps[0], atol=1e-9)
    np.testing.assert_allclose(path[[0, -1]], rotations.rotmat_from_quat(np.stack([a, b])), atol=1e-12)


def test_zero_quaternion_becomes_the_identity():
    np.testing.assert_array_equal(rotations.rotmat_from_quat(np.zeros(4)), np.eye(3))


def test_right_jacobian_inverse_is_the_derivative_of_the_logarithm():
    """Against finite differences: at zero, at small and at large angles; it also takes leading axes."""
    directions = np.random.default_rng(0).normal(size=(6, 3))
    rotvec = directions / np.linalg.norm(directions, axis=-1, keepdims=True) * np.array([0, 1e-5, 0.1, 1.0, 2.0, 3.0])[:, None]
    found, step = rotations.right_jacobian_inverse(rotvec), 1e-6
    for axis in range(3):
        above, below = (
            rotations.rotvec_from_rotmat(rotations.rotmat_from_rotvec(rotvec) @ rotations.rotmat_from_rotvec(sign * step * np.eye(3)[axis]))
            for sign in (1, -1)
        )
        np.testing.assert_allclose(found[..., axis], (above - below) / (2 * step), atol=1e-5)
