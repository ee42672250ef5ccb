"""Measure the silhouette refinement on test subjects: the pipeline's body fit without it and with it.

Every clip has a shape, independent motion of the end joints, and a camera. Its 17 joints, with the errors of a good lifter, are fitted
by the pipeline's own body fit, without keypoints on hands, feet and face. Its silhouettes, clean or corrupted, go to the refinement.
"""

import time
from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import roma
import torch

from blender_meshrec.backend.fitting.body_fit import fit_body
from blender_meshrec.backend.refiners.contour_fit import CLOTHED_PARTS, clothed_parts
from blender_meshrec.backend.refiners.silhouette_refiner import make_silhouette_crops, refine_shape
from blender_meshrec.bodies.lbs import forward_kinematics
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bodies.silhouette_rendering import SurfacePoints, rasterise, silhouette_iou
from blender_meshrec.bodies.smpl import Smpl
from blender_meshrec.core.array_types import ArrayLike, FloatArray, IntArray
from blender_meshrec.core.cameras import default_intrinsics
from blender_meshrec.core.files.body_template import BodyTemplate, load_body
from blender_meshrec.core.records import BodyParams
from blender_meshrec.core.silhouettes import BOX_MARGIN, MASK_SIZE, Silhouettes, evenly_spaced_indices
from blender_meshrec.methods.silhouette_refinement import END_JOINT_INDICES, END_JOINTS, NUM_BETAS, SilhouetteCrops, SilhouetteNetwork
from scripts.train.data.recordings import FPS, TEST_SUBJECTS, read_recordings, rotmats_from_quats
from scripts.train.data.silhouette_bodies import END_SIGMAS, FOREARM_TWIST_SIGMA, JOINT_INDEX, MAX_BETA, draw_cameras
from scripts.train.data.silhouette_masks import corrupt_masks

MAX_FRAMES = 240
IMAGE_SIZE = (1280, 720)
JOINT_ERROR = 0.015  # m, standard deviation of the lifter's errors
MAX_CLOTHES = 0.05  # m that clothes add to a part of the body at most
ERROR_AUTOCORRELATION = 0.95  # of these errors from frame to frame
# Where a girth is measured: the joint, and the height above it, m.
GIRTHS = {"hips": ("left_hip", -0.02), "waist": ("spine1", 0.05), "chest": ("spine2", 0.08)}
BONES = ("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist")
LIMBS = [(f"{side}_{start}", f"{side}_{end}") for side in ("left", "right") for start, end in BONES]
# Rows of the page by the keys of the metrics file; other rows have the key itself.
ROW_NAMES = {
    "silhouette error": "silhouette error, 1 - IoU",
    "ends, mean, deg": "end joints, mean, deg",
    "joints about the pelvis, mm": "joints relative to the pelvis, mm",
    "betas": "betas, mean absolute error",
    "skin at rest, mm": "rest vertices, mm",
    "hips, mm": "hip girth, mm",
    "waist, mm": "waist girth, mm",
    "chest, mm": "chest girth, mm",
    "seconds of CPU": "CPU time, s",
    "limbs turned at most, deg": "largest limb rotation, deg",
    "clips whose shape was left alone": "fraction of clips with unchanged shape",
    "clips whose silhouette error fell": "fraction of clips with a smaller silhouette error",
}

Row = dict[str, tuple[float, float] | float]  # a number before and after the refinement, or one of both
Report = dict[str, dict[str, list[float] | float]]  # the means of the rows by kind of masks, as the metrics file holds them


class TestClip(NamedTuple):
    """A test recording: local rotations (F,24,3,3) and the pelvis's position (F,3) m, y up."""

    name: str
    rotmats: FloatArray
    pelvis: FloatArray


class EvaluationCase(NamedTuple):
    """A filmed clip: the true and the fitted body; its silhouettes: clean, corrupted, and in clothes and corrupted; its times (F,) s."""

    name: str
    truth: BodyParams
    fitted: BodyParams
    clean: Silhouettes
    spoilt: Silhouettes
    clothed: Silhouettes
    times: FloatArray


