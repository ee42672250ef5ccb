"""Films an act with a still camera in a textured room, and keeps the truth beside it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from blender_meshrec.backend.fitting.stature import betas_of_stature, stature
from blender_meshrec.bodies.smpl import Smpl
from blender_meshrec.core.array_types import BoolArray, FloatArray, ImageArray, IntArray
from blender_meshrec.core.cameras import rigid_transform
from scripts.evaluate.camera_clips import Pose, Room
from scripts.evaluate.filmed_cameras import FLOOR, ROOM_FROM_BODY, WORLD_FROM_ROOM
from scripts.evaluate.people_clips.acts import Act, Actor, Part, make_parts
from scripts.train.data.filmed_bodies.motion import Motion
from scripts.train.data.filmed_bodies.performer import perform
from scripts.train.data.filmed_bodies.renderer import NOTHING, Light, Window, paint_triangles, shade
from scripts.train.data.filmed_bodies.wardrobe import draw_betas, dress
from scripts.train.data.recordings import Recording

SIZE, FOCAL = (960, 540), 900.0  # px: a lens of 0.82 image diagonals
STAGE = 4.2  # m, from the camera to the middle of the stage
CAMERA = Pose(np.radians([6.0, 0.0, 0.0]), np.array([0.0, FLOOR - 1.5, 0.0]))  # 1.5 m above the floor, looking down a little
COVERED = 0.15  # m: a joint that lies deeper below what is seen at its pixel is hidden
FPS = 30


@dataclass(frozen=True)
class PeopleTruth:
    """Two people over F frames: joints (2,F,24,3) m, z up; hidden (2,F,24), by the other or by themselves; by_other (2,F,24), by the other.

    camera_from_world: (4,4). intrinsics: (3,3) px. statures: (2,) m.
    """

    joints: FloatArray
    hidden: BoolArray
    by_other: BoolArray
    camera_from_world: FloatArray
    intrinsics: FloatArray
    statures: FloatArray


def in_room(points: FloatArray) -> FloatArray:
    """Points (...,3) m of the stage in the axes of the room, y down."""
    return points @ ROOM_FROM_BODY.T + [0, FLOOR, STAGE]


def film_act(act: Act, recordings: dict[str, Recording], body: Smpl, path: Path) -> None:
    """Write an act as a video, and its truth beside it as .npz."""

    def betas_of(actor: Actor, number: int) -> FloatArray:
        drawn = draw_betas(np.random.default_rng([len(act.name), act.frames, number]))
        return betas_of_stature(body.template, drawn, actor.stature)

    parts = make_parts(act, recordings, body, betas_of)
    vertices, colours, joints = zip(*(_dressed(act, number, part, body) for number, part in enumerate(parts)), strict=True)
    hidden, by_other = np.zeros((2, act.frames, 24), bool), np.zeros((2, act.frames, 24), bool)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, SIZE)
    pictures = _pictures(np.stack(vertices), np.stack(joints), np.concatenate(colours), body)
    for row, (picture, covered, by) in enumerate(pictures):
        writer.write(picture[..., ::-1])
        hidden[:, row], by_other[:, row] = covered, by
    writer.release()
    rotation = CAMERA.rotation @ WORLD_FROM_ROOM.T
    camera_from_world = rigid_transform(rotation, -rotation @ WORLD_FROM_ROOM @ CAMERA.position)
    np.savez(
        path.with_suffix(".npz"),
        joints=in_room(np.stack(joints)) @ WORLD_FROM_ROOM.T,
        hidden=hidden,
        by_other=by_other,
        camera_from_world=camera_from_world,
        intrinsics=np.array([[FOCAL, 0, SIZE[0] / 2], [0, FOCAL, SIZE[1] / 2], [0, 0, 1]]),
        statures=[stature(body.template, part.betas) for part in parts],
    )


def load_truth(path: Path) -> PeopleTruth:
    """The truth that `film_act` wrote beside a video."""
    with np.load(path) as stored:
        return PeopleTruth(**{name: stored[name] for name in stored.files})


def _dressed(act: Act, number: int, part: Part, body: Smpl) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Vertices (F,V,3) m and colours (T,3) of a person, and joints (F,24,3) m, with the lowest vertex of the clip's median frame at 0."""
    outfit = dress(np.random.default_rng([7, len(act.name), act.frames, number]), body.template, part.betas)
    legs = float(np.linalg.norm(part.rest[[4, 7]] - part.rest[[1, 4]], axis=-1).sum())
    motion = Motion("", "", "", part.rotmats, part.pelvis, legs)
    performance = perform(body, motion, part.betas, outfit.displacement)
    drop = float(np.median(performance.vertices[..., 1].min(1)))
    down = np.array([0.0, drop, 0.0])
    return (performance.vertices - down.astype(np.float32)), outfit.colours, part.joints()[0] - down


def _pictures(
    vertices: FloatArray, joints: FloatArray, colours: FloatArray, body: Smpl
) -> Iterator[tuple[ImageArray, BoolArray, BoolArray]]:
    """Each picture (H,W,3), and which joints (2,24) are hidden, and hidden by the other; vertices (2,F,V,3) m, joints (2,F,24,3) m."""
    empty = Room(1, 1.0).draw(CAMERA, SIZE, FOCAL).astype(np.float32)
    generator, light = np.random.default_rng(3), np.array([0.3, -0.9, -0.4])
    light = CAMERA.rotation @ light / np.linalg.norm(light)
    faces = np.concatenate([body.faces, body.faces + vertices.shape[2]])
    for row in range(vertices.shape[1]):
        seen = (in_room(vertices[:, row].astype(float)) - CAMERA.position) @ CAMERA.rotation.T
        seen = seen.reshape(-1, 3)
        points = seen[:, :2] / np.maximum(seen[:, 2:], 0.05) * FOCAL + np.array(SIZE) / 2
        painted = paint_triangles(points, seen[:, 2], faces, Window(0, 0, *SIZE))
        people, covered = shade(seen, faces, painted, colours, Light(light, 0.45, 0.2))
        image = empty.copy()
        image[covered] = 255 * np.clip(people, 0, 1)
        noisy = cv2.GaussianBlur(image, (0, 0), 0.6) + generator.normal(0, 2.5, image.shape)
        depths = seen[faces][..., 2].mean(1)
        yield np.clip(noisy, 0, 255).astype(np.uint8), *_hidden(painted, depths, joints[:, row], len(body.faces))


def _hidden(painted: IntArray, depths: FloatArray, joints: FloatArray, num_faces: int) -> tuple[BoolArray, BoolArray]:
    """Which joints (2,24) lie deeper than COVERED below what is seen at their pixel, and of these below the other person."""
    placed = (in_room(joints) - CAMERA.position) @ CAMERA.rotation.T
    pixels = np.floor(placed[..., :2] / placed[..., 2:] * FOCAL + np.array(SIZE) / 2).astype(int)
    inside = ((pixels >= 0) & (pixels < SIZE)).all(-1)
    column, line = np.clip(pixels, 0, np.array(SIZE) - 1).transpose(2, 0, 1)
    triangle = painted[line, column]
    is_painted = inside & (triangle != NOTHING)
    nearest = np.where(is_painted, depths[np.maximum(triangle, 0)], np.inf)
    owner = triangle // num_faces
    by_other = is_painted & (owner != np.arange(2)[:, None]) & (nearest < placed[..., 2])
    return by_other | (is_painted & (nearest < placed[..., 2] - COVERED)), by_other
