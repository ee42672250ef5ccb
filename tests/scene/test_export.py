"""Every export format, imported again: bone heads, rotations and vertices at several frames of the clip."""

import bpy
import numpy as np
import pytest
from mathutils.kdtree import KDTree

from blender_meshrec.core.conventions import WORLD_FROM_BODY
from blender_meshrec.core.errors import InputError, OutputError
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.files.bvh import write_bvh
from blender_meshrec.core.motion import forward_kinematics, resample_motion
from blender_meshrec.core.rotations import angle_between_rotmats
from blender_meshrec.scene.assemble import Person, assemble, match_scene
from blender_meshrec.scene.assembly import AssemblyOptions
from blender_meshrec.scene.export.export import export_assembly
from tests.support.blender_imports import import_file, imported_object, open_empty_scene
from tests.support.blender_poses import pose_in_blender, vertices_in_blender
from tests.support.synthetic_bodies import make_recovery, make_tube_body, motion_of, skin_recovery

MILLIMETRE = 1e-3
FPS = 24 / 1.001
FRAMES = 48
ROWS = (0, 1, 13, 30, FRAMES - 1)


def make(template, recovery, **options):
    made = assemble([Person("anna", recovery, template)], "clip", AssemblyOptions(pose_shapes=False, **options))
    match_scene(bpy.context.scene, made, recovery.camera)
    return made


def import_again(path, fps=FPS):
    """The armature and the mesh of a file, None for one that it lacks."""
    import_file(path, fps)
    return imported_object("ARMATURE"), imported_object("MESH")


def assert_plays(rig, body, recovery, template, head_tolerance=0.2 * MILLIMETRE, angle_tolerance=0.02, stretch=1.0):
    joints, rotations = forward_kinematics(motion_of(recovery, template))
    assert set(template.joint_names) <= set(rig.data.bones.keys())
    if body:
        origin = template_vertices_of(body, template, recovery)
    for row in ROWS:
        frame = 1 + row * stretch
        bpy.context.scene.frame_set(int(frame), subframe=frame % 1)
        heads, turned = pose_in_blender(rig, template.joint_names)
        assert np.abs(heads - joints[row]).max() < head_tolerance, row
        assert np.degrees(angle_between_rotmats(turned, rotations[row])).max() < angle_tolerance, row
        if body:
            distance = np.abs(vertices_in_blender(body) - skin_recovery(recovery, template, row, pose_shapes=False)[origin]).max()
            assert distance < 1 * MILLIMETRE, row


def template_vertices_of(body, template, recovery):
    """The template's vertex of each imported one, by its position at rest: glTF duplicates vertices where materials meet."""
    rest = template.rest_vertices(recovery.betas) @ WORLD_FROM_BODY.T
    tree = KDTree(len(rest))
    for index, place in enumerate(rest):
        tree.insert(place, index)
    tree.balance()
    found = [tree.find(body.matrix_world @ vertex.co) for vertex in body.data.vertices]
    assert max(distance for _place, _index, distance in found) < 0.1 * MILLIMETRE
    return np.array([index for _place, index, _distance in found])


# Blender's older FBX importer rounds the frame rate (24 for 24/1.001), so that imported NTSC clips are longer by this factor.
OLD_IMPORTER_STRETCH = 1.001


@pytest.fixture(scope="module")
def plain():
    return make_tube_body(posedirs=False)


@pytest.fixture(scope="module")
def clip(plain):
    return make_recovery(plain, frames=FRAMES, fps=FPS)


@pytest.mark.parametrize("name", ["a.fbx", "größe 測試.fbx", "a.glb", "a.usdc", "a.blend"])
def test_exported_people_import_unchanged(tmp_path, plain, clip, name):
    export_assembly(tmp_path / name, make(plain, clip), "blender")
    rig, body = import_again(tmp_path / name)
    assert_plays(rig, body, clip, plain, stretch=OLD_IMPORTER_STRETCH if name.endswith(".fbx") else 1)


@pytest.mark.parametrize("suffix", [".fbx", ".glb", ".usdc", ".blend"])
def test_the_exported_open_body_imports_unchanged(tmp_path, suffix):
    template = load_body("open")
    recovery = make_recovery(template, frames=FRAMES, fps=FPS)
    path = tmp_path / f"a{suffix}"
    export_assembly(path, make(template, recovery), "unreal")
    rig, body = import_again(path)
    assert_plays(rig, body, recovery, template, stretch=OLD_IMPORTER_STRETCH if suffix == ".fbx" else 1)


def test_bvh_imports_upright_with_default_settings(tmp_path, plain, clip):
    write_bvh(tmp_path / "a.bvh", motion_of(clip, plain))
    rig, _none = import_again(tmp_path / "a.bvh")
    assert_plays(rig, None, clip, plain)


