"""The pictures of a clip: person, shadow and occluder over the background, with the faults of a camera."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from blender_meshrec.core.array_types import FloatArray, ImageArray, IntArray
from scripts.train.data.filmed_bodies.cameras import StaticCamera
from scripts.train.data.filmed_bodies.performer import Performance
from scripts.train.data.filmed_bodies.renderer import Light, Window, paint_triangles, shade
from scripts.train.data.filmed_bodies.scenery import cast_shadow, draw_background, draw_occluder

_MARGIN = 0.6  # of the person's size, around the person: the part of the picture that a detector may look at closely
_ANKLES = (3, 6)  # of h36m17


@dataclass(frozen=True)
class Grade:
    """The faults of a camera: gain and gamma of the exposure, blur and motion blur (px), noise (0..1), JPEG quality (0 for none)."""

    gain: float
    gamma: float
    tint: FloatArray
    blur: float
    streak: int
    noise: float
    jpeg: int


def draw_grade(rng: np.random.Generator) -> Grade:
    """A random Grade; most are mild."""
    return Grade(
        gain=float(np.exp(np.clip(rng.normal(0, 0.17), -0.5, 0.25))),
        gamma=float(np.exp(rng.normal(0, 0.15))),
        tint=np.exp(rng.normal(0, 0.05, 3)),
        blur=float(rng.uniform(0.4, 0.8) if rng.random() < 0.75 else rng.uniform(0.8, 2.0)),
        streak=int(rng.integers(3, 9)) if rng.random() < 0.15 else 0,
        noise=float(rng.choice([0.0, rng.uniform(0.005, 0.03), rng.uniform(0.03, 0.08)], p=[0.4, 0.5, 0.1])),
        jpeg=int(rng.integers(30, 95)) if rng.random() < 0.5 else 0,
    )


def take_pictures(
    rng: np.random.Generator, camera: StaticCamera, performance: Performance, faces: IntArray, colours: FloatArray
) -> Iterator[ImageArray]:
    """Every frame as (H,W,3) uint8 RGB. faces: (T,3) of the performance's vertices; colours: (T,3), 0..1."""
    background, grade = draw_background(rng, camera), draw_grade(rng)
    occluder = draw_occluder(rng, camera, camera.pixels(performance.joints))
    direction = camera.rotmat @ draw_light_direction(rng)
    light = Light(direction, float(rng.uniform(0.25, 0.6)), float(rng.uniform(0, 0.3)))
    shadow = float(rng.uniform(0.1, 0.6))
    if occluder is not None:
        cover(background, occluder, slice(None), slice(None))
    empty = degrade(rng, expose(background, grade), grade)
    for vertices, joints in zip(performance.vertices, performance.joints):
        seen = camera.to_camera(vertices.astype(float))
        points = seen[:, :2] / seen[:, 2:] * camera.intrinsics[0, 0] + camera.intrinsics[:2, 2]
        window = _window(points, camera.size)
        picture = empty.copy()
        if window is not None:
            rows, columns = slice(window.top, window.top + window.height), slice(window.left, window.left + window.width)
            part = background[rows, columns].copy()
            cast_shadow(part, _moved(camera, window), np.concatenate([joints[list(_ANKLES)], joints[:1]]), shadow)
            painted = paint_triangles(points, seen[:, 2], faces, window)
            person, covered = shade(seen, faces, painted, colours, light)
            part[covered] = person
            if occluder is not None:
                cover(part, occluder, rows, columns)
            picture[rows, columns] = degrade(rng, expose(part, grade), grade)
        yield picture


def draw_light_direction(rng: np.random.Generator) -> FloatArray:
    """A direction (3,) to a light that is mostly above, y up."""
    direction = rng.normal(0, 1, 3)
    direction[1] = abs(direction[1]) + 0.3
    return direction / np.linalg.norm(direction)


def _window(points: FloatArray, size: tuple[int, int]) -> Window | None:
    """The person's part of the picture with a margin; None if the person is outside."""
    low, high = points.min(0), points.max(0)
    margin = _MARGIN * float((high - low).max())
    left, top = (int(value) for value in np.maximum(low - margin, 0))
    right, bottom = (int(value) for value in np.minimum(high + margin, size))
    return Window(left, top, right - left, bottom - top) if right - left > 8 and bottom - top > 8 else None


def _moved(camera: StaticCamera, window: Window) -> StaticCamera:
    """The camera whose picture is the window."""
    intrinsics = camera.intrinsics.copy()
    intrinsics[:2, 2] -= [window.left, window.top]
    return StaticCamera(camera.rotmat, camera.transl, intrinsics, (window.width, window.height))


def cover(image: FloatArray, occluder: tuple[FloatArray, FloatArray], rows: slice, columns: slice) -> None:
    """Put an occluder over a part of the picture, in place."""
    colours, mask = occluder
    chosen = mask[rows, columns] > 0
    image[chosen] = colours[rows, columns][chosen]


def expose(image: FloatArray, grade: Grade) -> FloatArray:
    """Blur and exposure, (H,W,3) 0..1."""
    blurred = np.asarray(cv2.GaussianBlur(image, (0, 0), grade.blur), np.float32)
    if grade.streak:
        blurred = np.asarray(cv2.blur(blurred, (grade.streak, 1)), np.float32)
    exposed = np.clip(blurred * (grade.gain * grade.tint.astype(np.float32)), 0, 1)
    return np.asarray(cv2.pow(exposed, grade.gamma), np.float32)


def degrade(rng: np.random.Generator, image: FloatArray, grade: Grade) -> ImageArray:
    """Noise and JPEG blocks; (H,W,3) uint8."""
    if grade.noise:
        cv2.setRNGSeed(int(rng.integers(1 << 31)))
        noise = np.empty(image.shape, np.float32)
        cv2.randn(noise, np.zeros(3), np.full(3, grade.noise))
        image = image + noise
    picture = cv2.convertScaleAbs(np.clip(image, 0, 1, out=image), alpha=255)
    if grade.jpeg:
        _done, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, grade.jpeg])
        picture = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    return np.asarray(picture, np.uint8)
