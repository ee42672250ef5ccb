"""The last stage of a SKEL reconstruction: convert SMPL motion to SKEL's anatomical angles and back, and fit the angles to the footage."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ...bodies.skel import Skel
from ...bodies.smpl import Smpl
from ...core.array_types import BoolArray, FloatArray
from ...core.conventions import WORLD_FROM_BODY
from ...core.errors import InputError
from ...core.messages import Message
from ...core.records import Observations, Recovery
from ...core.skel.channels import upright_from_world_angles, upright_from_world_transl, world_from_upright_angles, world_from_upright_transl
from ...core.skel.metrics import anatomy_report, format_anatomy_report
from ...core.skel.template import load_skel
from ...core.skeletons import KEYPOINT_SETS
from ...methods.hsmr import skelify
from ...methods.skel_to_smpl import convert_skel_to_smpl
from ...methods.smpl_to_skel import FLAG_DISTANCE, SkelMotion, convert_smpl_to_skel
from ..clip import Clip, Person
from ..fitting.body_params import with_posed_joints
from ..registry import refiner, refiners_of_stage

OnFrames = Callable[[int, int], None]  # is called with the frames done and the frames in total
Conversion = tuple[Recovery, dict[str, Any], list[Message]]


def load_skel_body(source: str, device: torch.device | str) -> Skel:
    """The Skel that a request's `skel_body` names. Raises ModelError as `load_skel` does."""
    return Skel(load_skel(source), device)


def convert_to_skel(
    recovery: Recovery,
    body: Smpl,
    skel: Skel,
    on_progress: OnFrames = lambda done, total: None,
    first_q: FloatArray | None = None,
) -> Conversion:
    """Add SKEL's angles to an SMPL motion. first_q: (F,46) rad that HSMR regressed, of which the fit may start.

    Returns:
        the Recovery with q, skel_betas and skel_trans, the report, and warnings.

    Raises:
        InputError: body and skel are of different meshes.
    """
    motion = convert_smpl_to_skel(body, skel, recovery.poses, recovery.betas, recovery.trans, on_progress=on_progress, first_q=first_q)
    smpl_rest = body.template.rest_vertices(recovery.betas), body.template.faces
    skel_rest = skel.template.rest_vertices(motion.skel_betas), skel.template.faces
    anatomy = anatomy_report(recovery.poses[:, :72], motion.q, smpl_rest, skel_rest)
    report = {
        "mean_distance_mm": round(1000 * float(motion.pve.mean()), 2),
        "frames_within_limits": int(motion.within_limits.sum()),
        "frames_repaired": int(motion.repaired.sum()),
        "frames_over_6_cm": int(motion.flagged.sum()),
        "anatomy": _round_numbers(anatomy),
        "anatomy_line": format_anatomy_report(anatomy),
    }
    converted = replace(
        recovery, q=motion.q, skel_betas=motion.skel_betas, skel_trans=motion.skel_trans, skel_model_type=skel.template.kind
    )
    return converted, report, _conversion_warnings(motion)


def convert_to_smpl(recovery: Recovery, body: Smpl, skel: Skel, on_progress: OnFrames = lambda done, total: None) -> Conversion:
    """Replace the SMPL motion of a Recovery by the conversion of its SKEL angles; returns and raises as `convert_to_skel`."""
    if skel.template.kind != recovery.skel_model_type:
        made, given = recovery.skel_model_type, skel.template.kind
        problem = "The angles were made on another SKEL body ({made}, not {given})."
        if made == "open":
            raise InputError("angles-of-open-skel", problem, "Choose the open SKEL body.", made=made, given=given)
        raise InputError("angles-of-another-skel", problem, "Choose the SKEL file they were made with.", made=made, given=given)
    motion = convert_skel_to_smpl(skel, body, *_skel_parameters(recovery), on_progress)
    converted = with_posed_joints(body, replace(recovery, poses=motion.poses, betas=motion.betas, trans=motion.trans))
    is_flagged = motion.max_pve > FLAG_DISTANCE
    report = {"mean_distance_mm": round(1000 * float(motion.pve.mean()), 2), "frames_over_6_cm": int(is_flagged.sum())}
    return converted, report, _distance_warnings(is_flagged)


