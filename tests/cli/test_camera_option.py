"""`--camera`: of a scene's file, which a Blender reads, or a camera file."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from blender_meshrec.cli.camera_option import read_camera_text, split_camera_path
from blender_meshrec.cli.output_checks import input_files, unused_options
from blender_meshrec.cli.program import build_parser
from blender_meshrec.core.cameras import invert_rigid_transform
from blender_meshrec.core.errors import InputError
from blender_meshrec.core.files.camera_file import camera_from_text
from blender_meshrec.core.files.motion_npz import read_motion
from tests.support import synthetic_gait

ROOT = Path(__file__).resolve().parents[2]
BLENDER = ROOT / ".venvs" / "bpy-4.5" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
MAKE_SCENE = """
import sys, bpy
bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
scene.frame_start, scene.frame_end = 101, 130
scene.render.resolution_x, scene.render.resolution_y = 1280, 720
camera = bpy.data.objects.new("Match Move", bpy.data.cameras.new("Match Move"))
scene.collection.objects.link(camera)
camera.rotation_euler = (1.4, 0, 0)
for frame, x in ((101, -0.5), (130, 0.5)):
    camera.location = (x, -5, 1.6)
    camera.keyframe_insert("location", frame=frame)
scene.camera = camera
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[1])
"""


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    if not BLENDER.exists():
        pytest.skip("no Blender module is installed in this checkout")
    path = tmp_path_factory.mktemp("scene é") / "shot #3.blend"
    subprocess.run([str(BLENDER), "-c", MAKE_SCENE, str(path)], check=True, capture_output=True, timeout=120)
    return path


def test_a_scenes_camera_is_read_by_name_and_frame(scene):
    for spec, first, count in ((str(scene), None, 30), (f"{scene}#Match Move", 111, 20)):
        camera = camera_from_text(read_camera_text(spec, first, None))
        assert (camera.source, camera.first_frame, len(camera)) == ("Match Move", first or 101, count)
        np.testing.assert_allclose(camera.world_from_camera[-1, :3, 3], [0.5, -5, 1.6], atol=1e-5)
    with pytest.raises(InputError, match="no camera Other"):
        read_camera_text(f"{scene}#Other", None, None)


def test_a_camera_file_is_left_to_the_backend(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("{}")
    assert read_camera_text(str(path), None, None) is None and read_camera_text(None, None, None) is None
    assert split_camera_path(str(path)) == (path, "")


@pytest.mark.parametrize("spec", ["a.mp4", "missing.blend", "missing.json", "missing.fbx#Camera"])
def test_what_is_no_cameras_file_is_refused(spec, tmp_path):
    with pytest.raises(InputError):
        split_camera_path(str(tmp_path / spec))


def test_options_without_a_camera_are_said_and_its_file_is_protected(tmp_path):
    path = tmp_path / "camera.json"
    path.write_text("{}")
    parse = build_parser().parse_args
    options = parse(["reconstruct", "a.mp4", "-o", "a.npz", "--floor", "0.1", "--camera-frame", "7"])
    assert [message.values["option"] for message in unused_options(options, [])] == ["--camera-frame", "--floor"]
    options = parse(["reconstruct", "a.mp4", "-o", "a.npz", "--floor", "auto", "--camera", str(path)])
    assert not unused_options(options, []) and path in input_files(options)
    with pytest.raises(InputError):
        parse(["reconstruct", "a.mp4", "-o", "a.npz", "--camera", str(path), "--floor", "low"])


def test_the_command_puts_people_into_the_scenes_world(scene, tmp_path):
    """The whole way: Blender reads the camera, and the motion has its path, frame for frame."""
    walker = synthetic_gait.walk(np.arange(20) / 30)
    camera = camera_from_text(read_camera_text(str(scene), None, None)).at(np.arange(5, 25))
    matrices = invert_rigid_transform(camera.world_from_camera)
    seen = np.einsum("fij,fkj->fki", matrices[:, :3, :3], walker.h36m17 + [0, 1, 0]) + matrices[:, None, :3, 3]
    pixels = seen[..., :2] / seen[..., 2:] * camera.focal[:, None, None] + camera.center[:, None]
    keypoints = np.concatenate([pixels, np.ones((*pixels.shape[:2], 1))], -1)
    np.savez(tmp_path / "walk.npz", keypoints=keypoints, keypoint_set="h36m17", image_size=(1280, 720), fps=30.0)
    words = ["reconstruct", tmp_path / "walk.npz", "-o", tmp_path / "out.npz", "--camera", scene, "--camera-frame", "106", "--no-cache"]
    words += ["--report", tmp_path / "report.json", "--progress", "none"]
    command = [sys.executable, "-m", "blender_meshrec.cli", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    motion, report = read_motion(tmp_path / "out.npz"), json.loads((tmp_path / "report.json").read_text())
    assert motion.scene_frame == 106
    np.testing.assert_allclose(motion.camera_from_world, matrices, atol=1e-5)
    # The walker has other feet than the open body, so that its place along the line of sight is not known better.
    assert (np.abs(np.median(motion.joints[:, 0] - walker.pelvis - [0, 1, 0], axis=0)) < [0.03, 0.2, 0.07]).all()  # m
    assert report["camera"]["sentences"] == ["The camera is the given one, Match Move."]
