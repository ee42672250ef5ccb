"""How far a reconstruction is from the truth of a posed clip, in the numbers that a person who looks at the result would complain about."""

from collections.abc import Sequence

import numpy as np

from blender_meshrec.bodies.smpl import Smpl
from blender_meshrec.core import metrics
from blender_meshrec.core.array_types import BoolArray, FloatArray
from blender_meshrec.core.cameras import transform_points
from blender_meshrec.core.records import Recovery
from blender_meshrec.core.skeletons import H36M17, KEYPOINT_SETS, SMPL_JOINTS, limb_indices
from scripts.evaluate.posed.body_parts import JOINT, SIDES, part_vertices
from scripts.evaluate.posed.filming import View
from scripts.evaluate.posed.truth import FPS, PosedClip

Numbers = dict[str, float]
STOOD_UP = 30.0  # degrees: the trunk's inclination is off by more
CHUNK = 64  # frames posed at once
LIMBS17, LIMBS24 = limb_indices(H36M17), limb_indices(SMPL_JOINTS)
# The measures: heading, unit, and the largest value that is accepted, or None.
COLUMNS: dict[str, tuple[str, float | None]] = {
    "pelvis": ("pelvis height, mean cm", None),
    "pelvis_p95": ("pelvis height, p95 cm", 6.0),
    "touch": ("touching parts off their support, p95 cm", 3.0),
    "depth": ("through the floor, p95 cm", 2.0),
    "knees": ("knee bend when straight, degrees", 6.0),
    "gravity": ("gravity, degrees", None),
    "drift": ("root drift, cm", 2.0),
    "jump": ("jump height, % off", 8.0),
    "inclination": ("frames with trunk off by 30 degrees, %", 0.0),
    "pa": ("PA-MPJPE, mm", None),
    "lifted_pa": ("PA-MPJPE lifted, mm", None),
    "reprojection": ("reprojection, % of box", None),
    "reprojection_gain": ("above lifted joints, % of box", 1.0),
    "distance": ("distance ratio", None),
    "size": ("leg length ratio", None),
}


def measure(body: Smpl, clip: PosedClip, view: View, recovery: Recovery, keypoints: FloatArray, keypoint_set: str) -> Numbers:
    """The numbers of COLUMNS for one reconstruction; nan where a clip has nothing to measure.

    Args:
        view: the camera that filmed the clip, or its beginning. keypoints: (F,K,3) px and confidence, what was reconstructed.
    """
    clip = clip.beginning(len(recovery))
    count = len(clip)
    lowest, heights = _heights(body, recovery, clip.parts)
    joints, true = recovery.joints[:count].astype(float), clip.joints
    seen = transform_points(recovery.camera_from_world[:count], joints)
    lifted = transform_points(recovery.camera_from_world[:count], recovery.lifted_joints[:count].astype(float))
    truly_seen = transform_points(view.camera_from_world, true)
    up, true_up = recovery.camera_from_world[0, :3, 2], view.camera_from_world[:3, 2]
    off = np.abs(joints[:, 0, 2] - true[:, 0, 2])
    touch = np.abs(heights[:count] - clip.heights)[clip.touching]
    reprojected, of_lifted = (
        _reprojection(points, names, keypoints[:count], keypoint_set, recovery) for points, names in ((seen, SMPL_JOINTS), (lifted, H36M17))
    )
    return {
        "pelvis": 100 * float(off.mean()),
        "pelvis_p95": 100 * float(np.percentile(off, 95)),
        "touch": 100 * float(np.percentile(touch, 95)) if touch.size else np.nan,
        "depth": 100 * float(np.percentile(np.maximum(-lowest, 0), 95)),
        "knees": knee_error(joints, true, clip.straight),
        "gravity": float(np.degrees(np.arccos(np.clip(up @ true_up, -1, 1)))),
        "drift": root_drift(seen, truly_seen, clip.still),
        "jump": jump_error(joints, true, clip),
        "inclination": 100 * float((np.abs(_inclination(joints) - _inclination(true)) > STOOD_UP).mean()),
        "pa": metrics.pa_mpjpe(seen[:, LIMBS24], truly_seen[:, LIMBS24]),
        "lifted_pa": metrics.pa_mpjpe(lifted[:, LIMBS17], truly_seen[:, LIMBS24]),
        "reprojection": reprojected,
        "reprojection_gain": reprojected - of_lifted,
        "distance": float(np.median(seen[:, 0, 2] / truly_seen[:, 0, 2])),
        "size": _leg_length(joints) / _leg_length(true),
    }


