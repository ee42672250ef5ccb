"""`meshrec evaluate`: errors of a motion against the ground truth, in the field's metrics."""

from argparse import Namespace
from collections.abc import Iterator

import numpy as np

from ...core import metrics, world_metrics
from ...core.array_types import FloatArray, IntArray
from ...core.cameras import transform_points
from ...core.errors import ExitCode, InputError
from ...core.files.body_template import BodyTemplate, load_body
from ...core.files.motion_npz import read_motion
from ...core.records import Recovery
from ...core.skeletons import SMPL_JOINTS, SMPL_PARENTS
from ...core.skinning import posed_vertices
from ..console import Console
from ..output_checks import check_report, input_files
from .reconstruct import write_report

UNITS = {
    "mpjpe": "mm",
    "pa_mpjpe": "mm",
    "camera_mpjpe": "mm",
    "mpve": "mm",
    "calibrated_mpjpe": "mm",
    "calibrated_pa_mpjpe": "mm",
    "calibrated_camera_mpjpe": "mm",
    "acceleration_error": "m/s^2",
    "jitter": "10 m/s^3",
    "true_jitter": "10 m/s^3",
    "bone_length_variation": "",
    "contact_f1": "",
    "wa_mpjpe": "mm",
    "w_mpjpe": "mm",
    "heading_mpjpe": "mm",
    "root_translation_error": "% of the path",
    "camera_pitch_error": "degrees",
    "camera_roll_error": "degrees",
    "wrist_peak_speed": "of the truth's",
    "ankle_peak_speed": "of the truth's",
    "foot_slide": "cm/s",
    "true_foot_slide": "cm/s",
    "floor_penetration": "mm",
}
# Points of the skin that touch the floor, in the order of a motion's contacts.
SOLE_LANDMARKS = ("left_heel", "left_big_toe", "right_heel", "right_big_toe")
ENDS = {part: [SMPL_JOINTS.index(f"{side}_{part}") for side in ("left", "right")] for part in ("wrist", "ankle")}


def run(options: Namespace, console: Console) -> int:
    """Compare two motion files over the times they share."""
    check_report(options.report, input_files(options))
    motion, truth = read_motion(options.motion), read_motion(options.truth)
    numbers = evaluate(motion, truth)
    for name, value in numbers.items():
        console.print_result(f"{name:24} {'not known' if value is None else f'{value:.6g}'} {UNITS.get(name, '')}".rstrip())
    if options.report:
        write_report(options.report, numbers)
    return ExitCode.DONE


def evaluate(motion: Recovery, truth: Recovery) -> dict[str, float | int | None]:
    """Compare a Recovery with the ground truth of the same footage, over the frames where the truth shows the person.

    Returns:
        numbers by name, see UNITS; None where a number is unknown. Joints and vertices are compared in camera axes, so that the
        origins of the two worlds do not matter: for `mpjpe` and for `mpve`, of the open body's vertices, with coinciding pelves; for
        `camera_mpjpe` as they are. Paths in the world are aligned as `core/world_metrics` says. For a calibrated motion also the errors
        of the calibrated joints.

    Raises:
        InputError: the motions share no time.
    """
    rows, true_rows = shared_rows(motion, truth)
    joints = _camera_joints(motion, motion.joints, rows)
    true_joints = _camera_joints(truth, truth.joints, true_rows)
    times = truth.timestamps[true_rows]
    numbers = {
        "mpjpe": metrics.mpjpe(joints, true_joints, root=0),
        "pa_mpjpe": metrics.pa_mpjpe(joints, true_joints),
        "camera_mpjpe": metrics.mpjpe(joints, true_joints),
        "acceleration_error": metrics.acceleration_error(joints, true_joints, times),
        "jitter": metrics.jitter(joints, times),
        "true_jitter": metrics.jitter(true_joints, times),
        "bone_length_variation": float(metrics.bone_length_variation(joints, SMPL_PARENTS).max()),
        "contact_f1": metrics.contact_f1(motion.contacts[rows], truth.contacts[true_rows]),
        **compare_paths(motion, truth, rows, true_rows),
        **compare_skins(motion, truth, rows, true_rows),
    }
    if motion.calibrated_joints is not None:
        calibrated = _camera_joints(motion, motion.calibrated_joints, rows)
        numbers["calibrated_mpjpe"] = metrics.mpjpe(calibrated, true_joints, root=0)
        numbers["calibrated_pa_mpjpe"] = metrics.pa_mpjpe(calibrated, true_joints)
        numbers["calibrated_camera_mpjpe"] = metrics.mpjpe(calibrated, true_joints)
    rounded = {name: round(value, 6) if np.isfinite(value) else None for name, value in numbers.items()}
    return {"frames": len(rows), **rounded}


def _camera_joints(recovery: Recovery, joints: FloatArray, rows: IntArray) -> FloatArray:
    """A Recovery's world joints of some rows, (N,J,3) m, in camera axes."""
    return transform_points(recovery.camera_from_world, joints.astype(float))[rows]


