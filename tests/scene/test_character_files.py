"""What a character's file may do: its scripts never run, files outside its folder are not given away, and old or open states are read."""

import contextlib
import json
import os
import shutil

import bpy
import pytest

from blender_meshrec.core.errors import InputError
from blender_meshrec.core.files.gltf import read_gltf
from blender_meshrec.retarget.source.files import read_performance
from blender_meshrec.scene.character.rig_file import load_character
from blender_meshrec.scene.export.scene_export import export_characters
from blender_meshrec.scene.outputs import Output
from blender_meshrec.scene.retargeting.retarget_outputs import write_retargeted
from tests.conftest import ROOT
from tests.support.ascii_fbx import write_ascii_fbx
from tests.support.blender_characters import make_character

TRUTH = ROOT / "scripts" / "demo_clip_truth.npz"
SECRET = b"root:x:0:0:this line is nobody's business\n"


@pytest.fixture(scope="module")
def performance():
    return read_performance(TRUTH)


@pytest.fixture
def folders(tmp_path):
    """The folder of a character's file, and a private folder beside it with a text file and a picture."""
    own, private = tmp_path / "download", tmp_path / "private"
    own.mkdir()
    private.mkdir()
    (private / "passwords.txt").write_bytes(SECRET)
    save_picture(private / "holiday.png")
    save_picture(own / "cloth.png")
    return own, private


@pytest.fixture
def export(performance):
    """A function that retargets a character's file to an output and returns the notes."""

    def write(rig, output):
        return write_retargeted([("walk", performance)], [Output(output, (0,))], str(rig))[1]

    return write


def save_picture(path):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    image = bpy.data.images.new(path.stem, 8, 8)
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()


