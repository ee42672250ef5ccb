"""Figures seen without perspective, tile by tile, as one picture. bpy.

Pictures are (H,W,4), floats as the file holds them, the first row on top.
"""

import tempfile
from pathlib import Path

import bpy
import numpy as np
from mathutils import Euler, Vector

CAMERA_DISTANCE = 6  # m from the camera to what it looks at


def set_up_scene(tile, zoom):
    """Begin an empty scene with soft light, for Cycles; returns its camera.

    tile: (width, height) px. zoom: width of what is seen, m.
    """
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 24
    scene.cycles.use_denoising = True
    scene.render.resolution_x, scene.render.resolution_y = tile
    scene.render.dither_intensity = 0  # its noise would fill the file
    scene.view_settings.view_transform = "Standard"
    scene.world = bpy.data.worlds.new("world")
    scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.75, 0.77, 0.8, 1)
    scene.world.node_tree.nodes["Background"].inputs["Strength"].default_value = 0.75
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.type, camera.data.ortho_scale = "ORTHO", zoom
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.energy, sun.data.angle = 2.2, 0.3
    sun.parent, sun.rotation_euler = camera, Euler((-0.7, 0.5, 0))
    for item in (camera, sun):
        scene.collection.objects.link(item)
    scene.camera = camera
    return camera


def add_mesh(name, vertices, faces):
    """Add a smooth mesh (V,3) m, (T,3) to the scene; returns its object."""
    item = bpy.data.objects.new(name, bpy.data.meshes.new(name))
    item.data.from_pydata(vertices.tolist(), [], faces.tolist())
    item.data.polygons.foreach_set("use_smooth", np.ones(len(faces), bool))
    bpy.context.scene.collection.objects.link(item)
    return item


def matte_material(name, colour, roughness):
    """A material of one colour, linear RGB, and its shader node."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (*colour, 1)
    shader.inputs["Roughness"].default_value = roughness
    return material, shader


def set_body_vertices(item, vertices):
    """Give a mesh the vertices (V,3) m of a body, y up, facing +z; returns them as they stand in the scene, z up, facing -y."""
    world = vertices[:, [0, 2, 1]] * (1, -1, 1)
    item.data.vertices.foreach_set("co", world.astype(np.float32).ravel())
    item.data.update()
    return world


def render_view(camera, centre, around, down=0.0):
    """One tile: a point (3,) m in the middle, seen from `around`, 0 its front and pi/2 its left, looking `down`, rad."""
    back = Vector((np.sin(around) * np.cos(down), -np.cos(around) * np.cos(down), np.sin(down)))
    camera.location = Vector(centre) + CAMERA_DISTANCE * back
    camera.rotation_euler = Euler((np.pi / 2 - down, 0, around))
    return render()


def camera_target(world, wanted=None):
    """What the camera looks at, (3,) m in the scene: the middle of vertices (V,3), or a point wanted in the body's own axes."""
    return np.array(wanted)[[0, 2, 1]] * (1, -1, 1) if wanted else (world.min(0) + world.max(0)) / 2


def render():
    """The scene as its camera shows it."""
    with tempfile.TemporaryDirectory() as folder:
        bpy.context.scene.render.filepath = str(Path(folder) / "tile.png")
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(bpy.context.scene.render.filepath)
        pixels = np.empty(4 * image.size[0] * image.size[1], np.float32)
        image.pixels.foreach_get(pixels)
        pixels = pixels.reshape(image.size[1], image.size[0], 4)[::-1]
        bpy.data.images.remove(image)
    return pixels


def arrange_in_grid(tiles, columns):
    """Tiles of one size in rows of so many, the last row filled up with white."""
    tiles = tiles + [np.ones_like(tiles[0])] * (-len(tiles) % columns)
    return np.concatenate([np.concatenate(tiles[first : first + columns], axis=1) for first in range(0, len(tiles), columns)])


def save_picture(pixels, path):
    """Write a picture as a small PNG, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = bpy.data.images.new("all", pixels.shape[1], pixels.shape[0])
    image.pixels.foreach_set(np.ascontiguousarray(pixels[::-1]).ravel())
    settings = bpy.context.scene.render.image_settings
    settings.file_format, settings.color_mode, settings.compression = "PNG", "RGB", 100
    image.save_render(str(path))
    print(f"wrote {path} ({path.stat().st_size / 1000:.0f} kB)")
