"""A start for the whole-clip solve: keypoints lifted to joints, bodies in camera space, gravity and the floor."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from ...core.files.body_template import BodyTemplate
from ...core.records import Observations
from ...core.skeletons import H36M17
from ...methods.lifter.joints_in_picture import joints_in_picture
from ..camera.steady_view import joints_from_steady_view
from ..camera.vertical_lines import VerticalLines
from ..clip import Clip, Person
from ..devices import run_with_cpu_fallback
from ..fitting.betas_fit import fit_betas, measure_lengths
from ..fitting.body_fit import fit_body
from ..fitting.body_smoothing import smooth_body
from ..fitting.camera_space import scaled, solve_camera_space
from ..fitting.end_points import locate_end_points
from ..fitting.gravity_and_floor import GroundEvidence, estimate_gravity_and_floor
from ..fitting.known_shape import shape_of_betas, shape_of_height
from ..fitting.long_lens import find_long_lens
from ..fitting.perpendicular_edges import find_perpendicular_edges, zoomed
from ..fitting.regressed_rotations import with_rotations
from ..fitting.stature import stature
from ..fitting.statures_on_floor import SharedFloor, StandingPerson, find_shared_floor, level_world
from ..fitting.tilt_from_lines import edge_evidence
from ..lifting.estimators import LIFTER, estimator_name
from ..lifting.short_gaps import with_short_gaps
from ..moving_camera import moved_body
from ..registry import ESTIMATORS, refiners_of_stage
from .known_camera import adapt_people_to_known_world, stand_in_known_world
from .posed import posed_legs
from .views import stand_in_calibrated_world

ANKLES = [H36M17.index("left_ankle"), H36M17.index("right_ankle")]
# Ankle confidence from which a foot counts as seen: feet outside the image say nothing about the floor.
MIN_ANKLE_CONFIDENCE = 0.3
# Weight of lifted joints in the picture beside lifted keypoints: where the error of rendered test bodies is least.
SHARE_IN_PICTURE = 0.3
# Standard deviation of the logarithm of the focal length from which the background's edges tell it so well that people do not move it.
TELLING_LENS_SIGMA = 0.12


def lift_keypoints(clip: Clip) -> None:
    """2D keypoints to 3D joints about the hip, by the chosen Estimator."""
    estimator = ESTIMATORS.get(estimator_name(clip.request.method))
    for person in clip.people:
        if is_lifted(clip) and clip.joined is None:
            person.steady = with_short_gaps(person.steady, clip.motion_times)
        estimate = partial(estimator, person.steady, clip.intrinsics, clip.motion_times)
        person.estimate = run_with_cpu_fallback(estimate, clip.device, clip.warnings.append)
        if person.estimate.contacts is not None:
            person.estimate = replace(person.estimate, contacts=clip.contacts_within_takes(person.estimate.contacts))
        for refine in refiners_of_stage("estimate", clip.refiners).values():
            refine(person, clip)


def find_joints_in_picture(clip: Clip) -> None:
    """Where people's joints are in the picture of the steady view, and in the footage's."""
    for person in clip.people:
        find = partial(joints_in_picture, person.steady, clip.intrinsics, clip.motion_times)
        joints = run_with_cpu_fallback(find, clip.device, clip.warnings.append)
        person.steady = replace(person.steady, joints=joints)
        if joints is not None and clip.camera_from_view is not None:
            joints = joints_from_steady_view(joints, clip.camera_from_view, clip.intrinsics)
        person.observations = replace(person.observations, joints=joints)


def lift_joints_in_picture(clip: Clip) -> None:
    """A weighted mean of the lifted keypoints and of the lifted joints in the picture: the lifter knows skeletons' own joints, too."""
    lifter = ESTIMATORS.get(LIFTER)
    for person in clip.people:
        steady = person.steady
        if steady.joints is not None:
            seen = Observations("h36m17", steady.boxes, steady.joint_points, steady.visible)
            lifted = run_with_cpu_fallback(partial(lifter, seen, clip.intrinsics, clip.motion_times), clip.device, clip.warnings.append)
            mean = (1 - SHARE_IN_PICTURE) * person.estimate.joints + SHARE_IN_PICTURE * lifted.joints
            person.estimate = replace(person.estimate, joints=mean)


def is_lifted(clip: Clip) -> bool:
    """Whether joints are lifted from keypoints, not found by another estimator."""
    return estimator_name(clip.request.method) == LIFTER


