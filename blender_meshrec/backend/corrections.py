"""How an artist's corrections (core/corrections.py) enter the solve: as observations of high weight, and as observations left out."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..core.array_types import BoolArray, FloatArray, IntArray
from ..core.cameras import project
from ..core.contacts import contact_runs
from ..core.corrections import BODY_PARTS, WHOLE_BODY, BadRange, PersonCorrections, rows_around_pins, rows_between
from ..core.records import BodyParams
from ..core.rotations import quat_from_rotmat, rotvec_from_quat, slerp
from ..core.skeletons import H36M17, SMPL_JOINTS
from .camera.steady_view import points_in_steady_view
from .clip import Clip, Person
from .fitting.body_params import body_in_rows, local_rotmats, posed_joints, with_rotvecs
from .fitting.clip_solve.corrections import CorrectionEvidence
from .fitting.clip_solve.solve_clip import PersonEvidence
from .moving_camera import has_camera_path

# The keypoints that a part's observations consist of: beyond the joint that the part hangs from.
_MARKERS = {
    "torso": ("hip", "left_hip", "right_hip", "spine", "thorax", "left_shoulder", "right_shoulder"),
    "head": ("nose", "head_top"),
    **{f"{side}_arm": (f"{side}_elbow", f"{side}_wrist") for side in ("left", "right")},
    **{f"{side}_leg": (f"{side}_knee", f"{side}_ankle") for side in ("left", "right")},
}


def with_corrections(evidence: PersonEvidence, person: Person, clip: Clip) -> PersonEvidence:
    """The evidence of a person with an artist's corrections; a start that is said to be bad lies between those around it."""
    corrections = person.known.corrections
    if corrections is None or not corrections:
        return evidence
    found = correction_evidence(corrections, clip)
    frames, body, contacts = clip.frame_numbers, evidence.body, evidence.contacts.copy()
    for bad in corrections.bad:
        rows = rows_between(frames, bad.first, bad.last)
        body = bridged_body(body, rows, _joints_of(bad), clip.frames.timestamps)
        for side, columns in (("left", slice(0, 2)), ("right", slice(2, 4))):
            if bad.part in (WHOLE_BODY, f"{side}_leg"):
                contacts[rows, columns] = 0.0
    body, is_bridged = _nearer_to_pins(body, found.pins, clip)
    visible = evidence.visible | ~np.isnan(found.pins[..., 0]).all(1)
    found = replace(found, loose_joints=found.loose_joints | is_bridged)
    return replace(evidence, body=body, contacts=contacts, visible=visible, corrections=found)


def correction_evidence(corrections: PersonCorrections, clip: Clip) -> CorrectionEvidence:
    """What the corrections say of the rows of a clip."""
    frames, times = clip.frame_numbers, clip.frames.timestamps
    markers, joints = np.zeros((len(frames), len(H36M17)), bool), np.zeros((len(frames), len(SMPL_JOINTS)), bool)
    for bad in corrections.bad:
        rows = rows_between(frames, bad.first, bad.last)
        for part in _parts(bad):
            markers[:, [H36M17.index(name) for name in _MARKERS[part]]] |= rows[:, None]
            joints[:, _joint_rows(part)] |= rows[:, None]
    pins = np.full((len(frames), len(SMPL_JOINTS), 3), np.nan)
    for pin in corrections.pins:
        row = int(np.argmin(np.abs(frames - pin.frame)))
        if 0 <= pin.frame - clip.frames.first < len(clip.looked_at.all_times):
            pins[row, SMPL_JOINTS.index(pin.joint)] = _in_solve_view(pin.pixel, pin.depth, row, clip)
    for joint, name in enumerate(SMPL_JOINTS):
        rows = rows_around_pins(~np.isnan(pins[:, joint, 0]), times)
        if name in H36M17:
            markers[rows, H36M17.index(name)] = True
    return CorrectionEvidence(markers, joints, pins, np.zeros(len(frames), bool))


