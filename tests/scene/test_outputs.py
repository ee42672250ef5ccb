"""Outputs of people without a window, footage behind the camera, and the job that a child process runs."""

import json
import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest

from blender_meshrec.core.errors import ExitCode, OutputError
from blender_meshrec.core.files.motion_npz import read_motion, write_motion
from blender_meshrec.core.files.point_cache import write_point_cache
from blender_meshrec.core.messages import message_from_json
from blender_meshrec.scene.assemble import Person
from blender_meshrec.scene.camera import build_camera
from blender_meshrec.scene.camera_footage import add_footage
from blender_meshrec.scene.outputs import Output, write_outputs
from blender_meshrec.scene.surface import SURFACE_MODIFIER
from tests.support.synthetic_bodies import make_recovery, make_tube_body, with_calibrated_joints

SUFFIXES = (".fbx", ".glb", ".bvh", ".usdc", ".blend", ".npz")


def save_picture(path, size=(1280, 720)):
    image = bpy.data.images.new("picture", *size)
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()
    bpy.data.images.remove(image)
    return path


@pytest.fixture
def couple(tubes, tmp_path):
    """Two people of one clip, whose footage is a folder of three images."""
    (tmp_path / "footage").mkdir()
    for number in range(5, 8):
        save_picture(tmp_path / "footage" / f"shot_{number:04d}.png")
    footage = str(tmp_path / "footage")
    return [Person(f"clip person{i + 1}", make_recovery(tubes, frames=3, seed=i, footage=footage, first_frame=1), tubes) for i in (0, 1)]


def test_every_format_is_written_for_each_person(couple, tmp_path):
    out = tmp_path / "out"
    outputs = [Output(out / f"clip.person{i + 1}{suffix}", (i,)) for i in (0, 1) for suffix in SUFFIXES]
    notes = write_outputs(couple, outputs, "clip")
    assert sorted(path.name for path in out.iterdir()) == sorted(output.path.name for output in outputs)
    assert len([note for note in notes if "pose blend shapes" in note]) == 2
    again = read_motion(out / "clip.person2.npz").arrays()
    assert all(np.array_equal(again[key], value) for key, value in couple[1].recovery.arrays().items())


def test_a_blend_has_all_people_and_a_camera_view(couple, tmp_path):
    target = tmp_path / "out" / "all.blend"
    notes = write_outputs(couple, [Output(target, (0, 1))], "clip")
    assert notes == []
    bpy.ops.wm.open_mainfile(filepath=str(target))
    scene = bpy.context.scene
    assert [child.name for child in bpy.data.collections["clip"].children] == ["clip person1", "clip person2"]
    assert scene.camera.name == "clip camera"
    assert (scene.frame_start, scene.frame_end) == (1, 3)
    assert (scene.render.resolution_x, scene.render.resolution_y) == (1280, 720)
    assert any(key.name.startswith("pose_") for key in bpy.data.objects["clip person1 body"].data.shape_keys.key_blocks)
    background = scene.camera.data.background_images[0]
    assert background.clip.filepath == "//../footage/shot_0005.png"
    assert (background.clip.frame_start, background.clip.frame_offset) == (1, 1)
    areas = [area for screen in bpy.data.screens for area in screen.areas if area.type == "VIEW_3D"]
    assert areas and all(area.spaces.active.region_3d.view_perspective == "CAMERA" for area in areas)


def test_a_blend_refers_to_the_final_paths_of_surfaces(tubes, tmp_path):
    people = []
    for number in (1, 2):
        recovery, path = with_calibrated_joints(make_recovery(tubes, frames=3)), tmp_path / f"{number}.pc2"
        write_point_cache(path, len(tubes.v_template), 3, [np.zeros((3, len(tubes.v_template), 3))])
        people.append(Person(f"clip person{number}", recovery, tubes, surface=path))
    final_paths = tuple(tmp_path / "home" / f"a.person{number}.pc2" for number in (1, 2))
    notes = write_outputs(people, [Output(tmp_path / "a.blend", (0, 1), tmp_path / "home", final_paths)], "clip")
    assert len(notes) == 1 and "no footage" in notes[0]
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    found = [bpy.data.objects[f"clip person{number} body"].modifiers[SURFACE_MODIFIER].filepath for number in (1, 2)]
    assert found == ["//a.person1.pc2", "//a.person2.pc2"]
    notes = write_outputs(people, [Output(tmp_path / "a.glb", (0,)), Output(tmp_path / "a.bvh", (1,))], "clip")
    assert [note.split()[0] for note in notes if "blend shapes" not in note] == [".glb", ".glb", ".bvh", ".bvh"]


def test_footage_paths_are_relative_to_the_final_folder(couple, tmp_path):
    write_outputs(couple, [Output(tmp_path / "deep" / "er" / "a.blend", (0,), tmp_path)], "clip")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "deep" / "er" / "a.blend"))
    assert bpy.data.movieclips[0].filepath == "//footage/shot_0005.png"


