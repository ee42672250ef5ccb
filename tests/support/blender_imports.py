"""Import of exported files into an empty scene, to compare them with what was exported."""

from collections.abc import Iterator
from pathlib import Path

import bpy

# Importers by suffix: operators, of which older versions of Blender lack some, and the settings that keep times and rotations.
_IMPORTERS = {
    ".fbx": ("import_scene.fbx", "wm.fbx_import"),
    ".glb": ("import_scene.gltf",),
    ".usdc": ("wm.usd_import",),
    ".bvh": ("import_anim.bvh",),
    ".blend": ("wm.open_mainfile",),
}
_SETTINGS = {".bvh": {"rotate_mode": "NATIVE"}}


def open_empty_scene(fps: float) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    render = bpy.context.scene.render
    render.fps, render.fps_base = round(fps), round(fps) / fps


def import_file(path: Path, fps: float) -> None:
    """Import a file into an empty scene of the rate `fps`; .fbx by the importer that is an add-on."""
    _import_with(_IMPORTERS[path.suffix][0], path, fps)


def import_with_every_importer(path: Path, fps: float) -> Iterator[None]:
    """Import a file as `import_file` does, by each importer of this Blender in turn."""
    for operator in _IMPORTERS[path.suffix]:
        module, name = operator.split(".")
        if name in dir(getattr(bpy.ops, module)):  # Blender before 4.5 has one importer of .fbx
            _import_with(operator, path, fps)
            yield


def _import_with(operator: str, path: Path, fps: float) -> None:
    open_empty_scene(fps)
    module, name = operator.split(".")
    getattr(getattr(bpy.ops, module), name)(filepath=str(path), **_SETTINGS.get(path.suffix, {}))


def imported_objects(kind: str) -> list[bpy.types.Object]:
    """The objects of a type in the view layer, without the sphere that glTF's importer draws bones with."""
    return [obj for obj in bpy.context.view_layer.objects if obj.type == kind and "Icosphere" not in obj.name]


def imported_object(kind: str) -> bpy.types.Object | None:
    """The one object of a type, or None."""
    found = imported_objects(kind)
    assert len(found) <= 1
    return found[0] if found else None
