"""Gives a person of the scene another shape, in place: bones at rest and vertices move by what the body moves.

What an artist has changed keeps its offset: bones that were moved, vertices that were sculpted, shape keys and bones that were added.
"""

import contextlib
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import bpy
import numpy as np

from ...core.array_types import FloatArray
from ...core.messages import Message
from ..context import active_scene, active_view_layer, armature_data, mesh_data
from .armature import edit_mode

_UNTOUCHED = 1e-4  # m and rad; a bone this near to where it was made has not been moved by an artist

BodyObjects: TypeAlias = tuple[bpy.types.Object, tuple[bpy.types.Object, ...]]  # an armature object and its mesh objects
_Bones: TypeAlias = dict[str, FloatArray]  # head, tail and roll (7,) by name
_Keys: TypeAlias = dict[str, FloatArray]  # vertices (V,3) by shape key; "" for the mesh itself


def reshape_person(
    armature_object: bpy.types.Object,
    mesh_objects: Iterable[bpy.types.Object],
    build_old: Callable[[bpy.types.Collection], BodyObjects],
    build_new: Callable[[bpy.types.Collection], BodyObjects],
) -> list[Message]:
    """Move the bones and the vertices of a person from one shape to another.

    Args:
        build_old, build_new: make the body in the shape that the person has and in the one it gets, in a collection.

    Returns:
        A note on each mesh with other vertices than the body has, which stays as it is.
    """
    old_bones, old_meshes = _measure(build_old)
    new_bones, new_meshes = _measure(build_new)
    with _editable(armature_data(armature_object)) as edit_bones:
        _move_bones(edit_bones, old_bones, new_bones)
    notes: list[Message] = []
    for mesh_object in mesh_objects:
        count = len(mesh_data(mesh_object).vertices)
        row = next((row for row, keys in enumerate(old_meshes) if len(keys[""]) == count), None)
        if row is None:
            text = '"{name}" keeps its shape: it has other vertices than the body that was reconstructed.'
            notes.append(Message("mesh-keeps-shape", text, name=mesh_object.name))
        else:
            _move_vertices(mesh_object, old_meshes[row], new_meshes[row])
    return notes


def _measure(build: Callable[[bpy.types.Collection], BodyObjects]) -> tuple[_Bones, list[_Keys]]:
    """The bones and shape keys of a body that is made for a moment."""
    collection = bpy.data.collections.new("MeshRec shape")
    active_scene().collection.children.link(collection)
    try:
        armature_object, mesh_objects = build(collection)
        with _editable(armature_data(armature_object)) as edit_bones:
            bones = {bone.name: _bone_values(bone) for bone in edit_bones}
        return bones, [_read_keys(mesh_object) for mesh_object in mesh_objects]
    finally:
        objects = list(collection.objects)
        data = [obj.data for obj in objects if obj.data is not None]
        bpy.data.batch_remove([*objects, collection])
        bpy.data.batch_remove(data)


@contextlib.contextmanager
def _editable(armature: bpy.types.Armature) -> Generator[bpy.types.ArmatureEditBones, None, None]:
    """The edit bones of an armature whose own object may be hidden or in another collection."""
    layer = active_view_layer()
    active = layer.objects.active
    helper = bpy.data.objects.new("MeshRec shape", armature)
    active_scene().collection.objects.link(helper)
    layer.objects.active = helper
    try:
        with edit_mode():
            yield armature.edit_bones
    finally:
        bpy.data.objects.remove(helper)
        layer.objects.active = active


def _bone_values(bone: bpy.types.EditBone) -> FloatArray:
    return np.concatenate([np.array(bone.head), np.array(bone.tail), [bone.roll]])


def _move_bones(edit_bones: bpy.types.ArmatureEditBones, old: Mapping[str, FloatArray], new: Mapping[str, FloatArray]) -> None:
    targets: dict[str, FloatArray] = {}
    for bone in edit_bones:
        values = _bone_values(bone)
        if bone.name in old and bone.name in new:
            is_untouched = np.abs(values - old[bone.name]).max() < _UNTOUCHED
            targets[bone.name] = new[bone.name] if is_untouched else values + new[bone.name] - old[bone.name]
            continue
        carrier = next((parent.name for parent in bone.parent_recursive if parent.name in old and parent.name in new), None)
        if carrier is not None:  # an artist's bone moves along with the body's bone above it
            shift = (new[carrier] - old[carrier])[:3]
            targets[bone.name] = values + np.array([*shift, *shift, 0.0])
    for name, values in targets.items():  # of connected bones, the child's head comes after the parent's tail
        bone = edit_bones[name]
        bone.head, bone.tail, bone.roll = values[:3].tolist(), values[3:6].tolist(), float(values[6])


def _read_keys(mesh_object: bpy.types.Object) -> _Keys:
    mesh = mesh_data(mesh_object)
    keys = {"": _read_vertices(mesh.vertices, len(mesh.vertices))}
    if mesh.shape_keys is not None:
        keys |= {key.name: _read_vertices(key.data, len(mesh.vertices)) for key in mesh.shape_keys.key_blocks}
    return keys


def _read_vertices(points: Any, count: int) -> FloatArray:
    values = np.empty(3 * count, np.float32)
    points.foreach_get("co", values)
    return values.reshape(count, 3)


def _move_vertices(mesh_object: bpy.types.Object, old: Mapping[str, FloatArray], new: Mapping[str, FloatArray]) -> None:
    mesh = mesh_data(mesh_object)
    blocks: Sequence[bpy.types.ShapeKey] = () if mesh.shape_keys is None else tuple(mesh.shape_keys.key_blocks)
    for name, points in (("", mesh.vertices), *((block.name, block.data) for block in blocks)):
        source = name if name in old and name in new else ""
        moved = _read_vertices(points, len(mesh.vertices)) + new[source] - old[source]
        points.foreach_set("co", np.asarray(moved, np.float32).ravel())
    mesh.update()
