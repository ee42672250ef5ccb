"""Records, motion files and error codes."""

import dataclasses

import numpy as np
import pytest

from blender_meshrec.core.errors import ExitCode, InputError, error_from_exit_code
from blender_meshrec.core.files.motion_npz import read_motion, write_motion
from blender_meshrec.core.messages import Message
from blender_meshrec.core.motion import forward_kinematics, motion_from_recovery
from blender_meshrec.core.records import Observations, Recovery
from blender_meshrec.core.resampling import resample_recovery
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skeletons import SMPL_JOINTS, SMPL_PARENTS


def recovery(frames=5, seed=0, **changes):
    rng = np.random.default_rng(seed)
    values = dict(
        poses=rng.normal(size=(frames, 72)),
        trans=rng.normal(size=(frames, 3)),
        betas=rng.normal(size=10),
        surface_model_type="open",
        mocap_framerate=25.0,
        timestamps=np.arange(frames) / 25,
        visible=np.ones(frames, bool),
        joints=rng.normal(size=(frames, 24, 3)),
        confidence=rng.uniform(size=(frames, 24)),
        lifted_joints=rng.normal(size=(frames, 17, 3)),
        contacts=rng.uniform(size=(frames, 4)),
        camera_intrinsics=np.diag([800.0, 800.0, 1.0]),
        camera_from_world=np.tile(np.eye(4), (frames, 1, 1)),
        image_size=(640, 480),
        footage="clip.mp4",
        first_frame=7,
    )
    return Recovery(**{**values, **changes})


