"""What Blender's glTF importer leaves wrong or does not explain: meshes that are parented to bones, and compressed files."""

from collections.abc import Iterable
from pathlib import Path

import bpy

from ...core.errors import InputError
from ..context import armature_data

_COMPRESSIONS = ("Draco", "Meshopt")


def place_children_of_bones(objects: Iterable[bpy.types.Object]) -> None:
    """Move objects that are parented to bones of scaled armatures to where their file has them.

    Blender parents to the tail of a bone. The importer (the node module of io_scene_gltf2, 4.2 to 5.2) divides the bone's length by the
    armature's scale and subtracts the undivided length from the object's location: parts of robots fall apart.
    """
    for obj in objects:
        parent = obj.parent
        if obj.parent_type == "BONE" and parent is not None and parent.type == "ARMATURE":
            length = armature_data(parent).bones[obj.parent_bone].length
            obj.location.y += (max(*parent.scale) - 1) * length


def unpacking_error(path: Path, error: Exception) -> InputError | None:
    """The error of a file whose geometry is compressed in a way that this Blender cannot unpack; None for other errors of its importer."""
    method = next((name for name in _COMPRESSIONS if name.lower() in str(error).lower()), None)
    if method is None:
        return None
    return InputError(
        "gltf-compressed",
        "{name} is compressed by {method}, which this Blender cannot unpack.",
        "Export the character without compression, or use a Blender from blender.org, which unpacks Draco.",
        name=path.name,
        method=method,
    )
