"""Motions of motion capture on the open body, settled on the floor: recordings, and BVH files of the CMU library."""

import lzma
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d, median_filter  # pyrefly: ignore[untyped-import] - scipy ships no type stubs

from blender_meshrec.core.array_types import BoolArray, FloatArray
from blender_meshrec.core.axis_rotations import rotation_about_axis, rotation_between
from blender_meshrec.core.conventions import WORLD_FROM_BODY
from blender_meshrec.core.files.body_template import BodyTemplate
from blender_meshrec.core.kinematics import pose_joints
from blender_meshrec.core.rotations import align_quat_signs, normalize_quat, quat_from_rotmat, rotmat_from_quat, rotmat_from_rotvec
from blender_meshrec.core.skeletons import SMPL_PARENTS
from blender_meshrec.retarget.source.bvh_file import read_bvh
from scripts.evaluate.posed.body_parts import JOINT, SIDES, PosedBody
from scripts.evaluate.posed.clips import make_clip, random_betas
from scripts.evaluate.posed.settle import Supported, settle
from scripts.evaluate.posed.truth import FPS, PosedClip
from scripts.train.data.recordings import read_recordings, rotmats_from_quats

TOUCHING_PARTS = (
    *(f"{side}_{part}" for side in SIDES for part in ("heel", "toe", "palm", "fingers", "knee", "elbow")), "seat", "back", "front", "head",
)  # fmt: skip
TOUCH_HEIGHT, TOUCH_SPEED = 0.035, 0.35  # m and m/s: a part lower and slower than this touches the floor
HAND_HEIGHT, HAND_SPEED = 0.2, 0.7  # of hands, which this body's arms may not reach down with where the performer's did
MIN_TOUCH = 5  # frames
SMOOTHING = 0.8  # frames: sigma of the Gaussian over the captured motion
MIN_FLIGHT = 0.15  # s
PLANTED_SPEED = 0.15  # m/s: feet that are slower stand flat on the floor, for levelling the capture's feet
_BONES = {
    "pelvis": "Hips", "spine1": "LowerBack", "spine2": "Spine", "spine3": "Spine1", "neck": "Neck1", "head": "Head",
    **{f"{side}_{joint}": f"{side.title()}{bone}" for side in SIDES for joint, bone in {
        "hip": "UpLeg", "knee": "Leg", "ankle": "Foot", "foot": "ToeBase", "collar": "Shoulder", "shoulder": "Arm", "elbow": "ForeArm",
        "wrist": "Hand"}.items()},
}  # fmt: skip


@dataclass(frozen=True)
class Capture:
    """A captured motion: local rotations (F,24,3,3) and pelvis (F,3) m, z up, and the performer's leg length, m."""

    name: str
    rotmats: FloatArray
    pelvis: FloatArray
    leg: float


# Names, and the frames that are used.
RECORDINGS = {"captured_jump": ("02_04", (0, 121)), "captured_forward_jump": ("daz_13_13", (2, 110))}
BVH_FILES = {
    "captured_cartwheel": ("raw/cmu_bvh_leonardo/90_02.bvh.xz", (40, 180)),
    "captured_breakdance": ("raw/cmu_bvh_leonardo/90_28.bvh.xz", (40, 192)),
}


def read_captures(mocap: Path, names: Sequence[str] = ()) -> list[Capture]:
    """The captures of a folder of motion capture; files that are missing are left out."""
    captures: list[Capture] = []
    wanted = {name: source for name, source in RECORDINGS.items() if not names or name in names}
    recordings = {one.name: one for one in read_recordings(mocap)} if wanted else {}
    for name, (recording_name, (first, last)) in wanted.items():
        recording = recordings[recording_name]
        rotmats = rotmats_from_quats(recording.quats[first:last])
        rotmats[:, 0] = WORLD_FROM_BODY @ rotmats[:, 0]
        rest = recording.rest_joints()
        captures.append(Capture(name, rotmats, recording.trans[first:last].astype(float) @ WORLD_FROM_BODY.T, _leg_length(rest)))
    for name, (file, (first, last)) in BVH_FILES.items():
        if (mocap / file).exists() and (not names or name in names):
            captures.append(capture_from_bvh(name, mocap / file, slice(first, last)))
    return captures


