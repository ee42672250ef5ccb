"""Bones that stretch: joints reach their targets, and bones stretch only where needed."""

import dataclasses

import numpy as np
import pytest

from blender_meshrec.core.bone_stretching import aim_bones, bone_length_ratios, joint_offsets
from blender_meshrec.core.conventions import WORLD_FROM_BODY
from blender_meshrec.core.files.bvh import write_bvh
from blender_meshrec.core.format_notes import format_notes
from blender_meshrec.core.motion import forward_kinematics, resample_motion
from blender_meshrec.core.rotations import angle_between_rotmats, rotmat_from_quat, rotmat_from_rotvec
from tests.support.synthetic_bodies import make_recovery, make_tube_body, motion_of, with_calibrated_joints
from tests.support.synthetic_template import synthetic_template


@pytest.fixture(scope="module")
def stretched():
    template = make_tube_body(posedirs=False)
    return motion_of(with_calibrated_joints(make_recovery(template)), template)


def only_children(motion):
    """(joint, child) of the bones with one child, the slow way."""
    children = {joint: [child for child, parent in enumerate(motion.parents) if parent == joint] for joint in range(len(motion.parents))}
    return [(joint, found[0]) for joint, found in children.items() if len(found) == 1]


def test_bones_with_one_child_reach_its_target(stretched):
    _, rotations = forward_kinematics(aim_bones(stretched))
    ratios = bone_length_ratios(stretched)
    assert len(only_children(stretched)) == 17
    for joint, child in only_children(stretched):
        along = stretched.rest_joints[child] - stretched.rest_joints[joint]
        reached = stretched.joints[:, joint] + ratios[:, joint, None] * (rotations[:, joint] @ along)
        assert np.abs(reached - stretched.joints[:, child]).max() < 1e-9  # m
    others = sorted(set(range(24)) - {joint for joint, _ in only_children(stretched)})
    assert (ratios[:, others] == 1).all() and 1.05 < ratios.max() < 1.2 and 0.8 < ratios.min() < 0.95


