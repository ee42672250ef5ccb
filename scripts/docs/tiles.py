"""Orthographic renderings of figures as tiles of one picture. bpy.

Pictures are float arrays (H,W,4) with the file's values, the first row at the top.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Euler, Vector

from blender_meshrec.core.array_types import ArrayLike, FloatArray, IntArray
from blender_meshrec.scene.context import active_scene, mesh_data

CAMERA_DISTANCE = 6  # m, from the camera to its target


def set_up_scene(tile: Sequence[int], zoom: float) -> bpy.types.Object:
    """Make an empty scene with soft light for Cycles; returns its orthographic camera.

    tile: (width, height) px. zoom: width of the view, m.
    """
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = active_scene()
    render, cycles, colours = (as_any(part) for part in (scene.render, scene.cycles, scene.view_settings))
    render.engine = "CYCLES"
    cycles.samples = 24
    cycles.use_denoising = True
    render.resolution_x, render.resolution_y = tile
    render.dither_intensity = 0  # dithering noise enlarges the file
    colours.view_transform = "Standard"
    world = bpy.data.worlds.new("world")
    scene.world = world
    world.use_nodes = True
    background = as_any(world.node_tree).nodes["Background"].inputs
    background["Color"].default_value = (0.75, 0.77, 0.8, 1)
    background["Strength"].default_value = 0.75
    lens = bpy.data.cameras.new("camera")
    lens.type, lens.ortho_scale = "ORTHO", zoom
    camera = bpy.data.objects.new("camera", lens)
    light = as_any(bpy.data.lights.new("sun", "SUN"))
    light.energy, light.angle = 2.2, 0.3
    sun = bpy.data.objects.new("sun", light)
    sun.parent, sun.rotation_euler = camera, Euler((-0.7, 0.5, 0))
    for item in (camera, sun):
        scene.collection.objects.link(item)
    scene.camera = camera
    return camera


def as_any(value: object) -> Any:
    """A value without its type, where Blender's stubs do not know its attributes."""
    return value


def add_mesh(name: str, vertices: FloatArray, faces: IntArray) -> bpy.types.Object:
    """Add a smooth-shaded mesh with vertices (V,3) m and faces (T,3) to the scene; returns its object."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices.tolist(), [], faces.tolist())
    mesh.polygons.foreach_set("use_smooth", np.ones(len(faces), bool))
    item = bpy.data.objects.new(name, mesh)
    active_scene().collection.objects.link(item)
    return item


def matte_material(name: str, colour: ArrayLike, roughness: float) -> tuple[bpy.types.Material, Any]:
    """A material with one colour (3,), linear RGB, and its shader node."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    shader = next(node for node in as_any(material.node_tree).nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (*np.asarray(colour, float).tolist(), 1)
    shader.inputs["Roughness"].default_value = roughness
    return material, shader


def set_body_vertices(item: bpy.types.Object, vertices: FloatArray) -> FloatArray:
    """Set a mesh to the vertices (V,3) m of a body, y up, facing +z; returns them in the scene's axes, z up, facing -y."""
    world = vertices[:, [0, 2, 1]] * (1, -1, 1)
    mesh = mesh_data(item)
    mesh.vertices.foreach_set("co", world.astype(np.float32).ravel())
    mesh.update()
    return world


def render_view(camera: bpy.types.Object, centre: FloatArray, around: float, down: float = 0.0) -> FloatArray:
    """One tile with a point (3,) m in the middle; around: direction of view, rad, 0 the front and pi/2 the left side; down: rad."""
    back = Vector((np.sin(around) * np.cos(down), -np.cos(around) * np.cos(down), np.sin(down)))
    camera.location = Vector(centre.tolist()) + CAMERA_DISTANCE * back
    camera.rotation_euler = Euler((np.pi / 2 - down, 0, around))
    return render()


def camera_target(world: FloatArray, wanted: Sequence[float] | None = None) -> FloatArray:
    """The camera's target (3,) m in the scene: the centre of vertices (V,3), or a point `wanted` (3,) in the body's axes."""
    return np.array(wanted)[[0, 2, 1]] * (1, -1, 1) if wanted else (world.min(0) + world.max(0)) / 2


def render() -> FloatArray:
    """The scene rendered by its camera."""
    settings = active_scene().render
    with tempfile.TemporaryDirectory() as folder:
        settings.filepath = str(Path(folder) / "tile.png")
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(settings.filepath)
        width, height = image.size[0], image.size[1]
        pixels = np.empty(4 * width * height, np.float32)
        as_any(image.pixels).foreach_get(pixels)
        bpy.data.images.remove(image)
    return pixels.reshape(height, width, 4)[::-1]


def arrange_in_grid(tiles: Sequence[FloatArray], columns: int) -> FloatArray:
    """Tiles of equal size in rows of `columns` tiles; the last row is filled with white."""
    filled = [*tiles, *[np.ones_like(tiles[0])] * (-len(tiles) % columns)]
    return np.concatenate([np.concatenate(filled[first : first + columns], axis=1) for first in range(0, len(filled), columns)])


def save_picture(pixels: FloatArray, path: Path) -> None:
    """Write a picture as a small PNG, and make its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = bpy.data.images.new("all", pixels.shape[1], pixels.shape[0])
    as_any(image.pixels).foreach_set(np.ascontiguousarray(pixels[::-1]).ravel())
    settings = active_scene().render.image_settings
    settings.file_format, settings.color_mode, settings.compression = "PNG", "RGB", 100
    image.save_render(str(path))
    print(f"wrote {path} ({path.stat().st_size / 1000:.0f} kB)")
