"""SMPL-family motions as many programs write them: names, containers, forms of rotations, which axis is up, frame rates."""

import os
import pickle

import numpy as np
import pytest
import torch

from blender_meshrec.core.conventions import WORLD_FROM_BODY
from blender_meshrec.core.errors import InputError
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from blender_meshrec.retarget.bvh_recovery import recovery_from_bvh
from blender_meshrec.retarget.recovery_files import read_recovery
from blender_meshrec.retarget.source.files import read_performance
from blender_meshrec.retarget.source.smpl import performance_from_smpl
from blender_meshrec.retarget.source.smpl_file import is_smpl_motion, read_smpl_arrays
from blender_meshrec.retarget.source.smpl_layouts import BODY_KEYS, POSE_KEYS, ROOT_KEYS, TRANS_KEYS
from tests.support.joblib_pickle import write_joblib

NUM_FRAMES = 12
FILE_FROM_WORLD = {"z": np.eye(3), "y": WORLD_FROM_BODY.T, "-y": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])}
PELVIS = 0.93  # m


@pytest.fixture(scope="module")
def rest_pelvis(template):
    return template.rest_joints(np.zeros(1))[0]


@pytest.fixture(scope="module")
def arrays(rest_pelvis):
    """A function that gives a walking person's root (F,3), body (F,63), hands (F,90) and path (F,3) with an axis up."""
    rng = np.random.default_rng(0)
    times = np.arange(NUM_FRAMES) / 30
    body = 0.1 * rng.normal(size=(1, 63)) * np.sin(4 * times)[:, None]
    hands = 0.1 * rng.normal(size=(1, 90)) * np.sin(4 * times)[:, None]
    world_root = WORLD_FROM_BODY @ rotmat_from_rotvec(times[:, None] * [0, 0.5, 0])
    pelvis = np.stack([0.2 * times, -times, PELVIS + 0 * times], 1)

    def made(up="z"):
        turn = FILE_FROM_WORLD[up]
        return rotvec_from_rotmat(turn @ world_root), body, hands, pelvis @ turn.T - rest_pelvis

    return made


@pytest.fixture(scope="module")
def expected(tmp_path_factory, arrays):
    """The performance of the same person from an AMASS file."""
    root, body, hands, path = arrays()
    file = tmp_path_factory.mktemp("amass") / "a.npz"
    np.savez(file, poses=np.concatenate([root, body, hands], 1), trans=path, mocap_framerate=30.0, betas=np.zeros(16))
    performance = performance_from_smpl(file)
    assert performance.notes == () and performance.heads[:, 0, 2] == pytest.approx(PELVIS)
    return performance


def assert_same(performance, expected, tolerance=1e-6, moved=False):
    """Assert that the heads agree within `tolerance` m, with `moved` apart from one translation, and so do rotation matrices."""
    offset = performance.heads - expected.heads
    np.testing.assert_allclose(offset, np.broadcast_to(offset[0, 0] if moved else 0, offset.shape), atol=tolerance)
    np.testing.assert_allclose(performance.rotations, expected.rotations, atol=max(1e-5, 3 * tolerance))


def matrices(rotvecs):
    return rotmat_from_rotvec(rotvecs.reshape(len(rotvecs), -1, 3))


def npz_layouts(root, body, hands, path):
    named = {"global_orient": root, "body_pose": body, "transl": path}
    return {
        "AMASS parts": {"root_orient": root, "pose_body": body, "pose_hand": hands, "trans": path, "mocap_frame_rate": 30},
        "smplx": {**named, "fps": 30, "betas": np.zeros((NUM_FRAMES, 10))},
        "hands apart": {**named, "left_hand_pose": hands[:, :45], "right_hand_pose": hands[:, 45:], "fps": 30},
        "joints apart": {"global_orient": root[:, None], "body_pose": body.reshape(-1, 21, 3), "transl": path[:, None], "fps": 30},
        "matrices": {"global_orient": matrices(root), "body_pose": matrices(body), "transl": path, "fps": 30},
        "one matrix a root": {"global_orient": matrices(root)[:, 0], "body_pose": matrices(body), "transl": path, "fps": 30},
        "flat matrices": {"poses": matrices(np.concatenate([root, body], 1)).reshape(NUM_FRAMES, -1), "trans": path, "fps": 30},
        "all matrices": {"poses": matrices(np.concatenate([root, body, body[:, :6]], 1)), "trans": path, "fps": 30},
        "joints of poses apart": {"poses": np.concatenate([root, body], 1).reshape(NUM_FRAMES, 22, 3), "trans": path, "fps": 30},
        "fullpose": {"fullpose": np.concatenate([root, body], 1), "transl": path, "fps": 30},
    }