def has_unknown_speed(clip: Clip) -> bool:
    """Whether footage is lifted of which nobody told at what rate it was captured."""
    return is_lifted(clip) and clip.request.capture_fps is None and clip.frames.speed == 1


def solve_joints_in_camera_space(clip: Clip) -> None:
    """Joints on their lines of sight, with constant bone lengths, smoothed over time."""
    for person in clip.people:
        if person.joined_joints is not None:
            person.camera_space = person.joined_joints
            apply_known_shape(person, clip.template)
            continue
        observations = person.steady
        person.camera_space = solve_camera_space(
            person.estimate,
            observations.joint_points,
            observations.visible,
            clip.intrinsics,
            clip.view_size,
            clip.motion_times,
            clip.request.smoothing,
            scale=person.scale,
        )
        apply_known_shape(person, clip.template)


def apply_known_shape(person: Person, template: BodyTemplate) -> None:
    """Give a person the shape or the height that the user knows, and the distance that follows."""
    known, joints = person.known, person.camera_space
    lengths = measure_lengths(joints.joints, joints.confidence)
    if known.betas is not None:
        shape = shape_of_betas(template, lengths, known.betas)
    elif known.height is not None:
        shape = shape_of_height(template, lengths, known.height)
    else:
        return
    # Several views have told the size of what they show.
    person.betas, person.camera_space = shape.betas, scaled(joints, shape.scale if person.joined_joints is None else 1.0)


def fit_bodies(clip: Clip) -> None:
    """Betas from bone lengths, rotations by DIK, smoothed over time."""
    smoothing = clip.request.smoothing
    for person in clip.people:
        observations, joints = person.steady, person.camera_space
        points = locate_end_points(observations, joints, clip.intrinsics, clip.motion_times, smoothing)
        betas = person.betas
        if betas is None and person.stature is not None:
            betas = fit_betas(clip.template, measure_lengths(joints.joints, joints.confidence), person.stature)
        fit = partial(fit_body, clip.template, joints.joints, joints.confidence, points, clip.motion_times, betas=betas)
        fitted = run_with_cpu_fallback(fit, clip.device, clip.warnings.append)
        if person.estimate.rotmats is not None:
            fitted = with_rotations(fitted, person.estimate.rotmats, observations.visible)
        person.fit = replace(fitted, body=smooth_body(fitted.body, observations.visible, clip.motion_times, smoothing))


def look_at_perpendicular_edges(clip: Clip) -> None:
    """What edges of the background in three perpendicular directions say of gravity, and of a lens that nothing else tells."""
    lines = edges_of_longest_shot(clip)
    if lines is None:
        return
    is_open = clip.lens_source == "solved" and clip.camera_from_view is None
    found = find_perpendicular_edges(lines, clip.intrinsics, clip.camera_from_view, clip.lens_sigma, is_open)
    if found is not None and is_open and found.zoom_sigma < clip.lens_sigma:
        clip.intrinsics, clip.lens_sigma = zoomed(clip.intrinsics, found.zoom), found.zoom_sigma
        clip.lens_source = "edges" if found.zoom_sigma < TELLING_LENS_SIGMA else "solved"
    clip.perpendicular = found


def edges_of_longest_shot(clip: Clip) -> VerticalLines | None:
    """The edges of the background in the longest shot; None where nobody looked."""
    if clip.lines is None or not clip.camera.shots:
        return None
    shot = max(clip.camera.shots, key=lambda shot: shot.last - shot.first)
    return clip.lines.within(shot.first, shot.last)


def estimate_world(clip: Clip) -> None:
    """Gravity, the floor and the origin of the world that all people share."""
    for person in clip.people:
        ankles = person.camera_space.confidence[:, ANKLES]
        person.ankles_seen = (ankles > MIN_ANKLE_CONFIDENCE) & person.observations.visible[:, None]
    evidence = [ground_evidence(person, clip) for person in clip.people]
    if clip.known_camera is not None:
        stand_in_known_world(clip, clip.known_world, evidence)
        return
    lines = edges_of_longest_shot(clip)
    if lines is not None:
        clip.edges = edge_evidence(lines, clip.intrinsics, clip.camera_from_view, clip.lens_sigma, clip.perpendicular)
    clip.world_from_camera, clip.tilt_sigma = estimate_gravity_and_floor(evidence, clip.motion_times, clip.request.upright, clip.edges)
    stand_in_calibrated_world(clip, evidence)


