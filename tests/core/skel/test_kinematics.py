"""SKEL's forward kinematics in numpy: the published outputs, and properties of arcs, ellipsoids and axes."""

import numpy as np
import pytest

from blender_meshrec.core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from blender_meshrec.core.skel.kinematics import arc_end, dof_rotations, joint_offsets, joint_shifts, minimal_rotation, skel_kinematics
from blender_meshrec.core.skel.template import load_skel
from blender_meshrec.core.skel.vocabulary import DOF_AXES, DOF_JOINTS, DOF_LIMITS, DOF_NAMES, SKEL_JOINTS, SKEL_PARENTS
from tests.support.synthetic_skel import rest_joints, synthetic_skel


@pytest.fixture(scope="module")
def template():
    return synthetic_skel()


def random_q(frames, seed=0, spread=0.5):
    return np.random.default_rng(seed).normal(0, spread, (frames, 46))


def test_kinematics_agree_with_the_published_forward_pass(shared_vectors):
    template = load_skel(shared_vectors / "skel_small_male.pkl")
    known = np.load(shared_vectors / "skel_small.npz")
    for frame, betas in enumerate(known["betas"]):
        rows = slice(frame, frame + 1)
        pose = skel_kinematics(known["poses"][rows], template.rest_joints(betas), template.bone_frames(betas), known["trans"][rows])
        assert np.abs(template.rest_joints(betas) - known["joints_tpose"][frame]).max() < 1e-6  # m
        assert np.abs(pose.joints[0] - known["joints"][frame]).max() < 1e-6  # m
        assert np.abs(pose.rotations[0] @ template.bone_orientations(betas) - known["joints_ori"][frame]).max() < 2e-6


def test_zero_angles_give_the_rest_pose(template):
    rest = template.rest_joints([0.5, -1])
    pose = skel_kinematics(np.zeros((2, 46)), rest, template.bone_frames([0.5, -1]), [[1, 2, 3], [0, 0, 0]])
    assert np.abs(pose.joints - rest - np.array([[[1, 2, 3]], [[0, 0, 0]]])).max() < 1e-12
    assert np.abs(pose.rotations - np.eye(3)).max() < 1e-12


@pytest.mark.parametrize("dof", range(46), ids=DOF_NAMES)
def test_each_angle_rotates_only_its_bone_about_its_axis(template, dof):
    frames = template.bone_frames(np.zeros(10))
    q = np.zeros((1, 46))
    q[0, dof] = 0.3
    local = skel_kinematics(q, template.rest_joints([]), frames).local_rotations[0]
    joint = DOF_JOINTS[dof]
    assert np.abs(np.delete(local, joint, 0) - np.eye(3)).max() == 0
    assert np.abs(rotvec_from_rotmat(local[joint]) - 0.3 * frames[joint] @ DOF_AXES[dof]).max() < 1e-12


def test_local_rotations_in_bone_frames_are_the_dof_rotations(template):
    q, frames = random_q(4), template.bone_frames(np.ones(10))
    local = skel_kinematics(q, template.rest_joints(np.ones(10)), frames).local_rotations
    assert np.abs(np.swapaxes(frames, -1, -2) @ local @ frames - dof_rotations(q)).max() < 1e-12


def test_later_angles_multiply_from_the_left():
    q = random_q(3)
    hip = [rotmat_from_rotvec(q[:, dof, None] * DOF_AXES[dof]) for dof in (3, 4, 5)]
    assert np.abs(dof_rotations(q)[:, SKEL_JOINTS.index("femur_r")] - hip[2] @ hip[1] @ hip[0]).max() < 1e-12


def test_only_spine_and_scapula_bones_change_length(template):
    pose = skel_kinematics(random_q(20), template.rest_joints([]), template.bone_frames([]))
    length = np.linalg.norm(pose.joints[:, 1:] - pose.joints[:, SKEL_PARENTS[1:]], axis=-1)
    slides = np.array([name.startswith(("lumbar", "thorax", "head", "scapula")) for name in SKEL_JOINTS[1:]])
    rest = np.linalg.norm(joint_offsets(template.rest_joints([]))[1:], axis=-1)
    assert np.abs(length - rest)[:, ~slides].max() < 1e-12
    assert np.abs(length - rest)[:, slides].max() > 0.005


