"""Solve a result again where an artist has corrected it: the ranges that corrections concern, between frames that stay as they are."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ...core.array_types import BoolArray, FloatArray
from ...core.body_contacts import CONTACT_PARTS, SOLE_PARTS
from ...core.cameras import invert_rigid_transform, rigid_transform
from ...core.contacts import contact_runs, contacts_from_probabilities, detect_contacts
from ...core.corrections import PersonCorrections, certain_contacts, changed_rows, fade_out
from ...core.files.motion_npz import read_motion
from ...core.foot_planting.leg_kinematics import LEG_JOINTS, soles_from_template
from ...core.foot_planting.plant_body import plant_body
from ...core.metrics import foot_slide
from ...core.records import BodyParams, Recovery
from ...core.recovery_rows import with_rows_of
from ...core.resampling import fill_in_frames
from ...core.rotations import quat_from_rotmat, rotvec_from_quat, rotvec_from_rotmat, slerp
from ..camera.path_scale import PathScale
from ..clip import Clip, Person
from ..corrections import with_corrections
from ..fitting.body_params import body_in_rows, local_rotmats, transform_body, with_rotvecs
from ..fitting.clip_solve.solve_clip import ClipEvidence, PersonEvidence, SolvedPerson, solve_clip
from ..moving_camera import camera_path_in_world, has_camera_path, moved_body
from .posed import body_in_world, posed_legs
from .solve import keypoints_of_solve, start_contacts

# Rows on either side of a corrected range that are solved too, and stay, so that the range joins them smoothly.
MARGIN = 20
SAME_TIME = 1e-3  # s, within which a frame of an earlier result is the same


def has_earlier(clip: Clip) -> bool:
    """Whether every person has an earlier result, and corrections of it, so that only ranges are to be solved."""
    return clip.joined is None and all(person.known.corrections is not None and person.known.corrections.earlier for person in clip.people)


@dataclass(frozen=True)
class _Earlier:
    """An earlier result of a person, at the times of a clip: the recovery, and its body in the world."""

    recovery: Recovery
    body: BodyParams


def solve_corrected_ranges(clip: Clip) -> None:
    """Solve the ranges that corrections concern; everything else is the earlier result's. In place of the solve and of the contacts."""
    earlier = [_read_earlier(person, clip) for person in clip.people]
    _take_over_world(clip, earlier[0].recovery)
    for person, result in zip(clip.people, earlier, strict=True):
        _solve_person(person, result, clip)


def keep_left_out_frames(clip: Clip) -> None:
    """Give frames that were left out between rows that stay the earlier result's own motion, in place of an interpolated one."""
    for person in clip.people:
        earlier, kept = read_motion(_corrections_of(person).earlier), _kept_frames(person, clip)
        shift, times = earlier.first_frame - clip.frames.first, clip.looked_at.all_times
        frames = np.flatnonzero(kept)
        frames = frames[(frames >= shift) & (frames < shift + len(earlier))]
        frames = frames[np.abs(earlier.timestamps[frames - shift] + shift / clip.frames.fps - times[frames]) < SAME_TIME]
        person.recovery = with_rows_of(person.recovery, earlier, frames, frames - shift)


def _kept_frames(person: Person, clip: Clip) -> BoolArray:
    """Whether each frame of the range (N,) is a row that stays, or between two of them."""
    parts = [next((one for one in part.people if one.number == person.number), None) for part in clip.parts]
    rows = [
        np.ones(len(part.frames), bool) if one is None or one.kept is None else one.kept
        for part, one in zip(clip.parts or (clip,), parts or (person,), strict=True)
    ]
    kept = np.concatenate(rows)
    behind = np.searchsorted(clip.looked_at.rows, np.arange(len(clip.looked_at.all_times)))
    return clip.looked_at.spread(kept) & kept[np.minimum(behind, len(kept) - 1)]


def _corrections_of(person: Person) -> PersonCorrections:
    if person.known.corrections is None:
        raise ValueError("This person has no corrections")
    return person.known.corrections


def _read_earlier(person: Person, clip: Clip) -> _Earlier:
    stored = read_motion(_corrections_of(person).earlier)
    shift = (stored.first_frame - clip.frames.first) / clip.frames.fps
    times = np.clip(clip.frames.timestamps - shift, stored.timestamps[0], stored.timestamps[-1])
    recovery = fill_in_frames(stored, times) if len(stored) > 1 else stored
    width = person.fit.body.poses.shape[1]
    poses = recovery.poses if recovery.poses.shape[1] >= width else np.pad(recovery.poses, ((0, 0), (0, width - recovery.poses.shape[1])))
    body = replace(person.fit.body, betas=recovery.betas, global_orient=poses[:, :3], body_pose=poses[:, 3:width], transl=recovery.trans)
    return _Earlier(recovery, body)


