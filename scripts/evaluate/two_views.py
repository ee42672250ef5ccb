"""Compare 3D estimators on two calibrated videos of one moment: each view alone, against the triangulation of both.

    .venv/bin/python -m scripts.evaluate.two_views CALIBRATION.qca.txt CAM01=FIRST.mp4 CAM03=SECOND.mp4

CALIBRATION is a Qualisys file, as Pose2Sim's demo has one; CAM01 is the name ("serial") of the camera in it. Both videos
must start together and share a frame rate. The truth is made of the default detector's 2D points in both views, so it
shares their bias, not the estimators' depth. Errors are PA-MPJPE over the twelve limb joints, mm, of what an estimator says
and of the `lifted_joints` that the pipeline makes of it, and the share of frames in which left and right hips, or shoulders,
are the wrong way round.
"""

import argparse
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from blender_meshrec.backend.fitting.camera_space import solve_camera_space
from blender_meshrec.backend.lifting import estimators  # noqa: F401 - registers them
from blender_meshrec.backend.registry import ESTIMATORS
from blender_meshrec.backend.tracking.detect_and_track import detect_and_track
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.cameras import default_intrinsics, points_on_rays, rays_from_pixels
from blender_meshrec.core.metrics import align_similarity, bone_length_variation, pa_mpjpe
from blender_meshrec.core.skeletons import H36M17, H36M17_PARENTS, limb_indices, to_h36m17

SUBPIXELS = 64  # Qualisys counts intrinsics in 64ths of a pixel
MIN_CONFIDENCE, MAX_LINE_DISTANCE = 0.5, 0.1  # 2D confidence, and distance of the two lines of sight in m, of a point taken for true
LIMBS = limb_indices(H36M17)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("calibration", type=Path)
    parser.add_argument("views", nargs=2, metavar="CAMERA=VIDEO")
    settings = parser.parse_args()
    views = [CalibratedView(settings.calibration, *view.split("=", 1)) for view in settings.views]
    frames = min(len(view.observations) for view in views)
    true, sure = triangulate(*views, frames)
    print(f"{frames} frames; limb joints with a truth: {100 * sure[:, LIMBS].mean():.0f} %")
    for view in views:
        for method in ESTIMATORS.implementations:
            print(view.name, method, " ".join(f"{name} {value:.3g}" for name, value in view.errors(method, true, sure).items()))


class CalibratedView:
    """One camera and what the detector saw of its largest person."""

    def __init__(self, calibration, camera, video):
        self.name = camera
        self.intrinsics, self.turn, self.position = read_camera(calibration, camera)
        sighting = detect_and_track(ReconstructRequest(source=video))
        self.observations, self.frames = sighting.people[0], sighting.frames
        self.points = to_h36m17(self.observations.keypoints, self.observations.keypoint_set)

    def lines(self):
        """Unit directions (F,17,3) of the points' lines of sight in the world."""
        rays = rays_from_pixels(self.points[..., :2], self.intrinsics)
        rays = points_on_rays(rays, np.ones(rays.shape[:-1])) @ self.turn
        return rays / np.linalg.norm(rays, axis=-1, keepdims=True)

    def errors(self, method, true, sure):
        """What is wrong with a method that sees this view alone, through the lens a user's footage would be taken for."""
        lens, times = default_intrinsics(self.frames.size), self.frames.timestamps
        estimate = ESTIMATORS.get(method)(self.observations, lens, times, "cpu")
        placed = solve_camera_space(estimate, self.points, self.observations.visible, lens, self.frames.size, times)
        alone = frame_errors(estimate.joints[: len(true)].astype(float), true, sure)
        joints = placed.joints[: len(true)]
        errors = frame_errors(joints, true, sure)
        flips = np.zeros(len(true), bool)
        aligned = align_similarity(joints, true)
        for part in ("hip", "shoulder"):
            left, right = H36M17.index(f"left_{part}"), H36M17.index(f"right_{part}")
            flips |= ((aligned[:, left] - aligned[:, right]) * (true[:, left] - true[:, right])).sum(-1) < 0
        variation = bone_length_variation(joints, H36M17_PARENTS)[LIMBS - 1].mean()
        return {
            "PA-MPJPE mm": np.mean(alone),
            "of lifted_joints": np.mean(errors),
            "worst frame mm": np.max(errors),
            "flipped": flips.mean(),
            "bone variation": variation,
        }


def frame_errors(joints, true, sure):
    """PA-MPJPE, mm, over the limb joints whose truth is known, of each frame that has enough of them."""
    frames = zip(joints[:, LIMBS], true[:, LIMBS], sure[:, LIMBS])
    return [pa_mpjpe(found[None, known], aim[None, known]) for found, aim, known in frames if known.sum() >= 9]


def read_camera(path, name):
    """Intrinsics (3,3) px, rotation from the world to OpenCV axes (3,3) and position (3,) m of a camera in a Qualisys file."""
    for camera in ElementTree.parse(path).iter("camera"):
        if camera.get("serial").lower() == name.lower():
            at, lens = camera.find("transform"), camera.find("intrinsic")
            turn = np.array([[float(at.get(f"r{row}{column}")) for column in "123"] for row in "123"])
            centre, focal = ([float(lens.get(f"{what}{axis}")) / SUBPIXELS for axis in "UV"] for what in ("centerPoint", "focalLength"))
            intrinsics = np.array([[focal[0], 0, centre[0]], [0, focal[1], centre[1]], [0, 0, 1]])
            return intrinsics, np.diag([1.0, -1.0, -1.0]) @ turn, np.array([float(at.get(axis)) for axis in "xyz"]) / 1000
    raise SystemExit(f"{path} knows no camera {name}.")


def triangulate(first, second, frames):
    """Points (F,17,3) m nearest to both lines of sight, and which are to be trusted (F,17)."""
    (a, b), origins = (view.lines()[:frames] for view in (first, second)), (first.position, second.position)
    between = origins[1] - origins[0]
    cosine = (a * b).sum(-1)
    along_a, along_b = (a * between).sum(-1), (b * between).sum(-1)
    spread = np.maximum(1 - cosine**2, 1e-9)
    on_a = origins[0] + a * ((along_a - cosine * along_b) / spread)[..., None]
    on_b = origins[1] + b * ((cosine * along_a - along_b) / spread)[..., None]
    confident = np.minimum(first.points[:frames, :, 2], second.points[:frames, :, 2]) > MIN_CONFIDENCE
    return (on_a + on_b) / 2, confident & (np.linalg.norm(on_a - on_b, axis=-1) < MAX_LINE_DISTANCE)


if __name__ == "__main__":
    main()