def test_aimed_bones_rotate_by_the_least_angle(stretched):
    """The angle of the rotation is the angle between the directions: no twist is added."""
    _, before = forward_kinematics(stretched)
    _, after = forward_kinematics(aim_bones(stretched))
    for joint, child in only_children(stretched):
        along = stretched.rest_joints[child] - stretched.rest_joints[joint]
        a, b = before[:, joint] @ along, stretched.joints[:, child] - stretched.joints[:, joint]
        cosine = (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
        assert np.abs(angle_between_rotmats(before[:, joint], after[:, joint]) - np.arccos(np.clip(cosine, -1, 1))).max() < 1e-6  # rad
    for joint in (10, 11, 15, 22, 23):  # without children
        assert angle_between_rotmats(before[:, joint], after[:, joint]).max() < 1e-6


def test_bones_with_several_children_fit_them_best(stretched):
    """Small further rotations increase the error, and a known rotation of the pelvis is recovered."""
    _, before = forward_kinematics(stretched)
    _, after = forward_kinematics(aim_bones(stretched))

    def squared_error(joint, rotations, motion=stretched):
        children = np.flatnonzero(motion.parents == joint)
        at_rest = motion.rest_joints[children] - motion.rest_joints[joint]
        away = motion.joints[:, children] - motion.joints[:, joint, None] - at_rest @ np.swapaxes(rotations, 1, 2)
        return (away**2).sum((1, 2))

    for joint in (0, 9):
        assert (squared_error(joint, after[:, joint]) <= squared_error(joint, before[:, joint]) + 1e-12).all()
        for axis in 0.02 * np.vstack([np.eye(3), -np.eye(3)]):
            assert (squared_error(joint, rotmat_from_rotvec(axis) @ after[:, joint]) > squared_error(joint, after[:, joint])).all()
    tilt = rotmat_from_rotvec([0.4, 0.1, -0.2])
    joints = forward_kinematics(stretched)[0]
    joints[:, [1, 2, 3]] = joints[:, :1] + (joints[:, [1, 2, 3]] - joints[:, :1]) @ tilt.T
    tilted = dataclasses.replace(stretched, joints=joints)
    assert np.degrees(angle_between_rotmats(tilt @ before[:, 0], forward_kinematics(aim_bones(tilted))[1][:, 0])).max() < 0.1


def test_joint_offsets_reach_the_targets(stretched):
    turned = aim_bones(stretched)
    local, away = rotmat_from_quat(turned.rotations), joint_offsets(turned)
    places, rotations = [away[:, 0]], [local[:, 0]]
    for joint in range(1, 24):
        parent = stretched.parents[joint]
        places.append(places[parent] + (rotations[parent] @ away[:, joint, :, None])[..., 0])
        rotations.append(rotations[parent] @ local[:, joint])
    assert np.abs(np.stack(places, 1) - stretched.joints).max() < 1e-9  # m


def test_targets_of_the_rigid_pose_stretch_nothing():
    template = make_tube_body(posedirs=False)
    recovery = make_recovery(template)
    motion = motion_of(recovery, template)
    assert motion.joints is None
    still = dataclasses.replace(motion, joints=forward_kinematics(motion)[0])
    assert np.abs(bone_length_ratios(still) - 1).max() < 1e-9
    before, after = rotmat_from_quat(motion.rotations), rotmat_from_quat(aim_bones(still).rotations)
    assert np.degrees(angle_between_rotmats(before, after)).max() < 1e-4


@pytest.mark.parametrize("joints", [52, 55])
def test_finger_and_face_joints_keep_their_offsets(joints):
    template = synthetic_template(joints=joints)
    recovery = with_calibrated_joints(make_recovery(template))
    motion = motion_of(recovery, template)
    assert np.abs(motion.joints[:, :22] - recovery.calibrated_joints[:, :22]).max() < 1e-6  # m
    assert np.abs(bone_length_ratios(motion)[:, 22:] - 1).max() < 1e-9
    _, rotations = forward_kinematics(aim_bones(motion))
    for joint in range(22, joints):
        parent = motion.parents[joint]
        expected = motion.joints[:, parent] + rotations[:, parent] @ (motion.rest_joints[joint] - motion.rest_joints[parent])
        assert np.abs(motion.joints[:, joint] - expected).max() < 1e-6


def test_coincident_and_reversed_targets_give_finite_results():
    template = make_tube_body(posedirs=False)
    recovery = make_recovery(template, frames=3)
    joints = recovery.joints.astype(float)
    knee, ankle = 4, 7
    joints[0, ankle] = joints[0, knee]
    joints[1, ankle] = 2 * joints[1, knee] - joints[1, ankle]  # the shin points the other way
    motion = motion_of(type(recovery)(**{**recovery.arrays(), "calibrated_joints": joints}), template)
    turned, ratios = aim_bones(motion), bone_length_ratios(motion)
    assert np.isfinite(turned.rotations).all() and np.isfinite(joint_offsets(turned)).all() and (ratios > 0).all()
    determinants = np.linalg.det(rotmat_from_quat(turned.rotations))
    assert np.abs(determinants - 1).max() < 1e-9


def test_targets_are_resampled_linearly(stretched):
    halfway = resample_motion(stretched, (stretched.timestamps[1:] + stretched.timestamps[:-1]) / 2)
    assert np.abs(halfway.joints - (stretched.joints[1:] + stretched.joints[:-1]) / 2).max() < 1e-9  # m


def test_bvh_positions_reproduce_the_targets(stretched, tmp_path):
    write_bvh(tmp_path / "a.bvh", stretched)
    lines = (tmp_path / "a.bvh").read_text().splitlines()
    assert sum("CHANNELS 6" in line for line in lines) == 24
    write_bvh(tmp_path / "plain.bvh", dataclasses.replace(stretched, joints=None))
    assert sum("CHANNELS 6" in line for line in (tmp_path / "plain.bvh").read_text().splitlines()) == 1
    values = np.array([float(word) for word in lines[lines.index("MOTION") + 3].split()]).reshape(24, 6)
    names = [line.split()[1] for line in lines if line.split()[0] in ("ROOT", "JOINT")]
    places, turns = {}, {}
    for name, (x, y, z, *angles) in zip(names, values):
        a, b, c = np.radians(angles)
        turn = rotmat_from_rotvec([0, 0, a]) @ rotmat_from_rotvec([b, 0, 0]) @ rotmat_from_rotvec([0, c, 0])
        joint = stretched.joint_names.index(name)
        above = stretched.joint_names[stretched.parents[joint]] if stretched.parents[joint] >= 0 else None
        places[name] = places[above] + turns[above] @ [x, y, z] if above else np.array([x, y, z])
        turns[name] = turns[above] @ turn if above else turn
    positions = np.array([places[name] for name in stretched.joint_names]) @ WORLD_FROM_BODY.T
    assert np.abs(positions - stretched.joints[0]).max() < 1e-5  # m


@pytest.mark.parametrize(
    "suffix, stretched, surface, expected",
    [
        (".fbx", True, True, ["moving bones", "exact one"]),
        (".glb", True, False, ["moving bones"]),
        (".bvh", True, True, ["positions", "exact one"]),
        (".blend", True, True, []),
        (".npz", True, True, []),
        (".fbx", False, False, []),
        (".usdc", False, True, ["exact one"]),
    ],
)
def test_format_notes_name_the_losses_of_each_format(suffix, stretched, surface, expected):
    notes = format_notes(suffix, "anna", stretched, surface)
    assert len(notes) == len(expected) and all(part in note and "anna" in note for part, note in zip(expected, notes))
