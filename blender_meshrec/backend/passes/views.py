"""Several cameras of one scene: the passes that join their views to one clip, whose own view is the first one."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from ...core.array_types import BoolArray, FloatArray
from ...core.cameras import invert_rigid_transform, project, rigid_transform, transform_points
from ...core.records import Estimate, Observations
from ...core.skeletons import h36m17_weights
from ...core.time_series import frame_rate, interpolate_missing, interpolate_over_time
from ..camera.camera_path import CameraPath, unknown_camera
from ..camera.solve_camera import solve_camera
from ..clip import Clip, Person
from ..devices import run_with_cpu_fallback
from ..fitting.betas_fit import measure_lengths
from ..fitting.camera_space import CameraSpaceJoints
from ..fitting.clip_solve.body_points import BONES
from ..fitting.clip_solve.residuals import ViewPlace
from ..fitting.clip_solve.solve_clip import world_from_up
from ..fitting.clip_solve.view_evidence import PersonInView, ViewEvidence
from ..fitting.gravity_and_floor import GroundEvidence, estimate_floor_height
from ..fitting.known_shape import shape_of_betas, shape_of_height
from ..fitting.smoothing import smooth_positions
from ..lifting.estimators import estimator_name
from ..registry import ESTIMATORS
from ..views.calibrated_up import calibrated_up
from ..views.footage_views import View, moving_views
from ..views.join_views import JoinedPerson, JoinedViews, join_views
from ..views_report import views_sentence

LENS_SOURCE = "views"


def has_views(clip: Clip) -> bool:
    """Whether the clip is joined from several views."""
    return clip.joined is not None


def has_calibration(clip: Clip) -> bool:
    """Whether the cameras of several views are calibrated, so that they show how large people are."""
    return clip.joined is not None and clip.joined.is_given


def has_one_view(clip: Clip) -> bool:
    """Whether the clip is one camera's alone."""
    return clip.joined is None


def look_at_cameras(clip: Clip) -> None:
    """Say where a camera seems to move; the cameras are taken to stand still."""
    joined = clip.require_views()
    paths = [_camera_of(view, len(clip.frames) if number == 0 else 0) for number, view in enumerate(joined.views)]
    # Views that are joined are one shot: a cut would be the other cameras' too.
    clip.camera = paths[0] if len(paths[0].shots) < 2 else unknown_camera(len(clip.frames))
    clip.warnings += moving_views(joined.views, [path.kind for path in paths])


def _camera_of(view: View, frames: int) -> CameraPath:
    if view.tracks is None:
        return unknown_camera(frames)
    return solve_camera(
        view.tracks, view.frames.size, float(view.intrinsics[0, 0]), len(view.frames), rate=frame_rate(view.frames.timestamps)
    )


def lift_views(clip: Clip) -> None:
    """Lift everybody in every view, before its own camera."""
    estimator = ESTIMATORS.get(estimator_name(clip.request.method))
    for view in clip.require_views().views:
        view.estimates = [
            run_with_cpu_fallback(partial(estimator, person, view.intrinsics, view.frames.timestamps), clip.device, clip.warnings.append)
            for person in view.people
        ]


def join_views_of_clip(clip: Clip) -> None:
    """Join the views, and give everybody the joints that all of them see."""
    joined = clip.require_views()
    join_views(joined)
    _scale_to_known_people(clip, joined)
    first = joined.views[0]
    clip.intrinsics, clip.lens_source = first.intrinsics, "given" if joined.is_given else LENS_SOURCE
    clip.lens_sigma = 0.0 if joined.is_given else float(joined.sigma[0, 6])
    clip.camera = replace(clip.camera, sentences=(*clip.camera.sentences, views_sentence(joined)))
    for person in clip.people:
        _take_joined(person, joined.people[person.place], clip)


def _scale_to_known_people(clip: Clip, joined: JoinedViews) -> None:
    """Scale a scene without a calibration so that people have the heights and shapes that are known of them."""
    if joined.is_given:
        return
    scales: list[float] = []
    for person in clip.people:
        found = joined.people[person.place]
        lengths = measure_lengths(found.points, _confidence(found))
        if person.known.betas is not None:
            scales.append(shape_of_betas(clip.template, lengths, person.known.betas).scale)
        elif person.known.height is not None:
            scales.append(shape_of_height(clip.template, lengths, person.known.height).scale)
    if scales:
        joined.scaled(float(np.median(scales)))


def _confidence(person: JoinedPerson) -> FloatArray:
    """How sure a joint is (F,17): as sure as the view that sees it best."""
    return np.max([samples.keypoints[..., 2] for samples in person.samples], 0)


