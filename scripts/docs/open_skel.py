"""Draw the open SKEL body, bones in a transparent skin, for inspection after every change of it.

    .venvs/bpy-4.5/bin/python -m scripts.docs.open_skel [--out docs/pictures/open_skel_poses.png] [--body FILE]
        [--betas 0 2 ...] [--poses rest squat ...] [--limits knee_angle_r ...] [--skin glass|solid|none]
        [--views 0 90] [--zoom 2.06 --centre 0 0.4 0] [--tile 300 360]

Runs with the `bpy` module, on the processor. `--limits` draws each given angle at both its limits, the others at rest; without angles, all
46.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import bpy
import numpy as np

from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.skel.kinematics import skel_kinematics
from blender_meshrec.core.skel.template import SkelTemplate, load_skel
from blender_meshrec.core.skel.vocabulary import DOF_NAMES, DOFS, SMPL_OF_SKEL, dof_index
from blender_meshrec.scene.context import active_scene, mesh_data
from scripts import ROOT
from scripts.docs import tiles

# Degrees. "knee_angle" sets both sides; angles that the model does not mirror, such as "shoulder_r_x", are set for each side.
ARMS_HANG: dict[str, float] = {"shoulder_r_x": 78, "shoulder_l_x": -78, "elbow_flexion": 12}
POSES: dict[str, dict[str, float]] = {
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


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
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
    tiles.save_picture(draw_poses(template, [pose_skel(template, np.array(chosen.betas), q) for q in angles], chosen), chosen.out)


def angles_of(pose: Mapping[str, float]) -> FloatArray:
    """q (46,) rad of a pose of POSES."""
    q = np.zeros(len(DOFS))
    for name, degrees in pose.items():
        for dof in [name] if name in DOF_NAMES else [f"{name}_r", f"{name}_l"]:
            q[dof_index(dof)] = np.radians(degrees)
    return q


def at_limits(name: str) -> list[FloatArray]:
    """Two q (46,) rad with one angle at its lower and upper limit; angles without limits (the pelvis) at 30 degrees."""
    dof = DOFS[dof_index(name)]
    ends = np.nan_to_num((dof.low, dof.high), posinf=np.pi / 6, neginf=-np.pi / 6)
    return [np.where(np.arange(len(DOFS)) == dof_index(name), end, 0.0) for end in ends]


def pose_skel(template: SkelTemplate, betas: FloatArray, q: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Vertices of skin (V,3) and bones (N,3) m, the pelvis at the origin. Source: Keller et al. 2023; the skinning is SMPL's."""
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

    def skinned(vertices: FloatArray, weights: FloatArray) -> FloatArray:
        blended = weights @ transforms
        return np.einsum("vab,vb->va", blended[:, :9].reshape(-1, 3, 3), vertices) + blended[:, 9:] - joints[0]

    return skinned(skin, template.lbs_weights), skinned(template.rest_bone_vertices(betas), template.bone_weights)


def draw_poses(template: SkelTemplate, poses: Sequence[tuple[FloatArray, FloatArray]], chosen: argparse.Namespace) -> FloatArray:
    """All poses in all views as one picture (H,W,4)."""
    camera = tiles.set_up_scene(chosen.tile, chosen.zoom)
    tiles.as_any(active_scene().cycles).transparent_max_bounces = 12
    skin = tiles.add_mesh("skin", template.v_template, template.faces)
    bones = tiles.add_mesh("bone", template.bone_template, template.bone_faces)
    mesh_data(skin).materials.append(make_material("skin", chosen.skin))
    mesh_data(bones).materials.append(make_material("bone", "solid"))
    skin.hide_render = chosen.skin == "none"
    drawn: list[FloatArray] = []
    for skin_vertices, bone_vertices in poses:
        centre = tiles.camera_target(tiles.set_body_vertices(skin, skin_vertices), chosen.centre)
        tiles.set_body_vertices(bones, bone_vertices)
        views = [tiles.render_view(camera, centre, around, np.radians(chosen.tilt)) for around in np.radians(chosen.views)]
        drawn.append(np.concatenate(views, axis=1))
    return tiles.arrange_in_grid(drawn, chosen.columns)


def make_material(name: str, look: str) -> bpy.types.Material:
    """A matte material; for "glass" it is transparent where the surface faces the camera, and denser towards the outline."""
    material, shader = tiles.matte_material(name, COLOURS[name], 0.7)
    if look == "glass":
        tree = tiles.as_any(material.node_tree)
        nodes, links = tree.nodes, tree.links
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