def capture_from_bvh(name: str, path: Path, rows: slice) -> Capture:
    """A BVH file of the CMU library, whose rest pose is a T-pose with spread legs; every 4th frame of 120 per second."""
    with tempfile.TemporaryDirectory() as folder:
        unpacked = Path(folder) / "motion.bvh"
        unpacked.write_bytes(lzma.decompress(path.read_bytes()))
        bvh = read_bvh(unpacked)
    skeleton, values = bvh.skeleton, bvh.values[rows]
    rotations = np.tile(np.eye(3), (len(values), len(skeleton.parents), 1, 1))
    columns = iter(values.T)
    root = np.zeros((len(values), 3))
    for joint, channels in enumerate(skeleton.channels):
        for channel in channels:
            axis, column = "XYZ".index(channel[0]), next(columns)
            if channel.endswith("position"):
                root[:, axis] = column if joint == 0 else root[:, axis]
            else:
                rotations[:, joint] = rotations[:, joint] @ rotation_about_axis(np.eye(3)[axis], np.radians(column))
    _, global_rotations = pose_joints(rotations, skeleton.offsets, skeleton.parents)
    rest = pose_joints(np.tile(np.eye(3), (len(skeleton.parents), 1, 1)), skeleton.offsets, skeleton.parents)[0]
    index = {joint: skeleton.joint_names.index(bone) for joint, bone in _BONES.items()}
    leg = float(
        np.linalg.norm(rest[index["left_knee"]] - rest[index["left_hip"]])
        + np.linalg.norm(rest[index["left_ankle"]] - rest[index["left_knee"]])
    )
    scale = 0.0254 / 0.45
    turned = np.tile(np.eye(3), (len(values), 24, 1, 1))
    for joint, bone in index.items():
        turned[:, JOINT[joint]] = global_rotations[:, bone]
    for side in SIDES:
        for start, end in (("hip", "knee"), ("knee", "ankle")):
            spread = rest[index[f"{side}_{end}"]] - rest[index[f"{side}_{start}"]]
            joint = JOINT[f"{side}_{start}"]
            straighten = rotation_between([0.0, -1.0, 0.0], spread)
            turned[:, joint] = turned[:, joint] @ straighten
        for joint in ("ankle", "foot"):  # feet turn with the shin
            turned[:, JOINT[f"{side}_{joint}"]] = turned[:, JOINT[f"{side}_{joint}"]] @ straighten
        turned[:, JOINT[f"{side}_hand"]] = turned[:, JOINT[f"{side}_wrist"]]
    local = turned.copy()
    for joint in range(1, 24):
        local[:, joint] = np.swapaxes(turned[:, SMPL_PARENTS[joint]], -1, -2) @ turned[:, joint]
    local[:, 0] = WORLD_FROM_BODY @ local[:, 0]
    return Capture(name, local, scale * root @ WORLD_FROM_BODY.T, scale * leg)


def _leg_length(joints: FloatArray) -> float:
    """Length, m, of the left leg of joints (24,3) m."""
    hip, knee, ankle = (joints[JOINT[f"left_{name}"]] for name in ("hip", "knee", "ankle"))
    return float(np.linalg.norm(knee - hip) + np.linalg.norm(ankle - knee))


