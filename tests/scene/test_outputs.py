"""Outputs of people without a window, footage behind the camera, and the job that a child process runs."""

import json
import struct
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
from blender_meshrec.scene.cameras.camera import build_camera
from blender_meshrec.scene.cameras.camera_footage import add_footage
from blender_meshrec.scene.outputs import Output, write_outputs
from blender_meshrec.scene.person.surface import SURFACE_MODIFIER
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
    notes = write_outputs(couple, [Output(target, (0, 1))], "clip", pose_shapes=True)
    assert notes == []
    bpy.ops.wm.open_mainfile(filepath=str(target))
    scene = bpy.context.scene
    assert [child.name for child in bpy.data.collections["clip"].children] == ["clip person1", "clip person2"]
    assert scene.camera.name == "clip camera"
    assert (scene.frame_start, scene.frame_end) == (1, 3)
    assert (scene.render.resolution_x, scene.render.resolution_y) == (1280, 720)
    assert any(key.name.startswith("pose_") for key in bpy.data.objects["clip person1 body"].data.shape_keys.key_blocks)
    background = scene.camera.data.background_images[0]
    assert background.clip.filepath.replace("\\", "/") == "//../footage/shot_0005.png"  # Blender reads it with Windows's own separators
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
    assert bpy.data.movieclips[0].filepath.replace("\\", "/") == "//footage/shot_0005.png"


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
    recovery = make_recovery(tubes, frames=1 if kind == "image" else 3, footage=str(footage[kind]))
    camera_object = build_camera("camera", recovery.camera, np.arange(len(recovery)), bpy.context.scene.collection)
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
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=120)
    # On Windows, Blender prints lines of its own when it ends.
    (answer,) = (line for line in done.stdout.splitlines() if line.startswith('{"meshrec"'))
    return done.returncode, json.loads(answer)


def test_the_job_script_runs_from_any_folder(tmp_path):
    write_motion(tmp_path / "m.npz", make_recovery(make_tube_body(posedirs=False), frames=3))
    code, answer = run_job(tmp_path)
    assert (code, answer["meshrec"]) == (0, "made")
    assert [message_from_json(note) for note in answer["notes"]] == ["clip person1 goes without the pose blend shapes of its body."]
    assert (tmp_path / "out" / "a.fbx").stat().st_size > 10_000


def test_names_that_the_output_cannot_show_are_written(tmp_path, monkeypatch):
    """On Windows, what a child prints has a code page that lacks most letters, and Blender's exporters print the path."""
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252")
    write_motion(tmp_path / "m.npz", make_recovery(make_tube_body(posedirs=False), frames=3))
    path = tmp_path / "場所" / "ż.fbx"
    code, answer = run_job(tmp_path, outputs=[{"path": str(path), "people": [0], "home": str(tmp_path)}])
    assert (code, answer["meshrec"]) == (0, "made") and path.stat().st_size > 10_000


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


def with_display_matrix(film, path, rotation, is_mirrored):
    """A copy of an .mp4 whose pictures players mirror left to right, if so, and then turn clockwise by `rotation` degrees."""
    turn = np.linalg.matrix_power([[0, 1], [-1, 0]], rotation // 90)
    linear = np.diag([-1 if is_mirrored else 1, 1]) @ turn
    matrix = np.zeros((3, 3), int)
    matrix[:2, :2], matrix[2, 2] = linear * 65536, 1 << 30
    content = film.read_bytes()
    start = content.index(b"tkhd") + 44
    path.write_bytes(content[:start] + struct.pack(">9i", *matrix.ravel().tolist()) + content[start + 36 :])
    return path


def picture_of(path):
    """The first picture of a video as Blender shows it, top row first."""
    image = bpy.data.images.load(str(path))
    picture = np.array(image.pixels[:]).reshape(image.size[1], image.size[0], -1)[::-1, :, :3]
    bpy.data.images.remove(image)
    return picture


@pytest.mark.parametrize("is_mirrored", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_footage_with_a_display_matrix_is_upright_behind_the_camera(tubes, tmp_path, shared_cases, rotation, is_mirrored):
    """What Blender shows, mirrored and rotated as the background says, is the stored picture, mirrored and rotated as the file says."""
    film = shared_cases / "13_mirrored.mp4"
    stored = picture_of(with_display_matrix(film, tmp_path / "stored.mp4", 0, False))
    upright = np.rot90(stored[:, ::-1] if is_mirrored else stored, -rotation // 90)
    path = with_display_matrix(film, tmp_path / "film.mp4", rotation, is_mirrored)
    size = upright.shape[1::-1]
    recovery = make_recovery(
        tubes, frames=3, fps=25.0, footage=str(path), footage_rotation=rotation, footage_mirrored=is_mirrored, image_size=size
    )
    camera_object = build_camera("camera", recovery.camera, np.arange(1, 4), bpy.context.collection)
    assert add_footage(camera_object, recovery, 25.0, bpy.context.scene) is None
    background = camera_object.data.background_images[0]
    shown = picture_of(path)
    if shown.shape[:2] != tuple(background.clip.size)[::-1]:  # Blender 4.2 to 4.4 rotate neither clips nor images
        pytest.fail("a movie clip and an image are read in different ways")
    shown = shown[:, ::-1] if background.use_flip_x else shown
    shown = np.rot90(shown, -round(np.degrees(background.rotation)) // 90)
    assert shown.shape == upright.shape and np.abs(shown - upright).mean() < 0.02  # of 1


def test_a_still_picture_behind_a_motion_is_noted(tubes, tmp_path):
    """As of an animated WebP, which Blender shows the first picture of."""
    recovery = make_recovery(tubes, frames=3, footage=str(save_picture(tmp_path / "a.png")))
    camera_object = build_camera("camera", recovery.camera, np.arange(3), bpy.context.scene.collection)
    assert add_footage(camera_object, recovery, 24.0, bpy.context.scene).name == "camera-footage-still"


def test_slow_motion_plays_in_step_with_its_footage(tubes, shared_cases):
    recovery = make_recovery(tubes, frames=3, fps=120.0, footage=str(shared_cases / "09_slowmotion_android_120.mp4"), footage_speed=4.0)
    camera_object = build_camera("camera", recovery.camera, np.arange(1, 4), bpy.context.collection)
    assert add_footage(camera_object, recovery, 120.0, bpy.context.scene) is None
    assert add_footage(camera_object, recovery, 30.0, bpy.context.scene).name == "camera-footage-rate-differs"


def test_a_gap_in_the_time_stamps_takes_no_frames(tubes, tmp_path):
    """An hour between two frames: the files have the frames of the motion, and it is said."""
    times = np.arange(10) / 24 + np.repeat([0, 3600], 5)
    person = Person("anna", make_recovery(tubes, timestamps=times), tubes)
    notes = write_outputs([person], [Output(tmp_path / f"a{suffix}", (0,)) for suffix in (".bvh", ".fbx", ".blend", ".npz")], "clip")
    assert [note.name for note in notes if "gaps" in note] == ["motion-gaps-closed"]
    assert "Frames: 10\n" in (tmp_path / "a.bvh").read_text()
    assert (tmp_path / "a.fbx").stat().st_size < 1e6
    assert np.array_equal(read_motion(tmp_path / "a.npz").timestamps, times)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    assert bpy.context.scene.frame_end == 10