def evaluate(mocap: Path, network: SilhouetteNetwork, pictures: Path | None = None, seed: int = 11, most: int | None = None) -> Report:
    """The means over the test clips, without and with the refinement, for clean and corrupted silhouettes.

    pictures: folder for a picture of each clip, or None. most: how many clips, all if None.
    """
    template = load_body()
    surface, body = SurfacePoints(template), make_body(template)
    rows: dict[str, list[Row]] = {"clean masks": [], "spoilt masks": [], "clothed masks": []}
    for number, clip in enumerate(read_test_clips(mocap)[:most]):
        case = film_case(np.random.default_rng([seed, number]), template, body, surface, clip)
        for label, silhouettes in (("clean masks", case.clean), ("spoilt masks", case.spoilt), ("clothed masks", case.clothed)):
            row, refined = measure_refinement(template, surface, case, silhouettes, network)
            rows[label].append(row)
            if pictures is not None and label == "spoilt masks":
                pictures.mkdir(parents=True, exist_ok=True)
                draw(pictures / f"{number:02}_{case.name}.png", surface, case, refined)
    return {label: summarise(measured) for label, measured in rows.items()}


def measure_refinement(
    template: BodyTemplate, surface: SurfacePoints, case: EvaluationCase, silhouettes: Silhouettes, network: SilhouetteNetwork
) -> tuple[Row, BodyParams]:
    """Refine a case by silhouettes; returns the numbers before and after, and the refined body."""
    begun = time.process_time()
    refined, report = refine_shape(
        template, case.fitted, silhouettes, default_intrinsics(IMAGE_SIZE), IMAGE_SIZE, case.times, network=network
    )
    seconds = time.process_time() - begun
    before, after = (measure_errors(template, surface, case, params) for params in (case.fitted, refined))
    row: Row = {name: (before[name], after[name]) for name in before}
    row["seconds of CPU"] = seconds
    row["limbs turned at most, deg"] = max_limb_rotation(surface, case.fitted, refined)
    row["clips whose shape was left alone"] = float(report.applied_fraction == 0)
    return row, refined


def summarise(rows: Sequence[Row]) -> dict[str, list[float] | float]:
    """The means of rows: [without, with] for what is measured before and after, and one number for the rest."""
    table: dict[str, list[float] | float] = {"clips": len(rows)}
    for name in rows[0]:
        values = np.array([row[name] for row in rows], float)
        table[name] = np.round(values.mean(0), 4).tolist() if name != "limbs turned at most, deg" else float(np.round(values.max(), 4))
    silhouette_errors = np.array([row["silhouette error"] for row in rows], float)
    table["clips whose silhouette error fell"] = round(float(np.mean(silhouette_errors[:, 1] < silhouette_errors[:, 0])), 3)
    return table


def print_table(report: Report) -> None:
    for label, table in report.items():
        print(f"\n{label}, {table['clips']} clips of subjects {', '.join(TEST_SUBJECTS)}")
        print(f"{'':<44}{'without':>10}{'with':>10}")
        for name, value in table.items():
            if isinstance(value, list):
                print(f"{name:<44}{value[0]:>10.4f}{value[1]:>10.4f}")
            elif name != "clips":
                print(f"{name:<44}{'':>10}{value:>10.4f}")


def table_page(report: Report, credit: str) -> str:
    """The page docs/silhouettes.md in Markdown."""
    clean = report["clean masks"]
    lines = [
        "# Silhouette refinement: errors without and with it",
        "",
        f"Made by `scripts/train/silhouettes.py --evaluate` from {clean['clips']} clips of the CMU Graphics Lab Motion Capture Database,",
        f"of subjects that the network was not trained on ({', '.join(TEST_SUBJECTS)}). Each clip has a shape, independent motion of the",
        "end joints (head, wrists, ankles) and a camera. Its joints, with the errors of a good lifter and without keypoints on hands,",
        "feet and face, are fitted by the pipeline's own body fit. Up to 32 silhouettes of the true body are rendered, clean and",
        "corrupted by ragged edges, holes, held objects, occluders and touching people, and the same of the body in clothes, which",
        f"add 0 to {100 * MAX_CLOTHES:.0f} cm to trunk, arms and legs. The silhouette error is 1 - IoU (intersection over union) with",
        "the true body's silhouettes. Numbers are means over clips, except the largest limb rotation.",
        "",
        "| | without | with, clean masks | with, corrupted masks | with, corrupted masks of clothes |",
        "|---|---|---|---|---|",
        *table_lines(*report.values()),
    ]
    return "\n".join([*lines, "", credit, ""])


def table_lines(*columns: Mapping[str, list[float] | float]) -> list[str]:
    """The rows of the page's table: first what is measured without and with the refinement, then the rest."""
    pairs: list[str] = []
    singles: list[str] = []
    for name, first in columns[0].items():
        heading, values = ROW_NAMES.get(name, name), [column[name] for column in columns]
        if isinstance(first, list):
            pairs.append(" | ".join([f"| {heading} | {first[0]:.3g}", *(f"{value[1]:.3g}" for value in values if isinstance(value, list))]))
        elif name != "clips":
            singles.append(" | ".join([f"| {heading} | ", *(f"{value:.3g}" for value in values if not isinstance(value, list))]))
    return [f"{line} |" for line in pairs + singles]


