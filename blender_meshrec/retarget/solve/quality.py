"""Quality of a retarget, in numbers for the report."""

from collections.abc import Mapping

import numpy as np

from ...core.array_types import BoolArray, FloatArray
from ..rig import SIDES
from .foot_skin import Sole
from .forward_kinematics import Pose
from .root_placement import RootPlacement
from .stance import Stance


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


def skin_points(pose: Pose, stance: Stance, soles: Mapping[str, Sole]) -> tuple[FloatArray, FloatArray]:
    """The skin at heels and tips (F,4,3) m of a pose's feet, and the height (F,) m of the lowest skin of both feet."""
    positions = [soles[side].positions(pose, stance.feet[side]) for side in SIDES]
    points = [here[:, row] for here, side in zip(positions, SIDES, strict=True) for row in (soles[side].heel, soles[side].tip)]
    return np.stack(points, 1), np.concatenate(positions, 1)[..., 2].min(1)


def measure_quality(
    pose: Pose, stance: Stance, contacts: BoolArray, placement: RootPlacement, timestamps: FloatArray, soles: Mapping[str, Sole]
) -> dict[str, float]:
    """Foot slide in cm/s over contacts (F,4), and floor penetration in mm; nan where there is nothing to measure.

    Foot slide is the mean horizontal speed of heels and balls, from one frame to the next where they touch in both. With soles, by
    side, both are measured on the skin: on its heels and tips, and on all of it.
    """
    found = foot_points(pose, stance)
    if found is None or len(timestamps) < 2:
        return {"foot_slide": float("nan"), "floor_penetration": float("nan")}
    points, heights = found
    lowest = (points[..., 2] - heights - placement.floor).min()
    if soles:
        points, lowest_skin = skin_points(pose, stance, soles)
        lowest = (lowest_skin - placement.floor).min()
    world_points = points @ placement.target.stretch.T
    speeds = np.linalg.norm(np.diff(world_points[..., :2], axis=0), axis=-1) / np.diff(timestamps)[:, None]
    both = contacts[1:] & contacts[:-1]
    return {
        "foot_slide": 100 * float(speeds[both].mean()) if both.any() else float("nan"),
        "floor_penetration": 1000 * float(max(-lowest, 0.0)),
    }
