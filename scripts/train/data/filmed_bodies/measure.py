"""Measure on filmed clips how far the detector's 2D is from the truth, and how far the 3D is that the product makes of it.

python -m scripts.train.data.filmed_bodies.measure OUT/test
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from blender_meshrec.backend.lifting.estimators import lift_and_average
from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.metrics import pa_mpjpe
from blender_meshrec.core.records import Estimate, Observations
from blender_meshrec.core.skeletons import H36M17, limb_indices, to_h36m17
from blender_meshrec.methods import blazepose, skeleton2mesh
from scripts.train.data.filmed_bodies.clips import FilmedClip
from scripts.train.data.filmed_bodies.detection import KEYPOINT_SET, clip_times
from scripts.train.data.filmed_bodies.shards import Shard, read_shards

STATURE = 1.7  # m
_LIMBS = limb_indices(H36M17)


def lift_from_2d(observations: Observations, intrinsics: FloatArray, timestamps: FloatArray, device: torch.device) -> Estimate:
    """The lifter without the detector's own 3D."""
    return skeleton2mesh.estimate(replace(observations, keypoints_3d=None), intrinsics, timestamps, device)


ESTIMATORS = {
    "detector's own 3D": blazepose.estimate,
    "lifter from 2D alone": lift_from_2d,
    "lifter": skeleton2mesh.estimate,
    "as shipped": lift_and_average,
}


def keypoint_errors(clip: FilmedClip) -> FloatArray:
    """Distances (N,17) of the detected joints from the true ones in the frames that have them, in % of the height of a body there."""
    height = STATURE * clip.intrinsics[0, 0] / clip.hip[:, 2]
    distance = np.linalg.norm(to_h36m17(clip.keypoints, KEYPOINT_SET)[..., :2] - clip.points, axis=-1)
    return (100 * distance / height[:, None])[clip.visible]


def observations_of(clip: FilmedClip) -> Observations:
    """What the detector reported, as the lifting stage takes it."""
    boxes = np.zeros((len(clip.visible), 4))
    return Observations(KEYPOINT_SET, boxes, clip.keypoints, clip.visible, clip.keypoints_3d)


def lifting_errors(clip: FilmedClip) -> dict[str, float]:
    """PA-MPJPE, mm, over the limb joints of the visible frames, for each of ESTIMATORS."""
    seen, times = observations_of(clip), clip_times(len(clip.visible))
    errors: dict[str, float] = {}
    for name, estimate in ESTIMATORS.items():
        joints = estimate(seen, clip.intrinsics, times, torch.device("cpu")).joints
        errors[name] = pa_mpjpe(joints[clip.visible][:, _LIMBS], clip.joints[clip.visible][:, _LIMBS])
    return errors


def report(shard: Shard) -> None:
    """Print both tables."""
    clips = [shard.clip(index) for index in range(len(shard))]
    visible = np.concatenate([clip.visible for clip in clips])
    print(f"{len(clips)} clips, {len(visible)} frames, found in {visible.mean():.1%}; {shard.dropped} scenes dropped")
    errors = np.concatenate([keypoint_errors(clip) for clip in clips])
    print("2D error, % of the body's height: median, 90 %")
    for joint, name in enumerate(H36M17):
        print(f"  {name:15s} {np.median(errors[:, joint]):5.2f} {np.percentile(errors[:, joint], 90):6.2f}")
    print(f"  {'limbs':15s} {np.median(errors[:, _LIMBS]):5.2f} {np.percentile(errors[:, _LIMBS], 90):6.2f}")
    lifted = [lifting_errors(clip) for clip in clips]
    weights = np.array([clip.visible.sum() for clip in clips])
    print("PA-MPJPE, mm: mean over frames, median and 90 % over clips")
    for name in ESTIMATORS:
        values = np.array([each[name] for each in lifted])
        print(f"  {name:18s} {np.average(values, weights=weights):6.1f} {np.median(values):6.1f} {np.percentile(values, 90):6.1f}")


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of the shards of one part")
    torch.set_num_threads(1)
    report(read_shards(parser.parse_args().folder))


if __name__ == "__main__":
    main()