LAYOUTS = tuple(npz_layouts(*(np.zeros((NUM_FRAMES, width)) for width in (3, 63, 90, 3))))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_other_names_and_forms_are_the_same_motion(tmp_path, arrays, expected, layout):
    np.savez(tmp_path / "a.npz", **npz_layouts(*arrays())[layout])
    assert is_smpl_motion(tmp_path / "a.npz")
    performance = read_performance(tmp_path / "a.npz")
    rows = [row for row, name in enumerate(performance.rig.bones) if "hand" not in name]  # "all matrices" has SMPL's hand joints, too
    np.testing.assert_allclose(performance.heads[:, rows], expected.heads[:, rows], atol=1e-6)
    np.testing.assert_allclose(performance.rotations[:, rows], expected.rotations[:, rows], atol=1e-5)
    assert performance.fps == 30 and performance.notes == ()


def test_aist_is_y_up_and_scaled(tmp_path, arrays, expected):
    root, body, _, path = arrays("y")
    content = {
        "smpl_poses": np.concatenate([root, body, np.zeros((NUM_FRAMES, 6))], 1),
        "smpl_trans": 90 * path,
        "smpl_scaling": np.array([90.0]),
    }
    (tmp_path / "gBR.pkl").write_bytes(pickle.dumps(content))
    performance = read_performance(tmp_path / "gBR.pkl")
    assert_same(performance, expected)
    assert performance.fps == 60 and performance.notes == ()  # as the data set is


def test_wham_is_read_without_executing_anything(tmp_path, arrays, expected):
    """People by number, of which the longest is taken; joblib's format, compressed or not."""
    root, body, _, path = arrays("y")
    poses = np.concatenate([root, body, np.zeros((NUM_FRAMES, 6))], 1)
    person = {
        "pose": 0 * poses, "pose_world": poses, "trans": path + 7, "trans_world": path + [3, 5, 2], "betas": np.zeros((NUM_FRAMES, 10)),
        "frame_ids": np.arange(NUM_FRAMES), "verts": np.zeros((2, 5, 3), np.float32),
    }  # fmt: skip
    short = {key: value[:3] for key, value in person.items()}
    for name, compress in (("plain.pkl", False), ("small.pkl", True)):
        write_joblib(tmp_path / name, {0: short, 1: person}, compress)
        performance = read_performance(tmp_path / name)
        assert_same(performance, expected, moved=True)
        assert any("2 people" in note for note in performance.notes)
        assert 0 < np.median(performance.heads[:, :, 2].min(1)) < 0.1  # m: stands on the floor
    (tmp_path / "pickle.pkl").write_bytes(pickle.dumps({0: short, 1: person}))
    assert_same(read_performance(tmp_path / "pickle.pkl"), expected, moved=True)


def test_gvhmr_is_read_without_executing_anything(tmp_path, arrays, expected):
    root, body, _, path = (torch.tensor(part, dtype=torch.float32) for part in arrays("y"))
    content = {
        "smpl_params_global": {"global_orient": root, "body_pose": body, "transl": path, "betas": torch.zeros(NUM_FRAMES, 10)},
        "smpl_params_incam": {"global_orient": 0 * root, "body_pose": body, "transl": path + 9},
        "K_fullimg": torch.eye(3).expand(NUM_FRAMES, 3, 3),
        "net_outputs": {"pred_context": torch.zeros(2, 3).T},
    }
    torch.save(content, tmp_path / "hmr4d_results.pt")
    assert_same(read_performance(tmp_path / "hmr4d_results.pt"), expected, 1e-5, moved=True)


