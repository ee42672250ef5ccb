"""Measure PC-HMR's calibration on footage: the distance of the generated and of the calibrated joints from the detected keypoints.

    .venv/bin/python -m scripts.evaluate.calibration FOOTAGE... [--frames 0:90] [--pictures FOLDER]

For the largest person of every video and image the script prints a row of docs/pc_hmr.md's table. The first three numbers are the median
distance of the twelve limb joints from the detected 2D keypoints (confidence above 0.5), as a fraction of the height of the person's
bounding box: of the generated mesh in its own camera; of the same mesh in the footage's camera, with its hips at the calibrated hips; and
of the calibrated mesh. Then follow the edge stretch of the calibration (99.9 % of the edges of a clip stay below it), and the largest step
from one frame to the next of the calibrated mesh and of the joints that it follows, cm. --pictures writes an image per file: the footage,
the generated mesh and the calibrated mesh.
"""

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
import torch

from blender_meshrec.backend.footage.video import open_footage
from blender_meshrec.backend.overlay import PERSON_COLOURS, draw_mesh
from blender_meshrec.backend.pipeline import recover
from blender_meshrec.backend.registry import GENERATORS
from blender_meshrec.backend.tracking.detect_and_track import detect_and_track
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bodies.smpl import Smpl
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.array_types import FloatArray, ImageArray
from blender_meshrec.core.cameras import transform_points
from blender_meshrec.core.errors import NobodyFoundError
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.files.point_cache import read_point_cache
from blender_meshrec.core.metrics import reprojection_error
from blender_meshrec.core.skeletons import H36M17, KEYPOINT_SETS, SMPL_JOINTS, limb_indices, to_h36m17

LIMBS, MIN_CONFIDENCE, PICTURE_HEIGHT = limb_indices(H36M17), 0.5, 480
VIDEO_SUFFIXES = (".mp4", ".avi", ".mov")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("footage", nargs="+", type=Path)
    parser.add_argument("--frames", help="A:B of every video")
    parser.add_argument("--pictures", type=Path)
    arguments = parser.parse_args()
    body = make_body(load_body())
    is_smallest: list[bool] = []
    print("| footage | generated, own camera | generated, footage camera | calibrated | edge stretch | largest step: mesh, joints, cm |")
    print("|---|---:|---:|---:|---:|---:|")
    for path in arguments.footage:
        with tempfile.TemporaryDirectory() as scratch:
            frames = parse_range(arguments.frames) if path.suffix in VIDEO_SUFFIXES else None
            try:
                footage = CalibratedFootage(path, frames, Path(scratch), body)
            except NobodyFoundError:
                print(f"| {path.name} | no person | | | | |")
                continue
            own, in_footage, calibrated = footage.errors()
            is_smallest.append(calibrated < min(own, in_footage))
            mesh, joints = footage.largest_steps()
            errors = f"{100 * own:.1f} % | {100 * in_footage:.1f} % | {100 * calibrated:.1f} %"
            print(f"| {path.name} | {errors} | {footage.edge_stretch:.2f} | {mesh:.1f}, {joints:.1f} |", flush=True)
            if arguments.pictures:
                arguments.pictures.mkdir(parents=True, exist_ok=True)
                footage.save_picture(arguments.pictures / f"{path.stem}.png")
    print(f"\nThe calibrated joints have the smallest distance in {sum(is_smallest)} of {len(is_smallest)} files with a person.")


def parse_range(text: str | None) -> tuple[int, int] | None:
    """A:B as two numbers; None for no range."""
    if not text:
        return None
    first, _, end = text.partition(":")
    return int(first), int(end)


