"""Open a .blend and write its evaluated vertices and bones: python dump_blend.py FILE.blend OUT.npz FRAME...

Keys: vertices (N,V,3) m and heads (N,J,3) m in the world at each FRAME (in timeline frames), and bone names.
"""

import os
import sys

import bpy
import numpy as np


def main(blend, out, *frames):
    bpy.ops.wm.open_mainfile(filepath=blend)
    scene = bpy.context.scene
    rig = next(item for item in scene.objects if item.type == "ARMATURE")
    body = next(item for item in scene.objects if item.type == "MESH")
    vertices, heads = [], []
    for frame in map(float, frames):
        scene.frame_set(int(frame), subframe=frame % 1)
        depsgraph = bpy.context.evaluated_depsgraph_get()
        evaluated_body = body.evaluated_get(depsgraph)
        mesh = evaluated_body.to_mesh()
        flat = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.vertices.foreach_get("co", flat)
        world = np.array(evaluated_body.matrix_world)
        vertices.append(flat.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3])
        evaluated_rig = rig.evaluated_get(depsgraph)
        heads.append([evaluated_rig.matrix_world @ bone.head for bone in evaluated_rig.pose.bones])
    names = [bone.name for bone in rig.pose.bones]
    np.savez(out, vertices=vertices, heads=np.array(heads, float), bones=names, fps=scene.render.fps / scene.render.fps_base)
    sys.stdout.flush()
    os._exit(0)  # some Blender modules hang during Python's shutdown


main(*sys.argv[1:])
