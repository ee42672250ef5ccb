"""The main job, as a user runs it: the bundled clip through the command line, and what comes out of it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from blender_meshrec.core.cameras import transform_points
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.files.motion_npz import read_motion
from blender_meshrec.core.metrics import mpjpe, pa_mpjpe
from blender_meshrec.core.skeletons import SMPL_JOINTS, limb_indices
from tests.support.smplx_oracle import amass_joints
from tests.support.synthetic_template import smpl_arrays

ROOT = Path(__file__).resolve().parents[1]
CLIP, TRUTH = ROOT / "scripts" / "demo_clip.mp4", ROOT / "scripts" / "demo_clip_truth.npz"
BLENDER = ROOT / ".venvs" / "bpy-4.5" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
LIMBS = limb_indices(SMPL_JOINTS)


def meshrec(*arguments, timeout=600):
    command = [sys.executable, "-m", "blender_meshrec.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("end to end é")


@pytest.fixture(scope="module")
def report(folder, monkeypatch_module):
    monkeypatch_module.setenv("MESHREC_CACHE", str(folder / "cache"))
    done = meshrec("reconstruct", CLIP, "-o", folder / "clip.npz", "--report", folder / "clip.json")
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "clip.json").read_text())


@pytest.fixture(scope="module")
def monkeypatch_module():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def motion(report, folder):
    return read_motion(folder / "clip.npz")


@pytest.fixture(scope="module")
def truth():
    return read_motion(TRUTH)


def test_the_motion_file_keeps_its_invariant(motion, body):
    joints = body.joints(motion.betas, motion.poses[:, :3], motion.poses[:, 3:], motion.trans).numpy()
    assert np.abs(joints - motion.joints).max() < 1e-4  # m


def test_the_result_lies_on_the_footage(report):
    person = report["people"][0]
    assert report["people_found"] == 1
    assert person["frames_with_person"] == report["frames_read"]
    assert person["reprojection_share_of_box"] < 0.04


def test_the_result_is_judged_good(report):
    """A whole walker before a still camera: the camera's motion was looked for, and nothing is wrong."""
    person = report["people"][0]
    assert person["verdict"] == "good", person["reasons"]
    assert person["measures"]["camera_moves"] < 2 and len(person["worst_frames"]) == len(person["worst_times"]) > 0
    assert not any("Person 1" in warning for warning in report["warnings"])


def test_the_result_is_near_the_truth(motion, truth):
    """Detector included, against the motion that was rendered: joints after alignment, and turned with the root."""
    assert len(motion) == len(truth) and motion.mocap_framerate == truth.mocap_framerate
    assert pa_mpjpe(motion.joints[:, LIMBS], truth.joints[:, LIMBS]) < 80  # mm


def test_the_world_is_upright_and_the_feet_are_on_its_floor(motion, truth):
    up = motion.camera_from_world[0, :3, 2] @ truth.camera_from_world[0, :3, 2]
    assert np.degrees(np.arccos(np.clip(up, -1, 1))) < 12
    lowest = motion.joints[:, [7, 8, 10, 11], 2].min(1)
    assert 0 < np.median(lowest) < 0.12  # m: ankles and toe joints lie inside the foot
    assert np.abs(motion.trans[0, :2] + body_root(motion)[:2]).max() < 0.05  # m from the origin


def body_root(motion):
    return load_body().rest_joints(motion.betas)[0]


def test_feet_are_held_where_they_touch(report):
    assert report["people"][0]["foot_slide_after_cm_s"] <= 1.0


def test_the_camera_sees_the_person_where_the_truth_is(motion, truth):
    """The solved camera and the true one have different lenses; both must put the joints on the same pixels."""
    from blender_meshrec.core.cameras import project

    def seen(record):
        return project(transform_points(record.camera_from_world, record.joints[:, LIMBS].astype(float)), record.camera_intrinsics)

    height = np.ptp(seen(truth)[..., 1], axis=1)[:, None]
    off = np.linalg.norm(seen(motion) - seen(truth), axis=-1) / height
    assert np.median(off) < 0.04


def test_a_second_run_does_not_look_at_the_footage_again(report, motion, folder):
    done = meshrec("reconstruct", CLIP, "-o", folder / "again.npz", "--report", folder / "again.json")
    assert done.returncode == 0, done.stderr
    again = json.loads((folder / "again.json").read_text())
    assert again["seconds"]["find people"] < 0.2 * report["seconds"]["find people"]
    for name, value in read_motion(folder / "again.npz").arrays().items():
        np.testing.assert_array_equal(value, getattr(motion, name), err_msg=name)


