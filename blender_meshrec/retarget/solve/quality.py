"""Quality of a retarget, in numbers for the report."""

from collections.abc import Mapping

import numpy as np

from ...core.array_types import BoolArray, FloatArray
from ..rig import SIDES
from .foot_skin import Sole
from .forward_kinematics import Pose
from .root_placement import RootPlacement
from .stance import Stance

# Skin up to this height over the lowest of its foot touches the ground with it, m.
_MAX_HOVER = 0.01


def foot_points(pose: Pose, stance: Stance) -> tuple[FloatArray, FloatArray] | None:
    """Heels and balls (F,4,3) m of a pose's feet, and the height (4,) m of each on a foot that stands; None if a foot is missing."""
    if any(side not in stance.feet for side in SIDES):
        return None
    points: list[FloatArray] = []
    heights: list[float] = []
    up = pose.rest.axes[:, 2]
    for side in SIDES:
        foot = stance.feet[side]
        for point in (foot.heel, foot.ball):
            points.append(pose.point_position(foot.bone, point))
            heights.append(float(point @ up) - stance.floor)
    return np.stack(points, 1), np.array(heights)


def skin_contact(pose: Pose, stance: Stance, soles: Mapping[str, Sole]) -> tuple[FloatArray, FloatArray]:
    """The steps (F-1,4,3) m from each frame to the next of the skin that is lowest, and the height (F,) m of the lowest of both feet.

    The skin of the rear and of the front half of each foot, as heels and balls are ordered; where a half hovers over the lowest skin of
    its foot, which alone touches, that counts instead.
    """
    steps: list[FloatArray] = []
    heights: list[FloatArray] = []
    for side in SIDES:
        foot, sole = stance.feet[side], soles[side]
        positions = sole.positions(pose, foot)
        along = sole.points @ foot.forward
        is_front = along > along[[sole.heel, sole.tip]].mean()
        heights.append(positions[..., 2].min(1))
        frames = np.arange(len(positions) - 1)
        for half in (~is_front, is_front):
            height = np.where(half, positions[:-1, :, 2], np.inf)
            hovers = height.min(1) > heights[-1][:-1] + _MAX_HOVER
            lowest = np.where(hovers, positions[:-1, :, 2].argmin(1), height.argmin(1))
            steps.append(positions[frames + 1, lowest] - positions[frames, lowest])
    return np.stack(steps, 1), np.min(heights, 0)


def measure_quality(
    pose: Pose, stance: Stance, contacts: BoolArray, placement: RootPlacement, timestamps: FloatArray, soles: Mapping[str, Sole]
) -> dict[str, float]:
    """Foot slide in cm/s over contacts (F,4), and floor penetration in mm; nan where there is nothing to measure.

    Foot slide is the mean horizontal speed of heels and balls, from one frame to the next where they touch in both. With soles, by
    side, both are measured on the skin: on what of its heels and tips is lowest, and on all of it.
    """
    found = foot_points(pose, stance)
    if found is None or len(timestamps) < 2:
        return {"foot_slide": float("nan"), "floor_penetration": float("nan")}
    points, heights = found
    steps, lowest = np.diff(points, axis=0), (points[..., 2] - heights - placement.floor).min()
    if soles:
        steps, lowest_skin = skin_contact(pose, stance, soles)
        lowest = (lowest_skin - placement.floor).min()
    speeds = np.linalg.norm((steps @ placement.target.stretch.T)[..., :2], axis=-1) / np.diff(timestamps)[:, None]
    both = contacts[1:] & contacts[:-1]
    return {
        "foot_slide": 100 * float(speeds[both].mean()) if both.any() else float("nan"),
        "floor_penetration": 1000 * float(max(-lowest, 0.0)),
    }
