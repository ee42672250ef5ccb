"""Drawing a recovered mesh over its footage: the picture and the video by which a person judges a result."""

import contextlib

import cv2
import numpy as np
import torch

from ..core.cameras import project, transform_points
from ..core.files.output_file import atomic_write
from .footage.video import open_footage
from .footage.video_writer import VideoWriter, resize_to_height

# One colour a person, RGB; chosen to differ from skin, grass and asphalt.
PERSON_COLOURS = ((98, 160, 234), (255, 163, 72), (143, 122, 222), (87, 203, 160), (237, 110, 140), (222, 196, 88))
LIGHT_DIRECTION = np.array([0.35, -0.6, -0.72])  # in camera axes: from above, the right, and the camera's side
SUBPIXEL_BITS = 4


def draw_mesh(image, vertices, faces, intrinsics, colour, opacity=0.85):
    """Draw a shaded mesh over an image, the farthest faces first.

    Args:
        image: (H,W,3) uint8 RGB. vertices: (V,3) m in camera axes. faces: (T,3). intrinsics: (3,3) px.

    Returns:
        A new image. Faces that are turned away, or reach behind the camera, are left out.
    """
    pixels = project(vertices, intrinsics)
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-12
    facing = (normals * corners.mean(1)).sum(-1) < 0
    drawable = facing & np.isfinite(pixels[faces]).all((1, 2)) & (np.abs(pixels[faces]) < 1e5).all((1, 2))
    order = np.flatnonzero(drawable)
    order = order[np.argsort(-corners[order, :, 2].mean(1))]
    brightness = 0.4 + 0.6 * np.clip(normals[order] @ (LIGHT_DIRECTION / np.linalg.norm(LIGHT_DIRECTION)), 0, 1)
    colours = (brightness[:, None] * np.asarray(colour)).round().tolist()
    # A pixel's centre is half a pixel from its corner; OpenCV counts from centres.
    polygons = ((pixels[faces[order]] - 0.5) * (1 << SUBPIXEL_BITS)).round().astype(np.int32)
    layer = image.copy()
    for polygon, shade in zip(polygons, colours):
        cv2.fillConvexPoly(layer, polygon, shade, lineType=cv2.LINE_8, shift=SUBPIXEL_BITS)
    return cv2.addWeighted(layer, opacity, image, 1 - opacity, 0)


def draw_people(image, row, people, faces):
    """Draw every person of one frame, the farthest first; people: (Recovery, PosedVertices) pairs."""
    in_camera = []
    for number, (recovery, vertices_of) in enumerate(people):
        if recovery.visible[row]:
            vertices = transform_points(recovery.camera_from_world[row], vertices_of(row))
            in_camera.append((float(vertices[:, 2].mean()), number, vertices))
    for _depth, number, vertices in sorted(in_camera, key=lambda item: -item[0]):
        image = draw_mesh(image, vertices, faces, people[number][0].camera_intrinsics, PERSON_COLOURS[number % len(PERSON_COLOURS)])
    return image


class PosedVertices:
    """The world vertices of one recovery, row by row, skinned a few frames at a time."""

    CHUNK = 32

    def __init__(self, recovery, body):
        self._recovery, self._body = recovery, body
        self._start, self._vertices = None, None

    def __call__(self, row):
        """(V,3) m, z up, of one row of the recovery."""
        start = row - row % self.CHUNK
        if start != self._start:
            self._start, self._vertices = start, self._skin(slice(start, start + self.CHUNK))
        return self._vertices[row - start]

    def _skin(self, rows):
        poses = self._recovery.poses[rows]
        with torch.inference_mode():
            _joints, vertices = self._body(self._recovery.betas, poses[:, :3], poses[:, 3:], self._recovery.trans[rows])
        return vertices.cpu().numpy().astype(np.float64)


def draw_frames(recoveries, body, height=None):
    """The footage of some recoveries with their meshes drawn over it.

    Args:
        recoveries: of one footage, sharing their rows. body: that skins them. height: of the pictures in px, None for the footage's own.

    Yields:
        (plain, drawn): uint8 RGB images of one size, a pair a frame of the footage.
    """
    times = recoveries[0].timestamps
    people = [(recovery, PosedVertices(recovery, body)) for recovery in recoveries]
    faces = np.asarray(body.faces)
    footage = open_footage(recoveries[0].footage, (recoveries[0].first_frame, None))
    for frame in footage.read():
        row = int(np.abs(times - frame.time).argmin())
        if row == len(times) - 1 and frame.time > times[-1] + 1e-3:
            return
        plain = frame.image
        if plain is None:  # one of a folder's images that cannot be read
            plain = np.zeros((footage.size[1], footage.size[0], 3), np.uint8)
        drawn = draw_people(plain, row, people, faces)
        yield (plain, drawn) if height is None else (resize_to_height(plain, height), resize_to_height(drawn, height))


def write_overlay(recoveries, body, image_path, video_path=None, height=720, num_moments=3):
    """Write the picture (moments of the clip, footage beside result) and the video (result over footage) of some recoveries.

    Args:
        image_path, video_path: paths, .jpg or .png and .mp4; video None for none. height: of the video in px, at most the footage's.
    """
    first = recoveries[0]
    seen = np.flatnonzero(np.any([recovery.visible for recovery in recoveries], 0))
    chosen = {int(seen[round((len(seen) - 1) * (2 * k + 1) / (2 * num_moments))]) for k in range(num_moments)}
    height = min(height, int(first.image_size[1])) // 2 * 2
    shown = []
    with contextlib.ExitStack() as stack:
        writer = (
            stack.enter_context(VideoWriter(stack.enter_context(atomic_write(video_path)), first.mocap_framerate)) if video_path else None
        )
        for row, (plain, drawn) in enumerate(draw_frames(recoveries, body, height)):
            if writer:
                writer.write(drawn)
            if row in chosen:
                shown.append(np.hstack([plain, drawn]) if drawn.shape[0] > drawn.shape[1] else np.vstack([plain, drawn]))
    with atomic_write(image_path) as temporary:
        cv2.imwrite(str(temporary), cv2.cvtColor(np.hstack(shown), cv2.COLOR_RGB2BGR))