def read_test_clips(folder: Path) -> list[TestClip]:
    """The test subjects' recordings, MAX_FRAMES from the middle of each."""
    clips = []
    for recording in read_recordings(folder):
        if recording.testing:
            start = max(0, (len(recording.quats) - MAX_FRAMES) // 2)
            rows = slice(start, start + MAX_FRAMES)
            clips.append(TestClip(recording.name, rotmats_from_quats(recording.quats[rows]), recording.trans[rows].astype(float)))
    return clips


def film_case(rng: np.random.Generator, template: BodyTemplate, body: Smpl, surface: SurfacePoints, clip: TestClip) -> EvaluationCase:
    """Film a clip by a random camera, with a random shape and random end joints."""
    truth = draw_truth(rng, clip)
    joints = add_lifter_errors(rng, body.h36m17(truth.betas, truth.global_orient, truth.body_pose, truth.transl).numpy())
    frames = len(joints)
    times = np.arange(frames) / FPS
    fitted = fit_body(template, joints, np.ones(joints.shape[:2]), None, times).body
    rows = evenly_spaced_indices(np.arange(frames))
    return EvaluationCase(clip.name, truth, fitted, *make_silhouettes(rng, surface, truth, joints, rows), times)


def draw_truth(rng: np.random.Generator, clip: TestClip) -> BodyParams:
    """The true body in camera axes: the clip's motion with random end joints, forearm twists, shape and camera."""
    frames = len(clip.rotmats)
    rotmats = torch.as_tensor(clip.rotmats, dtype=torch.float32)
    for end, spread in END_SIGMAS.items():
        rotvecs = torch.as_tensor(drifting_rotvecs(rng, frames, spread), dtype=torch.float32)
        rotmats[:, JOINT_INDEX[end]] = rotmats[:, JOINT_INDEX[end]] @ roma.rotvec_to_rotmat(rotvecs)
    for elbow in ("left_elbow", "right_elbow"):
        twist = torch.as_tensor(drifting_rotvecs(rng, frames, FOREARM_TWIST_SIGMA) * [1, 0, 0], dtype=torch.float32)
        rotmats[:, JOINT_INDEX[elbow]] = rotmats[:, JOINT_INDEX[elbow]] @ roma.rotvec_to_rotmat(twist)
    betas = np.clip(rng.normal(0, 1, NUM_BETAS), -MAX_BETA, MAX_BETA)
    camera_rotmat, camera_transl = (value[0] for value in draw_cameras(rng, 1))
    moved = torch.as_tensor(clip.pelvis - clip.pelvis.mean(0), dtype=torch.float32) @ camera_rotmat.T
    rotmats[:, 0] = camera_rotmat @ rotmats[:, 0]
    transl = moved + camera_transl * torch.tensor([0.4, 0.4, 1.0])
    # Move the camera back until the pelvis, and in most clips the feet, are in the image in every frame.
    below = 1.0 if rng.random() < 0.7 else 0.1
    min_depth = torch.stack([transl[:, 0].abs() / 0.36, (transl[:, 1].abs() + below) / 0.24, torch.full((frames,), 2.2)], 1).amax(1)
    transl[:, 2] += (min_depth - transl[:, 2]).max().clamp_min(0)
    poses = roma.rotmat_to_rotvec(rotmats).flatten(1).numpy()
    return BodyParams(model="open", betas=betas, global_orient=poses[:, :3], body_pose=poses[:, 3:], transl=transl.numpy())


def add_lifter_errors(rng: np.random.Generator, joints: FloatArray) -> FloatArray:
    """Joints (F,17,3) m in camera axes with slowly changing errors, which are larger in depth than across."""
    error = rng.normal(size=joints.shape)
    for frame in range(1, len(joints)):
        error[frame] = ERROR_AUTOCORRELATION * error[frame - 1] + np.sqrt(1 - ERROR_AUTOCORRELATION**2) * error[frame]
    return joints + JOINT_ERROR * error * [0.6, 0.6, 1.4]


def drifting_rotvecs(rng: np.random.Generator, frames: int, spread: float) -> FloatArray:
    """Rotation vectors (F,3) with a standard deviation of `spread` rad: half of the variance is constant, half changes within a second."""
    moving = cv2.GaussianBlur(rng.normal(size=(frames, 3)), (1, 0), sigmaX=0.1, sigmaY=10.0) if frames > 1 else np.zeros((1, 3))
    moving /= max(moving.std(), 1e-6)
    return spread * np.sqrt(0.5) * (rng.normal(size=3) + moving)


def make_silhouettes(
    rng: np.random.Generator, surface: SurfacePoints, truth: BodyParams, joints: FloatArray, rows: IntArray
) -> tuple[Silhouettes, Silhouettes, Silhouettes]:
    """Clean, corrupted, and clothed and corrupted Silhouettes of some frames, in squares around the joints as from a detector's boxes."""
    intrinsics = default_intrinsics(IMAGE_SIZE)
    pixels = joints[rows] @ intrinsics.T
    pixels = np.clip(pixels[..., :2] / pixels[..., 2:], 0, IMAGE_SIZE)
    low, high = pixels.min(1), pixels.max(1)
    squares = np.concatenate([(low + high) / 2, (high - low).max(1, keepdims=True).clip(2) * BOX_MARGIN], 1)
    squares[:, 2] *= np.exp(rng.normal(0, 0.03, len(rows)))
    empty_masks = np.zeros((len(rows), MASK_SIZE, MASK_SIZE), bool)
    crops = make_silhouette_crops(Silhouettes(rows, squares, empty_masks), intrinsics, IMAGE_SIZE)
    masks, posed = render(surface, truth, rows, crops)
    hands = posed[:, [JOINT_INDEX["left_hand"], JOINT_INDEX["right_hand"]]]
    hand_pixels = ((hands[..., :2] / hands[..., 2:] - crops.windows[:, None, :2]) / crops.windows[:, None, 2:] * MASK_SIZE).numpy()
    spoilt, _inside = corrupt_masks(rng, masks.numpy().astype(np.uint8), hand_pixels, cut=0)
    in_clothes, _joints = render(dress(surface, rng.uniform(0, MAX_CLOTHES, len(CLOTHED_PARTS))), truth, rows, crops)
    clothed, _inside = corrupt_masks(rng, in_clothes.numpy().astype(np.uint8), hand_pixels, cut=0)
    return Silhouettes(rows, squares, masks.numpy()), Silhouettes(rows, squares, spoilt), Silhouettes(rows, squares, clothed)


def dress(surface: SurfacePoints, thickness: ArrayLike) -> SurfacePoints:
    """The surface in clothes that add a thickness (C,) m to CLOTHED_PARTS: its points are that much farther from their bones."""
    dressed = copy(surface)
    moved = (clothed_parts(surface) @ np.asarray(thickness, float))[:, None] * away_from_bones(surface)
    dressed.v_template = surface.v_template + torch.as_tensor(moved, dtype=torch.float32)
    return dressed


def away_from_bones(surface: SurfacePoints) -> FloatArray:
    """Unit vectors (N,3) from the bone that moves a point most to the point, at rest and at right angles to the bone."""
    points, joints = surface.v_template.numpy().astype(float), surface.J_template.numpy().astype(float)
    parents, bone = surface.tree.parents.tolist(), surface.lbs_weights.argmax(1).numpy()
    ends = [joints[parents.index(number, 1) if number in parents[1:] else number] for number in range(len(joints))]
    axes = np.array(ends) - joints
    axes /= np.maximum(np.linalg.norm(axes, axis=1, keepdims=True), 1e-6)
    across = points - joints[bone]
    across -= (across * axes[bone]).sum(1, keepdims=True) * axes[bone]
    return np.asarray(across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-6))


