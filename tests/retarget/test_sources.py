"""Performances from files: BVH in any axes, units and channel orders, and AMASS files; damaged files are refused."""

import numpy as np
import pytest

from blender_meshrec.core.conventions import WORLD_FROM_BODY
from blender_meshrec.core.errors import InputError, ModelError
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.files.bvh import write_bvh
from blender_meshrec.core.motion import forward_kinematics
from blender_meshrec.core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from blender_meshrec.retarget.rig import RetargetOptions
from blender_meshrec.retarget.solve.retarget import retarget
from blender_meshrec.retarget.source.bvh import performance_from_bvh
from blender_meshrec.retarget.source.motion import performance_from_motion
from blender_meshrec.retarget.source.smpl import is_smpl_motion, performance_from_smpl
from blender_meshrec.retarget.write.channels import euler_from_rotmat
from tests.support.retargeting import LIMBS, limb_vector, max_direction_error, motion_from_walker, random_character
from tests.support.synthetic_gait import walk

TIMES = np.arange(0, 2, 1 / 30)
# SMPL joint -> a common name in BVH files.
BVH_NAMES = {
    "pelvis": "Hips", "spine1": "Spine", "spine2": "Spine1", "spine3": "Spine2", "neck": "Neck", "head": "Head",
    **{f"{side}_{ours}": f"{side.title()}{theirs}" for side in ("left", "right") for ours, theirs in (
        ("collar", "Shoulder"), ("shoulder", "Arm"), ("elbow", "ForeArm"), ("wrist", "Hand"), ("hand", "HandMiddle1"), ("hip", "UpLeg"),
        ("knee", "Leg"), ("ankle", "Foot"), ("foot", "ToeBase"))},
}  # fmt: skip


@pytest.fixture(scope="module")
def motion():
    walker = walk(TIMES, turn=0.5)
    rng = np.random.default_rng(0)
    swing = np.sin(TIMES[:, None, None] * rng.uniform(1, 4, (1, 24, 3)))
    joints = [3, 6, 9, 12, 15, 13, 14, 16, 17, 18, 19, 20, 21]
    walker.rotmats[:, joints] = walker.rotmats[:, joints] @ rotmat_from_rotvec(0.4 * swing[:, joints])
    return motion_from_walker(walker, contacts=False)


def write_bvh_in_convention(path, motion, order="ZXY", unit=1.0, z_up=False, rest=None, position_last=False):
    """Write a Motion as BVH in another convention.

    order: of the Euler channels. unit: m. rest: (J,3,3) rotations of the joints' axes in the T-pose, None for a T-pose as rest pose.
    """
    file_from_world = np.eye(3) if z_up else WORLD_FROM_BODY.T
    joints, rotations = forward_kinematics(motion)
    joints, rotations = joints @ file_from_world.T / unit, file_from_world @ rotations @ file_from_world.T
    t_pose = motion.rest_joints @ file_from_world.T / unit
    axes = np.tile(np.eye(3), (len(t_pose), 1, 1)) if rest is None else rest
    rotations = rotations @ axes
    lines, order_of_joints = ["HIERARCHY"], []

    def add_joint(joint, depth):
        order_of_joints.append(joint)
        tab, parent = " " * depth, motion.parents[joint]
        offset = axes[parent].T @ (t_pose[joint] - t_pose[parent]) if parent >= 0 else np.zeros(3)
        rotation_channels = " ".join(f"{axis}rotation" for axis in order)
        position_channels = "Xposition Yposition Zposition"
        root_channels = (rotation_channels, position_channels) if position_last else (position_channels, rotation_channels)
        channels = rotation_channels if depth else " ".join(root_channels)
        lines.append(f"{tab}{'JOINT' if depth else 'ROOT'} {BVH_NAMES[motion.joint_names[joint]]}")
        lines.append(f"{tab}{{\n{tab}OFFSET {' '.join(map(repr, offset.tolist()))}\n{tab}CHANNELS {3 if depth else 6} {channels}")
        children = np.flatnonzero(motion.parents == joint)
        for child in children:
            add_joint(child, depth + 1)
        if not len(children):
            lines.append(f"{tab}End Site\n{tab}{{\n{tab}OFFSET 0 {0.1 / unit} 0\n{tab}}}")
        lines.append(f"{tab}}}")

    add_joint(0, 0)
    rows = []
    for joint in order_of_joints:
        parent = motion.parents[joint]
        local = rotations[:, joint] if parent < 0 else np.swapaxes(rotations[:, parent], 1, 2) @ rotations[:, joint]
        # Rotations are multiplied in the order of the channels: the last one is Blender's first.
        angles = np.degrees(euler_from_rotmat(local, order[::-1]))[:, ["XYZ".index(axis) for axis in order]]
        if parent < 0:
            angles = np.concatenate([angles, joints[:, 0]] if position_last else [joints[:, 0], angles], 1)
        rows.append(angles)
    lines += ["MOTION", f"Frames: {len(motion)}", f"Frame Time: {1 / float(motion.fps)!r}"]
    lines += [" ".join(f"{value:.6f}" for value in row) for row in np.concatenate(rows, 1)]
    path.write_text("\n".join(lines))


