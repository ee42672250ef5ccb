"""Recoveries as performances and motions of others as Recoveries: joints, contacts, shapes, and files that are refused."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.core.errors import InputError
from blender_meshrec.core.files.body_template import BodyTemplate, load_body
from blender_meshrec.core.files.bvh import write_bvh
from blender_meshrec.core.files.motion_npz import write_motion
from blender_meshrec.core.motion import motion_from_recovery
from blender_meshrec.core.skeletons import SMPL_JOINTS
from blender_meshrec.retarget.recovery_files import read_recovery
from blender_meshrec.retarget.source.files import performance_from_recovery, read_performance
from blender_meshrec.retarget.source.motion import performance_from_motion
from blender_meshrec.retarget.source.smpl import _compatible_betas
from blender_meshrec.retarget.source.smpl_arrays import SmplArrays
from blender_meshrec.retarget.source.smpl_recovery import _betas_of_body, _poses_of_body, recovery_without_camera
from blender_meshrec.retarget.source.smpl_tracks import is_frames
from blender_meshrec.retarget.source.smpl_up import _trunks
from blender_meshrec.retarget.source.suffixes import MOTION_SUFFIXES
from tests.support.synthetic_bodies import make_recovery


@pytest.fixture(scope="module")
def template():
    return load_body("open")


def test_a_recovery_of_the_body_performs_on_its_joints(template: BodyTemplate):
    recovery = make_recovery(template, frames=6)
    performance = performance_from_recovery(recovery)
    rows = [performance.rig.index(name) for name in SMPL_JOINTS]
    np.testing.assert_allclose(performance.heads[:, rows], recovery.joints, atol=1e-5)  # m
    motion = motion_from_recovery(recovery, template.rest_joints(recovery.betas), template.joint_names, template.parents)
    expected = performance_from_motion(motion, template, recovery.betas)
    np.testing.assert_allclose(performance.rotations, expected.rotations)
    assert performance.soles is not None and expected.soles is not None
    np.testing.assert_allclose(performance.soles, expected.soles)
    np.testing.assert_allclose(performance.contacts, recovery.contacts)


def test_a_body_of_fewer_joints_than_the_poses_moves_by_its_own(template: BodyTemplate):
    """SMPL's body without hands, and poses with them."""
    recovery = make_recovery(template, frames=4)
    rest = template.rest_joints(recovery.betas)
    whole, part = (motion_from_recovery(recovery, rest[:n], template.joint_names[:n], template.parents[:n]) for n in (len(rest), 22))
    assert part.rotations.shape == (4, 22, 4)
    np.testing.assert_allclose(part.rotations, whole.rotations[:, :22])


@pytest.mark.parametrize("kind", ["smpl", "smplh"])
def test_a_recovery_of_another_body_performs_on_joints_of_its_own(template: BodyTemplate, kind: str):
    """Rest joints follow from the posed ones, here from noisy ones: their median counts."""
    recovery = make_recovery(template, frames=9)
    joints = recovery.joints.copy()
    joints[4] += np.random.default_rng(0).normal(0, 0.1, joints[4].shape)
    performance = performance_from_recovery(replace(recovery, surface_model_type=kind, joints=joints))
    assert performance.rig.bones == SMPL_JOINTS and performance.soles is None
    clear = np.arange(9) != 4
    from_hips = performance.heads - performance.heads[:, :1]
    np.testing.assert_allclose(from_hips[clear], (recovery.joints - recovery.joints[:, :1])[clear], atol=1e-4)  # m
    plain = performance_from_recovery(replace(recovery, surface_model_type=kind))
    np.testing.assert_allclose(plain.heads, recovery.joints, atol=1e-4)


def test_gaps_of_own_motions_are_closed_and_told(template: BodyTemplate, tmp_path):
    times = np.concatenate([np.arange(5) / 24, 100 + np.arange(5) / 24])
    write_motion(tmp_path / "a.npz", make_recovery(template, frames=10, timestamps=times))
    performance = read_performance(tmp_path / "a.npz")
    assert [note.name for note in performance.notes] == ["motion-gaps-closed"] and "a.npz" in performance.notes[0]
    assert performance.timestamps[-1] == pytest.approx(9 / 24, abs=1e-4)  # s
    write_motion(tmp_path / "b.npz", make_recovery(template, frames=4))
    assert read_performance(tmp_path / "b.npz").notes == ()


def test_own_motions_are_read_as_they_are(template: BodyTemplate, tmp_path):
    recovery = make_recovery(template, frames=4)
    write_motion(tmp_path / "a.npz", recovery)
    found, notes = read_recovery(tmp_path / "a.npz")
    assert notes == ()
    np.testing.assert_allclose(found.poses, recovery.poses, atol=1e-6)
    np.testing.assert_allclose(found.contacts, recovery.contacts, atol=1e-6)


def test_files_that_are_no_motions_are_refused_with_the_suffixes_that_are(tmp_path):
    assert set(MOTION_SUFFIXES) == {".npz", ".bvh", ".pkl", ".pickle", ".pt", ".pth", ".joblib", ".npy"}
    (tmp_path / "a.mp4").write_bytes(b"")
    for read in (read_performance, read_recovery):
        with pytest.raises(InputError, match=r"a\.mp4 is not a motion") as caught:
            read(tmp_path / "a.mp4")
        assert all(suffix in str(caught.value.remedy) for suffix in (".npz", ".bvh", ".pkl", ".pt", ".npy"))
    for name in ("none.npz", "none.bvh", "none.mp4"):
        with pytest.raises(InputError, match="There is no file"):
            read_recovery(tmp_path / name)
    for name in ("none.npz", "none.bvh", "none.pkl"):
        with pytest.raises(InputError, match="There is no file"):
            read_performance(tmp_path / name)


