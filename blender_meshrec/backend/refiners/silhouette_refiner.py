"""`--refine silhouettes`: the fitted body's girth, and hands and feet that no keypoint shows, from silhouettes.

The network of methods/silhouette_refinement.py takes up to 32 silhouettes; its betas are pooled over them and become,
with the body's bone lengths, the prior of a fit of outlines (contour_fit.py), so that silhouettes change girth and do not
move joints. Limbs keep their directions exactly. A change that lowers the agreement of the body's silhouettes with the observed
ones is rejected: first in part, then as a whole.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import roma
import torch

from ...bodies.silhouette_rendering import SurfacePoints
from ...core.array_types import ArrayLike, FloatArray, IntArray
from ...core.cameras import rays_from_pixels
from ...core.files.body_template import BodyTemplate, load_body
from ...core.records import BodyParams
from ...core.silhouettes import Silhouettes
from ...core.skeletons import H36M17, SMPL_JOINTS, limb_indices
from ...core.time_series import interpolate_over_time, weighted_median
from ...methods.silhouette_refinement import (
    END_JOINT_INDICES,
    END_JOINTS,
    NUM_BETAS,
    Corrections,
    SilhouetteCrops,
    SilhouetteNetwork,
    apply_end_corrections,
    load_network,
    predict_corrections,
)
from ..clip import Clip, Person
from ..fitting.betas_fit import MAX_BETA, bone_lengths_and_jacobian, fit_betas, measure_lengths
from ..fitting.body_params import with_rotvecs
from ..registry import refiner
from .contour_fit import GaussianPrior, fit_contours
from .end_visibility import end_visibility
from .posed_clip import PosedClip, SilhouetteComparison, repeat_betas

# A silhouette that the body covers less than this shows somebody else, or nobody.
MIN_IOU = 0.35
NETWORK_ITERATIONS = 2  # applications of the network, each to the result of the one before
# Standard deviation of the body's bone lengths in the fit of outlines, m.
BONE_LENGTH_SIGMA = 0.006
# Least standard deviation of the network's betas: it has the same error in all silhouettes, and clothes mislead it.
MIN_NETWORK_SIGMA = 1.5
# The fractions of the change of betas that are tried, in this order.
BETAS_FRACTIONS = (1.0, 0.5, 0.25)
# Standard deviation in time over which corrections of ends are averaged, s; and the log of the network's scale, of rad, up to
# which a silhouette determines an end.
END_SMOOTHING_TIME = 0.2
MAX_END_LOG_SCALE = 0.0
# An outline hardly shows the rotation of a head: on people of the training set the network's answers for it did more harm than good.
REFINED_ENDS = tuple(end for end in END_JOINTS if end != "head")
# The gain in mean intersection over union from which a correction of an end is accepted.
MIN_END_IOU_GAIN = 0.0005


@dataclass(frozen=True)
class ShapeReport:
    """The outcome of a refinement.

    num_silhouettes, num_used: silhouettes given and used. iou_before, iou_after: their mean intersection over union with the body.
    applied_fraction: of the change of betas, 0 when it was rejected. corrected_ends: names of the ends that were corrected.
    """

    num_silhouettes: int
    num_used: int
    iou_before: float
    iou_after: float
    applied_fraction: float
    corrected_ends: tuple[str, ...]


class NetworkAnswer(NamedTuple):
    """The network's corrections for S silhouettes.

    betas: (10,) to add, pooled, or None for a body whose betas the network does not know. betas_sigma: (10,).
    end_rotvecs: (S,5,3) rad, of END_JOINTS. end_log_scales: (S,5), logs of the expected errors in rad.
    """

    betas: FloatArray | None
    betas_sigma: FloatArray
    end_rotvecs: torch.Tensor
    end_log_scales: torch.Tensor


@refiner("silhouettes", stage="body")
def refine_by_silhouettes(person: Person, clip: Clip) -> dict[str, Any]:
    """The Refiner of girth, hands and feet."""
    visibility = end_visibility(person.observations, clip.motion_times)
    body, report = refine_shape(
        clip.template, person.fit.body, person.steady.silhouettes, clip.intrinsics, clip.view_size, clip.motion_times, visibility
    )
    person.fit = replace(person.fit, body=body)
    return {
        "looked_at": report.num_silhouettes,
        "used": report.num_used,
        "agreement_before": round(report.iou_before, 4),
        "agreement_after": round(report.iou_after, 4),
        "share_kept": report.applied_fraction,
        "ends_turned": list(report.corrected_ends),
    }


def refine_shape(
    template: BodyTemplate,
    body: BodyParams,
    silhouettes: Silhouettes | None,
    intrinsics: ArrayLike,
    image_size: ArrayLike,
    timestamps: ArrayLike,
    ends_known: ArrayLike | None = None,
    network: SilhouetteNetwork | None = None,
) -> tuple[BodyParams, ShapeReport]:
    """Refine a body by silhouettes.

    Args:
        template: of any family. body: in camera axes. intrinsics: (3,3) px. image_size: (width, height) px. timestamps: (F,) s.
        ends_known: (F,5) 0..1, how far head, hands and feet follow keypoints of their own (`end_visibility`) and stay as they are.
        network: the one that ships when None.

    Returns:
        BodyParams and a ShapeReport. Without silhouettes that show this body, `body` itself.

    Raises:
        ModelError: the weights are missing or damaged.
    """
    if silhouettes is None or not len(silhouettes):
        return body, ShapeReport(0, 0, 0.0, 0.0, 0.0, ())
    clip = PosedClip(template, body, silhouettes.rows)
    observed = SilhouetteComparison(clip, make_silhouette_crops(silhouettes, intrinsics, image_size), clip.rows)
    before = observed.iou(clip.betas, clip.rotmats, clip.transl)
    trust = np.where(before > MIN_IOU, before, 0.0)
    if not trust.any():
        return body, ShapeReport(len(before), 0, float(before.mean()), float(before.mean()), 0.0, ())
    answer = _run_network(network or load_network(), clip, observed.crops, trust)
    wanted = _fit_betas(clip, observed.crops, trust, answer)
    used = np.flatnonzero(trust)
    compared = observed.select(used)
    betas, fraction, after = _accept_betas(compared, wanted, before[used])
    rotmats, transl = clip.with_betas(betas)
    known = np.zeros((len(body.transl), len(END_JOINTS))) if ends_known is None else np.asarray(ends_known, float)
    corrections = _end_corrections(answer, used, clip.rows[used], known, np.asarray(timestamps, float))
    rotmats, corrected, after = _accept_end_corrections(compared, corrections, betas, rotmats, transl, after)
    report = ShapeReport(len(before), len(used), float(before[used].mean()), float(after.mean()), fraction, corrected)
    if fraction == 0 and not corrected:
        return body, report
    return with_rotvecs(body, roma.rotmat_to_rotvec(rotmats).numpy(), betas=betas, transl=transl.numpy()), report


def make_silhouette_crops(silhouettes: Silhouettes, intrinsics: ArrayLike, image_size: ArrayLike) -> SilhouetteCrops:
    """Silhouettes as the network takes them, their windows as lines of sight; intrinsics (3,3) px, image_size (width, height) px."""
    intrinsics = np.asarray(intrinsics, float)
    side = silhouettes.squares[:, 2:].astype(float)
    corner = silhouettes.squares[:, :2] - side / 2
    windows = np.concatenate([rays_from_pixels(corner, intrinsics), side / np.diag(intrinsics)[:2]], 1)
    num_pixels = silhouettes.masks.shape[-1]
    steps = (np.arange(num_pixels) + 0.5) / num_pixels
    columns, rows = (corner[:, axis, None] + side * steps for axis in (0, 1))
    image_size = np.asarray(image_size, float)
    inside = ((rows > 0) & (rows < image_size[1]))[:, :, None] & ((columns > 0) & (columns < image_size[0]))[:, None]
    return SilhouetteCrops(
        torch.as_tensor(silhouettes.masks & inside), torch.as_tensor(inside), torch.as_tensor(windows, dtype=torch.float32)
    )


# --- the network -------------------------------------------------------------------------------------------------------


def _run_network(network: SilhouetteNetwork, clip: PosedClip, crops: SilhouetteCrops, trust: FloatArray) -> NetworkAnswer:
    """Apply the network to silhouettes with trust (S,), and pool its betas.

    The network knows the open body; for another body it is given the open body with the same bone lengths.
    """
    is_open = clip.template.surface_model_type == "open"
    surface, betas, transl = clip.surface, clip.betas, clip.transl[clip.rows]
    if not is_open:
        open_body = load_body()
        surface = SurfacePoints(open_body)
        betas = _open_body_betas(open_body, clip.template, clip.betas)
        # Pelvises coincide, wherever each body has its origin.
        root, open_root = (body.rest_joints(repeat_betas(b, 1))[0, 0] for body, b in ((clip.surface, clip.betas), (surface, betas)))
        transl = transl + (root - open_root)
    rotmats = clip.rotmats[clip.rows][:, clip.template.smpl_joint_indices]
    refined_betas, refined = betas, rotmats
    answers: list[Corrections] = []
    for _ in range(NETWORK_ITERATIONS):
        corrections = predict_corrections(network, surface, crops, repeat_betas(refined_betas, len(rotmats)), refined, transl)
        weights = np.sqrt(trust)[:, None] * np.exp(-corrections.log_scale_betas.numpy())
        change = np.array([weighted_median(corrections.betas[:, k].numpy(), weights[:, k]) for k in range(NUM_BETAS)])
        refined_betas = np.clip(refined_betas + change, -MAX_BETA, MAX_BETA)
        refined = apply_end_corrections(refined, corrections.ends)
        answers.append(corrections)
    end_rotvecs = roma.rotmat_to_rotvec(rotmats[:, END_JOINT_INDICES].mT @ refined[:, END_JOINT_INDICES])
    sigma = np.maximum(np.exp(answers[-1].log_scale_betas.numpy()).min(0), MIN_NETWORK_SIGMA)
    return NetworkAnswer(refined_betas - betas if is_open else None, sigma, end_rotvecs, answers[-1].log_scale_ends)


def _open_body_betas(open_body: BodyTemplate, template: BodyTemplate, betas: FloatArray) -> FloatArray:
    """Betas of the open body whose bones are as long as another body's."""
    rest_joints = template.rest_joints(betas)[template.smpl_joint_indices]
    joints = np.zeros((1, len(H36M17), 3))
    joints[0, limb_indices(H36M17)] = rest_joints[limb_indices(SMPL_JOINTS)]
    return fit_betas(open_body, measure_lengths(joints, np.ones(joints.shape[:2])))


