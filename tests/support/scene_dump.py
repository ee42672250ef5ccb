"""The content of a Blender file as plain values, to find what a function changes."""

import bpy

# Properties that evaluation writes, and those of Blender's internal storage.
_TRANSIENT = {
    "rna_type", "users", "is_updated", "is_updated_data", "session_uid", "original", "matrix", "matrix_basis", "matrix_world",
    "matrix_local", "matrix_channel", "matrix_parent_inverse", "head", "tail", "is_evaluated", "tag", "is_runtime_data",
    "bound_box", "dimensions", "storage_type", "children", "error_location", "error_rotation", "is_valid", "active_index",
    "is_active", "preview",
}  # fmt: skip
# Properties that change as soon as an assigned action is evaluated.
_ANIMATED = {"location", "rotation_quaternion", "rotation_euler", "rotation_axis_angle", "scale"}
_KINDS = ("objects", "armatures", "actions", "meshes", "materials", "images", "collections", "scenes", "libraries", "texts", "node_groups")


def dump_scene(leave_out=()):
    """(kind, name, path ...) -> value for every data block, without animated pose channels and assigned actions.

    leave_out: data blocks to skip.
    """
    found = {}
    for kind in _KINDS:
        for block in getattr(bpy.data, kind):
            if block not in leave_out:
                _dump(block, (kind, block.name_full), found, depth=0)
    return found


def _dump(item, path, found, depth):
    if hasattr(item, "keys") and not isinstance(item, bpy.types.PropertyGroup):
        try:
            for key, value in item.items():
                found[(*path, f"[{key}]")] = repr(value.to_dict() if hasattr(value, "to_dict") else value)
        except TypeError:  # this struct cannot have custom properties
            pass
    for prop in item.bl_rna.properties:  # reading creates those of add-ons
        name = prop.identifier
        if prop.is_runtime or name in _TRANSIENT or (name in _ANIMATED and isinstance(item, bpy.types.PoseBone)):
            continue
        if isinstance(item, bpy.types.AnimData) and name.startswith(("action", "last_slot")) and name not in ("action_influence",):
            continue
        value = getattr(item, name)
        if prop.type == "POINTER":
            if value is None or isinstance(value, bpy.types.ID):
                found[(*path, name)] = value and value.name_full
            elif depth < 4 and isinstance(value, bpy.types.AnimData | bpy.types.Driver | bpy.types.Pose):
                _dump(value, (*path, name), found, depth + 1)
        elif prop.type == "COLLECTION":
            if not isinstance(item, bpy.types.BoneCollection):  # its bones are dumped with the armature
                _dump_all(value, (*path, name), found, depth)
        elif getattr(prop, "is_array", False):
            found[(*path, name)] = repr(list(value))
        else:
            found[(*path, name)] = repr(value)


def _dump_all(items, path, found, depth):
    found[(*path, "count")] = len(items)
    if depth < 5:
        for number, item in enumerate(items):
            if isinstance(item, bpy.types.ID):
                found[(*path, number)] = item.name_full
            elif hasattr(item, "bl_rna"):
                _dump(item, (*path, number), found, depth + 1)