def clip_of_capture(template: BodyTemplate, capture: Capture) -> PosedClip:
    """Settle a captured motion on the floor, on a body whose shape is random, seeded by the name."""
    capture = smooth_capture(capture)
    betas = random_betas(capture.name)
    body = PosedBody(template, betas, (*TOUCHING_PARTS, "left_hand", "right_hand"))
    pelvis = capture.pelvis * (_leg_length(template.rest_joints(betas)) / capture.leg)
    pelvis = pelvis - [*pelvis[0, :2], 0.0]
    rotmats = level_feet(body, capture.rotmats, pelvis)
    points = _pose_points(body, rotmats, pelvis)
    floor = np.median(points[..., 2].min(1))
    pelvis[:, 2] -= floor
    points[..., 2] -= floor
    touching = np.stack([_touches(points[:, body.points[part]], part) for part in TOUCHING_PARTS], 1)
    used = np.flatnonzero(touching.any(0))
    parts = tuple(TOUCHING_PARTS[number] for number in used)
    nothing = np.zeros(len(pelvis), bool)
    supported = Supported(
        parts, np.zeros(len(parts)), touching[:, used], np.zeros(len(parts), bool), nothing, nothing, np.zeros(len(parts), bool)
    )
    settled, at = settle(body, rotmats, pelvis, supported, FPS, keep_acceleration=True)
    return make_clip(
        template,
        capture.name,
        betas,
        settled,
        at,
        supported,
        nothing,
        nothing,
        _flights(supported.touching) if "jump" in capture.name else np.zeros((0, 2)),
    )


def smooth_capture(capture: Capture) -> Capture:
    """The capture without the noise of single frames."""
    quats = gaussian_filter1d(align_quat_signs(quat_from_rotmat(capture.rotmats)), SMOOTHING, axis=0, mode="nearest")
    pelvis = gaussian_filter1d(capture.pelvis, SMOOTHING, axis=0, mode="nearest")
    return replace(capture, rotmats=rotmat_from_quat(normalize_quat(quats)), pelvis=pelvis)


def level_feet(body: PosedBody, rotmats: FloatArray, pelvis: FloatArray) -> FloatArray:
    """Local rotations (F,24,3,3) whose ankles are pitched by a constant angle, so that planted feet have heel and toe at one height.

    The pitch of a captured foot at rest differs from performer to performer.
    """
    points = _pose_points(body, rotmats, pelvis)
    levelled = rotmats.copy()
    for side in SIDES:
        heel, toe = (points[:, body.points[f"{side}_{part}"]] for part in ("heel", "toe"))
        speed = np.linalg.norm(np.gradient(toe.mean(1), 1 / FPS, axis=0), axis=-1)
        planted = (speed < PLANTED_SPEED) & (toe[..., 2].min(1) < np.median(points[..., 2].min(1)) + 0.05)
        if not planted.any():
            continue
        rise = np.median(heel[planted, :, 2].min(1) - toe[planted, :, 2].min(1))
        length = np.median(np.linalg.norm(heel.mean(1) - toe.mean(1), axis=-1))
        pitch = rotmat_from_rotvec([-np.arctan2(rise, length), 0, 0])
        levelled[:, JOINT[f"{side}_ankle"]] = levelled[:, JOINT[f"{side}_ankle"]] @ pitch
    return levelled


def _pose_points(body: PosedBody, rotmats: FloatArray, pelvis: FloatArray) -> FloatArray:
    """The body's points (F,P,3) m."""
    with torch.no_grad():
        _, placed = body.pose(torch.as_tensor(rotmats, dtype=torch.float32), torch.as_tensor(pelvis, dtype=torch.float32))
    return placed.numpy().astype(float)


def _touches(points: FloatArray, part: str) -> BoolArray:
    """Whether the lowest of a part's points (F,N,3) m touches the floor, frame by frame, (F,)."""
    lowest = points[..., 2].argmin(1)
    rows = np.arange(len(points))
    speed = np.linalg.norm(np.gradient(points, 1 / FPS, axis=0), axis=-1)[rows, lowest]
    height, limit = (HAND_HEIGHT, HAND_SPEED) if part.endswith(("palm", "fingers")) else (TOUCH_HEIGHT, TOUCH_SPEED)
    touching = (points[rows, lowest, 2] < height) & (gaussian_filter1d(speed, 1) < limit)
    return median_filter(touching.astype(np.uint8), MIN_TOUCH, mode="nearest") > 0


def _flights(touching: BoolArray) -> FloatArray:
    """First and last frames (N,2) of the runs without any contact that last at least MIN_FLIGHT."""
    free = np.concatenate([[False], ~touching.any(1), [False]])
    edges = np.flatnonzero(np.diff(free.astype(int))).reshape(-1, 2)
    return np.array([(a, b - 1) for a, b in edges if (b - a) / FPS >= MIN_FLIGHT]).reshape(-1, 2)
