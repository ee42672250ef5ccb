"""Read the armature's motion of FBX files with Blender: run by a Python that has bpy, FILE.fbx OUT.npz ...

Arrays of OUT.npz, in FBX's axes (y up) and the file's units: names (J,), heads (J,3) and axes (J,3,3) at rest, positions (F,J,3) and
rotations (F,J,3,3) of the bones' axes in each frame, fps.
"""

import sys
from pathlib import Path

import bpy
import numpy as np

Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


def save_poses(path: Path, out: Path) -> None:
    """Read one file, which has one armature with one action."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.fbx(filepath=str(path), ignore_leaf_bones=False, automatic_bone_orientation=False)
    armature = next(found for found in bpy.data.objects if found.type == "ARMATURE")
    scene, pose, bones = bpy.context.scene, armature.pose, armature.data
    assert isinstance(bones, bpy.types.Armature) and scene is not None and pose is not None  # a file just imported
    world = np.array(armature.matrix_world)
    rest = np.array([world @ np.array(bone.matrix_local) for bone in bones.bones])
    first, last = (round(frame) for frame in bpy.data.actions[0].frame_range)
    matrices: list[np.ndarray] = []
    for frame in range(first, last + 1):
        scene.frame_set(frame)
        matrices.append(np.array([world @ np.array(pose.bones[bone.name].matrix) for bone in bones.bones]))
    posed = np.array(matrices)
    np.savez(
        out,
        names=[bone.name for bone in bones.bones],
        heads=rest[:, :3, 3] @ Y_UP.T,
        axes=Y_UP @ _rotation(rest),
        positions=posed[..., :3, 3] @ Y_UP.T,
        rotations=Y_UP @ _rotation(posed),
        fps=scene.render.fps / scene.render.fps_base,
    )


def _rotation(matrices: np.ndarray) -> np.ndarray:
    """The rotations (...,3,3) of matrices (...,4,4) with a scale."""
    turns = matrices[..., :3, :3]
    return turns / np.linalg.norm(turns, axis=-2, keepdims=True)


if __name__ == "__main__":
    for source, target in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        save_poses(Path(source), Path(target))
