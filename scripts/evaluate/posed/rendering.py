"""Videos of posed clips: the demo clip's performer on its floor, with the chair or the bar that is touched."""

from pathlib import Path

import numpy as np

from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.rotations import rotmat_from_rotvec
from scripts.assets.demo_clip.performer import Performer
from scripts.assets.demo_clip.rendering import encode_video, render_frames
from scripts.evaluate.posed.truth import FPS, PosedClip, load_clip

RENDER_SIZE = (640, 360)  # px, a third of the keypoints' images
SAMPLES = 1  # of Cycles per pixel, denoised: a second a frame on one core
SEAT_THICKNESS, SEAT_DEPTH, SEAT_WIDTH, LEG_RADIUS, BAR_RADIUS = 0.05, 0.4, 0.45, 0.02, 0.014  # m


def render(folder: Path, name: str, view: str, seconds: float = np.inf) -> None:
    """Render the missing images of a clip, or of its first seconds, from one view to FOLDER/NAME.VIEW/NNNN.png. Needs bpy.

    The floor hides the 13 mm of the shoes' soles, since bare feet touch it in the truth.
    """
    clip, intrinsics, world_from_camera = clip_and_camera(folder, name, view)
    frames = int(min(len(clip), seconds * FPS))
    rotmats = rotmat_from_rotvec(clip.poses[:frames].reshape(-1, 24, 3))
    performer = Performer(load_body("open"), clip.betas, rotmats, clip.joints[:frames, 0])
    render_frames(
        performer,
        folder / f"{name}.{view}",
        RENDER_SIZE,
        intrinsics,
        world_from_camera,
        SAMPLES,
        threads=1,
        furnish=lambda: furnish(clip),
    )


def encode(folder: Path, name: str, view: str) -> None:
    """Encode the images of a clip from one view as FOLDER/NAME.VIEW.mp4."""
    encode_video(folder / f"{name}.{view}", folder / f"{name}.{view}.mp4", RENDER_SIZE, int(FPS), {"crf": "17"})


def clip_and_camera(folder: Path, name: str, view: str) -> tuple[PosedClip, FloatArray, FloatArray]:
    """A clip, and the camera of one of its views for RENDER_SIZE."""
    with np.load(folder / f"{name}.{view}.camera.npz") as camera:
        intrinsics, world_from_camera = camera["intrinsics"], camera["world_from_camera"]
    scale = RENDER_SIZE[0] / (2 * intrinsics[0, 2])
    return load_clip(folder / f"{name}.truth.npz"), np.diag([scale, scale, 1.0]) @ intrinsics, world_from_camera


def furnish(clip: PosedClip) -> None:
    """Add what is touched to the current scene, whose meshes are rendered without subdivision: that takes less time than the image."""
    from blender_meshrec.scene.context import active_scene

    active_scene().render.use_simplify = True
    active_scene().render.simplify_subdivision_render = 0
    add_supports(clip)


def add_supports(clip: PosedClip) -> None:
    """Add a chair below the seat, and a bar in the hands, to the current scene."""
    seats = [c for c, part in enumerate(clip.parts) if part == "seat" and clip.heights[c] > 0]
    grips = [c for c, part in enumerate(clip.parts) if part.endswith("grip")]
    for column in seats:
        rows = clip.touching[:, column]
        x, y = clip.joints[rows, 0, :2].mean(0)
        add_chair((float(x), float(y) + 0.02), float(clip.heights[column]))
    if grips:
        hands = [clip.joints[clip.touching[:, column], 22 + side] for side, column in enumerate(grips)]
        x, y = np.concatenate(hands).mean(0)[:2]
        add_bar((float(x), float(y)), float(clip.heights[grips[0]]))


def add_chair(at: tuple[float, float], height: float) -> None:
    """Add a stool with four legs; at: its middle, m."""
    x, y = at
    corners = [(sx * (SEAT_WIDTH / 2 - 0.03), sy * (SEAT_DEPTH / 2 - 0.03)) for sx in (-1, 1) for sy in (-1, 1)]
    _add_box((x, y, height - SEAT_THICKNESS / 2), (SEAT_WIDTH, SEAT_DEPTH, SEAT_THICKNESS))
    for dx, dy in corners:
        _add_cylinder((x + dx, y + dy, height / 2), LEG_RADIUS, height - SEAT_THICKNESS, (0, 0, 0))


def add_bar(at: tuple[float, float], height: float) -> None:
    """Add a horizontal bar on two posts; at: its middle, m."""
    x, y = at
    _add_cylinder((x, y, height), BAR_RADIUS, 2.0, (0, np.pi / 2, 0))
    for side in (-1, 1):
        _add_cylinder((x + side, y, height / 2), 2 * BAR_RADIUS, height, (0, 0, 0))


def _add_box(at: tuple[float, float, float], size: tuple[float, float, float]) -> None:
    import bpy

    bpy.ops.mesh.primitive_cube_add(size=1, location=at, scale=size)


def _add_cylinder(at: tuple[float, float, float], radius: float, length: float, rotation: tuple[float, float, float]) -> None:
    import bpy

    bpy.ops.mesh.primitive_cylinder_add(radius=radius, depth=length, location=at, rotation=rotation)