def compare_paths(motion: Recovery, truth: Recovery, rows: IntArray, true_rows: IntArray) -> dict[str, float]:
    """The numbers of joints in the world and of the camera's level."""
    joints, true_joints = motion.joints[rows].astype(float), truth.joints[true_rows].astype(float)
    times = truth.timestamps[true_rows]
    levels = zip(*(world_metrics.camera_level(camera) for camera in (motion.camera_from_world[rows], truth.camera_from_world[true_rows])))
    pitch, roll = (float(np.abs(ours - true).mean()) for ours, true in levels)
    return {
        "wa_mpjpe": world_metrics.wa_mpjpe(joints, true_joints),
        "w_mpjpe": world_metrics.w_mpjpe(joints, true_joints),
        "heading_mpjpe": world_metrics.heading_mpjpe(joints, true_joints),
        "root_translation_error": world_metrics.root_translation_error(joints[:, 0], true_joints[:, 0]),
        "camera_pitch_error": pitch,
        "camera_roll_error": roll,
        **{f"{part}_peak_speed": _peak_speed_ratio(joints[:, ends], true_joints[:, ends], times) for part, ends in ENDS.items()},
    }


def _peak_speed_ratio(points: FloatArray, true_points: FloatArray, times: FloatArray) -> float:
    """The peak speed of points (N,P,3) over that of the true points; nan if these do not move."""
    true_speed = world_metrics.peak_speed(true_points, times)
    return world_metrics.peak_speed(points, times) / true_speed if true_speed > 0 else np.nan


def compare_skins(motion: Recovery, truth: Recovery, rows: IntArray, true_rows: IntArray) -> dict[str, float]:
    """The numbers of the skin; nan unless both bodies are the open one.

    `mpve`: mean distance of the vertices, mm, in camera axes about the pelves. `foot_slide`: cm/s, of heels and big toes while the truth
    is in contact. `floor_penetration`: mm, of the lowest vertex.
    """
    names = ("mpve", "foot_slide", "true_foot_slide", "floor_penetration")
    if motion.surface_model_type != "open" or truth.surface_model_type != "open":
        return dict.fromkeys(names, np.nan)
    template = load_body("open")
    soles = [template.landmarks[name] for name in SOLE_LANDMARKS]
    errors: list[float] = []
    points: list[FloatArray] = []
    for row, true_row, skin, true_skin in zip(rows, true_rows, _skin(template, motion, rows), _skin(template, truth, true_rows)):
        errors.append(np.linalg.norm(_about_pelvis(motion, row, skin) - _about_pelvis(truth, true_row, true_skin), axis=-1).mean())
        points.append(np.concatenate([skin[[skin[:, 2].argmin()]], skin[soles], true_skin[soles]]))
    lowest, sole_path, true_sole_path = np.split(np.array(points), [1, 5], axis=1)
    contacts, times = truth.contacts[true_rows], truth.timestamps[true_rows]
    slide, true_slide = (metrics.foot_slide(path, contacts, times) for path in (sole_path, true_sole_path))
    penetration = metrics.floor_penetration(lowest)
    return dict(zip(names, (1000 * float(np.mean(errors)), slide, true_slide, penetration)))


def _about_pelvis(motion: Recovery, row: int, vertices: FloatArray) -> FloatArray:
    """Vertices (V,3) m of a row about its pelvis, in camera axes."""
    return (vertices - motion.joints[row, 0]) @ motion.camera_from_world[row, :3, :3].T


def _skin(template: BodyTemplate, motion: Recovery, rows: IntArray) -> Iterator[FloatArray]:
    """Yield the vertices (V,3) m of a motion's rows in its world."""
    return posed_vertices(template, motion.betas, motion.poses[rows], motion.trans[rows])


def shared_rows(motion: Recovery, truth: Recovery) -> tuple[IntArray, IntArray]:
    """Rows of both, (N,) and (N,), at the same time: the nearest ones, at most half a frame apart.

    Times count from the footage's first frame, so the frame ranges may differ.

    Raises:
        InputError: the motions share no time at which the truth shows the person.
    """
    times = motion.timestamps + motion.first_frame / motion.mocap_framerate
    true_times = truth.timestamps + truth.first_frame / truth.mocap_framerate
    after = np.searchsorted(times, true_times).clip(max=len(times) - 1)
    before = (after - 1).clip(min=0)
    nearest = np.where(true_times - times[before] <= times[after] - true_times, before, after)
    shared = truth.visible & (np.abs(times[nearest] - true_times) <= 0.5 / max(motion.mocap_framerate, truth.mocap_framerate) + 1e-6)
    if not shared.any():
        raise InputError(
            "motions-share-no-moment",
            "The two motions share no moment at which the truth sees the person.",
            "Choose motions of the same footage.",
        )
    return nearest[shared], np.flatnonzero(shared)
