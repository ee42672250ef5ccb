"""Edits of a finished motion that need no new reconstruction: smoothing, height of the hips, width of the stance, spread of the arms.

Feet stay where they touch: after any edit of hips or legs, the legs reach for the ankles by two-bone IK. F frames, J joints.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .array_types import BoolArray, FloatArray, IntArray
from .axis_rotations import rotation_about_axis, unit_vector
from .rotations import align_quat_signs, quat_from_rotmat, rotmat_from_quat
from .time_series import time_proximity
from .two_bone_ik import Limb, solve_two_bone_ik

PARTS = ("torso", "arms", "legs")
_ARM_JOINTS = ("collar", "shoulder", "elbow", "wrist", "hand", "index", "middle", "pinky", "ring", "thumb")
_LEG_JOINTS = ("hip", "knee", "ankle", "foot")
_SIDES = ("left", "right")
_SECONDS_OF_FULL_SMOOTHING = 0.12  # standard deviation of the Gaussian at strength 1. Ours.
_RELEASE = 0.12  # s over which a foot goes from its captured place to the smoothed one


@dataclass(frozen=True, kw_only=True)
class ResultEdits:
    """smoothing: 0..1 of the whole body, added to those of its parts. hip_height: m that hips are raised. foot_width: m that feet are moved
    apart. arm_spread: rad that arms are raised sideways. trim_start, trim_end: frames cut off. key_error: m, 0 keeps every key; bones may
    turn by 0.2 degrees a millimetre of it."""

    smoothing: float = 0.0
    smoothing_torso: float = 0.0
    smoothing_arms: float = 0.0
    smoothing_legs: float = 0.0
    hip_height: float = 0.0
    foot_width: float = 0.0
    arm_spread: float = 0.0
    trim_start: int = 0
    trim_end: int = 0
    key_error: float = 0.0

    @property
    def change_poses(self) -> bool:
        """Whether any pose changes."""
        return self != replace(ResultEdits(), trim_start=self.trim_start, trim_end=self.trim_end, key_error=self.key_error)

    def smoothing_of(self, part: str) -> float:
        return self.smoothing + float(getattr(self, f"smoothing_{part}"))


@dataclass(frozen=True)
class EditedPose:
    """joint_names, parents: (J,), -1 at the root. rest_joints: (J,3) m. turns: (F,J,3,3), each joint's rotation away from rest relative to
    its parent's. root: (F,3) m, the root joint. contacts: (F,2) bool, left and right foot. times: (F,) s."""

    joint_names: Sequence[str]
    parents: IntArray
    rest_joints: FloatArray
    turns: FloatArray
    root: FloatArray
    contacts: BoolArray
    times: FloatArray

    def world(self) -> tuple[FloatArray, FloatArray]:
        """Turns (F,J,3,3) and places (F,J,3) of the joints in the armature's axes."""
        turns, places = np.empty_like(self.turns), np.empty((*self.turns.shape[:2], 3))
        for joint, parent in enumerate(self.parents.tolist()):
            turns[:, joint] = self.turns[:, joint] if parent < 0 else turns[:, parent] @ self.turns[:, joint]
            offset = self.rest_joints[joint] - self.rest_joints[parent]
            places[:, joint] = self.root if parent < 0 else places[:, parent] + turns[:, parent] @ offset
        return turns, places


def edit_motion(pose: EditedPose, edits: ResultEdits) -> EditedPose:
    """A motion with edits of its poses; z is up and the subject at rest faces -y."""
    edited = _smooth(pose, edits)
    edited = replace(edited, root=edited.root + [0.0, 0.0, edits.hip_height])
    if edits.smoothing_of("torso") or edits.smoothing_of("legs") or edits.hip_height or edits.foot_width:
        for number, side in enumerate(_SIDES):
            edited = _reach(pose, edited, edits, side, number)
    return _spread_arms(edited, edits.arm_spread) if edits.arm_spread else edited


