"""Brings motions of the CMU skeleton onto SMPL's 24 joints.

The zero rotation becomes SMPL's T-pose: the legs' spread is taken out, soles are flat and the gaze is level. Positions of joints are those
of the CMU skeleton; only the two bones of the neck become one, whose length is the mean. The forearm's twist goes half to the elbow and
half to the wrist. Joints that CMU did not measure keep their zero rotation.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from blender_meshrec.core.array_types import BoolArray, FloatArray
from blender_meshrec.core.axis_rotations import rotate_vectors, rotation_about_axis, rotation_between, transpose, twist_angle
from blender_meshrec.core.kinematics import pose_joints
from blender_meshrec.core.skeletons import SMPL_JOINTS, SMPL_PARENTS
from scripts.train.data.raw_motion.cmu_skeleton import CmuMotion

EXTRA_NAMES = ("head_top", "left_toe_tip", "right_toe_tip", "left_finger_tip", "right_finger_tip", "neck_base")
EXTRA_PARENTS = (15, 10, 11, 22, 23, 12)
SIDES = {"left": "l", "right": "r"}
HEAD_PITCH = np.radians(12.0)  # of the head in the zero pose, upwards from a level gaze
JOINT = {name: number for number, name in enumerate(SMPL_JOINTS)}
# The bone that each joint is the start of, and the bones from its parent joint to it.
_START_BONES = {
    "pelvis": "root", "spine1": "lowerback", "spine2": "upperback", "spine3": "thorax", "neck": "lowerneck", "head": "head",
    **{f"{side}_{joint}": letter + bone for side, letter in SIDES.items() for joint, bone in {
        "hip": "femur", "knee": "tibia", "ankle": "foot", "foot": "toes", "collar": "clavicle", "shoulder": "humerus", "elbow": "radius",
        "wrist": "hand", "hand": "hand"}.items()},
}  # fmt: skip
_PATHS = {
    "spine2": ("lowerback",), "spine3": ("upperback",), "neck": ("thorax",), "left_collar": ("thorax",), "right_collar": ("thorax",),
    **{f"{side}_{joint}": tuple(letter + bone for bone in bones) for side, letter in SIDES.items() for joint, bones in {
        "hip": ("hipjoint",), "knee": ("femur",), "ankle": ("tibia",), "foot": ("foot",), "shoulder": ("clavicle",), "elbow": ("humerus",),
        "wrist": ("radius", "wrist"), "hand": ("hand",)}.items()},
}  # fmt: skip
PLANTED_SPEED, PLANTED_HEIGHT = 0.1, 0.03  # m/s; m above the clip's low positions of the ankle and of the toe base
MIN_PLANTED = 20  # frames; of fewer, the foot's pitch is not measured
# By which the foot points down from ankle to toe base where its sole is level; the range is the one of the performers in grade A.
PITCH_RANGE, USUAL_PITCH = (np.radians(10.0), np.radians(24.0)), np.radians(17.0)


@dataclass(frozen=True)
class SmplSkeleton:
    """A performer's skeleton in the T-pose. offsets: (24,3) m, from the parents. extra: (6,3) m, of EXTRA_NAMES from EXTRA_PARENTS."""

    offsets: FloatArray
    extra: FloatArray


@dataclass(frozen=True)
class SmplMotion:
    """rotmats: (F,24,3,3), local. trans: (F,3) m, of the pelvis. skeleton: see there."""

    rotmats: FloatArray
    trans: FloatArray
    skeleton: SmplSkeleton

    def joints(self) -> tuple[FloatArray, FloatArray]:
        """Positions of the joints (F,24,3) and of the extra points (F,6,3), m."""
        offsets = np.tile(self.skeleton.offsets, (len(self.trans), 1, 1))
        offsets[:, 0] = self.trans
        joints, rotations = pose_joints(self.rotmats, offsets, SMPL_PARENTS)
        extra = [joints[:, joint] + rotations[:, joint] @ self.skeleton.extra[row] for row, joint in enumerate(EXTRA_PARENTS)]
        return joints, np.stack(extra, 1)

    def lowered(self, height: float) -> "SmplMotion":
        """The motion moved down by `height`, m."""
        return replace(self, trans=self.trans - [0, height, 0])


def map_motions(motions: Sequence[CmuMotion], assumed: bool = False) -> list[SmplMotion]:
    """The motions of one performer, who has one skeleton: the neck's length and the feet's pitch are measured over all of them.

    Args:
        assumed: the skeleton is another performer's, so that its feet get the usual pitch.
    """
    if assumed:
        motions = _with_usual_feet(motions)
    pitches = [_measure_pitch(motions, letter) for letter in SIDES.values()]
    zero = _zero_rotations(motions[0], pitches)
    mapped = [_map_rotations(motion, zero) for motion in motions]
    neck = float(np.concatenate([length for _, length in mapped]).mean())
    skeleton = _map_skeleton(motions[0], zero, neck)
    return [SmplMotion(rotmats, motion.root, skeleton) for motion, (rotmats, _) in zip(motions, mapped, strict=True)]


