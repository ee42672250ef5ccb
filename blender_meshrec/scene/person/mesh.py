"""The skinned mesh: the person's shape at rest, weights, and shape keys for betas and pose blend shapes."""

from collections.abc import Sequence
from typing import Final

import bpy
import numpy as np

from ...core.array_types import FloatArray, IntArray
from ...core.conventions import WORLD_FROM_BODY
from ...core.files.body_template import BodyTemplate
from ...core.files.open_body_details import load_open_body_details
from ...core.quads import quad_corners
from ...core.skel.template import SkelTemplate
from ..context import expect_type, pose_bones
from .armature import rest_rotmats

MAX_WEIGHTS = 4  # bones per vertex; game engines read no more
_MIN_WEIGHT = 1e-4
BETA_RANGE = 5.0
UV_MAP = "UVMap"  # as Blender calls it
_MIN_POSE_OFFSET = 1e-5  # m; a pose blend shape that moves every vertex by less is left out

# The nine entries of R - 1, row by row, for a rotation w, x, y, z. Blender's own evaluator runs expressions this short without Python.
_ROTATION_ENTRIES = (
    "-2*(y*y+z*z)", "2*(x*y-w*z)", "2*(x*z+w*y)",
    "2*(x*y+w*z)", "-2*(x*x+z*z)", "2*(y*z-w*x)",
    "2*(x*z-w*y)", "2*(y*z+w*x)", "-2*(x*x+y*y)",
)  # fmt: skip
_QUATERNION_CHANNELS: Final = ("ROT_W", "ROT_X", "ROT_Y", "ROT_Z")


def build_mesh(
    name: str,
    template: BodyTemplate | SkelTemplate,
    betas: FloatArray,
    armature_object: bpy.types.Object,
    collection: bpy.types.Collection,
    pose_shapes: bool = True,
    pose_bones_of_joints: Sequence[str | None] | None = None,
) -> bpy.types.Object:
    """Make the mesh object of a person, bound to an armature from `build_armature`.

    The mesh itself has the shape `betas`, as the armature has. The shape keys `beta_0` ... are relative to it: their
    value is added to that beta. They move the skin alone, not the bones.

    Args:
        betas: (B,).
        pose_shapes: add SMPL's pose blend shapes as shape keys driven by the bones.
        pose_bones_of_joints: the bone that drives the blend shapes of each of SMPL's joints, None for no bone; by default
            the bone of the same name.
    """
    vertices = template.rest_vertices(betas) @ WORLD_FROM_BODY.T
    mesh_object = new_mesh_object(name, vertices, template.faces, armature_object, collection)
    add_weights(mesh_object, template.lbs_weights, template.joint_names)
    _add_beta_keys(mesh_object, template.shapedirs, vertices)
    if pose_shapes and template.posedirs is not None:
        _add_pose_keys(mesh_object, template.posedirs, vertices, armature_object, pose_bones_of_joints or template.joint_names)
    add_armature_modifier(mesh_object, armature_object)
    return mesh_object


def new_mesh_object(
    name: str, vertices: FloatArray, faces: IntArray, armature_object: bpy.types.Object, collection: bpy.types.Collection
) -> bpy.types.Object:
    """Make a mesh object of vertices (V,3) and triangles (T,3), or the quads that these are halves of; it is a child of an armature."""
    mesh = bpy.data.meshes.new(name)
    fill_mesh(mesh, vertices, faces)
    mesh_object = bpy.data.objects.new(name, mesh)
    collection.objects.link(mesh_object)
    mesh_object.parent = armature_object
    return mesh_object


def fill_mesh(mesh: bpy.types.Mesh, vertices: FloatArray, faces: IntArray) -> None:
    """Add vertices (V,3) and triangles (T,3), or the quads that these are halves of, to an empty mesh; the open body gets its UV map."""
    corners = quad_corners(faces)
    if corners is None:
        corners = np.arange(faces.size).reshape(-1, 3)
    count, sides = corners.shape
    mesh.vertices.add(len(vertices))
    mesh.loops.add(corners.size)
    mesh.polygons.add(count)
    mesh.vertices.foreach_set("co", np.asarray(vertices, np.float32).ravel())
    mesh.loops.foreach_set("vertex_index", np.asarray(faces, np.int32).ravel()[corners.ravel()])
    mesh.polygons.foreach_set("loop_start", np.arange(0, corners.size, sides, dtype=np.int32))
    details = load_open_body_details()
    if details is not None and details.ft.shape == faces.shape:
        layer = mesh.uv_layers.new(name=UV_MAP)
        layer.data.foreach_set("uv", details.vt[details.ft.ravel()[corners.ravel()]].ravel())
    mesh.update(calc_edges=True)
    mesh.shade_smooth()


def add_armature_modifier(mesh_object: bpy.types.Object, armature_object: bpy.types.Object) -> None:
    modifier = expect_type(mesh_object.modifiers.new("Armature", "ARMATURE"), bpy.types.ArmatureModifier)
    modifier.object = armature_object


def strongest_weights(lbs_weights: FloatArray) -> tuple[IntArray, FloatArray]:
    """The MAX_WEIGHTS bones (V,4) that move each vertex most, and their weights (V,4), which sum to 1."""
    count = min(MAX_WEIGHTS, lbs_weights.shape[1])
    bones = np.argsort(-lbs_weights, axis=1, kind="stable")[:, :count]
    weights = np.take_along_axis(lbs_weights, bones, 1).astype(float)
    weights[weights < _MIN_WEIGHT] = 0
    return bones, weights / weights.sum(1, keepdims=True)


def add_weights(mesh_object: bpy.types.Object, lbs_weights: FloatArray, names: Sequence[str]) -> None:
    """Add a vertex group for each bone to a mesh object, with weights (V,J)."""
    bones, weights = strongest_weights(lbs_weights)
    for joint, name in enumerate(names):
        group = mesh_object.vertex_groups.new(name=name)
        rows, columns = np.nonzero((bones == joint) & (weights > 0))
        values = weights[rows, columns].tolist()
        for vertex, value in zip(rows.tolist(), values):
            group.add((vertex,), value, "REPLACE")


def _add_key(mesh_object: bpy.types.Object, name: str, coordinates: FloatArray) -> bpy.types.ShapeKey:
    key = mesh_object.shape_key_add(name=name, from_mix=False)
    key.data.foreach_set("co", np.asarray(coordinates, np.float32).ravel())
    key.value = 0.0
    return key


def _add_beta_keys(mesh_object: bpy.types.Object, shapedirs: FloatArray, vertices: FloatArray) -> None:
    mesh_object.shape_key_add(name="Basis", from_mix=False)
    for index in range(shapedirs.shape[-1]):
        key = _add_key(mesh_object, f"beta_{index}", vertices + shapedirs[..., index] @ WORLD_FROM_BODY.T)
        key.slider_min, key.slider_max = -BETA_RANGE, BETA_RANGE


def _add_pose_keys(
    mesh_object: bpy.types.Object,
    posedirs: FloatArray,
    vertices: FloatArray,
    armature_object: bpy.types.Object,
    names: Sequence[str | None],
) -> None:
    """Add pose blend shapes, each driven by one entry of one bone's rotation matrix.

    Source: Loper et al. 2015 (SMPL), eq. 9.
    """
    for joint in range(1, len(names)):
        offsets = np.ascontiguousarray(posedirs[..., 9 * (joint - 1) : 9 * joint], np.float32)
        bone = names[joint]
        if bone is None or np.abs(offsets).max() < _MIN_POSE_OFFSET:
            continue
        # R_smpl - 1 = M (R_bone - 1) M^T with M = C^T B: express the shapes in the bone's frame, rather than the pose in SMPL's.
        smpl_from_bone = WORLD_FROM_BODY.T @ rest_rotmats(armature_object, [bone])[0]
        in_bone = (offsets.reshape(-1, 9) @ np.kron(smpl_from_bone, smpl_from_bone).astype(np.float32)).reshape(-1, 3, 9)
        in_bone = np.moveaxis(in_bone, -1, 0) @ WORLD_FROM_BODY.T.astype(np.float32)
        for entry in range(9):
            if np.abs(in_bone[entry]).max() < _MIN_POSE_OFFSET:
                continue
            key = _add_key(mesh_object, f"pose_{bone}_{entry}", vertices + in_bone[entry])
            key.slider_min, key.slider_max = -2.0, 2.0
            _add_rotation_driver(key, armature_object, bone, _ROTATION_ENTRIES[entry])


def _add_rotation_driver(key: bpy.types.ShapeKey, armature_object: bpy.types.Object, bone: str, expression: str) -> None:
    """Drive a shape key by an expression of a bone's quaternion w, x, y, z."""
    driver = expect_type(expect_type(key.driver_add("value"), bpy.types.FCurve).driver, bpy.types.Driver)
    driver.type = "SCRIPTED"
    driver.expression = expression
    has_quaternion = pose_bones(armature_object)[bone].rotation_mode == "QUATERNION"
    for index, letter in enumerate("wxyz"):
        if letter not in expression:
            continue
        variable = driver.variables.new()
        variable.name = letter
        if not has_quaternion:  # Blender converts Euler channels to a quaternion
            variable.type = "TRANSFORMS"
        target = variable.targets[0]
        target.id = armature_object
        if has_quaternion:
            target.data_path = f'pose.bones["{bone}"].rotation_quaternion[{index}]'
        else:
            target.bone_target = bone
            target.transform_type = _QUATERNION_CHANNELS[index]
            target.transform_space = "LOCAL_SPACE"
            target.rotation_mode = "QUATERNION"
