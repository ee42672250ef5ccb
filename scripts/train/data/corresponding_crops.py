"""Crops of the open body in random clothes, light and places, with the point of the body that every pixel shows: what DecoMR learns from.

Motion and clothes are those of filmed_bodies; a crop is rendered at twice its size by the same renderer. A fifth has something in front of
the person, a tenth another person behind; in some the picture's edge cuts the person off. Positions are those of the body without clothes.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch

from blender_meshrec.bodies.alignment import rotation_to_optical_axis
from blender_meshrec.bodies.joint_projector import JointProjector
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bodies.open_body_uv import open_body_uv
from blender_meshrec.bodies.uv_map import MapPainter
from blender_meshrec.core.array_types import AnyArray, BoolArray, FloatArray, ImageArray
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.methods.decomr_small import CROP_SIZE, IUV_SIZE, MAP_SIZE
from scripts.train.data.filmed_bodies.cameras import StaticCamera, draw_camera
from scripts.train.data.filmed_bodies.motion import Motion, MotionDrawer
from scripts.train.data.filmed_bodies.performer import perform
from scripts.train.data.filmed_bodies.pictures import cover, degrade, draw_grade, draw_light_direction, expose
from scripts.train.data.filmed_bodies.renderer import Light, Window, paint_triangles, shade
from scripts.train.data.filmed_bodies.scenery import draw_background, draw_occluder
from scripts.train.data.filmed_bodies.straight_legs import draw_straightening, straighten_legs
from scripts.train.data.filmed_bodies.wardrobe import draw_betas, dress

FRAMES = 6  # crops of one clip: one performer, outfit and camera
FINE = 2 * CROP_SIZE  # px, of the rendering
SIDE = 1.05, 1.35  # of the person's longer side: the crop's
SHIFT = 0.05  # of the crop: standard deviation of its centre's distance from the person's
BYSTANDERS, CUT_OFF, MAX_CUT = 0.1, 0.25, 0.55  # fractions of crops, and of the person's height that the picture's edge takes at most
COARSE = 0.3  # fraction of crops with fewer pixels than their size
NUM_JOINTS = 41  # h36m17 and SMPL's


class CropArrays(NamedTuple):
    """N crops. images (N,128,128,3) uint8. iuv (N,32,32,3) uint8, 0..255: mask, u, v at the middle of each cell.

    points (N,17,3): h36m17 in half crops from the centre, and 1 inside the picture. maps (N,64,64,3) m, joints (N,41,3) m: relative to
    the hip, in the axes of a camera that looks straight at the crop's centre.
    """

    images: AnyArray
    iuv: AnyArray
    points: AnyArray
    maps: AnyArray
    joints: AnyArray


_ROWS = CropArrays(
    np.zeros((CROP_SIZE, CROP_SIZE, 3), np.uint8), np.zeros((IUV_SIZE, IUV_SIZE, 3), np.uint8), np.zeros((17, 3), np.float32),
    np.zeros((MAP_SIZE, MAP_SIZE, 3), np.float16), np.zeros((NUM_JOINTS, 3), np.float32),
)  # fmt: skip


class CropFilm:
    """Films crops of one part of the motion capture."""

    def __init__(self, motions: MotionDrawer) -> None:
        self.motions, self.body, self.layout = motions, make_body(load_body()), open_body_uv()
        self.painter = MapPainter(self.layout, MAP_SIZE)
        projector = JointProjector(self.body)
        self.projector = torch.cat([projector.h36m17_image, projector.smpl])
        assert self.layout.texcoord_faces is not None
        self.face_uv = self.layout.texcoords[self.layout.texcoord_faces].mean(1)  # (T,2)
        self._bystander: tuple[FloatArray, BoolArray] | None = None

    def film_clip(self, rng: np.random.Generator) -> Iterator[tuple[CropArrays, FloatArray]]:
        """FRAMES crops of one performer, and the body's vertices (V,3) m in each, in the axes of the crop and relative to the hip."""
        motion, betas = self.motions.draw(rng), draw_betas(rng)
        rows = np.linspace(0, len(motion.transl) - 1, FRAMES).astype(int)
        rotmats, lower = straighten_legs(self.body, motion.rotmats[rows], betas, draw_straightening(rng))
        transl = motion.transl[rows] + lower[:, None] * [0, 1, 0]
        motion = Motion(motion.subject, motion.text, motion.name, rotmats, transl, motion.leg_length)
        outfit = dress(rng, self.body.template, betas)
        clothed = perform(self.body, motion, betas, outfit.displacement)
        bare = perform(self.body, motion, betas, np.zeros_like(outfit.displacement)).vertices
        camera = draw_camera(rng, clothed.joints)
        for vertices, skin in zip(clothed.vertices, bare):
            found = self._film(rng, camera, camera.to_camera(vertices.astype(float)), camera.to_camera(skin.astype(float)), outfit.colours)
            if found is not None:
                yield found

    def _film(
        self, rng: np.random.Generator, camera: StaticCamera, vertices: FloatArray, bare: FloatArray, colours: FloatArray
    ) -> tuple[CropArrays, FloatArray] | None:
        """One crop of a clothed and a bare body (V,3) m, camera axes; None where hardly anything of the person is in the picture."""
        if vertices[:, 2].min() < 0.3:
            return None
        joints = self.projector.numpy() @ bare
        focal, principal = camera.intrinsics[0, 0], camera.intrinsics[:2, 2]
        picture = _cut_picture(rng, focal * vertices[:, :2] / vertices[:, 2:] + principal, np.array(camera.size, float))
        square = _draw_square(rng, focal * bare[:, :2] / bare[:, 2:] + principal, picture)
        if square is None:
            return None
        inner = _crop_camera(camera, square)
        points = inner.intrinsics[0, 0] * joints[:17, :2] / joints[:17, 2:] + inner.intrinsics[:2, 2]
        image, painted = self._render(rng, inner, vertices, colours, points)
        corner = (picture.reshape(2, 2) - square[:2]) * FINE / square[2] + FINE / 2
        outside = _outside(corner)
        image[outside[1::2, 1::2]], painted[outside] = 0, -1
        if (painted >= 0).mean() < 0.01:
            return None
        turn = rotation_to_optical_axis(torch.as_tensor((square[:2] - principal) / focal)[None])[0].numpy()
        placed, placed_joints = ((each - joints[0]) @ turn.T for each in (bare, joints))
        location_map = self.painter(torch.as_tensor(placed, dtype=torch.float32)[None])[0].numpy()
        is_inside = ((points > corner[0]) & (points < corner[1])).all(-1, keepdims=True)
        numbers = np.concatenate([2 * points / FINE - 1, is_inside], 1)
        return CropArrays(image, self._correspondence(painted), numbers, location_map, placed_joints), placed

    def _render(
        self, rng: np.random.Generator, camera: StaticCamera, vertices: FloatArray, colours: FloatArray, points: FloatArray
    ) -> tuple[ImageArray, AnyArray]:
        """The crop (128,128,3), and the triangle seen at each pixel of the fine one (256,256); -1 where none is."""
        image = draw_background(rng, camera)
        if self._bystander is not None and rng.random() < BYSTANDERS:
            person, where = (np.roll(each, int(rng.choice([-1, 1]) * rng.uniform(0.25, 0.6) * FINE), 1) for each in self._bystander)
            image[where] = person[where]
        projected = camera.intrinsics[0, 0] * vertices[:, :2] / vertices[:, 2:] + camera.intrinsics[:2, 2]
        faces = self.body.template.faces
        painted = paint_triangles(projected, vertices[:, 2], faces, Window(0, 0, FINE, FINE))
        light = Light(camera.rotmat @ draw_light_direction(rng), float(rng.uniform(0.25, 0.6)), float(rng.uniform(0, 0.3)))
        person, covered = shade(vertices, faces, painted, colours, light)
        image[covered] = person
        self._bystander = image.copy(), covered
        occluder = draw_occluder(rng, camera, points[None])
        if occluder is not None:
            cover(image, occluder, slice(None), slice(None))
            painted[occluder[1] > 0] = -1
        grade = draw_grade(rng)
        small = cv2.resize(expose(image, grade), (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_AREA)
        if rng.random() < COARSE:
            side = int(rng.uniform(0.3, 0.9) * CROP_SIZE)
            small = cv2.resize(cv2.resize(small, (side, side), interpolation=cv2.INTER_AREA), (CROP_SIZE, CROP_SIZE))
        return degrade(rng, np.asarray(small, np.float32), grade).copy(), painted

    def _correspondence(self, painted: AnyArray) -> AnyArray:
        """IUV (32,32,3) uint8 of the triangles (256,256) that are seen."""
        step = FINE // IUV_SIZE
        seen = painted[step // 2 :: step, step // 2 :: step]
        uv = np.where(seen[..., None] >= 0, self.face_uv[seen], 0)
        return np.round(255 * np.concatenate([(seen >= 0)[..., None], uv], -1)).astype(np.uint8)


def _cut_picture(rng: np.random.Generator, points: FloatArray, size: FloatArray) -> FloatArray:
    """The picture's left, top, right and bottom (4,) px; sometimes an edge is moved into the person (V,2) px."""
    edges = np.concatenate([np.zeros(2), size])
    if rng.random() < CUT_OFF:
        low, high = points.min(0), points.max(0)
        edge = rng.choice(4, p=[0.2, 0.1, 0.2, 0.5])
        cut = rng.uniform(0.1, MAX_CUT) * (high - low)[edge % 2]
        edges[edge] = low[edge % 2] + cut if edge < 2 else high[edge % 2] - cut
    return edges


def _draw_square(rng: np.random.Generator, points: FloatArray, picture: FloatArray) -> FloatArray | None:
    """Centre and side (3,) px of a crop around the points (V,2) px inside a picture (4,) px; None where there are few."""
    inside = ((points > picture[:2]) & (points < picture[2:])).all(1)
    if inside.mean() < 0.15:
        return None
    # A detector guesses keypoints beyond the edge; a box around them reaches there now and then.
    reach = 0.3 * rng.random() * (points.max(0) - points.min(0)) * (rng.random() < 0.5)
    low, high = (np.clip(value, points[inside].min(0) - reach, points[inside].max(0) + reach) for value in (points.min(0), points.max(0)))
    side = (high - low).max() * rng.uniform(*SIDE)
    return np.append((low + high) / 2 + rng.normal(0, SHIFT, 2) * side, side)


def _crop_camera(camera: StaticCamera, square: FloatArray) -> StaticCamera:
    """The camera whose picture is a square (3,) px, centre and side, FINE pixels a side."""
    scale = FINE / square[2]
    intrinsics = camera.intrinsics.copy()
    intrinsics[:2, 2] -= square[:2] - square[2] / 2
    intrinsics[:2] *= scale
    return StaticCamera(camera.rotmat, camera.transl, intrinsics, (FINE, FINE))


def _outside(corners: FloatArray) -> BoolArray:
    """Which pixels (256,256) of the fine crop lie outside the picture with corners (2,2) px."""
    fine = np.arange(FINE) + 0.5
    inside = [(fine > corners[0, axis]) & (fine < corners[1, axis]) for axis in (0, 1)]
    return ~(inside[1][:, None] & inside[0][None])


def film_crops(film: CropFilm, seed: tuple[int, int], count: int, folder: Path, with_vertices: bool = False) -> None:
    """Film `count` crops and write their arrays to a folder as .npy; vertices.npy (N,V,3) too, where wanted."""
    folder.mkdir(parents=True, exist_ok=True)
    files = CropArrays(
        *(
            np.lib.format.open_memmap(folder / f"{name}.npy", "w+", row.dtype, (count, *row.shape))
            for name, row in zip(CropArrays._fields, _ROWS)
        )
    )
    vertices = np.zeros((count if with_vertices else 0, *film.body.template.v_template.shape), np.float16)
    filled, clip = 0, 0
    while filled < count:
        for crop, mesh in film.film_clip(np.random.default_rng((*seed, clip))):
            if filled < count:
                for file, value in zip(files, crop):
                    file[filled] = value
                if with_vertices:
                    vertices[filled] = mesh
                filled += 1
        clip += 1
        if clip % 100 == 0:
            print(f"{filled} of {count} crops", flush=True)
    if with_vertices:
        np.save(folder / "vertices.npy", vertices)


def open_crops(folder: Path) -> CropArrays:
    """The crops of a folder, not read before they are used."""
    return CropArrays(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in CropArrays._fields))
