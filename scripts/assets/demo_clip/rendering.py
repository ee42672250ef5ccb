"""Images and videos of a Performer, for the demo clip and the filmed recordings."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from blender_meshrec.core.array_types import FloatArray
from scripts.assets.demo_clip.performer import Performer


def render_frames(
    performer: Performer,
    folder: Path,
    size: tuple[int, int],
    intrinsics: FloatArray,
    world_from_camera: FloatArray,
    samples: int,
    percent: int = 100,
    chosen: Sequence[int] = (),
    threads: int | None = None,
    furnish: Callable[[], None] | None = None,
) -> None:
    """Render a performer's frames to FOLDER/NNNN.png with Cycles: the missing ones, or the chosen ones again. Needs bpy.

    Args:
        size: (width, height) px. intrinsics: (3,3) px. world_from_camera: (4,4), OpenCV axes.
        samples: of Cycles per pixel. percent: of the size. threads: of the renderer; all by default.
        furnish: adds objects to the scene.
    """
    import bpy

    from blender_meshrec.scene.context import active_scene
    from scripts.assets.demo_clip.figure import ClothedFigure
    from scripts.assets.demo_clip.render_scene import set_up_render_scene

    bpy.ops.wm.read_factory_settings(use_empty=True)
    set_up_render_scene(size, intrinsics, world_from_camera, samples, percent)
    render = active_scene().render
    if threads:
        render.threads_mode, render.threads = "FIXED", threads
    if furnish:
        furnish()
    figure = ClothedFigure(performer)
    folder.mkdir(parents=True, exist_ok=True)
    for frame in chosen or range(len(performer.joints)):
        path = folder / f"{frame:04d}.png"
        if not chosen and path.exists():
            continue
        figure.pose(frame)
        render.filepath = str(path)
        bpy.ops.render.render(write_still=True)


def encode_video(
    folder: Path,
    path: Path,
    size: tuple[int, int],
    fps: int,
    options: Mapping[str, str],
    container_options: Mapping[str, str] | None = None,
) -> int:
    """Make an H.264 video of a folder's PNG images; returns the number of frames."""
    import av
    import cv2

    pictures = sorted(folder.glob("*.png"))
    with av.open(str(path), "w", options=dict(container_options or {})) as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.options = dict(options)
        for picture in pictures:
            image = np.asarray(cv2.imread(str(picture)), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    return len(pictures)
