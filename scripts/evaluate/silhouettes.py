"""Does the refinement help? Test subjects as the pipeline would have them without it, and with it.

Every clip gets a shape, ends that move by themselves, and a camera; its 17 joints, off as a good lifter's are, become a body
by the pipeline's own fit, without points on hands, feet and face; and its silhouettes, clean or spoilt, go to the
refinement.
"""

import time
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import roma
import torch

from blender_meshrec.backend.fitting.body_fit import fit_body
from blender_meshrec.backend.refiners.silhouette_refiner import make_silhouette_crops, refine_shape
from blender_meshrec.bodies.lbs import forward_kinematics
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bodies.silhouette_rendering import SurfacePoints, rasterise, silhouette_iou
from blender_meshrec.core.cameras import default_intrinsics
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.records import BodyParams
from blender_meshrec.core.silhouettes import BOX_MARGIN, MASK_SIZE, Silhouettes, evenly_spaced_indices
from blender_meshrec.methods.silhouette_refinement import END_JOINT_INDICES, END_JOINTS, NUM_BETAS
from scripts.train.data.recordings import FPS, TEST_SUBJECTS, read_recordings, rotmats_from_quats
from scripts.train.data.silhouette_bodies import END_SIGMAS, FOREARM_TWIST_SIGMA, JOINT_INDEX, MAX_BETA, draw_cameras
from scripts.train.data.silhouette_masks import corrupt_masks

MAX_FRAMES = 240
IMAGE_SIZE = (1280, 720)
JOINT_ERROR, ERROR_AUTOCORRELATION = 0.015, 0.95  # m, and how slowly it changes from frame to frame
# Where a tape goes round: at which joint, and how far above it, m.
GIRTHS = {"hips": ("left_hip", -0.02), "waist": ("spine1", 0.05), "chest": ("spine2", 0.08)}
LIMBS = [(a, b) for side in ("left", "right") for a, b in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
         for a, b in [(f"{side}_{a}", f"{side}_{b}")]]  # fmt: skip


class EvaluationCase(NamedTuple):
    """A clip: what is true (BodyParams), what was fitted (BodyParams), Silhouettes clean and spoilt, and times (F,) s."""

    name: str
    truth: BodyParams
    fitted: BodyParams
    clean: Silhouettes
    spoilt: Silhouettes
    times: np.ndarray


def evaluate(mocap, network, pictures=None, seed=11, most=None):
    """Means over the test clips, without and with the refinement, of silhouettes clean and spoilt."""
    template = load_body()
    surface, body = SurfacePoints(template), make_body(template)
    rows = {"clean masks": [], "spoilt masks": []}
    for number, clip in enumerate(read_test_clips(mocap)[:most]):
        case = film_case(np.random.default_rng([seed, number]), template, body, surface, clip)
        for label, silhouettes in (("clean masks", case.clean), ("spoilt masks", case.spoilt)):
            begun = time.process_time()
            refined, report = refine_shape(
                template, case.fitted, silhouettes, default_intrinsics(IMAGE_SIZE), IMAGE_SIZE, case.times, network=network
            )
            seconds = time.process_time() - begun
            before, after = (measure_errors(template, surface, case, params) for params in (case.fitted, refined))
            measured = {name: (before[name], after[name]) for name in before}
            changed = max_limb_rotation(surface, case.fitted, refined)
            told = {
                "seconds of CPU": seconds,
                "limbs turned at most, deg": changed,
                "clips whose shape was left alone": report.applied_fraction == 0,
            }
            rows[label].append({**measured, **told})
            if pictures is not None and label == "spoilt masks":
                Path(pictures).mkdir(parents=True, exist_ok=True)
                draw(Path(pictures) / f"{number:02}_{case.name}.png", surface, case, refined)
    return {label: summarise(found) for label, found in rows.items()}


def summarise(found):
    """The means of a label's rows: [without, with] for what is measured on both."""
    table = {"clips": len(found)}
    for name in found[0]:
        values = np.array([row[name] for row in found], float)
        table[name] = np.round(values.mean(0), 4).tolist() if name != "limbs turned at most, deg" else float(np.round(values.max(), 4))
    better = np.mean([row["silhouette error"][1] < row["silhouette error"][0] for row in found])
    table["clips whose silhouette error fell"] = round(float(better), 3)
    return table


