"""Several cameras in the panel: further views and a calibration in the request, and a camera with its footage for each view."""

from dataclasses import replace

import bpy
import numpy as np
import pytest

from blender_meshrec.bridge.messages import Result, request_from_text
from blender_meshrec.scene.corrections.solve_again import REQUEST_PROPERTY
from blender_meshrec.scene.export.scene_export import export_characters
from blender_meshrec.ui.footage.views_panel import ViewsPanel
from blender_meshrec.ui.properties import build_request
from tests.support.panel_drawing import draw_panel, operators_drawn

TURN = np.array([[0.0, 0, 1, -1.5], [0, 1, 0, 0], [-1, 0, 0, 4], [0, 0, 0, 1]])  # the second camera, from the first one


@pytest.fixture
def folders(tmp_path):
    """Two folders of images, of two cameras."""
    image = bpy.data.images.new("picture", 64, 36)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(1, 41):
            image.filepath_raw, image.file_format = str(tmp_path / name / f"{number:04}.png"), "PNG"
            image.save()
    bpy.data.images.remove(image)
    return [str(tmp_path / name) for name in ("a", "b")]


def with_views(result, folders):
    """A result of two cameras; the second one's clock is a fifth of a second ahead."""
    recoveries = tuple(replace(recovery, footage=folders[0]) for recovery in result.recoveries)
    first = recoveries[0]
    shared = {
        "fps": first.mocap_framerate, "first_frame": 0, "rotation": 0, "is_mirrored": False, "speed": 1.0,
        "image_size": [1280, 720], "intrinsics": first.camera_intrinsics.tolist(), "people": [],
    }  # fmt: skip
    cameras = [first.camera_from_world[0], TURN @ first.camera_from_world[0]]
    views = [
        {"input": folder, "delay_s": delay, "camera_from_world": camera.tolist(), **shared}
        for folder, delay, camera in zip(folders, (0.0, 5 / first.mocap_framerate), cameras)
    ]
    return Result(recoveries, result.people, {**result.report, "views": views}, result.portraits), cameras[1]


def choose(addon, folders):
    addon.source = folders[0]
    assert bpy.ops.meshrec.add_views(filepath=folders[1]) == {"FINISHED"}


def test_views_are_chosen_and_left_out(addon, folders):
    choose(addon, folders)
    assert bpy.ops.meshrec.add_views(filepath=folders[1]) == {"FINISHED"}  # the same again
    assert [view.path for view in addon.views] == [folders[1]]
    request = build_request(addon)
    assert request.views == (folders[1],) and request.cameras == "auto"
    addon.calibration = "/calibration.toml"
    assert build_request(addon).cameras == "/calibration.toml"
    assert operators_drawn(draw_panel(ViewsPanel)) == ["meshrec.remove_view", "meshrec.add_views"]
    assert bpy.ops.meshrec.remove_view(index=0) == {"FINISHED"}
    assert build_request(addon).views == () and build_request(addon).cameras is None
    with pytest.raises(RuntimeError, match="no file"):
        bpy.ops.meshrec.add_views(filepath="/gone.mp4")


def test_each_view_has_a_camera_with_its_footage(addon, backend, result, tubes, folders):
    choose(addon, folders)
    joined, camera_from_world = with_views(result, folders)
    backend([joined])
    assert bpy.ops.meshrec.reconstruct() == {"FINISHED"}
    clip = next(collection for collection in bpy.data.collections if REQUEST_PROPERTY in collection)
    assert request_from_text(clip[REQUEST_PROPERTY]).views == (folders[1],)
    first, second = (obj for obj in clip.objects if obj.type == "CAMERA")
    assert bpy.context.scene.camera == first and second.name == "a camera 2"
    bpy.context.view_layer.update()
    found = np.diag([1, -1, -1, 1]) @ np.array(second.matrix_world.inverted())
    np.testing.assert_allclose(found, camera_from_world, atol=1e-5)
    (background,) = second.data.background_images
    assert background.clip.filepath.replace("\\", "/").endswith("b/0001.png")
    assert (background.clip.frame_start, background.clip.frame_offset) == (1, 5)
    # A new take updates the camera; one that an artist has moved stays, and the view gets another one.
    backend([joined])
    assert bpy.ops.meshrec.reconstruct() == {"FINISHED"}
    assert sum(obj.type == "CAMERA" for obj in clip.objects) == 2
    second.location.x += 1
    backend([joined])
    assert bpy.ops.meshrec.reconstruct() == {"FINISHED"}
    assert sum(obj.type == "CAMERA" for obj in clip.objects) == 3 and len(second.data.background_images) == 1


def test_the_floor_is_a_checkerboard_that_leaves_no_trace(addon, backend, result, tubes, folders, tmp_path):
    addon.source = folders[0]
    backend([result])
    assert bpy.ops.meshrec.reconstruct() == {"FINISHED"}
    rig, scene = bpy.context.object, bpy.context.scene
    scene.frame_set(7)
    before = {kind: len(getattr(bpy.data, kind)) for kind in ("objects", "meshes", "materials")}
    assert bpy.ops.meshrec.checkerboard_floor() == {"FINISHED"}
    floor = next(obj for obj in bpy.data.objects if "meshrec_floor" in obj)
    assert scene.frame_current == 7 and bpy.context.object == rig
    corners = np.array([floor.matrix_world @ vertex.co for vertex in floor.data.vertices])
    assert np.all(corners[:, 2] == 0)
    for frame in (1, 15, 30):
        scene.frame_set(frame)
        heads = np.array([rig.matrix_world @ bone.head for bone in rig.pose.bones])
        assert (corners.min(0)[:2] < heads.min(0)[:2]).all() and (corners.max(0)[:2] > heads.max(0)[:2]).all()
    faces = {tuple(np.floor(np.array(face.center)[:2] / 0.5).astype(int)): face.material_index for face in floor.data.polygons}
    assert all(faces.get((i + 1, j), 1 - colour) == 1 - colour for (i, j), colour in faces.items())
    export_characters(tmp_path / "a.glb", [rig])
    assert b"checkerboard" not in (tmp_path / "a.glb").read_bytes()
    assert bpy.ops.meshrec.checkerboard_floor() == {"FINISHED"}
    assert {kind: len(getattr(bpy.data, kind)) for kind in before} == before
