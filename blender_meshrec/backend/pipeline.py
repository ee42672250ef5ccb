"""From footage to motion: the stages of a reconstruction, in the order of the papers' figures.

    frames -> observations -> estimate -> placed joints -> body -> world -> shape -> contacts -> recovery (-> calibrated)

Skeleton2Mesh's pose branch is `estimate` (lifting) and `fit_body` (DIK), its shape branch `refine_bodies`; what stands
between and after them is ours. PC-HMR's two streams are estimators; what they make is calibrated in the end.
"""

import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ..bodies.smpl import make_body
from ..bridge.messages import Progress, Result
from ..core.cameras import default_intrinsics, inverse_rigid, rigid, transform_points
from ..core.contacts import detect_contacts, steady_contacts
from ..core.errors import InputError
from ..core.files.body_template import load_body
from ..core.metrics import foot_slide
from ..core.records import Recovery
from ..core.resampling import resample
from ..core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from ..core.skeletons import H36M17, to_h36m17
from .devices import choose_device, or_on_cpu
from .fitting.body_fit import fit_body, turned_body
from .fitting.body_smoothing import steady_body
from .fitting.camera_realignment import resighted
from .fitting.camera_space import place
from .fitting.end_points import end_points
from .fitting.foot_lock import lock_feet
from .fitting.gravity_and_floor import Seen, sizes_on_floor, stand_up
from .fitting.leg_ik import pose_legs, soles_of
from .fitting.mesh_calibration import Calibrator, mesh_in_world, target_pose
from .fitting.posed_joints import with_posed_joints
from .lifting import estimators  # noqa: F401 - registers the estimators
from .motion_input import is_motion, recover_motion
from .refiners import twist_refiner  # noqa: F401 - registers it
from .refiners.silhouette_refiner import BODY_REFINERS
from .refiners.skel_conversion import SKEL_REFINERS, in_skel, load_skel_body, needs_skel
from .registry import find
from .report import report_of
from .tracking.detect_and_track import detect_and_track

ANKLES = [H36M17.index("left_ankle"), H36M17.index("right_ankle")]
# From this confidence of its ankle on, a foot is seen. Feet outside the picture stand on nothing we know of.
FOOT_SEEN = 0.3


def recover(request, on_progress=lambda progress: None):
    """Reconstruct the people of one piece of footage.

    Args:
        request: a ReconstructRequest. on_progress: called with Progress; what it raises ends the work.

    Returns:
        a Result: a Recovery for each chosen person, in one shared world, and the report.

    Raises:
        MeshRecError: of the class, and with the exit code, that says why.
    """
    needs_skel(request.refine, request.skeleton)
    if is_motion(request.source):
        return recover_motion(request, on_progress)
    stages = Stages(on_progress)
    with stages("load models"):
        device = choose_device(request.device)
        template = load_body(request.body)
        body = make_body(template, device)
        skel = load_skel_body(request.skel_body, device) if request.skeleton == "skel" else None
    sighting = detect_and_track(request, on_progress)
    stages.seconds.update(sighting.seconds)
    numbers = chosen_people(request.person, len(sighting.people))
    chosen = [sighting.people[number - 1] for number in numbers]
    frames = sighting.frames
    intrinsics = default_intrinsics(frames.size)

    warnings = list(sighting.warnings)

    with stages("estimate"):
        estimate = partial(estimate_joints, request, intrinsics=intrinsics, frames=frames)
        estimates = [or_on_cpu(partial(estimate, who), device, warnings.append) for who in chosen]

    def fit_people(sizes):
        """Placed joints and bodies in camera axes, feet in view, and the world they share."""
        with stages("place"):
            placed = [place_joints(*each, intrinsics, frames, request.smoothing) for each in zip(estimates, chosen, sizes)]
        with stages("fit body"):
            fits = [fit_steady(request, template, *each, intrinsics, frames, device, warnings) for each in zip(placed, chosen)]
        with stages("stand up"):
            feet = [feet_seen(*each) for each in zip(placed, chosen)]
            seen = [
                Seen(joints.joints, legs_of(template, fit.body).points, in_view(who, shown))
                for joints, fit, who, shown in zip(placed, fits, chosen, feet)
            ]
            return placed, fits, feet, seen, stand_up(seen, frames.timestamps, request.upright)

    placed, fits, feet, seen, world_from_camera = fit_people([1.0] * len(chosen))
    # People who share a floor tell each other's size, which one view alone cannot; the largest, who is seen best, keeps theirs.
    sizes = sizes_on_floor(seen, frames.timestamps, world_from_camera)
    if any(size != 1 for size in sizes):
        placed, fits, feet, _, world_from_camera = fit_people(sizes)

    with stages("refine shape"):
        fits, refined = refine_bodies(request, template, fits, chosen, intrinsics, frames)

    with stages("contacts"):
        rotation, camera = world_from_camera[:3, :3], world_from_camera[:3, 3]
        told = [estimate.contacts for estimate in estimates]
        roots = [template.rest_joints(fit.body.betas)[0] for fit in fits]
        turned = [turned_body(fit.body, root, rotation, camera) for fit, root in zip(fits, roots)]
        kept = [keep_feet(request, template, *each, frames.timestamps, camera) for each in zip(turned, feet, told)]
        # What all have moved off the picture together is the camera's place, not theirs.
        aside = -rotation @ resighted([in_camera_axes(body, rotation, camera, *each) for each in zip(turned, kept, fits, chosen)])
        camera, turned = camera + aside, [replace(params, transl=params.transl + aside) for params in turned]
    # Locked feet have moved the pelvis: the origin is below where the first person seen is now.
    shift = -first_pelvis([params.transl + root for (params, *_), root in zip(kept, roots)], chosen) * [1, 1, 0]
    world_from_camera = rigid(rotation, camera + shift)

    recoveries, people = [], []
    calibrate = Calibrator(body, device) if estimates[0].body is not None else None
    for row, number in enumerate(numbers):
        who, said, (params, contacts, slide) = chosen[row], refined[row], kept[row]
        params = replace(params, transl=params.transl + shift)
        recovery = recovery_of(body, params, contacts, fits[row], placed[row], frames, who, intrinsics, world_from_camera)
        anatomy = None
        if skel is not None:
            with stages("convert to SKEL") as counted:
                recovery, anatomy, doubts = in_skel(recovery, body, skel, counted)
            warnings += doubts
            for name in (name for name in request.refine if name in SKEL_REFINERS):
                with stages(name):
                    recovery, anatomy[name] = find("refiner", name)(recovery, who, skel)
        mesh = None
        if calibrate is not None:
            loose = replace(turned[row], transl=turned[row].transl + shift)
            target = target_pose(body, recovery.lifted_joints, loose, params)
            mesh = mesh_in_world(recovery, estimates[row].body, target, request.smoothing)
        if request.fps:
            recovery = with_posed_joints(body, resample(recovery, request.fps))
            mesh = mesh and resample(mesh, request.fps)
        if mesh is not None:
            with stages("calibrate"):
                recovery, said["calibration"] = calibrate(recovery, mesh, surface_path(request, number))
        recoveries.append(recovery)
        people.append((number, who, recovery, slide, said, anatomy))
    report = report_of(request, sighting, people, stages.seconds, dict.fromkeys(warnings))
    return Result(tuple(recoveries), tuple(numbers), report, tuple(who.portrait for who in sighting.people))