def test_blender_evaluates_what_the_backend_skins(motion, body, folder):
    if not BLENDER.exists():
        pytest.skip("no Blender module is installed in this checkout")
    done = meshrec("convert", folder / "clip.npz", "-o", folder / "clip.blend", "--pose-shapes")
    assert done.returncode == 0, done.stderr
    rows = np.linspace(0, len(motion) - 1, 5).round().astype(int)
    frames = [str(1 + motion.timestamps[row] * motion.mocap_framerate) for row in rows]
    dump = [str(BLENDER), str(ROOT / "tests" / "support" / "dump_blend.py"), str(folder / "clip.blend"), str(folder / "dump.npz"), *frames]
    subprocess.run(dump, check=True, capture_output=True, timeout=300)
    with np.load(folder / "dump.npz") as seen:
        _joints, vertices = body(motion.betas, motion.poses[rows, :3], motion.poses[rows, 3:], motion.trans[rows])
        assert np.abs(seen["vertices"] - vertices.numpy()).max() < 1e-3  # m
        order = [list(seen["bones"]).index(name) for name in SMPL_JOINTS]
        assert np.abs(seen["heads"][:, order] - motion.joints[rows]).max() < 1e-3  # m
        assert seen["fps"] == pytest.approx(motion.mocap_framerate, abs=1e-4)


@pytest.mark.parametrize("fps", [12, 60])
def test_another_frame_rate_keeps_the_motion_and_the_invariant(motion, body, folder, fps):
    done = meshrec("reconstruct", CLIP, "-o", folder / f"at{fps}.npz", "--fps", fps)
    assert done.returncode == 0, done.stderr
    changed = read_motion(folder / f"at{fps}.npz")
    assert changed.mocap_framerate == fps
    assert changed.timestamps[-1] == pytest.approx(motion.timestamps[-1], abs=1 / fps)
    joints = body.joints(changed.betas, changed.poses[:, :3], changed.poses[:, 3:], changed.trans).numpy()
    assert np.abs(joints - changed.joints).max() < 1e-4  # m
    nearest = np.abs(motion.timestamps[:, None] - changed.timestamps).argmin(0)
    assert np.median(np.linalg.norm(changed.joints - motion.joints[nearest], axis=-1)) < 0.02  # m


def test_2d_keypoints_are_input_too(truth, folder):
    """The truth's own joints, projected, stand in for a detector: no pixels are looked at."""
    from blender_meshrec.core.cameras import project

    pixels = project(transform_points(truth.camera_from_world, truth.lifted_joints.astype(float)), truth.camera_intrinsics)
    keypoints = np.concatenate([pixels, np.ones_like(pixels[..., :1])], -1)
    size = np.asarray(truth.image_size)
    np.savez(folder / "keypoints.npz", keypoints=keypoints, keypoint_set="h36m17", image_size=size, fps=truth.mocap_framerate)
    done = meshrec("reconstruct", folder / "keypoints.npz", "-o", folder / "from keypoints.npz")
    assert done.returncode == 0, done.stderr
    lifted = read_motion(folder / "from keypoints.npz")
    assert pa_mpjpe(lifted.joints[:, LIMBS], truth.joints[:, LIMBS]) < 80  # mm
    assert mpjpe(lifted.joints, truth.joints, root=0) < 250  # mm


def test_nobody_is_exit_code_3_and_leaves_nothing(folder):
    import cv2

    empty = folder / "wall.png"
    cv2.imwrite(str(empty), np.full((480, 640, 3), 180, np.uint8))
    done = meshrec("reconstruct", empty, "-o", folder / "nobody" / "wall.npz")
    assert done.returncode == 3
    assert "no person" in done.stderr and "Traceback" not in done.stderr
    assert not (folder / "nobody" / "wall.npz").exists()


@pytest.mark.parametrize("person", ["2", "0", "somebody"])
def test_a_person_who_is_not_there_is_bad_usage(report, folder, person):
    done = meshrec("reconstruct", CLIP, "-o", folder / "x.npz", "--person", person)
    assert done.returncode == 2
    assert done.stderr.strip() and "Traceback" not in done.stderr


def test_a_missing_model_is_exit_code_4(folder, tmp_path):
    """A package without its models beside it, as after an interrupted copy."""
    import shutil

    shutil.copytree(ROOT / "blender_meshrec", tmp_path / "blender_meshrec", ignore=shutil.ignore_patterns("__pycache__"))
    command = [
        sys.executable,
        "-c",
        "import sys; sys.path.insert(0, sys.argv.pop(1)); from blender_meshrec.cli import main; sys.exit(main())",
    ]
    arguments = [tmp_path, "reconstruct", CLIP, "-o", tmp_path / "x.npz", "--no-cache"]
    done = subprocess.run([*command, *map(str, arguments)], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr


def test_an_smpl_bodys_pelvis_offset_is_smpls(folder, report):
    """A standard AMASS reader with the smplx package finds the joints of the file, and so the pelvis at J0(betas) + trans: 0.1 mm."""
    arrays = smpl_arrays(vertices=400)
    np.savez(folder / "smpl.npz", **arrays)
    words = ["reconstruct", CLIP, "-o", folder / "smpl_motion.npz", "--frames", "0:12", "--body", folder / "smpl.npz", "--smplh"]
    done = meshrec(*words)
    assert done.returncode == 0, done.stderr
    with np.load(folder / "smpl_motion.npz") as file:
        assert file["poses"].shape == (12, 156) and not file["poses"][:, 66:156].any() and str(file["surface_model_type"]) == "smpl"
        found = amass_joints(arrays, file["poses"], file["betas"], file["trans"])
        assert np.abs(found - file["joints"][:, :22]).max() < 1e-4  # m