def test_4d_humans_is_read_in_the_cameras_axes(tmp_path, arrays, expected):
    """Frames by path, with tracks; a frame without the person is interpolated."""
    root, body, _, path = arrays("-y")
    body = np.concatenate([body, np.zeros((NUM_FRAMES, 6))], 1)
    content = {}
    for frame in range(NUM_FRAMES):
        person = {"global_orient": matrices(root)[frame], "body_pose": matrices(body)[frame], "betas": np.zeros(10)}
        seen = frame != 5
        content[f"frames/{frame:06d}.jpg"] = {
            "tid": [7, 1] if seen else [7], "smpl": [person, person] if seen else [person],
            "camera": [np.zeros(3), path[frame] * [1, 1, 5000 / 256]] if seen else [np.zeros(3)], "time": frame,
        }  # fmt: skip
        if frame >= 2:
            for key in ("tid", "smpl", "camera"):
                content[f"frames/{frame:06d}.jpg"][key] = content[f"frames/{frame:06d}.jpg"][key][1:]
    write_joblib(tmp_path / "demo.pkl", content, True)
    performance = read_performance(tmp_path / "demo.pkl")
    assert len(performance) == NUM_FRAMES
    assert_same(performance, expected, 1e-3, moved=True)
    assert any("2 people" in note for note in performance.notes)


def test_romps_objects_are_read(tmp_path, arrays, expected):
    """An .npz with a pickled table: of a person's arrays, or of pictures."""
    root, body, _, path = arrays("-y")
    results = {"global_orient": root, "body_pose": body, "cam_trans": path}
    np.savez(tmp_path / "a.npz", results=np.array(results, dtype=object))
    pictures = {f"{frame:04d}.png": {key: value[frame : frame + 1] for key, value in results.items()} for frame in range(NUM_FRAMES)}
    np.savez(tmp_path / "b.npz", results=np.array(pictures, dtype=object))
    np.save(tmp_path / "c.npy", np.array({"results": results}, dtype=object))
    for name in ("a.npz", "b.npz", "c.npy"):
        assert is_smpl_motion(tmp_path / name)
        assert_same(read_performance(tmp_path / name), expected, moved=True)


class _Exploit:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("kind", ["pickle", "torch", "npz", "joblib"])
def test_programs_in_motions_do_not_run(tmp_path, kind, arrays):
    root, body, _, path = arrays()
    content = {"global_orient": root, "body_pose": body, "transl": path, "x": _Exploit(tmp_path / "harmed")}
    if kind == "npz":
        np.savez(tmp_path / "a.npz", results=np.array(content, dtype=object))
        file = tmp_path / "a.npz"
    else:
        file = tmp_path / ("a.pt" if kind == "torch" else "a.pkl")
        {"pickle": lambda: file.write_bytes(pickle.dumps(content)), "torch": lambda: torch.save(content, file),
         "joblib": lambda: write_joblib(file, content, False)}[kind]()  # fmt: skip
    with pytest.raises(InputError, match="never needs"):
        read_performance(file)
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize("name", ["a.pkl", "a.pt", "a.npz"])
def test_damaged_files_are_refused_in_a_sentence(tmp_path, arrays, name):
    root, body, _, path = arrays()
    content = {"global_orient": torch.tensor(root), "body_pose": torch.tensor(body), "transl": torch.tensor(path)}
    if name == "a.pt":
        torch.save(content, tmp_path / name)
    elif name == "a.pkl":
        write_joblib(tmp_path / name, {key: value.numpy() for key, value in content.items()}, False)
    else:
        np.savez(tmp_path / name, **{key: value.numpy() for key, value in content.items()})
    whole, rng = (tmp_path / name).read_bytes(), np.random.default_rng(0)
    for _ in range(100):
        changed = bytearray(whole)
        for _ in range(rng.integers(1, 6)):
            changed[rng.integers(len(whole))] = rng.integers(256)
        (tmp_path / name).write_bytes(changed[: rng.integers(1, len(whole) + 1)] if rng.random() < 0.3 else changed)
        try:
            stored = read_smpl_arrays(tmp_path / name)
            assert np.abs(stored.poses).max() < 1e4 and np.abs(stored.trans).max() < 1e6
        except InputError:
            pass


# --- which axis is up ---------------------------------------------------------------------------------------------------------


def lying(tmp_path, rest_pelvis, up="z", yaw=0.0, names=("poses", "trans")):
    """A file of a person who lies on the back on the floor, the head along +y (turned by yaw), as AMASS has it."""
    world_root = rotmat_from_rotvec([0, 0, yaw]) @ np.eye(3)  # the body's y axis is the world's y axis
    turn = FILE_FROM_WORLD[up]
    poses = np.zeros((20, 66))
    poses[:, :3] = rotvec_from_rotmat(turn @ world_root)
    path = np.tile(np.array([0, 0, 0.1]) @ turn.T - rest_pelvis, (20, 1))
    np.savez(tmp_path / "lying.npz", **{names[0]: poses, names[1]: path}, mocap_framerate=60)
    return tmp_path / "lying.npz"


