"""A random static camera for a clip, as camera_views.py draws them, and the size of the picture that it takes."""

from dataclasses import dataclass

import numpy as np

from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.cameras import intrinsics_of_focal_length, project
from scripts.train.data.camera_views import draw_cameras

PERSON_HEIGHTS = (160.0, 380.0)  # px, of somebody STATURE tall at the person's distance
STATURE = 1.7  # m
MIN_HEIGHT = 110.0  # px
MIN_SIDE, MAX_SIDE = 200, 1280  # px, of the image's sides
# The least fraction of the joints, over all frames, that is inside the image, and how often: some clips are cropped.
VISIBLE = {0.98: 0.6, 0.8: 0.28, 0.55: 0.12}
_MAX_DRAWS = 60
_SIDES = np.array([[0.87, 0.49], [0.49, 0.87]])  # landscape and portrait, in image diagonals


@dataclass(frozen=True)
class StaticCamera:
    """rotmat (3,3) and transl (3,) m: the transform from the recordings' y-up axes to camera axes (OpenCV). intrinsics: (3,3) px.

    size: width and height, px.
    """

    rotmat: FloatArray
    transl: FloatArray
    intrinsics: FloatArray
    size: tuple[int, int]

    def to_camera(self, points: FloatArray) -> FloatArray:
        """Points (...,3) m in camera axes."""
        return points @ self.rotmat.T + self.transl

    def pixels(self, points: FloatArray) -> FloatArray:
        """Points (...,3) m, y up, in the image (...,2) px."""
        return project(self.to_camera(points), self.intrinsics)


def draw_camera(rng: np.random.Generator, joints: FloatArray) -> StaticCamera:
    """A camera that has the hip of joints (F,17,3) m, y up, in the image in every frame, and mostly the others too."""
    visible = rng.choice(list(VISIBLE), p=list(VISIBLE.values()))
    camera = _draw_any_camera(rng, joints)
    for _ in range(_MAX_DRAWS):
        pixels = camera.pixels(joints)
        inside = ((pixels > 0) & (pixels < camera.size)).all(-1).mean()
        height = STATURE * camera.intrinsics[0, 0] / np.median(camera.to_camera(joints[:, 0])[:, 2])
        if inside >= visible and height >= MIN_HEIGHT:
            break
        camera = _draw_any_camera(rng, joints)
    return camera


def _draw_any_camera(rng: np.random.Generator, joints: FloatArray) -> StaticCamera:
    drawn = draw_cameras(rng, joints[None].astype(np.float32), static=True)
    rotmat, transl, focal = drawn.rotmats[0, 0].astype(float), drawn.transl[0, 0].astype(float), float(drawn.focal[0])
    hip = joints[:, 0] @ rotmat.T + transl
    reach = np.abs(hip[:, :2] / hip[:, 2:]).max(0) * focal
    fits = (reach <= 0.5 * _SIDES + 1e-6).all(1)
    landscape = bool(fits[0]) and (not fits[1] or rng.random() < 0.65)
    height = np.exp(rng.uniform(*np.log(PERSON_HEIGHTS)))
    diagonal = height * float(np.median(hip[:, 2])) / STATURE / focal
    sides = _SIDES[0 if landscape else 1]
    diagonal = np.clip(diagonal, MIN_SIDE / sides.min(), MAX_SIDE / sides.max())
    width, height = (int(side) for side in 2 * np.round(diagonal * sides / 2))
    return StaticCamera(
        rotmat, transl, intrinsics_of_focal_length(focal * float(np.hypot(width, height)), (width, height)), (width, height)
    )
