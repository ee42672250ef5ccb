"""The exact calibrated surface: a modifier that plays a point cache after the bones have moved the skin.

Switched off by its eye, it leaves the skin that the bones move.
"""

import bpy
import numpy as np

from ..core.errors import InputError
from ..core.files.point_cache import read_point_cache
from .keyframes import Curve, write_action

SURFACE_MODIFIER = "Calibrated surface"


def add_surface(body, path, frames):
    """Let a mesh object play the point cache `path`, one sample at each of the key frames (F,).

    Raises:
        InputError: the point cache cannot be read, or is of another mesh or clip.
    """
    samples, vertices = read_point_cache(path).shape[:2]
    if (samples, vertices) != (len(frames), len(body.data.vertices)):
        raise InputError(
            "surface-of-another-mesh",
            "{name} holds {frames} frames of {points} points, {body} {keys} of {vertices}.",
            "Choose the body the surface was made with, or reconstruct with the exact surface again.",
            name=path.name,
            frames=samples,
            points=vertices,
            body=body.name,
            keys=len(frames),
            vertices=len(body.data.vertices),
        )
    modifier = body.modifiers.new(SURFACE_MODIFIER, "MESH_CACHE")
    modifier.cache_format = "PC2"
    modifier.filepath = blend_relative_path(path)
    modifier.deform_mode = "OVERWRITE"
    modifier.interpolation = "LINEAR"
    # The sample itself is keyed: rates may vary, and the timeline's may be another.
    modifier.time_mode, modifier.play_mode = "FRAME", "CUSTOM"
    modifier.forward_axis, modifier.up_axis = "POS_Y", "POS_Z"
    write_action(
        body.name, body, frames, [Curve(f'modifiers["{SURFACE_MODIFIER}"].eval_frame', 0, np.arange(len(frames)), SURFACE_MODIFIER)]
    )


def surface_modifiers(objects):
    """The modifiers of objects that play point caches of their own file."""
    return [modifier for thing in objects if not thing.library for modifier in thing.modifiers if modifier.type == "MESH_CACHE"]


def blend_relative_path(path):
    """A path as the open file refers to it: relative where that is saved, and on the same disk."""
    if bpy.data.filepath:
        try:
            return bpy.path.relpath(str(path))
        except ValueError:  # another drive of Windows has no relative path
            pass
    return str(path)
