"""The scene of the demo clip: a checkered floor, a soft sky, a low sun, one fixed camera. bpy only."""

import math
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.conventions import BLENDER_CAMERA_FROM_OPENCV
from blender_meshrec.scene.context import active_scene

HORIZON, SKY_STRENGTH = (0.88, 0.83, 0.76), 0.8


def set_up_render_scene(size: tuple[int, int], intrinsics: FloatArray, world_from_camera: FloatArray, samples: int, percent: int) -> None:
    """Set up camera, light, floor and Cycles in the current, empty scene."""
    scene = active_scene()
    add_camera(scene, size, intrinsics, world_from_camera)
    add_light(scene)
    add_floor(scene)
    render = scene.render
    render.engine = "CYCLES"  # pyrefly: ignore[bad-assignment]  the stub knows no engines of bundled add-ons
    render.resolution_x, render.resolution_y = size
    render.resolution_percentage = percent
    render.use_persistent_data = True
    render.image_settings.file_format = "PNG"
    cycles: Any = scene.cycles
    cycles.samples = samples
    cycles.use_denoising = True
    cycles.denoiser = "OPENIMAGEDENOISE"
    cycles.denoising_prefilter = "FAST"
    cycles.max_bounces = 3
    colours: Any = scene.view_settings
    colours.view_transform = "AgX"
    colours.look = "AgX - Medium High Contrast"
    colours.exposure = 0.45


def add_camera(scene: bpy.types.Scene, size: tuple[int, int], intrinsics: FloatArray, world_from_camera: FloatArray) -> None:
    """Add the camera and make it the scene's; intrinsics (3,3) px, world_from_camera (4,4), OpenCV axes."""
    lens = bpy.data.cameras.new("camera")
    lens.sensor_fit, lens.sensor_width = "HORIZONTAL", 36.0
    lens.lens = float(intrinsics[0, 0]) * lens.sensor_width / size[0]
    camera = bpy.data.objects.new("camera", lens)
    scene.collection.objects.link(camera)
    matrix = np.eye(4)
    matrix[:3, :3] = world_from_camera[:3, :3] @ BLENDER_CAMERA_FROM_OPENCV
    matrix[:3, 3] = world_from_camera[:3, 3]
    camera.matrix_world = Matrix(matrix.tolist())
    scene.camera = camera


def add_light(scene: bpy.types.Scene) -> None:
    """Add the sun and a sky that is brighter at the horizon."""
    sun: Any = bpy.data.lights.new("sun", "SUN")
    sun.energy, sun.angle, sun.color = 3.2, math.radians(4), (1.0, 0.93, 0.82)
    lamp = bpy.data.objects.new("sun", sun)
    lamp.rotation_euler = (math.radians(48), math.radians(-8), math.radians(-38))
    scene.collection.objects.link(lamp)
    world = bpy.data.worlds.new("sky")
    scene.world = world
    world.use_nodes = True
    tree: Any = world.node_tree
    nodes, links = tree.nodes, tree.links
    position, split, ramp = nodes.new("ShaderNodeTexCoord"), nodes.new("ShaderNodeSeparateXYZ"), nodes.new("ShaderNodeValToRGB")
    links.new(position.outputs["Generated"], split.inputs[0])
    links.new(split.outputs["Z"], ramp.inputs[0])
    links.new(ramp.outputs[0], nodes["Background"].inputs["Color"])
    ramp.color_ramp.elements[0].color = (*HORIZON, 1)
    ramp.color_ramp.elements[1].color = (0.20, 0.38, 0.68, 1)
    ramp.color_ramp.elements[1].position = 0.42
    nodes["Background"].inputs["Strength"].default_value = SKY_STRENGTH


def add_floor(scene: bpy.types.Scene) -> None:
    """Add a floor with squares of one metre that fades to the horizon's colour with distance."""
    mesh = bpy.data.meshes.new("floor")
    far = 80.0
    mesh.from_pydata([(-far, -far, 0), (far, -far, 0), (far, far, 0), (-far, far, 0)], [], [(0, 1, 2, 3)])
    floor = bpy.data.objects.new("floor", mesh)
    scene.collection.objects.link(floor)
    material = bpy.data.materials.new("floor")
    material.use_nodes = True
    mesh.materials.append(material)
    tree: Any = material.node_tree
    nodes, links = tree.nodes, tree.links
    position, shift, squares = nodes.new("ShaderNodeTexCoord"), nodes.new("ShaderNodeVectorMath"), nodes.new("ShaderNodeTexChecker")
    shift.inputs[1].default_value = (0.5, 0.5, 0.5)  # away from the checker texture's seam at z = 0
    squares.inputs["Scale"].default_value = 1.0
    squares.inputs["Color1"].default_value = (0.50, 0.46, 0.40, 1)
    squares.inputs["Color2"].default_value = (0.30, 0.30, 0.29, 1)
    links.new(position.outputs["Object"], shift.inputs[0])
    links.new(shift.outputs[0], squares.inputs["Vector"])
    surface = nodes["Principled BSDF"]
    surface.inputs["Roughness"].default_value = 0.8
    links.new(squares.outputs["Color"], surface.inputs["Base Color"])
    haze, distance, amount, mixed = (nodes.new(f"ShaderNode{kind}") for kind in ("Emission", "CameraData", "MapRange", "MixShader"))
    haze.inputs["Color"].default_value = (*HORIZON, 1)
    haze.inputs["Strength"].default_value = SKY_STRENGTH
    amount.interpolation_type = "SMOOTHSTEP"
    amount.inputs["From Min"].default_value, amount.inputs["From Max"].default_value = 5.0, 26.0
    links.new(distance.outputs["View Distance"], amount.inputs["Value"])
    links.new(amount.outputs["Result"], mixed.inputs[0])
    links.new(surface.outputs[0], mixed.inputs[1])
    links.new(haze.outputs[0], mixed.inputs[2])
    links.new(mixed.outputs[0], nodes["Material Output"].inputs["Surface"])
