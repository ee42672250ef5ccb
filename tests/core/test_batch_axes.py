"""Functions of many rotations, vectors or limbs give for all at once what they give one by one, whatever axes come first."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.core import axis_rotations, cameras, rotations
from blender_meshrec.core.two_bone_ik import Limb, soft_shortfall, solve_two_bone_ik

RNG = np.random.default_rng(0)
INTRINSICS = np.array([[1000.0, 0, 320], [0, 900, 240], [0, 0, 1]])
SHAPE = (3, 4)
VECTORS = RNG.normal(size=(*SHAPE, 3))
OTHERS = RNG.normal(size=(*SHAPE, 3))
ANGLES = RNG.uniform(-3, 3, SHAPE)
QUATS = RNG.normal(size=(*SHAPE, 4))
MORE_QUATS = RNG.normal(size=(*SHAPE, 4))
MATRICES = rotations.rotmat_from_rotvec(VECTORS)
TRANSFORMS = cameras.rigid_transform(MATRICES, OTHERS)

CASES = {
    "skew_matrix": (rotations.skew_matrix, VECTORS),
    "rotmat_from_rotvec": (rotations.rotmat_from_rotvec, VECTORS),
    "quat_from_rotmat": (rotations.quat_from_rotmat, MATRICES),
    "rotmat_from_quat": (rotations.rotmat_from_quat, QUATS),
    "rotvec_from_quat": (rotations.rotvec_from_quat, QUATS),
    "rotvec_from_rotmat": (rotations.rotvec_from_rotmat, MATRICES),
    "quat_from_rotvec": (rotations.quat_from_rotvec, VECTORS),
    "multiply_quat": (rotations.multiply_quat, QUATS, MORE_QUATS),
    "normalize_quat": (rotations.normalize_quat, QUATS),
    "canonical_quat": (rotations.canonical_quat, QUATS),
    "slerp": (rotations.slerp, QUATS, MORE_QUATS, np.abs(ANGLES) / 3),
    "angle_between_rotmats": (rotations.angle_between_rotmats, MATRICES, MATRICES[::-1]),
    "unit_vector": (axis_rotations.unit_vector, VECTORS),
    "rotation_about_axis": (axis_rotations.rotation_about_axis, axis_rotations.unit_vector(VECTORS), ANGLES),
    "rotation_between": (axis_rotations.rotation_between, VECTORS, OTHERS),
    "rotate_vectors": (axis_rotations.rotate_vectors, MATRICES, VECTORS),
    "transpose": (axis_rotations.transpose, MATRICES),
    "project": (lambda points: cameras.project(points, INTRINSICS), VECTORS + [0, 0, 9]),
    "rigid_transform": (cameras.rigid_transform, MATRICES, OTHERS),
    "invert_rigid_transform": (cameras.invert_rigid_transform, TRANSFORMS),
}


@pytest.mark.parametrize("name", CASES)
def test_all_at_once_is_one_by_one(name):
    function, *arguments = CASES[name]
    together = np.asarray(function(*arguments))
    assert together.shape[:2] == SHAPE
    for index in np.ndindex(SHAPE):
        alone = function(*(argument[index] for argument in arguments))
        np.testing.assert_allclose(together[index], alone, atol=1e-12)
    nested = np.asarray(function(*(argument[None] for argument in arguments)))
    np.testing.assert_allclose(nested[0], together, atol=1e-12)


def test_rotations_between_opposite_directions_are_half_turns():
    for source in [*np.eye(3), *-np.eye(3), *VECTORS.reshape(-1, 3)]:
        rotation = axis_rotations.rotation_between(source, -2 * source)
        np.testing.assert_allclose(rotation @ source, -source, atol=1e-9)
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
        assert np.isclose(np.linalg.det(rotation), 1)
    mixed = axis_rotations.rotation_between(np.eye(3), np.array([[1.0, 0, 0], [0, -1, 0], [0, 1, 0]]))
    np.testing.assert_allclose(mixed[0], np.eye(3), atol=1e-12)
    np.testing.assert_allclose(mixed[2] @ [0, 0, 1], [0, 1, 0], atol=1e-12)


def test_either_side_of_a_rotation_may_lack_axes():
    rotate = axis_rotations.rotate_vectors
    np.testing.assert_allclose(rotate(MATRICES[0], [1.0, 2, 3]), MATRICES[0] @ [1, 2, 3])
    np.testing.assert_allclose(rotate(MATRICES[0, 0], VECTORS[0]), VECTORS[0] @ MATRICES[0, 0].T)
    np.testing.assert_allclose(axis_rotations.right_multiply(MATRICES[0], MATRICES[1, 1]), MATRICES[0] @ MATRICES[1, 1])


def test_twist_about_an_axis_is_continuous_and_near_zero():
    axis = axis_rotations.unit_vector(np.array([1.0, 2, -0.5]))
    swing = axis_rotations.rotation_about_axis(axis_rotations.unit_vector(np.cross(axis, [0, 0, 1.0])), 0.7)
    for start in (-6.0, 0.3, 9.0):
        angles = start + np.linspace(0, 8, 60)
        found = axis_rotations.twist_angle(swing @ axis_rotations.rotation_about_axis(axis, angles), axis)
        np.testing.assert_allclose(np.diff(found), np.diff(angles), atol=1e-9)
        assert abs(np.median(found)) <= np.pi
        np.testing.assert_allclose((found - angles) / (2 * np.pi), np.round((found - angles)[0] / (2 * np.pi)), atol=1e-9)
    assert len(axis_rotations.twist_angle(np.zeros((0, 3, 3)), axis)) == 0


def test_vectors_and_quaternions_of_no_length():
    np.testing.assert_array_equal(axis_rotations.unit_vector(np.zeros((2, 3))), 0)
    np.testing.assert_array_equal(rotations.normalize_quat(np.zeros((2, 4))), [[1, 0, 0, 0]] * 2)
    np.testing.assert_array_equal(rotations.rotvec_from_quat([[1, 0, 0, 0], [-1, 0, 0, 0]]), 0)
    np.testing.assert_allclose(rotations.slerp(QUATS, QUATS, 0.3 * np.ones(SHAPE)), rotations.normalize_quat(QUATS))
    assert (rotations.canonical_quat(QUATS)[..., 0] >= 0).all()
    assert np.isclose(rotations.angle_between_rotmats(np.eye(3), axis_rotations.rotation_about_axis([0, 1.0, 0], 1.2)), 1.2)


def test_points_at_the_camera_plane_have_no_pixel():
    points = np.array([[0, 0, 1e-9], [1, 1, 0], [1, 1, -5], [1, 2, 5]], float)
    found = cameras.project(points, INTRINSICS.astype(int).tolist())
    assert np.isnan(found[:3]).all()
    np.testing.assert_allclose(found[3], [320 + 1000 / 5, 240 + 900 * 2 / 5])


FRAMES = 6


def leg():
    root, middle = RNG.normal(size=(FRAMES, 3)), np.zeros((FRAMES, 3))
    turn = rotations.rotmat_from_rotvec(RNG.normal(size=(FRAMES, 3)))
    middle = root + turn @ [0, 0, -0.45]
    bends = RNG.uniform(0.2, 1.5, FRAMES)
    end = middle + axis_rotations.rotate_vectors(turn @ axis_rotations.rotation_about_axis([1.0, 0, 0], -bends), [0, 0, -0.4])
    return Limb(root, middle, end, turn @ [1.0, 0, 0])


def test_limbs_are_solved_frame_by_frame():
    limb = leg()
    root, target = limb.root + 0.1, limb.end + RNG.normal(size=(FRAMES, 3)) * 0.2
    upper, lower = solve_two_bone_ik(limb, root, target)
    short = soft_shortfall(limb, root, target)
    for frame in range(FRAMES):
        at = slice(frame, frame + 1)
        alone = replace(limb, root=limb.root[at], middle=limb.middle[at], end=limb.end[at], hinge=limb.hinge[at])
        one_upper, one_lower = solve_two_bone_ik(alone, root[at], target[at])
        np.testing.assert_allclose(upper[at], one_upper, atol=1e-9)
        np.testing.assert_allclose(lower[at], one_lower, atol=1e-9)
        np.testing.assert_allclose(short[at], soft_shortfall(alone, root[at], target[at]), atol=1e-9)


def test_a_target_too_near_folds_the_limb_as_far_as_it_goes():
    """The nearest that the end comes to the root: the difference of the lengths and a thousandth of the upper one."""
    limb = leg()
    for distance in (0.0, 0.01, 0.04):
        upper, lower = solve_two_bone_ik(limb, limb.root, limb.root + distance * np.array([0.6, 0, 0.8]))
        end = axis_rotations.rotate_vectors(upper, limb.middle - limb.root) + axis_rotations.rotate_vectors(lower, limb.end - limb.middle)
        np.testing.assert_allclose(np.linalg.norm(end, axis=1), 0.05 + 0.45e-3, atol=1e-6)