def make_character_with_picture(filepath, source="FILE"):
    """A character whose cloth shows the picture at `filepath`."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    _, body = make_character()
    image = bpy.data.images.new("cloth", 8, 8)
    image.filepath_raw, image.source = str(filepath), source
    material = body.data.materials[0]
    material.use_nodes = True
    node = material.node_tree.nodes.new("ShaderNodeTexImage")
    node.image = image
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    material.node_tree.links.new(node.outputs["Color"], shader.inputs["Base Color"])
    body.data.uv_layers.new()
    return body, image


def save_blend(path):
    bpy.ops.wm.save_as_mainfile(filepath=str(path), relative_remap=False)
    return path


def save_gltf(folder, edit):
    """A character as hero.gltf with a texture cloth.png and hero.bin, its JSON changed by `edit`."""
    make_character_with_picture(folder / "cloth.png")
    path = folder / "hero.gltf"
    bpy.ops.export_scene.gltf(filepath=str(path), export_format="GLTF_SEPARATE", export_keep_originals=True)
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))
    return path


def save_glb(folder, uri):
    """A character as hero.glb whose picture is the file `uri`."""
    path = save_gltf(folder, lambda content: content["images"][0].update(uri=uri))
    content = json.loads(path.read_text())
    binary = (folder / content["buffers"][0].pop("uri")).read_bytes()
    text = json.dumps(content).encode()
    text += b" " * (-len(text) % 4)
    binary += bytes(-len(binary) % 4)
    chunks = len(text).to_bytes(4, "little") + b"JSON" + text + len(binary).to_bytes(4, "little") + b"BIN\0" + binary
    (folder / "hero.glb").write_bytes(b"glTF" + (2).to_bytes(4, "little") + (12 + len(chunks)).to_bytes(4, "little") + chunks)
    return folder / "hero.glb"


def pictures_in(path):
    """The number of pictures in a .glb, or of embedded ones in an .fbx."""
    if path.suffix == ".glb":
        return len(read_gltf(path).content.get("images", ()))
    return path.read_bytes().count(b"\x89PNG")


@pytest.mark.parametrize("suffix", [".fbx", ".glb"])
def test_pictures_of_the_own_folder_are_embedded(folders, export, tmp_path, suffix):
    own, _ = folders
    make_character_with_picture("//cloth.png")
    notes = export(save_blend(own / "hero.blend"), tmp_path / f"out{suffix}")
    assert pictures_in(tmp_path / f"out{suffix}") == 1
    assert not [note for note in notes if "Left out" in note]


@pytest.mark.parametrize("suffix", [".fbx", ".glb"])
@pytest.mark.parametrize("source", ["FILE", "GENERATED", "SEQUENCE", "TILED"])
@pytest.mark.parametrize("name", ["passwords.txt", "holiday.png"])
def test_a_blend_gives_no_file_outside_its_folder_away(folders, export, tmp_path, suffix, name, source):
    own, _ = folders
    make_character_with_picture(f"//../private/{name}", source)
    output = tmp_path / f"out{suffix}"
    notes = export(save_blend(own / "hero.blend"), output)
    assert SECRET not in output.read_bytes()
    assert pictures_in(output) == 0
    assert any(name in note and "hero.blend" in note for note in notes)


def test_a_link_out_of_the_folder_is_followed(folders, export, tmp_path):
    own, private = folders
    (own / "skin.png").symlink_to(private / "holiday.png")
    make_character_with_picture("//skin.png")
    notes = export(save_blend(own / "hero.blend"), tmp_path / "out.fbx")
    assert pictures_in(tmp_path / "out.fbx") == 0
    assert any("skin.png" in note for note in notes)


def test_what_is_no_picture_is_not_embedded(folders, export, tmp_path):
    own, private = folders
    shutil.copyfile(private / "passwords.txt", own / "skin.png")
    make_character_with_picture("//skin.png")
    assert any("skin.png" in note for note in export(save_blend(own / "hero.blend"), tmp_path / "out.fbx"))
    assert SECRET not in (tmp_path / "out.fbx").read_bytes()


@pytest.mark.parametrize("suffix", [".fbx", ".glb"])
def test_the_export_buttons_embed_pictures_alone(folders, tmp_path, suffix):
    own, _ = folders
    for name in ("passwords.txt", "holiday.png"):
        make_character_with_picture(f"//../private/{name}")
        bpy.ops.wm.open_mainfile(filepath=str(save_blend(own / "hero.blend")))
        output = tmp_path / f"{name}{suffix}"
        notes = export_characters(output, [bpy.data.objects["character"]])
        assert SECRET not in output.read_bytes()
        assert pictures_in(output) == (name == "holiday.png")
        assert any(name in note for note in notes) == (name == "passwords.txt")
        assert bpy.data.images["cloth"].filepath == f"//../private/{name}"


def test_packed_pictures_are_embedded(folders, export, tmp_path):
    own, private = folders
    _, image = make_character_with_picture(private / "holiday.png")
    image.pack()
    notes = export(save_blend(own / "hero.blend"), tmp_path / "out.fbx")
    assert pictures_in(tmp_path / "out.fbx") == 1
    assert not [note for note in notes if "Left out" in note]


def test_pictures_that_the_character_does_not_use_are_not_mentioned(folders, export, tmp_path):
    own, private = folders
    make_character_with_picture("//cloth.png")
    bpy.data.images.load(str(private / "holiday.png")).use_fake_user = True
    notes = export(save_blend(own / "hero.blend"), tmp_path / "out.fbx")
    assert not [note for note in notes if "Left out" in note]


def test_saving_packs_no_file_outside_the_folder(folders, export, tmp_path):
    own, private = folders
    make_character_with_picture("//../private/holiday.png")
    bpy.data.images.load(str(own / "cloth.png")).use_fake_user = True
    bpy.data.images["cloth"].use_fake_user = True
    path = save_blend(own / "hero.blend")
    bpy.ops.wm.open_mainfile(filepath=str(path))
    bpy.data.use_autopack = True
    with contextlib.suppress(RuntimeError):  # this saving does not find the picture, and so packs it not
        shutil.move(private, tmp_path / "away")
        shutil.move(own / "cloth.png", tmp_path / "cloth.png")
        bpy.ops.wm.save_as_mainfile(filepath=str(path))
    shutil.move(tmp_path / "away", private)
    shutil.move(tmp_path / "cloth.png", own / "cloth.png")
    export(path, tmp_path / "out" / "out.blend")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "out" / "out.blend"))
    packed = {os.path.basename(image.filepath): bool(image.packed_files) for image in bpy.data.images if image.filepath}
    assert packed == {"cloth.png": True, "holiday.png": False}


@pytest.mark.parametrize("suffix", [".fbx", ".glb", ".blend"])
@pytest.mark.parametrize("spelling", ["../private/{}", "%2e%2e/private/{}", "..\\private\\{}", "{folder}/{}", "data:/../../private/{}"])
@pytest.mark.parametrize("name", ["passwords.txt", "holiday.png"])
def test_a_gltf_gives_no_file_outside_its_folder_away(folders, export, tmp_path, suffix, spelling, name):
    own, private = folders
    uri = spelling.format(name, folder=private)
    path = save_gltf(own, lambda content: content["images"][0].update(uri=uri))
    output = tmp_path / f"out{suffix}"
    notes = export(path, output)
    assert any(name in note and "hero.gltf" in note for note in notes)
    if suffix != ".blend":
        assert SECRET not in output.read_bytes()
        assert pictures_in(output) == 0
        return
    bpy.ops.wm.open_mainfile(filepath=str(output))
    assert not any(image.packed_files for image in bpy.data.images)


@pytest.mark.parametrize("name", ["hero.glb", "hero.vrm"])
def test_binary_gltf_gives_no_file_outside_its_folder_away(folders, export, tmp_path, name):
    own, private = folders
    path = save_glb(own, str(private / "holiday.png")).rename(own / name)
    assert any("holiday.png" in note for note in export(path, tmp_path / "out.glb"))
    assert pictures_in(tmp_path / "out.glb") == 0


@pytest.mark.parametrize("name", ["hero.glb", "hero.vrm"])
def test_binary_gltf_reads_pictures_of_its_own_folder(folders, export, tmp_path, name):
    own, _ = folders
    path = save_glb(own, "cloth.png").rename(own / name)
    assert not [note for note in export(path, tmp_path / "out.glb") if "Left out" in note]
    assert pictures_in(tmp_path / "out.glb") == 1


def test_one_forbidden_picture_costs_no_other(folders, export, tmp_path):
    own, _ = folders

    def add_picture(content):
        content["images"].append({"uri": "../private/holiday.png", "mimeType": "image/png"})
        content["textures"].append({"source": 1})
        content["materials"][0]["emissiveTexture"] = {"index": 1}

    notes = export(save_gltf(own, add_picture), tmp_path / "out.glb")
    assert any("holiday.png" in note for note in notes)
    assert pictures_in(tmp_path / "out.glb") == 1


def test_geometry_outside_the_folder_is_refused(folders):
    own, private = folders
    path = save_gltf(own, lambda content: content["buffers"][0].update(uri="../private/hero.bin"))
    shutil.move(own / "hero.bin", private / "hero.bin")
    with pytest.raises(InputError, match=r"outside its folder: \.\./private/hero\.bin"):
        load_character(path)


def test_pipes_are_not_read(folders, export, tmp_path):
    own, _ = folders
    os.mkfifo(own / "pipe.png")
    path = save_gltf(own, lambda content: content["images"][0].update(uri="pipe.png"))
    assert any("pipe.png" in note for note in export(path, tmp_path / "out.fbx"))
    path = save_gltf(own, lambda content: content["buffers"][0].update(uri="pipe.png"))
    with pytest.raises(InputError, match="a pipe"):
        load_character(path)


def test_an_fbx_gives_no_file_outside_its_folder_away(folders, export, tmp_path):
    own, private = folders
    for name in ("passwords.txt", "holiday.png"):
        make_character_with_picture(private / name)
        bpy.ops.export_scene.fbx(filepath=str(own / "hero.fbx"), path_mode="RELATIVE")
        notes = export(own / "hero.fbx", tmp_path / "out.fbx")
        assert SECRET not in (tmp_path / "out.fbx").read_bytes()
        assert pictures_in(tmp_path / "out.fbx") == 0
        assert any(name in note for note in notes)


@pytest.mark.skipif(not hasattr(bpy.types, "GeometryNodeImportText"), reason="This Blender has no nodes that read files")
def test_geometry_nodes_read_no_file_outside_the_folder(folders, export, tmp_path):
    own, private = folders
    bpy.ops.wm.read_factory_settings(use_empty=True)
    _, body = make_character()
    group = bpy.data.node_groups.new("reader", "GeometryNodeTree")
    group.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    reader, curves = group.nodes.new("GeometryNodeImportText"), group.nodes.new("GeometryNodeStringToCurves")
    fill, output = group.nodes.new("GeometryNodeFillCurve"), group.nodes.new("NodeGroupOutput")
    realize = group.nodes.new("GeometryNodeRealizeInstances")
    reader.inputs[0].default_value = str(private / "passwords.txt")
    group.links.new(reader.outputs[0], curves.inputs[0])
    group.links.new(curves.outputs[0], realize.inputs[0])
    group.links.new(realize.outputs[0], fill.inputs[0])
    group.links.new(fill.outputs[0], output.inputs[0])
    body.modifiers.new("reader", "NODES").node_group = group
    notes = export(save_blend(own / "hero.blend"), tmp_path / "out.fbx")
    assert any("passwords.txt" in note for note in notes)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.fbx(filepath=str(tmp_path / "out.fbx"))
    assert not [obj for obj in bpy.data.objects if obj.type == "MESH" and len(obj.data.polygons) > 100]


def save_scripted_character(folder, marker):
    """A character whose script and driver make the file `marker` when they run."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    armature, _ = make_character()
    text = bpy.data.texts.new("rig_ui.py")
    text.write(f"open({str(marker)!r}, 'w')")
    text.use_module = True
    driver = armature.driver_add("hide_render").driver
    driver.expression = f"bpy.data.texts[0].write('ran') or bpy.data.images.new('ran', 8, 8) and len({str(marker)!r}) < 0"
    return save_blend(folder / "scripted.blend")