@pytest.mark.parametrize("yaw", [0.0, 0.5, 2.0, 3.1])
def test_lying_people_of_amass_lie(tmp_path, rest_pelvis, yaw):
    """Wherever the head points; said where the body lies along the axis that is up in other files."""
    performance = read_performance(lying(tmp_path, rest_pelvis, yaw=yaw))
    assert np.ptp(performance.heads[0, :, 2]) < 0.35 and np.ptp(performance.heads[0, :, :2], axis=0).max() > 1.2  # m
    assert performance.heads[:, 0, 2] == pytest.approx(0.1)
    if abs(np.cos(yaw)) > 0.8:
        assert len(performance.notes) == 1 and "lies or crawls" in performance.notes[0]


def test_crawling_people_of_amass_crawl(tmp_path, rest_pelvis):
    poses = np.zeros((20, 66))
    poses[:, :3] = rotvec_from_rotmat(rotmat_from_rotvec([np.pi - 0.2, 0, 0]))  # face down, the head a little up
    np.savez(tmp_path / "a.npz", poses=poses, trans=np.tile([0, 0, 0.5] - rest_pelvis, (20, 1)), mocap_framerate=60)
    assert np.ptp(read_performance(tmp_path / "a.npz").heads[0, :, 2]) < 0.6  # m


def test_the_user_may_say_what_is_up(tmp_path, rest_pelvis):
    path = lying(tmp_path, rest_pelvis)
    standing = read_performance(path, up="y")
    assert np.ptp(standing.heads[0, :, 2]) > 1.2 and standing.notes == ()  # m
    same = read_performance(path, up="z")
    np.testing.assert_array_equal(same.heads, read_performance(path).heads)
    assert same.notes == ()
    assert np.ptp(read_recovery(path, up="y")[0].joints[0, :, 2]) > 1.2  # m
    lies = read_performance(lying(tmp_path, rest_pelvis, up="y"), up="y")
    assert np.ptp(lies.heads[0, :, 2]) < 0.35  # m


@pytest.mark.parametrize("layout", ["AMASS parts", "smplx"])
def test_people_who_stand_on_the_floor_of_y_up_files_stand(tmp_path, arrays, expected, layout):
    root, body, hands, path = arrays("y")
    path = path - [0, 0, path[:, 2].mean()]
    np.savez(tmp_path / "a.npz", **npz_layouts(root, body, hands, path)[layout])
    performance = read_performance(tmp_path / "a.npz")
    assert_same(performance, expected, moved=True)
    assert len(performance.notes) == 1 and "up" in performance.notes[0]


# --- frame rates, other content -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stated", "fps"),
    [("120", 120), (b"59.94", 59.94), ("30000/1001", 30000 / 1001), ("29,97", 29.97), ("24 fps", 24), (25, 25), (np.array([50.0]), 50)],
)
def test_rates_are_numbers_or_text(tmp_path, arrays, stated, fps):
    root, body, _, path = arrays()
    np.savez(tmp_path / "a.npz", poses=np.concatenate([root, body], 1), trans=path, mocap_framerate=stated)
    performance = read_performance(tmp_path / "a.npz")
    assert performance.fps == pytest.approx(fps) and performance.notes == ()


