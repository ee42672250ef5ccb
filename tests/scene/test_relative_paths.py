"""A .blend written to another folder keeps what it links: every path leads to the same file as before."""

import shutil
from pathlib import Path

import bpy
import pytest

from blender_meshrec.retarget.source.files import read_performance
from blender_meshrec.scene.character.character_group import CharacterGroup
from blender_meshrec.scene.export import relative_paths
from blender_meshrec.scene.export.export import export_assembly
from blender_meshrec.scene.export.relative_paths import relative_file_paths
from blender_meshrec.scene.outputs import Output
from blender_meshrec.scene.retargeting.retarget_outputs import write_retargeted
from tests.conftest import ROOT
from tests.support.blender_characters import make_character

TRUTH = ROOT / "scripts" / "demo_clip_truth.npz"
FORMATS_FOLDERS = ["out", "out/deep/er", "project/shots", "project/shots/again"]


@pytest.fixture(scope="module")
def performance():
    return read_performance(TRUTH)


def absolute_paths():
    """The files that the open file names, by data block, as absolute paths; a folder's path without its last separator."""
    named = {}
    for block, paths in bpy.data.file_path_map(include_libraries=True).items():
        if not getattr(block, "library", None):
            found = {str(Path(bpy.path.abspath(path)).resolve()) for path in paths if path and path != "<builtin>"}
            if found:
                named[type(block).__name__, block.name] = found
    return named


def save_set(path):
    """A .blend with a box in a collection, which is linked from another .blend in another folder."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    obj = bpy.data.objects.new("screw", bpy.data.meshes.new("screw"))
    obj.data.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    bpy.data.libraries.write(str(path.parent / "screw.blend"), {obj})
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    with bpy.data.libraries.load(str(path.parent / "screw.blend"), link=True, relative=True) as (_, chosen):
        chosen.objects = ["screw"]
    collection = bpy.data.collections.new("set")
    collection.objects.link(chosen.objects[0])
    collection.use_fake_user = True
    bpy.ops.wm.save_as_mainfile(filepath=str(path))


def link_set(path):
    with bpy.data.libraries.load(str(path), link=True, relative=True) as (_, chosen):
        chosen.collections = ["set"]
    empty = bpy.data.objects.new("set", None)
    empty.instance_type, empty.instance_collection = "COLLECTION", chosen.collections[0]
    bpy.context.scene.collection.objects.link(empty)


def save_shot(folder, with_files=True):
    """A character's .blend in folder/project/shots that links a set of folder/project/sets, and names files of every kind."""
    path = folder / "project" / "shots" / "shot.blend"
    path.parent.mkdir(parents=True)
    save_set(folder / "project" / "sets" / "set.blend")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    _, body = make_character()
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    link_set(folder / "project" / "sets" / "set.blend")
    if with_files:
        name_files(body)
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path


def name_files(body):
    """Make the open file name a file of each kind that Blender remaps when it saves in another folder."""
    bpy.data.images.new("cloth", 8, 8).filepath = "//../tex/cloth.png"
    bpy.data.images["cloth"].source, bpy.data.images["cloth"].use_fake_user = "FILE", True
    bpy.data.texts.new("notes").filepath = "//notes.txt"
    volume = bpy.data.volumes.new("smoke")
    volume.filepath, volume.use_fake_user = "//vdb/smoke.vdb", True
    cache = body.modifiers.new("cache", "MESH_CACHE")
    cache.filepath, cache.show_viewport = "//caches/body.pc2", False
    ocean = body.modifiers.new("ocean", "OCEAN")
    ocean.filepath, ocean.show_viewport = "//caches/ocean", False
    nodes = body.modifiers.new("nodes", "NODES")
    nodes.node_group = bpy.data.node_groups.new("nothing", "GeometryNodeTree")
    setattr(nodes, "bake_directory" if hasattr(nodes, "bake_directory") else "simulation_bake_directory", "//bakes")
    material = body.data.materials[0]
    material.use_nodes = True
    script, light = (material.node_tree.nodes.new(kind) for kind in ("ShaderNodeScript", "ShaderNodeTexIES"))
    script.mode = light.mode = "EXTERNAL"
    script.filepath, light.filepath = "//shaders/skin.osl", "//lights/lamp.ies"
    editor = bpy.context.scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    strips.new_image("storyboard", "//boards/0001.png", 1, 1)