def render(surface: SurfacePoints, params: BodyParams, rows: IntArray, crops: SilhouetteCrops) -> tuple[torch.Tensor, torch.Tensor]:
    """Silhouettes (S,MASK_SIZE,MASK_SIZE) inside the image, and joints (S,24,3) m, of a body in some frames."""
    points, joints = surface.pose(
        betas_tensor(params).expand(len(rows), -1), local_rotmats(params)[rows], torch.as_tensor(params.transl[rows])
    )
    return rasterise(points, crops.windows, MASK_SIZE)[0] & crops.inside, joints


def betas_tensor(params: BodyParams) -> torch.Tensor:
    """The betas of a body, (1,B)."""
    return torch.as_tensor(np.array(params.betas))[None]


def local_rotmats(params: BodyParams) -> torch.Tensor:
    """The local rotations (F,J,3,3) of a body."""
    return roma.rotvec_to_rotmat(torch.as_tensor(params.poses.reshape(len(params.transl), -1, 3)))


def measure_errors(template: BodyTemplate, surface: SurfacePoints, case: EvaluationCase, params: BodyParams) -> dict[str, float]:
    """Errors of a body by the keys of the metrics file.

    The silhouette error, 1 - IoU; the rotation errors of the end joints, deg; the mean errors of joints relative to the pelvis and of rest
    vertices, mm; of betas; and of stature and girths, mm.
    """
    crops = make_silhouette_crops(case.clean, default_intrinsics(IMAGE_SIZE), IMAGE_SIZE)
    rendered, _joints = render(surface, params, case.clean.rows, crops)
    result = {"silhouette error": float(1 - silhouette_iou(crops.silhouettes, rendered, crops.inside).mean())}
    own, true = (global_rotations(surface, values)[:, END_JOINT_INDICES] for values in (params, case.truth))
    angles = np.degrees(roma.rotmat_geodesic_distance(own, true).numpy())
    result["ends, mean, deg"] = float(angles.mean())
    result |= {f"{end.replace('_', ' ')}, deg": float(angles[:, i].mean()) for i, end in enumerate(END_JOINTS)}
    joints, true_joints = (posed_joints(surface, values) for values in (params, case.truth))
    result["joints about the pelvis, mm"] = float(1000 * np.linalg.norm(joints - true_joints, axis=-1).mean())
    result["betas"] = float(np.abs(params.betas - case.truth.betas).mean())
    vertex_errors = template.rest_vertices(params.betas) - template.rest_vertices(case.truth.betas)
    result["skin at rest, mm"] = float(1000 * np.linalg.norm(vertex_errors, axis=-1).mean())
    sizes, true_sizes = (body_measurements(template, values.betas) for values in (params, case.truth))
    return result | {f"{name}, mm": 1000 * abs(sizes[name] - true_sizes[name]) for name in sizes}


