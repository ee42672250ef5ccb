"""Poses and vertices evaluated by Blender's dependency graph, in numpy."""

import bpy
import numpy as np


def pose_in_blender(rig, names):
    """Heads (J,3) m and rotations from rest (J,3,3), both in the world."""
    evaluated = rig.evaluated_get(bpy.context.evaluated_depsgraph_get())
    world = np.array(evaluated.matrix_world)
    posed = np.array([world @ np.array(evaluated.pose.bones[name].matrix) for name in names])
    # The rest pose in the object's current matrix: its data may be y up and its object rotated.
    rest = np.array([world @ np.array(rig.data.bones[name].matrix_local) for name in names])
    return posed[:, :3, 3], unscaled(posed) @ np.swapaxes(unscaled(rest), 1, 2)


def poses_at(rig, names, frames):
    """pose_in_blender at each of some frames of the scene."""
    found = []
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        found.append(pose_in_blender(rig, names))
    return found


def unscaled(matrices):
    """The rotations (J,3,3) of matrices (J,4,4) that may scale evenly."""
    linear = matrices[:, :3, :3]
    return linear / np.cbrt(np.linalg.det(linear))[:, None, None]


def vertices_in_blender(body):
    """Evaluated vertices (V,3) m in the world."""
    evaluated = body.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = evaluated.to_mesh()
    vertices = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", vertices)
    evaluated.to_mesh_clear()
    world = np.array(evaluated.matrix_world)
    return vertices.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3]