@pytest.mark.skipif(not hasattr(bpy.data, "file_path_map"), reason="This Blender cannot list its paths")
@pytest.mark.parametrize("target", FORMATS_FOLDERS)
def test_every_path_leads_to_the_same_file(performance, tmp_path, target):
    path = save_shot(tmp_path)
    bpy.ops.wm.open_mainfile(filepath=str(path))
    before = absolute_paths()
    assert len(before) >= 8
    out = tmp_path / target / "out.blend"
    write_retargeted([("walk", performance)], [Output(out, (0,))], str(path))
    bpy.ops.wm.open_mainfile(filepath=str(out))
    assert absolute_paths() == before


@pytest.mark.parametrize("target", FORMATS_FOLDERS)
def test_linked_libraries_are_found(performance, tmp_path, target):
    path, out = save_shot(tmp_path, with_files=False), tmp_path / target / "out.blend"
    write_retargeted([("walk", performance)], [Output(out, (0,))], str(path))
    bpy.ops.wm.open_mainfile(filepath=str(out))
    assert len(bpy.data.libraries) == 2
    assert not any(library.is_missing for library in bpy.data.libraries)
    assert all(library.filepath.startswith("//") for library in bpy.data.libraries)
    assert len(bpy.data.objects["screw"].data.vertices) == 3


def test_the_folder_that_the_output_moves_to_counts(performance, tmp_path):
    path, home = save_shot(tmp_path, with_files=False), tmp_path / "a" / "b" / "c"
    write_retargeted([("walk", performance)], [Output(tmp_path / "scratch.blend", (0,), home)], str(path))
    home.mkdir(parents=True)
    shutil.move(tmp_path / "scratch.blend", home / "out.blend")
    bpy.ops.wm.open_mainfile(filepath=str(home / "out.blend"))
    assert len(bpy.data.objects["screw"].data.vertices) == 3


def test_a_project_can_be_moved(performance, tmp_path):
    path, out = save_shot(tmp_path, with_files=False), tmp_path / "project" / "out" / "out.blend"
    write_retargeted([("walk", performance)], [Output(out, (0,))], str(path))
    shutil.move(tmp_path / "project", tmp_path / "elsewhere")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "elsewhere" / "out" / "out.blend"))
    assert len(bpy.data.objects["screw"].data.vertices) == 3


def test_absolute_paths_of_libraries_stay(tmp_path):
    path = save_shot(tmp_path, with_files=False)
    bpy.ops.wm.open_mainfile(filepath=str(path))
    bpy.ops.file.make_paths_absolute()
    before = [library.filepath for library in bpy.data.libraries]
    with relative_file_paths(tmp_path / "other"):
        assert [library.filepath for library in bpy.data.libraries] == before
        assert not before[0].startswith("//")


def test_another_drive_gets_absolute_paths(tmp_path, monkeypatch):
    path = save_shot(tmp_path, with_files=False)
    bpy.ops.wm.open_mainfile(filepath=str(path))

    def no_relative_path(path, start):
        raise ValueError("path is on another mount")

    monkeypatch.setattr(bpy.path, "relpath", no_relative_path)
    with relative_file_paths(tmp_path / "other"):
        assert all(Path(library.filepath).is_file() for library in bpy.data.libraries)


def test_relative_paths_of_windows_hold_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(relative_paths.os, "sep", "\\")
    monkeypatch.setattr(bpy.path, "relpath", lambda path, start: "//..\\a\\" + Path(path).name)
    assert relative_paths.portable_relative_path("/somewhere/a/b.png", "/somewhere/c") == "//../a/b.png"


def test_the_open_file_keeps_its_paths(tmp_path):
    path = save_shot(tmp_path)
    bpy.ops.wm.open_mainfile(filepath=str(path))
    armature = bpy.data.objects["character"]
    before = [library.filepath for library in bpy.data.libraries], bpy.data.objects["character body"].modifiers["cache"].filepath
    export_assembly(tmp_path / "out" / "a.blend", CharacterGroup((armature,), ()))
    after = [library.filepath for library in bpy.data.libraries], bpy.data.objects["character body"].modifiers["cache"].filepath
    assert after == before
    assert len(bpy.data.objects["screw"].data.vertices) == 3


@pytest.mark.parametrize("name, linked", [("film_override.blend", "Body_mixamo"), ("film_set.blend", "Cube")])
def test_films_lose_nothing(shared_cases, performance, tmp_path, name, linked):
    out = tmp_path / "out" / "out.blend"
    write_retargeted([("walk", performance)], [Output(out, (0,))], str(shared_cases / "film" / name))
    bpy.ops.wm.open_mainfile(filepath=str(out))
    assert not any(library.is_missing for library in bpy.data.libraries)
    assert len(bpy.data.objects[linked].data.vertices) > 7
    rig = next(obj for obj in bpy.data.objects if obj.type == "ARMATURE" and not obj.library)
    assert rig.animation_data.action.name == "walk"
