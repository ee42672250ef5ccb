"""Windows of rendered bodies as a real detector saw them (filmed_bodies/), beside the simulated ones of camera_views.py."""

from dataclasses import fields

import numpy as np
import torch

from blender_meshrec.bodies.alignment import rotation_to_optical_axis
from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.cameras import rays_from_pixels
from blender_meshrec.core.records import Observations
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skeletons import H36M17
from blender_meshrec.methods.lifter.lifter_input import H36M17_MIRROR, MIRROR, POINTS, input_points, own_joints
from scripts.train.data.camera_views import Views, draw_zoom, drop_points
from scripts.train.data.filmed_bodies.detection import KEYPOINT_SET
from scripts.train.data.filmed_bodies.shards import Shard

OWN_3D_FRACTION = 0.8  # of windows that keep the detector's own 3D: cached keypoints of other programs have none
# The detector's own 3D is worse on rendered bodies (PA-MPJPE 96 mm) than on filmed people (68 to 70 mm in two calibrated views): up to
# this part of its error is taken away.
MAX_OWN_3D_GAIN = 0.6
LOSSY_FRACTION = 0.3  # of windows that lose points or frames besides those that the detector missed
ROLL_SIGMA = 0.08  # rad, of a turn of the picture


class FilmedWindows:
    """Draws augmented windows from a Shard: `draw(rng, count, frames)`."""

    def __init__(self, shard: Shard) -> None:
        clips = [shard.clip(index) for index in range(len(shard))]
        self.lengths = np.array([len(clip.joints) for clip in clips])
        self.rays: list[FloatArray] = []
        self.confidence: list[FloatArray] = []
        self.joints: list[FloatArray] = []
        self.joint_rays: list[FloatArray] = []
        self.own: list[FloatArray] = []
        self.own_error: list[FloatArray] = []
        for clip in clips:
            observations = Observations(KEYPOINT_SET, np.zeros((len(clip.joints), 4)), clip.keypoints, clip.visible, clip.keypoints_3d)
            points = input_points(clip.keypoints, KEYPOINT_SET)
            own = own_joints(observations)
            assert own is not None
            sight = rotation_to_optical_axis(torch.as_tensor(rays_from_pixels(clip.points[:, 0], clip.intrinsics))).numpy()
            true = (clip.joints - clip.joints[:, :1]) @ np.swapaxes(sight, -1, -2)
            true *= np.linalg.norm(own) / max(float(np.linalg.norm(true[clip.visible])), 1e-6) * clip.visible[:, None, None]
            self.rays.append(rays_from_pixels(points[..., :2], clip.intrinsics))
            self.joint_rays.append(rays_from_pixels(clip.points, clip.intrinsics))
            self.confidence.append(points[..., 2] * clip.visible[:, None])
            self.joints.append((clip.joints - clip.joints[:, :1]) / clip.bone_sum)
            self.own.append(own)
            self.own_error.append(own - true)
        # What the user assumes is the image's diagonal: focal lengths in diagonals.
        self.focal = np.array([clip.intrinsics[0, 0] / np.hypot(*clip.size) for clip in clips])

    def draw(self, rng: np.random.Generator, count: int, frames: int) -> Views:
        """Windows of `frames` frames; clips that are shorter are followed by frames without the person, which are not valid."""
        chosen = rng.choice(len(self.lengths), count, p=self.lengths / self.lengths.sum())
        zoom = draw_zoom(rng, self.focal[chosen])
        rays, confidence = np.zeros((count, frames, len(POINTS), 2)), np.zeros((count, frames, len(POINTS)))
        joints, own = (np.zeros((count, frames, len(H36M17), 3)) for _ in range(2))
        joint_rays = np.zeros((count, frames, len(H36M17), 2))
        valid = np.zeros((count, frames), bool)
        for row, clip in enumerate(chosen):
            begin = int(rng.integers(max(1, self.lengths[clip] - frames + 1)))
            rows, turn = slice(begin, begin + frames), _draw_turn(rng)
            length = min(frames, self.lengths[clip] - begin)
            rays[row, :length] = zoom[row] * self.rays[clip][rows] @ turn[:2, :2].T
            joint_rays[row, :length] = zoom[row] * self.joint_rays[clip][rows] @ turn[:2, :2].T
            confidence[row, :length] = self.confidence[clip][rows]
            joints[row, :length] = self.joints[clip][rows] @ turn.T
            if rng.random() < OWN_3D_FRACTION:
                gain = MAX_OWN_3D_GAIN * rng.random()
                own[row, :length] = (self.own[clip][rows] - gain * self.own_error[clip][rows]) @ turn.T
            valid[row, :length] = True
        mirrored = np.flatnonzero(rng.random(count) < 0.5)
        rays[mirrored], confidence[mirrored] = rays[mirrored][:, :, MIRROR] * [-1, 1], confidence[mirrored][:, :, MIRROR]
        joints[mirrored], own[mirrored] = (values[mirrored][:, :, H36M17_MIRROR] * [-1, 1, 1] for values in (joints, own))
        joint_rays[mirrored] = joint_rays[mirrored][:, :, H36M17_MIRROR] * [-1, 1]
        lossy = np.flatnonzero(rng.random(count) < LOSSY_FRACTION)
        kept = confidence[lossy]
        drop_points(rng, kept)
        confidence[lossy] = kept
        own *= np.any(confidence > 0, -1)[..., None, None]
        rays, confidence, joints, own, zoom = (np.asarray(values, np.float32) for values in (rays, confidence, joints, own, zoom))
        still = np.tile(np.eye(3, dtype=np.float32), (count, frames, 1, 1))
        nowhere = np.zeros((count, frames, 3), np.float32)
        focal, joint_rays = self.focal[chosen], joint_rays.astype(np.float32)
        return Views(rays, confidence, np.ones(count, bool), joints, zoom, valid, focal, still, nowhere, own, joint_rays)


def _draw_turn(rng: np.random.Generator) -> FloatArray:
    """A small rotation (3,3) about the optical axis."""
    return rotmat_from_rotvec(np.array([0.0, 0.0, rng.normal(0, ROLL_SIGMA)]))


def join_views(one: Views, other: Views) -> Views:
    """The windows of both, of equal length; a detector's own 3D is zero where only one has it."""
    own = [np.zeros(views.joints.shape, np.float32) if views.own_3d is None else views.own_3d for views in (one, other)]
    names = [field.name for field in fields(Views) if field.name not in ("own_3d", "joint_rays")]
    return Views(**{name: np.concatenate([getattr(one, name), getattr(other, name)]) for name in names}, own_3d=np.concatenate(own))