@pytest.mark.parametrize("preset", ["unreal", "unity", "blender"])
def test_fbx_objects_have_scale_one_and_no_rotation(tmp_path, plain, clip, preset):
    export_assembly(tmp_path / "a.fbx", make(plain, clip), preset)
    settings, models = fbx_content(tmp_path / "a.fbx")
    assert settings[b"UnitScaleFactor"] == (1.0 if preset == "unreal" else 100.0)
    assert settings[b"UpAxis"] == (2 if preset == "unreal" else 1)
    assert models.keys() >= {"anna", "anna body", "pelvis"}
    for name, values in models.items():
        assert np.allclose(values.get(b"Lcl Scaling", (1, 1, 1)), 1, atol=1e-6), name
    if preset != "blender":
        for name in ("anna", "anna body"):
            assert np.allclose(models[name].get(b"Lcl Rotation", (0, 0, 0)), 0, atol=1e-4), name
    rig, body = import_again(tmp_path / "a.fbx")
    scale = 0.01 if preset == "unreal" else 1  # Blender's importer scales the objects by the file's unit
    assert np.allclose(rig.scale, scale, atol=1e-6) and np.allclose(body.matrix_world.to_scale(), scale, atol=1e-6)
    assert_plays(rig, body, clip, plain, stretch=OLD_IMPORTER_STRETCH)


def fbx_content(path):
    """The global settings of a file, and the transform properties of every Model."""
    from io_scene_fbx import parse_fbx

    settings, models = {}, {}
    for section in parse_fbx.parse(str(path))[0].elems:
        if section.id == b"GlobalSettings":
            settings = {entry.props[0]: entry.props[-1] for block in section.elems for entry in block.elems if entry.props}
        if section.id == b"Objects":
            for obj in section.elems:
                if obj.id == b"Model":
                    entries = [entry for block in obj.elems if block.id == b"Properties70" for entry in block.elems]
                    models[obj.props[1].split(b"\x00")[0].decode()] = {entry.props[0]: entry.props[-3:] for entry in entries}
    return settings, models


@pytest.mark.skipif("fbx_import" not in dir(bpy.ops.wm), reason="Blender before 4.5 has one FBX importer")
@pytest.mark.parametrize("preset", ["unreal", "unity", "blender"])
def test_fbx_imports_unchanged_through_the_other_importer(tmp_path, plain, clip, preset):
    export_assembly(tmp_path / "a.fbx", make(plain, clip), preset)
    open_empty_scene(FPS)
    bpy.ops.wm.fbx_import(filepath=str(tmp_path / "a.fbx"))
    assert_plays(imported_object("ARMATURE"), imported_object("MESH"), clip, plain)


def test_exporting_does_not_change_the_scene(tmp_path, plain, clip):
    made = make(plain, clip)
    bystander = bpy.data.objects.new("bystander", bpy.data.meshes.new("bystander"))
    bpy.context.scene.collection.objects.link(bystander)
    bystander.select_set(True)
    for name in ("a.fbx", "a.glb", "a.usdc"):
        export_assembly(tmp_path / name, made, "unity")
        assert bpy.context.selected_objects == [bystander]
    bpy.context.scene.frame_set(1 + 13)
    heads, _ = pose_in_blender(made.armatures[0], plain.joint_names)
    assert np.abs(heads - forward_kinematics(motion_of(clip, plain))[0][13]).max() < 0.2 * MILLIMETRE
    assert np.abs(vertices_in_blender(made.meshes[0]) - skin_recovery(clip, plain, 13)).max() < 0.2 * MILLIMETRE
    for name in ("a.fbx", "a.glb", "a.usdc"):
        import_again(tmp_path / name)
        assert "bystander" not in bpy.data.objects
        assert not [obj for obj in bpy.context.view_layer.objects if obj.type == "CAMERA"]


@pytest.mark.parametrize("suffix", [".fbx", ".glb", ".usdc", ".bvh"])
def test_a_variable_rate_is_baked_at_the_nominal_one(tmp_path, plain, suffix):
    times = np.cumsum(np.random.default_rng(5).uniform(0.02, 0.05, 40))
    recovery = make_recovery(plain, timestamps=times - times[0], fps=30.0)
    made = make(plain, recovery)
    path = tmp_path / f"a{suffix}"
    if suffix == ".bvh":
        write_bvh(path, motion_of(recovery, plain))
    else:
        export_assembly(path, made)
    rig, _ = import_again(path, fps=30.0)
    end = int(recovery.timestamps[-1] * 30)
    frames = np.array([0, 7, 21, end])
    joints, _ = forward_kinematics(resample_motion(motion_of(recovery, plain), frames / 30))
    for frame, expected in zip(frames, joints):
        bpy.context.scene.frame_set(1 + int(frame))
        heads, _ = pose_in_blender(rig, plain.joint_names)
        assert np.abs(heads - expected).max() < 1 * MILLIMETRE


def test_unknown_formats_and_unwritable_paths_raise_errors(tmp_path, plain, clip):
    made = make(plain, clip)
    with pytest.raises(InputError, match=r"\.glb"):
        export_assembly(tmp_path / "a.obj", made)
    with pytest.raises(InputError, match="unreal"):
        export_assembly(tmp_path / "a.fbx", made, "maya")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError):
        export_assembly(tmp_path / "file" / "a.fbx", made)


@pytest.mark.parametrize("suffix", [".fbx", ".glb", ".usdc", ".blend"])
def test_a_failing_exporter_leaves_no_file(tmp_path, plain, clip, suffix, monkeypatch):
    from blender_meshrec.scene.export import export

    def write_half(path, assembly, preset):
        path.write_text("half")
        raise RuntimeError("Error: [Errno 28] No space left on device")

    monkeypatch.setitem(export.WRITERS, suffix, write_half)
    with pytest.raises(OutputError, match="disk is full"):
        export_assembly(tmp_path / f"a{suffix}", make(plain, clip))
    assert list(tmp_path.iterdir()) == []
