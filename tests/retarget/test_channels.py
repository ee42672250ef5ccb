"""Channels of pose bones against a slow evaluation, frame by frame, of Blender's rules; the scene's tests compare with Blender itself."""

import itertools

import numpy as np
import pytest

from blender_meshrec.core.axis_rotations import rotation_about_axis
from blender_meshrec.core.rotations import quat_from_rotmat, rotmat_from_quat, rotmat_from_rotvec
from blender_meshrec.retarget.solve.forward_kinematics import Pose
from blender_meshrec.retarget.solve.rest_pose import RestPose
from blender_meshrec.retarget.write.channels import (
    continuous_euler,
    euler_from_rotmat,
    rotation_channels,
    rotmat_from_euler,
    solve_bone_channels,
)
from tests.support.retargeting import random_character

ORDERS = ["".join(letters) for letters in itertools.permutations("XYZ")]
MODES = ("QUATERNION", "AXIS_ANGLE", *ORDERS)
FRAMES = 4


def turns(rng, *shape):
    return rotmat_from_quat(rng.normal(size=(*shape, 4)))


def smooth_path(rng, frames=400):
    """Rotations (F,4) that change by a few degrees a frame and come around several times, with signs at random."""
    steps = rotmat_from_rotvec(0.08 * rng.normal(size=3) + 0.03 * rng.normal(size=(frames, 3)))
    path = [turns(rng)]
    for step in steps[1:]:
        path.append(step @ path[-1])
    return quat_from_rotmat(np.array(path)) * rng.choice([-1, 1], (frames, 1))


# --- channels of one bone ---


@pytest.mark.parametrize("order", ORDERS)
def test_euler_angles_are_turns_one_after_another(order):
    rng = np.random.default_rng(0)
    angles = rng.uniform(-9, 9, (2, 20, 3))
    expected = np.eye(3)
    for letter in order:
        axis = "XYZ".index(letter)
        expected = rotation_about_axis(np.eye(3)[axis], angles[..., axis]) @ expected
    np.testing.assert_allclose(rotmat_from_euler(angles, order), expected, atol=1e-12)
    found = euler_from_rotmat(expected[0], order)
    np.testing.assert_allclose(rotmat_from_euler(found, order), expected[0], atol=1e-12)
    assert np.abs(found[:, "XYZ".index(order[1])]).max() <= np.pi / 2


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("order", ORDERS)
def test_a_gimbal_lock_keeps_the_third_angle(order, sign):
    rng = np.random.default_rng(1)
    first, second, third = ("XYZ".index(letter) for letter in order)
    angles = rng.uniform(-1, 1, (9, 3))
    angles[[0, 3, 4, 8], second] = sign * np.pi / 2
    rotmats = rotmat_from_euler(angles, order)
    found = euler_from_rotmat(rotmats, order)
    np.testing.assert_allclose(rotmat_from_euler(found, order), rotmats, atol=1e-9)
    np.testing.assert_allclose(found[[3, 4, 8], third], angles[[2, 2, 7], third], atol=1e-9)
    assert found[0, third] == 0
    free = [1, 2, 5, 6, 7]
    np.testing.assert_allclose(found[free], angles[free], atol=1e-9)
    assert np.abs(found[:, first]).max() <= np.pi


@pytest.mark.parametrize("mode", MODES)
def test_channels_are_the_rotation_and_never_jump(mode):
    for seed in range(3):
        quats = smooth_path(np.random.default_rng(seed))
        name, values = rotation_channels(quats, mode)
        if mode == "QUATERNION":
            found = rotmat_from_quat(values)
            limit = 0.3
        elif mode == "AXIS_ANGLE":
            found = rotation_about_axis(values[:, 1:], values[:, 0])
            np.testing.assert_allclose(np.linalg.norm(values[:, 1:], axis=1), 1)
            assert np.abs(np.diff(values[:, 0])).max() < 0.5  # rad
            assert ((values[1:, 1:] * values[:-1, 1:]).sum(1) >= 0).all()
            limit = np.inf
        else:
            found = rotmat_from_euler(values, mode)
            limit = np.pi * 1.01  # near gimbal lock two angles may turn by a half each
            assert np.abs(values[0]).max() <= np.pi
        np.testing.assert_allclose(found, rotmat_from_quat(quats), atol=1e-9)
        assert np.abs(np.diff(values, axis=0)).max() < limit
        expected = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}
        assert name == expected.get(mode, "rotation_euler")


