"""People before a camera that is known: how near to where they stood they come out, and how tall.

    .venv/bin/python -m scripts.evaluate.known_camera FOLDER [CAMERA...] [--keypoints] [--bodies N]

The demo clip's motion, in bodies of other shapes and clothes, is drawn on the floor of a textured room before cameras that stand, pan,
zoom, are carried, orbit, and have a lens that distorts. FOLDER gets each clip as .mp4 and its camera as .json; both are kept for a second
run. Each is reconstructed with that camera, from the product's detector or, with --keypoints, exact 2D joints. Printed are the horizontal
distance, cm, of the feet in contact (mean and 90 %) and of the pelvis (median) from the truth, and the stature, % of the true one.
"""

import argparse
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from blender_meshrec.backend.fitting.stature import stature
from blender_meshrec.backend.footage.video_writer import VideoWriter
from blender_meshrec.backend.pipeline import recover
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bodies.smpl import Smpl
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.array_types import BoolArray, FloatArray, ImageArray, IntArray
from blender_meshrec.core.cameras import invert_rigid_transform, project, rigid_transform, transform_points
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.files.camera_file import camera_to_text
from blender_meshrec.core.files.motion_npz import read_motion
from blender_meshrec.core.known_camera import KnownCamera
from blender_meshrec.core.lens_distortion import distort_pixels, undistort_pixels
from blender_meshrec.core.records import Recovery
from blender_meshrec.core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from blender_meshrec.core.skeletons import SMPL_JOINTS, h36m17_weights_from_names
from scripts.evaluate.camera_clips import Pose, Room, shake
from scripts.train.data.filmed_bodies.renderer import Light, Window, paint_triangles, shade
from scripts.train.data.filmed_bodies.wardrobe import draw_betas, dress

MOTION = Path(__file__).resolve().parents[1] / "demo_clip_truth.npz"
SIZE, FOCAL = (960, 540), 900.0  # px
EYE = 1.5  # m, of the origin of camera_clips' room above its floor
WORLD_FROM_ROOM = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
PLACE = np.array([0.4, 3.8, 0.0])  # m, where the motion begins in the world
FEET = [SMPL_JOINTS.index(f"{side}_ankle") for side in ("left", "right")]


@dataclass(frozen=True)
class Filmed:
    """A body of shape betas (B,) over F frames, and its camera. joints: (F,24,3) and vertices: (F,V,3) m, world. contacts: (F,4)."""

    name: str
    betas: FloatArray
    joints: FloatArray
    points: FloatArray
    vertices: FloatArray
    colours: FloatArray
    contacts: BoolArray
    camera: KnownCamera


