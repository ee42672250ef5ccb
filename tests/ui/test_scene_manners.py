"""What a result does to a scene: where its keys lie, what matching changes and says beforehand, units, and scrubbing of footage."""

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

from blender_meshrec.core.motion import forward_kinematics
from blender_meshrec.ui import panels, settings_panels
from blender_meshrec.ui.properties import planned_changes
from tests.support.blender_keyframes import keys_of
from tests.support.blender_poses import vertices_in_blender
from tests.support.panel_drawing import draw_panel, operators_drawn, visible_text
from tests.support.synthetic_bodies import make_recovery, motion_of

CLIP = Path(__file__).resolve().parents[2] / "scripts" / "demo_clip.mp4"


@pytest.fixture
def at_30_fps(result, tubes):
    """One person of 60 frames at 30 fps."""
    return replace(result, recoveries=(make_recovery(tubes, frames=60, fps=30.0, footage="/clip.mp4"),), people=(1,))


def reconstruct(addon, backend, answer):
    if not addon.source:
        addon.source = "/clip.mp4"
    backend([answer])
    assert bpy.ops.meshrec.reconstruct() == {"FINISHED"}
    return bpy.context.object


def test_keys_lie_on_whole_frames_from_the_scenes_first(addon, backend, at_30_fps, tubes):
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end, scene.render.fps = 1001, 1250, 24
    rig = reconstruct(addon, backend, at_30_fps)
    assert scene.render.fps == 24 and (scene.frame_start, scene.frame_end, scene.frame_current) == (1001, 1250, 1001)
    assert keys_of(rig, '["visible"]')[:, 0].tolist() == list(range(1001, 1001 + 48))
    joints, _ = forward_kinematics(motion_of(at_30_fps.recoveries[0], tubes))
    for frame, row in ((1001, 0), (1005, 5), (1041, 50)):  # where both rates have a frame
        scene.frame_set(frame)
        heads = np.array([rig.matrix_world @ rig.pose.bones[name].head for name in tubes.joint_names])
        assert np.abs(heads - joints[row]).max() < 1e-4  # m


def test_the_artist_may_want_the_footages_frames_and_another_start(addon, backend, at_30_fps):
    scene = bpy.context.scene
    addon.match_scene, addon.whole_frames, addon.use_start_frame, addon.start_frame = False, False, True, 101
    rig = reconstruct(addon, backend, at_30_fps)
    keys = keys_of(rig, '["visible"]')[:, 0]
    assert len(keys) == 60 and np.abs(keys - (101 + np.arange(60) * 24 / 30)).max() < 1e-3
    assert (scene.frame_start, scene.frame_end, scene.render.fps) == (1, 250, 24)


def test_a_new_scene_takes_the_footages_rate_from_its_own_first_frame(addon, backend, at_30_fps):
    scene = bpy.context.scene
    scene.frame_start, addon.frame_rate = 501, "FOOTAGE"
    rig = reconstruct(addon, backend, at_30_fps)
    assert scene.render.fps == 30 and (scene.frame_start, scene.frame_end) == (501, 560)
    assert keys_of(rig, '["visible"]')[:, 0].tolist() == list(range(501, 561))


def test_an_animated_scene_keeps_its_rate_and_is_prolonged(addon, backend, at_30_fps):
    scene = bpy.context.scene
    prop = bpy.data.objects.new("prop", None)
    scene.collection.objects.link(prop)
    prop.keyframe_insert("location", frame=1)
    scene.frame_end = 20
    reconstruct(addon, backend, at_30_fps)
    assert (scene.render.fps, scene.frame_start, scene.frame_end) == (24, 1, 48)


def test_what_matching_changes_is_said_beforehand(addon, backend, at_30_fps):
    scene = bpy.context.scene
    addon.source = "/clip.mp4"
    addon.footage_kind, addon.footage_frames, addon.footage_fps, addon.footage_size = "VIDEO", 60, 30.0, (1280, 720)
    said = [str(change) for change in planned_changes(scene, addon)]
    assert said == ["Frame rate: 24 to 30 fps", "Frame range: 1-250 to 1-60", "Resolution: 1920 x 1080 to 1280 x 720"]
    assert all(sentence in visible_text(draw_panel(settings_panels.ScenePanel)) for sentence in said)
    assert "Changes the scene: frame rate, frame range, resolution" in visible_text(draw_panel(panels.MainPanel))
    reconstruct(addon, backend, at_30_fps)
    assert (scene.render.fps, scene.frame_end, scene.render.resolution_x) == (30, 60, 1280)
    assert planned_changes(scene, addon) == []
    scene.camera = bpy.data.objects.new("shot", bpy.data.cameras.new("shot"))
    assert [str(change) for change in planned_changes(scene, addon)] == ["Scene camera: shot to that of the footage"]
    addon.match_scene = False
    assert planned_changes(scene, addon) == []


