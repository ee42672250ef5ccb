"""One filmed clip: drawn, posed, filmed and watched."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from blender_meshrec.backend.detection.mediapipe_detector import MediaPipeDetector
from blender_meshrec.bodies.smpl import Smpl
from blender_meshrec.core.array_types import BoolArray, FloatArray, ImageArray, IntArray
from blender_meshrec.core.skeletons import H36M17, H36M17_PARENTS, limb_indices, to_h36m17
from scripts.train.data.filmed_bodies.cameras import StaticCamera, draw_camera
from scripts.train.data.filmed_bodies.detection import MAX_ERROR, clip_times, watch
from scripts.train.data.filmed_bodies.motion import Motion, MotionDrawer
from scripts.train.data.filmed_bodies.performer import perform
from scripts.train.data.filmed_bodies.pictures import take_pictures
from scripts.train.data.filmed_bodies.straight_legs import draw_straightening, straighten_legs
from scripts.train.data.filmed_bodies.wardrobe import draw_betas, dress

_LIMBS = limb_indices(H36M17)
_BOX_MARGIN = 0.08  # of the joints' extent: the body reaches beyond its joints
MIN_FOUND = 0.5  # of the frames


@dataclass(frozen=True)
class FilmedClip:
    """F frames at 30 frames a second.

    keypoints (F,33,3) px and confidence and keypoints_3d (F,33,3) m, camera axes: the detector's, zero where it did not see the person
    (visible (F,)). joints: (F,17,3) m, h36m17 of the recordings relative to the hip, true camera axes. points: (F,17,2) px, where these
    joints are in the picture. intrinsics: (3,3) px. size: (2,) px, width and height. camera_from_world: (4,4), from the floor's y-up axes.
    hip: (F,3) m, camera axes. betas: (10,).
    """

    name: str
    subject: str
    text: str
    keypoints: FloatArray
    keypoints_3d: FloatArray
    visible: BoolArray
    joints: FloatArray
    points: FloatArray
    hip: FloatArray
    intrinsics: FloatArray
    size: IntArray
    camera_from_world: FloatArray
    betas: FloatArray

    @property
    def bone_sum(self) -> float:
        """The mean of the sum of the bones' lengths, m."""
        return float(np.linalg.norm(self.joints[:, 1:] - self.joints[:, H36M17_PARENTS[1:]], axis=-1).sum(-1).mean())


@dataclass(frozen=True)
class Scene:
    """A motion in front of a camera: joints (F,17,3) m, y up, and the pictures, made one by one."""

    motion: Motion
    betas: FloatArray
    camera: StaticCamera
    joints: FloatArray
    pictures: Iterator[ImageArray]


def draw_scene(rng: np.random.Generator, body: Smpl, motions: MotionDrawer) -> Scene:
    """A random Scene."""
    motion, betas = motions.draw(rng), draw_betas(rng)
    rotmats, lower = straighten_legs(body, motion.rotmats, betas, draw_straightening(rng))
    motion = replace(motion, rotmats=rotmats, transl=motion.transl + lower[:, None] * [0, 1, 0])
    outfit = dress(rng, body.template, betas)
    performance = perform(body, motion, betas, outfit.displacement)
    camera = draw_camera(rng, performance.joints)
    pictures = take_pictures(rng, camera, performance, body.faces, outfit.colours)
    return Scene(motion, betas, camera, performance.joints, pictures)


def watch_scene(detector: MediaPipeDetector, scene: Scene) -> FilmedClip | None:
    """What the detector reports of a Scene beside the truth; None if it found nobody in most frames, or something else."""
    points = scene.camera.pixels(scene.joints)
    low, high = points[0].min(0), points[0].max(0)
    margin = _BOX_MARGIN * (high - low).max()
    box = np.concatenate([np.maximum(low - margin, 0), np.minimum(high + margin, scene.camera.size)])
    seen = watch(detector, scene.pictures, box, clip_times(len(points)))
    if seen is None or seen.keypoints_3d is None or seen.visible.mean() < MIN_FOUND:
        return None
    if np.median(limb_errors(seen.keypoints, points, scene)[seen.visible]) > MAX_ERROR:
        return None
    hip = scene.camera.to_camera(scene.joints[:, 0])
    joints = (scene.joints - scene.joints[:, :1]) @ scene.camera.rotmat.T
    camera_from_world = np.block([[scene.camera.rotmat, scene.camera.transl[:, None]], [np.zeros((1, 3)), np.ones((1, 1))]])
    motion, camera = scene.motion, scene.camera
    return FilmedClip(
        *(motion.name, motion.subject, motion.text, seen.keypoints, seen.keypoints_3d, seen.visible),
        *(joints, points, hip, camera.intrinsics, np.array(camera.size), camera_from_world, scene.betas),
    )


def limb_errors(keypoints: FloatArray, points: FloatArray, scene: Scene) -> FloatArray:
    """The median distance (F,) of the detected limb joints from the true ones, in heights of the body at its distance."""
    distance = np.linalg.norm(to_h36m17(keypoints, "blazepose33")[..., :2] - points, axis=-1)[:, _LIMBS]
    return np.median(distance, 1) / body_height(scene.camera, scene.joints)


def body_height(camera: StaticCamera, joints: FloatArray) -> FloatArray:
    """The height (F,) px of somebody 1.7 m tall at the distance of the hip of joints (F,17,3) m, y up."""
    return 1.7 * camera.intrinsics[0, 0] / camera.to_camera(joints[:, 0])[:, 2]
