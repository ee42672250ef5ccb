"""Materials of a person: one for each body part that the template names, with a viewport colour."""

from typing import Any

import bpy
import numpy as np

from ...core.array_types import FloatArray
from ...core.files.body_template import BodyTemplate
from ..context import expect_type, mesh_data

# sRGB. One colour per person, distinct from skin, grass and asphalt; the overlay of the command line has the same.
PERSON_COLOURS = ((98, 160, 234), (255, 163, 72), (143, 122, 222), (87, 203, 160), (237, 110, 140), (222, 196, 88))
PART_COLOURS = {"skin": (196, 148, 120), "hair": (60, 44, 36), "shirt": None, "trousers": (62, 70, 92), "shoes": (48, 46, 46)}
BONE_COLOUR = (232, 222, 196)
ROUGHNESS = 0.65
SKIN_OPACITY = 0.35  # of skin with visible bones inside


def assign_materials(mesh_object: bpy.types.Object, template: BodyTemplate, number: int) -> None:
    """Assign materials to a mesh object.

    Args:
        template: if it names parts, each part gets its own material.
        number: the person's, from 0; it selects the person's colour.
    """
    mesh, person_colour = mesh_data(mesh_object), PERSON_COLOURS[number % len(PERSON_COLOURS)]
    if template.face_parts is None:
        mesh.materials.append(make_material(mesh_object.name, person_colour))
        return
    for part in template.part_names:
        mesh.materials.append(make_material(f"{mesh_object.name} {part}", PART_COLOURS.get(part) or person_colour))
    parts = np.asarray(template.face_parts, np.int32)
    mesh.polygons.foreach_set("material_index", parts[:: len(parts) // len(mesh.polygons)])  # quads have the part of their first half


def assign_skel_materials(skin: bpy.types.Object, bones: bpy.types.Object, number: int) -> None:
    """Assign a translucent material to SKEL's skin and an opaque one to its bones."""
    colour = PERSON_COLOURS[number % len(PERSON_COLOURS)]
    mesh_data(skin).materials.append(make_material(skin.name, colour, SKIN_OPACITY))
    mesh_data(bones).materials.append(make_material(bones.name, BONE_COLOUR))


def make_material(name: str, srgb: tuple[int, int, int], opacity: float = 1.0) -> bpy.types.Material:
    """A material of an sRGB colour 0..255, in the viewport too."""
    red, green, blue = _linear_from_srgb(np.array(srgb) / 255)
    material = bpy.data.materials.new(name)
    material.diffuse_color = (red, green, blue, opacity)
    material.roughness = ROUGHNESS
    if material.node_tree is None:  # Blender 4.2 and 4.5; later versions create the nodes with the material
        material.use_nodes = True
    nodes = expect_type(material.node_tree, bpy.types.NodeTree).nodes
    inputs = next(node for node in nodes if node.type == "BSDF_PRINCIPLED").inputs
    for input_name, value in (("Base Color", (red, green, blue, 1.0)), ("Alpha", opacity), ("Roughness", ROUGHNESS)):
        socket: Any = inputs[input_name]  # each type of socket declares a default_value of its own
        socket.default_value = value
    return material


def _linear_from_srgb(srgb: FloatArray) -> FloatArray:
    """Convert sRGB 0..1 to linear light. Source: IEC 61966-2-1."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