def print_table(report):
    for label, table in report.items():
        print(f"\n{label}, {table['clips']} clips of subjects {', '.join(TEST_SUBJECTS)}")
        print(f"{'':<44}{'without':>10}{'with':>10}")
        for name, value in table.items():
            if isinstance(value, list):
                print(f"{name:<44}{value[0]:>10.4f}{value[1]:>10.4f}")
            elif name != "clips":
                print(f"{name:<44}{'':>10}{value:>10.4f}")


def table_page(report, credit):
    """The table as a page of Markdown."""
    (clean, spoilt), names = report.values(), [name for name, value in report["clean masks"].items() if isinstance(value, list)]
    lines = [
        "# The refinement from silhouettes, without and with it",
        "",
        f"Made by `scripts/train/silhouettes.py --evaluate` from {clean['clips']} clips of the CMU Graphics Lab Motion Capture Database,",
        f"of subjects it was not trained on ({', '.join(TEST_SUBJECTS)}). Each clip has a shape, ends that move by themselves and a",
        "camera; its joints, off as a good lifter's are and without points on hands, feet and face, become a body by the pipeline's own",
        "fit. Up to 32 silhouettes are drawn of the true body, clean, and spoilt by ragged edges, holes, things held, things in front",
        "and people touching. Silhouette error is 1 - intersection over union with the true body's silhouettes. Means over clips.",
        "",
        "| | without | with, clean masks | with, spoilt masks |",
        "|---|---|---|---|",
    ]
    lines += [f"| {name} | {clean[name][0]:.3g} | {clean[name][1]:.3g} | {spoilt[name][1]:.3g} |" for name in names]
    lines += [f"| {name} | | {clean[name]:.3g} | {spoilt[name]:.3g} |" for name in clean if name not in names and name != "clips"]
    return "\n".join([*lines, "", credit, ""])


