"""The passes of pipeline.py: each reads what a Clip holds and fills in one more part of its people, or of its world."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ..core.array_types import BoolArray, FloatArray
from ..core.cameras import intrinsics_of_focal_length, rigid_transform, transform_points
from ..core.contacts import contacts_from_probabilities, contacts_on_support, detect_contacts
from ..core.files.body_template import BodyTemplate
from ..core.metrics import foot_slide
from ..core.records import BodyParams, Recovery
from ..core.resampling import resample_recovery
from ..core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from ..core.skeletons import H36M17, to_h36m17
from .camera.solve_camera import PRIOR_SIGMA, solve_camera
from .camera.steady_view import centres_in_view, choose_steady_view, is_in_steady_view, is_one_turning_view, steady_observations
from .clip import Clip, Person
from .devices import run_with_cpu_fallback
from .fitting.betas_fit import measure_lengths
from .fitting.body_fit import fit_body
from .fitting.body_params import local_rotmats, transform_body, with_betas, with_posed_joints, with_rotvecs
from .fitting.body_smoothing import smooth_body
from .fitting.camera_space import scaled, solve_camera_space, with_focal_length
from .fitting.clip_solve.solve_clip import LEVEL, ClipEvidence, PersonEvidence, solve_clip, through_lens, world_from_up
from .fitting.clip_solve.uncertainty import certainty
from .fitting.end_points import locate_end_points
from .fitting.foot_lock import lock_feet
from .fitting.gravity_and_floor import GroundEvidence, body_scales_on_floor, estimate_gravity_and_floor
from .fitting.known_shape import shape_of_betas, shape_of_height
from .fitting.leg_kinematics import Legs, pose_legs, soles_from_template
from .fitting.mesh_calibration import MeshCalibrator, mesh_in_world, target_joints
from .fitting.stature import betas_of_stature
from .fitting.tilt_from_lines import contradicts, edge_evidence
from .lifting import estimators  # noqa: F401 - registers the estimators
from .moving_camera import camera_from_world, camera_path_in_world, has_camera_path, moved_body
from .refiners import silhouette_refiner, twist_refiner  # noqa: F401 - register themselves
from .refiners.skel_conversion import convert_to_skel
from .registry import ESTIMATORS, refiners_of_stage

ANKLES = [H36M17.index("left_ankle"), H36M17.index("right_ankle")]
# Ankle confidence from which a foot counts as seen: feet outside the image say nothing about the floor.
MIN_ANKLE_CONFIDENCE = 0.3


# --- the camera -------------------------------------------------------------------------------------------------------


def solve_camera_of_clip(clip: Clip) -> None:
    """Find how the camera turned and moved, and see people as a camera that does not turn would have seen them from the same places."""
    focal = float(clip.intrinsics[0, 0])
    clip.camera = solve_camera(clip.tracks, clip.frames.size, focal, len(clip.timestamps), min(clip.lens_sigma, PRIOR_SIGMA))
    if not is_one_turning_view(clip.camera):
        return
    if np.isfinite(clip.camera.focal) and clip.lens_source != "given":
        clip.intrinsics = intrinsics_of_focal_length(clip.camera.focal, clip.frames.size)
        clip.lens_sigma, clip.lens_source = clip.camera.focal_sigma / clip.camera.focal, "camera"
    view = choose_steady_view(clip.camera.camera_from_first)
    if all(is_in_steady_view(person.observations, view, clip.intrinsics) for person in clip.people):
        clip.camera_from_view = view
        clip.camera_centres = centres_in_view(clip.camera, view)
        for person in clip.people:
            person.steady = steady_observations(person.observations, view, clip.intrinsics, clip.frames.size)


# --- from keypoints to a body in the world ----------------------------------------------------------------------------


def lift_keypoints(clip: Clip) -> None:
    """2D keypoints to 3D joints about the hip, by the chosen Estimator."""
    method = "skeleton2mesh" if clip.request.method == "auto" else clip.request.method
    estimator = ESTIMATORS.get(method)
    for person in clip.people:
        estimate = partial(estimator, person.steady, clip.intrinsics, clip.timestamps)
        person.estimate = run_with_cpu_fallback(estimate, clip.device, clip.warnings.append)
        for refine in refiners_of_stage("estimate", clip.refiners).values():
            refine(person, clip)


def solve_joints_in_camera_space(clip: Clip) -> None:
    """Joints on their lines of sight, with constant bone lengths, smoothed over time."""
    for person in clip.people:
        observations = person.steady
        person.camera_space = solve_camera_space(
            person.estimate,
            to_h36m17(observations.keypoints, observations.keypoint_set),
            observations.visible,
            clip.intrinsics,
            clip.view_size,
            clip.timestamps,
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
    person.betas, person.camera_space = shape.betas, scaled(joints, shape.scale)


def fit_bodies(clip: Clip) -> None:
    """Betas from bone lengths, rotations by DIK, smoothed over time."""
    smoothing = clip.request.smoothing
    for person in clip.people:
        observations, joints = person.steady, person.camera_space
        points = locate_end_points(observations, joints, clip.intrinsics, clip.timestamps, smoothing)
        fit = partial(fit_body, clip.template, joints.joints, joints.confidence, points, clip.timestamps, betas=person.betas)
        fitted = run_with_cpu_fallback(fit, clip.device, clip.warnings.append)
        person.fit = replace(fitted, body=smooth_body(fitted.body, observations.visible, clip.timestamps, smoothing))


def estimate_world(clip: Clip) -> None:
    """Gravity, the floor and the origin of the world that all people share."""
    for person in clip.people:
        ankles = person.camera_space.confidence[:, ANKLES]
        person.ankles_seen = (ankles > MIN_ANKLE_CONFIDENCE) & person.observations.visible[:, None]
    evidence = [ground_evidence(person, clip) for person in clip.people]
    if clip.lines is not None and clip.camera.shots:
        shot = max(clip.camera.shots, key=lambda shot: shot.last - shot.first)
        lines = clip.lines.within(shot.first, shot.last)
        clip.edges = edge_evidence(lines, clip.intrinsics, clip.camera_from_view, clip.lens_sigma)
    clip.world_from_camera, clip.tilt_sigma = estimate_gravity_and_floor(evidence, clip.timestamps, clip.request.upright, clip.edges)


def scale_people_to_floor(clip: Clip) -> None:
    """Scale people so that they share a floor, which one view leaves open.

    Those of known size keep it, or else the largest, who is seen best.
    """
    people = sorted(clip.people, key=lambda person: person.betas is None)
    evidence = [ground_evidence(person, clip) for person in people]
    for person, scale in zip(people, body_scales_on_floor(evidence, clip.timestamps, clip.world_from_camera)):
        person.scale = scale if person.betas is None else 1.0


def is_rescaled(clip: Clip) -> bool:
    """Whether somebody's size was changed, so that joints, bodies and world are solved once more."""
    return any(person.scale != 1 for person in clip.people)