def _take_over_world(clip: Clip, earlier: Recovery) -> None:
    """Solve in the world, through the lens and from the places of the earlier result's camera."""
    clip.intrinsics = np.array(earlier.camera_intrinsics)
    world_from_camera = invert_rigid_transform(earlier.camera_from_world)
    if clip.camera_centres is not None:
        middle = len(clip.frames) // 2
        found, assumed = (
            float(np.median(np.linalg.norm(path - path[middle], axis=-1))) for path in (world_from_camera[:, :3, 3], clip.camera_centres)
        )
        scale = found / assumed if assumed > 0 else 1.0
        clip.path_scale = PathScale(scale, 0.0, np.nan) if clip.path_scale is None else replace(clip.path_scale, scale=scale)
    turn = np.eye(4) if clip.camera_from_view is None else rigid_transform(clip.camera_from_view[0], np.zeros(3))
    clip.world_from_camera = world_from_camera[0] @ turn @ rigid_transform(np.eye(3), -clip.places[0])


def _solve_person(person: Person, earlier: _Earlier, clip: Clip) -> None:
    corrections, frames, times = _corrections_of(person), clip.frame_numbers, clip.frames.timestamps
    certain, before = certain_contacts(corrections, frames), _earlier_contacts(earlier.recovery)
    changed = changed_rows(corrections, frames, times, before)
    root = clip.template.rest_joints(earlier.body.betas)[0]
    rotation, origin = clip.world_from_camera[:3, :3], clip.world_from_camera[:3, 3]
    start = transform_body(earlier.body, root, rotation.T, -rotation.T @ origin)  # in the axes of the solve
    known = with_corrections(_evidence(person, start, certain, clip), person, clip)
    weight, sigma = (
        fade_out(changed, times),
        np.zeros((len(times), 24)) if earlier.recovery.joint_sigma is None else earlier.recovery.joint_sigma,
    )
    person.kept = weight == 0
    solved, sigma = start, sigma.astype(float)
    windows = contact_runs(_widened(changed, MARGIN))
    for number, (first, last) in enumerate(windows):
        rows = slice(int(first), int(last))
        result = _solve_window(
            known, changed, rows, clip, lambda step, total, k=number: clip.stages.count(k * total + step, len(windows) * total)
        )
        solved, sigma[rows] = _with_rows(solved, result.body, rows), result.sigma
    person.start, person.sigma = moved_body(start, -clip.places), np.where(changed[:, None], sigma, _earlier_sigma(earlier, sigma))
    person.fit = replace(person.fit, body=moved_body(blend_bodies(start, solved, weight), -clip.places))
    _plant(person, earlier, certain, before, weight, clip)


def _earlier_sigma(earlier: _Earlier, otherwise: FloatArray) -> FloatArray:
    return otherwise if earlier.recovery.joint_sigma is None else earlier.recovery.joint_sigma


def _earlier_contacts(recovery: Recovery) -> FloatArray:
    """Contacts (F,9) that the earlier motion has."""
    return np.concatenate([recovery.contacts > 0.5, np.zeros((len(recovery), len(CONTACT_PARTS) - len(SOLE_PARTS)))], 1).astype(float)


def _evidence(person: Person, start: BodyParams, certain: FloatArray, clip: Clip) -> PersonEvidence:
    soles = certain[:, : len(SOLE_PARTS)]
    return PersonEvidence(
        start,
        keypoints_of_solve(person, clip),
        np.asarray(person.estimate.joints, float),
        start_contacts(person, clip),
        person.observations.visible,
        is_shape_known=True,
        certain=None if np.isnan(soles).all() else soles,
        spread=person.estimate.spread,
        keypoint_sigma=person.steady.joint_sigma,
    )


def _solve_window(known: PersonEvidence, changed: BoolArray, rows: slice, clip: Clip, on_step: Callable[[int, int], None]) -> SolvedPerson:
    """Solve the rows of a range and its margins; the rows that no correction concerns stay."""
    if known.corrections is None:
        raise ValueError("This person has no corrections")
    corrections = replace(known.corrections.frames(rows), is_kept=~changed[rows])
    evidence = replace(
        known,
        body=body_in_rows(known.body, rows),
        keypoints=known.keypoints[rows],
        lifted=known.lifted[rows],
        contacts=known.contacts[rows],
        visible=known.visible[rows] | ~changed[rows],
        certain=None if known.certain is None else known.certain[rows],
        spread=None if known.spread is None else known.spread[rows],
        keypoint_sigma=None if known.keypoint_sigma is None else known.keypoint_sigma[rows],
        corrections=corrections,
    )
    if not evidence.visible.any():
        evidence = replace(evidence, visible=np.ones(len(evidence.visible), bool))
    world = clip.world_from_camera
    shared = ClipEvidence(
        clip.intrinsics, clip.view_size, clip.motion_times[rows], world[2, :3], float(world[2, 3]), np.zeros(2),
        centres=clip.places[rows] if has_camera_path(clip) else None, may_be_level=False, is_floor_known=True,
    )  # fmt: skip
    (solved,), _world = solve_clip(clip.template, [evidence], shared, clip.request.smoothing, on_step)
    return solved


