"""Random places: a wall and a floor with procedural textures, boxes and lines, things in front of the person. No photographs."""

import cv2
import numpy as np

from blender_meshrec.core.array_types import FloatArray
from scripts.train.data.filmed_bodies.cameras import StaticCamera

OCCLUDED = 0.2  # fraction of clips with something in front of the person
_PLANE_TILE = 0.5  # m, of the floor's pattern


def draw_background(rng: np.random.Generator, camera: StaticCamera) -> FloatArray:
    """An image (H,W,3), 0..1, of a random empty place."""
    width, height = camera.size
    image = _texture(rng, width, height, _colour(rng))
    for _ in range(rng.poisson(rng.choice([1.0, 6.0, 14.0]))):
        _draw_object(rng, image, _colour(rng))
    if rng.random() < 0.85:
        _draw_floor(rng, image, camera)
    if rng.random() < 0.4:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.5, 4)))
    return np.clip(image, 0, 1).astype(np.float32)


def draw_occluder(rng: np.random.Generator, camera: StaticCamera, points: FloatArray) -> tuple[FloatArray, FloatArray] | None:
    """Something between camera and person: its colours (H,W,3) and coverage (H,W); or None, for most clips.

    points: (F,17,2) px, the person's joints.
    """
    if rng.random() > OCCLUDED:
        return None
    width, height = camera.size
    low, high = np.nanmin(points, (0, 1)), np.nanmax(points, (0, 1))
    size = high - low
    centre = low + size * rng.uniform(0.1, 0.9, 2)
    kind = rng.random()
    if kind < 0.4:  # a post or a rail
        extent = np.array([rng.uniform(0.05, 0.15) * size[1], 4 * size[1]])[:: 1 if rng.random() < 0.7 else -1]
    elif kind < 0.75:  # furniture that hides the lower body
        centre[1] = high[1]
        extent = np.array([rng.uniform(0.3, 1.0), rng.uniform(0.2, 0.8)]) * size[1]
    else:
        extent = rng.uniform(0.1, 0.35, 2) * size[1]
    corners = cv2.boxPoints((tuple(map(float, centre)), tuple(map(float, extent)), float(rng.normal(0, 5))))
    mask = np.zeros((height, width), np.float32)
    cv2.fillConvexPoly(mask, np.round(corners).astype(np.int32), 1.0)
    return _texture(rng, width, height, _colour(rng)), mask


def cast_shadow(image: FloatArray, camera: StaticCamera, feet: FloatArray, strength: float) -> None:
    """Darken the floor around points (N,3) m, in place: a soft blob at the height of the floor, smaller for what is high above it."""
    mask = np.zeros(image.shape[:2], np.float32)
    angle = np.linspace(0, 2 * np.pi, 17)[:-1]
    circle = np.stack([np.cos(angle), np.zeros(16), np.sin(angle)], 1)
    for point in feet:
        radius = 0.28 / (1 + 2 * max(float(point[1]), 0))
        outline = camera.to_camera(point * [1, 0, 1] + radius * circle)
        if (outline[:, 2] > 0.3).all():
            pixels = camera.pixels(point * [1, 0, 1] + radius * circle)
            cv2.fillConvexPoly(mask, np.round(pixels).clip(-9999, 9999).astype(np.int32), 1.0)
    image *= 1 - strength * cv2.blur(mask, (9, 9))[..., None]


def _colour(rng: np.random.Generator) -> FloatArray:
    """A muted colour (3,)."""
    return np.clip(rng.uniform(0.1, 0.95) + rng.normal(0, rng.choice([0.03, 0.15]), 3), 0.02, 1)


def _texture(rng: np.random.Generator, width: int, height: int, colour: FloatArray) -> FloatArray:
    """A colour (height,width,3) with a gradient and noise of several sizes."""
    image = np.tile(colour.astype(np.float32), (height, width, 1))
    slope = rng.normal(0, 0.15, 2)
    image *= (1 + slope[0] * np.linspace(-1, 1, width)[None, :, None] + slope[1] * np.linspace(-1, 1, height)[:, None, None]).astype(
        np.float32
    )
    for cells in (4, 12, 40, 120):
        amount = rng.choice([0.0, 0.02, 0.06], p=[0.45, 0.4, 0.15])
        if amount:
            noise = rng.normal(0, amount, (cells, cells, 1 if rng.random() < 0.6 else 3)).astype(np.float32)
            noise = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC if rng.random() < 0.7 else cv2.INTER_NEAREST)
            image += noise.reshape(height, width, -1)
    return image


def _draw_object(rng: np.random.Generator, image: FloatArray, colour: FloatArray) -> None:
    """A box, a line or an ellipse, in place: windows, doors, furniture, cables."""
    height, width = image.shape[:2]
    centre = rng.uniform(0, 1, 2) * [width, height]
    extent = np.exp(rng.uniform(np.log(0.03), np.log(0.5), 2)) * height
    kind, values = rng.random(), tuple(map(float, colour))
    if kind < 0.6:
        low, high = (centre - extent / 2).astype(int), (centre + extent / 2).astype(int)
        cv2.rectangle(image, tuple(map(int, low)), tuple(map(int, high)), values, -1 if rng.random() < 0.7 else int(rng.integers(1, 6)))
    elif kind < 0.85:
        end = centre + rng.normal(0, 0.4, 2) * [width, height]
        cv2.line(image, tuple(map(int, centre)), tuple(map(int, end)), values, int(rng.integers(1, 7)))
    else:
        axes = tuple(map(int, np.maximum(extent / 3, 1)))
        cv2.ellipse(image, tuple(map(int, centre)), axes, float(rng.uniform(0, 180)), 0, 360, values, -1)


def _draw_floor(rng: np.random.Generator, image: FloatArray, camera: StaticCamera) -> None:
    """The floor y = 0 of a room or a field, in place, with a pattern in perspective."""
    width, height = camera.size
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    inverse = np.linalg.inv(camera.intrinsics)
    rays = np.stack([x, y, np.ones_like(x)], -1) @ inverse.T @ camera.rotmat  # in the recordings' axes
    centre = -camera.rotmat.T @ camera.transl
    distance = -centre[1] / np.where(rays[..., 1] < -1e-3, rays[..., 1], np.nan)
    ground = np.stack([centre[0] + distance * rays[..., 0], centre[2] + distance * rays[..., 2]], -1)
    reach = rng.uniform(1.0, 8.0) if rng.random() < 0.8 else 200.0
    middle = centre[[0, 2]] + camera.rotmat[2, [0, 2]] * camera.transl[2]
    on_floor = (distance > 0) & (np.abs(ground - middle) < max(reach, 1.5)).all(-1)
    values = _texture(rng, width, height, _colour(rng))
    kind = rng.random()
    cell = ground / (_PLANE_TILE * rng.uniform(0.3, 3))
    with np.errstate(invalid="ignore"):
        if kind < 0.25:
            values[(np.floor(np.nan_to_num(cell)).sum(-1) % 2) == 0] *= rng.uniform(0.6, 0.95)
        elif kind < 0.5:
            values[((cell[..., 0] % 1) < 0.06) | ((cell[..., 1] % 1) < 0.06)] *= rng.uniform(0.4, 0.9)
        elif kind < 0.7:
            values[np.floor(np.nan_to_num(cell[..., 0])) % 2 == 0] *= rng.uniform(0.7, 0.97)
    image[on_floor] = values[on_floor]