@pytest.mark.parametrize("kind", ["image", "folder", "nothing", "missing", "text"])
def test_footage_is_behind_the_camera_or_noted(tubes, tmp_path, kind):
    footage = {
        "image": save_picture(tmp_path / "a.png"),
        "folder": tmp_path,
        "nothing": "",
        "missing": tmp_path / "b.mp4",
        "text": tmp_path / "c.txt",
    }
    (tmp_path / "c.txt").write_text("no picture")
    recovery = make_recovery(tubes, frames=3, footage=str(footage[kind]))
    camera_object = build_camera("camera", recovery.camera, np.arange(3), bpy.context.scene.collection)
    note = add_footage(camera_object, recovery, 24.0, bpy.context.scene)
    shown = kind in ("image", "folder")
    assert (note is None) == shown
    assert bool(camera_object.data.background_images) == shown
    if shown:
        assert camera_object.data.show_background_images
        assert camera_object.data.background_images[0].source == ("IMAGE" if kind == "image" else "MOVIE_CLIP")


def test_image_sequences_start_at_the_lowest_number(tubes, tmp_path):
    for name in ("8.png", "9.png", "10.png"):
        save_picture(tmp_path / name)
    (tmp_path / "._8.png").write_bytes(b"a file that macOS creates")
    recovery = make_recovery(tubes, frames=3, footage=str(tmp_path))
    camera_object = build_camera("camera", recovery.camera, np.arange(3), bpy.context.scene.collection)
    assert add_footage(camera_object, recovery, 24.0, bpy.context.scene) is None
    assert Path(camera_object.data.background_images[0].clip.filepath).name == "8.png"


def run_job(tmp_path, **changes):
    settings = {
        "name": "clip",
        "people": [{"name": "clip person1", "motion": str(tmp_path / "m.npz")}],
        "outputs": [{"path": str(tmp_path / "out" / "a.fbx"), "people": [0], "home": str(tmp_path)}],
        "body": "open",
        "preset": "unreal",
        **changes,
    }
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    from blender_meshrec.scene import make_job

    command = [sys.executable, make_job.__file__, str(tmp_path / "settings.json")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    return done.returncode, json.loads(done.stdout.strip().splitlines()[-1])


def test_the_job_script_runs_from_any_folder(tmp_path):
    write_motion(tmp_path / "m.npz", make_recovery(make_tube_body(posedirs=False), frames=3))
    code, answer = run_job(tmp_path)
    assert (code, answer["meshrec"]) == (0, "made")
    assert [message_from_json(note) for note in answer["notes"]] == ["clip person1 goes without the pose blend shapes of its body."]
    assert (tmp_path / "out" / "a.fbx").stat().st_size > 10_000


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"body": "/nowhere/smpl.pkl"}, ExitCode.MODEL_MISSING),
        ({"preset": "maya"}, ExitCode.BAD_INPUT),
        ({"outputs": [{"path": "/dev/null/a.fbx", "people": [0], "home": "/"}]}, ExitCode.OUTPUT_FAILED),
        ({"people": []}, ExitCode.FAULT),
    ],
)
def test_the_job_reports_why_it_failed(tmp_path, changes, expected):
    write_motion(tmp_path / "m.npz", make_recovery(make_tube_body(posedirs=False), frames=3))
    code, answer = run_job(tmp_path, **changes)
    assert code == answer["exit_code"] == expected
    assert message_from_json(answer["problem"]) and message_from_json(answer["remedy"]) and "Traceback" in answer["details"]


def test_a_blender_with_a_window_is_refused(couple, tmp_path, monkeypatch):
    class Windowed:
        background = False

    monkeypatch.setattr("blender_meshrec.scene.outputs.bpy", type("bpy", (), {"app": Windowed}))
    with pytest.raises(RuntimeError):
        write_outputs(couple, [Output(tmp_path / "a.blend", (0,))], "clip")


def test_unwritable_folders_raise_output_errors(couple, tmp_path):
    (tmp_path / "file").write_text("in the way")
    for suffix in SUFFIXES:
        with pytest.raises(OutputError):
            write_outputs(couple, [Output(tmp_path / "file" / f"a{suffix}", (0,))], "clip")


@pytest.mark.parametrize("rotation, stored", [(0, (1280, 720)), (180, (1280, 720)), (90, (720, 1280)), (270, (720, 1280))])
def test_a_sideways_picture_is_rotated_and_fills_the_frame(tubes, tmp_path, rotation, stored):
    footage = save_picture(tmp_path / "a.png", stored)
    recovery = make_recovery(tubes, frames=1, footage=str(footage), footage_rotation=rotation)
    write_outputs([Person("anna", recovery, tubes)], [Output(tmp_path / "a.blend", (0,))], "clip")
    background = bpy.context.scene.camera.data.background_images[0]
    assert background.rotation == pytest.approx(np.radians(rotation))
    # FIT and CROP fit the stored width to the frame's width; with the scale the upright picture fills the frame.
    assert background.scale == pytest.approx(720 / 1280 if rotation in (90, 270) else 1)
    assert background.frame_method == ("CROP" if rotation in (90, 270) else "FIT")
