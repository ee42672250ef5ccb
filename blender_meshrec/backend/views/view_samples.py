"""What one view shows of one person, at the times of the clip's first view."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...core.array_types import BoolArray, FloatArray
from ...core.cameras import rays_from_pixels
from ...core.records import Estimate, Observations
from ...core.skeletons import to_h36m17
from ...core.time_series import bracketing_samples, interpolate_cubic, interpolate_over_time
from ..fitting.clip_solve import weights
from ..fitting.clip_solve.body_points import BONES
from ..fitting.clip_solve.lifted_bones import bone_precision
from ..fitting.keypoint_noise import keypoint_noise, keypoint_weights

MAX_GAP = 0.2  # s between two frames with the person, within which they are interpolated


@dataclass(frozen=True)
class ViewSamples:
    """One person in one view, over F times.

    keypoints: (F,17,3) px and confidence, h36m17. visible: (F,). lifted: (F,17,3) m about the hip, the view's axes. spread: (F,17,3) m or
    None. contacts: (F,4) 0..1 or None. Rows without the person are zero.
    """

    keypoints: FloatArray
    visible: BoolArray
    lifted: FloatArray
    spread: FloatArray | None = None
    contacts: FloatArray | None = None


def sample_view(observations: Observations, estimate: Estimate, own_times: FloatArray, times: FloatArray) -> ViewSamples:
    """One person's observations and estimate, of frames at own_times (N,) s, at other times (F,) s of the same clock.

    A time counts as seen between two frames with the person that are no farther apart than MAX_GAP.
    """
    rows = np.flatnonzero(observations.visible)
    if not len(rows):
        empty = np.zeros((len(times), 17, 3))
        return ViewSamples(empty, np.zeros(len(times), bool), empty)
    known = own_times[rows]
    before, after, _share = bracketing_samples(times, known)
    slack = 0.5 * float(np.median(np.diff(own_times))) if len(own_times) > 1 else 1e-3
    visible = (times >= known[0] - slack) & (times <= known[-1] + slack) & (known[after] - known[before] <= MAX_GAP)
    points = to_h36m17(observations.keypoints, observations.keypoint_set).astype(float)[rows]
    keypoints = interpolate_cubic(times, known, points)
    keypoints[..., 2] = np.minimum(points[before, :, 2], points[after, :, 2])

    def sampled(values: FloatArray | None) -> FloatArray | None:
        if values is None:
            return None
        found = interpolate_over_time(times, known, np.asarray(values, float)[rows])
        return found * visible.reshape(-1, *(1,) * (found.ndim - 1))

    lifted = sampled(estimate.joints)
    return ViewSamples(
        keypoints * visible[:, None, None],
        visible,
        np.zeros((len(times), 17, 3)) if lifted is None else lifted,
        sampled(estimate.spread),
        sampled(estimate.contacts),
    )


@dataclass(frozen=True)
class SightLines:
    """The lines of sight of one person in one view: rays (F,17,2), rates (F,17,2) 1/s, weights (F,17), sigma (F,17) of a ray."""

    rays: FloatArray
    rates: FloatArray
    weights: FloatArray
    sigma: FloatArray


def sight_lines(samples: ViewSamples, intrinsics: FloatArray, image_size: FloatArray, times: FloatArray) -> SightLines:
    """The lines of sight of a person's keypoints before a camera with intrinsics (3,3) px and a picture of (width, height) px."""
    rays = rays_from_pixels(samples.keypoints[..., :2], intrinsics)
    weight = keypoint_weights(samples.keypoints, image_size) * samples.visible[:, None]
    noise = weights.SEVERAL_VIEWS_NOISE_FACTOR * keypoint_noise(rays, weight, times)
    rates = np.zeros_like(rays)
    if len(times) > 1:
        rates = np.gradient(rays, times, axis=0)
        steady = samples.visible.copy()
        steady[1:] &= samples.visible[:-1]
        steady[:-1] &= samples.visible[1:]
        rates[~steady] = 0
    return SightLines(rays, rates, weight, np.broadcast_to(noise, weight.shape))


def unit_bones(samples: ViewSamples) -> FloatArray:
    """The directions (F,16,3) of the lifted bones, 0 where the view does not show the person."""
    vectors = np.stack([samples.lifted[:, end] - samples.lifted[:, begin] for begin, end in BONES], 1)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-6) * samples.visible[:, None, None]


def bones_precision(samples: ViewSamples, rays: FloatArray) -> FloatArray:
    """The inverse covariance (F,16,3,3) m^-2 of the lifted bones' errors, 0 where the view does not show the person."""
    sight = np.concatenate([rays[:, 0], np.ones((len(rays), 1))], -1)
    return bone_precision(samples.spread, sight, weights.SEVERAL_VIEWS_BONE_FACTOR) * samples.visible[:, None, None, None]


def lifted_length(samples: Sequence[ViewSamples]) -> FloatArray:
    """The lengths (16,) m of a person's bones as the views' lifters have them, in the median."""
    vectors = [
        np.linalg.norm(np.stack([view.lifted[:, end] - view.lifted[:, begin] for begin, end in BONES], 1), axis=-1) for view in samples
    ]
    return np.median(np.concatenate([vector[view.visible] for vector, view in zip(vectors, samples, strict=True)]), 0)


def merge_samples(tracks: Sequence[ViewSamples]) -> ViewSamples:
    """One person whom several tracks of a view show in turn, at least one; where two do, the first counts."""
    merged = tracks[0]
    for track in tracks[1:]:
        new = track.visible & ~merged.visible

        def filled(before: FloatArray | None, after: FloatArray | None, new: BoolArray = new) -> FloatArray | None:
            if before is None or after is None:
                return before
            return np.where(new.reshape(-1, *(1,) * (before.ndim - 1)), after, before)

        merged = ViewSamples(
            np.where(new[:, None, None], track.keypoints, merged.keypoints),
            merged.visible | track.visible,
            np.where(new[:, None, None], track.lifted, merged.lifted),
            filled(merged.spread, track.spread),
            filled(merged.contacts, track.contacts),
        )
    return merged
