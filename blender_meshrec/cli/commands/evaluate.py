"""`meshrec evaluate`: how far a motion is from the true one, in the field's measures."""

import numpy as np

from ...core import metrics
from ...core.cameras import transform_points
from ...core.errors import ExitCode, InputError
from ...core.files.body_template import load_body
from ...core.files.motion_npz import read_motion
from ...core.skeletons import SMPL_PARENTS
from ...core.skinning import posed_vertices
from ..outputs import check_report, input_files
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


def run(options, console):
    """Compare two motion files at the times they share."""
    check_report(options.report, input_files(options))
    motion, truth = read_motion(options.motion), read_motion(options.truth)
    numbers = evaluate(motion, truth)
    for name, value in numbers.items():
        console.print_result(f"{name:24} {'not known' if value is None else f'{value:.6g}'} {UNITS.get(name, '')}".rstrip())
    if options.report:
        write_report(options.report, numbers)
    return ExitCode.DONE


def evaluate(motion, truth):
    """Compare two Recoveries of the same footage, over the frames where the truth sees the person.

    Returns:
        numbers by name, see UNITS; None for what cannot be known. Joints are compared in camera axes, so that it does not
        matter where either puts the world's origin: `mpjpe` and `mpve`, of the skin's vertices, with the pelves in one place,
        `camera_mpjpe` as they are. Vertices are known of the open body. Of a calibrated motion the same of the joints that
        bones stretch to.

    Raises:
        InputError: the motions share no moment.
    """
    rows, true_rows = shared_rows(motion, truth)
    joints = transform_points(motion.camera_from_world, motion.joints.astype(float))[rows]
    true_joints = transform_points(truth.camera_from_world, truth.joints.astype(float))[true_rows]
    times = truth.timestamps[true_rows]
    numbers = {
        "frames": len(rows),
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
        calibrated = transform_points(motion.camera_from_world, motion.calibrated_joints.astype(float))[rows]
        numbers["calibrated_mpjpe"] = metrics.mpjpe(calibrated, true_joints, root=0)
        numbers["calibrated_pa_mpjpe"] = metrics.pa_mpjpe(calibrated, true_joints)
        numbers["calibrated_camera_mpjpe"] = metrics.mpjpe(calibrated, true_joints)
    return {name: value if isinstance(value, int) else round(value, 6) if np.isfinite(value) else None for name, value in numbers.items()}


def mesh_error(motion, truth, rows, true_rows):
    """Mean distance of the vertices, mm, in camera axes about the pelves; nan where the bodies are not both the open one."""
    if motion.surface_model_type != "open" or truth.surface_model_type != "open":
        return np.nan
    template, errors = load_body("open"), []
    both = zip(*(_pelvis_relative_vertices(template, *each) for each in ((motion, rows), (truth, true_rows))))
    for vertices, true_vertices in both:
        errors.append(np.linalg.norm(vertices - true_vertices, axis=-1).mean())
    return 1000 * float(np.mean(errors))


def _pelvis_relative_vertices(template, motion, rows):
    """Yield the vertices (V,3) m of a motion's rows about the pelvis, in camera axes."""
    skin = posed_vertices(template, motion.betas, motion.poses[rows], motion.trans[rows])
    for vertices, pelvis, camera in zip(skin, motion.joints[rows, 0], motion.camera_from_world[rows]):
        yield (vertices - pelvis) @ camera[:3, :3].T


def shared_rows(motion, truth):
    """Rows of both, (N,) and (N,), that show the same moment: the nearest in time, at most half a frame apart.

    Moments count from the footage's first frame, so that the ranges may differ.
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
