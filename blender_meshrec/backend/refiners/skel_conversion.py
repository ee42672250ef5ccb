"""The last stage of a SKEL reconstruction: SMPL motion said in SKEL's anatomical angles, those fitted to the footage, and the way back."""

from dataclasses import replace
from typing import Any

import numpy as np

from ...bodies.skel import Skel
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
from ...methods.smpl_to_skel import FLAG_DISTANCE, convert_smpl_to_skel
from ..clip import Clip, Person
from ..fitting.body_params import with_posed_joints
from ..registry import refiner, refiners_of_stage


def load_skel_body(source, device):
    """The Skel that a request's `skel_body` names. Raises ModelError as `load_skel` does."""
    return Skel(load_skel(source), device)


def convert_to_skel(recovery, body, skel, on_progress=lambda done, total: None):
    """Say a Recovery in SKEL's angles.

    Returns:
        the Recovery with q, skel_betas and skel_trans, what a report says of it, and sentences to warn with.

    Raises:
        InputError: body and skel are of different meshes.
    """
    found = convert_smpl_to_skel(body, skel, recovery.poses, recovery.betas, recovery.trans, on_progress=on_progress)
    recovery = replace(recovery, q=found.q, skel_betas=found.skel_betas, skel_trans=found.skel_trans, skel_model_type=skel.template.kind)
    betas = recovery.betas
    own = body.template.rest_vertices(betas), body.template.faces
    rest = skel.template.rest_vertices(found.skel_betas), skel.template.faces
    anatomy = anatomy_report(recovery.poses[:, :72], found.q, own, rest)
    report = {
        "mean_distance_mm": round(1000 * float(found.pve.mean()), 2),
        "frames_within_limits": int(found.within_limits.sum()),
        "frames_repaired": int(found.repaired.sum()),
        "frames_over_6_cm": int(found.flagged.sum()),
        "anatomy": _round_report(anatomy),
        "anatomy_line": format_anatomy_report(anatomy),
    }
    return recovery, report, _conversion_warnings(found)


def convert_to_smpl(recovery, body, skel, on_progress=lambda done, total: None):
    """Say the SKEL angles of a Recovery in SMPL's rotations; returns and raises as `convert_to_skel`."""
    if skel.template.kind != recovery.skel_model_type:
        made, given = recovery.skel_model_type, skel.template.kind
        problem = "The angles were made on another SKEL body ({made}, not {given})."
        if made == "open":
            raise InputError("angles-of-open-skel", problem, "Choose the open SKEL body.", made=made, given=given)
        raise InputError("angles-of-another-skel", problem, "Choose the SKEL file they were made with.", made=made, given=given)
    found = convert_skel_to_smpl(skel, body, recovery.q, recovery.skel_betas, recovery.skel_trans, on_progress)
    recovery = with_posed_joints(body, replace(recovery, poses=found.poses, betas=found.betas, trans=found.trans))
    report = {
        "mean_distance_mm": round(1000 * float(found.pve.mean()), 2),
        "frames_over_6_cm": int((found.max_pve > FLAG_DISTANCE).sum()),
    }
    return recovery, report, _distance_warnings(found.max_pve > FLAG_DISTANCE)


def check_skel_refiners(names, skeleton):
    """Refuse refiners of SKEL's angles where there are none."""
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
    person.recovery, report = refine_with_skelify(person.recovery, person.observations, clip.skel)
    return report


def refine_with_skelify(recovery: Recovery, observations: Observations, skel: Skel) -> tuple[Recovery, dict[str, Any]]:
    """A Recovery whose SKEL angles are fitted to what was seen, where that brings them nearer to it; and what a report says of it."""
    betas = recovery.skel_betas
    pelvis, root = skel.template.bone_frames(betas)[0], skel.template.rest_joints(betas)[0]
    stood = np.eye(4)
    stood[:3, :3] = WORLD_FROM_BODY
    keypoints = observations.keypoints * [1, 1, 0] + observations.keypoints * [0, 0, 1] * observations.visible[:, None, None]
    found = skelify(
        skel,
        keypoints,
        KEYPOINT_SETS[observations.keypoint_set].points,
        recovery.camera_intrinsics,
        recovery.camera_from_world @ stood,
        upright_from_world_angles(recovery.q, pelvis),
        betas,
        upright_from_world_transl(recovery.skel_trans, root),
    )
    pelvis, root = skel.template.bone_frames(found.betas)[0], skel.template.rest_joints(found.betas)[0]
    recovery = replace(
        recovery,
        q=world_from_upright_angles(found.q, pelvis),
        skel_betas=found.betas,
        skel_trans=world_from_upright_transl(found.transl, root),
    )
    seen = observations.visible
    before, after = (round(float(np.median(error[seen])), 2) if seen.any() else None for error in (found.error_before, found.error))
    return recovery, {"reprojection_px_before": before, "reprojection_px": after, "frames_kept": int(found.kept.sum())}


def _conversion_warnings(found):
    said = []
    if beyond := int((~found.within_limits).sum()):
        said.append(
            Message(
                "motion-beyond-skel-limits",
                "In {count} of {frames} frames the motion goes beyond what SKEL's joints can do, and was held at their limits.",
                count=beyond,
                frames=len(found.pve),
            )
        )
    return said + _distance_warnings(found.flagged)


def _distance_warnings(flagged):
    frames = int(flagged.sum())
    if not frames:
        return []
    text = "In {count} frames SKEL's skin is more than {distance:.0f} cm away from SMPL's somewhere."
    return [Message("skel-skin-far-from-smpl", text, count=frames, distance=100 * FLAG_DISTANCE)]


def _round_report(report):
    """The numbers of a nested report with two or three digits, None for those that are none."""
    if isinstance(report, dict):
        return {name: _round_report(part) for name, part in report.items()}
    return round(report, 3) if np.isfinite(report) else None