def read_test_clips(folder):
    """(name, rotmats (F,24,3,3), pelvis (F,3) m) of the test subjects' recordings, MAX_FRAMES from the middle of each."""
    clips = []
    for recording in read_recordings(Path(folder)):
        if recording.testing:
            start = max(0, (len(recording.quats) - MAX_FRAMES) // 2)
            rows = slice(start, start + MAX_FRAMES)
            clips.append((recording.name, rotmats_from_quats(recording.quats[rows]), recording.trans[rows].astype(float)))
    return clips


def film_case(rng, template, body, surface, clip):
    """A Case of one clip."""
    name, rotmats, pelvis = clip
    frames = len(rotmats)
    rotmats = torch.as_tensor(rotmats, dtype=torch.float32)
    for end, spread in END_SIGMAS.items():
        rotmats[:, JOINT_INDEX[end]] = rotmats[:, JOINT_INDEX[end]] @ roma.rotvec_to_rotmat(
            torch.as_tensor(drifting_rotvecs(rng, frames, spread), dtype=torch.float32)
        )
    for elbow in ("left_elbow", "right_elbow"):
        twist = torch.as_tensor(drifting_rotvecs(rng, frames, FOREARM_TWIST_SIGMA) * [1, 0, 0], dtype=torch.float32)
        rotmats[:, JOINT_INDEX[elbow]] = rotmats[:, JOINT_INDEX[elbow]] @ roma.rotvec_to_rotmat(twist)
    betas = np.clip(rng.normal(0, 1, NUM_BETAS), -MAX_BETA, MAX_BETA)
    turn, place = (value[0] for value in draw_cameras(rng, 1))
    moved = torch.as_tensor(pelvis - pelvis.mean(0), dtype=torch.float32) @ turn.T
    rotmats[:, 0] = turn @ rotmats[:, 0]
    transl = moved + place * torch.tensor([0.4, 0.4, 1.0])
    # The camera steps back until the pelvis, and mostly the feet, stay in the picture.
    below = 1.0 if rng.random() < 0.7 else 0.1
    room = torch.stack([transl[:, 0].abs() / 0.36, (transl[:, 1].abs() + below) / 0.24, torch.full((frames,), 2.2)], 1).amax(1)
    transl[:, 2] += (room - transl[:, 2]).max().clamp_min(0)
    poses = roma.rotmat_to_rotvec(rotmats).flatten(1).numpy()
    truth = BodyParams(model="open", betas=betas, global_orient=poses[:, :3], body_pose=poses[:, 3:], transl=transl.numpy())
    joints = body.h36m17(truth.betas, truth.global_orient, truth.body_pose, truth.transl).numpy()
    error = rng.normal(size=joints.shape)
    for frame in range(1, frames):
        error[frame] = ERROR_AUTOCORRELATION * error[frame - 1] + np.sqrt(1 - ERROR_AUTOCORRELATION**2) * error[frame]
    # In depth a lifter errs twice as much as across.
    joints = joints + JOINT_ERROR * error * [0.6, 0.6, 1.4]
    times = np.arange(frames) / FPS
    fitted = fit_body(template, joints, np.ones(joints.shape[:2]), None, times).body
    rows = evenly_spaced_indices(np.arange(frames))
    return EvaluationCase(name, truth, fitted, *make_silhouettes(rng, surface, truth, joints, rows), times)


def drifting_rotvecs(rng, frames, spread):
    """Rotation vectors (F,3) that change within about a second: half kept all along, half moving."""
    moving = cv2.GaussianBlur(rng.normal(size=(frames, 3)), (1, 0), sigmaX=0.1, sigmaY=10.0) if frames > 1 else np.zeros((1, 3))
    moving /= max(moving.std(), 1e-6)
    return spread * np.sqrt(0.5) * (rng.normal(size=3) + moving)


def make_silhouettes(rng, surface, truth, joints, rows):
    """Silhouettes of frames, clean and spoilt, in squares round the joints as a detector would see them."""
    intrinsics = default_intrinsics(IMAGE_SIZE)
    pixels = joints[rows] @ intrinsics.T
    pixels = np.clip(pixels[..., :2] / pixels[..., 2:], 0, IMAGE_SIZE)
    low, high = pixels.min(1), pixels.max(1)
    squares = np.concatenate([(low + high) / 2, (high - low).max(1, keepdims=True).clip(2) * BOX_MARGIN], 1)
    squares[:, 2] *= np.exp(rng.normal(0, 0.03, len(rows)))
    nothing = np.zeros((len(rows), MASK_SIZE, MASK_SIZE), bool)
    seen = make_silhouette_crops(Silhouettes(rows, squares, nothing), intrinsics, IMAGE_SIZE)
    masks, posed = render(surface, truth, rows, seen)
    hands = posed[:, [JOINT_INDEX["left_hand"], JOINT_INDEX["right_hand"]]]
    hands = ((hands[..., :2] / hands[..., 2:] - seen.windows[:, None, :2]) / seen.windows[:, None, 2:] * MASK_SIZE).numpy()
    spoilt, _inside = corrupt_masks(rng, masks.numpy().astype(np.uint8), hands, cut=0)
    return Silhouettes(rows, squares, masks.numpy()), Silhouettes(rows, squares, spoilt)


def render(surface, params, rows, seen):
    """Silhouettes (S,MASK_SIZE,MASK_SIZE) within the picture, and joints (S,24,3) m, of BodyParams in some rows."""
    betas = torch.as_tensor(np.array(params.betas)).expand(len(rows), -1)
    points, joints = surface.pose(betas, posed_rotmats(params)[rows], torch.as_tensor(params.transl[rows]))
    return rasterise(points, seen.windows, MASK_SIZE)[0] & seen.inside, joints


def posed_rotmats(params):
    """The local rotations (F,J,3,3) of BodyParams."""
    return roma.rotvec_to_rotmat(torch.as_tensor(params.poses.reshape(len(params.transl), -1, 3)))


def measure_errors(template, surface, case, params):
    """Silhouette error, 1 - IoU with the true body's; how far ends point elsewhere, deg; joints about the pelvis, skin at rest,
    stature and girths, mm; betas, mean."""
    seen = make_silhouette_crops(case.clean, default_intrinsics(IMAGE_SIZE), IMAGE_SIZE)
    rendered, _joints = render(surface, params, case.clean.rows, seen)
    result = {"silhouette error": float(1 - silhouette_iou(seen.silhouettes, rendered, seen.inside).mean())}
    own, true = (global_rotations(surface, values)[:, END_JOINT_INDICES] for values in (params, case.truth))
    angles = np.degrees(roma.rotmat_geodesic_distance(own, true).numpy())
    result["ends, mean, deg"] = float(angles.mean())
    result |= {f"{end.replace('_', ' ')}, deg": float(angles[:, i].mean()) for i, end in enumerate(END_JOINTS)}
    joints, true_joints = (posed_joints(surface, values) for values in (params, case.truth))
    result["joints about the pelvis, mm"] = float(1000 * np.linalg.norm(joints - true_joints, axis=-1).mean())
    result["betas"] = float(np.abs(params.betas - case.truth.betas).mean())
    off = template.rest_vertices(params.betas) - template.rest_vertices(case.truth.betas)
    result["skin at rest, mm"] = float(1000 * np.linalg.norm(off, axis=-1).mean())
    sizes, true_sizes = (body_measurements(template, values.betas) for values in (params, case.truth))
    return result | {f"{name}, mm": 1000 * abs(sizes[name] - true_sizes[name]) for name in sizes}


def body_measurements(template, betas):
    """Stature, and girths round hips, waist and chest as a tape would lie, m."""
    vertices, joints = template.rest_vertices(betas), template.rest_joints(betas)
    sizes = {"stature": float(np.ptp(vertices[:, 1]))}
    for name, (joint, above) in GIRTHS.items():
        level = joints[template.smpl_joint_indices[JOINT_INDEX[joint]], 1] + above
        near = vertices[(np.abs(vertices[:, 1] - level) < 0.012) & (np.abs(vertices[:, 0]) < 0.35)]
        sizes[name] = cv2.arcLength(cv2.convexHull(near[:, [0, 2]].astype(np.float32)), True)
    return sizes


def posed_joints(surface, params):
    """Joints (F,J,3) m about the pelvis."""
    rest = surface.rest_joints(torch.as_tensor(np.array(params.betas))[None])
    joints = forward_kinematics(posed_rotmats(params), rest, surface.tree)[0].numpy()
    return joints - joints[:, :1]


def global_rotations(surface, params):
    rotmats = posed_rotmats(params)
    return forward_kinematics(rotmats, surface.rest_joints(torch.as_tensor(np.array(params.betas))[None]), surface.tree)[1]


def max_limb_rotation(surface, before, after):
    """The most by which a limb's direction changed, deg."""
    bones = []
    for params in (before, after):
        joints = torch.as_tensor(posed_joints(surface, params))
        vectors = torch.stack([joints[:, JOINT_INDEX[b]] - joints[:, JOINT_INDEX[a]] for a, b in LIMBS], 1)
        bones.append(torch.nn.functional.normalize(vectors.double(), dim=-1))
    return float(torch.rad2deg(torch.linalg.cross(*bones).norm(dim=-1).clamp(max=1).asin().max()))


def draw(path, surface, case, refined, count=6):
    """A row of silhouettes: seen in red, the body in green and both in yellow; above without, below with the refinement."""
    seen = make_silhouette_crops(case.spoilt, default_intrinsics(IMAGE_SIZE), IMAGE_SIZE)
    chosen = evenly_spaced_indices(np.arange(len(case.spoilt)), count)
    lines = []
    for params in (case.fitted, refined):
        rendered, _joints = render(surface, params, case.spoilt.rows, seen)
        tiles = [np.stack([np.zeros((MASK_SIZE, MASK_SIZE)), rendered[i].numpy(), seen.silhouettes[i].numpy()], -1) for i in chosen]
        lines.append(np.concatenate([cv2.resize(np.uint8(220 * tile), (288, 288), interpolation=cv2.INTER_NEAREST) for tile in tiles], 1))
    cv2.imwrite(str(path), np.concatenate(lines, 0))