@pytest.mark.parametrize("order", ORDERS)
def test_euler_angles_change_least(order):
    """From frame to frame, no other triple of the same rotation is nearer."""
    second = "XYZ".index(order[1])
    angles = euler_from_rotmat(rotmat_from_quat(smooth_path(np.random.default_rng(5))), order)
    found = continuous_euler(angles, order)
    other = found + np.pi
    other[:, second] = np.pi - found[:, second]
    turn = 2 * np.pi
    for k in range(1, len(found)):
        step = np.abs(found[k] - found[k - 1]).sum()
        for triple in (found[k], other[k]):
            assert step <= np.abs((triple - found[k - 1] + np.pi) % turn - np.pi).sum() + 1e-6
    np.testing.assert_allclose(rotmat_from_euler(found, order), rotmat_from_euler(angles, order), atol=1e-9)


def test_angles_pass_through_zero_and_rest_has_an_axis():
    angle = np.linspace(-0.5, 0.5, 11)
    quats = quat_from_rotmat(rotation_about_axis([0.6, 0, 0.8], angle))
    _, values = rotation_channels(quats, "AXIS_ANGLE")
    direction = np.sign(values[0, 1])
    np.testing.assert_allclose(
        values, np.concatenate([direction * angle[:, None], np.tile(direction * np.array([0.6, 0, 0.8]), (11, 1))], 1), atol=1e-9
    )
    _, values = rotation_channels(np.tile([1.0, 0, 0, 0], (3, 1)), "AXIS_ANGLE")
    np.testing.assert_array_equal(values, [[0, 0, 1, 0]] * 3)
    at_rest_first = np.concatenate([np.tile([1.0, 0, 0, 0], (3, 1)), quats[8:]])
    _, values = rotation_channels(at_rest_first, "AXIS_ANGLE")
    np.testing.assert_allclose(np.abs(values[:, 1:] @ [0.6, 0, 0.8]), 1)
    np.testing.assert_allclose(values[:3, 0], 0, atol=1e-9)


# --- a whole rig ---


def evaluate(rig, keyed, quats, locations, frame):
    """Pose matrices (B,4,4) in armature space, by Blender's rules for one frame."""
    bases = {bone: np.eye(4) for bone in range(len(rig))}
    for row, bone in enumerate(keyed):
        bases[bone][:3, :3] = rotmat_from_quat(quats[frame, row])
    for bone, location in locations.items():
        bases[bone][:3, 3] = location[frame]
    pose = np.zeros((len(rig), 4, 4))
    for bone, parent in enumerate(rig.parents):
        rest, basis = rig.rest[bone], bases[bone]
        if parent < 0:
            moved = rest.copy()
            axes = rest if rig.local_location[bone] else np.eye(4)
        else:
            moved = pose[parent] @ np.linalg.solve(rig.rest[parent], rest)
            axes = moved.copy() if rig.local_location[bone] else pose[parent]
            if not rig.inherit_rotation[bone]:
                moved[:3, :3] = rest[:3, :3]
        pose[bone] = moved
        pose[bone][:3, :3] = moved[:3, :3] @ basis[:3, :3]
        pose[bone][:3, 3] = moved[:3, 3] + axes[:3, :3] @ basis[:3, 3]
    return pose


def flagged_character(seed, locks=0.0):
    """A character whose bones have flags, locks and modes at random, turned, moved and evenly scaled."""
    rng = np.random.default_rng(seed)
    world = np.eye(4)
    world[:3, :3], world[:3, 3] = 0.37 * turns(rng), rng.normal(size=3)
    count = len(random_character(seed)[0])
    flags = {name: rng.random(count) < share for name, share in (("inherit_rotation", 0.7), ("local_location", 0.6), ("connected", 0.2))}
    rig, mapping = random_character(
        seed,
        world=world,
        lock_rotation=rng.random((count, 3)) < locks,
        lock_location=rng.random((count, 3)) < locks,
        rotation_modes=tuple(MODES[k] for k in rng.integers(len(MODES), size=count)),
        **flags,
    )
    return rng, rig, RestPose(rig, mapping)