def _plant(person: Person, earlier: _Earlier, certain: FloatArray, before: FloatArray, weight: FloatArray, clip: Clip) -> None:
    """Hold still what touches in the solved ranges; the earlier result has done so elsewhere."""
    template, times, camera = clip.template, clip.motion_times, camera_path_in_world(clip)
    rest_joints = template.rest_joints(earlier.body.betas)
    free = body_in_world(person.fit.body, rest_joints[0], clip)
    if not clip.request.contacts:
        person.free = person.locked = blend_bodies(earlier.body, free, weight)
        person.contacts, person.foot_slide = np.zeros((len(times), 4)), (np.nan, np.nan)
        return
    points, seen = posed_legs(template, free).points, np.repeat(person.ankles_seen, 2, axis=1)
    if person.estimate.contacts is None:
        soles = detect_contacts(points, times, seen, camera)
    else:
        soles = contacts_from_probabilities(person.estimate.contacts, times, seen, points, camera)
    contacts = np.where(weight[:, None] > 0, np.pad(soles, ((0, 0), (0, before.shape[1] - soles.shape[1]))), before)
    contacts = np.where(np.isnan(certain), contacts, certain)
    pelvis = free.transl + rest_joints[0]
    rotmats, planted = plant_body(
        local_rotmats(free), pelvis, rest_joints, soles_from_template(template, earlier.body.betas), contacts, times, camera
    )
    locked = with_rotvecs(free, rotvec_from_rotmat(rotmats), transl=planted - rest_joints[0])
    person.locked = blend_bodies(earlier.body, locked, weight)
    person.free = _with_earlier_legs(blend_bodies(earlier.body, free, weight), earlier.recovery, weight)
    person.contacts = np.where(weight[:, None] > 0, contacts[:, : len(SOLE_PARTS)], earlier.recovery.contacts)
    after = posed_legs(template, person.locked).points
    person.foot_slide = (foot_slide(points, person.contacts, times), foot_slide(after, person.contacts, times))


def _with_earlier_legs(body: BodyParams, earlier: Recovery, weight: FloatArray) -> BodyParams:
    """The body with the legs of the earlier result before its feet were held still, outside of the solved ranges."""
    if earlier.free_legs is None:
        return body
    rotvecs = body.poses.astype(float).reshape(len(weight), -1, 3)
    outside = weight == 0
    rotvecs[:, LEG_JOINTS.ravel()] = np.where(outside[:, None, None], earlier.free_legs, rotvecs[:, LEG_JOINTS.ravel()])
    return with_rotvecs(body, rotvecs)


def blend_bodies(first: BodyParams, second: BodyParams, weight: FloatArray) -> BodyParams:
    """From one body at weight (F,) 0, exactly, to another one at 1."""
    quats = [quat_from_rotmat(local_rotmats(body)) for body in (first, second)]
    rotvecs = rotvec_from_quat(slerp(quats[0], quats[1], np.broadcast_to(weight[:, None], quats[0].shape[:-1])))
    transl = (1 - weight)[:, None] * first.transl + weight[:, None] * second.transl
    blended = with_rotvecs(first, rotvecs, transl=transl)
    kept = (weight == 0)[:, None]
    return replace(
        blended,
        global_orient=np.where(kept, first.global_orient, blended.global_orient),
        body_pose=np.where(kept, first.body_pose, blended.body_pose),
    )


def _with_rows(body: BodyParams, part: BodyParams, rows: slice) -> BodyParams:
    """A body with the motion of another one in some rows."""
    global_orient, body_pose, transl = (np.array(values) for values in (body.global_orient, body.body_pose, body.transl))
    global_orient[rows], body_pose[rows], transl[rows] = part.global_orient, part.body_pose, part.transl
    return replace(body, global_orient=global_orient, body_pose=body_pose, transl=transl)


def _widened(rows: BoolArray, margin: int) -> BoolArray:
    """Rows (F,) with as many more on either side."""
    widened = rows.copy()
    for first, last in contact_runs(rows):
        widened[max(first - margin, 0) : last + margin] = True
    return widened