def assert_same_joints(performance, motion, tolerance):
    """Assert that all joints agree within `tolerance` m, up to one translation."""
    joints, _ = forward_kinematics(motion)
    rows = [performance.rig.index(BVH_NAMES.get(name, name)) for name in motion.joint_names]
    offset = performance.heads[:, rows] - joints
    np.testing.assert_allclose(offset, np.broadcast_to(offset[0, 0], offset.shape), atol=tolerance)


def test_exported_bvh_is_read_back(tmp_path, motion):
    write_bvh(tmp_path / "a.bvh", motion)
    performance = performance_from_bvh(tmp_path / "a.bvh")
    joints, _ = forward_kinematics(motion)
    rows = [performance.rig.index(name) for name in motion.joint_names]
    np.testing.assert_allclose(performance.heads[:, rows], joints, atol=1e-4)
    assert performance.fps == pytest.approx(30) and len(performance) == len(motion)


@pytest.mark.parametrize("order", ["ZXY", "XYZ", "YXZ", "ZYX"])
@pytest.mark.parametrize(("unit", "z_up"), [(1.0, False), (0.01, False), (0.0254, True)])
def test_bvh_conventions_give_the_same_motion(tmp_path, motion, order, unit, z_up):
    """Channel orders, centimetres and inches, y or z up."""
    write_bvh_in_convention(tmp_path / "a.bvh", motion, order, unit, z_up, position_last=z_up)
    assert_same_joints(performance_from_bvh(tmp_path / "a.bvh"), motion, 1e-4)


def test_bvh_without_an_upright_rest_pose_retargets(tmp_path, motion):
    """All bones along one axis, as some capture systems write them."""
    t_pose = motion.rest_joints @ WORLD_FROM_BODY
    axes = np.empty((24, 3, 3))
    for joint in range(24):
        children = np.flatnonzero(motion.parents == joint)
        along = (
            t_pose[children[-1 if joint == 0 else 0]] - t_pose[joint] if len(children) else t_pose[joint] - t_pose[motion.parents[joint]]
        )
        x = along / np.linalg.norm(along)
        z = np.cross(x, [0.3, 0.5, 0.8])
        z /= np.linalg.norm(z)
        axes[joint] = np.stack([x, np.cross(z, x), z], 1)
    write_bvh_in_convention(tmp_path / "a.bvh", motion, rest=axes)
    performance = performance_from_bvh(tmp_path / "a.bvh")
    assert_same_joints(performance, motion, 1e-4)
    rig, mapping = random_character(0)
    result = retarget(performance, rig, mapping, RetargetOptions(feet=False))
    assert max_direction_error(performance, rig, mapping, result) < 0.1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a BVH"),
        ("HIERARCHY\nROOT a\n{\nOFFSET 0 0\nMOTION\nFrames: 1\nFrame Time: 0.1\n0", "damaged"),
        ("HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\nCHANNELS 6 Xrotation\nMOTION\nFrames: 1\nFrame Time: 0.1\n0", "damaged"),
        ("HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\nCHANNELS 1 Xrotation\n}\nMOTION\nFrames: 0\nFrame Time: 0.1\n", "no motion"),
        ("HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\nCHANNELS 1 Xrotation\n}\nMOTION\nFrames: 1\nFrame Time: 0.1\nnan", "no motion"),
        ("HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\nCHANNELS 1 Xrotation\n}\nMOTION\nFrames: 1\nFrame Time: 0.1\nq", "damaged"),
        ("HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\nCHANNELS 1 Xrotation\n}\nMOTION\nFrames: 1\nFrame Time: 0.1\n1", "person"),
    ],
)
def test_damaged_bvh_files_are_refused(tmp_path, text, message):
    (tmp_path / "a.bvh").write_text(text)
    with pytest.raises(InputError, match=message):
        performance_from_bvh(tmp_path / "a.bvh")
    with pytest.raises(InputError, match="no file"):
        performance_from_bvh(tmp_path / "b.bvh")