def ground_evidence(person: Person, clip: Clip) -> GroundEvidence:
    """A person's joints and soles in the frames that show a foot, or, without any, the person."""
    frames = person.ankles_seen[:, 0] | person.ankles_seen[:, 1] if person.ankles_seen.any() else person.observations.visible
    soles = posed_legs(clip.template, moved_body(person.fit.body, clip.places)).points
    return GroundEvidence(person.camera_space.joints + clip.places[:, None], soles, frames)


def solve_clip_of_people(clip: Clip) -> None:
    """Solve all frames of all people, and the world they share, at once (fitting/clip_solve)."""
    up = clip.world_from_camera[2, :3]
    evidence = [
        PersonEvidence(
            moved_body(person.fit.body, clip.places),
            to_h36m17(person.steady.keypoints, person.steady.keypoint_set),
            np.asarray(person.estimate.joints, float),
            start_contacts(person, clip),
            person.observations.visible,
            is_shape_known=person.known.betas is not None,
            certain=known_contacts(person, clip),
            spread=person.estimate.spread,
        )
        for person in clip.people
    ]
    shared = ClipEvidence(
        clip.intrinsics, clip.view_size, clip.timestamps, up, float(clip.world_from_camera[2, 3]), clip.tilt_sigma,
        clip.lens_sigma if clip.lens_source == "solved" else 0.0,
        centres=clip.places if has_camera_path(clip) else None,
        path_sigma=0.0 if clip.path_scale is None else clip.path_scale.log_sigma,
        may_be_level=clip.edges is None or not contradicts(clip.edges, up, LEVEL),
    )  # fmt: skip
    solved, world = solve_clip(clip.template, evidence, shared, clip.request.smoothing, clip.stages.count)
    places = clip.places
    if clip.path_scale is not None:
        clip.path_scale = replace(clip.path_scale, scale=clip.path_scale.scale * float(np.exp(world.growth)))
    for person, known, result in zip(clip.people, evidence, solved, strict=True):
        person.start = moved_body(through_lens(known, clip.template, world.zoom, places, clip.places).body, -clip.places)
        person.fit = replace(
            person.fit, body=moved_body(result.body, -clip.places), confidence=person.fit.confidence * certainty(result.sigma)
        )
        person.sigma = result.sigma
        keep_known_shape(person, clip.template)
        person.camera_space = with_focal_length(person.camera_space, world.zoom)
    if clip.camera_from_view is not None:  # the background moves as far in the picture as before
        clip.camera_from_view = rotmat_from_rotvec(rotvec_from_rotmat(clip.camera_from_view) * np.exp(-world.zoom))
    clip.intrinsics = clip.intrinsics * [[np.exp(world.zoom), 1, 1], [1, np.exp(world.zoom), 1], [1, 1, 1]]
    clip.world_from_camera = world_from_up(world.up, world.floor)


