"""Where the detector sees joints, beside the body's own: along the bone that ends in each, on films with truth.

    .venv/bin/python -m scripts.evaluate.seen_joints FOLDER

FOLDER has the films of scripts/evaluate/filmed_cameras.py by cameras that do not zoom. For each film the median over frames in which the
bone lies across the line of sight is printed, cm, away from the bone's start; then the mean over films, and their standard deviation.
"""

import argparse
from pathlib import Path

import numpy as np

from blender_meshrec.backend.pipeline import open_clip
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.cameras import transform_points
from blender_meshrec.core.skeletons import H36M17, SMPL_JOINTS, to_h36m17
from scripts.evaluate.camera_clips import FOCAL, SIZE

# The joint at which a bone starts, and the joint at its end, whose place is measured.
BONES = (("knee", "hip"), ("hip", "knee"), ("knee", "ankle"), ("hip", "shoulder"), ("shoulder", "elbow"), ("elbow", "wrist"))
ACROSS, SURE, LEAST_FRAMES = 0.85, 0.7, 15  # share of a bone across the line of sight, confidence, and frames from which it counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    films = [path for path in sorted(folder.glob("*.mp4")) if "zoom" not in path.stem and "near" not in path.stem]
    rows = {path.stem: places_of_film(path, folder / "cache") for path in films}
    print(f"{'film':<24}" + "".join(f"{end:>10}" for _start, end in BONES))
    for name, places in rows.items():
        print(f"{name:<24}" + "".join(f"{place:10.1f}" for place in places))
    found = np.array(list(rows.values()))
    print(f"{'mean':<24}" + "".join(f"{mean:10.1f}" for mean in np.nanmean(found, 0)))
    print(f"{'standard deviation':<24}" + "".join(f"{sigma:10.1f}" for sigma in np.nanstd(found, 0)))


def places_of_film(path: Path, cache: Path) -> FloatArray:
    """Where the ends of BONES are seen, (6,) cm beyond them; nan of those that too few frames show."""
    with np.load(path.with_suffix(".npz")) as stored:
        joints, cameras = stored["joints"].astype(float), stored["camera_from_world"]
    clip, _tracked = open_clip(ReconstructRequest(str(path), cache=str(cache), device="cpu"), lambda progress: None)
    seen = clip.people[0].observations
    frames = min(len(seen.keypoints), len(joints))
    keypoints, truth = to_h36m17(seen.keypoints, seen.keypoint_set)[:frames], transform_points(cameras[:frames], joints[:frames])
    pixels = FOCAL * truth[..., :2] / truth[..., 2:] + np.array(SIZE) / 2
    return np.array([np.nanmean([place_of_end(keypoints, truth, pixels, side, bone) for side in ("left", "right")]) for bone in BONES])


def place_of_end(keypoints: FloatArray, truth: FloatArray, pixels: FloatArray, side: str, bone: tuple[str, str]) -> float:
    """How far, cm, the end of a bone is seen beyond it: keypoints (F,17,3), truth (F,24,3) m in camera axes, pixels (F,24,2)."""
    start, end = (SMPL_JOINTS.index(f"{side}_{name}") for name in bone)
    vector, along = truth[:, end] - truth[:, start], pixels[:, end] - pixels[:, start]
    along = along / np.linalg.norm(along, axis=-1, keepdims=True)
    seen = keypoints[:, H36M17.index(f"{side}_{bone[1]}")]
    beyond = ((seen[:, :2] - pixels[:, end]) * along).sum(-1) * truth[:, end, 2] / FOCAL
    lies_across = np.linalg.norm(vector[:, :2], axis=-1) > ACROSS * np.linalg.norm(vector, axis=-1)
    counts = lies_across & (seen[:, 2] > SURE)
    return 100 * float(np.median(beyond[counts])) if counts.sum() > LEAST_FRAMES else float("nan")


if __name__ == "__main__":
    main()
