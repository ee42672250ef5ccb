"""Draw the open SKEL body, bones inside a half-transparent skin, to look at after every change of it.

    .venvs/bpy-4.5/bin/python scripts/draw_open_skel.py [--out docs/pictures/open_skel_poses.png] [--body FILE]
        [--betas 0 2 ...] [--poses rest squat ...] [--limits knee_angle_r ...] [--skin glass|solid|none]
        [--views 0 90] [--zoom 2.06 --centre 0 0.4 0] [--tile 300 360]

Runs with the `bpy` module, on the processor. `--limits` draws angles at both their limits, everything else at rest; alone, all 46.
"""

import argparse
import os
import sys
from pathlib import Path

import bpy
import draw_body_poses
import numpy as np
from mathutils import Euler, Vector

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from blender_meshrec.core.skel import DOF_NAMES, DOFS, SMPL_OF_SKEL, dof_index  # noqa: E402
from blender_meshrec.core.skel_file import load_skel  # noqa: E402
from blender_meshrec.core.skel_kinematics import skel_kinematics  # noqa: E402

# Degrees. "knee_angle" sets both sides; "shoulder_x" and its like, which the model does not mirror, are named with their side.
ARMS_HANG = {"shoulder_r_x": 78, "shoulder_l_x": -78, "elbow_flexion": 12}
POSES = {
    "rest": {},
    "standing": ARMS_HANG,
    "squat": {
        "hip_flexion": 100, "knee_angle": 118, "ankle_angle": 22, "hip_adduction": -12, "lumbar_extension": -22, "thorax_extension": -12,
        "head_extension": 22, "shoulder_r_z": 80, "shoulder_l_z": 80, "elbow_flexion": 12,
    },
    "throw": {
        "hip_flexion_l": 42, "knee_angle_l": 35, "hip_flexion_r": -15, "knee_angle_r": 25, "mtp_angle_r": -30, "ankle_angle_r": -15,
        "lumbar_twist": -18, "thorax_twist": -22, "head_twist": 25, "shoulder_r_x": -25, "shoulder_r_y": -55, "elbow_flexion_r": 95,
        "pro_sup_r": -40, "shoulder_l_x": -15, "shoulder_l_z": 60, "elbow_flexion_l": 15, "wrist_flexion_r": -35,
        "scapula_upward_rot_r": 15, "lumbar_bending": 8,
    },
}  # fmt: skip
COLOURS = {"skin": (0.55, 0.33, 0.25), "bone": (0.93, 0.88, 0.76)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures" / "open_skel_poses.png")
    parser.add_argument("--body", default="open", help="a SKEL file instead of the open body")
    parser.add_argument("--betas", type=float, nargs="*", default=[0.0])
    parser.add_argument("--poses", nargs="*", choices=POSES, default=["rest", "squat", "throw"], metavar="POSE", help=", ".join(POSES))
    parser.add_argument("--limits", nargs="*", choices=DOF_NAMES, metavar="ANGLE", help="draw these angles at their limits instead")
    parser.add_argument("--skin", choices=("glass", "solid", "none"), default="glass")
    parser.add_argument("--views", type=float, nargs="*", default=[0, 90], help="degrees around the body; 0 is its front, 90 its left")
    parser.add_argument("--zoom", type=float, default=1.85, help="width of a tile in metres")
    parser.add_argument("--centre", type=float, nargs=3, help="what the camera looks at, metres from the pelvis")
    parser.add_argument("--tile", type=int, nargs=2, default=(360, 360), help="pixels")
    parser.add_argument("--tilt", type=float, default=0.0, help="degrees that the camera looks down")
    parser.add_argument("--columns", type=int, default=1, help="poses side by side")
    chosen = parser.parse_args()
    template = load_skel(chosen.body)
    if chosen.limits is None:
        angles = [angles_of(POSES[pose]) for pose in chosen.poses]
    else:
        angles = [q for name in chosen.limits or DOF_NAMES for q in at_limits(name)]
    picture = draw(template, [posed(template, np.array(chosen.betas), q) for q in angles], chosen)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    draw_body_poses.save(picture, chosen.out)
    print(f"wrote {chosen.out} ({chosen.out.stat().st_size / 1000:.0f} kB)")


def angles_of(pose):
    """q (46,) rad of a pose of POSES."""
    q = np.zeros(len(DOFS))
    for name, degrees in pose.items():
        for dof in [name] if name in DOF_NAMES else [f"{name}_r", f"{name}_l"]:
            q[dof_index(dof)] = np.radians(degrees)
    return q


def at_limits(name):
    """The two q (46,) rad with one angle at its limits; the pelvis, which has none, at 30 degrees."""
    dof = DOFS[dof_index(name)]
    ends = np.nan_to_num((dof.low, dof.high), posinf=np.pi / 6, neginf=-np.pi / 6)
    return [np.where(np.arange(len(DOFS)) == dof_index(name), end, 0.0) for end in ends]


def posed(template, betas, q):
    """Skin (V,3) and bones (N,3) m, the pelvis at the origin. Source: Keller et al. 2023; the skinning is SMPL's."""
    rest = template.rest_joints(betas)
    pose = skel_kinematics(q[None], rest, template.bone_frames(betas))
    rotations, joints = pose.rotations[0], pose.joints[0]
    skin = template.rest_vertices(betas)
    if template.posedirs is not None:
        local = np.tile(np.eye(3), (24, 1, 1))
        local[SMPL_OF_SKEL] = pose.local_rotations[0]
        skin = skin + template.posedirs @ (local[1:] - np.eye(3)).ravel()
    shifts = joints - np.einsum("jab,jb->ja", rotations, rest)
    transforms = np.concatenate([rotations.reshape(24, 9), shifts], 1)

    def skinned(vertices, weights):
        blended = weights @ transforms
        return np.einsum("vab,vb->va", blended[:, :9].reshape(-1, 3, 3), vertices) + blended[:, 9:] - joints[0]

    return skinned(skin, template.lbs_weights), skinned(template.rest_bone_vertices(betas), template.bone_weights)


def draw(template, poses, chosen):
    """All poses in all views as one picture (H,W,4), floats as the file holds them, first row on top."""
    draw_body_poses.TILE = tuple(chosen.tile)
    skin, bones, camera = build_scene(template, chosen)
    tiles = []
    for meshes in poses:
        world = [vertices[:, [0, 2, 1]] * (1, -1, 1) for vertices in meshes]  # z up, facing -y
        for item, vertices in zip((skin, bones), world, strict=True):
            item.data.vertices.foreach_set("co", vertices.astype(np.float32).ravel())
            item.data.update()
        centre = (world[0].min(0) + world[0].max(0)) / 2
        if chosen.centre:
            centre = np.array(chosen.centre)[[0, 2, 1]] * (1, -1, 1)
        views = []
        for around in np.radians(chosen.views):
            down = np.radians(chosen.tilt)
            back = Vector((np.sin(around) * np.cos(down), -np.cos(around) * np.cos(down), np.sin(down)))
            camera.location = Vector(centre) + 6 * back
            camera.rotation_euler = Euler((np.pi / 2 - down, 0, around))
            views.append(draw_body_poses.render())
        tiles.append(np.concatenate(views, axis=1))
    tiles += [np.ones_like(tiles[0])] * (-len(tiles) % chosen.columns)
    rows = [np.concatenate(tiles[start : start + chosen.columns], axis=1) for start in range(0, len(tiles), chosen.columns)]
    return np.concatenate(rows, axis=0)


def build_scene(template, chosen):
    """An empty scene with skin, bones, a camera without perspective and soft light; returns the first three's objects."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 24
    scene.cycles.use_denoising = True
    scene.cycles.transparent_max_bounces = 12
    scene.render.resolution_x, scene.render.resolution_y = draw_body_poses.TILE
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
    meshes = []
    for name, vertices, faces in (("skin", template.v_template, template.faces), ("bone", template.bone_template, template.bone_faces)):
        item = bpy.data.objects.new(name, bpy.data.meshes.new(name))
        item.data.from_pydata(vertices.tolist(), [], faces.tolist())
        item.data.polygons.foreach_set("use_smooth", np.ones(len(faces), bool))
        item.data.materials.append(_material(name, chosen.skin if name == "skin" else "solid"))
        meshes.append(item)
    meshes[0].hide_render = chosen.skin == "none"
    for item in (camera, sun, *meshes):
        scene.collection.objects.link(item)
    scene.camera = camera
    return *meshes, camera


def _material(name, look):
    """Matt, or for "glass" see-through where one looks straight at it and denser towards the outline."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    shader = next(node for node in nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (*COLOURS[name], 1)
    shader.inputs["Roughness"].default_value = 0.7
    if look == "glass":
        edge, scaled = nodes.new("ShaderNodeLayerWeight"), nodes.new("ShaderNodeMath")
        edge.inputs["Blend"].default_value = 0.35
        scaled.operation = "MULTIPLY_ADD"
        scaled.inputs[1].default_value, scaled.inputs[2].default_value = 0.75, 0.13
        links.new(edge.outputs["Facing"], scaled.inputs[0])
        links.new(scaled.outputs[0], shader.inputs["Alpha"])
    return material


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # bpy may crash while Python ends
