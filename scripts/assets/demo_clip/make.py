"""Render the bundled demo clip: the open body, dressed, waves, raises its arms, squats and steps to the side.

    .venvs/bpy-4.5/bin/python -m scripts.assets.demo_clip.make frames    render PNG pictures (Cycles; about an hour on two cores)
    .venv/bin/python -m scripts.assets.demo_clip.make clip               encode them: scripts/demo_clip.mp4
    .venv/bin/python -m scripts.assets.demo_clip.make truth              scripts/demo_clip_truth.npz: the motion that was rendered

The truth is a motion file like those `meshrec reconstruct` writes, so `meshrec evaluate` compares the two. Everything
that is seen is made here; nothing but addon_models/open_body.npz is read.
"""

import argparse
from pathlib import Path

import numpy as np

from blender_meshrec.core.cameras import inverse_rigid, rigid
from blender_meshrec.core.conventions import WORLD_FROM_BODY, WORLD_FROM_LEVEL_CAMERA
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.rotations import rotmat_from_quat, rotmat_from_rotvec, rotvec_from_rotmat
from scripts import ROOT
from scripts.assets.demo_clip.motion import FPS, perform
from scripts.assets.demo_clip.performer import Performer

SIZE = (854, 480)
FOCAL = 1.62 * SIZE[1]  # px
CAMERA_AT = (0.15, -4.1, 1.2)  # m
CAMERA_PITCH = 0.03  # rad, downward
BETAS = np.array([0.3, 0.5, 0, 0, 0, 0, 0, 0, 0, 0])
CLIP, TRUTH = ROOT / "scripts" / "demo_clip.mp4", ROOT / "scripts" / "demo_clip_truth.npz"


def performance():
    """The rendered motion in the world, z up, floor at zero, facing -y: its Performer and the contacts (F,4)."""
    template = load_body("open")
    local_quats, transl, contacts = perform(template, BETAS)
    local = rotmat_from_quat(local_quats)
    local[:, 0] = WORLD_FROM_BODY @ local[:, 0]
    pelvis = (template.rest_joints(BETAS)[0] + transl) @ WORLD_FROM_BODY.T
    return Performer(template, BETAS, local, pelvis), contacts


def camera():
    """Intrinsics (3,3) px and camera_from_world (4,4), OpenCV axes."""
    width, height = SIZE
    intrinsics = np.array([[FOCAL, 0, width / 2], [0, FOCAL, height / 2], [0, 0, 1]])
    world_from_camera = rigid(WORLD_FROM_LEVEL_CAMERA @ rotmat_from_rotvec([-CAMERA_PITCH, 0, 0]), CAMERA_AT)
    return intrinsics, inverse_rigid(world_from_camera)


# --- frames ---------------------------------------------------------------------------------------------------------


def render_frames(folder, chosen, samples, size_percent):
    """Render the pictures that are not there yet, or the chosen frames anew."""
    import bpy

    from scripts.assets.demo_clip.figure import Figure
    from scripts.assets.demo_clip.stage import dress_stage

    performer, _contacts = performance()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    intrinsics, camera_from_world = camera()
    dress_stage(SIZE, intrinsics, inverse_rigid(camera_from_world), samples, size_percent)
    figure = Figure(performer)
    folder.mkdir(parents=True, exist_ok=True)
    for frame in chosen if chosen else range(len(performer.joints)):
        path = folder / f"{frame:04d}.png"
        if not chosen and path.exists():
            continue
        figure.pose(frame)
        bpy.context.scene.render.filepath = str(path)
        bpy.ops.render.render(write_still=True)


# --- clip -----------------------------------------------------------------------------------------------------------


def encode(folder):
    """Make the clip of the pictures."""
    import av
    import cv2

    paths = sorted(folder.glob("*.png"))
    with av.open(str(CLIP), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.options = {"crf": "16", "preset": "veryslow", "tune": "animation"}
        for path in paths:
            picture = av.VideoFrame.from_ndarray(cv2.imread(str(path)), format="bgr24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    print(f"wrote {CLIP}: {len(paths)} frames, {CLIP.stat().st_size / 1e3:.0f} kB")


# --- truth ----------------------------------------------------------------------------------------------------------


def write_truth():
    """Write the motion that was rendered, as `meshrec reconstruct` would write it if it knew all."""
    from blender_meshrec.bodies.smpl import make_body
    from blender_meshrec.core.files.motion_npz import write_motion
    from blender_meshrec.core.records import Recovery

    performer, contacts = performance()
    intrinsics, camera_from_world = camera()
    count = len(performer.joints)
    poses, transl = rotvec_from_rotmat(performer.local).reshape(count, -1), performer.joints[:, 0] - performer.rest_joints[0]
    body = make_body(performer.template)
    recovery = Recovery(
        poses=poses,
        trans=transl,
        betas=BETAS,
        surface_model_type="open",
        mocap_framerate=FPS,
        timestamps=np.arange(count) / FPS,
        visible=np.ones(count, bool),
        joints=performer.joints,
        confidence=np.ones((count, 24)),
        lifted_joints=body.h36m17(BETAS, poses[:, :3], poses[:, 3:], transl).numpy(),
        contacts=contacts,
        camera_intrinsics=intrinsics,
        camera_from_world=np.repeat(camera_from_world[None], count, 0),
        image_size=SIZE,
        footage=CLIP.name,
    )
    write_motion(TRUTH, recovery)
    print(f"wrote {TRUTH}: {TRUTH.stat().st_size / 1e3:.0f} kB")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("step", choices=("frames", "clip", "truth"))
    parser.add_argument("--folder", type=Path, default=ROOT / "out" / "demo_clip", help="where the pictures go")
    parser.add_argument("--frames", type=int, nargs="*", help="only these frames, for a look")
    parser.add_argument("--samples", type=int, default=12)
    parser.add_argument("--percent", type=int, default=100, help="size of a trial picture")
    arguments = parser.parse_args()
    if arguments.step == "frames":
        render_frames(arguments.folder, arguments.frames, arguments.samples, arguments.percent)
    elif arguments.step == "clip":
        encode(arguments.folder)
    else:
        write_truth()


if __name__ == "__main__":
    main()
