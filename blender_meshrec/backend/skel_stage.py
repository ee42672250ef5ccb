"""The last stage of a SKEL reconstruction: a recovered SMPL motion, said in SKEL's anatomical angles."""

from dataclasses import replace

import numpy as np

from ..bodies.skel import Skel
from ..core.skel_file import load_skel
from ..core.skel_measures import anatomy_line, anatomy_report
from ..methods.smpl_to_skel import FLAGGED, convert


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


def _warnings(found):
    said = []
    if beyond := int((~found.within_limits).sum()):
        said.append(
            f"In {beyond} of {len(found.pve)} frames the motion goes beyond what SKEL's joints can do, and was held at their limits."
        )
    if flagged := np.flatnonzero(found.flagged).size:
        said.append(f"In {flagged} frames SKEL's skin is more than {100 * FLAGGED:.0f} cm away from SMPL's somewhere.")
    return said


def _rounded(report):
    """The numbers of a nested report with two or three digits, None for those that are none."""
    if isinstance(report, dict):
        return {name: _rounded(part) for name, part in report.items()}
    return round(report, 3) if np.isfinite(report) else None
