"""Draw one motion on several characters side by side, at some of its frames, for inspection of retargeting.

    .venvs/bpy-4.5/bin/python -m scripts.docs.retargeted MOTION.npz CHARACTER.glb CHARACTER.fbx ... [--frames 10 60 110]
        [--out out/retargeted.png] [--fk] [--view 25] [--height 330]

Runs with the `bpy` module, on the processor. The first column is the recovered person. All characters are drawn at the same height, by
a camera that follows their hips over the floor.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import bpy
import numpy as np
from mathutils import Euler, Vector

from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.files.motion_npz import read_motion
from blender_meshrec.retarget.character_path import split_character_path
from blender_meshrec.retarget.rig import RetargetOptions
from blender_meshrec.retarget.source.files import read_performance
from blender_meshrec.scene.assemble import Person, assemble
from blender_meshrec.scene.assembly import AssemblyOptions
from blender_meshrec.scene.character.rig_file import load_character
from blender_meshrec.scene.context import active_scene, camera_data, pose_bones
from blender_meshrec.scene.motion.keyframes import set_timeline
from blender_meshrec.scene.retargeting.retarget import retarget_armature
from scripts import ROOT
from scripts.docs import tiles

BACKGROUND = (0.93, 0.93, 0.93)
HEIGHT_MARGIN = 1.12  # height of the view over the height of the figure


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("motion", type=Path)
    parser.add_argument("characters", nargs="+", metavar="FILE[#NAME]")
    parser.add_argument("--frames", type=int, nargs="+", default=[1, 40, 80], help="on the timeline, from 1")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "retargeted.png")
    parser.add_argument("--fk", action="store_true", help="without keeping contacts")
    parser.add_argument("--view", type=float, default=25, help="degrees around the figure from its front")
    parser.add_argument("--height", type=int, default=330, help="px of a tile")
    chosen = parser.parse_args()
    columns = [draw_person(chosen), *(draw_character(file, chosen) for file in chosen.characters)]
    picture = np.concatenate([np.concatenate(rows, 0) for rows in columns], 1)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    save_picture(picture, chosen.out)
    print(f"wrote {chosen.out}")
    sys.stdout.flush()
    os._exit(0)  # some Blender modules hang while Python tears them down


def draw_person(chosen: argparse.Namespace) -> list[FloatArray]:
    """The column of the recovered person."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    recovery = read_motion(chosen.motion)
    assembly = assemble([Person("person", recovery, load_body())], "clip", AssemblyOptions(footage=False, pose_shapes=False))
    return draw_frames(assembly.armatures[0], "pelvis", assembly.meshes, chosen)


def draw_character(file: str, chosen: argparse.Namespace) -> list[FloatArray]:
    """The column of a character with the retargeted motion."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    path, name = split_character_path(file)
    character = load_character(path, name)
    result = retarget_armature(character.armature, read_performance(chosen.motion), options=RetargetOptions(feet=not chosen.fk))
    print(path.name, {key: round(value, 2) for key, value in result.quality.items() if isinstance(value, float)}, *result.notes)
    set_timeline(active_scene(), result.fps, result.last_frame)
    return draw_frames(character.armature, result.mapping.slots["hips"][0], character.meshes, chosen)


def draw_frames(rig: bpy.types.Object, hips: str, meshes: Sequence[bpy.types.Object], chosen: argparse.Namespace) -> list[FloatArray]:
    """Pictures of the figure at each frame, (H,W,3) 0..1."""
    scene = active_scene()
    for item in scene.objects:
        item.hide_render = item not in meshes
    camera = set_up_scene(scene, chosen.height)
    scene.frame_set(chosen.frames[0])
    height = figure_height(meshes)
    drawn: list[FloatArray] = []
    for frame in chosen.frames:
        scene.frame_set(frame)
        middle = rig.matrix_world @ pose_bones(rig)[hips].head
        aim_camera(camera, Vector((middle.x, middle.y, 0.5 * height)), HEIGHT_MARGIN * height, chosen.view)
        drawn.append(tiles.render()[..., :3])
    return drawn


def figure_height(meshes: Sequence[bpy.types.Object]) -> float:
    """The height of the figure above the floor or its lowest point, m."""
    graph = bpy.context.evaluated_depsgraph_get()
    evaluated = [mesh.evaluated_get(graph) for mesh in meshes]
    heights = [(mesh.matrix_world @ Vector(tuple(corner))).z for mesh in evaluated for corner in mesh.bound_box]
    return max(heights) - min(*heights, 0)


def set_up_scene(scene: bpy.types.Scene, height: int) -> bpy.types.Object:
    """Set up Workbench, an orthographic camera and a floor; height: px of a tile. Returns the camera."""
    tiles.as_any(scene.render).engine = "BLENDER_WORKBENCH"
    scene.render.resolution_x, scene.render.resolution_y = round(0.8 * height), height
    scene.render.resolution_percentage = 100
    shading = tiles.as_any(scene.display).shading
    shading.light, shading.color_type = "STUDIO", "TEXTURE"
    shading.show_cavity, shading.show_shadows = True, True
    shading.background_type, shading.background_color = "VIEWPORT", BACKGROUND
    scene.render.film_transparent = False
    world = bpy.data.worlds.new("world")
    world.color = BACKGROUND
    scene.world = world
    lens = bpy.data.cameras.new("camera")
    lens.type = "ORTHO"
    lens.clip_end = 1000
    camera = bpy.data.objects.new("camera", lens)
    scene.camera = camera
    scene.collection.objects.link(camera)
    floor = bpy.data.meshes.new("floor")
    floor.from_pydata([(-40, -40, 0), (40, -40, 0), (40, 40, 0), (-40, 40, 0)], [], [(0, 1, 2, 3)])
    scene.collection.objects.link(bpy.data.objects.new("floor", floor))
    return camera


def aim_camera(camera: bpy.types.Object, target: Vector, width: float, view: float) -> None:
    """Point the camera at a target, from a direction `view`, degrees around the figure; width: of the view, m."""
    rotation = Euler((np.radians(78), 0, np.radians(view)))
    camera.rotation_euler = rotation
    camera.location = target + rotation.to_matrix() @ Vector((0, 0, 20))
    camera_data(camera).ortho_scale = width


def save_picture(picture: FloatArray, path: Path) -> None:
    """Save a picture (H,W,3) 0..1 as a PNG."""
    height, width, _ = picture.shape
    image = bpy.data.images.new("picture", width, height)
    flat = np.concatenate([picture[::-1], np.ones((height, width, 1), np.float32)], -1)
    tiles.as_any(image.pixels).foreach_set(np.ascontiguousarray(flat, np.float32).ravel())
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()


if __name__ == "__main__":
    main()
