"""Retargeting from character files to files: imported again, the characters move as exported; other files are refused."""

import json
import shutil

import bpy
import numpy as np
import pytest

from blender_meshrec.cli import program
from blender_meshrec.core.errors import InputError
from blender_meshrec.core.rotations import angle_between_rotmats
from blender_meshrec.retarget.character_path import split_character_path
from blender_meshrec.retarget.source.files import read_performance
from blender_meshrec.scene.character.rig_file import load_character
from blender_meshrec.scene.outputs import Output
from blender_meshrec.scene.retargeting import retarget_outputs
from blender_meshrec.scene.retargeting.retarget_outputs import write_retargeted
from tests.conftest import ROOT
from tests.support.blender_characters import make_character
from tests.support.blender_imports import import_file, imported_objects
from tests.support.blender_poses import poses_at

TRUTH = ROOT / "scripts" / "demo_clip_truth.npz"
FRAMES = (1, 40, 90, 130)
MILLIMETRE = 1e-3
RIGS = ("kaykit_Knight.glb", "kenney_human.glb", "m2m_human_male.glb", "mpfb_game_engine.fbx", "mpfb_mixamo.fbx", "mpfb_mixamo.glb")


@pytest.fixture(scope="module")
def performance():
    return read_performance(TRUTH)


@pytest.fixture
def written(performance, monkeypatch):
    """A function that writes a retargeted character and returns what was exported: names, poses, fps and numbers of objects."""
    made = {}

    def export_and_record(path, group, preset, home):
        rig = group.armatures[0]
        made["names"] = [bone.name for bone in rig.data.bones]
        made["fps"] = bpy.context.scene.render.fps / bpy.context.scene.render.fps_base
        made["poses"] = poses_at(rig, made["names"], FRAMES)
        made["num_meshes"], made["num_animated"] = len(group.meshes), 1 + len(group.parent_objects)
        export(path, group, preset, home)

    export = retarget_outputs.export_assembly
    monkeypatch.setattr(retarget_outputs, "export_assembly", export_and_record)

    def write(rig, path, **options):
        write_retargeted([("walk", performance)], [Output(path, (0,))], str(rig), **options)
        return made

    return write


def import_again(path, fps):
    import_file(path, fps)
    (rig,) = (obj for obj in bpy.data.objects if obj.type == "ARMATURE")
    return rig


def assert_imports_unchanged(path, made):
    rig = import_again(path, made["fps"])
    for (heads, turned), (heads_again, turned_again) in zip(made["poses"], poses_at(rig, made["names"], FRAMES)):
        assert np.abs(heads - heads_again).max() < 0.1 * MILLIMETRE
        assert np.degrees(angle_between_rotmats(turned, turned_again)).max() < 0.02
    # The file has the new take and none of the character's file; an importer makes an action for each animated object.
    assert 1 <= len(bpy.data.actions) <= made["num_animated"]
    assert all("walk" in action.name for action in bpy.data.actions) or path.suffix == ".usdc"
    assert len(imported_objects("MESH")) == made["num_meshes"]
    return rig


