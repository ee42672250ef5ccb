"""Two static cameras film a clip as 2D keypoints, exact or with the simulated errors of a detector."""

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.cameras import invert_rigid_transform, project, rigid_transform, transform_points
from blender_meshrec.core.conventions import WORLD_FROM_BODY, WORLD_FROM_LEVEL_CAMERA
from blender_meshrec.core.files.body_template import BodyTemplate
from blender_meshrec.core.kinematics import global_rotmats
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skeletons import KEYPOINT_SETS, SMPL_JOINTS, SMPL_PARENTS
from blender_meshrec.methods.lifter.lifter_input import POINTS
from scripts.evaluate.posed.truth import FPS, PosedClip
from scripts.train.data.camera_views import SET_NAMES, Cameras, film_bodies
from scripts.train.data.motion_clips import AXES, NODES

IMAGE_SIZE = (1920, 1080)
KEYPOINT_SETS_WRITTEN = ("h36m17", "openpose25")
VIEWS = ("front", "oblique")
_AZIMUTHS = {"front": (-15, 15), "oblique": (35, 60)}  # degrees from the direction that the subject faces
_MARGIN = 0.05  # of the image, free around the joints
_FOCAL = (0.6, 1.1)  # image diagonals; a phone's main lens has 0.6
_AXIS_JOINTS = {"pelvis": "pelvis", "thorax": "spine3", "head": "head"}
# Keypoints that the simulation of detectors lacks, and those whose errors they share.
_NEIGHBOURS = {
    **{f"{side}_eye": "nose" for side in ("left", "right")},
    **{f"{side}_small_toe": f"{side}_big_toe" for side in ("left", "right")},
}


@dataclass(frozen=True)
class View:
    """A static camera: intrinsics (3,3) px and world_from_camera (4,4), OpenCV axes."""

    name: str
    intrinsics: FloatArray
    world_from_camera: FloatArray

    @property
    def camera_from_world(self) -> FloatArray:
        return invert_rigid_transform(self.world_from_camera)


def views_of(clip: PosedClip) -> list[View]:
    """A frontal and an oblique camera at chest height, 3.5 to 6 m away, level to 10 degrees down, seeded by the clip's name."""
    rng = np.random.default_rng(zlib.crc32(f"views of {clip.name}".encode()))
    points = clip.joints.reshape(-1, 3)
    points = np.concatenate([points, points + [0, 0, 0.12]])  # the crown
    middle = (points.min(0) + points.max(0)) / 2
    side = rng.choice([-1, 1])
    views: list[View] = []
    for name in VIEWS:
        azimuth = np.radians(rng.uniform(*_AZIMUTHS[name]) * (side if name == "oblique" else 1))
        height, roll = rng.uniform(1.15, 1.45), np.radians(rng.normal(0, 0.7))
        nearest = rng.uniform(3.6, 4.4)
        for distance in np.arange(nearest, 6.01, 0.2):
            pose = _aim(middle, azimuth, roll, height, distance)
            focal = _widest_focal(pose, points)
            if focal > _FOCAL[0]:
                break
        else:
            pose, focal = _aim(middle, azimuth, roll, height, 6.0), _FOCAL[0]
        pixels = float(np.clip(focal, *_FOCAL) * np.hypot(*IMAGE_SIZE))
        intrinsics = np.array([[pixels, 0, IMAGE_SIZE[0] / 2], [0, pixels, IMAGE_SIZE[1] / 2], [0, 0, 1]])
        views.append(View(name, intrinsics, pose))
    return views


def _aim(middle: FloatArray, azimuth: float, roll: float, height: float, distance: float) -> FloatArray:
    """The transform (4,4) from a camera to the world; it looks at the middle (3,) m, level to 10 degrees down. Angles in rad, lengths m."""
    position = np.array([middle[0] + distance * np.sin(azimuth), middle[1] - distance * np.cos(azimuth), height])
    pitch = np.clip(np.arctan2(height - middle[2], distance), 0, np.radians(10))
    level = rotmat_from_rotvec([0, 0, azimuth]) @ WORLD_FROM_LEVEL_CAMERA
    return rigid_transform(level @ rotmat_from_rotvec([-pitch, 0, 0]) @ rotmat_from_rotvec([0, 0, roll]), position)


