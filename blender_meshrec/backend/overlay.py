"""Drawing recovered meshes over their footage: the image and the video by which a user judges a result."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import cv2
import numpy as np
import torch

from ..bodies.smpl import Smpl
from ..core.array_types import BoolArray, FloatArray, ImageArray, IntArray
from ..core.cameras import project, transform_points
from ..core.files.output_file import atomic_write
from ..core.records import Recovery
from .footage.frame_source import PathArgument
from .footage.true_time import in_true_time
from .footage.video import open_footage
from .footage.video_writer import VideoWriter, resize_to_height

Colour: TypeAlias = tuple[int, int, int]
VerticesOfRow: TypeAlias = Callable[[int], FloatArray]

# One colour a person, RGB; chosen to differ from skin, grass and asphalt.
PERSON_COLOURS: tuple[Colour, ...] = ((98, 160, 234), (255, 163, 72), (143, 122, 222), (87, 203, 160), (237, 110, 140), (222, 196, 88))
LIGHT_DIRECTION = np.array([0.35, -0.6, -0.72])  # in camera axes: from above, the right, and the camera's side
AMBIENT_LIGHT = 0.4
SUBPIXEL_BITS = 4
MAX_PIXEL = 1e5  # coordinates beyond this overflow in OpenCV


def draw_mesh(
    image: ImageArray, vertices: FloatArray, faces: IntArray, intrinsics: FloatArray, colour: Colour, opacity: float = 0.85
) -> ImageArray:
    """Draw a shaded mesh over an image, the farthest faces first.

    Args:
        image: (H,W,3) uint8 RGB. vertices: (V,3) m in camera axes. faces: (T,3). intrinsics: (3,3) px.

    Returns:
        A new image. Faces that are turned away, or reach behind the camera, are omitted.
    """
    pixels = project(vertices, intrinsics)
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-12
    is_facing = (normals * corners.mean(1)).sum(-1) < 0
    is_drawable: BoolArray = is_facing & np.isfinite(pixels[faces]).all((1, 2)) & (np.abs(pixels[faces]) < MAX_PIXEL).all((1, 2))
    order = np.flatnonzero(is_drawable)
    order = order[np.argsort(-corners[order, :, 2].mean(1))]
    diffuse = np.clip(normals[order] @ (LIGHT_DIRECTION / np.linalg.norm(LIGHT_DIRECTION)), 0, 1)
    brightness = AMBIENT_LIGHT + (1 - AMBIENT_LIGHT) * diffuse
    shades = (brightness[:, None] * np.asarray(colour)).round().tolist()
    # Pixel centres are at halves here, and at whole numbers in OpenCV.
    polygons = ((pixels[faces[order]] - 0.5) * (1 << SUBPIXEL_BITS)).round().astype(np.int32)
    layer = image.copy()
    for polygon, shade in zip(polygons, shades):
        cv2.fillConvexPoly(layer, polygon, shade, lineType=cv2.LINE_8, shift=SUBPIXEL_BITS)
    return np.asarray(cv2.addWeighted(layer, opacity, image, 1 - opacity, 0), np.uint8)


def draw_people(image: ImageArray, row: int, people: Sequence[tuple[Recovery, VerticesOfRow]], faces: IntArray) -> ImageArray:
    """Draw every person of one frame, the farthest first; the vertices, (V,3) m, are in the world."""
    in_camera: list[tuple[float, int, FloatArray]] = []
    for number, (recovery, vertices_of) in enumerate(people):
        if recovery.visible[row]:
            vertices = transform_points(recovery.camera_from_world[row], vertices_of(row))
            in_camera.append((float(vertices[:, 2].mean()), number, vertices))
    for _depth, number, vertices in sorted(in_camera, key=lambda item: -item[0]):
        image = draw_mesh(image, vertices, faces, people[number][0].frame_intrinsics[row], PERSON_COLOURS[number % len(PERSON_COLOURS)])
    return image


class PosedVertices:
    """The world vertices of one recovery, row by row, skinned a few frames at a time."""

    CHUNK = 32

    def __init__(self, recovery: Recovery, body: Smpl) -> None:
        self._recovery, self._body = recovery, body
        self._start: int | None = None
        self._vertices: FloatArray = np.zeros((0, 0, 3))

    def __call__(self, row: int) -> FloatArray:
        """(V,3) m, z up, of one row of the recovery."""
        start = row - row % self.CHUNK
        if start != self._start:
            self._start, self._vertices = start, self._skin(slice(start, start + self.CHUNK))
        return self._vertices[row - start]

    def _skin(self, rows: slice) -> FloatArray:
        poses = self._recovery.poses[rows]
        with torch.inference_mode():
            _joints, vertices = self._body(self._recovery.betas, poses[:, :3], poses[:, 3:], self._recovery.trans[rows])
        return vertices.cpu().numpy().astype(np.float64)


def draw_frames(recoveries: Sequence[Recovery], body: Smpl, height: int | None = None) -> Iterator[tuple[ImageArray, ImageArray]]:
    """The footage of some recoveries with their meshes drawn over it.

    Args:
        recoveries: of the same footage and rows. body: skins them. height: of the images in px, None for the footage's own.

    Yields:
        (plain, drawn): uint8 RGB images of one size, a pair for each frame of the footage.
    """
    timestamps = recoveries[0].timestamps
    people = [(recovery, PosedVertices(recovery, body)) for recovery in recoveries]
    faces = np.asarray(body.faces)
    footage = open_footage(recoveries[0].footage, (recoveries[0].first_frame, None))
    footage, _speed = in_true_time(footage, recoveries[0].footage_speed * footage.play_rate)
    for frame in footage.read():
        row = int(np.abs(timestamps - frame.time).argmin())
        if row == len(timestamps) - 1 and frame.time > timestamps[-1] + 1e-3:
            return
        plain = frame.image
        if plain is None:  # an image of a folder that cannot be read
            plain = np.zeros((footage.size[1], footage.size[0], 3), np.uint8)
        drawn = draw_people(plain, row, people, faces)
        yield (plain, drawn) if height is None else (resize_to_height(plain, height), resize_to_height(drawn, height))


def write_overlay(
    recoveries: Sequence[Recovery],
    body: Smpl,
    image_path: PathArgument,
    video_path: PathArgument | None = None,
    height: int = 720,
    num_moments: int = 3,
) -> None:
    """Write an image (moments of the clip, footage beside result) and a video (result over footage) of some recoveries.

    Args:
        image_path, video_path: .jpg or .png, and .mp4; video None for none. height: of the video in px, at most the footage's.
    """
    first = recoveries[0]
    visible = np.flatnonzero(np.any([recovery.visible for recovery in recoveries], 0))
    chosen = {int(visible[round((len(visible) - 1) * (2 * k + 1) / (2 * num_moments))]) for k in range(num_moments)}
    height = min(height, int(first.image_size[1])) // 2 * 2
    panels: list[ImageArray] = []
    with contextlib.ExitStack() as stack:
        writer = None
        if video_path:
            writer = stack.enter_context(VideoWriter(stack.enter_context(atomic_write(video_path)), first.mocap_framerate))
        for row, (plain, drawn) in enumerate(draw_frames(recoveries, body, height)):
            if writer:
                writer.write(drawn)
            if row in chosen:
                panels.append(np.hstack([plain, drawn]) if drawn.shape[0] > drawn.shape[1] else np.vstack([plain, drawn]))
    with atomic_write(image_path) as temporary:
        cv2.imwrite(str(temporary), cv2.cvtColor(np.hstack(panels), cv2.COLOR_RGB2BGR))