def known_contacts(person: Person, clip: Clip) -> FloatArray | None:
    """Contacts (F,4) that are certain, 1 or 0, and nan where they are not known; None if none is."""
    return None if person.known.contacts is None else person.known.contacts.at(clip.timestamps)


def start_contacts(person: Person, clip: Clip) -> FloatArray:
    """Probabilities (F,4) that soles touch the ground, 0 where the foot is not in view."""
    if not clip.request.contacts:
        return np.zeros((len(clip.timestamps), 4))
    seen = np.repeat(person.ankles_seen, 2, axis=1)
    if person.estimate.contacts is not None:
        return np.asarray(person.estimate.contacts, float) * seen
    root = clip.template.rest_joints(person.fit.body.betas)[0]
    points = posed_legs(clip.template, body_in_world(person.fit.body, root, clip)).points
    return detect_contacts(points, clip.timestamps, seen, camera_path_in_world(clip))


def body_in_world(body: BodyParams, root: FloatArray, clip: Clip) -> BodyParams:
    """A body, whose root at rest is (3,) m, from camera axes to the world."""
    return transform_body(moved_body(body, clip.places), root, clip.world_from_camera[:3, :3], clip.world_from_camera[:3, 3])


def refine_bodies(clip: Clip) -> None:
    """Improve each body by the requested refiners, one refiner after another."""
    for name, refine in refiners_of_stage("body", clip.refiners).items():
        for person in clip.people:
            person.refined[name] = refine(person, clip)
    for person in clip.people:
        keep_known_shape(person, clip.template)


def keep_known_shape(person: Person, template: BodyTemplate) -> None:
    """Give a body that was changed the known betas or height again."""
    known, body = person.known, person.fit.body
    betas = known.betas if known.height is None else betas_of_stature(template, body.betas, known.height)
    if betas is not None:
        person.fit = replace(person.fit, body=with_betas(body, template, betas))


# --- contacts and the final world -------------------------------------------------------------------------------------


def lock_feet_of_people(clip: Clip) -> None:
    """Hold feet exactly still while they touch the floor, and set the origin."""
    rotation, camera = clip.world_from_camera[:3, :3], clip.world_from_camera[:3, 3]
    roots = [clip.template.rest_joints(person.fit.body.betas)[0] for person in clip.people]
    for person, root in zip(clip.people, roots):
        person.free = body_in_world(person.fit.body, root, clip)
        lock_feet_of_person(person, clip, camera_path_in_world(clip))
    # Foot locking has moved the pelvis: the origin is below the new first pelvis.
    pelvises = [person.locked.transl + root for person, root in zip(clip.people, roots)]
    shift = -first_pelvis(pelvises, [person.observations.visible for person in clip.people]) * [1, 1, 0]
    for person in clip.people:
        person.free = replace(person.free, transl=person.free.transl + shift)
        person.locked = replace(person.locked, transl=person.locked.transl + shift)
    clip.world_from_camera = rigid_transform(rotation, camera + shift)


def lock_feet_of_person(person: Person, clip: Clip, camera: FloatArray) -> None:
    """Find one person's contacts and lock the feet there; camera: its places (F,3) m in the world."""
    times, template = clip.timestamps, clip.template
    if not clip.request.contacts:
        person.locked, person.contacts, person.foot_slide = person.free, np.zeros((len(times), 4)), (np.nan, np.nan)
        return
    before, points_seen = posed_legs(template, person.free).points, np.repeat(person.ankles_seen, 2, axis=1)
    if person.estimate.contacts is None:
        contacts = detect_contacts(before, times, points_seen, camera)
    else:
        contacts = contacts_from_probabilities(person.estimate.contacts, times, points_seen, before, camera)
    rest_joints, soles = template.rest_joints(person.free.betas), soles_from_template(template, person.free.betas)
    contacts = contacts_on_support(contacts, before)
    certain = known_contacts(person, clip)
    if certain is not None:
        contacts = np.where(np.isnan(certain), contacts, certain)
    pelvis = person.free.transl + rest_joints[0]
    rotmats = lock_feet(local_rotmats(person.free), pelvis, rest_joints, soles, contacts, times, camera)
    person.locked = with_rotvecs(person.free, rotvec_from_rotmat(rotmats))
    after = posed_legs(template, person.locked).points
    person.contacts = contacts
    person.foot_slide = (foot_slide(before, contacts, times), foot_slide(after, contacts, times))