def solve(rng, rig, rest, share=0.6):
    wanted = {bone: turns(rng, FRAMES) for bone in range(len(rig)) if rng.random() < share}
    heads = {bone: rng.normal(size=(FRAMES, 3)) for bone in wanted if rng.random() < 0.4}
    pose = Pose(rest, wanted, heads, FRAMES)
    return wanted, heads, pose, solve_bone_channels(pose, wanted, heads)


@pytest.mark.parametrize("locks", [0.0, 0.4])
@pytest.mark.parametrize("seed", range(6))
def test_the_keyed_pose_is_the_pose_that_blender_evaluates(seed, locks):
    rng, rig, rest = flagged_character(seed, locks)
    wanted, heads, pose, (keyed, quats, locations) = solve(rng, rig, rest)
    assert list(keyed) == sorted(wanted) and locations.keys() == heads.keys() and quats.shape == (FRAMES, len(keyed), 4)
    for frame in range(FRAMES):
        evaluated = evaluate(rig, keyed, quats, locations, frame)
        np.testing.assert_allclose(rest.world_rotation @ evaluated[:, :3, :3], pose.rotations[:, frame], atol=1e-9)
        np.testing.assert_allclose(rest.scale * evaluated[:, :3, 3] @ rest.world_rotation.T, pose.heads[:, frame], atol=1e-9)
    for bone, rotation in wanted.items():
        if not rig.lock_rotation[bone].any():
            np.testing.assert_allclose(pose.rotations[bone], rotation, atol=1e-9)
    for bone, head in heads.items():
        if not rig.lock_location[bone].any() and not rig.connected[bone]:
            np.testing.assert_allclose(pose.heads[bone], head, atol=1e-9)
    assert ((quats[1:] * quats[:-1]).sum(-1) >= 0).all()


@pytest.mark.parametrize("seed", range(4))
def test_locked_channels_stay_at_rest(seed):
    rng, rig, rest = flagged_character(seed, locks=0.5)
    _, _, _, (keyed, quats, locations) = solve(rng, rig, rest, share=1.0)
    for bone, location in locations.items():
        locked = rig.lock_location[bone] | rig.connected[bone]
        assert not location[:, locked].any() and (location[:, ~locked] != 0).all()
    seen = set()
    for row, bone in enumerate(keyed):
        locked, mode = rig.lock_rotation[bone], rig.rotation_modes[bone]
        angles = euler_from_rotmat(rotmat_from_quat(quats[:, row]), mode if mode in ORDERS else "XYZ")
        np.testing.assert_allclose(np.sin(angles[:, locked]), 0, atol=1e-6)  # or half a turn, in the other triple of the rotation
        if locked.sum() == 2:
            np.testing.assert_allclose(quats[:, row, 1:][:, locked], 0, atol=1e-9)
        assert locked.all() or np.abs(angles[:, ~locked]).max() > 0.05
        seen.add(int(locked.sum()))
    assert seen >= {0, 1, 2}


def test_a_lock_changes_nothing_of_a_rotation_that_keeps_to_it():
    rng, rig, rest = flagged_character(3, locks=0.5)
    for bone in range(len(rig)):
        locked, mode = rig.lock_rotation[bone], rig.rotation_modes[bone]
        angles = rng.uniform(-1.4, 1.4, (FRAMES, 3))
        angles[:, locked] = 0
        basis = rotmat_from_euler(angles, mode if mode in ORDERS else "XYZ")
        parent = rig.parents[bone]
        above = (
            rest.rotations[bone] if parent < 0 or not rig.inherit_rotation[bone] else rest.rotations[parent] @ rest.local_rotations[bone]
        )
        wanted = {bone: above @ basis}
        _, quats, _ = solve_bone_channels(Pose(rest, wanted, {}, FRAMES), wanted, {})
        np.testing.assert_allclose(rotmat_from_quat(quats[:, 0]), basis, atol=1e-9)