def chosen_people(person, found):
    """The numbers, from 1, that "largest", "all" or a number stands for among `found` people."""
    if person == "all":
        return list(range(1, found + 1))
    if person != "largest" and not str(person).isdecimal():
        raise InputError(f"{person} is no person.", "Choose largest, all, or a number from 1.")
    number = 1 if person == "largest" else int(person)
    if not 1 <= number <= found:
        who = "only one person was" if found == 1 else f"{found} people were"
        raise InputError(f"There is no person {number}: {who} found.", f"Choose a person from 1 to {found}, or all.")
    return [number]


def estimate_joints(request, observations, device, intrinsics, frames):
    """The Estimate of the chosen method, bettered by the refiners asked for."""
    method = "skeleton2mesh" if request.method == "auto" else request.method
    estimate = find("estimator", method)(observations, intrinsics, frames.timestamps, device)
    for name in (name for name in request.refine if name not in SKEL_REFINERS + BODY_REFINERS):
        estimate = find("refiner", name)(estimate, observations, intrinsics, frames.timestamps, device)
    return estimate


def place_joints(estimate, observations, size, intrinsics, frames, smoothing):
    """The estimate's joints in front of the camera."""
    keypoints = to_h36m17(observations.keypoints, observations.keypoint_set)
    return place(estimate, keypoints, observations.visible, intrinsics, frames.size, frames.timestamps, smoothing, size=size)


def fit_steady(request, template, placed, observations, intrinsics, frames, device, warnings):
    """The BodyFit of placed joints, its rotations smoothed over time."""
    points = end_points(observations, placed, intrinsics, frames.timestamps, request.smoothing)
    fit = partial(fit_body, template, placed.joints, placed.confidence, points, frames.timestamps)
    fit = or_on_cpu(fit, device, warnings.append)
    return replace(fit, body=steady_body(fit.body, observations.visible, frames.timestamps, request.smoothing))


def refine_bodies(request, template, fits, people, intrinsics, frames):
    """The BodyFits bettered by the refiners asked for, and for each person what these say, by name."""
    fits, said = list(fits), [{} for _ in fits]
    for name in (name for name in request.refine if name in BODY_REFINERS):
        for index, who in enumerate(people):
            fits[index], said[index][name] = find("refiner", name)(fits[index], who, template, intrinsics, frames)
    return fits, said