@pytest.mark.parametrize("unit", [0.01, 1.0, 0.3048])
def test_a_person_has_their_size_in_every_unit(addon, backend, at_30_fps, tubes, tmp_path, unit):
    scene = bpy.context.scene
    scene.unit_settings.system, scene.unit_settings.scale_length = "METRIC", unit
    rig = reconstruct(addon, backend, at_30_fps)
    joints, _ = forward_kinematics(motion_of(at_30_fps.recoveries[0], tubes))
    scene.frame_set(31)
    heads = np.array([rig.matrix_world @ rig.pose.bones[name].head for name in tubes.joint_names])
    assert np.abs(heads * unit - joints[30]).max() < 1e-4  # m
    body = next(child for child in rig.children if child.type == "MESH")
    vertices = vertices_in_blender(body)
    assert 1.3 < np.ptp(vertices[:, 2]) * unit < 2.1  # m
    camera = scene.camera
    world_from_camera = np.linalg.inv(at_30_fps.recoveries[0].camera_from_world[0])
    assert np.abs(np.array(camera.matrix_world.translation) * unit - world_from_camera[:3, 3]).max() < 1e-4
    assert bpy.ops.meshrec.export(filepath=str(tmp_path / "a.npz"), file_format=".npz") == {"FINISHED"}
    with np.load(tmp_path / "a.npz") as exported:
        assert np.abs(exported["joints"] - at_30_fps.recoveries[0].joints).max() < 1e-3  # m


def test_the_view_frames_the_person(addon, backend, at_30_fps):
    spaces = [area.spaces.active for window in bpy.context.window_manager.windows for area in window.screen.areas if area.type == "VIEW_3D"]
    for space in spaces:
        space.region_3d.view_location = (90, 90, 90)
    rig = reconstruct(addon, backend, at_30_fps)
    place = np.array(rig.matrix_world @ rig.pose.bones["pelvis"].head)
    assert all(np.linalg.norm(np.array(space.region_3d.view_location) - place) < 1 for space in spaces)


def test_footage_is_scrubbed_before_it_is_solved(addon):
    scene = bpy.context.scene
    scene.frame_start = 101
    addon.source = str(CLIP)
    assert "meshrec.show_footage" in operators_drawn(draw_panel(panels.RangePanel))
    assert bpy.ops.meshrec.show_footage() == {"FINISHED"}
    empty = next(obj for obj in scene.objects if obj.empty_display_type == "IMAGE")
    user = empty.image_user
    assert empty.data.source == "MOVIE" and (user.frame_start, user.frame_duration, user.use_auto_refresh) == (101, 130, True)
    scene.frame_set(110)
    bpy.ops.meshrec.set_range(end="IN")
    scene.frame_set(140)
    bpy.ops.meshrec.set_range(end="OUT")
    assert (addon.use_range, addon.first_frame, addon.last_frame) == (True, 10, 40)
    assert bpy.ops.meshrec.show_footage() == {"FINISHED"}
    assert not list(scene.objects) and not bpy.data.images


def test_in_and_out_count_from_the_first_frame_of_a_trimmed_result(addon, backend, at_30_fps):
    scene = bpy.context.scene
    path = str(CLIP)
    addon.source = path
    bpy.ops.meshrec.show_footage()
    answer = replace(at_30_fps, recoveries=(replace(at_30_fps.recoveries[0], footage=addon.path, first_frame=30),))
    scene.render.fps, addon.frame_rate = 15, "SCENE"
    reconstruct(addon, backend, answer)
    preview = next(obj for obj in scene.objects if obj.empty_display_type == "IMAGE")
    assert (preview.image_user.frame_start, preview.image_user.frame_offset) == (1, 30)
    scene.frame_set(11)  # 10 frames at 15 fps after frame 31
    addon.footage_fps = 30.0
    bpy.ops.meshrec.set_range(end="IN")
    assert addon.first_frame == 31 + 20
