"""Compare 3D estimators on two calibrated, synchronised videos: each view alone, against the triangulation of both.

    .venv/bin/python -m scripts.evaluate.two_views CALIBRATION.qca.txt CAM01=FIRST.mp4 CAM03=SECOND.mp4

CALIBRATION is a file of cameras such as the one of Pose2Sim's demo; CAM01 is the name of a camera in it. Both videos
must start at the same time and have the same frame rate. The reference is triangulated from the default detector's 2D points in both
views: it shares their bias, but not the depth errors of the estimators. For each estimator the script prints PA-MPJPE over the twelve limb
joints, mm, of its own joints and of the pipeline's `lifted_joints`, and the fraction of frames in which left and right hips or shoulders
are swapped in depth. Methods that look at the picture are left out: only keypoints are detected here.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from blender_meshrec.backend.fitting.camera_space import solve_camera_space
from blender_meshrec.backend.lifting import estimators  # noqa: F401 - registers them
from blender_meshrec.backend.registry import ESTIMATORS
from blender_meshrec.backend.tracking.detect_and_track import detect_and_track
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.array_types import BoolArray, FloatArray
from blender_meshrec.core.cameras import default_intrinsics, points_on_rays, rays_from_pixels
from blender_meshrec.core.errors import MeshRecError
from blender_meshrec.core.files.calibrations.read_calibration import read_calibration
from blender_meshrec.core.metrics import align_similarity, bone_length_variation, pa_mpjpe
from blender_meshrec.core.skeletons import H36M17, H36M17_PARENTS, limb_indices, to_h36m17

MIN_CONFIDENCE = 0.5  # of a 2D point that is triangulated
MAX_RAY_DISTANCE = 0.1  # m, between the two lines of sight of a triangulated point
MIN_JOINTS = 9  # limb joints with a reference in a frame that counts
LIMBS = limb_indices(H36M17)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("calibration", type=Path)
    parser.add_argument("views", nargs=2, metavar="CAMERA=VIDEO")
    arguments = parser.parse_args()
    first, second = (CalibratedView(arguments.calibration, *view.split("=", 1)) for view in arguments.views)
    frames = min(len(first.observations), len(second.observations))
    reference, known = triangulate(first, second, frames)
    print(f"{frames} frames; limb joints with a truth: {100 * known[:, LIMBS].mean():.0f} %")
    for view in (first, second):
        for method in ESTIMATORS.implementations:
            try:
                errors = view.errors(method, reference, known)
            except MeshRecError as error:  # it looks at the picture, or has no checkpoint
                print(view.name, method, "left out:", error.problem)
                continue
            print(view.name, method, " ".join(f"{name} {value:.3g}" for name, value in errors.items()))


class CalibratedView:
    """One calibrated camera and the observations of its largest person."""

    def __init__(self, calibration: Path, camera: str, video: str) -> None:
        self.name = camera
        found = [entry for entry in read_calibration(calibration) if entry.name.lower() == camera.lower()]
        if not found:
            raise SystemExit(f"{calibration} knows no camera {camera}.")
        self.intrinsics, self.camera_from_world_rotmat = found[0].intrinsics, found[0].camera_from_world[:3, :3]
        self.position = -self.camera_from_world_rotmat.T @ found[0].camera_from_world[:3, 3]
        tracked = detect_and_track(ReconstructRequest(source=video))
        self.observations, self.frames = tracked.people[0], tracked.frames
        self.points = to_h36m17(self.observations.keypoints, self.observations.keypoint_set)

    def ray_directions(self) -> FloatArray:
        """Unit directions (F,17,3) of the points' lines of sight in the world."""
        rays = rays_from_pixels(self.points[..., :2], self.intrinsics)
        directions = points_on_rays(rays, np.ones(rays.shape[:-1])) @ self.camera_from_world_rotmat
        return directions / np.linalg.norm(directions, axis=-1, keepdims=True)

    def errors(self, method: str, reference: FloatArray, known: BoolArray) -> dict[str, float]:
        """The errors of an estimator on this view alone, with the intrinsics that the pipeline assumes for footage.

        Args:
            reference: (F,17,3) m. known: (F,17), joints that have a reference.
        """
        intrinsics, times = default_intrinsics(self.frames.size), self.frames.timestamps
        estimate = ESTIMATORS.get(method)(self.observations, intrinsics, times, torch.device("cpu"))
        solved = solve_camera_space(estimate, self.points, self.observations.visible, intrinsics, self.frames.size, times)
        joints = solved.joints[: len(reference)]
        errors = frame_errors(joints, reference, known)
        return {
            "PA-MPJPE mm": float(np.mean(frame_errors(estimate.joints[: len(reference)].astype(float), reference, known))),
            "of lifted_joints": float(np.mean(errors)),
            "worst frame mm": float(np.max(errors)),
            "flipped": float(are_sides_swapped(joints, reference).mean()),
            "bone variation": float(bone_length_variation(joints, H36M17_PARENTS)[LIMBS - 1].mean()),
        }


def are_sides_swapped(joints: FloatArray, reference: FloatArray) -> BoolArray:
    """Whether the hips or the shoulders of joints (F,17,3) point the other way than the reference's, (F,)."""
    swapped = np.zeros(len(reference), bool)
    aligned = align_similarity(joints, reference)
    for part in ("hip", "shoulder"):
        left, right = H36M17.index(f"left_{part}"), H36M17.index(f"right_{part}")
        swapped |= ((aligned[:, left] - aligned[:, right]) * (reference[:, left] - reference[:, right])).sum(-1) < 0
    return swapped


def frame_errors(joints: FloatArray, reference: FloatArray, known: BoolArray) -> list[float]:
    """PA-MPJPE, mm, over the known limb joints of each frame with at least MIN_JOINTS of them."""
    frames = zip(joints[:, LIMBS], reference[:, LIMBS], known[:, LIMBS])
    return [pa_mpjpe(found[None, usable], true[None, usable]) for found, true, usable in frames if usable.sum() >= MIN_JOINTS]


def triangulate(first: CalibratedView, second: CalibratedView, frames: int) -> tuple[FloatArray, BoolArray]:
    """The points (F,17,3) m nearest to both lines of sight, and which of them are reliable (F,17)."""
    directions_a, directions_b = first.ray_directions()[:frames], second.ray_directions()[:frames]
    baseline = second.position - first.position
    cosine = (directions_a * directions_b).sum(-1)
    along_a, along_b = (directions_a * baseline).sum(-1), (directions_b * baseline).sum(-1)
    squared_sine = np.maximum(1 - cosine**2, 1e-9)
    on_a = first.position + directions_a * ((along_a - cosine * along_b) / squared_sine)[..., None]
    on_b = second.position + directions_b * ((cosine * along_a - along_b) / squared_sine)[..., None]
    confident = np.minimum(first.points[:frames, :, 2], second.points[:frames, :, 2]) > MIN_CONFIDENCE
    return (on_a + on_b) / 2, confident & (np.linalg.norm(on_a - on_b, axis=-1) < MAX_RAY_DISTANCE)


if __name__ == "__main__":
    main()