def _take_joined(person: Person, joined: JoinedPerson, clip: Clip) -> None:
    """Set a person's observations, estimate and joints from all views."""
    times, visible = clip.motion_times, joined.visible
    points = interpolate_missing(joined.points, np.repeat(visible[:, None], 17, 1), times)
    smooth = smooth_positions(points, times, clip.request.smoothing) if clip.request.smoothing > 0 else points
    lengths = np.median(np.stack([np.linalg.norm(points[:, end] - points[:, start], axis=-1) for start, end in BONES], 1)[visible], 0)
    confidence = _confidence(joined)
    person.in_views = joined
    person.observations = person.steady = _seen_by_others(person.observations, points, visible, clip.intrinsics)
    person.joined_joints = CameraSpaceJoints(smooth, confidence * visible[:, None], lengths)
    first = joined.samples[0]
    lifted = np.where(first.visible[:, None, None], first.lifted, points - points[:, :1])
    spread = None if person.estimate.spread is None else person.estimate.spread
    if spread is not None and first.visible.any():
        spread = interpolate_over_time(times, times[first.visible], np.asarray(spread)[first.visible])
    person.estimate = replace(
        person.estimate, joints=lifted, confidence=confidence, contacts=_contacts(joined, person.estimate), spread=spread, rotmats=None
    )


def _contacts(joined: JoinedPerson, estimate: Estimate) -> FloatArray | None:
    """The contacts (F,4), in the mean over the views that show the person."""
    if estimate.contacts is None:
        return None
    found = [(samples.contacts, samples.visible[:, None]) for samples in joined.samples if samples.contacts is not None]
    total, count = (np.sum(values, 0) for values in zip(*[(contacts * seen, seen) for contacts, seen in found], strict=True))
    return total / np.maximum(count, 1)


def _seen_by_others(observations: Observations, points: FloatArray, visible: BoolArray, intrinsics: FloatArray) -> Observations:
    """The observations of the first view, with the frames in which only other views show the person: where they are there, unsure."""
    hidden = visible & ~observations.visible
    if not hidden.any():
        return observations
    weights = h36m17_weights(observations.keypoint_set)
    # Each keypoint where its joint is, or, without one of its own, at the hip.
    owner = np.where(weights.any(0), np.abs(weights).argmax(0), 0)
    pixels = np.nan_to_num(project(points[hidden], intrinsics))
    keypoints, boxes = observations.keypoints.copy(), observations.boxes.copy()
    keypoints[hidden] = np.concatenate([pixels[:, owner], np.zeros((len(pixels), len(owner), 1))], -1)
    boxes[hidden] = np.concatenate([pixels.min(1), pixels.max(1)], 1)
    return replace(observations, keypoints=keypoints, boxes=boxes, visible=observations.visible | hidden)


def stand_in_calibrated_world(clip: Clip, evidence: list[GroundEvidence]) -> None:
    """Take up from the calibration of several views, if one of its axes points up; the floor is where feet are."""
    if clip.joined is None:
        return
    cameras = [view.camera_from_world for view in clip.joined.views if view.camera_from_world is not None]
    up = calibrated_up(cameras, clip.world_from_camera[2, :3]) if cameras and clip.joined.is_given else None
    if up is None:
        return
    level = world_from_up(up, 0.0)
    clip.world_from_camera = world_from_up(up, -estimate_floor_height(evidence, clip.motion_times, level[:3, :3]))
    clip.tilt_sigma = np.zeros(2)


def evidence_of_views(clip: Clip) -> tuple[ViewEvidence, ...]:
    """The clip's further views, for the whole-clip solve."""
    if clip.joined is None:
        return ()
    joined = clip.joined
    return tuple(
        ViewEvidence(view.intrinsics, view.size, view.view_from_first, joined.solve_sigma(number))
        for number, view in enumerate(joined.views)
        if number
    )


def take_solved_views(clip: Clip, places: Sequence[ViewPlace]) -> None:
    """Set where the further views' cameras are after the whole-clip solve."""
    if clip.joined is None:
        return
    for view, place in zip(clip.joined.views[1:], places, strict=True):
        view.view_from_first = rigid_transform(place.rotmat, place.transl)


def further_cameras(person: Person, clip: Clip) -> list[FloatArray]:
    """The places (3,) m in the world of those cameras, beside the clip's own, that see a person."""
    if clip.joined is None or person.in_views is None:
        return []
    samples = person.in_views.samples
    centres = [invert_rigid_transform(view.view_from_first)[:3, 3] for view in clip.joined.views]
    return [transform_points(clip.world_from_camera, centres[number]) for number in range(1, len(centres)) if samples[number].visible.any()]


def person_in_views(person: Person) -> tuple[PersonInView | None, ...]:
    """What the further views show of a person, for the whole-clip solve."""
    if person.in_views is None:
        return ()
    return tuple(
        PersonInView(samples.keypoints, samples.lifted, samples.visible, samples.spread) if samples.visible.any() else None
        for samples in person.in_views.samples[1:]
    )