def bridged_body(body: BodyParams, rows: BoolArray, joints: Sequence[int], times: FloatArray) -> BodyParams:
    """A body whose joints turn evenly over the rows (F,) from how they are before them to how they are after them.

    Joint 0, the pelvis, is also moved evenly.
    """
    joints = list(joints)
    rotvecs = body.poses.astype(float).reshape(len(times), -1, 3)
    transl = body.transl.astype(float)
    for first, last in contact_runs(rows):
        before, after = max(first - 1, 0), min(last, len(times) - 1)
        if first == 0:
            before = after
        if last == len(times):
            after = before
        span = times[after] - times[before]
        weight = (times[first:last] - times[before]) / span if span > 0 else np.zeros(last - first)
        quats = quat_from_rotmat(local_rotmats(body)[[before, after]][:, joints])
        ends = [np.broadcast_to(quat, (last - first, *quat.shape)) for quat in quats]
        rotvecs[first:last, joints] = rotvec_from_quat(slerp(ends[0], ends[1], np.broadcast_to(weight[:, None], ends[0].shape[:-1])))
        if 0 in joints:
            transl[first:last] = transl[before] + weight[:, None] * (transl[after] - transl[before])
    return with_rotvecs(body, rotvecs, transl=transl)


def _nearer_to_pins(body: BodyParams, pins: FloatArray, clip: Clip) -> tuple[BodyParams, BoolArray]:
    """The start, or around the pins (F,24,3) of a part the bridge over them, whichever is nearer to them; and what is bridged (F,24).

    Farther from the pins than a bridge, the start is the detector's mistake, and between pins nothing else would take it away.
    """
    is_pinned, is_bridged = ~np.isnan(pins[..., 0]), np.zeros(pins.shape[:2], bool)
    for names in BODY_PARTS.values():
        part = [SMPL_JOINTS.index(name) for name in names]
        around = np.stack([rows_around_pins(is_pinned[:, joint], clip.frames.timestamps) for joint in part], 1)
        for first, last in contact_runs(around.any(1)):
            rows = np.zeros(len(pins), bool)
            rows[first:last] = True
            dragged = [name for column, name in enumerate(names) if around[rows, column].any()]
            turning = sorted({joint for name in dragged for joint in _turning(name)})
            bridge = bridged_body(body, rows, turning, clip.frames.timestamps)
            seen = np.flatnonzero(rows & is_pinned[:, part].any(1))
            if _distance_from_pins(bridge, pins, part, seen, clip) < _distance_from_pins(body, pins, part, seen, clip):
                body = bridge
                is_bridged[first:last, turning] = True
    return body, is_bridged


def _distance_from_pins(body: BodyParams, pins: FloatArray, joints: Sequence[int], rows: IntArray, clip: Clip) -> float:
    """The mean distance px of a body's joints, of SMPL's 24, from their pins (F,24,3) in some rows; inf if none is before the camera."""
    places = posed_joints(clip.template, body_in_rows(body, rows))[0][:, clip.template.smpl_joint_indices[joints]]
    if has_camera_path(clip):
        places = places - clip.places[rows, None]
    distances = np.linalg.norm(project(places, clip.intrinsics) - pins[rows][:, joints, :2], axis=-1)
    return float(np.mean(distances[~np.isnan(distances)])) if not np.isnan(distances).all() else np.inf


def _joints_of(bad: BadRange) -> list[int]:
    return sorted({joint for part in _parts(bad) for joint in _joint_rows(part)})


def _parts(bad: BadRange) -> tuple[str, ...]:
    return tuple(BODY_PARTS) if bad.part == WHOLE_BODY else (bad.part,)


def _joint_rows(part: str) -> list[int]:
    return [SMPL_JOINTS.index(joint) for joint in BODY_PARTS[part]]


def _turning(joint: str) -> list[int]:
    """The joints whose rotations move a pinned joint within its part: those before it."""
    for names in BODY_PARTS.values():
        if joint in names:
            return [SMPL_JOINTS.index(name) for name in names[: max(names.index(joint), 1)]]
    raise KeyError(joint)


def _in_solve_view(pixel: tuple[float, float], depth: float | None, row: int, clip: Clip) -> FloatArray:
    """A pin as pixel x, y and depth m (3,) of the view in which people are solved; the depth is nan where only the picture counts."""
    place = np.array([*pixel, 1.0 if depth is None else depth])
    if clip.camera_from_view is not None:
        place = points_in_steady_view(place[None, :2], place[2:], clip.camera_from_view[row : row + 1], clip.intrinsics)[0]
    return place if depth is not None else np.array([*place[:2], np.nan])