def look_through_long_lens(clip: Clip) -> None:
    """Take a long lens if people near and far stand on one floor through that only, where nothing else tells the lens."""
    if clip.lens_source != "solved" or clip.camera.kind != "still" or is_lens_of_edges(clip):
        return
    people = standing_people(clip, [stature(clip.template, person.fit.body.betas) for person in clip.people])
    camera = clip.places @ clip.world_from_camera[:3, :3].T + clip.world_from_camera[:3, 3]
    log_lens = None if clip.perpendicular is None else clip.perpendicular.log_lens
    found = find_long_lens(people, clip.motion_times, camera, clip.world_from_camera[:3, 2], clip.tilt_sigma, log_lens)
    if found is None:
        return
    clip.has_long_lens, clip.lens_sigma, clip.intrinsics = True, found.sigma, zoomed(clip.intrinsics, found.zoom)
    lines = edges_of_longest_shot(clip)
    if lines is not None:
        clip.perpendicular = find_perpendicular_edges(lines, clip.intrinsics, None, clip.lens_sigma, is_lens_open=False)


def is_lens_of_edges(clip: Clip) -> bool:
    """Whether edges in three perpendicular directions told the lens."""
    return clip.perpendicular is not None and clip.perpendicular.zoom != 0.0


def has_long_lens(clip: Clip) -> bool:
    """Whether `look_through_long_lens` has changed the lens."""
    return clip.has_long_lens


def scale_people_to_floor(clip: Clip) -> None:
    """Scale people so that they share a floor, which one view leaves open: statures are likely ones, and those that the user knows.

    On a floor that is known, everybody's size is.
    """
    if clip.known_camera is not None:
        adapt_people_to_known_world(clip)
        return
    statures = [stature(clip.template, person.fit.body.betas) for person in clip.people]
    for person, size, tall in zip(clip.people, floor_of_people(clip, statures).sizes, statures, strict=True):
        person.stands_with_others = size.stands_with_others
        if size.stands_with_others and person.betas is None:
            person.scale, person.stature = size.scale, size.scale * tall


def level_floor_of_people(clip: Clip) -> None:
    """Level the floor on which people stand together: far and near ones have likely statures."""
    statures = [stature(clip.template, person.fit.body.betas) for person in clip.people]
    floor = floor_of_people(clip, statures)
    clip.world_from_camera, clip.tilt_sigma = level_world(clip.world_from_camera, floor), floor.tilt_sigma


def stand_together(clip: Clip) -> bool:
    """Whether some people stand on one floor, in a world that is not known."""
    return clip.known_camera is None and any(person.stands_with_others for person in clip.people)


def floor_of_people(clip: Clip, statures: Sequence[float]) -> SharedFloor:
    """What people of some statures, m, say of the floor that they share."""
    rotation, origin = clip.world_from_camera[:3, :3], clip.world_from_camera[:3, 3]
    return find_shared_floor(standing_people(clip, statures), clip.motion_times, clip.places @ rotation.T + origin, clip.tilt_sigma)


def standing_people(clip: Clip, statures: Sequence[float]) -> list[StandingPerson]:
    """People of some statures, m, in the world."""
    rotation, origin = clip.world_from_camera[:3, :3], clip.world_from_camera[:3, 3]
    people: list[StandingPerson] = []
    for person, tall in zip(clip.people, statures, strict=True):
        evidence = ground_evidence(person, clip)
        people.append(StandingPerson(evidence.soles @ rotation.T + origin, evidence.visible, tall, person.betas is not None))
    return people


def is_rescaled(clip: Clip) -> bool:
    """Whether somebody's size was changed, so that joints, bodies and world are solved once more."""
    return clip.known_camera is not None or any(person.scale != 1 for person in clip.people)


def ground_evidence(person: Person, clip: Clip) -> GroundEvidence:
    """A person's joints and soles in the frames that show a foot, or, without any, the person."""
    frames = person.ankles_seen[:, 0] | person.ankles_seen[:, 1] if person.ankles_seen.any() else person.observations.visible
    soles = posed_legs(clip.template, moved_body(person.fit.body, clip.places)).points
    return GroundEvidence(person.camera_space.joints + clip.places[:, None], soles, frames)
