"""The report of a reconstruction (`--report`): quality, speed, warnings and versions."""

import platform
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from typing import Any

import numpy as np

from ..bridge import windows_system
from ..core.cameras import transform_points
from ..core.focal_length import equivalent_from_pixels
from ..core.messages import Message
from ..core.metrics import jitter, reprojection_error
from ..core.records import Recovery
from ..core.skeletons import H36M17, SMPL_JOINTS
from ..core.version import version as version_of_this
from .camera.solve_camera import CameraPath
from .clip import Clip, Person
from .doubtful import report_of_left_out, warnings_of_left_out
from .fitting.stature import stature
from .fitting.tilt_from_lines import count_telling_edges, tilt_of_up
from .tracking.detect_and_track import TrackingResult
from .views_report import build_views_report

PACKAGES = ("numpy", "torch", "mediapipe", "av", "opencv-python")


def build_report(clip: Clip, tracked: TrackingResult) -> dict[str, Any]:
    """The report, ready for JSON."""
    frames, seconds, peak_memory = len(clip.looked_at.all_times), clip.stages.seconds, peak_memory_bytes()
    return {
        "input": clip.request.source,
        "people_found": len(tracked.people),
        "found": build_found_report(tracked),
        "left_out": report_of_left_out(clip.left_out),
        "frames_read": frames,
        "frames_repeated": clip.looked_at.num_repeated,
        "quality": build_quality_report(clip),
        "camera": build_report_of_shots(clip),
        "gravity": build_gravity_report(clip),
        "lens": build_lens_report(clip),
        **({"views": build_views_report(clip)} if clip.joined is not None else {}),
        "people": [build_person_report(person, clip) for person in clip.people],
        "seconds": {stage: round(taken, 4) for stage, taken in seconds.items()},
        "frames_per_second": {stage: _round_finite(frames / taken, 1) for stage, taken in seconds.items() if taken > 1e-4},
        "peak_memory_mb": None if peak_memory is None else round(peak_memory / 1e6, 1),
        "warnings": list(dict.fromkeys([*clip.warnings, *warnings_of_left_out(clip.left_out)])),
        "versions": package_versions(),
    }


def build_found_report(tracked: TrackingResult) -> list[dict[str, Any]]:
    """Everybody found: their number, in how many frames, and the name that a list of people gives them."""
    people = tracked.people_list
    return [
        {
            "person": number,
            "frames_with_person": int(tracked.looked_at.spread(observations.visible)[:: tracked.looked_at.step].sum()),
            **({"name": name} if (name := people.name_of(number) if people else "") else {}),
        }
        for number, observations in zip(tracked.person_numbers, tracked.people, strict=True)
    ]


def build_quality_report(clip: Clip) -> dict[str, Any]:
    """The quality that was asked for, and what it chose: the refiners, and how many frames the detector looked at."""
    return {"name": clip.request.quality, "refiners": list(clip.refiners), "frames_looked_at": clip.looked_at.num_seen}


def build_report_of_shots(clip: Clip) -> dict[str, Any]:
    """The camera of the clip; of several shots, the path and whether it is taken out are the longest one's, and each shot has its own."""
    if not clip.parts:
        whole = {**build_camera_report(clip.camera, clip.camera_from_view is not None), **build_path_report(clip)}
        zoom = _round_finite(float(clip.camera.zoom.max() / clip.camera.zoom.min()), 4)
        return {**whole, "zoom": zoom, "distortion": build_distortion_report(clip)}
    main = clip.parts[clip.main_part]
    whole = build_camera_report(clip.camera, main.camera_from_view is not None)
    for shot, part in zip(whole["shots"], clip.parts, strict=True):
        if part.people:
            shot |= build_report_of_shots(part) | {"gravity": build_gravity_report(part), "lens": build_lens_report(part)} | shot
            del shot["shots"]
    zooms = [float(part.camera.zoom.max() / part.camera.zoom.min()) for part in clip.parts]
    return {**whole, "path": whole["shots"][clip.main_part]["path"], "zoom": _round_finite(max(zooms), 4)}