class CalibratedFootage:
    """One piece of footage, reconstructed by PC-HMR."""

    def __init__(self, path: Path, frames: tuple[int, int] | None, scratch: Path, body: Smpl) -> None:
        request = ReconstructRequest(
            source=str(path), frames=frames, method="pc-hmr", surface=str(scratch / "surface"), cache=str(scratch / "cache")
        )
        result = recover(request)
        self.source, self.frames, self.body = str(path), frames, body
        self.recovery, number = result.recoveries[0], result.people[0]
        self.edge_stretch: float = result.report["people"][0]["calibration"]["edge_stretch"]
        self.surface = np.array(read_point_cache(Path(f"{request.surface}.person{number}.pc2")))
        tracked = detect_and_track(request)
        self.observations = tracked.looked_at.observed(tracked.people[number - 1])
        generate = GENERATORS.get("hmr")
        self.generated = generate(self.observations, self.recovery.camera_intrinsics, self.recovery.timestamps, torch.device("cpu"))
        params = self.generated.body
        vertices = body(params.betas, params.global_orient, params.body_pose)[1].numpy()
        joints = body.h36m17(params.betas, params.global_orient, params.body_pose).numpy()
        # In the footage's camera: the generated hips moved to the calibrated ones.
        shift = transform_points(self.recovery.camera_from_world, self.calibrated_joints)[:, 1:3].mean(1) - joints[:, 0]
        self.joints_in_footage, self.vertices_in_footage = joints + shift[:, None], vertices + shift[:, None]

    @property
    def calibrated_joints(self) -> FloatArray:
        """The calibrated joints (F,24,3) m, in the world."""
        assert self.recovery.calibrated_joints is not None
        return self.recovery.calibrated_joints

    def errors(self) -> tuple[float, float, float]:
        """Median distances as fractions of the box height: generated in its own camera, generated in the footage's, calibrated."""
        recovery, names = self.recovery, KEYPOINT_SETS[self.observations.keypoint_set].points
        detected = to_h36m17(self.observations.keypoints, self.observations.keypoint_set)[:, LIMBS]
        height = (self.observations.boxes[:, 3] - self.observations.boxes[:, 1])[:, None]
        counted = (detected[..., 2] > MIN_CONFIDENCE) & self.observations.visible[:, None]
        own = np.linalg.norm(self.generated.points[:, LIMBS] - detected[..., :2], axis=-1) / np.maximum(height, 1e-6)
        calibrated = transform_points(recovery.camera_from_world, self.calibrated_joints)
        camera_and_keypoints = self.observations.keypoints, names, recovery.camera_intrinsics, self.observations.boxes
        return (
            float(np.median(own[counted])),
            reprojection_error(self.joints_in_footage, H36M17, *camera_and_keypoints)[1],
            reprojection_error(calibrated, SMPL_JOINTS, *camera_and_keypoints)[1],
        )

    def largest_steps(self) -> tuple[float, float]:
        """The largest distances that the calibrated mesh and its joints move between two frames, cm."""
        return largest_step(self.surface), largest_step(self.calibrated_joints)

    def save_picture(self, path: Path) -> None:
        """Save the middle frame with a person: the footage, the generated mesh, the calibrated mesh."""
        recovery, rows = self.recovery, np.flatnonzero(self.observations.visible)
        row = int(rows[len(rows) // 2])
        image = self._image_at(recovery.timestamps[row])
        meshes = self.vertices_in_footage[row], transform_points(recovery.camera_from_world[row], self.surface[row])
        drawn = [
            draw_mesh(image, mesh.astype(float), self.body.faces, recovery.camera_intrinsics, PERSON_COLOURS[k])
            for k, mesh in enumerate(meshes)
        ]
        across = np.hstack([image, *drawn])
        scale = PICTURE_HEIGHT / len(across)
        resized = cv2.resize(across, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(path), cv2.cvtColor(resized, cv2.COLOR_RGB2BGR))

    def _image_at(self, time: float) -> ImageArray:
        """The first image of the footage from a time, s, on."""
        for frame in open_footage(self.source, self.frames).read():
            if frame.image is not None and frame.time >= time - 1e-6:
                return frame.image
        raise ValueError(f"{self.source} has no image at {time:.3f} s")


def largest_step(points: FloatArray) -> float:
    """The largest distance that a point of (F,N,3) m moves between two frames, cm."""
    if len(points) < 2:
        return 0.0
    return 100 * float(np.linalg.norm(np.diff(points, axis=0), axis=-1).max())


if __name__ == "__main__":
    main()