def _zero_rotations(motion: CmuMotion, pitches: Sequence[float]) -> FloatArray:
    """Rotations (24,3,3) from the T-pose to the CMU skeleton's zero pose. pitches: rad, by which the two soles point down in the latter."""
    zero = np.tile(np.eye(3), (24, 1, 1))
    for (side, letter), pitch in zip(SIDES.items(), pitches, strict=True):
        for joint, bone in (("hip", "femur"), ("knee", "tibia"), ("ankle", "tibia"), ("foot", "tibia")):
            zero[JOINT[f"{side}_{joint}"]] = rotation_between([0.0, -1.0, 0.0], motion.offsets[letter + bone])
        zero[JOINT[f"{side}_ankle"]] = zero[JOINT[f"{side}_ankle"]] @ rotation_about_axis([1.0, 0.0, 0.0], pitch)
    zero[JOINT["head"]] = rotation_about_axis([1.0, 0.0, 0.0], -HEAD_PITCH)
    return zero


def _map_rotations(motion: CmuMotion, zero: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Local rotations (F,24,3,3), and the distance (F,) m from the neck joint to the head joint."""
    turned = np.stack([motion.rotmats[_START_BONES[name]] for name in SMPL_JOINTS], 1) @ zero
    neck = rotate_vectors(motion.rotmats["lowerneck"], motion.offsets["lowerneck"])
    neck = neck + rotate_vectors(motion.rotmats["upperneck"], motion.offsets["upperneck"])
    upright = turned[:, JOINT["neck"]]
    turned[:, JOINT["neck"]] = rotation_between(upright[..., 1], neck) @ upright
    for side, letter in SIDES.items():
        axis = motion.offsets[f"{letter}radius"] / np.linalg.norm(motion.offsets[f"{letter}radius"])
        twist = twist_angle(transpose(motion.rotmats[f"{letter}radius"]) @ motion.rotmats[f"{letter}wrist"], axis)
        elbow = JOINT[f"{side}_elbow"]
        turned[:, elbow] = turned[:, elbow] @ rotation_about_axis(axis, twist / 2)
    local = turned.copy()
    local[:, 1:] = transpose(turned[:, SMPL_PARENTS[1:]]) @ turned[:, 1:]
    return local, np.linalg.norm(neck, axis=-1)


def _map_skeleton(motion: CmuMotion, zero: FloatArray, neck: float) -> SmplSkeleton:
    """The skeleton in the T-pose; neck: m, the length of the neck."""
    offsets = np.zeros((24, 3))
    for name, bones in _PATHS.items():
        joint = JOINT[name]
        offsets[joint] = zero[SMPL_PARENTS[joint]].T @ np.sum([motion.offsets[bone] for bone in bones], 0)
    offsets[JOINT["head"]] = [0, neck, 0]
    tips = [motion.offsets[bone] for bone in ("head", "ltoes", "rtoes", "lfingers", "rfingers")]
    extra = [zero[joint].T @ tip for joint, tip in zip(EXTRA_PARENTS[:-1], tips, strict=True)]
    neck_base = np.array([0, np.linalg.norm(motion.offsets["lowerneck"]), 0])
    return SmplSkeleton(offsets, np.stack([*extra, neck_base]))


def planted_frames(motion: CmuMotion, letter: str) -> BoolArray:
    """Frames (F,) where a foot stands: its ankle and toe base are slow and low."""
    ends = motion.bone_ends()
    points = np.stack([ends[f"{letter}tibia"], ends[f"{letter}foot"]], 1)
    if len(points) < 2:
        return np.zeros(len(points), bool)
    speed = np.linalg.norm(np.gradient(points, 1 / motion.fps, axis=0), axis=-1).max(1)
    low = points[..., 1] < np.quantile(points[..., 1], 0.05, axis=0) + PLANTED_HEIGHT
    return (speed < PLANTED_SPEED) & low.all(1)


def _foot_pitches(motion: CmuMotion, letter: str) -> tuple[FloatArray, float]:
    """Angles (P,) rad by which the zero pose's front points down in the frames where a foot stands, and the foot's own in the zero pose."""
    straight = rotation_between([0.0, -1.0, 0.0], motion.offsets[f"{letter}tibia"])
    front = (motion.rotmats[f"{letter}foot"][planted_frames(motion, letter)] @ straight)[..., 2]
    foot = straight.T @ motion.offsets[f"{letter}foot"]
    return np.arcsin(np.clip(-front[:, 1], -1, 1)), float(np.arctan2(-foot[1], foot[2]))


def _measure_pitch(motions: Sequence[CmuMotion], letter: str) -> float:
    """The angle, rad, by which the sole points up in the zero pose with straight legs; where no foot stands, from the usual pitch."""
    found = [_foot_pitches(motion, letter) for motion in motions]
    angles, foot = np.concatenate([angles for angles, _ in found]), found[0][1]
    pitch = foot + float(np.median(angles)) if len(angles) >= MIN_PLANTED else USUAL_PITCH
    return foot - float(np.clip(pitch, *PITCH_RANGE))


def _with_usual_feet(motions: Sequence[CmuMotion]) -> list[CmuMotion]:
    """The motions with feet of the usual pitch on the frames where they stand."""
    offsets = dict(motions[0].offsets)
    for letter in SIDES.values():
        found = [_foot_pitches(motion, letter) for motion in motions]
        turn = found[0][1] + float(np.median(np.concatenate([angles for angles, _ in found]))) - USUAL_PITCH
        straight = rotation_between([0.0, -1.0, 0.0], offsets[f"{letter}tibia"])
        foot = rotation_about_axis([1.0, 0.0, 0.0], -turn) @ straight.T @ offsets[f"{letter}foot"]
        offsets[f"{letter}foot"] = straight @ foot
    return [replace(motion, offsets=offsets) for motion in motions]
