"""Playback of objects in a scene of their own: evaluating a frame then does not evaluate the rest of the scene, above all its meshes."""

import contextlib
import math
from collections.abc import Callable, Generator, Sequence

import bpy
import numpy as np

from ...core.array_types import FloatArray
from ...core.errors import InputError
from ..context import active_scene, expect_type, pose_bones

_TIME_SETTINGS = ("fps", "fps_base", "frame_map_old", "frame_map_new")


@contextlib.contextmanager
def isolated_scene(*objects: bpy.types.Object) -> Generator[Callable[[float], bpy.types.Depsgraph], None, None]:
    """Objects in a temporary scene with the current scene's time; objects that they are parented or constrained to are evaluated too.

    Yields a function that evaluates a frame and returns its depsgraph. The current scene's frame does not change.
    """
    current = active_scene()
    isolated = bpy.data.scenes.new("MeshRec plays")
    try:
        for setting in _TIME_SETTINGS:
            setattr(isolated.render, setting, getattr(current.render, setting))
        for obj in objects:
            isolated.collection.objects.link(obj)

        def evaluate_frame(frame: float) -> bpy.types.Depsgraph:
            isolated.frame_set(math.floor(frame), subframe=frame - math.floor(frame))
            return expect_type(isolated.view_layers[0].depsgraph, bpy.types.Depsgraph)

        yield evaluate_frame
    finally:
        bpy.data.scenes.remove(isolated)


def check_frame_range(first: int, last: int) -> None:
    """Refuse a range of frames whose end is before its start.

    Raises:
        InputError: there are no frames to play.
    """
    if last < first:
        raise InputError(
            "frames-reversed", "There are no frames from {first} to {last}.", "Choose a last frame after the first.", first=first, last=last
        )


def bone_matrices(armature_object: bpy.types.Object, rows: Sequence[int]) -> FloatArray:
    """The world matrices (B,4,4) of posed bones, given by their indices among the pose bones."""
    return np.array(armature_object.matrix_world) @ pose_matrices(armature_object)[list(rows)]


def pose_matrices(armature_object: bpy.types.Object) -> FloatArray:
    """The matrices (B,4,4) of all posed bones in armature space."""
    bones = pose_bones(armature_object)
    flat = np.empty(16 * len(bones), np.float32)
    bones.foreach_get("matrix", flat)
    return flat.reshape(-1, 4, 4).swapaxes(1, 2).astype(float)
