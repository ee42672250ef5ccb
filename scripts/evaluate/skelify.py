"""SKELify against the SMPL result it begins from, on motion that nothing was trained on."""

import tempfile
from pathlib import Path

import numpy as np

from blender_meshrec.backend.pipeline import recover
from blender_meshrec.backend.refiners.skel_conversion import refine_with_skelify
from blender_meshrec.backend.tracking.detect_and_track import detect_and_track
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.metrics import pa_mpjpe
from blender_meshrec.core.skeletons import H36M17, LIMB_JOINTS, SMPL_JOINTS
from blender_meshrec.methods.hsmr import SKEL_LIMB_JOINTS
from blender_meshrec.methods.skeleton2mesh import TOTAL_BONE_LENGTH
from scripts.evaluate.accuracy import write_keypoints
from scripts.train.data.camera_views import film_clip
from scripts.train.data.motion_clips import read_clips, split_by_subject

LIMBS17, LIMBS24 = ([names.index(name) for name in LIMB_JOINTS] for names in (H36M17, SMPL_JOINTS))
MAX_FRAMES = 300  # frames


def skelify_rows(mocap, skel, every=1):
    """A row for each test clip of at most MAX_FRAMES frames, filmed without error: PA-MPJPE over the limb joints in mm of SMPL's
    result, of it said in angles, and of SKELify's; and its median 2D error before and after, px."""
    testing = split_by_subject(read_clips(mocap))[1]
    for number in range(0, len(testing), every):
        clip = testing[number]
        if len(clip.hip) > MAX_FRAMES:
            continue
        views = film_clip(np.random.default_rng([7, number]), clip, "h36m17", noisy=False)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "keypoints.npz"
            write_keypoints(path, views, 0)
            begun = recover(ReconstructRequest(source=str(path), device="cpu", skeleton="skel")).recoveries[0]
            who = detect_and_track(ReconstructRequest(source=str(path), device="cpu")).people[0]
        fitted, report = refine_with_skelify(begun, who, skel)
        valid = views.valid[0]
        true = views.joints[0][valid][:, LIMBS17].astype(float) * TOTAL_BONE_LENGTH
        posed = [skel.joints(each.q, each.skel_betas, each.skel_trans).numpy()[:, SKEL_LIMB_JOINTS] for each in (begun, fitted)]
        errors = [pa_mpjpe(joints[valid].astype(float), true) for joints in (begun.joints[:, LIMBS24], *posed)]
        yield clip.text, errors, report["reprojection_px_before"], report["reprojection_px"]
