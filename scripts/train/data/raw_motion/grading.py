"""Finds capture glitches, the floor, and clips that do not look human."""

import numpy as np

from blender_meshrec.core.array_types import BoolArray, FloatArray
from blender_meshrec.core.rotations import angle_between_rotmats
from scripts.train.data.raw_motion.smpl_mapping import JOINT, SmplMotion

# Limits of a joint. Kicks and strikes of the library reach 11 m/s and 220 m/s2 at 30 frames a second.
MAX_SPEED, MAX_ACCELERATION = 14.0, 260.0  # m/s; m/s2
MAX_TURN = np.radians(75.0)  # a frame, of a joint relative to its parent; marker swaps turn a joint by 90 to 180 degrees
MARGIN = 1  # frames on either side of a glitch
# The lowest points of a clip: heights that a floor at 0 gives to the toes' tips and the toe bases, m.
FLOOR_QUANTILE, FLOOR_RANGE = 0.05, (-0.04, 0.08)
MIN_VALID = 0.6  # share of the frames of a clip
LEG_RANGE, ARM_RATIO = (0.65, 1.05), (0.5, 0.85)  # m; of the arm's length to the leg's
_TURN_JOINTS = [joint for name, joint in JOINT.items() if "wrist" not in name and "hand" not in name]


def valid_frames(motion: SmplMotion, fps: float) -> BoolArray:
    """Frames (F,) without a capture glitch: an impossible speed, acceleration or turn."""
    frames = len(motion.trans)
    bad = np.zeros(frames, bool)
    if frames > 1:
        joints, _ = motion.joints()
        steps = np.linalg.norm(np.diff(joints, axis=0), axis=-1).max(1) * fps > MAX_SPEED
        turns = angle_between_rotmats(motion.rotmats[1:, _TURN_JOINTS], motion.rotmats[:-1, _TURN_JOINTS]).max(1) > MAX_TURN
        bad[1:] |= steps | turns
        bad[:-1] |= steps | turns
        bend = np.linalg.norm(joints[2:] - 2 * joints[1:-1] + joints[:-2], axis=-1).max(1) * fps**2
        bad[1:-1] |= bend > MAX_ACCELERATION
    near = np.flatnonzero(bad)[:, None] + np.arange(-MARGIN, MARGIN + 1)
    bad[np.clip(near, 0, frames - 1)] = True
    return ~bad


def floor_height(motion: SmplMotion, assumed: bool = False) -> float:
    """The height, m, of what the feet stand on: where it is near 0, exactly 0, unless the skeleton is `assumed`."""
    joints, extra = motion.joints()
    lowest = np.concatenate([joints[:, [JOINT["left_foot"], JOINT["right_foot"]], 1], extra[:, 1:3, 1]], 1).min(1)
    height = float(np.quantile(lowest, FLOOR_QUANTILE))
    low, high = FLOOR_RANGE
    return 0.0 if low <= height <= high and not assumed else height - (low + high) / 2


def faults(motion: SmplMotion, valid: BoolArray) -> list[str]:
    """What does not look human: proportions, sides, joints that bend the wrong way."""
    joints, _ = motion.joints()
    found = [] if valid.mean() >= MIN_VALID else [f"glitches in {100 * (1 - valid.mean()):.0f}% of the frames"]
    leg, arm = (_limb_length(motion, names) for names in (("left_knee", "left_ankle"), ("left_elbow", "left_wrist")))
    if not LEG_RANGE[0] < leg < LEG_RANGE[1]:
        found.append(f"legs of {leg:.2f} m")
    if not ARM_RATIO[0] < arm / leg < ARM_RATIO[1]:
        found.append(f"arms {arm / leg:.2f} times as long as the legs")
    for side in ("left", "right"):
        bend = np.median(_knee_bend(motion, side))
        if bend < np.radians(-8):
            found.append(f"a {side} knee bent forwards by {-np.degrees(bend):.0f} degrees")
    across = joints[:, JOINT["left_shoulder"]] - joints[:, JOINT["right_shoulder"]]
    hips = joints[:, JOINT["left_hip"]] - joints[:, JOINT["right_hip"]]
    if np.median((across * hips).sum(-1)) < 0:
        found.append("shoulders turned against the hips")
    return found


def _limb_length(motion: SmplMotion, names: tuple[str, str]) -> float:
    return float(sum(np.linalg.norm(motion.skeleton.offsets[JOINT[name]]) for name in names))


def _knee_bend(motion: SmplMotion, side: str) -> FloatArray:
    """Angles (F,) rad of a knee about its axis, positive where the shin goes back."""
    knee = motion.rotmats[:, JOINT[f"{side}_knee"]]
    return np.arctan2(knee[:, 2, 1], knee[:, 1, 1])
