"""The numbers of docs/accuracy.md for one reconstruction: its pose, its path in the world, its contacts and its projection."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from blender_meshrec.bodies.smpl import Smpl
from blender_meshrec.core import metrics, world_metrics
from blender_meshrec.core.array_types import BoolArray, FloatArray, IntArray
from blender_meshrec.core.cameras import transform_points
from blender_meshrec.core.records import Observations, Recovery
from blender_meshrec.core.skeletons import H36M17, H36M17_PARENTS, KEYPOINT_SETS, SMPL_JOINTS, limb_indices
from scripts.evaluate.ground_truth import GroundTruth, soles_of
from scripts.train.data.recordings import FPS

BONES = ("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle")
LIMBS = [(f"{side}_{start}", f"{side}_{end}") for side in ("left", "right") for start, end in BONES]
LIMBS17, LIMBS24 = (np.array([[names.index(end) for end in limb] for limb in LIMBS]) for names in (H36M17, SMPL_JOINTS))
LIMB_JOINTS17, LIMB_JOINTS24 = limb_indices(H36M17), limb_indices(SMPL_JOINTS)
LIMB_NAMES = ("hip", *(SMPL_JOINTS[joint] for joint in LIMB_JOINTS24))
WRISTS, ANKLES = ([LIMB_NAMES.index(f"{side}_{part}") for side in ("left", "right")] for part in ("wrist", "ankle"))


@dataclass(frozen=True)
class Measure:
    """A number of the tables.

    heading: its name and unit there. digits: after the decimal point. over: the truth's number by whose mean the mean is divided.
    with_largest: whether the largest of all cases is shown too.
    """

    name: str
    heading: str
    digits: int = 1
    over: str = ""
    with_largest: bool = False


MEASURES = (
    Measure("lifted_pa", "PA-MPJPE of lifted joints, mm"),
    Measure("joints_pa", "PA-MPJPE of body joints, mm"),
    Measure("mpjpe", "MPJPE, mm"),
    Measure("heading_mpjpe", "world MPJPE, whole clip aligned by heading and translation, mm"),
    Measure("wa_mpjpe", "WA-MPJPE, whole clip aligned by a similarity, mm"),
    Measure("wa_mpjpe_100", "WA-MPJPE over 100 frames, mm"),
    Measure("w_mpjpe_100", "W-MPJPE over 100 frames, mm"),
    Measure("root", "root translation error, % of the path"),
    Measure("pitch", "camera pitch error, degrees (largest)", with_largest=True),
    Measure("roll", "camera roll error, degrees (largest)", with_largest=True),
    Measure("jitter", "jitter, of the truth's", 2, over="true_jitter"),
    Measure("acceleration", "acceleration error, m/s²"),
    Measure("wrist_speed", "peak speed of wrists, of the truth's", 2, over="true_wrist_speed"),
    Measure("ankle_speed", "peak speed of ankles, of the truth's", 2, over="true_ankle_speed"),
    Measure("foot_speed", "speed of feet in contact, cm/s"),
    Measure("true_foot_speed", "the truth's own speed of feet in contact, cm/s"),
    Measure("soles_below", "depth of soles below the floor, mm"),
    Measure("skin_below", "depth of the skin below the floor, mm"),
    Measure("f1", "contact F1", 3),
    Measure("lifted_reprojection", "reprojection of lifted joints, % of the box", 2),
    Measure("reprojection", "reprojection of body joints, % of the box", 2),
    Measure("bones", "bone-length variation of lifted joints", 3),
    Measure("lifted_turn", "limb direction error of lifted joints, degrees"),
    Measure("joints_turn", "limb direction error of body joints, degrees"),
)


@dataclass(frozen=True)
class Comparison:
    """A reconstruction beside its truth, F frames.

    observations: the keypoints that it was made from. camera_from_world: (4,4), of the true world. valid: (F,), frames that count.

    Joints are compared with those that were filmed, the limbs' of the captured skeleton: a body that takes the recording's rotations has
    its joints some 6 cm beside them.
    """

    body: Smpl
    recovery: Recovery
    observations: Observations
    truth: GroundTruth
    camera_from_world: FloatArray
    valid: BoolArray

    def numbers(self) -> dict[str, float]:
        """The MEASURES, and what they are divided by."""
        return {**self._pose_numbers(), **self._path_numbers(), **self._motion_numbers(), **self._contact_numbers()}

    @cached_property
    def _posed(self) -> tuple[FloatArray, FloatArray]:
        """Vertices (F,V,3) m and joints (F,24,3) m in the reconstruction's world."""
        return pose_body(self.body, self.recovery.betas, self.recovery.poses, self.recovery.trans)

    @cached_property
    def _lifted(self) -> FloatArray:
        """The lifted joints (F,17,3) m in camera axes."""
        return self._to_camera(self.recovery.lifted_joints.astype(float))

    def _to_camera(self, points: FloatArray) -> FloatArray:
        """Points (F,N,3) m from the reconstruction's world to camera axes."""
        return transform_points(self.recovery.camera_from_world, points)

    def _pose_numbers(self) -> dict[str, float]:
        """The errors in camera axes of valid frames."""
        all_joints = self._to_camera(self._posed[1])
        joints, lifted = all_joints[self.valid], self._lifted[self.valid]
        true17 = transform_points(self.camera_from_world, self.truth.h36m17)[self.valid]
        limbs, true_limbs = with_hip(joints, SMPL_JOINTS), with_hip(true17, H36M17)
        return {
            "lifted_pa": metrics.pa_mpjpe(lifted[:, LIMB_JOINTS17], true_limbs[:, 1:]),
            "joints_pa": metrics.pa_mpjpe(limbs[:, 1:], true_limbs[:, 1:]),
            "mpjpe": metrics.mpjpe(limbs, true_limbs, root=0),
            "bones": float(metrics.bone_length_variation(self._lifted, H36M17_PARENTS).max()),
            "lifted_turn": limb_direction_error(lifted, LIMBS17, true17),
            "joints_turn": limb_direction_error(joints, LIMBS24, true17),
            "reprojection": self._reprojection(all_joints, SMPL_JOINTS),
            "lifted_reprojection": self._reprojection(self._lifted, H36M17),
            "acceleration": metrics.acceleration_error(limbs, true_limbs, self._times),
        }

    def _reprojection(self, joints: FloatArray, names: Sequence[str]) -> float:
        """Median distance of projected joints (F,J,3) m from the keypoints, in % of the box: the number of a report."""
        seen = self.observations
        points = KEYPOINT_SETS[seen.keypoint_set].points
        return 100 * metrics.reprojection_error(joints, names, seen.keypoints, points, self.recovery.camera_intrinsics, seen.boxes)[1]

    @cached_property
    def _limbs(self) -> tuple[FloatArray, FloatArray]:
        """`with_hip` of the reconstruction and of the truth, each in its world, (F,13,3) m of valid frames."""
        return with_hip(self._posed[1][self.valid], SMPL_JOINTS), with_hip(self.truth.h36m17[self.valid], H36M17)

    @cached_property
    def _times(self) -> FloatArray:
        """The times of the valid frames, s."""
        return np.flatnonzero(self.valid) / FPS

    def _path_numbers(self) -> dict[str, float]:
        """The errors of the path in the world, and of the camera's level."""
        joints, true_joints = self._limbs
        pitch, roll = world_metrics.camera_level(self.recovery.camera_from_world[0])
        true_pitch, true_roll = world_metrics.camera_level(self.camera_from_world)
        return {
            "heading_mpjpe": world_metrics.heading_mpjpe(joints, true_joints),
            "wa_mpjpe": world_metrics.wa_mpjpe(joints, true_joints),
            "wa_mpjpe_100": world_metrics.wa_mpjpe(joints, true_joints, world_metrics.SEGMENT_FRAMES),
            "w_mpjpe_100": world_metrics.w_mpjpe(joints, true_joints),
            "root": world_metrics.root_translation_error(joints[:, 0], true_joints[:, 0]),
            "pitch": abs(float(pitch - true_pitch)),
            "roll": abs(float(roll - true_roll)),
        }

    def _motion_numbers(self) -> dict[str, float]:
        """How fast and how smoothly the joints move, of the reconstruction and of the truth."""
        numbers: dict[str, float] = {}
        for prefix, joints in zip(("", "true_"), self._limbs, strict=True):
            numbers[prefix + "jitter"] = metrics.jitter(joints, self._times)
            numbers[prefix + "wrist_speed"] = world_metrics.peak_speed(joints[:, WRISTS], self._times)
            numbers[prefix + "ankle_speed"] = world_metrics.peak_speed(joints[:, ANKLES], self._times)
        return numbers

    def _contact_numbers(self) -> dict[str, float]:
        """How the soles move while the truth is in contact, what lies below the floor, and the contacts themselves."""
        recovery, truth, template = self.recovery, self.truth, self.body.template
        soles = soles_of(template, recovery.betas, recovery.poses, recovery.trans)[self.valid]
        true_soles = soles_of(template, truth.betas, truth.poses, truth.transl)[self.valid]
        contacts = truth.contacts[self.valid]
        return {
            "foot_speed": metrics.foot_slide(soles, contacts, self._times),
            "true_foot_speed": metrics.foot_slide(true_soles, contacts, self._times),
            "soles_below": metrics.floor_penetration(soles),
            "skin_below": metrics.floor_penetration(self._posed[0][self.valid]),
            "f1": metrics.contact_f1(recovery.contacts[self.valid], contacts),
        }