def first_pelvis(pelvises: list[FloatArray], visible: list[BoolArray]) -> FloatArray:
    """The pelvis (3,) m of the person seen first, in their first frame; pelvises (F,3) and visible (F,), one each a person."""
    first_rows = [int(np.argmax(rows)) if rows.any() else len(rows) for rows in visible]
    first = int(np.argmin(first_rows))
    return pelvises[first][min(first_rows[first], len(pelvises[first]) - 1)]


def posed_legs(template: BodyTemplate, params: BodyParams) -> Legs:
    """The legs of a posed body, with heels and toes on the sole."""
    rest_joints = template.rest_joints(params.betas)
    return pose_legs(local_rotmats(params), params.transl + rest_joints[0], rest_joints, soles_from_template(template, params.betas))


# --- recoveries -------------------------------------------------------------------------------------------------------


def make_recoveries(clip: Clip) -> None:
    """Each person's motion as the motion file stores it."""
    frames, template = clip.frames, clip.template
    for person in clip.people:
        visible = person.observations.visible
        recovery = Recovery(
            poses=person.locked.poses,
            trans=person.locked.transl,
            betas=person.locked.betas,
            gender=template.gender,
            surface_model_type=person.locked.model,
            mocap_framerate=frames.fps,
            timestamps=frames.timestamps,
            visible=visible,
            joints=np.zeros((len(frames), 24, 3)),
            confidence=np.clip(person.fit.confidence, 0, 1) * visible[:, None],
            lifted_joints=transform_points(clip.world_from_camera[None], person.camera_space.joints + clip.places[:, None]),
            contacts=person.contacts,
            joint_sigma=person.sigma,
            camera_intrinsics=clip.intrinsics,
            camera_from_world=camera_from_world(clip),
            image_size=np.array(frames.size),
            footage=str(Path(frames.source).absolute()),
            footage_rotation=frames.rotation,
            footage_mirrored=frames.is_mirrored,
            footage_speed=frames.speed,
            first_frame=frames.first,
        )
        person.recovery = with_posed_joints(clip.body, recovery)


def wants_skel(clip: Clip) -> bool:
    """Whether the motion is to be converted to SKEL's angles."""
    return clip.skel is not None


def convert_people_to_skel(clip: Clip) -> None:
    """SMPL motion to SKEL's angles."""
    for person in clip.people:
        person.recovery, person.skel_report, warnings = convert_to_skel(person.recovery, clip.body, clip.require_skel(), clip.stages.count)
        clip.warnings += warnings


def refine_skel(clip: Clip) -> None:
    """Improve SKEL's angles by the requested refiners; each is a stage of its own."""
    for name, refine in refiners_of_stage("skel", clip.refiners).items():
        with clip.stages(name):
            for person in clip.people:
                person.skel_report = {**(person.skel_report or {}), name: refine(person, clip)}


def has_generated_meshes(clip: Clip) -> bool:
    """Whether the estimator has generated meshes (PC-HMR)."""
    return clip.people[0].estimate.body is not None


def bring_generated_meshes_to_world(clip: Clip) -> None:
    """PC-HMR: each generated mesh smoothed and rotated into the world, with the target pose as its lifted joints."""
    for person in clip.people:
        if person.estimate.body is None:
            continue
        root = clip.template.rest_joints(person.start.betas)[0]
        start = body_in_world(person.start, root, clip)
        target = target_joints(clip.body, person.recovery.lifted_joints, start, person.locked)
        person.generated = mesh_in_world(
            person.recovery, person.estimate.body, target, clip.request.smoothing, clip.world_from_camera[:3, :3]
        )


def is_resampled(clip: Clip) -> bool:
    """Whether another frame rate is requested."""
    return bool(clip.request.fps)


def resample_people(clip: Clip) -> None:
    """Motion at the requested frame rate, or else the footage's."""
    fps = clip.request.fps or clip.frames.fps
    for person in clip.people:
        person.recovery = with_posed_joints(clip.body, resample_recovery(person.recovery, fps))
        if person.generated is not None:
            person.generated = resample_recovery(person.generated, fps)


def calibrate_meshes(clip: Clip) -> None:
    """PC-HMR: the generated mesh calibrated onto the target pose."""
    calibrate = MeshCalibrator(clip.body, clip.device)
    for person in clip.people:
        if person.generated is None:
            continue
        surface = Path(f"{clip.request.surface}.person{person.number}.pc2") if clip.request.surface else None
        person.recovery, person.refined["calibration"] = calibrate(person.recovery, person.generated, surface)
