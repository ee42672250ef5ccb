"""SKEL's angles as Euler channels give the same rotations."""

import numpy as np
import pytest

from blender_meshrec.core.conventions import WORLD_FROM_BODY
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skel.channels import (
    skel_channels,
    upright_from_world_angles,
    upright_from_world_transl,
    world_from_upright_angles,
    world_from_upright_transl,
)
from blender_meshrec.core.skel.kinematics import dof_rotations, skel_kinematics
from blender_meshrec.core.skel.vocabulary import DOF_LIMITS, JOINT_DOFS, SKEL_PARENTS

_UNIT = np.eye(3)


def random_skeleton(seed):
    """Random rest joints and bone frames."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(24, 3)) * 0.1 + rng.normal(size=(24, 1)) * 0.1
    joints = np.zeros((24, 3))
    for joint in range(1, 24):
        joints[joint] = joints[SKEL_PARENTS[joint]] + steps[joint]
    return joints, rotmat_from_rotvec(rng.normal(size=(24, 3)))


def random_angles(frames, seed):
    rng = np.random.default_rng(seed)
    low, high = np.where(np.isfinite(DOF_LIMITS), DOF_LIMITS, [-3.0, 3.0]).T
    return rng.uniform(low, high, (frames, 46))


def euler(mode, angles):
    """Rotation matrix in one of Blender's rotation modes, whose letters are the order of the rotations."""
    matrix = np.eye(3)
    for letter in mode:
        axis = "XYZ".index(letter)
        matrix = rotmat_from_rotvec(angles[axis] * _UNIT[axis]) @ matrix
    return matrix


@pytest.mark.parametrize("seed", range(4))
def test_euler_channels_rotate_bones_like_the_angles(seed):
    joints, frames = random_skeleton(seed)
    q = random_angles(3, seed)
    channels = skel_channels(joints, frames)
    assert np.allclose(channels.frames.transpose(0, 2, 1) @ channels.frames, np.eye(3), atol=1e-9)
    assert np.allclose(np.linalg.det(channels.frames), 1)
    turned = skel_kinematics(q, joints, frames).local_rotations
    for joint, dofs in enumerate(JOINT_DOFS):
        for row in range(3):
            angles = np.zeros(3)
            angles[channels.columns[dofs]] = q[row, dofs]
            expected = channels.frames[joint].T @ turned[row, joint] @ channels.frames[joint]
            assert np.abs(euler(channels.modes[joint], angles) - expected).max() < 1e-6


def test_upright_angles_describe_the_same_world_rotation():
    q = random_angles(50, 1)
    frame = rotmat_from_rotvec(np.array([0.1, -1.5, 0.2]))
    upright = upright_from_world_angles(q, frame)
    assert np.array_equal(upright[:, 3:], q[:, 3:])
    in_world, in_body = (frame @ dof_rotations(each)[:, 0] @ frame.T for each in (q, upright))
    assert np.abs(WORLD_FROM_BODY @ in_body - in_world).max() < 1e-9
    assert np.abs(dof_rotations(world_from_upright_angles(upright, frame))[:, 0] - dof_rotations(q)[:, 0]).max() < 1e-9


def test_upright_angles_are_zero_when_facing_minus_y():
    frame = np.array([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]])  # x front, y up, z right
    standing = world_from_upright_angles(np.zeros((1, 46)), frame)
    assert np.abs(frame @ dof_rotations(standing)[0, 0] @ frame.T - WORLD_FROM_BODY).max() < 1e-9
    assert np.abs(upright_from_world_angles(standing, frame)).max() < 1e-9


def test_angles_of_full_turns_are_continuous():
    q = np.zeros((200, 46))
    q[:, 2] = np.linspace(0, 12, 200)  # rad: two turns
    frame = rotmat_from_rotvec(np.array([0.1, -1.5, 0.2]))
    assert np.abs(np.diff(upright_from_world_angles(world_from_upright_angles(q, frame), frame), axis=0)).max() < 0.1


def test_upright_angles_and_translations_pose_the_same_joints():
    """The joints are those in the world, rotated to the upright body; the conversions invert each other."""
    rest, frames = random_skeleton(5)
    q, trans = random_angles(20, 6), np.random.default_rng(7).normal(size=(20, 3))
    posed = skel_kinematics(q, rest, frames).joints + trans[:, None]
    upright, transl = upright_from_world_angles(q, frames[0]), upright_from_world_transl(trans, rest[0])
    found = skel_kinematics(upright, rest, frames).joints + transl[:, None]
    assert np.abs(found @ WORLD_FROM_BODY.T - posed).max() < 1e-9  # m
    assert np.abs(world_from_upright_transl(transl, rest[0]) - trans).max() < 1e-9  # m
    assert np.abs(dof_rotations(world_from_upright_angles(upright, frames[0])) - dof_rotations(q)).max() < 1e-9