def _heights(body: Smpl, recovery: Recovery, parts: Sequence[str]) -> tuple[FloatArray, FloatArray]:
    """The lowest height (F,) m of the body without thumbs, and of each part (F,C); of a gripping hand its middle's."""
    members = part_vertices(body.template)
    lowest: list[FloatArray] = []
    heights: list[FloatArray] = []
    for start in range(0, len(recovery), CHUNK):
        rows = slice(start, start + CHUNK)
        poses = recovery.poses[rows]
        vertices = body(recovery.betas, poses[:, :3], poses[:, 3:], recovery.trans[rows])[1].numpy().astype(float)
        z = vertices[..., 2]
        lowest.append(z[:, members["body"]].min(1))
        columns = [z[:, members[part]].mean(1) if part.endswith("grip") else z[:, members[part]].min(1) for part in parts]
        heights.append(np.stack(columns, 1) if columns else np.zeros((len(z), 0)))
    return np.concatenate(lowest), np.concatenate(heights)


def knee_bends(joints: FloatArray, names: Sequence[str] = SMPL_JOINTS) -> FloatArray:
    """Angles (F,2), degrees, between thigh and shin, of joints (F,J,3) of these names."""
    bends: list[FloatArray] = []
    for side in SIDES:
        hip, knee, ankle = (joints[:, names.index(f"{side}_{name}")] for name in ("hip", "knee", "ankle"))
        thigh, shin = knee - hip, ankle - knee
        cosine = (thigh * shin).sum(-1) / (np.linalg.norm(thigh, axis=-1) * np.linalg.norm(shin, axis=-1))
        bends.append(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    return np.stack(bends, 1)


def knee_error(joints: FloatArray, true: FloatArray, straight: BoolArray) -> float:
    """Mean error of the knees' bend, degrees, where the person stands straight."""
    return float(np.abs(knee_bends(joints) - knee_bends(true))[straight].mean()) if straight.any() else np.nan


def root_drift(seen: FloatArray, truly_seen: FloatArray, still: BoolArray) -> float:
    """How far the pelvis, averaged over a second, moves from where it was at first and should be still, cm; joints in camera axes."""
    if not still.any():
        return np.nan
    error = seen[:, 0] - truly_seen[:, 0]
    window = np.ones(int(FPS)) / int(FPS)
    mean = np.stack([np.convolve(axis, window, "valid") for axis in error.T], 1)
    return 100 * float(np.linalg.norm(mean - mean[0], axis=1).max())


def jump_error(joints: FloatArray, true: FloatArray, clip: PosedClip) -> float:
    """The largest error of a jump's height, % of the true one: how far the pelvis rises above its height at rest."""
    if not len(clip.flights):
        return np.nan
    rest = clip.straight if clip.straight.any() else np.arange(len(true)) < 5
    errors: list[float] = []
    for first, last in clip.flights.astype(int):
        found, truth = (points[first : last + 1, 0, 2].max() - np.median(points[rest, 0, 2]) for points in (joints, true))
        errors.append(abs(found / truth - 1))
    return 100 * max(errors)


def _inclination(joints: FloatArray) -> FloatArray:
    """Angle, degrees, between the trunk and the vertical, (F,)."""
    trunk = joints[:, JOINT["neck"]] - joints[:, JOINT["pelvis"]]
    return np.degrees(np.arccos(np.clip(trunk[:, 2] / np.linalg.norm(trunk, axis=-1), -1, 1)))


def _reprojection(points: FloatArray, names: Sequence[str], keypoints: FloatArray, keypoint_set: str, recovery: Recovery) -> float:
    """Median distance of projected joints from the keypoints, % of the person's box height."""
    boxes = np.concatenate([keypoints[..., :2].min(1), keypoints[..., :2].max(1)], -1)
    detected_names = KEYPOINT_SETS[keypoint_set].points
    return 100 * metrics.reprojection_error(points, names, keypoints, detected_names, recovery.camera_intrinsics, boxes)[1]


def _leg_length(joints: FloatArray) -> float:
    """Median length, m, of hip to knee to ankle over frames and sides."""
    lengths = [
        np.linalg.norm(joints[:, JOINT[f"{side}_{end}"]] - joints[:, JOINT[f"{side}_{start}"]], axis=-1)
        for side in SIDES
        for start, end in (("hip", "knee"), ("knee", "ankle"))
    ]
    return float(np.median(lengths, axis=1).sum() / 2)
