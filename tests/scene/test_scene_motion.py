"""Armatures of the scene read back as motion, with an artist's changes and without a change to the scene."""

import bpy
import numpy as np
import pytest

from blender_meshrec.core.errors import InputError
from blender_meshrec.core.files.motion_npz import read_motion
from blender_meshrec.scene.assemble import Person, assemble, match_scene
from blender_meshrec.scene.assembly import AssemblyOptions
from blender_meshrec.scene.export.scene_export import export_characters
from blender_meshrec.scene.motion.armature_recovery import recovery_from_armature
from blender_meshrec.scene.motion.isolated_playback import isolated_scene
from blender_meshrec.scene.takes.earlier_results import find_clip_camera
from tests.support.blender_characters import make_character
from tests.support.blender_poses import pose_in_blender
from tests.support.synthetic_bodies import make_recovery, make_tube_body

FRAMES = 12


@pytest.fixture
def made():
    recovery = make_recovery(make_tube_body(), FRAMES)
    assembly = assemble([Person("anna", recovery, make_tube_body())], "clip", AssemblyOptions(footage=False))
    match_scene(bpy.context.scene, assembly, recovery.camera)
    return recovery, assembly


def test_a_person_is_read_back_unchanged(made):
    recovery, assembly = made
    rig = assembly.armatures[0]
    again = recovery_from_armature(rig, find_clip_camera(rig), 1, FRAMES)
    assert np.abs(again.joints - recovery.joints).max() < 1e-4  # m
    assert np.abs(again.trans - recovery.trans).max() < 1e-4
    assert np.abs(again.camera_from_world - recovery.camera_from_world).max() < 1e-4
    assert np.abs(again.camera_intrinsics - recovery.camera_intrinsics).max() < 0.1  # px
    assert np.abs(again.betas - recovery.betas).max() < 1e-5 and again.mocap_framerate == pytest.approx(recovery.mocap_framerate)
    np.testing.assert_array_equal(again.contacts, recovery.contacts > 0.5)  # channels are switches


def test_an_artists_changes_are_exported(made, tmp_path):
    recovery, assembly = made
    assembly.armatures[0].location.x = 0.5
    export_characters(tmp_path / "moved.npz", assembly.armatures)
    moved = read_motion(tmp_path / "moved.npz")
    assert np.abs(moved.trans - recovery.trans - [0.5, 0, 0]).max() < 1e-4


def test_an_artists_character_is_refused_as_npz(tmp_path):
    rig, _ = make_character()
    with pytest.raises(InputError, match="no person"):
        export_characters(tmp_path / "a.npz", [rig])
    assert not list(tmp_path.iterdir())


def test_isolated_playback_follows_constraints_and_keeps_the_current_frame(made):
    _, assembly = made
    rig = assembly.armatures[0]
    leader = bpy.data.objects.new("leader", None)
    bpy.context.scene.collection.objects.link(leader)
    for frame, x in ((1, 0.0), (FRAMES, 2.0)):
        leader.location.x = x
        leader.keyframe_insert("location", frame=frame)
    follow = rig.pose.bones["pelvis"].constraints.new("COPY_LOCATION")
    follow.target = leader
    scene = bpy.context.scene
    names = set(bpy.data.scenes.keys()), set(scene.objects.keys())
    scene.frame_set(5)
    heads = []
    with isolated_scene(rig) as evaluate_frame:
        for frame in (1, 7, FRAMES):
            posed = rig.evaluated_get(evaluate_frame(frame))
            heads.append(np.array(posed.matrix_world @ posed.pose.bones["pelvis"].head))
    assert scene.frame_current == 5 and (set(bpy.data.scenes.keys()), set(scene.objects.keys())) == names
    for frame, head in zip((1, 7, FRAMES), heads):
        scene.frame_set(frame)
        assert np.abs(pose_in_blender(rig, ["pelvis"])[0][0] - head).max() < 1e-6


def test_the_temporary_scene_is_removed_after_an_error(made):
    _, assembly = made
    with pytest.raises(ZeroDivisionError), isolated_scene(assembly.armatures[0]):
        raise ZeroDivisionError
    assert [scene.name for scene in bpy.data.scenes] == [bpy.context.scene.name]