@pytest.mark.parametrize("angle", [-1.2, -0.3, 1e-9, 0.0, 0.7, 2.0])
def test_arc_end_equals_the_sum_of_short_steps(angle):
    steps = (np.arange(20000) + 0.5) / 20000 * angle
    aside, lower = arc_end(angle)
    assert abs(aside - np.sin(steps).mean()) < 1e-9
    assert abs(1 - lower - np.cos(steps).mean()) < 1e-9


def test_lumbar_angles_move_the_spine_right_and_back():
    q = np.zeros((2, 46))
    q[0, DOF_NAMES.index("lumbar_bending")] = 0.4
    q[1, DOF_NAMES.index("lumbar_extension")] = 0.4
    sideways, back = joint_shifts(q, rest_joints())[:, SKEL_JOINTS.index("lumbar_body")]
    # Axes of the body: x left, y up, z front. A positive rotation about the front axis bends to the right.
    assert sideways[0] < -0.01 and abs(sideways[2]) < 1e-12 and sideways[1] < 0
    assert back[2] < -0.01 and abs(back[0]) < 1e-12 and abs(back[1] - sideways[1]) < 1e-12


def test_scapulae_move_on_mirrored_ellipsoids():
    rest, rng = rest_joints(), np.random.default_rng(1)
    right, left = (SKEL_JOINTS.index(f"scapula_{side}") for side in "rl")
    q = np.zeros((50, 46))
    q[:, 26:28] = rng.uniform(-0.6, 0.6, (50, 2))
    q[:, 36:38] = -q[:, 26:28]
    shifts = joint_shifts(q, rest)
    assert np.abs(shifts[:, left] - shifts[:, right] * [-1, 1, 1]).max() < 1e-12
    radius_width = np.linalg.norm(rest[left] - rest[right]) / 4
    radius_height = np.linalg.norm(rest[12] - rest[11]) / 2
    # Relative to the ellipsoid's middle: at rest the scapula is at an elevation of -45 degrees. From front to back the radius is
    # the same at every height, as in the published model.
    x = shifts[:, right, 0] - radius_width * np.sqrt(0.5)
    y = shifts[:, right, 1] + radius_height * np.sqrt(0.5)
    z = shifts[:, right, 2]
    rise = y / radius_height
    assert np.abs((x / radius_width) ** 2 / (1 - rise**2) + (z / radius_width) ** 2 - 1).max() < 1e-12


def test_minimal_rotation_is_about_the_common_normal():
    rng = np.random.default_rng(2)
    source, target = rng.normal(size=(2, 100, 3))
    turn = minimal_rotation(source, target)
    unit = [v / np.linalg.norm(v, axis=-1, keepdims=True) for v in (source, target)]
    assert np.abs(np.einsum("nab,nb->na", turn, unit[0]) - unit[1]).max() < 1e-10
    rotvec = rotvec_from_rotmat(turn)
    assert np.abs((rotvec * unit[0]).sum(-1)).max() < 1e-7 and np.abs((rotvec * unit[1]).sum(-1)).max() < 1e-7
    assert np.array_equal(minimal_rotation(np.zeros(3), np.ones(3)), np.eye(3))


def test_published_limits_raise_the_right_and_lower_the_left_scapula():
    low, high = DOF_LIMITS[[27, 37]].T
    q = np.zeros((2, 46))
    q[:, [27, 37]] = low, high
    rise = joint_shifts(q, rest_joints())[..., 1]
    right, left = (SKEL_JOINTS.index(f"scapula_{side}") for side in "rl")
    assert (rise[:, right] > 0.004).all() and (rise[:, left] < -0.004).all()  # m