def test_records_copy_and_freeze_their_arrays():
    trans = np.zeros((5, 3), np.float32)
    record = recovery(trans=trans)
    trans[:] = 1
    assert not record.trans.any()
    with pytest.raises(ValueError):
        record.trans[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.fps = 3


@pytest.mark.parametrize(
    "changes",
    [
        {"trans": np.zeros((4, 3))},
        {"poses": np.zeros((5, 71))},
        {"poses": np.zeros((5, 69))},
        {"joints": np.zeros((5, 23, 3))},
        {"trans": np.full((5, 3), np.nan)},
        {"camera_from_world": np.zeros((5, 3, 4))},
        {"q": np.zeros((5, 46))},
        {"q": np.zeros((5, 45)), "skel_betas": np.zeros(10), "skel_trans": np.zeros((5, 3))},
    ],
)
def test_records_of_inconsistent_shapes_are_refused(changes):
    with pytest.raises(ValueError):
        recovery(**changes)


def test_keypoints_must_match_their_set():
    with pytest.raises(ValueError):
        Observations("coco17", np.zeros((3, 4)), np.zeros((3, 33, 3)), np.ones(3, bool))


def test_median_area_counts_only_visible_frames():
    boxes = np.zeros((3, 4))
    boxes[1] = [10, 10, 20, 40]
    person = Observations("coco17", boxes, np.zeros((3, 17, 3)), np.array([False, True, False]))
    assert person.median_area == 300
    assert Observations("coco17", boxes, np.zeros((3, 17, 3)), np.zeros(3, bool)).median_area == 0


def test_motion_file_round_trip(tmp_path):
    record = recovery()
    write_motion(tmp_path / "größe 測試.npz", record)
    again = read_motion(tmp_path / "größe 測試.npz")
    for name, value in record.arrays().items():
        np.testing.assert_array_equal(getattr(again, name), value, err_msg=name)
    assert isinstance(again.gender, str) and isinstance(again.first_frame, int)


def test_a_failed_write_leaves_no_file(tmp_path):
    target = tmp_path / "folder" / "m.npz"
    broken = recovery()
    object.__setattr__(broken, "trans", {"a set cannot be": "an array of numbers"})

    class NotAnArray:
        def __array__(self, *_, **__):
            raise OSError(28, "No space left on device")

    object.__setattr__(broken, "trans", NotAnArray())
    from blender_meshrec.core.errors import OutputError

    with pytest.raises(OutputError, match="disk is full"):
        write_motion(target, broken)
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04garbage"])
def test_other_files_are_refused_as_motions(tmp_path, content):
    (tmp_path / "m.npz").write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_motion(tmp_path / "m.npz")
    assert caught.value.remedy and caught.value.exit_code == ExitCode.BAD_INPUT


def test_pickled_arrays_are_refused_unread(tmp_path):
    np.savez(tmp_path / "m.npz", poses=np.array([print], dtype=object))
    with pytest.raises(InputError):
        read_motion(tmp_path / "m.npz")


def test_an_incomplete_motion_file_is_named_without_our_keys(tmp_path):
    np.savez(tmp_path / "m.npz", poses=np.zeros((2, 72)))
    with pytest.raises(InputError, match=r"m\.npz is no motion file of this software, or lacks parts of one") as caught:
        read_motion(tmp_path / "m.npz")
    assert "trans" not in str(caught.value) and "calibrated_joints" not in str(caught.value)


INVALID_VALUES = {
    "it holds no frames": {},
    "its frame rate is 0": dict(mocap_framerate=0.0),
    "its frame rate is -5": dict(mocap_framerate=-5.0),
    "its frame rate is nan": dict(mocap_framerate=np.nan),
    "its timestamps do not rise": dict(timestamps=np.zeros(5)),
    "it holds 16 betas": dict(betas=np.ones(16)),
}


@pytest.mark.parametrize("wrong", INVALID_VALUES)
def test_invalid_values_are_refused_with_the_reason(tmp_path, wrong):
    write_motion(tmp_path / "m.npz", recovery(frames=0 if "frames" in wrong else 5, **INVALID_VALUES[wrong]))
    with pytest.raises(InputError, match=wrong):
        read_motion(tmp_path / "m.npz")


def test_scalars_stored_as_arrays_of_one_are_read(tmp_path):
    arrays = recovery().arrays()
    np.savez(tmp_path / "m.npz", **arrays | {name: np.atleast_1d(arrays[name]) for name in ("mocap_framerate", "first_frame", "gender")})
    again = read_motion(tmp_path / "m.npz")
    assert (again.mocap_framerate, again.first_frame, again.gender) == (25.0, 7, "neutral")


@pytest.mark.parametrize("code", list(ExitCode)[1:])
def test_errors_keep_their_exit_code_across_the_wire(code):
    assert error_from_exit_code(code, Message("e.problem", "p."), Message("e.remedy", "r.")).exit_code == code


def test_motion_joints_satisfy_the_npz_invariant():
    """Forward kinematics of the z-up Motion equals SMPL's recursion on poses and trans."""
    rng = np.random.default_rng(1)
    rest = rng.normal(size=(24, 3))
    record = recovery()
    local = rotmat_from_rotvec(record.poses.reshape(5, 24, 3))
    glob, joints = local.copy(), np.empty((5, 24, 3))
    joints[:, 0] = rest[0]
    for j in range(1, 24):
        p = SMPL_PARENTS[j]
        glob[:, j] = glob[:, p] @ local[:, j]
        joints[:, j] = joints[:, p] + glob[:, p] @ (rest[j] - rest[p])
    joints += record.trans[:, None]
    motion = motion_from_recovery(record, rest, SMPL_JOINTS, SMPL_PARENTS)
    np.testing.assert_allclose(forward_kinematics(motion)[0], joints, atol=1e-6)


def test_root_rotation_is_identity_for_an_upright_subject():
    poses = np.zeros((5, 72))
    poses[:, 0] = np.pi / 2
    motion = motion_from_recovery(recovery(poses=poses), np.eye(24, 3), SMPL_JOINTS, SMPL_PARENTS)
    np.testing.assert_allclose(motion.rotations, np.broadcast_to([1, 0, 0, 0], (5, 24, 4)), atol=1e-6)


def test_skel_angles_survive_the_file_and_resampling(tmp_path):
    q = np.zeros((5, 46))
    q[:, 0] = [3.0, 3.1, -3.083, -2.983, -2.883]  # a pelvis that rotates past pi
    record = recovery(q=q, skel_betas=np.arange(10.0), skel_trans=np.ones((5, 3)), skel_model_type="open")
    write_motion(tmp_path / "skel.npz", record)
    again = read_motion(tmp_path / "skel.npz")
    assert again.skel_model_type == "open"
    assert np.array_equal(again.q, record.q) and np.array_equal(again.skel_betas, record.skel_betas)
    faster = resample_recovery(again, 50.0)
    assert faster.q.shape == (9, 46) and faster.skel_trans.shape == (9, 3)
    assert np.abs(np.diff(faster.q[:, 0])).max() < 0.051 + 1e-4  # rad a frame


def test_calibrated_joints_survive_the_file_and_resampling(tmp_path):
    joints = np.cumsum(np.ones((5, 24, 3)), 0)
    record = recovery(calibrated_joints=joints)
    write_motion(tmp_path / "m.npz", record)
    assert np.array_equal(read_motion(tmp_path / "m.npz").calibrated_joints, joints)
    assert np.abs(resample_recovery(record, 50.0).calibrated_joints[:, 0, 0] - np.arange(1, 5.5, 0.5)).max() < 1e-6  # m
    write_motion(tmp_path / "plain.npz", recovery())
    assert read_motion(tmp_path / "plain.npz").calibrated_joints is None
    with pytest.raises(ValueError):
        recovery(calibrated_joints=np.zeros((5, 17, 3)))
