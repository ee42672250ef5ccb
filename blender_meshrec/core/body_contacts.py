"""Contacts of a whole body: heel and toe of each foot, hands, knees and seat. Those of the feet are found elsewhere (contacts.py)."""

import numpy as np

from .array_types import ArrayLike, BoolArray, FloatArray
from .contacts import contact_runs, point_speeds
from .records import Recovery
from .skeletons import SMPL_JOINTS

SOLE_PARTS = ("left_heel", "left_toe", "right_heel", "right_toe")
OTHER_PARTS = ("left_hand", "right_hand", "left_knee", "right_knee", "seat")
CONTACT_PARTS = (*SOLE_PARTS, *OTHER_PARTS)
# The joints that touch where a part does, and how high above the floor they are then, m.
PART_JOINTS = {
    "left_hand": "left_wrist", "right_hand": "right_wrist", "left_knee": "left_knee", "right_knee": "right_knee", "seat": "pelvis"
}  # fmt: skip
_TOUCHING_HEIGHTS = {"left_hand": 0.15, "right_hand": 0.15, "left_knee": 0.12, "right_knee": 0.12, "seat": 0.22}
_MAX_SPEED = 0.2  # m/s of a part at rest
_MIN_DURATION = 0.2  # s
# Who sits has thighs this near to the horizontal, as a sine, and their pelvis this far behind the ankles, m: who squats does not.
_MAX_THIGH_SLOPE, _BEHIND_ANKLES = 0.6, 0.25


def body_contacts(recovery: Recovery) -> BoolArray:
    """Contacts (F,9) of CONTACT_PARTS: those of the soles as they were found, the others by the height and speed of their joints."""
    others = detect_part_contacts(recovery.joints, recovery.timestamps, recovery.visible)
    return np.concatenate([recovery.contacts > 0.5, others], 1)


def detect_part_contacts(joints: ArrayLike, timestamps: ArrayLike, visible: ArrayLike) -> BoolArray:
    """Contacts (F,5) of OTHER_PARTS.

    Args:
        joints: (F,24,3) m, SMPL's, z up, floor at z = 0. timestamps: (F,) s. visible: (F,).
    """
    joints, times = np.asarray(joints, float), np.asarray(timestamps, float)
    rows = [SMPL_JOINTS.index(PART_JOINTS[part]) for part in OTHER_PARTS]
    path = joints[:, rows]
    low = path[..., 2] < [_TOUCHING_HEIGHTS[part] for part in OTHER_PARTS]
    low[:, OTHER_PARTS.index("seat")] |= _is_seated(joints)
    touching = low & (point_speeds(path, times) < _MAX_SPEED) & np.asarray(visible, bool)[:, None]
    for column in touching.T:
        for first, last in contact_runs(column):
            if times[last - 1] - times[first] < _MIN_DURATION:
                column[first:last] = False
    return touching


def _is_seated(joints: FloatArray) -> BoolArray:
    """Whether a pose (F,24,3) m is that of a person on a chair, (F,)."""
    named = {name: joints[:, row] for row, name in enumerate(SMPL_JOINTS)}
    thighs = np.stack([named[f"{side}_knee"] - named[f"{side}_hip"] for side in ("left", "right")], 1)
    slopes = np.abs(thighs[..., 2]) / np.maximum(np.linalg.norm(thighs, axis=-1), 1e-9)
    ankles = (named["left_ankle"] + named["right_ankle"]) / 2
    behind = np.linalg.norm((named["pelvis"] - ankles)[:, :2], axis=-1)
    is_upright = named["neck"][:, 2] - named["pelvis"][:, 2] > 0.25
    return (slopes.max(1) < _MAX_THIGH_SLOPE) & (behind > _BEHIND_ANKLES) & is_upright