@pytest.mark.parametrize("stated", [None, "fast", 0, -30, np.nan, np.inf, 1e-9, np.zeros(3)])
def test_missing_rates_are_said(tmp_path, arrays, stated):
    root, body, _, path = arrays()
    rate = {} if stated is None else {"mocap_framerate": stated}
    np.savez(tmp_path / "a.npz", poses=np.concatenate([root, body], 1), trans=path, **rate)
    performance = read_performance(tmp_path / "a.npz")
    assert performance.fps == 30 and len(performance.notes) == 1 and "30 frames a second" in performance.notes[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"v_template": np.zeros((9, 3)), "J_regressor": np.zeros((2, 9))}, "body model"),
        ({"keypoints": np.zeros((3, 17, 3)), "keypoint_set": "coco17"}, "keypoints in pictures"),
        ({"joints": np.zeros((3, 22, 3))}, "positions of joints"),
        ({"poses": np.zeros((3, 46)), "trans": np.zeros((3, 3))}, "46 angles of SKEL"),
        ({"poses": np.zeros((3, 72))}, "without the path"),
        ({"body_pose": np.zeros((3, 63)), "global_orient": np.zeros((2, 3)), "transl": np.zeros((3, 3))}, "not those of a body"),
        ({"global_orient": np.ones((3, 3, 3)), "body_pose": np.ones((3, 21, 3, 3)), "transl": np.zeros((3, 3))}, "no rotations"),
        ({"weights": np.zeros(3)}, "no motion of a body"),
    ],
)
def test_other_content_is_named_and_our_keys_are_not(tmp_path, content, words):
    np.savez(tmp_path / "a.npz", **content)
    for read in (read_performance, read_recovery):
        with pytest.raises(InputError, match=words) as caught:
            read(tmp_path / "a.npz")
        text = f"{caught.value.problem} {caught.value.remedy}"
        ours = {*ROOT_KEYS, *BODY_KEYS, *POSE_KEYS, *TRANS_KEYS, "lifted_joints", "camera_from_world"} - {"poses", "pose", "translation"}
        assert not [key for key in ours if key in text.split()]


def test_hsmr_and_joint_positions_are_named(tmp_path):
    for content, words in (
        ({"pd_params": {"poses": np.zeros((3, 46)), "betas": np.zeros((3, 10))}}, "46 angles of SKEL"),
        ({"motion": np.zeros((1, 22, 3, 9)), "lengths": np.array([9]), "text": ["walk"]}, "positions of joints"),
    ):
        np.save(tmp_path / "a.npy", np.array(content, dtype=object))
        (tmp_path / "a.pkl").write_bytes(pickle.dumps(content))
        for name in ("a.npy", "a.pkl"):
            with pytest.raises(InputError, match=words):
                read_performance(tmp_path / name)


@pytest.mark.parametrize(("name", "up"), [("smplx", "z"), ("smplx", "y"), ("AMASS parts", "z")])
def test_recoveries_have_the_same_joints(tmp_path, template, arrays, name, up):
    np.savez(tmp_path / "a.npz", **npz_layouts(*arrays(up))[name])
    performance = read_performance(tmp_path / "a.npz", up=up)
    recovery, _ = read_recovery(tmp_path / "a.npz", up=up)
    rows = [performance.rig.index(template.joint_names[joint]) for joint in template.smpl_joint_indices]
    np.testing.assert_allclose(recovery.joints, performance.heads[:, rows], atol=1e-5)
    assert recovery.mocap_framerate == performance.fps and recovery.poses.shape == (NUM_FRAMES, 72)


def test_bvh_moves_the_body(shared_cases):
    """The open body performs a BVH file: limbs point where the file's do, and the feet stand on the floor."""
    template, path = load_body("open"), shared_cases / "03_walk_without_contacts.bvh"
    recovery, _ = recovery_from_bvh(path, template)
    source = read_performance(path)
    for joint, child, bone, below in ((17, 19, "RightArm", "RightForeArm"), (1, 4, "LeftUpLeg", "LeftLeg"), (4, 7, "LeftLeg", "LeftFoot")):
        ours = recovery.joints[:, child] - recovery.joints[:, joint]
        theirs = source.heads[:, source.rig.index(below)] - source.heads[:, source.rig.index(bone)]
        cosine = (ours * theirs).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
        assert np.degrees(np.arccos(cosine.clip(-1, 1))).max() < 12, bone  # degrees: feet are planted
    assert recovery.mocap_framerate == 30 and abs(recovery.joints[:, :, 2].min()) < 0.08  # m


def test_field_files(shared_cases):
    lies = read_performance(shared_cases / "04_amass_lying_head_y.npz")
    assert lies.fps == 60 and np.ptp(lies.heads[:, :, 2]) < 0.35 and len(lies.notes) == 1  # m
    assert read_performance(shared_cases / "15_rate_as_text.npz").fps == 120
    smplx = read_performance(shared_cases / "16_smplx_names.npz")
    assert smplx.fps == 120 and smplx.heads[:, :, 2].max() > 1.4 and smplx.heads[:, :, 2].min() > -0.02  # m
    assert len(read_performance(shared_cases / "03_one_frame.npz")) == 1