def save_character(folder, scale=1.0, parented=False):
    """A synthetic character in a .blend; its object may be scaled and parented to a rotated empty."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    armature, _ = make_character(scale=1 / scale)
    armature.scale = (scale,) * 3
    if parented:
        empty = bpy.data.objects.new("stand", None)
        bpy.context.scene.collection.objects.link(empty)
        empty.rotation_euler, empty.location = (0.0, 0.0, 0.7), (1.0, 2.0, 0.0)
        armature.parent = empty
    path = folder / "artist.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path


@pytest.mark.parametrize("preset", ["blender", "unreal", "unity"])
@pytest.mark.parametrize("scale, parented", [(1.0, False), (0.01, True)])
def test_exported_fbx_imports_unchanged(written, tmp_path, scale, parented, preset):
    made = written(save_character(tmp_path, scale, parented), tmp_path / "out.fbx", preset=preset)
    assert_imports_unchanged(tmp_path / "out.fbx", made)


@pytest.mark.parametrize("suffix", [".glb", ".usdc"])
@pytest.mark.parametrize("scale, parented", [(1.0, False), (0.01, True)])
def test_other_exported_formats_import_unchanged(written, tmp_path, scale, parented, suffix):
    made = written(save_character(tmp_path, scale, parented), tmp_path / f"out{suffix}")
    assert_imports_unchanged(tmp_path / f"out{suffix}", made)


@pytest.mark.parametrize("suffix", [".fbx", ".glb"])
@pytest.mark.parametrize("name", RIGS)
def test_exported_real_characters_import_unchanged(shared_rigs, written, tmp_path, name, suffix):
    made = written(shared_rigs / name, tmp_path / f"out{suffix}")
    assert_imports_unchanged(tmp_path / f"out{suffix}", made)


def test_bvh_is_in_metres_in_the_world(performance, tmp_path):
    path = save_character(tmp_path, 0.01, parented=True)
    quality, _ = write_retargeted([("walk", performance)], [Output(tmp_path / "a.bvh", (0,))], str(path))
    assert quality[str(tmp_path / "a.bvh")]["foot_slide_after"] < 1.0  # cm/s
    rig = bpy.data.objects["character"]
    names = [bone.name for bone in rig.data.bones]
    heads = [positions for positions, _ in poses_at(rig, names, FRAMES)]
    fps = bpy.context.scene.render.fps / bpy.context.scene.render.fps_base
    import_file(tmp_path / "a.bvh", fps)
    for wanted, (had, _) in zip(heads, poses_at(bpy.context.object, names, FRAMES)):
        assert np.abs(wanted - had).max() < 0.1 * MILLIMETRE


@pytest.mark.parametrize("suffix", [".fbx", ".glb", ".usdc", ".bvh"])
def test_scenes_in_centimetres_are_written_in_metres(performance, tmp_path, suffix):
    """The same character in a file whose unit is a centimetre: the same motion, sizes and quality in metres."""
    quality, heads = [], []
    for unit in (1.0, 0.01):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        make_character(scale=1 / unit)
        bpy.context.scene.unit_settings.scale_length = unit
        rig, out = tmp_path / "artist.blend", tmp_path / f"out{suffix}"
        bpy.ops.wm.save_as_mainfile(filepath=str(rig))
        made, notes = write_retargeted([("walk", performance)], [Output(out, (0,))], str(rig))
        assert not notes
        quality.append({name: value for name, value in made[str(out)].items() if isinstance(value, float)})
        imported = import_again(out, performance.fps)
        found = poses_at(imported, sorted(bone.name for bone in imported.data.bones), FRAMES)
        heads.append(np.array([positions for positions, _ in found]))
    assert np.abs(heads[0] - heads[1]).max() < 0.1 * MILLIMETRE
    assert 1.4 < np.ptp(heads[1][..., 2]) < 2.0  # m
    assert quality[0] and quality[1] == pytest.approx(quality[0], rel=1e-3, abs=1e-3)


def test_a_blend_keeps_the_content_of_the_artists_file(performance, tmp_path):
    path = save_character(tmp_path)
    bpy.data.objects.new("lamp", bpy.data.lights.new("lamp", "POINT"))
    bpy.context.scene.collection.objects.link(bpy.data.objects["lamp"])
    image = bpy.data.images.new("cloth", 8, 8)
    image.filepath_raw, image.file_format = str(tmp_path / "cloth.png"), "PNG"
    image.save()
    image.use_fake_user = True
    bpy.ops.wm.save_as_mainfile(filepath=str(path), relative_remap=True)
    out = tmp_path / "deep" / "er" / "out.blend"
    write_retargeted([("walk", performance), ("wave", performance)], [Output(out, (0, 1))], str(path))
    bpy.ops.wm.open_mainfile(filepath=str(out))
    assert "lamp" in bpy.context.scene.objects
    assert bpy.path.abspath(bpy.data.images["cloth"].filepath) == str(out.parent / "../../cloth.png")
    assert bpy.context.scene.frame_end == len(performance)
    rigs = [obj for obj in bpy.context.scene.objects if obj.type == "ARMATURE"]
    assert sorted(rig.animation_data.action.name for rig in rigs) == ["walk", "wave"]
    assert {mesh.modifiers[0].object for mesh in bpy.context.scene.objects if mesh.type == "MESH"} == set(rigs)


def test_the_choice_among_several_armatures(tmp_path):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    make_character("anna")
    path = tmp_path / "two.blend"
    bare = bpy.data.objects.new("bare", bpy.data.armatures.new("bare"))
    bpy.context.scene.collection.objects.link(bare)
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    assert load_character(path).armature.name == "anna"  # the one with a skin
    assert load_character(path, "bare").armature.name == "bare"
    with pytest.raises(InputError, match='"bob"'):
        load_character(path, "bob")
    make_character("bob")
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    with pytest.raises(InputError, match='3 armatures: "anna", "bare", "bob"'):
        load_character(path)
    assert load_character(path, "bob").meshes[0].name == "bob body"


def test_files_without_a_character_are_refused(tmp_path):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    obj = bpy.data.objects.new("box", bpy.data.meshes.new("box"))
    obj.data.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    bpy.context.scene.collection.objects.link(obj)
    bpy.ops.export_scene.fbx(filepath=str(tmp_path / "box.fbx"))
    bpy.ops.export_scene.gltf(filepath=str(tmp_path / "box.glb"))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "box.blend"))
    for suffix in (".fbx", ".glb", ".blend"):
        with pytest.raises(InputError, match="only meshes"):
            load_character(tmp_path / f"box{suffix}")
        (tmp_path / f"broken{suffix}").write_bytes(b"nothing of the kind")
        with pytest.raises(InputError, match="cannot be read"):
            load_character(tmp_path / f"broken{suffix}")
    with pytest.raises(InputError, match="no file"):
        split_character_path(tmp_path / "none.fbx")
    with pytest.raises(InputError, match="character"):
        split_character_path(tmp_path / "clip.mp4")


def test_file_names_may_contain_a_hash(tmp_path):
    (tmp_path / "a#1.fbx").touch()
    assert split_character_path(str(tmp_path / "a#1.fbx")) == (tmp_path / "a#1.fbx", "")
    assert split_character_path(str(tmp_path / "a#1.fbx#rig"))[1] == "rig"


def test_a_vrm_is_imported_as_glb(shared_rigs, tmp_path):
    shutil.copyfile(shared_rigs / "kenney_human.glb", tmp_path / "a.vrm")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    assert len(load_character(tmp_path / "a.vrm").armature.data.bones) == 39


def test_the_retarget_command(tmp_path, capsys):
    path = save_character(tmp_path)
    out, report = tmp_path / "out.glb", tmp_path / "report.json"
    assert program.main(["retarget", str(TRUTH), "--rig", f"{path}#character", "-o", str(out), "--report", str(report)]) == 0
    report_content = json.loads(report.read_text())
    assert report_content["retarget"][str(out)]["foot_slide_after"] < 1.0  # cm/s
    assert import_again(out, 30.0)
    assert program.main(["retarget", str(TRUTH), "--rig", f"{path}#nobody", "-o", str(out)]) == 2
    assert 'no armature "nobody"' in capsys.readouterr().err
    assert program.main(["retarget", str(TRUTH), "--rig", str(path), "-o", str(tmp_path / "a.npz")]) == 2
    assert program.main(["retarget", str(TRUTH), "--rig", str(path), "-o", str(path)]) == 2
    assert program.main(["retarget", str(TRUTH), "--rig", str(path), "-o", "/proc/nowhere/a.fbx"]) == 5
