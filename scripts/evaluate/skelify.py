"""Compare SKELify with the SMPL result that it starts from, on motion capture that no network was trained on."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from blender_meshrec.backend.pipeline import recover
from blender_meshrec.backend.refiners.skel_conversion import refine_with_skelify
from blender_meshrec.backend.tracking.detect_and_track import detect_and_track
from blender_meshrec.bodies.skel import Skel
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.metrics import pa_mpjpe
from blender_meshrec.core.records import Recovery
from blender_meshrec.core.skeletons import H36M17, LIMB_JOINTS, SMPL_JOINTS
from blender_meshrec.methods.hsmr import SKEL_LIMB_JOINTS
from blender_meshrec.methods.lifter.lifter_input import TOTAL_BONE_LENGTH
from scripts.evaluate.filmed_keypoints import write_keypoints
from scripts.train.data.camera_views import film_clip
from scripts.train.data.motion_clips import read_clips, split_by_subject

LIMBS17, LIMBS24 = ([names.index(name) for name in LIMB_JOINTS] for names in (H36M17, SMPL_JOINTS))
MAX_FRAMES = 300  # frames


class SkelifyRow(NamedTuple):
    """One clip. errors: PA-MPJPE over the limb joints, mm, of the SMPL result, of the same in SKEL's angles, and of SKELify.
    reprojection_before, reprojection_after: median 2D error, px, before and after SKELify."""

    text: str
    errors: list[float]
    reprojection_before: float
    reprojection_after: float


def skelify_rows(mocap: Path, skel: Skel, every: int = 1) -> Iterator[SkelifyRow]:
    """Yield a SkelifyRow for each test clip of at most MAX_FRAMES frames, filmed without noise."""
    testing = split_by_subject(read_clips(mocap))[1]
    for number in range(0, len(testing), every):
        clip = testing[number]
        if len(clip.hip) > MAX_FRAMES:
            continue
        views = film_clip(np.random.default_rng([7, number]), clip, "h36m17", noisy=False)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "keypoints.npz"
            write_keypoints(path, views, 0)
            converted = recover(ReconstructRequest(source=str(path), device="cpu", skeleton="skel")).recoveries[0]
            observations = detect_and_track(ReconstructRequest(source=str(path), device="cpu")).people[0]
        fitted, report = refine_with_skelify(converted, observations, skel)
        valid = views.valid[0]
        true = views.joints[0][valid][:, LIMBS17].astype(float) * TOTAL_BONE_LENGTH
        results = [converted.joints[:, LIMBS24], *(_skel_limb_joints(skel, recovery) for recovery in (converted, fitted))]
        errors = [pa_mpjpe(joints[valid].astype(float), true) for joints in results]
        yield SkelifyRow(clip.text, errors, report["reprojection_px_before"], report["reprojection_px"])


def _skel_limb_joints(skel: Skel, recovery: Recovery) -> FloatArray:
    """SKEL's limb joints (F,12,3) m of a Recovery with SKEL's angles."""
    assert recovery.q is not None and recovery.skel_betas is not None
    return skel.joints(recovery.q, recovery.skel_betas, recovery.skel_trans).numpy()[:, SKEL_LIMB_JOINTS]
