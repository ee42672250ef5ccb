"""Draw the open body in the poses that skinning finds hard, to look at after every change of it.

    .venvs/bpy-4.5/bin/python scripts/draw_body_poses.py [--out docs/pictures/open_body_poses.png]
        [--body FILE] [--betas 0 2 ...] [--plain] [--poses squat ...] [--zoom 0.9 --centre 0 0.4 0]

Runs with the `bpy` module, on the processor. Every pose is seen from the front, from the side and from behind.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import bpy
import numpy as np
from mathutils import Euler, Vector

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from blender_meshrec.core.body_template import load_body  # noqa: E402
from blender_meshrec.core.rotations import rotmat_from_rotvec  # noqa: E402

# Degrees about the body's axes (x left, y up, z forward). "shoulder" sets both sides, mirrored; "left_shoulder" only one.
POSES = {
    "T-pose": {},
    "arms down": {"shoulder": (0, 0, -75), "elbow": (0, -15, 0)},
    "arms up": {"shoulder": (0, 0, 85)},
    "arms raised": {"shoulder": (0, 0, 55)},
    "arms crossed": {"shoulder": (35, -60, -45), "elbow": (0, -105, 0)},
    "squat": {
        "hip": (-105, 15, 10), "knee": (120, 0, 0), "ankle": (-20, 0, 0), "spine1": (20, 0, 0), "spine2": (15, 0, 0),
        "shoulder": (0, -80, 0), "neck": (-20, 0, 0),
    },
    "lunge": {
        "left_hip": (-85, 0, 0), "left_knee": (85, 0, 0), "right_hip": (25, 0, 0), "right_knee": (60, 0, 0),
        "right_foot": (-40, 0, 0), "shoulder": (0, 0, -65), "left_elbow": (0, -40, 0), "right_elbow": (0, 40, 0),
    },
    "sit": {"hip": (-90, 0, 5), "knee": (90, 0, 0), "shoulder": (0, 0, -65), "elbow": (0, -60, 0)},
}  # fmt: skip
VIEWS = (0, 90, 180)  # degrees around the body: front, its left, behind
COLUMNS = 2  # poses side by side
TILE = (220, 230)  # px
SRGB = {"skin": (201, 160, 136), "hair": (74, 58, 50), "shirt": (98, 160, 234), "trousers": (84, 94, 120), "shoes": (70, 68, 70)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures" / "open_body_poses.png")
    parser.add_argument("--body", default="open", help="an SMPL-family file instead of the open body")
    parser.add_argument("--betas", type=float, nargs="*", default=[0.0])
    parser.add_argument("--plain", action="store_true", help="clay instead of clothes")
    parser.add_argument("--poses", nargs="*", choices=POSES, default=list(POSES), metavar="POSE", help=", ".join(POSES))
    parser.add_argument("--zoom", type=float, default=2.06, help="width of a tile in metres")
    parser.add_argument("--centre", type=float, nargs=3, help="what the camera looks at, metres from the pelvis")
    chosen = parser.parse_args()
    template = load_body(chosen.body)
    posed = [skinned(template, np.array(chosen.betas), rotvecs_of(template, POSES[pose])) for pose in chosen.poses]
    picture = draw(template, posed, chosen)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    save(picture, chosen.out)
    print(f"wrote {chosen.out} ({chosen.out.stat().st_size / 1000:.0f} kB)")


def rotvecs_of(template, pose):
    """Local rotation vectors (J,3) rad of a pose of POSES."""
    rotvecs = np.zeros((len(template.joint_names), 3))
    for joint, degrees in pose.items():
        sides = [("", 1)] if joint in template.joint_names else [("left_", 1), ("right_", -1)]
        for side, sign in sides:
            rotvecs[template.joint_names.index(side + joint)] = np.radians(degrees) * (1, sign, sign)
    return rotvecs


def skinned(template, betas, rotvecs):
    """Posed vertices (V,3) m, the pelvis at the origin. Source: Loper et al. 2015 (SMPL), eq. 2-4, 9."""
    vertices, joints = template.rest(betas)
    local = rotmat_from_rotvec(rotvecs)
    if template.posedirs is not None:
        vertices = vertices + template.posedirs @ (local[1:] - np.eye(3)).ravel()
    rotations, places = local.copy(), joints.copy()
    for joint, parent in enumerate(template.parents[1:], start=1):
        rotations[joint] = rotations[parent] @ local[joint]
        places[joint] = places[parent] + rotations[parent] @ (joints[joint] - joints[parent])
    shifts = places - np.einsum("jab,jb->ja", rotations, joints)
    blended = template.lbs_weights @ np.concatenate([rotations.reshape(-1, 9), shifts], axis=1)
    return np.einsum("vab,vb->va", blended[:, :9].reshape(-1, 3, 3), vertices) + blended[:, 9:] - joints[0]


def draw(template, posed, chosen):
    """All poses in all views as one picture (H,W,4), floats as the file holds them, first row on top."""
    body, camera = build_scene(template, chosen)
    tiles = []
    for vertices in posed:
        world = vertices[:, [0, 2, 1]] * (1, -1, 1)  # z up, facing -y
        body.data.vertices.foreach_set("co", world.astype(np.float32).ravel())
        body.data.update()
        centre = (world.min(0) + world.max(0)) / 2
        if chosen.centre:
            centre = np.array(chosen.centre)[[0, 2, 1]] * (1, -1, 1)
        views = []
        for degrees in VIEWS:
            around = np.radians(degrees)
            camera.location = Vector(centre) + 6 * Vector((np.sin(around), -np.cos(around), 0.0))
            camera.rotation_euler = Euler((np.pi / 2, 0, around))
            views.append(render())
        tiles.append(np.concatenate(views, axis=1))
    tiles += [np.ones_like(tiles[0])] * (-len(tiles) % COLUMNS)
    rows = [np.concatenate(tiles[start : start + COLUMNS], axis=1) for start in range(0, len(tiles), COLUMNS)]
    return np.concatenate(rows, axis=0)


def build_scene(template, chosen):
    """An empty scene with the body, a camera without perspective and soft light; returns the body's and the camera's object."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 24
    scene.cycles.use_denoising = True
    scene.render.resolution_x, scene.render.resolution_y = TILE
    scene.render.dither_intensity = 0  # its noise would fill the file
    scene.view_settings.view_transform = "Standard"
    scene.world = bpy.data.worlds.new("world")
    scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.75, 0.77, 0.8, 1)
    scene.world.node_tree.nodes["Background"].inputs["Strength"].default_value = 0.75
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.type, camera.data.ortho_scale = "ORTHO", chosen.zoom
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.energy, sun.data.angle = 2.2, 0.3
    sun.parent, sun.rotation_euler = camera, Euler((-0.7, 0.5, 0))
    body = bpy.data.objects.new("body", bpy.data.meshes.new("body"))
    body.data.from_pydata(template.v_template.tolist(), [], template.faces.tolist())
    body.data.polygons.foreach_set("use_smooth", np.ones(len(template.faces), bool))
    dressed = template.face_parts is not None and not chosen.plain
    for part in template.part_names if dressed else ("skin",):
        material = bpy.data.materials.new(part)
        material.use_nodes = True
        shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
        shader.inputs["Base Color"].default_value = (*(np.array(SRGB[part]) / 255) ** 2.2, 1)
        shader.inputs["Roughness"].default_value = 0.8
        body.data.materials.append(material)
    if dressed:
        body.data.polygons.foreach_set("material_index", template.face_parts.astype(np.int32))
    for item in (camera, sun, body):
        scene.collection.objects.link(item)
    scene.camera = camera
    return body, camera


def render():
    """One view, (H,W,4)."""
    with tempfile.TemporaryDirectory() as folder:
        bpy.context.scene.render.filepath = str(Path(folder) / "view.png")
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(bpy.context.scene.render.filepath)
        pixels = np.array(image.pixels[:], np.float32).reshape(TILE[1], TILE[0], 4)[::-1]
        bpy.data.images.remove(image)
    return pixels


def save(pixels, path):
    image = bpy.data.images.new("all", pixels.shape[1], pixels.shape[0])
    image.pixels.foreach_set(np.ascontiguousarray(pixels[::-1]).ravel())
    settings = bpy.context.scene.render.image_settings
    settings.file_format, settings.color_mode, settings.compression = "PNG", "RGB", 100
    image.save_render(str(path))


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # bpy may crash while Python ends