def build_camera_report(path: CameraPath, is_taken_out: bool) -> dict[str, Any]:
    """The kind of camera, in sentences too, and each shot's first and last frame, kind and share of frames whose background was found.

    is_taken_out: whether people were solved as a still camera would have seen them.
    """
    return {
        "kind": path.kind,
        "taken_out": is_taken_out,
        "sentences": list(path.sentences),
        "solved_focal_px": _round_finite(path.focal, 1),
        "solved_focal_sigma_px": _round_finite(path.focal_sigma, 1),
        "confidence": _round_finite(float(np.mean(path.confidence)) if len(path.confidence) else float("nan"), 3),
        "shots": [
            {"first": shot.first, "last": shot.last - 1, "kind": shot.kind, "background_seen": round(shot.seen, 3)} for shot in path.shots
        ],
    }


def build_distortion_report(clip: Clip) -> dict[str, Any] | None:
    """The radial distortion that was taken out of the keypoints, as of core/lens_distortion.py, and where it is from; None without one."""
    if not clip.distortion_source:
        return None
    return {**{f"k{k}": round(float(value), 5) for k, value in enumerate(clip.distortion, 1)}, "source": clip.distortion_source}


def build_path_report(clip: Clip) -> dict[str, Any]:
    """The path of a camera that moves, if it is taken out: its length, m, and how well that is known, as a share of it; sentences anew."""
    sentences = list(clip.camera.sentences)
    if clip.known_camera is not None:
        return {"path": {"length_m": round(float(np.linalg.norm(np.diff(clip.places, axis=0), axis=1).sum()), 3), "sigma": 0.0}}
    if clip.path_scale is None:
        if clip.camera.centres is not None:
            text = "The camera's path is not taken out: people are seen from too many sides."
            sentences.append(Message("camera-path-left", text))
        return {"sentences": sentences, "path": None}
    length = float(np.linalg.norm(np.diff(clip.places, axis=0), axis=1).sum())
    shot, scale = clip.camera.shots[0], clip.path_scale
    sigma = float(np.hypot(scale.log_sigma, shot.uncertainty))
    text = "Its path of {length:.1f} m is taken out; it is as long as that within {sigma:.0f} %."
    sentences.append(Message("camera-path-length", text, length=length, sigma=100 * sigma))
    path = {
        "length_m": round(length, 3),
        "sigma": round(sigma, 3),
        "explained": _round_finite(shot.explained, 3),
        "uncertainty": _round_finite(shot.uncertainty, 3),
        "foot_contact_s": round(scale.contact_seconds, 2),
        "floor_points": scale.floor_points,
        "length_is_told_by_feet": scale.is_told,
        "is_on_floor": clip.map_floor is not None,
    }
    return {"sentences": sentences, "path": path}


def build_gravity_report(clip: Clip) -> dict[str, Any]:
    """Where gravity is from, in a sentence too; the camera's pitch and roll and how well they are known before the solve, degrees."""
    up = clip.world_from_camera[2, :3]
    pitch, roll = np.degrees(tilt_of_up(up))
    edges = 0 if clip.edges is None else count_telling_edges(clip.edges, up)
    sigma = np.degrees(clip.tilt_sigma)
    largest = float(sigma.max())
    if clip.known_camera is not None:
        sentence = Message("gravity-given", "Gravity is that of the camera's world.")
    elif not clip.request.upright:
        sentence = Message("gravity-level", "The camera is taken to be level.")
    elif clip.map_floor is not None:
        sentence = Message(
            "gravity-floor",
            "Gravity is from the floor along the camera's path, on which {points} points were found, within {sigma:.1f} degrees.",
            points=clip.map_floor.points,
            sigma=largest,
        )
    elif edges:
        sentence = Message(
            "gravity-edges",
            "Gravity is from {edges} vertical edges of the background and from how people stand, within {sigma:.1f} degrees.",
            edges=edges,
            sigma=largest,
        )
    else:
        sentence = Message("gravity-people", "Gravity is from how people stand alone, within {sigma:.1f} degrees.", sigma=largest)
    return {
        "sentence": sentence,
        "vertical_edges": edges,
        "pitch": round(float(pitch), 1),
        "roll": round(float(roll), 1),
        "sigma": [round(float(value), 1) for value in sigma],
    }


