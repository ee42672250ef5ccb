"""Key poses as joint angles, and smooth motions through them.

Angles are degrees in the body's axes (y up, facing +z, the subject's left is +x). `root` turns the whole body: heading to the left, pitch
forward, roll to the left; `spin` turns it to the left about its own long axis. `spine` and `head` bend forward, to the left, and twist to
the left. A leg is hip flexion, abduction, outward rotation, knee flexion and dorsiflexion of the ankle; an arm the directions (outward, up,
forward) of upper arm and forearm in the chest's axes; a hand the extension of the wrist.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.interpolate import PchipInterpolator  # pyrefly: ignore[untyped-import] - scipy ships no type stubs
from scipy.ndimage import gaussian_filter1d  # pyrefly: ignore[untyped-import] - scipy ships no type stubs

from blender_meshrec.core.array_types import BoolArray, FloatArray
from blender_meshrec.core.conventions import WORLD_FROM_BODY
from blender_meshrec.core.rotations import align_quat_signs, normalize_quat, quat_from_rotmat, rotmat_from_quat, rotmat_from_rotvec
from scripts.assets.demo_clip.motion import arm_quats
from scripts.evaluate.posed.body_parts import JOINT, SIDES

Leg = tuple[float, float, float, float, float]
Arm = tuple[tuple[float, float, float], tuple[float, float, float]]
Triple = tuple[float, float, float]

STRAIGHT_LEG: Leg = (2, 3, 6, 3, 1)
HANGING_ARM: Arm = ((0.2, -1, 0.02), (0.1, -1, 0.2))
SMOOTHING = 1.3  # frames: sigma of the Gaussian over the interpolated rotations


@dataclass(frozen=True)
class Pose:
    """One key pose; `legs`, `arms` and `hand` are both sides', left and right override them."""

    root: Triple = (0, 0, 0)
    spin: float = 0
    spine: Triple = (2, 0, 0)
    head: Triple = (0, 0, 0)
    legs: Leg = STRAIGHT_LEG
    arms: Arm = HANGING_ARM
    hands: float = 0
    left_leg: Leg | None = None
    right_leg: Leg | None = None
    left_arm: Arm | None = None
    right_arm: Arm | None = None

    def rotmats(self, rest: FloatArray) -> FloatArray:
        """Local rotations (24,3,3), the root's in the world's axes; rest: joints (24,3) m at rest."""
        rotations = np.tile(np.eye(3), (24, 1, 1))
        yaw, pitch, roll = self.root
        rotations[0] = WORLD_FROM_BODY @ turn("y", yaw) @ turn("x", pitch) @ turn("z", -roll) @ turn("y", self.spin)
        for joints, (bend, side, twist) in ((("spine1", "spine2", "spine3"), self.spine), (("neck", "head"), self.head)):
            for joint in joints:
                share = len(joints)
                rotations[JOINT[joint]] = turn("y", twist / share) @ turn("x", bend / share) @ turn("z", -side / share)
        for side, sign in zip(SIDES, (1, -1)):
            flexion, abduction, outward, knee, ankle = getattr(self, f"{side}_leg") or self.legs
            rotations[JOINT[f"{side}_hip"]] = turn("x", -flexion) @ turn("z", sign * abduction) @ turn("y", sign * outward)
            rotations[JOINT[f"{side}_knee"]] = turn("x", knee)
            rotations[JOINT[f"{side}_ankle"]] = turn("x", -ankle)
            upper, fore = (np.array(direction, float) * [sign, 1, 1] for direction in getattr(self, f"{side}_arm") or self.arms)
            quats = arm_quats(rest, side, sign, upper, fore)
            for joint, quat in zip(("collar", "shoulder", "elbow"), quats):
                rotations[JOINT[f"{side}_{joint}"]] = rotmat_from_quat(quat)
            rotations[JOINT[f"{side}_wrist"]] = turn("z", sign * self.hands)
        return rotations


@dataclass(frozen=True)
class Contact:
    """A part that touches a support from `begin` to `end`, s. slides: it may move along the support."""

    part: str
    begin: float
    end: float
    support: str = "floor"
    slides: bool = False


@dataclass(frozen=True)
class Flight:
    """The body is in the air from `begin` to `end`, s; shift: how far the pelvis moves in that time, m in the world."""

    begin: float
    end: float
    shift: tuple[float, float] = (0, 0)


@dataclass(frozen=True)
class Motion:
    """A motion posed by hand.

    keys: (time s, Pose). supports: heights, m, of what is touched besides the floor. straight: spans (s, s) in which the person stands
    upright with straight legs. balance: spans in which the centre of mass is above what is touched. still: the pelvis stays in place.
    pelvis: (time s, x, y, z) m, of the first pelvis where no contact places it.
    """

    name: str
    keys: Sequence[tuple[float, Pose]]
    contacts: Sequence[Contact]
    flights: Sequence[Flight] = ()
    supports: Mapping[str, float] = field(default_factory=dict)
    straight: Sequence[tuple[float, float]] = ()
    balance: Sequence[tuple[float, float]] = ()
    still: bool = False
    jumps: Sequence[Flight] = ()
    sway: float = 0.0

    @property
    def seconds(self) -> float:
        return self.keys[-1][0]


def turn(axis: str, degrees: float) -> FloatArray:
    """The rotation (3,3) about one of the axes x, y, z."""
    return rotmat_from_rotvec(np.radians(degrees) * np.eye(3)["xyz".index(axis)])


def interpolate_poses(keys: Sequence[tuple[float, Pose]], times: FloatArray, rest: FloatArray) -> FloatArray:
    """Local rotations (F,24,3,3) through key poses: splines of quaternions without overshoot, slightly smoothed."""
    moments = np.array([time for time, _ in keys])
    quats = align_quat_signs(np.stack([quat_from_rotmat(pose.rotmats(rest)) for _, pose in keys]))
    through = normalize_quat(np.asarray(PchipInterpolator(moments, quats, axis=0)(times)))
    return rotmat_from_quat(normalize_quat(gaussian_filter1d(through, SMOOTHING, axis=0, mode="nearest")))


def in_spans(times: FloatArray, spans: Sequence[tuple[float, float]]) -> BoolArray:
    """Whether times (F,) lie in any of the spans (s, s)."""
    inside = np.zeros(len(times), bool)
    for begin, end in spans:
        inside |= (times >= begin - 1e-6) & (times <= end + 1e-6)
    return inside
