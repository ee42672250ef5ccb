"""`meshrec evaluate`: errors of a motion against the ground truth, in the field's metrics."""

from argparse import Namespace
from collections.abc import Iterator

import numpy as np

from ...core import metrics
from ...core.array_types import FloatArray, IntArray
from ...core.cameras import transform_points
from ...core.errors import ExitCode, InputError
from ...core.files.body_template import BodyTemplate, load_body
from ...core.files.motion_npz import read_motion
from ...core.records import Recovery
from ...core.skeletons import SMPL_PARENTS
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
}


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
        `camera_mpjpe` as they are. For a calibrated motion also the errors of the calibrated joints.

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
        "mpve": mesh_error(motion, truth, rows, true_rows),
        "acceleration_error": metrics.acceleration_error(joints, true_joints, times),
        "jitter": metrics.jitter(joints, times),
        "true_jitter": metrics.jitter(true_joints, times),
        "bone_length_variation": float(metrics.bone_length_variation(joints, SMPL_PARENTS).max()),
        "contact_f1": metrics.contact_f1(motion.contacts[rows], truth.contacts[true_rows]),
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


def mesh_error(motion: Recovery, truth: Recovery, rows: IntArray, true_rows: IntArray) -> float:
    """Mean distance of the vertices, mm, in camera axes about the pelves; nan unless both bodies are the open one."""
    if motion.surface_model_type != "open" or truth.surface_model_type != "open":
        return np.nan
    template = load_body("open")
    vertices = _pelvis_relative_vertices(template, motion, rows)
    true_vertices = _pelvis_relative_vertices(template, truth, true_rows)
    errors = [np.linalg.norm(ours - true, axis=-1).mean() for ours, true in zip(vertices, true_vertices)]
    return 1000 * float(np.mean(errors))


def _pelvis_relative_vertices(template: BodyTemplate, motion: Recovery, rows: IntArray) -> Iterator[FloatArray]:
    """Yield the vertices (V,3) m of a motion's rows relative to the pelvis, in camera axes."""
    skin = posed_vertices(template, motion.betas, motion.poses[rows], motion.trans[rows])
    for vertices, pelvis, camera in zip(skin, motion.joints[rows, 0], motion.camera_from_world[rows]):
        yield (vertices - pelvis) @ camera[:3, :3].T


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
