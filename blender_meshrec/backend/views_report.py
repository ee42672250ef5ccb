"""What the report says of several views: their clocks, cameras and lenses, how sure those are, and how well each fits the result."""

from typing import Any

import numpy as np

from ..core.array_types import FloatArray
from ..core.cameras import transform_points
from ..core.messages import Message
from ..core.metrics import reprojection_error
from ..core.skeletons import H36M17, SMPL_JOINTS
from .clip import Clip, Person
from .views.footage_views import View
from .views.join_views import JoinedViews
from .views.joint_adjustment import DELAY, SHIFT, TURN, ZOOM
from .views.view_samples import ViewSamples

SHOWN_JOINT = 0.5  # confidence


def views_sentence(joined: JoinedViews) -> Message:
    """How the cameras were found, and how sure that is."""
    count = len(joined.views)
    if joined.is_given:
        return Message("views-calibrated", "{count} views are joined by the calibration of their cameras.", count=count)
    distances = [max(float(np.linalg.norm(view.view_from_first[:3, 3])), 1e-6) for view in joined.views[1:]]
    shift = max(float(np.linalg.norm(sigma[SHIFT])) / distance for sigma, distance in zip(joined.sigma[1:], distances, strict=True))
    return Message(
        "views-self-calibrated",
        "{count} views are joined by the people in them: the cameras' directions are known within {turn:.1f} degrees, their places within "
        "{shift:.0f} % of their distance, their lenses within {lens:.0f} %; the scale is that of people of usual or given height.",
        count=count,
        turn=float(np.degrees(joined.sigma[1:, TURN].max())),
        shift=100 * shift,
        lens=100 * float(joined.sigma[:, ZOOM].max()),
    )


def build_views_report(clip: Clip) -> list[dict[str, Any]]:
    """Each view's numbers, the clip's own first; empty for a single view."""
    if clip.joined is None:
        return []
    return [build_view_report(number, view, clip.joined, clip) for number, view in enumerate(clip.joined.views)]


def build_view_report(number: int, view: View, joined: JoinedViews, clip: Clip) -> dict[str, Any]:
    """One view's numbers. clock: timecode, audio, motion, none (taken to begin with the first view) or first."""
    first_from_world = clip.people[0].recovery.camera_from_world[0]
    sigma = joined.sigma[number]
    return {
        "input": view.frames.source,
        "clock": view.clock,
        "delay_s": round(view.delay, 4),
        "delay_sigma_s": round(float(sigma[DELAY][0]), 4),
        "fps": round(float(view.frames.fps), 4),
        "first_frame": view.frames.first,
        "rotation": view.frames.rotation,
        "is_mirrored": view.frames.is_mirrored,
        "speed": view.frames.speed,
        "image_size": [int(side) for side in view.frames.size],
        "intrinsics": np.round(view.intrinsics, 3).tolist(),
        "focal_px": round(float(view.intrinsics[0, 0]), 1),
        "camera_from_world": np.round(view.view_from_first @ first_from_world, 5).tolist(),
        "turn_sigma_degrees": round(float(np.degrees(sigma[TURN].max())), 2),
        "shift_sigma_m": round(float(np.linalg.norm(sigma[SHIFT])), 4),
        "people": [_person_in_view(person, number, view, clip) for person in clip.people],
    }


def _person_in_view(person: Person, number: int, view: View, clip: Clip) -> dict[str, Any]:
    """How well one person's motion fits what a view shows of them; None where that cannot be measured."""
    samples = None if person.in_views is None else person.in_views.samples[number]
    pixels, relative = float("nan"), float("nan")
    rows = clip.looked_at.rows
    if samples is not None and samples.visible.any() and len(person.recovery) == len(clip.looked_at.all_times):
        world = person.recovery.joints[rows].astype(float)
        in_first = transform_points(person.recovery.camera_from_world[rows], world)
        in_view = transform_points(view.view_from_first, in_first)
        seen = samples.visible
        pixels, relative = reprojection_error(
            in_view[seen], SMPL_JOINTS, samples.keypoints[seen], H36M17, view.intrinsics, _boxes(samples)[seen]
        )
    return {
        "person": person.number,
        "frames_with_person": 0 if samples is None else int(samples.visible.sum()),
        "reprojection_px": _rounded(pixels, 2),
        "reprojection_share_of_box": _rounded(relative, 4),
    }


def _boxes(samples: ViewSamples) -> FloatArray:
    """The boxes (F,4) px about the keypoints that are shown."""
    shown = np.where(samples.keypoints[..., 2:] > SHOWN_JOINT, samples.keypoints[..., :2], np.nan)
    shown = np.where(np.isnan(shown).all(1, keepdims=True), 0.0, shown)
    return np.concatenate([np.nanmin(shown, 1), np.nanmax(shown, 1)], 1)


def _rounded(value: float, digits: int) -> float | None:
    return round(float(value), digits) if np.isfinite(value) else None
