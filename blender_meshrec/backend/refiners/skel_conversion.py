"""The last stage of a SKEL reconstruction: SMPL motion said in SKEL's anatomical angles, those fitted to the footage, and the way back."""

from dataclasses import replace

import numpy as np

from ...bodies.skel import Skel
from ...core.conventions import WORLD_FROM_BODY
from ...core.errors import InputError
from ...core.skel.channels import upright_angles, upright_place, world_angles, world_place
from ...core.skel.file import load_skel
from ...core.skel.metrics import anatomy_line, anatomy_report
from ...core.skeletons import KEYPOINT_SETS
from ...methods.hsmr import skelify
from ...methods.skel_to_smpl import convert_back
from ...methods.smpl_to_skel import FLAGGED, convert
from ..fitting.posed_joints import with_posed_joints
from ..registry import refiner


def load_skel_body(source, device):
    """The Skel that a request's `skel_body` names. Raises ModelError as `load_skel` does."""
    return Skel(load_skel(source), device)


def in_skel(recovery, body, skel, on_progress=lambda done, total: None):
    """Say a Recovery in SKEL's angles.

    Returns:
        the Recovery with q, skel_betas and skel_trans, what a report says of it, and sentences to warn with.

    Raises:
        InputError: body and skel are of different meshes.
    """
    found = convert(body, skel, recovery.poses, recovery.betas, recovery.trans, on_progress=on_progress)
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
        "anatomy": _rounded(anatomy),
        "anatomy_line": anatomy_line(anatomy),
    }
    return recovery, report, _warnings(found)


def in_smpl(recovery, body, skel, on_progress=lambda done, total: None):
    """Say the SKEL angles of a Recovery in SMPL's rotations; returns and raises as `in_skel`."""
    if skel.template.kind != recovery.skel_model_type:
        raise InputError(
            f"The angles were made on another SKEL body ({recovery.skel_model_type}, not {skel.template.kind}).",
            "Choose the SKEL file they were made with." if recovery.skel_model_type != "open" else "Choose the open SKEL body.",
        )
    found = convert_back(skel, body, recovery.q, recovery.skel_betas, recovery.skel_trans, on_progress)
    recovery = with_posed_joints(body, replace(recovery, poses=found.poses, betas=found.betas, trans=found.trans))
    report = {
        "mean_distance_mm": round(1000 * float(found.pve.mean()), 2),
        "frames_over_6_cm": int((found.max_pve > FLAGGED).sum()),
    }
    return recovery, report, _far_apart(found.max_pve > FLAGGED)


def needs_skel(names, skeleton):
    """Refuse refiners of SKEL's angles where there are none."""
    for name in names:
        if name in SKEL_REFINERS and skeleton != "skel":
            raise InputError(f"The refiner {name} betters SKEL's angles, and the skeleton is SMPL's.", "Choose the skeleton SKEL, too.")


@refiner("skelify")
def skelified(recovery, observations, skel):
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
        upright_angles(recovery.q, pelvis),
        betas,
        upright_place(recovery.skel_trans, root),
    )
    pelvis, root = skel.template.bone_frames(found.betas)[0], skel.template.rest_joints(found.betas)[0]
    recovery = replace(recovery, q=world_angles(found.q, pelvis), skel_betas=found.betas, skel_trans=world_place(found.transl, root))
    seen = observations.visible
    before, after = (round(float(np.median(error[seen])), 2) if seen.any() else None for error in (found.error_before, found.error))
    return recovery, {"reprojection_px_before": before, "reprojection_px": after, "frames_kept": int(found.kept.sum())}


SKEL_REFINERS = ("skelify",)


def _warnings(found):
    said = []
    if beyond := int((~found.within_limits).sum()):
        said.append(
            f"In {beyond} of {len(found.pve)} frames the motion goes beyond what SKEL's joints can do, and was held at their limits."
        )
    return said + _far_apart(found.flagged)


def _far_apart(flagged):
    frames = int(flagged.sum())
    return [f"In {frames} frames SKEL's skin is more than {100 * FLAGGED:.0f} cm away from SMPL's somewhere."] if frames else []


def _rounded(report):
    """The numbers of a nested report with two or three digits, None for those that are none."""
    if isinstance(report, dict):
        return {name: _rounded(part) for name, part in report.items()}
    return round(report, 3) if np.isfinite(report) else None
