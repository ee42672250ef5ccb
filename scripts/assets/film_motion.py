"""Render recordings of motion capture with the demo clip's performer: videos with ground truth that include the detector's errors.

    .venvs/bpy-4.5/bin/python -m scripts.assets.film_motion film MOCAP FOLDER CLIP[:FIRST:END] ...   render PNG images to FOLDER/CLIP/
    .venv/bin/python -m scripts.assets.film_motion encode MOCAP FOLDER CLIP[:FIRST:END] ...           FOLDER/CLIP.mp4
    .venv/bin/python -m scripts.assets.film_motion measure MOCAP FOLDER CLIP[:FIRST:END] ...          reconstruct and compare

The shape and the camera of each clip are random, seeded by its name. `measure` prints PA-MPJPE over the twelve limb joints of the rendered
body: of the 3D joints of each estimator, and of the pipeline's `lifted_joints` with each method.
"""

import argparse
import zlib
from pathlib import Path

import numpy as np

from blender_meshrec.core.cameras import invert_rigid_transform, rigid_transform
from blender_meshrec.core.conventions import WORLD_FROM_LEVEL_CAMERA
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.rotations import rotmat_from_rotvec
from scripts.assets.demo_clip.performer import Performer
from scripts.assets.demo_clip.rendering import encode_video, render_frames
from scripts.evaluate.ground_truth import ground_truth_of
from scripts.train.data.recordings import FPS, read_recordings

IMAGE_SIZE = (640, 480)


class FilmedRecording:
    """A recording's Performer with a random shape and a random camera."""

    def __init__(self, mocap: Path, name: str) -> None:
        self.name, *part = name.split(":")
        self.folder = name.replace(":", "_")
        rows = slice(*(int(end) for end in part)) if part else slice(None)
        recording = next(one for one in read_recordings(mocap) if one.name == self.name)
        template = load_body("open")
        truth = ground_truth_of(template, recording)
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        betas = rng.normal(0, 0.8, truth.betas.shape) * (np.arange(len(truth.betas)) < 6)
        rest, old = template.rest_joints(betas), template.rest_joints(truth.betas)
        height = (rest[0, 1] - rest[[7, 8], 1].mean()) / (old[0, 1] - old[[7, 8], 1].mean())
        pelvis = (truth.transl[rows] + old[0]) * height  # a taller body moves farther
        self.performer = Performer(template, betas, rotmat_from_rotvec(truth.poses[rows].reshape(-1, 24, 3)), pelvis)
        self.joints = self.performer.joints
        self.joints[..., 2] -= np.quantile(self.joints[:, [7, 8], 2].min(1), 0.02) - 0.08  # feet on the floor
        self._set_camera(rng)

    def _set_camera(self, rng: np.random.Generator) -> None:
        """Choose a camera with the whole path in the image."""
        focal = rng.uniform(0.75, 1.4) * np.hypot(*IMAGE_SIZE)
        self.intrinsics = np.array([[focal, 0, IMAGE_SIZE[0] / 2], [0, focal, IMAGE_SIZE[1] / 2], [0, 0, 1]])
        rotmat = rotmat_from_rotvec([0, 0, rng.uniform(-np.pi, np.pi)]) @ WORLD_FROM_LEVEL_CAMERA
        rotmat = rotmat @ rotmat_from_rotvec([-rng.uniform(-0.02, 0.3), 0, 0]) @ rotmat_from_rotvec([0, 0, rng.normal(0, 0.02)])
        points = self.joints.reshape(-1, 3)
        middle = (points.min(0) + points.max(0)) / 2
        centred = (points - middle) @ rotmat  # in camera axes
        half_size = np.abs(centred[:, :2]) + 0.2
        distance = (half_size * 2 * focal / IMAGE_SIZE * 1.05 - centred[:, 2:]).max()
        self.world_from_camera = rigid_transform(rotmat, middle - rotmat @ [0, 0, distance])
        self.camera_from_world = invert_rigid_transform(self.world_from_camera)


def film(recording: FilmedRecording, folder: Path, samples: int) -> None:
    """Render the missing images."""
    pictures = folder / recording.folder
    render_frames(recording.performer, pictures, IMAGE_SIZE, recording.intrinsics, recording.world_from_camera, samples, threads=1)


def encode(recording: FilmedRecording, folder: Path) -> None:
    """Encode the images as a video."""
    encode_video(folder / recording.folder, folder / f"{recording.folder}.mp4", IMAGE_SIZE, int(FPS), {"crf": "16"})


def measure_estimators(recording: FilmedRecording, folder: Path) -> dict[str, float]:
    """PA-MPJPE, mm, of each estimator alone and of each method's lifted joints, by name; and the number of frames."""
    from dataclasses import replace

    import torch

    from blender_meshrec.backend.pipeline import recover
    from blender_meshrec.backend.registry import ESTIMATORS
    from blender_meshrec.backend.tracking.detect_and_track import detect_and_track
    from blender_meshrec.bridge.messages import ReconstructRequest
    from blender_meshrec.core.cameras import default_intrinsics, transform_points
    from blender_meshrec.core.metrics import pa_mpjpe
    from blender_meshrec.core.skeletons import H36M17, SMPL_JOINTS, limb_indices

    request = ReconstructRequest(source=str(folder / f"{recording.folder}.mp4"), cache=str(folder / "cache"), device="cpu")
    tracked = detect_and_track(request)
    person = tracked.people[0]
    true = transform_points(recording.camera_from_world, recording.joints)[: len(person)][:, limb_indices(SMPL_JOINTS)]
    visible, intrinsics = person.visible, default_intrinsics(tracked.frames.size)
    numbers: dict[str, float] = {"frames": int(visible.sum())}
    for method in ESTIMATORS.implementations:
        estimate = ESTIMATORS.get(method)(person, intrinsics, tracked.frames.timestamps, torch.device("cpu"))
        numbers[f"{method} alone"] = pa_mpjpe(estimate.joints[visible][:, limb_indices(H36M17)], true[visible])
    for method in ("auto", *ESTIMATORS.implementations):
        recovery = recover(replace(request, method=method)).recoveries[0]
        lifted = transform_points(recovery.camera_from_world, recovery.lifted_joints.astype(float))
        numbers[f"{method} lifted"] = pa_mpjpe(lifted[visible][:, limb_indices(H36M17)], true[visible])
    return numbers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("film", "encode", "measure"))
    parser.add_argument("mocap", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("clips", nargs="+", metavar="CLIP[:FIRST:END]")
    parser.add_argument("--samples", type=int, default=8)
    settings = parser.parse_args()
    measured = []
    for name in settings.clips:
        recording = FilmedRecording(settings.mocap, name)
        if settings.step == "film":
            film(recording, settings.folder, settings.samples)
        elif settings.step == "encode":
            encode(recording, settings.folder)
        else:
            measured.append(measure_estimators(recording, settings.folder))
            print(name, " ".join(f"{key} {value:.4g}" for key, value in measured[-1].items()), flush=True)
    if measured:
        print("mean", " ".join(f"{key} {np.mean([numbers[key] for numbers in measured]):.4g}" for key in measured[0]))


if __name__ == "__main__":
    main()
