"""A texture painted from footage: in the material of the skin, packed, and in the files of other programs."""

import struct
import zlib

import bpy
import numpy as np
import pytest

from blender_meshrec.cli import program
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.files.motion_npz import write_motion
from blender_meshrec.scene.assemble import Person, assemble, match_scene
from blender_meshrec.scene.assembly import AssemblyOptions
from blender_meshrec.scene.export.export import export_assembly
from blender_meshrec.scene.person.texture import TEXTURE_NODE
from tests.support.blender_imports import import_file, imported_object
from tests.support.synthetic_bodies import make_recovery, make_tube_body

COLOURS = ((200, 30, 40), (20, 180, 60))  # of the left and the right half


def png(first=COLOURS[0], second=COLOURS[1], size=8):
    """The content of a PNG file of two colours side by side."""
    row = b"\0" + bytes(first) * (size // 2) + bytes(second) * (size // 2)

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row * size)) + chunk(b"IEND", b"")


@pytest.fixture(scope="module")
def template():
    return load_body("open")


@pytest.fixture(scope="module")
def recovery(template):
    return make_recovery(template, frames=4)


def make(template, recovery, content, **options):
    made = assemble([Person("anna", recovery, template, texture=content, **options)], "clip", AssemblyOptions(pose_shapes=False))
    match_scene(bpy.context.scene, made, recovery.camera)
    return made


def shown_image(mesh_object):
    """The image that the material of most of a mesh has as its base colour."""
    indices = np.zeros(len(mesh_object.data.polygons), np.int32)
    mesh_object.data.polygons.foreach_get("material_index", indices)
    material = mesh_object.data.materials[np.bincount(indices).argmax()]
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    links = shader.inputs["Base Color"].links
    return links[0].from_node.image if links else None


def colours_of(image):
    pixels = np.array(image.pixels[:]).reshape(image.size[1], image.size[0], -1)
    return tuple(tuple((255 * pixels[1, x, :3]).round().astype(int).tolist()) for x in (1, image.size[0] - 2))


def test_the_skin_shows_the_texture_and_the_file_holds_it(template, recovery, tmp_path):
    made = make(template, recovery, png())
    image = shown_image(made.meshes[0])
    assert image.packed_file is not None and image.colorspace_settings.name == "sRGB" and colours_of(image) == COLOURS
    assert made.notes == () or all("UV" not in note for note in made.notes)
    export_assembly(tmp_path / "a.blend", made)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    assert colours_of(shown_image(imported_object("MESH"))) == COLOURS


def test_without_a_texture_the_skin_has_its_colours(template, recovery):
    assert shown_image(make(template, recovery, None).meshes[0]) is None


@pytest.mark.parametrize("name", ["a.fbx", "a.glb", "a.usdc"])
def test_other_programs_get_the_texture(name, template, recovery, tmp_path):
    """The file is moved before it is read, without anything beside it but NAME_texture.png, which the command writes."""
    folder = tmp_path / "made"
    folder.mkdir()
    content = png()
    (folder / "a_texture.png").write_bytes(content)
    export_assembly(folder / name, make(template, recovery, content))
    assert sorted(path.name for path in folder.iterdir()) == sorted([name, "a_texture.png"])
    moved = folder.rename(tmp_path / "moved")
    import_file(moved / name, 30)
    image = shown_image(imported_object("MESH"))
    assert image is not None and colours_of(image) == COLOURS


def test_a_new_take_replaces_the_texture_and_keeps_the_material(template, recovery):
    made = make(template, recovery, png())
    material = made.meshes[0].data.materials[0]
    material.roughness = 0.25
    made.meshes[0]["meshrec_made"] = True
    again = make(template, recovery, png((0, 0, 255), (255, 255, 0)), rig=made.armatures[0])
    assert again.meshes == made.meshes and made.meshes[0].data.materials[0] == material and material.roughness == 0.25
    assert colours_of(material.node_tree.nodes[TEXTURE_NODE].image) == ((0, 0, 255), (255, 255, 0)) and len(bpy.data.images) == 1


def test_a_body_without_a_uv_map_keeps_its_colours_and_says_so():
    tubes = make_tube_body()
    made = make(tubes, make_recovery(tubes, frames=4), png())
    assert any("UV map" in note for note in made.notes) and shown_image(made.meshes[0]) is None


def test_convert_takes_the_texture_that_lies_beside_a_motion(recovery, tmp_path):
    write_motion(tmp_path / "walk.npz", recovery)
    (tmp_path / "walk_texture.png").write_bytes(png())
    assert program.main(["convert", str(tmp_path / "walk.npz"), "-o", str(tmp_path / "out" / "b.glb")]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["b.glb", "b_texture.png"]
    import_file(tmp_path / "out" / "b.glb", 30)
    assert colours_of(shown_image(imported_object("MESH"))) == COLOURS
