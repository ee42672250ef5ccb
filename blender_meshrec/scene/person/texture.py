"""The texture that was painted from the footage, in the material of a person's skin; the picture is packed into the .blend."""

from collections.abc import Iterable
from typing import Any, cast

import bpy
import numpy as np

from ...core.files.texture_file import TEXTURE_ENDING
from ...core.messages import Message
from ..context import expect_type, mesh_data

TEXTURE_NODE = "MeshRec texture"


def apply_texture(mesh_object: bpy.types.Object, content: bytes, name: str) -> Message | None:
    """Show a texture on a mesh: on all of it, by a material of its own; the materials before remain in their slots.

    A later texture replaces an earlier one in its material, which keeps what an artist has changed of it.

    Args:
        content: of a PNG file. name: of the person.

    Returns:
        a note if the mesh has no UV map.
    """
    mesh = mesh_data(mesh_object)
    if not mesh.uv_layers:
        return Message("texture-without-uvs", '"{name}" has no UV map, which a texture needs: it keeps its colours.', name=mesh_object.name)
    image = pack_image(f"{name}{TEXTURE_ENDING}", content)
    nodes = texture_nodes([mesh_object])
    for node in nodes:
        _replace_image(node, image)
    if nodes:
        return None
    # Before the others, because USD gives a mesh whose faces have one material that of its first slot.
    materials = [_textured_material(f"{name} texture", image), *mesh.materials]
    mesh.materials.clear()
    for material in materials:
        mesh.materials.append(material)
    mesh.polygons.foreach_set("material_index", np.zeros(len(mesh.polygons), np.int32))
    mesh.update()
    return None


def pack_image(name: str, content: bytes) -> bpy.types.Image:
    """An image of the open file, packed into it."""
    image = bpy.data.images.new(name, 8, 8)
    image.source = "FILE"
    pack: Any = image.pack  # declared for text, and takes bytes
    pack(data=content, data_len=len(content))
    space: Any = image.colorspace_settings
    space.name = "sRGB"
    return image


def texture_nodes(meshes: Iterable[bpy.types.Object]) -> list[bpy.types.ShaderNodeTexImage]:
    """The nodes that show textures painted from footage, of the materials of some meshes."""
    found = (
        None if material is None or material.node_tree is None else material.node_tree.nodes.get(TEXTURE_NODE)
        for mesh_object in meshes
        for material in mesh_data(mesh_object).materials
    )
    return [node for node in found if isinstance(node, bpy.types.ShaderNodeTexImage)]


def _replace_image(node: bpy.types.ShaderNodeTexImage, image: bpy.types.Image) -> None:
    earlier = node.image
    node.image = image
    if earlier is not None and earlier.users == 0:
        bpy.data.images.remove(earlier)


def _textured_material(name: str, image: bpy.types.Image) -> bpy.types.Material:
    material = bpy.data.materials.new(name)
    if material.node_tree is None:  # Blender 4.2 and 4.5; later versions create the nodes with the material
        material.use_nodes = True
    tree = expect_type(material.node_tree, bpy.types.NodeTree)
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    node = expect_type(tree.nodes.new("ShaderNodeTexImage"), bpy.types.ShaderNodeTexImage)
    node.name, node.label, node.image = TEXTURE_NODE, "Texture from footage", image
    node.location = (shader.location[0] - 320, shader.location[1])
    links, outputs, inputs = (cast("Any", sockets) for sockets in (tree.links, node.outputs, shader.inputs))
    links.new(outputs["Color"], inputs["Base Color"])
    tree.nodes.active = node  # Solid shading with the colours of textures shows the active one
    roughness = inputs["Roughness"]
    material.roughness = roughness.default_value = 0.8
    return material
