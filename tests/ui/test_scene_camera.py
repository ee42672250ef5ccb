"""The artist's own camera, chosen in the panel: what the backend is asked, and where people and keys come out."""

from dataclasses import replace

import bpy
import numpy as np
import pytest

from blender_meshrec.core.files.camera_file import camera_from_text
from blender_meshrec.core.records import Recovery
from blender_meshrec.ui.settings_panels import SceneCameraPanel
from tests.support.blender_keyframes import keys_of
from tests.support.panel_drawing import draw_panel

FIRST = 1001


@pytest.fixture
def shot(addon):
    """A scene at 24 frames a second from frame 1001 on, with a camera that moves and an object of the artist's."""
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end, scene.render.fps = FIRST, FIRST + 49, 24
    scene.render.resolution_x, scene.render.resolution_y = 1280, 720
    camera = bpy.data.objects.new("matchmove", bpy.data.cameras.new("matchmove"))
    scene.collection.objects.link(camera)
    camera.rotation_euler = (1.5, 0, 0)
    for frame, x in ((FIRST, -1.0), (FIRST + 49, 1.0)):
        camera.location = (x, -4, 1.5)
        camera.keyframe_insert("location", frame=frame)
    scene.camera = camera
    addon.source, addon.scene_camera = "/clip.mp4", camera
    return camera


def test_the_request_has_the_cameras_path(addon, shot, backend, result, tubes):
    backend([result])
    addon.floor = "0.1"
    bpy.ops.meshrec.reconstruct()
    (request,) = backend.requests
    camera = camera_from_text(request.camera_text)
    assert (request.camera, request.floor, request.camera_frame) == ("matchmove", "0.1", None)
    assert (camera.first_frame, len(camera)) == (FIRST, 50)
    np.testing.assert_allclose(camera.world_from_camera[[0, -1], :3, 3], [[-1, -4, 1.5], [1, -4, 1.5]], atol=1e-5)


def test_no_camera_asks_for_none(addon, backend, result, tubes):
    addon.source = "/clip.mp4"
    backend([result])
    bpy.ops.meshrec.reconstruct()
    assert (backend.requests[0].camera, backend.requests[0].camera_text) == (None, None)


def test_people_stand_in_the_scene_frame_for_frame(addon, shot, backend, result, tubes):
    """Footage of 25 frames a second in a scene of 24: a frame is a frame. The scene, its camera and its range stay."""
    moved: list[Recovery] = [replace(recovery, scene_frame=FIRST + 5) for recovery in result.recoveries]
    backend([replace(result, recoveries=tuple(moved))])
    bpy.ops.meshrec.reconstruct()
    scene = bpy.context.scene
    assert (scene.camera, scene.frame_start, scene.frame_end, scene.render.fps) == (shot, FIRST, FIRST + 49, 24)
    assert [obj for obj in scene.objects if obj.type == "CAMERA"] == [shot] and not shot.data.background_images
    armature = next(obj for obj in scene.objects if obj.type == "ARMATURE")
    times = keys_of(armature, 'pose.bones["pelvis"].location')[:, 0]
    assert times[0] == FIRST + 5 and times[-1] == FIRST + 5 + 29 and len(times) == 30


def test_the_panel_shows_what_belongs_to_a_scenes_camera(addon, shot):
    def drawn():
        return [call[2] for call in draw_panel(SceneCameraPanel) if call[0] == "prop"]

    assert drawn() == ["scene_camera", "camera_frame", "floor"]
    addon.scene_camera = None
    assert drawn() == ["scene_camera"]
