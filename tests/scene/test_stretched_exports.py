"""Calibrated people in files: joints after import by each of Blender's importers, and an unchanged scene after export."""

import bpy
import numpy as np
import pytest

from blender_meshrec.core.files.motion_npz import read_motion
from blender_meshrec.core.files.point_cache import write_point_cache
from blender_meshrec.core.motion import forward_kinematics
from blender_meshrec.scene.assemble import Person, assemble, match_scene
from blender_meshrec.scene.assembly import AssemblyOptions
from blender_meshrec.scene.export.export import export_assembly
from blender_meshrec.scene.export.scene_export import export_characters
from blender_meshrec.scene.person.surface import SURFACE_MODIFIER
from tests.support.blender_imports import import_with_every_importer, imported_object
from tests.support.blender_poses import pose_in_blender, vertices_in_blender
from tests.support.synthetic_bodies import make_recovery, make_tube_body, motion_of, with_calibrated_joints

MILLIMETRE = 1e-3
FRAMES, FPS = 24, 25.0
ROWS = (0, 5, FRAMES - 1)
FILES = [("a.fbx", "blender"), ("a.fbx", "unity"), ("a.fbx", "unreal"), ("a.glb", "blender"), ("a.usdc", "blender")]


@pytest.fixture(scope="module")
def plain():
    return make_tube_body(posedirs=False)


@pytest.fixture(scope="module")
def clip(plain):
    return with_calibrated_joints(make_recovery(plain, FRAMES, fps=FPS))


def make(plain, clip, **options):
    surface = options.pop("surface", None)
    made = assemble([Person("anna", clip, plain, surface=surface)], "clip", AssemblyOptions(pose_shapes=False, footage=False, **options))
    match_scene(bpy.context.scene, made, clip.camera)
    return made


def imported(path):
    """The armature and the mesh, or None, of a file, by each importer of this Blender."""
    for _ in import_with_every_importer(path, FPS):
        yield imported_object("ARMATURE"), imported_object("MESH")


def assert_heads_match(rig, plain, joints):
    for row in ROWS:
        bpy.context.scene.frame_set(1 + row)
        heads, _ = pose_in_blender(rig, plain.joint_names)
        assert np.abs(heads - joints[row]).max() < 0.05 * MILLIMETRE, row


@pytest.mark.parametrize("name, preset, bone_scale", [*((*file, False) for file in FILES), ("a.fbx", "unity", True)])
def test_joints_import_at_their_calibrated_positions(tmp_path, plain, clip, name, preset, bone_scale):
    export_assembly(tmp_path / name, make(plain, clip, bone_scale=bone_scale), preset)
    for rig, body in imported(tmp_path / name):
        assert_heads_match(rig, plain, clip.calibrated_joints)
        assert rig.name.startswith("anna") and body is not None
        assert np.abs(np.array([bone.scale for bone in rig.pose.bones]) - 1).max() < 1e-4


@pytest.mark.parametrize("name", ["a.fbx", "a.glb", "a.usdc", "a.bvh"])
def test_an_artists_changes_are_exported(tmp_path, plain, clip, name):
    made = make(plain, clip)
    rig = made.armatures[0]
    rig.location, rig.rotation_euler.z = (0.3, -0.2, 0.1), 0.5
    bpy.context.view_layer.update()
    moved = clip.calibrated_joints @ np.array(rig.matrix_world.to_3x3()).T + np.array(rig.location)
    notes = export_characters(tmp_path / name, made.armatures, "unreal")
    assert len(notes) == 1 and notes[0].startswith(name[1:]) and "anna" in notes[0]
    for again, _ in imported(tmp_path / name):
        assert_heads_match(again, plain, moved)


def test_npz_of_the_scene_has_both_poses(tmp_path, plain, clip):
    made = make(plain, clip)
    assert export_characters(tmp_path / "a.npz", made.armatures) == []
    again = read_motion(tmp_path / "a.npz")
    assert np.abs(again.calibrated_joints - clip.calibrated_joints).max() < 0.05 * MILLIMETRE
    rigid = forward_kinematics(motion_of(again, plain))[0]  # the joints of an .npz are those of its poses
    assert np.abs(rigid - again.joints).max() < 0.1 * MILLIMETRE < np.abs(rigid - clip.calibrated_joints).max()
    unstretched = make(plain, clip, stretch=False)
    export_characters(tmp_path / "b.npz", unstretched.armatures)
    assert read_motion(tmp_path / "b.npz").calibrated_joints is None


@pytest.mark.parametrize("name, preset", [FILES[1], *FILES[3:]])
def test_exporting_changes_no_scene_and_omits_the_surface(tmp_path, plain, clip, name, preset):
    shape = (FRAMES, len(plain.v_template), 3)
    surface = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    write_point_cache(tmp_path / "s.pc2", shape[1], shape[0], [surface])
    made = make(plain, clip, surface=tmp_path / "s.pc2")
    rig, body = made.armatures[0], made.meshes[0]

    def state():
        blocks = [block.name for kind in (bpy.data.objects, bpy.data.armatures, bpy.data.meshes, bpy.data.actions) for block in kind]
        modifiers = [(m.name, m.show_viewport, m.show_render, getattr(m, "object", None)) for m in body.modifiers]
        return (
            blocks,
            modifiers,
            body.parent,
            rig.animation_data.action,
            bpy.context.view_layer.objects.active,
            bpy.context.selected_objects,
        )

    before = state()
    export_assembly(tmp_path / name, made, preset)
    notes = export_characters(tmp_path / f"scene {name}", [rig], preset)
    assert state() == before and [note.startswith(name[1:]) for note in notes] == [True, True] and "exact" in notes[1]
    bpy.context.scene.frame_set(6)
    assert np.abs(vertices_in_blender(body) - surface[5]).max() < 0.1 * MILLIMETRE
    body.modifiers[SURFACE_MODIFIER].show_viewport = False
    lowest = vertices_in_blender(body)[:, 2].min()
    for path in (tmp_path / name, tmp_path / f"scene {name}"):
        for again, mesh in imported(path):
            bpy.context.scene.frame_set(6)
            assert abs(vertices_in_blender(mesh)[:, 2].min() - lowest) < 0.05 and again is not None  # m; the surface is metres away
