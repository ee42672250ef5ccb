"""File paths of the open file, while a copy of it is written: they hold in the folder that the copy is for."""

import contextlib
import os
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any

import bpy

# Data blocks with a file path, which becomes relative in any case. Other paths become relative to the new folder if they were relative.
_FILE_BLOCK_KINDS = ("movieclips", "images", "sounds", "fonts", "volumes", "cache_files", "texts")
_MODIFIER_PATHS = ("filepath", "bake_directory", "simulation_bake_directory")
_NODE_TREE_OWNERS = ("materials", "worlds", "lights", "textures", "linestyles", "scenes")
_BUILT_IN = "<builtin>"


@contextlib.contextmanager
def relative_file_paths(folder: Path, modifiers: Iterable[bpy.types.MeshCacheModifier] = ()) -> Generator[None, None, None]:
    """Make file paths hold for a copy of the open file in another folder, so that a project can be moved.

    Paths of data blocks and of `modifiers` become relative to `folder`. Relative paths of linked libraries, modifiers, nodes,
    strips and caches stay relative, to `folder`. Blender itself does so when it saves a file in its final place.
    """
    blocks = [block for kind in _FILE_BLOCK_KINDS for block in getattr(bpy.data, kind, ()) if not getattr(block, "library", None)]
    owners: list[tuple[Any, str]] = [(owner, "filepath") for owner in (*blocks, *modifiers)]
    owners += [(owner, name) for owner, name in _other_paths() if getattr(owner, name).startswith("//")]
    changed = {(owner.as_pointer(), name): (owner, name, getattr(owner, name)) for owner, name in owners}
    changed = {key: entry for key, entry in changed.items() if entry[2] and entry[2] != _BUILT_IN}
    try:
        for owner, name, path in changed.values():
            setattr(owner, name, _path_relative_to(folder, path))
        yield
    finally:
        for owner, name, path in changed.values():
            setattr(owner, name, path)


def _path_relative_to(folder: Path, path: str) -> str:
    """A path of the open file, relative to a folder; absolute on another drive of Windows, from which no relative path leads."""
    absolute = os.path.realpath(bpy.path.abspath(path))
    found = portable_relative_path(absolute, os.path.realpath(folder)) or absolute
    return os.path.join(found, "") if path.endswith(("/", os.sep)) else found


def portable_relative_path(path: str, start: str | None = None) -> str | None:
    """A path relative to a folder, the open file's by default, with the separators that every system reads; None on another drive."""
    try:
        return bpy.path.relpath(path, start=start).replace(os.sep, "/")
    except ValueError:
        return None


def _other_paths() -> Iterator[tuple[Any, str]]:
    """Further (owner, attribute) pairs of local data that hold the path of a file or folder, maybe empty."""
    for library in bpy.data.libraries:
        yield library, "filepath"
    for clip in _local(bpy.data.movieclips):
        yield clip.proxy, "directory"
    for obj in _local(bpy.data.objects):
        yield from _paths_of_object(obj)
    for tree in _node_trees():
        for node in tree.nodes:
            yield from _paths_of_node(node)
    for scene in _local(bpy.data.scenes):
        yield from _paths_of_scene(scene)


def _paths_of_object(obj: bpy.types.Object) -> Iterator[tuple[Any, str]]:
    for modifier in obj.modifiers:
        yield from ((modifier, name) for name in _MODIFIER_PATHS if isinstance(getattr(modifier, name, None), str))
        yield from ((bake, "directory") for bake in getattr(modifier, "bakes", ()))
        if domain := getattr(modifier, "domain_settings", None):
            yield domain, "cache_directory"
        if cache := getattr(modifier, "point_cache", None):
            yield cache, "filepath"
    for system in obj.particle_systems:
        yield system.point_cache, "filepath"


def _paths_of_node(node: bpy.types.Node) -> Iterator[tuple[Any, str]]:
    if isinstance(getattr(node, "filepath", None), str):  # scripts and IES textures
        yield node, "filepath"
    if node.bl_idname.startswith("GeometryNodeImport"):
        yield node.inputs[0], "default_value"


def _paths_of_scene(scene: bpy.types.Scene) -> Iterator[tuple[Any, str]]:
    if scene.rigidbody_world and scene.rigidbody_world.point_cache:
        yield scene.rigidbody_world.point_cache, "filepath"
    if not scene.sequence_editor:
        return
    editor: Any = scene.sequence_editor
    for strip in editor.strips_all if hasattr(editor, "strips_all") else editor.sequences_all:
        yield from ((strip, name) for name in ("filepath", "directory") if isinstance(getattr(strip, name, None), str))
        if proxy := getattr(strip, "proxy", None):
            yield proxy, "directory"


def _node_trees() -> Iterator[bpy.types.NodeTree]:
    yield from _local(bpy.data.node_groups)
    for kind in _NODE_TREE_OWNERS:
        for block in _local(getattr(bpy.data, kind)):
            if tree := getattr(block, "node_tree", None):
                yield tree


def _local(blocks: Iterable[Any]) -> list[Any]:
    return [block for block in blocks if not block.library]
