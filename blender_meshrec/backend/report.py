"""What `--report` says of a reconstruction: how good it is, how long it took, and what to know about it."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from ..core.cameras import transform_points
from ..core.metrics import jitter, reprojection
from ..core.skeletons import KEYPOINT_SETS, SMPL_JOINTS
from ..core.version import version as version_of_this

PACKAGES = ("numpy", "torch", "mediapipe", "av", "opencv-python")


def report_of(request, sighting, people, seconds, warnings):
    """The report, ready for JSON.

    Args:
        request: the ReconstructRequest. sighting: the Sighting. people: (number, Observations, Recovery, slide, refined, anatomy) tuples,
            slide the foot slide before and after locking, cm/s, refined what body refiners say by their names, anatomy what
            `in_skel` reports or None. seconds: wall time by stage. warnings: sentences.
    """
    frames = len(sighting.frames)
    return {
        "input": str(request.source),
        "people_found": len(sighting.people),
        "found": [{"person": i, "frames_with_person": int(who.visible.sum())} for i, who in enumerate(sighting.people, 1)],
        "frames_read": frames,
        "people": [person_report(*person) for person in people],
        "seconds": {stage: round(taken, 4) for stage, taken in seconds.items()},
        "frames_per_second": {stage: _number(frames / taken, 1) for stage, taken in seconds.items() if taken > 1e-4},
        "peak_memory_mb": round(peak_memory() / 1e6, 1),
        "warnings": list(warnings),
        "versions": versions(),
    }


def person_report(number, observations, recovery, slide, refined, anatomy=None):
    """One person's numbers; None stands for what cannot be measured."""
    in_camera = transform_points(recovery.camera_from_world, recovery.joints.astype(float))
    names = KEYPOINT_SETS[observations.keypoint_set].points
    # A clip resampled by --fps no longer has the footage's rows: its reprojection is not measured against them.
    pixels, share = (
        reprojection(in_camera, SMPL_JOINTS, observations.keypoints, names, recovery.camera_intrinsics, observations.boxes)
        if len(recovery) == len(observations)
        else (float("nan"), float("nan"))
    )
    report = {
        "person": number,
        "frames_with_person": int(observations.visible.sum()),
        "reprojection_px": _number(pixels, 2),
        "reprojection_share_of_box": _number(share, 4),
        "jitter": _number(jitter(recovery.joints, recovery.timestamps), 2),
        "foot_slide_before_cm_s": _number(slide[0], 2),
        "foot_slide_after_cm_s": _number(slide[1], 2),
        **refined,
    }
    return report if anatomy is None else {**report, "skel": anatomy}


def peak_memory():
    """The most memory this process has held, bytes; 0 where the system does not say."""
    if sys.platform == "win32":
        return 0
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def versions():
    """Of everything a bug report needs."""
    found = {"meshrec": version_of_this(), "python": platform.python_version(), "platform": platform.platform()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def _number(value, digits):
    return round(float(value), digits) if np.isfinite(value) else None