def with_hip(joints: FloatArray, names: Sequence[str]) -> FloatArray:
    """The limb joints of joints (F,J,3) after the middle of their hips, (F,13,3)."""
    hips = joints[:, [names.index("left_hip"), names.index("right_hip")]].mean(1, keepdims=True)
    return np.concatenate([hips, joints[:, limb_indices(names)]], 1)


def pose_body(body: Smpl, betas: FloatArray, poses: FloatArray, trans: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Vertices (F,V,3) m, in single precision for their number, and SMPL's joints (F,24,3) m of a motion in its world."""
    joints, vertices = (points.numpy() for points in body(betas, poses[:, :3], poses[:, 3:], trans))
    return vertices, joints[:, body.template.smpl_joint_indices].astype(float)


def limb_direction_error(joints: FloatArray, limbs: IntArray, true17: FloatArray) -> float:
    """Median angle, degrees, between the limbs of joints (F,J,3) and of the true joints (F,17,3); limbs (L,2): start and end joints."""

    def directions(points: FloatArray, ends: IntArray) -> FloatArray:
        vectors = points[:, ends[:, 1]] - points[:, ends[:, 0]]
        return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)

    cosine = (directions(joints, limbs) * directions(true17, LIMBS17)).sum(-1)
    return float(np.degrees(np.median(np.arccos(np.clip(cosine, -1, 1)))))
