"""What the second look adds: rendered bodies as MediaPipe alone sees them, as MoveNet does, and as both together do.

    .venv/bin/python -m scripts.evaluate.two_networks MOCAP [--clips 48]

Films scenes of the test performers (`scripts.train.data.filmed_bodies`) and prints a table: how far the limb joints are in the picture from
the true ones, % of the height of a body there, their mean, median and 95th percentile; how much they tremble, the mean second difference
from frame to frame in the same unit; the share of frames in which left and right of arms or legs are exchanged; and PA-MPJPE of the lifted
joints, mm. Below it: the errors of both by MoveNet's confidence, and how alike they are.
"""

import argparse
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from blender_meshrec.backend.detection.detector import ExpectedPerson
from blender_meshrec.backend.detection.mediapipe_detector import MediaPipeDetector
from blender_meshrec.backend.detection.second_look import SecondLook
from blender_meshrec.backend.footage.frame_source import Frame
from blender_meshrec.backend.lifting.estimators import lift_and_average
from blender_meshrec.backend.tracking.side_swaps import correct_side_swaps
from blender_meshrec.backend.tracking.tracker import Tracker
from blender_meshrec.backend.tracking.two_looks import join_looks, with_sides_of
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.core.array_types import BoolArray, FloatArray
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.files.model_files import model_file
from blender_meshrec.core.metrics import pa_mpjpe
from blender_meshrec.core.records import Observations
from blender_meshrec.core.skeletons import COCO17, H36M17, KEYPOINT_SETS, limb_indices, to_h36m17
from blender_meshrec.methods.movenet import WEIGHTS_FILE
from scripts.train.data.filmed_bodies.clips import MIN_FOUND, Scene, body_height, draw_scene, limb_errors
from scripts.train.data.filmed_bodies.detection import KEYPOINT_SET, MAX_ERROR, clip_times, make_detector
from scripts.train.data.filmed_bodies.motion import PARTS, MotionDrawer
from scripts.train.data.recordings import read_recordings

SEED = 1
LIMBS, SECOND_LIMBS = limb_indices(H36M17), limb_indices(COCO17)
EXCHANGED = 0.015  # of the body's height, by which limbs are nearer when their sides are exchanged
CONFIDENCES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)
COLUMNS = ("mean", "median", "95 %", "trembling", "arms exchanged, %", "legs exchanged, %", "lifted, mm")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mocap", type=Path, help="folder of the motion capture")
    parser.add_argument("--clips", type=int, default=48, help="number of scenes")
    settings = parser.parse_args()
    torch.set_num_threads(1)
    motions, body, detector = MotionDrawer(read_recordings(settings.mocap), "test"), make_body(load_body()), make_detector()
    rows: dict[str, list[list[FloatArray]]] = {}
    pairs: list[tuple[FloatArray, FloatArray]] = []
    for number in range(settings.clips):
        scene = draw_scene(np.random.default_rng((SEED, PARTS.index("test"), number)), body, motions)
        seen = watch_by_both(detector, scene)
        if seen is None:
            continue
        height, points = body_height(scene.camera, scene.joints), scene.camera.pixels(scene.joints)
        for name, (observations, limbs) in ways_of_looking(seen).items():
            rows.setdefault(name, []).append(measure(observations, limbs, points, height, scene))
        pairs.append(errors_of_both(seen, points[:, LIMBS], height))
    detector.close()
    print_table(rows)
    print_confidences(*(np.concatenate(parts) for parts in zip(*pairs, strict=True)))


def watch_by_both(detector: MediaPipeDetector, scene: Scene) -> Observations | None:
    """What MediaPipe reports of a scene, with a second look in every frame; None if it follows somebody else."""
    tracker, second = Tracker(KEYPOINT_SET), SecondLook(model_file(WEIGHTS_FILE), torch.device("cpu"))
    points = scene.camera.pixels(scene.joints)
    box = np.concatenate([points[0].min(0), points[0].max(0)])
    for row, (picture, time) in enumerate(zip(scene.pictures, clip_times(len(points)))):
        frame = Frame(1, time, 0.0, picture)
        detections = detector.detect(frame, tracker.predict(time) or [ExpectedPerson(box)])
        tracker.update(row, time, second.look_at(frame, detections, KEYPOINT_SET))
    second.run()
    second.close()
    people = tracker.people()
    if not people or people[0].visible.mean() < MIN_FOUND:
        return None
    if np.median(limb_errors(people[0].keypoints, points, scene)[people[0].visible]) > MAX_ERROR:
        return None
    return people[0]