def part_of_joint(name: str) -> str:
    """The part of PARTS that a joint belongs to."""
    side, _, joint = name.partition("_")
    if side not in _SIDES:
        return "torso"
    return "legs" if joint in _LEG_JOINTS else "arms" if joint.startswith(_ARM_JOINTS) else "torso"


def smooth_over_time(values: FloatArray, times: FloatArray, strength: float) -> FloatArray:
    """Values (F,N) averaged with Gaussian weights of time; the ends keep as they are, mirrored."""
    if strength <= 0 or len(values) < 3:
        return values
    step = float(np.median(np.diff(times)))
    sigma = strength * _SECONDS_OF_FULL_SMOOTHING / max(step, 1e-6)
    reach = min(len(values) - 1, max(1, int(np.ceil(3 * sigma))))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    padded = np.concatenate([2 * values[:1] - values[reach:0:-1], values, 2 * values[-1:] - values[-2 : -reach - 2 : -1]])
    return np.stack([np.convolve(column, kernel, "valid") for column in padded.T], -1)


def _smooth(pose: EditedPose, edits: ResultEdits) -> EditedPose:
    turns = pose.turns.copy()
    for joint, name in enumerate(pose.joint_names):
        strength = edits.smoothing_of(part_of_joint(name))
        if strength > 0:
            quats = align_quat_signs(quat_from_rotmat(pose.turns[:, joint]))
            turns[:, joint] = rotmat_from_quat(smooth_over_time(quats, pose.times, strength))
    return replace(pose, turns=turns, root=smooth_over_time(pose.root, pose.times, edits.smoothing_of("torso")))


def _reach(captured: EditedPose, edited: EditedPose, edits: ResultEdits, side: str, number: int) -> EditedPose:
    """Let a leg reach for its ankle: where it was captured while the foot touches, else where smoothing has brought it; moved apart."""
    hip, knee, ankle = (captured.joint_names.index(f"{side}_{joint}") for joint in ("hip", "knee", "ankle"))
    world, places = edited.world()
    captured_turns, captured_places = captured.world()
    unraised = places[:, ankle] - [0.0, 0.0, edits.hip_height]
    hold = time_proximity(captured.contacts[:, number], captured.times, _RELEASE)[:, None]
    strength = edits.smoothing_of("legs")
    free = smooth_over_time(captured_places[:, ankle], captured.times, strength) if not edits.smoothing_of("torso") else unraised
    target = hold * captured_places[:, ankle] + (1 - hold) * free
    outwards = unit_vector((world[:, 0] @ [1.0, 0.0, 0.0]) * [1.0, 1.0, 0.0])
    target = target + (0.5 if side == "left" else -0.5) * edits.foot_width * outwards
    limb = Limb(places[:, hip], places[:, knee], places[:, ankle], world[:, hip] @ [1.0, 0.0, 0.0])
    upper, lower = solve_two_bone_ik(limb, places[:, hip], target)
    end = hold[..., None] > 0.5
    new = {hip: upper @ world[:, hip], knee: lower @ world[:, knee], ankle: np.where(end, captured_turns[:, ankle], world[:, ankle])}
    turns = edited.turns.copy()
    for joint, turn in new.items():
        parent = int(captured.parents[joint])
        turns[:, joint] = new.get(parent, world[:, parent]).swapaxes(-1, -2) @ turn
    return replace(edited, turns=turns)


def _spread_arms(pose: EditedPose, angle: float) -> EditedPose:
    """Raise both upper arms sideways, about the chest's axis from back to front."""
    world, _ = pose.world()
    turns = pose.turns.copy()
    for side, sign in zip(_SIDES, (1.0, -1.0), strict=True):
        shoulder = pose.joint_names.index(f"{side}_shoulder")
        parent = int(pose.parents[shoulder])
        axis = unit_vector(world[:, parent] @ [0.0, -1.0, 0.0])
        raised = rotation_about_axis(axis, np.full(len(axis), sign * angle)) @ world[:, shoulder]
        turns[:, shoulder] = world[:, parent].swapaxes(-1, -2) @ raised
    return replace(pose, turns=turns)
