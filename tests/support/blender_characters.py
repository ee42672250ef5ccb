"""A synthetic artist's character: Mixamo's bone names, in a T-pose, with a skin of boxes."""

import bpy
import numpy as np
from mathutils import Vector

_TRUNK = {
    "Hips": (None, (0, 0, 1.0)),
    "Spine": ("Hips", (0, 0.01, 1.1)),
    "Spine1": ("Spine", (0, 0.015, 1.22)),
    "Spine2": ("Spine1", (0, 0.01, 1.35)),
    "Neck": ("Spine2", (0, 0, 1.5)),
    "Head": ("Neck", (0, -0.02, 1.6)),
    "Prop": ("Hips", (0, 0.2, 0.9)),
}
_SIDE = {
    "Shoulder": ("Spine2", (0.05, 0, 1.45)),
    "Arm": ("Shoulder", (0.17, 0, 1.45)),
    "ForeArm": ("Arm", (0.44, 0.01, 1.45)),
    "Hand": ("ForeArm", (0.70, 0, 1.45)),
    "UpLeg": ("Hips", (0.1, 0, 0.97)),
    "Leg": ("UpLeg", (0.1, -0.015, 0.53)),
    "Foot": ("Leg", (0.1, 0.01, 0.1)),
    "ToeBase": ("Foot", (0.1, -0.13, 0.03)),
}
_FINGERS = {"Thumb": -0.04, "Index": -0.025, "Middle": 0.0, "Ring": 0.02, "Pinky": 0.04}  # offset across the hand, m
_ENDS = {"Head": (0, 0, 0.2), "Prop": (0, 0.1, 0), "ToeBase": (0, -0.07, 0), "Hand": (0.08, 0, 0)}


def _bones(fingers):
    bones = dict(_TRUNK)
    for side, sign in (("Left", 1), ("Right", -1)):
        mine = dict(_SIDE)
        for finger, across in _FINGERS.items() if fingers else ():
            for joint in range(1, 5):
                above = "Hand" if joint == 1 else f"Hand{finger}{joint - 1}"
                mine[f"Hand{finger}{joint}"] = (above, (0.72 + 0.03 * joint, across, 1.45))
        for name, (parent, head) in mine.items():
            bones[side + name] = (side + parent if parent in mine else parent, (sign * head[0], *head[1:]))
    return bones


def make_character(name="character", scale=1.0, fingers=False, only=(), short=()):
    """Make the character in the current scene.

    Args:
        scale: armature units per metre. fingers: whether to add five fingers of four bones. only: names of the bones to make,
            all by default. short: names of bones with almost no length.

    Returns:
        the armature object, the mesh object.
    """
    bones = {bone: place for bone, place in _bones(fingers).items() if not only or bone in only}
    armature = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    tails = {}
    for bone, (parent, head) in bones.items():
        made = armature.data.edit_bones.new(bone)
        below = [place for other, place in bones.values() if other == bone]
        stem = bone.removeprefix("Left").removeprefix("Right")
        end = np.array(_ENDS.get(stem, (0.03, 0, 0))) * ((-1, 1, 1) if bone.startswith("Right") else (1, 1, 1))
        tails[bone] = np.array(below[0] if below and bone != "Hips" else np.add(head, end if bone != "Hips" else (0, 0, 0.1)))
        if bone in short:
            tails[bone] = np.add(head, (2e-6, 0, 0))  # Blender itself removes bones of 1e-6
        made.head, made.tail = scale * np.array(head), scale * tails[bone]
        made.parent = armature.data.edit_bones[parent] if parent in bones else None
    bpy.ops.object.mode_set(mode="OBJECT")
    return armature, _skin(armature, {bone: (np.array(head), tails[bone]) for bone, (_, head) in bones.items()}, scale)


def add_bone(armature, name, parent, head):
    """Add a bone, 10 cm long."""
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bone = armature.data.edit_bones.new(name)
    bone.head, bone.tail = head, np.add(head, (0, 0, 0.1))
    bone.parent = armature.data.edit_bones[parent] if parent else None
    bpy.ops.object.mode_set(mode="OBJECT")


def _skin(armature, bones, scale):
    """Make a box around every bone, weighted to it alone; no box is below the floor."""
    corners = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    vertices, faces = [], []
    for number, (head, tail) in enumerate(bones.values()):
        box = (head + tail) / 2 + corners * np.maximum(np.abs(tail - head) / 2, 0.03)
        vertices += list(scale * np.maximum(box, [-9, -9, 0]))
        faces += [tuple(8 * number + corner for corner in quad) for quad in quads]
    mesh = bpy.data.meshes.new(f"{armature.name} body")
    mesh.from_pydata([tuple(vertex) for vertex in vertices], [], faces)
    body = bpy.data.objects.new(mesh.name, mesh)
    body.data.materials.append(bpy.data.materials.new("cloth"))
    bpy.context.scene.collection.objects.link(body)
    body.parent = armature
    body.modifiers.new("Armature", "ARMATURE").object = armature
    for number, name in enumerate(bones):
        body.vertex_groups.new(name=name).add(list(range(8 * number, 8 * number + 8)), 1.0, "REPLACE")
    return body


def add_controls(armature, kind, offset=0.0):
    """Make a hand-made control rig: each bone X becomes DEF-X and follows CTRL-X, a copy without skin, by a constraint of this type.

    Args:
        offset: of the controls from the bones, armature units. With COPY_ROTATION the hips also copy the location; with
            ARMATURE the bones have no parents.
    """
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    edit_bones = armature.data.edit_bones
    names = [bone.name for bone in edit_bones]
    for name in names:
        bone, control = edit_bones[name], edit_bones.new(f"CTRL-{name}")
        control.head, control.tail, control.roll, control.use_deform = bone.head, bone.tail, bone.roll, False
        control.translate(Vector((offset, 0, 0)))
        control.parent = edit_bones[f"CTRL-{bone.parent.name}"] if bone.parent else None
    if kind == "ARMATURE":  # adds to what a bone inherits
        for name in names:
            edit_bones[name].parent = None
    bpy.ops.object.mode_set(mode="OBJECT")
    for name in names:
        kinds = (kind, "COPY_LOCATION") if kind == "COPY_ROTATION" and name == "Hips" else (kind,)
        for constraint in map(armature.pose.bones[name].constraints.new, kinds):
            target = constraint.targets.new() if kind == "ARMATURE" else constraint
            target.target, target.subtarget = armature, f"CTRL-{name}"
        armature.data.bones[name].name = f"DEF-{name}"
    bpy.context.view_layer.update()
