"""How sure the lifter is against how wrong: calibration of its spreads on performers that it was not trained on."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from blender_meshrec.bodies.alignment import rotation_to_optical_axis
from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.skeletons import H36M17_PARENTS
from blender_meshrec.methods.lifter.even_times import FPS
from blender_meshrec.methods.skeleton2mesh import Lifter, lift_clip
from scripts.train.data.camera_views import Views, film_clip
from scripts.train.data.motion_clips import Clip

_PARENTS = list(H36M17_PARENTS[1:])
_KEYPOINTS = (("h36m17", False), ("h36m17", True), ("blazepose33", True))  # sets, and whether they are noisy


def measure_spread(lifter: Lifter, clips: Sequence[Clip], cameras: int = 2, seed: int = 8) -> tuple[FloatArray, FloatArray]:
    """Absolute errors and spreads (N,16,3) of joints relative to their parents, across and along the line of sight."""
    errors: list[FloatArray] = []
    spreads: list[FloatArray] = []
    for views, camera in _film(clips, cameras, seed):
        rays, valid = views.rays[camera], views.valid[camera]
        lifted = lift_clip(lifter, rays, views.confidence[camera], np.arange(len(rays)) / FPS, bool(views.detected[camera]))
        assert lifted.spread is not None
        error = lifted.joints - views.joints[camera]
        sight = rotation_to_optical_axis(torch.as_tensor(rays[:, 0])).numpy()  # of the hip
        bones = (error[:, 1:] - error[:, _PARENTS]) @ np.swapaxes(sight, -1, -2)
        errors.append(np.abs(bones)[valid])
        spreads.append(lifted.spread[valid][:, 1:])
    return np.concatenate(errors), np.concatenate(spreads)


def _film(clips: Sequence[Clip], cameras: int, seed: int) -> Iterator[tuple[Views, int]]:
    for number, clip in enumerate(clips):
        for keypoint_set, noisy in _KEYPOINTS:
            views = film_clip(np.random.default_rng([seed, number]), clip, keypoint_set, cameras, noisy)
            yield from ((views, camera) for camera in range(cameras))


def calibrate_spread(lifter: Lifter, clips: Sequence[Clip], within: float) -> None:
    """Scale the spreads, by axis, so that a share of the errors on these clips lies within them."""
    errors, spreads = measure_spread(lifter, clips)
    factors = np.quantile((errors / spreads).reshape(-1, 3), within, axis=0)
    bias = lifter.get_parameter("spread.2.bias")
    bias += torch.as_tensor(np.log(factors), dtype=bias.dtype).repeat(len(bias) // 3)


def summarise_spread(lifter: Lifter, clips: Sequence[Clip]) -> dict[str, float]:
    """The share of errors within the spread, and the correlation of the lengths of both over joints and frames."""
    errors, spreads = measure_spread(lifter, clips)
    lengths = [np.linalg.norm(values, axis=-1).ravel() for values in (errors, spreads)]
    return {"within": round(float((errors < spreads).mean()), 3), "correlation": round(float(np.corrcoef(*lengths)[0, 1]), 3)}