def feet_seen(placed, observations):
    """In which frames (F,2) the left and the right ankle are seen well enough to say that the foot touches something."""
    return (placed.confidence[:, ANKLES] > FOOT_SEEN) & observations.visible[:, None]


def in_view(observations, feet):
    """The frames (F,) that tell where the floor is: those with a foot, or where there are none, those with the person."""
    return feet.any(1) if feet.any() else observations.visible


def keep_feet(request, template, params, seen, told, timestamps, camera):
    """Find when feet touch and keep them there, as the request asks.

    Args:
        params: BodyParams in the world. seen: (F,2), of `feet_seen`. told: (F,4), contacts the estimator
            saw, or None. timestamps: (F,) s. camera: (3,) m, where it stands.

    Returns:
        the BodyParams, contacts (F,4), and the foot slide before and after, cm/s.
    """
    if not request.contacts:
        return params, np.zeros((len(timestamps), 4)), (np.nan, np.nan)
    before, points_seen = legs_of(template, params).points, np.repeat(seen, 2, axis=1)
    if told is None:
        contacts = detect_contacts(before, timestamps, points_seen, camera)
    else:
        contacts = steady_contacts(told, timestamps, points_seen, before, camera)
    rest_joints, soles = template.rest_joints(params.betas), soles_of(template, params.betas)
    rotmats, pelvis = lock_feet(rotations_of(params), params.transl + rest_joints[0], rest_joints, soles, contacts, timestamps, camera)
    poses = rotvec_from_rotmat(rotmats)
    body_pose = poses[:, 1:].reshape(len(poses), -1)
    locked = replace(params, global_orient=poses[:, 0], body_pose=body_pose, transl=pelvis - rest_joints[0])
    slides = tuple(foot_slide(points, contacts, timestamps) for points in (before, legs_of(template, locked).points))
    return locked, contacts, slides


def in_camera_axes(body, rotation, camera, free, kept, fit, observations):
    """Joints (F,24,3) m of a body with feet locked, the same unlocked, and how much each counts (F,24), as `resighted` takes them."""
    joints = []
    for params in (kept[0], free):
        posed = body.joints(params.betas, params.global_orient, params.body_pose, params.transl)[:, body.template.smpl_joints]
        joints.append((posed.cpu().numpy().astype(float) - camera) @ rotation)
    return *joints, fit.confidence * observations.visible[:, None]


def first_pelvis(pelvises, people):
    """Where the person seen first is in their first frame, (3,) m; pelvises (F,3) and Observations, one each a person."""
    first_rows = [int(np.argmax(who.visible)) if who.visible.any() else len(who) for who in people]
    who = int(np.argmin(first_rows))
    return pelvises[who][min(first_rows[who], len(pelvises[who]) - 1)]


def surface_path(request, number):
    """Where a person's calibrated surface is to be written, or None."""
    return Path(f"{request.surface}.person{number}.pc2") if request.surface else None


def rotations_of(params):
    """The local rotations (F,J,3,3) of BodyParams."""
    return rotmat_from_rotvec(params.poses.reshape(len(params.poses), -1, 3))


def legs_of(template, params):
    """The posed Legs of BodyParams, with the ground below heels and toes."""
    rest_joints = template.rest_joints(params.betas)
    return pose_legs(rotations_of(params), params.transl + rest_joints[0], rest_joints, soles_of(template, params.betas))


def recovery_of(body, params, contacts, fit, placed, frames, observations, intrinsics, world_from_camera):
    """Everything known of one person, as the motion file keeps it."""
    camera_from_world = inverse_rigid(world_from_camera)
    recovery = Recovery(
        poses=params.poses,
        trans=params.transl,
        betas=params.betas,
        gender=body.template.gender,
        surface_model_type=params.model,
        mocap_framerate=frames.fps,
        timestamps=frames.timestamps,
        visible=observations.visible,
        joints=np.zeros((len(frames), 24, 3)),
        confidence=np.clip(fit.confidence, 0, 1) * observations.visible[:, None],
        lifted_joints=transform_points(world_from_camera[None], placed.joints),
        contacts=contacts,
        camera_intrinsics=intrinsics,
        camera_from_world=np.broadcast_to(camera_from_world, (len(frames), 4, 4)),
        image_size=frames.size,
        footage=str(Path(frames.source).absolute()),
        footage_rotation=frames.rotation,
        first_frame=frames.first,
    )
    return with_posed_joints(body, recovery)


class Stages:
    """Wall time by stage, s, and a Progress as each begins; a stage that counts is given a function for how far it has come."""

    def __init__(self, on_progress):
        self.seconds = {}
        self._on_progress = on_progress

    @contextmanager
    def __call__(self, name):
        stage = name[:1].upper() + name[1:]
        self._on_progress(Progress(stage, 0, 0))
        begun = time.perf_counter()
        yield lambda done, total: self._on_progress(Progress(stage, done, total))
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun
