"""The skinned mesh: the person's shape at rest, weights, and shape keys for betas and pose blend shapes."""

import bpy
import numpy as np

from ..core.conventions import WORLD_FROM_BODY
from .armature import rest_rotmats

MAX_WEIGHTS = 4  # bones a vertex: what game engines read
_MIN_WEIGHT = 1e-4
BETA_RANGE = 5.0
_MIN_POSE_OFFSET = 1e-5  # m; a pose blend shape that moves no vertex further is left out

# The nine entries of R - 1, row by row, of a rotation w, x, y, z: small enough for Blender's own evaluator, without Python.
_ROTATION_ENTRIES = (
    "-2*(y*y+z*z)", "2*(x*y-w*z)", "2*(x*z+w*y)",
    "2*(x*y+w*z)", "-2*(x*x+z*z)", "2*(y*z-w*x)",
    "2*(x*z-w*y)", "2*(y*z+w*x)", "-2*(x*x+y*y)",
)  # fmt: skip


def build_mesh(name, template, betas, rig, collection, pose_shapes=True, pose_bones=None):
    """Make the mesh object of a person, bound to an armature from `build_armature`.

    The mesh itself has the shape `betas`, as the armature has. The shape keys `beta_0` ... start from there: their
    value is what to add to that beta. They move the skin alone, not the bones.

    Args:
        template: a BodyTemplate or SkelTemplate. betas: (B,). rig: the armature object.
        pose_shapes: carry SMPL's pose blend shapes as shape keys driven by the bones.
        pose_bones: which bone drives the shapes of each of SMPL's joints, None for no bone; the joints' own by default.
    """
    vertices = template.rest_vertices(betas) @ WORLD_FROM_BODY.T
    mesh = bpy.data.meshes.new(name)
    fill_mesh(mesh, vertices, template.faces)
    body = bpy.data.objects.new(name, mesh)
    collection.objects.link(body)
    body.parent = rig
    add_weights(body, template.lbs_weights, template.joint_names)
    _add_beta_keys(body, template, vertices)
    if pose_shapes and template.posedirs is not None:
        _add_pose_keys(body, template.posedirs, vertices, rig, pose_bones or template.joint_names)
    modifier = body.modifiers.new("Armature", "ARMATURE")
    modifier.object = rig
    return body


def fill_mesh(mesh, vertices, faces):
    """Give an empty mesh vertices (V,3) and triangles (T,3)."""
    count = len(faces)
    mesh.vertices.add(len(vertices))
    mesh.loops.add(3 * count)
    mesh.polygons.add(count)
    mesh.vertices.foreach_set("co", np.asarray(vertices, np.float32).ravel())
    mesh.loops.foreach_set("vertex_index", np.asarray(faces, np.int32).ravel())
    mesh.polygons.foreach_set("loop_start", np.arange(0, 3 * count, 3, dtype=np.int32))
    mesh.update(calc_edges=True)
    mesh.shade_smooth()


def strongest_weights(lbs_weights):
    """The bones (V,4) and weights (V,4) that move each vertex most, the weights summing to 1."""
    count = min(MAX_WEIGHTS, lbs_weights.shape[1])
    bones = np.argsort(-lbs_weights, axis=1, kind="stable")[:, :count]
    weights = np.take_along_axis(lbs_weights, bones, 1).astype(float)
    weights[weights < _MIN_WEIGHT] = 0
    return bones, weights / weights.sum(1, keepdims=True)


def add_weights(body, lbs_weights, names):
    """Give a mesh object a vertex group for each of its bones, of weights (V,J)."""
    bones, weights = strongest_weights(lbs_weights)
    for joint, name in enumerate(names):
        group = body.vertex_groups.new(name=name)
        rows, columns = np.nonzero((bones == joint) & (weights > 0))
        values = weights[rows, columns].tolist()
        for vertex, value in zip(rows.tolist(), values):
            group.add((vertex,), value, "REPLACE")


def _add_key(body, name, coordinates):
    key = body.shape_key_add(name=name, from_mix=False)
    key.data.foreach_set("co", np.asarray(coordinates, np.float32).ravel())
    key.value = 0.0
    return key


def _add_beta_keys(body, template, vertices):
    body.shape_key_add(name="Basis", from_mix=False)
    for index in range(template.shapedirs.shape[-1]):
        key = _add_key(body, f"beta_{index}", vertices + template.shapedirs[..., index] @ WORLD_FROM_BODY.T)
        key.slider_min, key.slider_max = -BETA_RANGE, BETA_RANGE


def _add_pose_keys(body, posedirs, vertices, rig, names):
    """Pose blend shapes, each driven by one entry of one bone's rotation. Source: Loper et al. 2015 (SMPL), eq. 9."""
    for joint in range(1, len(names)):
        offsets = np.ascontiguousarray(posedirs[..., 9 * (joint - 1) : 9 * joint], np.float32)
        if names[joint] is None or np.abs(offsets).max() < _MIN_POSE_OFFSET:
            continue
        # R_smpl - 1 = M (R_bone - 1) M^T with M = C^T B: turn the shapes to the bone's frame, not the pose to SMPL's.
        turn = WORLD_FROM_BODY.T @ rest_rotmats(rig, [names[joint]])[0]
        in_bone = (offsets.reshape(-1, 9) @ np.kron(turn, turn).astype(np.float32)).reshape(-1, 3, 9)
        in_bone = np.moveaxis(in_bone, -1, 0) @ WORLD_FROM_BODY.T.astype(np.float32)
        for entry in range(9):
            if np.abs(in_bone[entry]).max() < _MIN_POSE_OFFSET:
                continue
            key = _add_key(body, f"pose_{names[joint]}_{entry}", vertices + in_bone[entry])
            key.slider_min, key.slider_max = -2.0, 2.0
            _add_driver(key, rig, names[joint], _ROTATION_ENTRIES[entry])


def _add_driver(key, rig, bone, expression):
    driver = key.driver_add("value").driver
    driver.type = "SCRIPTED"
    driver.expression = expression
    for index, letter in enumerate("wxyz"):
        if letter in expression:
            variable = driver.variables.new()
            variable.name = letter
            if rig.pose.bones[bone].rotation_mode != "QUATERNION":  # Euler channels: Blender makes a quaternion of them
                variable.type = "TRANSFORMS"
            target = variable.targets[0]
            target.id = rig
            if variable.type == "TRANSFORMS":
                target.bone_target = bone
                target.transform_type, target.transform_space = f"ROT_{letter.upper()}", "LOCAL_SPACE"
                target.rotation_mode = "QUATERNION"
            else:
                target.data_path = f'pose.bones["{bone}"].rotation_quaternion[{index}]'