@pytest.mark.parametrize("suffix", [".blend", ".fbx"])
def test_scripts_and_drivers_of_a_character_never_run(export, tmp_path, suffix):
    path, marker = save_scripted_character(tmp_path, tmp_path / "ran"), tmp_path / "ran"
    marker.unlink(missing_ok=True)
    preferences = bpy.context.preferences.filepaths
    preferences.use_scripts_auto_execute = True
    try:
        notes = export(path, tmp_path / f"out{suffix}")
        assert "ran" not in bpy.data.images  # the open file is still the character's
        assert bpy.data.texts["rig_ui.py"].as_string().startswith("open(")
    finally:
        preferences.use_scripts_auto_execute = False
    assert not marker.exists()
    assert any("Python expressions" in note for note in notes)
    assert any("rig_ui.py" in note for note in notes) == (suffix == ".blend")


def test_the_test_of_scripts_would_notice_them(tmp_path):
    path, marker = save_scripted_character(tmp_path, tmp_path / "ran"), tmp_path / "ran"
    marker.unlink(missing_ok=True)
    bpy.ops.wm.open_mainfile(filepath=str(path), use_scripts=True)
    bpy.context.view_layer.update()
    assert marker.exists()
    assert "ran" in bpy.data.images


def test_ordinary_drivers_are_not_mentioned(export, tmp_path):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    armature, _ = make_character()
    armature.driver_add("hide_render").driver.expression = "frame > 1000"
    assert not [note for note in export(save_blend(tmp_path / "hero.blend"), tmp_path / "a.blend") if "Driver" in note]


