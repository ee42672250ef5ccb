"""What the person looks like: one material for each part of the body the template names, with a colour for the viewport."""

import bpy
import numpy as np

# sRGB. One colour a person, told apart from skin, grass and asphalt; the overlay of the command line uses the same.
PERSON_COLOURS = ((98, 160, 234), (255, 163, 72), (143, 122, 222), (87, 203, 160), (237, 110, 140), (222, 196, 88))
PART_COLOURS = {"skin": (196, 148, 120), "hair": (60, 44, 36), "shirt": None, "trousers": (62, 70, 92), "shoes": (48, 46, 46)}
BONE_COLOUR = (232, 222, 196)
ROUGHNESS = 0.65
SKIN_OPACITY = 0.35  # of a body whose bones are to be seen


def assign_materials(body, template, number):
    """Give a mesh object its materials.

    Args:
        template: a BodyTemplate; where it names parts, each gets a material of its own.
        number: the person's, from 0; it chooses the colour that tells the people of a scene apart.
    """
    person = PERSON_COLOURS[number % len(PERSON_COLOURS)]
    if template.face_parts is None:
        body.data.materials.append(_make_material(body.name, person))
        return
    for part in template.part_names:
        body.data.materials.append(_make_material(f"{body.name} {part}", PART_COLOURS.get(part) or person))
    body.data.polygons.foreach_set("material_index", np.asarray(template.face_parts, np.int32))


def assign_skel_materials(skin, bones, number):
    """Give SKEL's skin a material that lets its bones be seen, and the bones theirs."""
    skin.data.materials.append(_make_material(skin.name, PERSON_COLOURS[number % len(PERSON_COLOURS)], SKIN_OPACITY))
    bones.data.materials.append(_make_material(bones.name, BONE_COLOUR))


def _make_material(name, srgb, opacity=1.0):
    colour = (*_linear_from_srgb(np.array(srgb) / 255), opacity)
    material = bpy.data.materials.new(name)
    material.diffuse_color = colour
    material.roughness = ROUGHNESS
    if material.node_tree is None:  # Blender 4.2 and 4.5; later materials are born with nodes
        material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (*colour[:3], 1.0)
    shader.inputs["Alpha"].default_value = opacity
    shader.inputs["Roughness"].default_value = ROUGHNESS
    return material


def _linear_from_srgb(srgb):
    """sRGB 0..1 to linear light. Source: IEC 61966-2-1."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
