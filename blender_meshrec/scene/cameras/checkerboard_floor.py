"""A checkerboard on the floor of a result, to judge feet and paths by; it is an object of its own, which can be removed without a trace."""

import bpy
import numpy as np

from ...core.array_types import FloatArray
from ..context import active_scene, pose_bones
from ..free_names import free_name
from ..person.materials import make_material
from ..takes.earlier_results import clip_collection
from ..takes.played_take import played_take
from ..unit_scale import metres_per_unit

FLOOR_PROPERTY = "meshrec_floor"  # of the floor's object
_MARGIN = 2.0  # m around the person's path
_SQUARE = 0.5  # m
_MAX_SQUARES = 200  # along a side
_COLOURS = ((196, 196, 196), (96, 96, 96))  # sRGB
_SAMPLES = 24  # frames at which the path is looked at


def find_floor(armature_object: bpy.types.Object) -> bpy.types.Object | None:
    """The checkerboard of a person's clip; None if there is none."""
    clip = clip_collection(armature_object)
    return next((obj for obj in clip.objects if FLOOR_PROPERTY in obj), None) if clip is not None else None


def add_floor(armature_object: bpy.types.Object) -> bpy.types.Object:
    """Add a checkerboard below a person's path, at the height of the floor of their world."""
    unit = metres_per_unit(armature_object)
    low, high = _path_bounds(armature_object)
    first = np.floor((low * unit - _MARGIN) / _SQUARE).astype(int)
    count = np.clip(np.ceil((high * unit + _MARGIN) / _SQUARE).astype(int) - first, 1, _MAX_SQUARES)
    mesh = bpy.data.meshes.new("checkerboard floor")
    columns, rows = np.meshgrid(np.arange(count[0] + 1), np.arange(count[1] + 1), indexing="ij")
    corners = np.stack([columns + first[0], rows + first[1], np.zeros_like(rows)], -1).reshape(-1, 3) * _SQUARE / unit
    i, j = (values.ravel() for values in np.meshgrid(np.arange(count[0]), np.arange(count[1]), indexing="ij"))
    corner = i * (count[1] + 1) + j
    faces = np.stack([corner, corner + count[1] + 1, corner + count[1] + 2, corner + 1], -1)
    mesh.from_pydata(corners.tolist(), [], faces.tolist())
    mesh.polygons.foreach_set("material_index", ((i + j + first.sum()) % 2).astype(np.int32))
    for number, colour in enumerate(_COLOURS):
        mesh.materials.append(make_material(f"checkerboard {number + 1}", colour))
    floor = bpy.data.objects.new(free_name("checkerboard floor", bpy.data.objects), mesh)
    floor[FLOOR_PROPERTY] = True
    (clip_collection(armature_object) or active_scene().collection).objects.link(floor)
    return floor


def remove_floor(floor: bpy.types.Object) -> None:
    """Remove a checkerboard with its mesh and materials."""
    mesh = floor.data
    bpy.data.objects.remove(floor)
    if isinstance(mesh, bpy.types.Mesh) and mesh.users == 0:
        materials = [material for material in mesh.materials if material is not None]
        bpy.data.meshes.remove(mesh)
        for material in materials:
            if material.users == 0:
                bpy.data.materials.remove(material)


def _path_bounds(armature_object: bpy.types.Object) -> tuple[FloatArray, FloatArray]:
    """The least and greatest (2,) of where a person's bones are over their motion, in units of the scene; the frame stays what it is."""
    scene, take = active_scene(), played_take(armature_object)
    first, last = (scene.frame_start, scene.frame_end) if take is None else (frame + take.shift for frame in take.action.frame_range)
    current, points = scene.frame_current, list[FloatArray]()
    for frame in np.unique(np.linspace(first, last, _SAMPLES).round().astype(int)):
        scene.frame_set(int(frame))
        matrix = np.array(armature_object.matrix_world)
        heads = np.array([bone.head for bone in pose_bones(armature_object)])
        points.append((heads @ matrix[:3, :3].T + matrix[:3, 3])[:, :2])
    scene.frame_set(current)
    everywhere = np.concatenate(points)
    return everywhere.min(0), everywhere.max(0)
