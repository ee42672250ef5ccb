"""What further views of a clip say of its people, as residuals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ....core.array_types import BoolArray, FloatArray
from ....core.cameras import rays_from_pixels, transform_points
from ....core.skeletons import H36M17
from ..keypoint_noise import keypoint_noise, keypoint_weights
from . import weights
from .body_points import SEEN_ROWS, PosedPoints
from .lifted_bones import bone_precision, lifted_bones
from .residuals import Residual, ViewPlace
from .view_residuals import ViewBones, ViewPrior, ViewReprojection, ViewSigma


@dataclass(frozen=True)
class PersonInView:
    """One person in a further view, over the clip's F frames, at their times.

    keypoints: (F,17,3) px and confidence, h36m17. lifted: (F,17,3) m about the hip, that view's axes. visible: (F,). spread: as of
    PersonEvidence.
    """

    keypoints: FloatArray
    lifted: FloatArray
    visible: BoolArray
    spread: FloatArray | None = None


@dataclass(frozen=True)
class ViewEvidence:
    """A further view. intrinsics: (3,3) px. image_size: (width, height) px. view_from_first: (4,4). sigma: how well it is known."""

    intrinsics: FloatArray
    image_size: FloatArray
    view_from_first: FloatArray
    sigma: ViewSigma

    @property
    def place(self) -> ViewPlace:
        """Where its camera is before the solve."""
        return ViewPlace(self.view_from_first[:3, :3], self.view_from_first[:3, 3], 0.0, np.zeros(3))


def residuals_of_views(
    people: Sequence[PersonInView | None],
    views: Sequence[ViewEvidence],
    seen: BoolArray,
    times: FloatArray,
    frame_weights: FloatArray,
    start: PosedPoints,
    prior_weight: float,
) -> list[Residual]:
    """The residuals of one person in all further views.

    Args:
        people: the person in each of the views. seen: (F,), the clip's frames with the person; times (S,) s and frame_weights (S,): those
            frames'. start: the body before the solve, in them. prior_weight: how often a prior of the whole clip counts.
    """
    residuals: list[Residual] = []
    for number, (person, view) in enumerate(zip(people, views, strict=True)):
        residuals.append(ViewPrior(number, view.place, view.sigma, prior_weight))
        if person is None or not person.visible[seen].any():
            continue
        keypoints = person.keypoints[seen].astype(float)
        rays = rays_from_pixels(keypoints[..., :2], view.intrinsics)
        visibility = keypoint_weights(keypoints, view.image_size) * person.visible[seen, None]
        pelvis = transform_points(view.view_from_first, start.state.pelvis)
        distance = np.maximum(pelvis[:, 2], 0.1)
        sigma = np.hypot(
            weights.KEYPOINT_SIGMA / distance[:, None], weights.SEVERAL_VIEWS_NOISE_FACTOR * keypoint_noise(rays, visibility, times)
        )
        used = [row for row in range(len(H36M17)) if visibility[:, row].any()]
        weight = (visibility * frame_weights[:, None])[:, used]
        residuals.append(ViewReprojection(number, SEEN_ROWS[used], rays[:, used], weight, sigma[:, used]))
        spread = None if person.spread is None else person.spread[seen]
        precision = (
            bone_precision(spread, pelvis, weights.SEVERAL_VIEWS_BONE_FACTOR) * (frame_weights * person.visible[seen])[:, None, None, None]
        )
        residuals.append(ViewBones(number, lifted_bones(person.lifted[seen].astype(float), start.markers), precision))
    return residuals
