"""Draw the open body in poses that are difficult for skinning, for inspection after every change of it.

    .venvs/bpy-4.5/bin/python -m scripts.docs.body_poses [--out docs/pictures/open_body_poses.png]
        [--body FILE] [--betas 0 2 ...] [--plain] [--poses squat ...] [--zoom 0.9 --centre 0 0.4 0]

Runs with the `bpy` module, on the processor. Every pose is drawn from the front, from the side and from behind.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

import bpy
import numpy as np

from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.files.body_template import BodyTemplate, load_body
from blender_meshrec.core.skinning import posed_vertices
from blender_meshrec.scene.context import mesh_data
from scripts import ROOT
from scripts.docs import tiles

Degrees: TypeAlias = tuple[float, float, float]  # about the body's axes (x left, y up, z forward)

# Rotations by joint; "shoulder" sets both sides, mirrored, "left_shoulder" only one.
POSES: dict[str, dict[str, Degrees]] = {
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


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures" / "open_body_poses.png")
    parser.add_argument("--body", default="open", help="an SMPL-family file instead of the open body")
    parser.add_argument("--betas", type=float, nargs="*", default=[0.0])
    parser.add_argument("--plain", action="store_true", help="clay instead of clothes")
    parser.add_argument("--poses", nargs="*", choices=POSES, default=list(POSES), metavar="POSE", help=", ".join(POSES))
    parser.add_argument("--zoom", type=float, default=2.06, help="width of a tile in metres")
    parser.add_argument("--centre", type=float, nargs=3, help="what the camera looks at, metres from the pelvis")
    chosen = parser.parse_args()
    template = load_body(chosen.body)
    betas, poses = np.array(chosen.betas), [pose_rotvecs(template, POSES[pose]).ravel() for pose in chosen.poses]
    # Move the pelvis to the origin.
    posed = posed_vertices(template, betas, poses, np.tile(-template.rest_joints(betas)[0], (len(poses), 1)))
    tiles.save_picture(draw_poses(template, posed, chosen), chosen.out)


def pose_rotvecs(template: BodyTemplate, pose: Mapping[str, Degrees]) -> FloatArray:
    """Local rotation vectors (J,3) rad of a pose of POSES."""
    rotvecs = np.zeros((len(template.joint_names), 3))
    for joint, degrees in pose.items():
        sides = [("", 1)] if joint in template.joint_names else [("left_", 1), ("right_", -1)]
        for side, sign in sides:
            rotvecs[template.joint_names.index(side + joint)] = np.radians(degrees) * (1, sign, sign)
    return rotvecs


def draw_poses(template: BodyTemplate, posed: Iterable[FloatArray], chosen: argparse.Namespace) -> FloatArray:
    """All poses in all views as one picture (H,W,4)."""
    camera, body = tiles.set_up_scene(TILE, chosen.zoom), dressed_body(template, chosen.plain)
    drawn: list[FloatArray] = []
    for vertices in posed:
        centre = tiles.camera_target(tiles.set_body_vertices(body, vertices), chosen.centre)
        drawn.append(np.concatenate([tiles.render_view(camera, centre, around) for around in np.radians(VIEWS)], axis=1))
    return tiles.arrange_in_grid(drawn, COLUMNS)


def dressed_body(template: BodyTemplate, plain: bool) -> bpy.types.Object:
    """The body's object, in clothes if the template has clothing parts; plain: all in the skin's colour."""
    body = tiles.add_mesh("body", template.v_template, template.faces)
    mesh = mesh_data(body)
    face_parts = None if plain else template.face_parts
    for part in ("skin",) if face_parts is None else template.part_names:
        mesh.materials.append(tiles.matte_material(part, (np.array(SRGB[part]) / 255) ** 2.2, 0.8)[0])
    if face_parts is not None:
        mesh.polygons.foreach_set("material_index", face_parts.astype(np.int32))
    return body


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # bpy may crash while Python ends