def check_skel_refiners(names: Iterable[str], skeleton: str) -> None:
    """Refuse refiners of SKEL's angles for other skeletons. Raises InputError."""
    for name in refiners_of_stage("skel", names):
        if skeleton != "skel":
            raise InputError(
                "refiner-needs-skel",
                "The refiner {name} betters SKEL's angles, and the skeleton is SMPL's.",
                "Choose the skeleton SKEL, too.",
                name=name,
            )


@refiner("skelify", stage="skel")
def refine_angles(person: Person, clip: Clip) -> dict[str, Any]:
    """The Refiner of SKEL's angles."""
    person.recovery, report = refine_with_skelify(person.recovery, person.observations, clip.require_skel())
    return report


def refine_with_skelify(recovery: Recovery, observations: Observations, skel: Skel) -> tuple[Recovery, dict[str, Any]]:
    """Fit the SKEL angles of a Recovery to the keypoints, in frames in which that lowers the reprojection error; and the report."""
    q, betas, transl = _skel_parameters(recovery)
    pelvis, root = skel.template.bone_frames(betas)[0], skel.template.rest_joints(betas)[0]
    world_from_body = np.eye(4)
    world_from_body[:3, :3] = WORLD_FROM_BODY
    keypoints = observations.keypoints.astype(float)
    keypoints[..., 2] *= observations.visible[:, None]
    fit = skelify(
        skel,
        keypoints,
        KEYPOINT_SETS[observations.keypoint_set].points,
        recovery.camera_intrinsics,
        recovery.camera_from_world @ world_from_body,
        upright_from_world_angles(q, pelvis),
        betas,
        upright_from_world_transl(transl, root),
    )
    pelvis, root = skel.template.bone_frames(fit.betas)[0], skel.template.rest_joints(fit.betas)[0]
    refined = replace(
        recovery,
        q=world_from_upright_angles(fit.q, pelvis),
        skel_betas=fit.betas,
        skel_trans=world_from_upright_transl(fit.transl, root),
    )
    report = {
        "reprojection_px_before": _median_error(fit.error_before, observations.visible),
        "reprojection_px": _median_error(fit.error, observations.visible),
        "frames_kept": int(fit.improved.sum()),
    }
    return refined, report


def _skel_parameters(recovery: Recovery) -> tuple[FloatArray, FloatArray, FloatArray]:
    """q (F,46) rad, skel_betas (B,) and skel_trans (F,3) m of a SKEL result."""
    if recovery.q is None or recovery.skel_betas is None or recovery.skel_trans is None:
        raise ValueError("This Recovery has no SKEL angles")
    return recovery.q, recovery.skel_betas, recovery.skel_trans


def _median_error(error: FloatArray, visible: BoolArray) -> float | None:
    """The median error, px, of frames with the person; None without any."""
    return round(float(np.median(error[visible])), 2) if visible.any() else None


def _conversion_warnings(motion: SkelMotion) -> list[Message]:
    warnings: list[Message] = []
    if count := int((~motion.within_limits).sum()):
        text = "In {count} of {frames} frames the motion goes beyond what SKEL's joints can do, and was held at their limits."
        warnings.append(Message("motion-beyond-skel-limits", text, count=count, frames=len(motion.pve)))
    return warnings + _distance_warnings(motion.flagged)


def _distance_warnings(is_flagged: BoolArray) -> list[Message]:
    frames = int(is_flagged.sum())
    if not frames:
        return []
    text = "In {count} frames SKEL's skin is more than {distance:.0f} cm away from SMPL's somewhere."
    return [Message("skel-skin-far-from-smpl", text, count=frames, distance=100 * FLAG_DISTANCE)]


def _round_numbers(report: Mapping[str, Any]) -> dict[str, Any]:
    """A nested report with three digits, and None for numbers that are not finite."""
    return {
        name: _round_numbers(part) if isinstance(part, Mapping) else (round(part, 3) if np.isfinite(part) else None)
        for name, part in report.items()
    }