def body_measurements(template: BodyTemplate, betas: FloatArray) -> dict[str, float]:
    """Stature, and the girths of hips, waist and chest (of the convex hull, as a tape measures), m."""
    vertices, joints = template.rest_vertices(betas), template.rest_joints(betas)
    sizes = {"stature": float(np.ptp(vertices[:, 1]))}
    for name, (joint, above) in GIRTHS.items():
        level = joints[template.smpl_joint_indices[JOINT_INDEX[joint]], 1] + above
        near = vertices[(np.abs(vertices[:, 1] - level) < 0.012) & (np.abs(vertices[:, 0]) < 0.35)]
        sizes[name] = cv2.arcLength(cv2.convexHull(near[:, [0, 2]].astype(np.float32)), True)
    return sizes


def posed_joints(surface: SurfacePoints, params: BodyParams) -> FloatArray:
    """Joints (F,J,3) m relative to the pelvis."""
    joints = forward_kinematics(local_rotmats(params), surface.rest_joints(betas_tensor(params)), surface.tree)[0].numpy()
    return joints - joints[:, :1]


def global_rotations(surface: SurfacePoints, params: BodyParams) -> torch.Tensor:
    """The global rotations (F,J,3,3) of a body."""
    return forward_kinematics(local_rotmats(params), surface.rest_joints(betas_tensor(params)), surface.tree)[1]


def max_limb_rotation(surface: SurfacePoints, before: BodyParams, after: BodyParams) -> float:
    """The largest angle between a limb's directions in two bodies, deg."""
    bones = []
    for params in (before, after):
        joints = torch.as_tensor(posed_joints(surface, params))
        vectors = torch.stack([joints[:, JOINT_INDEX[end]] - joints[:, JOINT_INDEX[start]] for start, end in LIMBS], 1)
        bones.append(torch.nn.functional.normalize(vectors.double(), dim=-1))
    return float(torch.rad2deg(torch.linalg.cross(*bones).norm(dim=-1).clamp(max=1).asin().max()))


def draw(path: Path, surface: SurfacePoints, case: EvaluationCase, refined: BodyParams, count: int = 6) -> None:
    """Save a row of silhouettes without the refinement and one with it: observed in red, the body in green, both in yellow."""
    crops = make_silhouette_crops(case.spoilt, default_intrinsics(IMAGE_SIZE), IMAGE_SIZE)
    chosen = evenly_spaced_indices(np.arange(len(case.spoilt)), count)
    lines = []
    for params in (case.fitted, refined):
        rendered, _joints = render(surface, params, case.spoilt.rows, crops)
        tiles = [np.stack([np.zeros((MASK_SIZE, MASK_SIZE)), rendered[i].numpy(), crops.silhouettes[i].numpy()], -1) for i in chosen]
        enlarged = [cv2.resize((220 * tile).astype(np.uint8), (288, 288), interpolation=cv2.INTER_NEAREST) for tile in tiles]
        lines.append(np.concatenate(enlarged, 1))
    cv2.imwrite(str(path), np.concatenate(lines, 0))