def test_suffixes_are_read_in_any_case(template: BodyTemplate, tmp_path):
    write_motion(tmp_path / "a.npz", make_recovery(template, frames=4))
    (tmp_path / "a.npz").rename(tmp_path / "a.NPZ")
    assert len(read_performance(tmp_path / "a.NPZ")) == 4
    (tmp_path / "a.BVH").write_text("no motion")
    for read in (read_performance, read_recovery):
        with pytest.raises(InputError, match="is not a BVH file"):
            read(tmp_path / "a.BVH")


def test_a_motion_without_camera_keeps_its_contacts_and_is_certain(template: BodyTemplate):
    count = len(template.joint_names)
    poses, pelvis, betas = np.zeros((3, count, 3)), np.array([[0, 0, 1.0], [0, 0, 1.1], [0.2, 0, 1.0]]), np.zeros(10)
    contacts = np.arange(12.0).reshape(3, 4) / 12
    given = recovery_without_camera(template, betas, poses, pelvis, 25.0, contacts)
    np.testing.assert_allclose(given.contacts, contacts, atol=1e-6)
    unknown = recovery_without_camera(template, betas, poses, pelvis, 25.0)
    assert unknown.contacts.shape == (3, 4) and not unknown.contacts.any()
    np.testing.assert_allclose(unknown.joints[:, 0], pelvis, atol=1e-6)
    np.testing.assert_allclose(unknown.timestamps, [0, 0.04, 0.08])
    assert unknown.visible.all() and (unknown.confidence == 1).all() and not unknown.lifted_joints.any()
    # The camera is level, 1 m high, 4 m in front of the origin, and sees a person there upright.
    camera = unknown.camera_from_world[0] @ [0, 0, 1, 1]
    np.testing.assert_allclose(camera[:3], [0, 0, 4], atol=1e-6)
    assert (unknown.camera_from_world[0] @ [0, 0, 2, 1])[1] < 0 < (unknown.camera_from_world[0] @ [1, 0, 1, 1])[0]
    rotation = unknown.camera_from_world[:, :3, :3]
    np.testing.assert_allclose(rotation @ rotation.swapaxes(1, 2), np.tile(np.eye(3), (len(rotation), 1, 1)), atol=1e-9)
    np.testing.assert_array_equal(unknown.camera_from_world[:, 3], np.tile([0, 0, 0, 1], (len(rotation), 1)))
    assert (unknown.camera_intrinsics[:2, 2] * 2 == unknown.image_size).all()


@pytest.mark.parametrize("given, expected", [(4, 4), (10, 10), (16, 10), (None, 0)])
def test_shapes_are_those_of_the_body_unless_it_is_the_open_one(template: BodyTemplate, given, expected):
    betas = None if given is None else 1.0 + np.arange(given)
    stored = SmplArrays(np.zeros((2, 72)), np.zeros((2, 3)), betas, None)
    licensed = replace(template, surface_model_type="smpl")
    count = licensed.shapedirs.shape[-1]
    wanted = np.zeros(count)
    wanted[: min(expected, count)] = 1.0 + np.arange(min(expected, count))
    np.testing.assert_allclose(_betas_of_body(stored, licensed), wanted)
    assert not _betas_of_body(stored, template).any() and not _compatible_betas(stored, template).any()
    compatible = _compatible_betas(stored, licensed)
    np.testing.assert_allclose(compatible, wanted[: len(compatible)])
    assert len(compatible) == (1 if given is None else min(given, count))


@pytest.mark.parametrize("width, joints, posed", [(66, 24, 22), (72, 24, 22), (156, 52, 52), (156, 24, 22), (165, 52, 22), (66, 22, 22)])
def test_hands_are_posed_where_body_and_file_have_the_same(width: int, joints: int, posed: int):
    given = 1.0 + np.arange(2 * width, dtype=float).reshape(2, width)
    poses = _poses_of_body(SmplArrays(given, np.zeros((2, 3)), None, None), joints)
    assert poses.shape == (2, max(joints, 24), 3) and not poses[:, posed:].any()
    np.testing.assert_allclose(poses[:, :posed].reshape(2, -1), given[:, : 3 * posed])


@pytest.mark.parametrize("suffix", ["png", "jpg", "jpeg", "bmp", "webp", "tif", "tiff", "PNG", "Jpg"])
def test_tables_by_the_paths_of_pictures_are_known_by_their_suffixes(suffix: str):
    assert is_frames({f"/clip/frame_1.{suffix}": 0, f"frame_2.{suffix}": 0})
    assert not is_frames({f"frame_1.{suffix}": 0, "person": 0}) and not is_frames({f"frame.{suffix}.txt": 0})


def test_trunks_of_people_of_any_size_are_unit_vectors():
    joints = np.zeros((3, 22, 3))
    joints[0, 12], joints[1, 12] = [0, 0.3, 0.4], [0, 0, 7.0]
    np.testing.assert_allclose(_trunks(joints), [[0, 0.6, 0.8], [0, 0, 1], [0, 0, 0]])


def test_a_bvh_file_is_read_as_a_motion_of_the_body(template: BodyTemplate, tmp_path):
    recovery = make_recovery(template, frames=4)
    motion = motion_from_recovery(recovery, template.rest_joints(recovery.betas), template.joint_names, template.parents)
    write_bvh(tmp_path / "a.bvh", motion)
    found, _ = read_recovery(tmp_path / "a.bvh")
    assert len(found) == 4 and found.surface_model_type == "open" and found.joints.shape == (4, 24, 3)