def look(place: FloatArray, target: FloatArray, roll: float = 0.0, shaken: FloatArray | None = None) -> FloatArray:
    """world_from_camera (4,4) of a camera at place (3,) m that looks at target (3,) m; roll, and shaken (3,) about its axes, degrees."""
    forward = (target - place) / np.linalg.norm(target - place)
    right = np.cross(forward, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    turn = np.stack([right, np.cross(forward, right), forward], 1) @ rotmat_from_rotvec([0, 0, np.radians(roll)])
    return rigid_transform(turn if shaken is None else turn @ rotmat_from_rotvec(np.radians(shaken)), place)


def cameras(frames: int) -> dict[str, KnownCamera]:
    """The cameras, by name."""
    t, hand = np.linspace(0, 1, frames), shake(frames, 0.6, 3)
    chest, beside = PLACE + [0, 0, 0.9], PLACE + [2.0, 0, 0.9]
    orbit = np.radians(-35 + 70 * t)
    paths = {
        "still": [look(np.array([0, 0, 1.5]), chest)] * frames,
        "low": [look(np.array([-1.0, 0.2, 0.8]), chest)] * frames,
        "high": [look(np.array([1.5, 0.5, 2.6]), chest, roll=6)] * frames,
        "pan": [look(np.array([0, 0, 1.4]), chest + (beside - chest) * (0.3 - 0.6 * x)) for x in t],
        "carried": [look(np.array([-1.2 + 2 * x, 0.2 * x, 1.6]), chest, shaken=h) for x, h in zip(t, hand, strict=True)],
        "orbit": [look(chest + [3.4 * np.sin(a), -3.4 * np.cos(a), 0.7], chest) for a in orbit],
        "distorted": [look(np.array([0.8, 0.6, 1.5]), chest + [0.7, 0, 0])] * frames,
        "zoom": [look(np.array([0.3, -0.5, 1.5]), chest)] * frames,
    }
    focal = {"zoom": FOCAL * (1 + 0.4 * t)}
    distortion = {"distorted": np.array([-0.25, 0.06, 0.0])}
    middle = np.tile(np.array(SIZE) / 2, (frames, 1))
    return {
        name: KnownCamera(
            np.array(path), focal.get(name, np.full(frames, FOCAL)), middle, np.array(SIZE), distortion.get(name, np.zeros(3)), source=name
        )
        for name, path in paths.items()
    }


def perform(body: Smpl, number: int) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, BoolArray]:
    """The motion in body `number`: betas, joints (F,24,3) m, h36m17 points (F,17,3) m, vertices (F,V,3) m, contacts (F,4)."""
    motion, template = read_motion(MOTION), body.template
    betas = np.asarray(motion.betas, float) if number == 0 else draw_betas(np.random.default_rng(number))
    rest = [template.rest_joints(values)[0] for values in (motion.betas, betas)]
    legs = [np.ptp(template.rest_joints(values)[[1, 7], 1]) for values in (motion.betas, betas)]
    transl = (motion.trans + rest[0]) * legs[1] / legs[0] - rest[1]
    pose = betas, motion.poses[:, :3], motion.poses[:, 3:]
    joints, vertices = (part.numpy().astype(float) for part in body(*pose, transl))
    shift = PLACE - vertices[..., 2].min(1)[:, None] * [0, 0, 1]
    landmarks = body.landmarks(*pose, transl).numpy().astype(float)
    face = landmarks[:, [list(template.landmarks).index(name) for name in ("nose", "head_top")]]
    points = h36m17_weights_from_names((*SMPL_JOINTS, "nose", "head_top")) @ np.concatenate([joints[:, :24], face], 1)
    return betas, joints + shift[:, None], points + shift[:, None], vertices + shift[:, None], motion.contacts > 0.5