@pytest.fixture(scope="module")
def open_body():
    try:
        return load_body("open")
    except ModelError as error:
        pytest.skip(error.problem)


@pytest.mark.parametrize("width", [66, 72, 156, 165])
@pytest.mark.parametrize("z_up", [True, False])
def test_amass_rotations_and_path_are_kept(tmp_path, open_body, motion, width, z_up):
    """Poses of every width, z or y up; contacts are detected."""
    num_frames, rng = len(motion), np.random.default_rng(0)
    poses = 0.2 * rng.normal(size=(1, width)) * np.sin(TIMES * 3)[:, None]
    global_orient = WORLD_FROM_BODY @ rotmat_from_rotvec(TIMES[:, None] * [0, 0.3, 0])
    trans = np.stack([TIMES, 0 * TIMES, 0 * TIMES + 0.9], 1)
    file_from_world = np.eye(3) if z_up else WORLD_FROM_BODY.T
    poses[:, :3] = rotvec_from_rotmat(file_from_world @ global_orient)
    rate = {"mocap_framerate" if width == 72 else "mocap_frame_rate": np.array(60.0)}
    np.savez(
        tmp_path / "a.npz", poses=poses, trans=trans @ file_from_world.T, betas=np.zeros(16), gender=np.array("male", dtype=object), **rate
    )
    assert is_smpl_motion(tmp_path / "a.npz")
    performance = performance_from_smpl(tmp_path / "a.npz")
    assert performance.fps == 60.0 and len(performance) == num_frames and performance.contacts is None
    elbow = performance.rig.index("left_elbow")
    moved = performance.heads[:, 0] - performance.heads[0, 0]
    np.testing.assert_allclose(moved, trans - trans[0], atol=1e-6)
    # The upper arm rotates with the root, three spine joints, collar and shoulder.
    expected = global_orient
    for joint in (3, 6, 9, 13, 16):
        expected = expected @ rotmat_from_rotvec(poses[:, 3 * joint : 3 * joint + 3])
    rest = open_body.rest_joints(np.zeros(1))
    arm = np.einsum("fij,j->fi", expected, rest[18] - rest[16])
    np.testing.assert_allclose(performance.heads[:, elbow] - performance.heads[:, performance.rig.index("left_shoulder")], arm, atol=1e-6)
    rig, mapping = random_character(1)
    assert retarget(performance, rig, mapping).contacts.shape == (num_frames, 4)


def test_soles_from_skin_are_on_the_floor(open_body, motion):
    """At rest, the heels and toes of a body are level with its lowest vertices."""
    performance = performance_from_motion(motion)
    assert performance.soles is None
    rest = open_body.rest_joints(np.zeros(1)) @ WORLD_FROM_BODY.T
    still = type(motion)("smpl", motion.joint_names, motion.parents, rest, np.tile([1.0, 0, 0, 0], (1, 24, 1)), rest[:1], 30.0, np.zeros(1))
    soles = performance_from_motion(still, open_body, np.zeros(1)).soles[0]
    floor = open_body.rest_vertices(np.zeros(1))[:, 1].min()
    np.testing.assert_allclose(soles[:, 2], floor, atol=0.01)
    assert (soles[[0, 2], 1] > soles[[1, 3], 1] + 0.15).all() and (soles[:2, 0] > 0).all() and (soles[2:, 0] < 0).all()


@pytest.mark.parametrize(
    "arrays",
    [
        {"poses": np.zeros((3, 72))},
        {"poses": np.zeros((3, 60)), "trans": np.zeros((3, 3))},
        {"poses": np.full((3, 72), np.nan), "trans": np.zeros((3, 3))},
        {"poses": np.zeros((3, 72)), "trans": np.zeros((2, 3))},
        {"poses": np.zeros((0, 72)), "trans": np.zeros((0, 3))},
        {"poses": np.array([{}], dtype=object), "trans": np.zeros((1, 3))},
    ],
)
def test_damaged_smpl_files_are_refused(tmp_path, arrays):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError):
        performance_from_smpl(tmp_path / "a.npz")


def test_all_limbs_have_length(motion):
    performance = performance_from_motion(motion)
    for part, below in LIMBS:
        assert np.linalg.norm(limb_vector(performance.heads, performance.rig, performance.mapping, part, below), axis=1).min() > 0.1
