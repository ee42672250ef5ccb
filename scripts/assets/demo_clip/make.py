"""Render the bundled demo clip: the open body with clothes waves, raises its arms, squats and steps to the side.

    .venvs/bpy-4.5/bin/python -m scripts.assets.demo_clip.make frames    render PNG images (Cycles; about an hour on two cores)
    .venv/bin/python -m scripts.assets.demo_clip.make clip               encode them: scripts/demo_clip.mp4
    .venv/bin/python -m scripts.assets.demo_clip.make truth              scripts/demo_clip_truth.npz: the rendered motion

The truth is a motion file in the format of `meshrec reconstruct`, so `meshrec evaluate` can compare the two. The only input is
addon_models/open_body.npz.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.cameras import invert_rigid_transform, rigid_transform
from blender_meshrec.core.conventions import WORLD_FROM_BODY, WORLD_FROM_LEVEL_CAMERA
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.rotations import rotmat_from_quat, rotmat_from_rotvec, rotvec_from_rotmat
from scripts import ROOT
from scripts.assets.demo_clip.motion import FPS, make_motion
from scripts.assets.demo_clip.performer import Performer
from scripts.assets.demo_clip.rendering import encode_video, render_frames

IMAGE_SIZE = (854, 480)
FOCAL = 1.62 * IMAGE_SIZE[1]  # px
CAMERA_POSITION = (0.15, -4.1, 1.2)  # m
CAMERA_PITCH = 0.03  # rad, downward
PERFORMER_BETAS = np.array([0.3, 0.5, 0, 0, 0, 0, 0, 0, 0, 0])
CLIP, TRUTH = ROOT / "scripts" / "demo_clip.mp4", ROOT / "scripts" / "demo_clip_truth.npz"


def make_performer() -> tuple[Performer, FloatArray]:
    """The Performer of the rendered motion in the world, z up, floor at zero, facing -y; and the contacts (F,4)."""
    template = load_body("open")
    local_quats, transl, contacts = make_motion(template, PERFORMER_BETAS)
    local = rotmat_from_quat(local_quats)
    local[:, 0] = WORLD_FROM_BODY @ local[:, 0]
    pelvis = (template.rest_joints(PERFORMER_BETAS)[0] + transl) @ WORLD_FROM_BODY.T
    return Performer(template, PERFORMER_BETAS, local, pelvis), contacts


def camera_matrices() -> tuple[FloatArray, FloatArray]:
    """Intrinsics (3,3) px and camera_from_world (4,4), OpenCV axes."""
    width, height = IMAGE_SIZE
    intrinsics = np.array([[FOCAL, 0, width / 2], [0, FOCAL, height / 2], [0, 0, 1]])
    world_from_camera = rigid_transform(WORLD_FROM_LEVEL_CAMERA @ rotmat_from_rotvec([-CAMERA_PITCH, 0, 0]), CAMERA_POSITION)
    return intrinsics, invert_rigid_transform(world_from_camera)


# --- frames ---------------------------------------------------------------------------------------------------------


def render_clip(folder: Path, chosen: Sequence[int], samples: int, percent: int) -> None:
    """Render the missing images, or the chosen frames again."""
    performer, _contacts = make_performer()
    intrinsics, camera_from_world = camera_matrices()
    render_frames(performer, folder, IMAGE_SIZE, intrinsics, invert_rigid_transform(camera_from_world), samples, percent, chosen)


# --- clip -----------------------------------------------------------------------------------------------------------


def encode_clip(folder: Path) -> None:
    """Encode the images as the clip."""
    options = {"crf": "16", "preset": "veryslow", "tune": "animation"}
    count = encode_video(folder, CLIP, IMAGE_SIZE, FPS, options, {"movflags": "faststart"})
    print(f"wrote {CLIP}: {count} frames, {CLIP.stat().st_size / 1e3:.0f} kB")


# --- truth ----------------------------------------------------------------------------------------------------------


def write_truth() -> None:
    """Write the rendered motion as a motion file with its true camera and contacts."""
    from blender_meshrec.bodies.make_body import make_body
    from blender_meshrec.core.files.motion_npz import write_motion
    from blender_meshrec.core.records import Recovery

    performer, contacts = make_performer()
    intrinsics, camera_from_world = camera_matrices()
    count = len(performer.joints)
    poses, transl = rotvec_from_rotmat(performer.local).reshape(count, -1), performer.joints[:, 0] - performer.rest_joints[0]
    body = make_body(performer.template)
    recovery = Recovery(
        poses=poses,
        trans=transl,
        betas=PERFORMER_BETAS,
        surface_model_type="open",
        mocap_framerate=FPS,
        timestamps=np.arange(count) / FPS,
        visible=np.ones(count, bool),
        joints=performer.joints,
        confidence=np.ones((count, 24)),
        lifted_joints=body.h36m17(PERFORMER_BETAS, poses[:, :3], poses[:, 3:], transl).numpy(),
        contacts=contacts,
        camera_intrinsics=intrinsics,
        camera_from_world=np.repeat(camera_from_world[None], count, 0),
        image_size=np.array(IMAGE_SIZE),
        footage=CLIP.name,
    )
    write_motion(TRUTH, recovery)
    print(f"wrote {TRUTH}: {TRUTH.stat().st_size / 1e3:.0f} kB")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("step", choices=("frames", "clip", "truth"))
    parser.add_argument("--folder", type=Path, default=ROOT / "out" / "demo_clip", help="where the pictures go")
    parser.add_argument("--frames", type=int, nargs="*", help="only these frames, for a look")
    parser.add_argument("--samples", type=int, default=12)
    parser.add_argument("--percent", type=int, default=100, help="size of a trial picture")
    arguments = parser.parse_args()
    if arguments.step == "frames":
        render_clip(arguments.folder, arguments.frames or (), arguments.samples, arguments.percent)
    elif arguments.step == "clip":
        encode_clip(arguments.folder)
    else:
        write_truth()


if __name__ == "__main__":
    main()