def draw(filmed: Filmed, faces: IntArray) -> Iterator[ImageArray]:
    """Each frame (H,W,3) uint8 RGB."""
    room, camera = Room(zlib.crc32(filmed.name.encode()) % 50, 1.0), filmed.camera
    generator = np.random.default_rng(1)
    grid = np.stack(np.meshgrid(np.arange(SIZE[0]) + 0.5, np.arange(SIZE[1]) + 0.5), -1)
    for row, world_from_camera in enumerate(camera.world_from_camera):
        turn, place = WORLD_FROM_ROOM.T @ world_from_camera[:3, :3], (world_from_camera[:3, 3] - [0, 0, EYE]) @ WORLD_FROM_ROOM
        small = room.draw(Pose(rotvec_from_rotmat(turn.T), place), (SIZE[0] // 2, SIZE[1] // 2), camera.focal[row] / 2)
        image = cv2.resize(small, SIZE, interpolation=cv2.INTER_LINEAR).astype(np.float32) / 255
        seen = transform_points(invert_rigid_transform(world_from_camera), filmed.vertices[row])
        pixels = seen[:, :2] / seen[:, 2:] * camera.focal[row] + camera.center[row]
        painted = paint_triangles(pixels, seen[:, 2], faces, Window(0, 0, *SIZE))
        light = Light(world_from_camera[:3, :3].T @ np.array([0.5, -0.5, 0.7]), 0.45, 0.15)
        person, covered = shade(seen, faces, painted, filmed.colours, light)
        image[covered] = person
        if camera.distortion.any():
            straight = undistort_pixels(grid, camera.intrinsics[row], camera.distortion).astype(np.float32) - 0.5
            image = cv2.remap(image, straight[..., 0], straight[..., 1], cv2.INTER_LINEAR)
        noisy = cv2.GaussianBlur(image, (0, 0), 0.6) + generator.normal(0, 0.01, image.shape)
        yield (255 * np.clip(noisy, 0, 1)).astype(np.uint8)


def exact_keypoints(filmed: Filmed) -> FloatArray:
    """(F,17,3) px and confidence, h36m17, as the lens shows them."""
    camera = filmed.camera
    seen = transform_points(invert_rigid_transform(camera.world_from_camera), filmed.points)
    pixels = np.array([
        distort_pixels(project(points, matrix), matrix, camera.distortion) for points, matrix in zip(seen, camera.intrinsics, strict=True)
    ])  # fmt: skip
    return np.concatenate([pixels, np.ones_like(pixels[..., :1])], -1)


def measure(filmed: Filmed, recovery: Recovery, body: Smpl) -> tuple[float, float, float, float]:
    """Horizontal errors, cm, of the feet in contact, mean and 90 %, and of the pelvis, median; stature, % of the true one."""
    error = np.linalg.norm((recovery.joints - filmed.joints[:, :24])[..., :2], axis=-1)
    touching = filmed.contacts.reshape(-1, 2, 2).any(2)
    sizes = [stature(body.template, betas) for betas in (recovery.betas, filmed.betas)]
    feet, pelvis = 100 * error[:, FEET][touching], 100 * float(np.median(error[:, 0]))
    return float(feet.mean()), float(np.quantile(feet, 0.9)), pelvis, 100 * sizes[0] / sizes[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("cameras", nargs="*")
    parser.add_argument("--keypoints", action="store_true", help="exact 2D joints instead of the detector")
    parser.add_argument("--bodies", type=int, default=2)
    parser.add_argument("--without", action="store_true", help="do not give the camera")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    body = make_body(load_body("open"))
    print("clip              feet cm     90 %  pelvis cm  stature %  reprojection, % of the box")
    for number in range(arguments.bodies):
        betas, joints, points, vertices, contacts = perform(body, number)
        colours = dress(np.random.default_rng(number), body.template, betas).colours
        for name, camera in cameras(len(joints)).items():
            if arguments.cameras and name not in arguments.cameras:
                continue
            filmed = Filmed(f"{name}{number}", betas, joints, points, vertices, colours, contacts, camera)
            source = arguments.folder / f"{filmed.name}.{'npz' if arguments.keypoints else 'mp4'}"
            camera_file = arguments.folder / f"{filmed.name}.json"
            camera_file.write_text(camera_to_text(camera), encoding="utf-8")
            if arguments.keypoints:
                np.savez(
                    source,
                    keypoints=exact_keypoints(filmed),
                    keypoint_set="h36m17",
                    image_size=SIZE,
                    fps=read_motion(MOTION).mocap_framerate,
                )
            elif not source.exists():
                with VideoWriter(source, read_motion(MOTION).mocap_framerate) as writer:
                    for image in draw(filmed, body.template.faces):
                        writer.write(image)
            given = None if arguments.without else str(camera_file)
            result = recover(ReconstructRequest(str(source), camera=given, device="cpu", cache=str(arguments.folder / "cache")))
            feet, most, pelvis, size = measure(filmed, result.recoveries[0], body)
            share = result.report["people"][0]["reprojection_share_of_box"]
            print(f"{filmed.name:16} {feet:8.1f} {most:8.1f} {pelvis:10.1f} {size:10.1f} {100 * share:8.2f}", flush=True)


if __name__ == "__main__":
    main()