@pytest.mark.parametrize("mode", ["EDIT", "POSE", "MESH EDIT", "WEIGHT_PAINT"])
def test_a_blend_saved_in_another_mode_is_read(export, tmp_path, mode):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    armature, body = make_character()
    bpy.context.view_layer.objects.active = body if mode in ("MESH EDIT", "WEIGHT_PAINT") else armature
    bpy.ops.object.mode_set(mode=mode.removeprefix("MESH "))
    save_blend(tmp_path / "open.blend")
    assert load_character(tmp_path / "open.blend").armature.mode == "OBJECT"
    export(tmp_path / "open.blend", tmp_path / "out.fbx")
    assert (tmp_path / "out.fbx").is_file()


def test_a_blend_saved_in_the_nlas_tweak_mode_is_read(export, tmp_path):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    armature, _ = make_character()
    animation = armature.animation_data_create()
    animation.nla_tracks.new().strips.new("idle", 1, bpy.data.actions.new("idle"))
    animation.nla_tracks[0].select = animation.nla_tracks[0].strips[0].select = True
    animation.nla_tracks.active = animation.nla_tracks[0]
    animation.use_tweak_mode = True
    assert animation.use_tweak_mode
    save_blend(tmp_path / "tweaked.blend")
    export(tmp_path / "tweaked.blend", tmp_path / "out.fbx")
    assert (tmp_path / "out.fbx").is_file()


def test_several_objects_in_edit_mode_are_read(export, tmp_path):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    anna, bob = make_character("anna")[0], make_character("bob")[0]
    anna.select_set(True)
    bob.select_set(True)
    bpy.ops.object.mode_set(mode="EDIT")
    assert anna.mode == bob.mode == "EDIT"
    save_blend(tmp_path / "two.blend")
    assert load_character(tmp_path / "two.blend", "anna").armature.mode == "OBJECT"
    assert bpy.data.objects["bob"].mode == "OBJECT"


def test_an_fbx_as_text_is_read_where_blender_can(tmp_path):
    path = write_ascii_fbx(
        tmp_path / "hero.fbx", {"Hips": (None, (0, 0, 1)), "Spine": ("Hips", (0, 0, 0.3)), "Head": ("Spine", (0, 0, 0.4))}
    )
    bpy.ops.wm.read_factory_settings(use_empty=True)
    if "fbx_import" not in dir(bpy.ops.wm):
        with pytest.raises(InputError, match=r"4\.5"):
            load_character(path)
        return
    character = load_character(path)
    assert {"Hips", "Spine", "Head"} <= {bone.name for bone in character.armature.data.bones}
    assert sum(obj.type == "ARMATURE" for obj in bpy.data.objects) == 1
    head = character.armature.matrix_world @ character.armature.data.bones["Head"].head_local
    assert tuple(head) == pytest.approx((0, 0, 1.7), abs=1e-5)  # m, z up


def test_what_no_fbx_importer_reads_is_refused(tmp_path):
    (tmp_path / "a.fbx").write_bytes(b"; FBX 7.4.0 project file\nnothing")
    with pytest.raises(InputError, match="cannot be read"):
        load_character(tmp_path / "a.fbx")