def _widest_focal(world_from_camera: FloatArray, points: FloatArray) -> float:
    """The largest focal length, image diagonals, with which points (N,3) m stay inside the margin."""
    seen = transform_points(invert_rigid_transform(world_from_camera), points)
    widest = np.abs(seen[:, :2] / seen[:, 2:]).max(0)
    return float(((0.5 - _MARGIN) * np.array(IMAGE_SIZE) / widest).min() / np.hypot(*IMAGE_SIZE))


def film(template: BodyTemplate, clip: PosedClip, view: View, keypoint_set: str, noisy: bool) -> FloatArray:
    """Keypoints (F,K,3): px and confidence."""
    body = make_body(template)
    pose = clip.betas, clip.poses[:, :3], clip.poses[:, 3:], clip.transl
    names = tuple(template.landmarks)
    landmarks = dict(zip(names, np.moveaxis(body.landmarks(*pose).numpy().astype(float), 1, 0)))
    joints = dict(zip(SMPL_JOINTS, np.moveaxis(clip.joints, 1, 0)))
    nodes = _nodes(joints, landmarks)
    rotations = global_rotmats(rotmat_from_rotvec(clip.poses.reshape(-1, 24, 3)), SMPL_PARENTS)
    axes = np.stack([rotations[:, SMPL_JOINTS.index(_AXIS_JOINTS[name])] for name in AXES], 1)
    points = np.stack([nodes[name] for name in NODES], 1) @ WORLD_FROM_BODY  # y up
    camera = view.camera_from_world
    rotmats = np.repeat((camera[:3, :3] @ WORLD_FROM_BODY)[None, None], len(clip), 1)
    transl = np.repeat(camera[None, None, :3, 3], len(clip), 1)
    focal = view.intrinsics[0, 0] / np.hypot(*IMAGE_SIZE)
    cameras = Cameras(rotmats, transl, np.array([focal]), np.ones(1))
    rng = np.random.default_rng(zlib.crc32(f"{clip.name} {view.name} {keypoint_set}".encode()))
    valid = np.ones((1, len(clip)), bool)
    sets = [SET_NAMES.index(keypoint_set)]
    filmed = film_bodies(rng, points[None], WORLD_FROM_BODY.T @ axes[None], valid, sets, noisy, lossy=False, static=True, cameras=cameras)
    found = np.concatenate([filmed.rays[0] * view.intrinsics[0, 0] + view.intrinsics[:2, 2], filmed.confidence[0, ..., None]], -1)

    def exact(point: FloatArray) -> FloatArray:
        return project(transform_points(camera, point), view.intrinsics)

    columns: list[FloatArray] = []
    for name in KEYPOINT_SETS[keypoint_set].points:
        if name in _NEIGHBOURS:
            near = _NEIGHBOURS[name]
            neighbour = found[:, POINTS.index(near)]
            moved = exact(landmarks[name]) + neighbour[:, :2] - exact(landmarks[near])
            columns.append(np.concatenate([moved, neighbour[:, 2:]], -1))
        else:
            columns.append(found[:, POINTS.index("thorax" if name == "neck" else name)])
    return np.stack(columns, 1)


def _nodes(joints: dict[str, FloatArray], landmarks: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """The points (F,3) m that the simulated detectors see, by the names of motion_clips.NODES."""
    hip, thorax = (joints["left_hip"] + joints["right_hip"]) / 2, joints["neck"]
    made = {"hip": hip, "thorax": thorax, "spine": (hip + thorax) / 2, "face": landmarks["nose"], "crown": landmarks["head_top"]}
    return {**joints, **landmarks, **made}


def write_keypoints(path: Path, keypoints: FloatArray, keypoint_set: str) -> None:
    """A keypoints file, without the lens, as `meshrec reconstruct` reads it."""
    np.savez_compressed(path, keypoints=keypoints.astype(np.float32), keypoint_set=keypoint_set, image_size=np.array(IMAGE_SIZE), fps=FPS)