def ways_of_looking(seen: Observations) -> dict[str, tuple[Observations | None, FloatArray]]:
    """By name: the observations, None where they are of MoveNet alone, and the limbs (F,12,2) px."""
    times, looks = clip_times(len(seen)), seen.second_look
    assert looks is not None
    found = {"MediaPipe": correct_side_swaps(replace(seen, second_look=None), times)}
    for name, step in (("both", 1), ("both, MoveNet in every second frame", 2), ("both, MoveNet in every third frame", 3)):
        rare = np.zeros_like(looks)
        rare[::step] = looks[::step]
        found[name] = join_looks(correct_side_swaps(replace(seen, second_look=rare), times), times)
    ways: dict[str, tuple[Observations | None, FloatArray]] = {
        name: (each, to_h36m17(each.keypoints, KEYPOINT_SET)[:, LIMBS, :2]) for name, each in found.items()
    }
    return {"MoveNet": (None, np.array(looks[:, SECOND_LIMBS, :2], float)), **ways}


def measure(observations: Observations | None, limbs: FloatArray, points: FloatArray, height: FloatArray, scene: Scene) -> list[FloatArray]:
    """Errors (N,12), second differences (M,12) and exchanged frames (N,2) of the frames that show the person, and the lifted error (1,)."""
    visible = np.ones(len(limbs), bool) if observations is None else np.asarray(observations.visible)
    visible = visible & limbs.any((1, 2))
    true = points[:, LIMBS]
    errors = 100 * np.linalg.norm(limbs - true, axis=-1) / height[:, None]
    three = visible[2:] & visible[1:-1] & visible[:-2]
    trembling = 100 * np.linalg.norm(np.diff(limbs, 2, axis=0), axis=-1) / height[1:-1, None]
    exchanged = np.stack([is_exchanged(limbs[:, part], true[:, part], height) for part in (slice(0, 6), slice(6, 12))], 1)
    lifted = np.nan
    if observations is not None:
        joints = lift_and_average(observations, scene.camera.intrinsics, clip_times(len(limbs)), torch.device("cpu")).joints
        camera_joints = (scene.joints - scene.joints[:, :1]) @ scene.camera.rotmat.T
        lifted = pa_mpjpe(joints[visible][:, LIMBS], camera_joints[visible][:, LIMBS])
    return [errors[visible], trembling[three], exchanged[visible].astype(float), np.array([lifted])]


def is_exchanged(limbs: FloatArray, true: FloatArray, height: FloatArray) -> BoolArray:
    """Whether pairs of left and right joints (F,6,2) px are nearer to the true ones (F,6,2) with their sides exchanged, (F,)."""
    order = [1, 0, 3, 2, 5, 4]
    straight, crossed = (np.linalg.norm(found - true, axis=-1).mean(1) / height for found in (limbs, limbs[:, order]))
    return straight - crossed > EXCHANGED


def errors_of_both(seen: Observations, true: FloatArray, height: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The errors (N,2,2), MediaPipe's and MoveNet's, % of the body's height, and MoveNet's confidence (N,), of limbs with alike sides."""
    assert seen.second_look is not None
    first, second = np.array(seen.keypoints, float), np.array(seen.second_look, float)
    second = with_sides_of(first, second, height, KEYPOINT_SET)[:, SECOND_LIMBS]
    both = np.stack([first[:, limb_indices(KEYPOINT_SETS[KEYPOINT_SET].points), :2], second[..., :2]], 2) - true[:, :, None]
    both = 100 * both / height[:, None, None, None]
    counts = np.asarray(seen.visible)[:, None] & (second[..., 2] > 0)
    return both[counts], second[..., 2][counts]


def print_table(rows: dict[str, list[list[FloatArray]]]) -> None:
    """Print a row for each way of looking."""
    print(f"| {len(rows['MediaPipe'])} clips |", " | ".join(COLUMNS), "|")
    for name, clips in rows.items():
        errors, trembling, exchanged, lifted = (np.concatenate(parts) for parts in zip(*clips, strict=True))
        weights = [len(clip[0]) for clip in clips]
        numbers = [errors.mean(), np.median(errors), np.percentile(errors, 95), trembling.mean(), *(100 * exchanged.mean(0))]
        print(f"| {name} |", " | ".join(f"{value:.2f}" for value in numbers), f"| {np.average(lifted, weights=weights):.1f} |")


def print_confidences(errors: FloatArray, confidence: FloatArray) -> None:
    """Print the mean errors by MoveNet's confidence, and the correlation of both over joints and axes."""
    lengths = np.linalg.norm(errors, axis=-1)
    for low, high in pairwise(CONFIDENCES):
        rows = (confidence >= low) & (confidence < high)
        first, second = lengths[rows].mean(0)
        share = 100 * rows.mean()
        print(f"MoveNet's confidence {low} to {high}: {share:.0f} % of the limb joints, MediaPipe {first:.1f}, MoveNet {second:.1f}")
    print(f"correlation of both errors: {np.corrcoef(errors[:, 0].ravel(), errors[:, 1].ravel())[0, 1]:.2f}")


if __name__ == "__main__":
    main()