# --- the shape ---------------------------------------------------------------------------------------------------------


def _fit_betas(clip: PosedClip, crops: SilhouetteCrops, trust: FloatArray, answer: NetworkAnswer) -> FloatArray:
    """The betas (B,) of outlines, bone lengths and the network together."""
    betas = clip.betas
    _lengths, jacobian = bone_lengths_and_jacobian(clip.template, betas)
    # What bone lengths do not determine has the population's distribution, of which a beta is one standard deviation.
    precision = jacobian.T @ jacobian / BONE_LENGTH_SIGMA**2 + np.eye(len(betas))
    mean = betas
    if answer.betas is not None:
        network_precision = np.diag(1 / answer.betas_sigma[: len(betas)] ** 2)
        precision = precision + network_precision
        mean = betas + np.linalg.solve(precision, network_precision @ answer.betas[: len(betas)])
    prior = GaussianPrior(mean, precision)
    fitted = fit_contours(clip.surface, crops, trust, mean, clip.rotmats[clip.rows], clip.transl[clip.rows], prior)
    return np.clip(fitted, -MAX_BETA, MAX_BETA)


def _accept_betas(compared: SilhouetteComparison, wanted: FloatArray, before: FloatArray) -> tuple[FloatArray, float, FloatArray]:
    """As much of the change to `wanted` betas as raises the agreement (S,): betas, the fraction, and the agreement (S,)."""
    clip = compared.clip
    for fraction in BETAS_FRACTIONS:
        betas = clip.betas + fraction * (wanted - clip.betas)
        after = compared.iou(betas, *clip.with_betas(betas))
        if after.mean() > before.mean() and np.median(after) >= np.median(before):
            return betas, fraction, after
    return clip.betas, 0.0, before


