"""How opaque a person's body is drawn, so that the footage or the bones show through it."""

from typing import Any

import bpy

from ..context import mesh_data
from ..takes.new_take import meshes_of


def body_opacity(armature_object: bpy.types.Object) -> float:
    """The opacity of a person's skin, 0..1; 1 without one."""
    materials = _skin_materials(armature_object)
    return materials[0].diffuse_color[3] if materials else 1.0


def set_body_opacity(armature_object: bpy.types.Object, opacity: float) -> None:
    """Set the opacity of a person's skin in 3D views and in renders."""
    for material in _skin_materials(armature_object):
        material.diffuse_color[3] = opacity
        nodes = material.node_tree.nodes if material.node_tree is not None else ()
        for node in nodes:
            if node.type == "BSDF_PRINCIPLED":
                socket: Any = node.inputs["Alpha"]  # each type of socket declares a default_value of its own
                socket.default_value = opacity


def _skin_materials(armature_object: bpy.types.Object) -> list[bpy.types.Material]:
    skins = meshes_of(armature_object)[:1]
    return [material for skin in skins for material in mesh_data(skin).materials if material is not None and not material.library]