def build_lens_report(clip: Clip) -> dict[str, Any]:
    """The focal length, px of the picture and mm in 35 mm equivalents, where it is from, and the standard deviation of its logarithm.

    That of a lens which the solve moves is not known: the one before the solve would be reported beside the focal length after it.
    """
    focal = float(clip.intrinsics[0, 0])
    return {
        "focal_px": round(focal, 1),
        "focal_35mm": round(equivalent_from_pixels(focal, clip.frames.size), 2),
        "source": clip.lens_source,
        "sigma": None if clip.lens_source == "solved" else round(clip.lens_sigma, 4),
    }


def build_person_report(person: Person, clip: Clip) -> dict[str, Any]:
    """One person's numbers; None where a number cannot be measured."""
    observations, recovery = person.observations, person.recovery
    pixels, relative = float("nan"), float("nan")
    # A clip resampled by --fps no longer has the footage's rows to measure its reprojection against.
    rows = clip.looked_at.rows
    has_footage_rows = len(recovery) == len(clip.looked_at.all_times)
    if has_footage_rows:
        in_camera = transform_points(recovery.camera_from_world, recovery.joints.astype(float))[rows]
        seen = observations.joint_points, H36M17, recovery.camera_intrinsics, observations.boxes
        pixels, relative = reprojection_error(in_camera, SMPL_JOINTS, *seen)
    report = {
        "person": person.number,
        "frames_with_person": int((recovery.visible if has_footage_rows else clip.looked_at.spread(observations.visible)).sum()),
        "height_cm": round(100 * stature(clip.template, recovery.betas), 1),
        "betas": [round(float(beta), 6) for beta in recovery.betas],
        "surface_model_type": recovery.surface_model_type,
        "reprojection_px": _round_finite(pixels, 2),
        "reprojection_share_of_box": _round_finite(relative, 4),
        "jitter": _round_finite(_jitter_of_shots(recovery, [int(rows[row]) for row in clip.breaks] if has_footage_rows else ()), 2),
        "foot_slide_before_cm_s": _round_finite(person.foot_slide[0], 2),
        "foot_slide_after_cm_s": _round_finite(person.foot_slide[1], 2),
        **person.judged,
        **person.refined,
    }
    return report if person.skel_report is None else {**report, "skel": person.skel_report}


def _jitter_of_shots(recovery: Recovery, cuts: Sequence[int]) -> float:
    """The jitter of all shots, by their frames; a pose that changes at a cut does not tremble."""
    found = [
        (last - first, jitter(recovery.joints[first:last], recovery.timestamps[first:last]))
        for first, last in pairwise([0, *cuts, len(recovery)])
    ]
    known = [(frames, value) for frames, value in found if np.isfinite(value)]
    return sum(frames * value for frames, value in known) / sum(frames for frames, _value in known) if known else float("nan")


def peak_memory_bytes() -> int | None:
    """The peak memory of this process, bytes; None where it cannot be measured."""
    if sys.platform == "win32":
        return windows_system.peak_memory_bytes()
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def package_versions() -> dict[str, str | None]:
    """Versions of everything a bug report needs; None for packages that are missing."""
    found: dict[str, str | None] = {"meshrec": version_of_this(), "python": platform.python_version(), "platform": platform.platform()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def _round_finite(value: float, digits: int) -> float | None:
    """A rounded number, or None for nan."""
    return round(float(value), digits) if np.isfinite(value) else None