# --- the ends ----------------------------------------------------------------------------------------------------------


def _end_corrections(
    answer: NetworkAnswer, used: IntArray, rows: torch.Tensor, known: FloatArray, times: FloatArray
) -> dict[str, FloatArray]:
    """Rotation vectors (F,3) rad by which to correct each end that silhouettes determine and keypoints do not.

    used: (S,), indices of silhouettes. rows: (S,), their frames. known: (F,5) 0..1. times: (F,) s.
    """
    rotvecs, log_scales = answer.end_rotvecs.numpy()[used], answer.end_log_scales.numpy()[used]
    frames = rows.numpy()
    corrections: dict[str, FloatArray] = {}
    for end in REFINED_ENDS:
        column = END_JOINTS.index(end)
        is_used = (known[frames, column] == 0) & (log_scales[:, column] < MAX_END_LOG_SCALE)
        if is_used.any():
            weights = np.exp(-2 * log_scales[is_used, column])
            corrections[end] = _smooth_corrections(rotvecs[is_used, column], weights, times[frames[is_used]], times, known[:, column])
    return corrections


def _smooth_corrections(
    rotvecs: FloatArray, weights: FloatArray, sample_times: FloatArray, times: FloatArray, known: FloatArray
) -> FloatArray:
    """Corrections (F,3) rad for every frame from those (P,3) at some times (P,): each averaged with its neighbours, linear in
    between, and reduced by what is `known` (F,)."""
    kernel = np.exp(-0.5 * ((sample_times[:, None] - sample_times) / END_SMOOTHING_TIME) ** 2) * weights
    smooth = kernel @ rotvecs / kernel.sum(1, keepdims=True)
    return (1 - known)[:, None] * interpolate_over_time(times, sample_times, smooth)


def _accept_end_corrections(
    compared: SilhouetteComparison,
    corrections: dict[str, FloatArray],
    betas: FloatArray,
    rotmats: torch.Tensor,
    transl: torch.Tensor,
    before: FloatArray,
) -> tuple[torch.Tensor, tuple[str, ...], FloatArray]:
    """Rotations (F,J,3,3) with the corrections that raise the agreement (S,), the names of these, and the agreement."""
    accepted: list[str] = []
    for end, rotvecs in corrections.items():
        joint = END_JOINT_INDICES[END_JOINTS.index(end)]
        corrected = rotmats.clone()
        corrected[:, joint] = rotmats[:, joint] @ roma.rotvec_to_rotmat(torch.as_tensor(rotvecs).to(rotmats))
        after = compared.iou(betas, corrected, transl)
        if after.mean() >= before.mean() + MIN_END_IOU_GAIN:
            rotmats, before = corrected, after
            accepted.append(end)
    return rotmats, tuple(accepted), before
