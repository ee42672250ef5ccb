"""Characters' files that are made to fill the memory: the picture is left out and named, the motion is written."""

import struct
import zlib

import bpy
import pytest

from blender_meshrec.core.files.gltf import read_gltf
from blender_meshrec.retarget.source.files import read_performance
from blender_meshrec.scene.character.external_files import MAX_TEXTURE_SIDE
from blender_meshrec.scene.outputs import Output
from blender_meshrec.scene.retargeting.retarget_outputs import write_retargeted
from tests.conftest import ROOT
from tests.support.blender_characters import make_character


def png(width, height):
    """A PNG whose header states a size, with a few pixels."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(min(height, 8) * (3 * min(width, 8) + 1)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def with_picture(path, picture, tmp_path):
    """Save the synthetic character with a texture of a picture's content, packed; returns the file's path."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    _armature, body = make_character()
    (tmp_path / "skin.png").write_bytes(png(8, 8))
    image = bpy.data.images.load(str(tmp_path / "skin.png"))
    image.pack(data=picture, data_len=len(picture))
    material = bpy.data.materials.new("skin")
    material.use_nodes = True
    node = material.node_tree.nodes.new("ShaderNodeTexImage")
    node.image = image
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    material.node_tree.links.new(node.outputs["Color"], shader.inputs["Base Color"])
    body.data.materials.clear()
    body.data.materials.append(material)
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path


@pytest.mark.parametrize("suffix", [".glb", ".fbx"])
@pytest.mark.parametrize("side", [8, MAX_TEXTURE_SIDE + 1])
def test_a_packed_picture_that_states_more_pixels_than_textures_have_is_left_out(tmp_path, suffix, side):
    performance = read_performance(ROOT / "scripts" / "demo_clip_truth.npz")
    rig = with_picture(tmp_path / "hero.blend", png(side, side), tmp_path)
    out = tmp_path / f"out{suffix}"
    _quality, notes = write_retargeted([("walk", performance)], [Output(out, (0,))], str(rig))
    left_out = [note for note in notes if getattr(note, "name", "") == "character-files-left-out"]
    assert bool(left_out) == (side > 8)
    if suffix == ".glb":
        assert len(read_gltf(out).content.get("images", [])) == (1 if side == 8 else 0)
