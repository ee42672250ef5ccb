"""How good a retarget is, in numbers for the report."""

import numpy as np

from ..rig import SIDES


def foot_points(pose, stance):
    """Heels and balls (F,4,3) m of a Pose's feet, and how high each is when it stands, (4,) m; None where it lacks a foot."""
    if any(side not in stance.feet for side in SIDES):
        return None
    points, heights = [], []
    up = pose.rest.axes[:, 2]
    for side in SIDES:
        foot = stance.feet[side]
        for point in (foot.heel, foot.ball):
            points.append(pose.point_position(foot.bone, point))
            heights.append(point @ up - stance.floor)
    return np.stack(points, 1), np.array(heights)


def measure_quality(pose, stance, contacts, placement, timestamps):
    """Foot slide in cm/s over contacts (F,4), and floor penetration in mm, of a Pose; nan where there is nothing to measure.

    Slide is the mean speed over the floor of heels and balls of feet, from one frame to the next where they touch in both.
    """
    found = foot_points(pose, stance)
    if found is None or len(timestamps) < 2:
        return {"foot_slide": float("nan"), "floor_penetration": float("nan")}
    points, heights = found
    places = points @ placement.target.stretch.T
    moved = np.linalg.norm(np.diff(places[..., :2], axis=0), axis=-1) / np.diff(timestamps)[:, None]
    both = contacts[1:] & contacts[:-1]
    low = (points[..., 2] - heights - placement.floor).min()
    return {
        "foot_slide": 100 * float(moved[both].mean()) if both.any() else float("nan"),
        "floor_penetration": 1000 * float(max(-low, 0.0)),
    }
