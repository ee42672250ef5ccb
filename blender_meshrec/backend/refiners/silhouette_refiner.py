"""What silhouettes say that joints cannot show, laid on a fitted body: girth, and hands and feet that no other point shows.

The network of methods/silhouette_refinement.py looks at up to 32 silhouettes; its betas are pooled over them, and become,
with the bone lengths the body has, the prior of a fit of outlines (contour_fit.py), so that silhouettes add girth and do not
move joints. Limbs keep their directions exactly. What lowers the agreement of the body's silhouettes with the seen ones is
refused: first in part, then as a whole.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import roma
import torch

from ...bodies.alignment import swing_onto
from ...bodies.lbs import forward_kinematics
from ...bodies.silhouette_rendering import SurfacePoints, rasterise, silhouette_iou
from ...core.files.body_template import load_body
from ...core.skeletons import H36M17, KEYPOINT_SETS, SMPL_JOINTS, limb_indices
from ...core.time_series import interpolate_over_time, time_proximity
from ...methods.silhouette_refinement import END_JOINT_INDICES, END_JOINTS, NUM_BETAS, SilhouetteCrops, apply_end_corrections, load_network, predict_corrections
from ..clip import Clip, Person
from ..fitting.betas_fit import MAX_BETA, MEASUREMENTS, SIDES, fit_betas, measure_lengths
from ..fitting.end_rotations import FACE_POINTS, MIN_CONFIDENCE
from ..registry import refiner
from .contour_fit import fit_contours

# A silhouette that the body covers less than this is somebody else's, or nobody's.
MIN_IOU = 0.35
NETWORK_ITERATIONS = 2  # how often the network looks at what it has made
# Bone lengths are kept to within this, m, as far as silhouettes are concerned.
BONE_LENGTH_SIGMA = 0.006
# How sure the network is of betas at best, though many silhouettes agree: it errs alike in all of them, and clothes mislead it.
MIN_NETWORK_SIGMA = 1.5
# Over how long, s, corrections of ends are averaged; and the least a silhouette must say of an end to count (log of rad).
END_SMOOTHING_TIME = 0.2
MAX_END_LOG_SIGMA = 0.0
# An end that points of its own show is known, less and less, this much longer, s.
END_FADE_TIME = 0.3
# An outline hardly shows how a head is turned: on people of the training set the network's answers for it did more harm than good.
REFINED_ENDS = tuple(end for end in END_JOINTS if end != "head")
# By how much, of the intersection over union, the silhouettes must agree better for a correction of an end to stay.
MIN_END_IOU_GAIN = 0.0005
LIMBS = (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))


@dataclass(frozen=True)
class ShapeReport:
    """What came of a refinement.

    num_silhouettes, num_used: silhouettes looked at and used. iou_before, iou_after: their mean intersection over union with the body.
    applied_share: the share of the correction of shape that was kept, 0 when it was refused. corrected_ends: names of those that were
    corrected.
    """

    num_silhouettes: int
    num_used: int
    iou_before: float
    iou_after: float
    applied_share: float
    corrected_ends: tuple


@refiner("silhouettes", stage="body")
def refine_by_silhouettes(person: Person, clip: Clip) -> dict[str, Any]:
    """The Refiner of girth, hands and feet."""
    visibility = end_visibility(person.observations, clip.timestamps)
    body, said = refine_shape(
        clip.template, person.fit.body, person.observations.silhouettes, clip.intrinsics, clip.frames.size, clip.timestamps, visibility
    )
    person.fit = replace(person.fit, body=body)
    return {
        "looked_at": said.num_silhouettes,
        "used": said.num_used,
        "agreement_before": round(said.iou_before, 4),
        "agreement_after": round(said.iou_after, 4),
        "share_kept": said.applied_share,
        "ends_turned": list(said.corrected_ends),
    }


def refine_shape(template, body, silhouettes, intrinsics, image_size, timestamps, ends_known=None, network=None):
    """A body bettered by silhouettes.

    Args:
        template: a BodyTemplate of any family. body: BodyParams in camera axes. silhouettes: a core Silhouettes, or None.
        intrinsics: (3,3) px. image_size: (width, height) px. timestamps: (F,) s.
        ends_known: (F,5) 0..1, how far head, hands and feet follow points of their own (`end_visibility`) and stay as they are.
        network: a SilhouetteNetwork; the one that ships when None.

    Returns:
        BodyParams and a ShapeReport. Without silhouettes that show this body, `body` itself.

    Raises:
        ModelError: the weights are missing or damaged.
    """
    if silhouettes is None or not len(silhouettes):
        return body, ShapeReport(0, 0, 0.0, 0.0, 0.0, ())
    rig = _PosedClip(template, body, silhouettes.rows)
    crops = make_silhouette_crops(silhouettes, intrinsics, image_size)
    rendered = rig.render(rig.betas, rig.rotmats, crops)
    before = silhouette_iou(crops.silhouettes, rendered, crops.inside).numpy()
    trust = np.where(before > MIN_IOU, before, 0.0)
    if not trust.any():
        return body, ShapeReport(len(before), 0, float(before.mean()), float(before.mean()), 0.0, ())
    network = network or load_network()
    pooled, sureness, ends = _run_network(network, rig, crops, trust)
    wanted = _fit_betas(rig, crops, trust, pooled, sureness)
    used = np.flatnonzero(trust)
    betas, share, after = _accept_betas(rig, crops, used, wanted, before)

    known = np.zeros((len(body.transl), len(END_JOINTS))) if ends_known is None else np.asarray(ends_known, float)
    rotmats, transl = rig.with_betas(betas)
    rotmats, corrected, after = _refine_ends(rig, crops, used, betas, rotmats, transl, ends, known, timestamps, after)
    report = ShapeReport(len(before), len(used), float(before[used].mean()), float(after.mean()), share, corrected)
    if share == 0 and not corrected:
        return body, report
    poses = roma.rotmat_to_rotvec(rotmats).numpy()
    poses = poses.reshape(len(poses), -1)
    return replace(body, betas=betas, global_orient=poses[:, :3], body_pose=poses[:, 3:], transl=transl.numpy()), report


def make_silhouette_crops(silhouettes, intrinsics, image_size):
    """Silhouettes as the network takes them: SilhouetteCrops, their windows as lines of sight."""
    intrinsics = np.asarray(intrinsics, float)
    focal, principal = np.diag(intrinsics)[:2], intrinsics[:2, 2]
    side = silhouettes.squares[:, 2:].astype(float)
    corner = silhouettes.squares[:, :2] - side / 2
    windows = np.concatenate([(corner - principal) / focal, side / focal], 1)
    pixels = silhouettes.masks.shape[-1]
    steps = (np.arange(pixels) + 0.5) / pixels
    columns, rows = (corner[:, axis, None] + side * steps for axis in (0, 1))
    inside = ((rows > 0) & (rows < image_size[1]))[:, :, None] & ((columns > 0) & (columns < image_size[0]))[:, None]
    return SilhouetteCrops(
        torch.as_tensor(silhouettes.masks & inside), torch.as_tensor(inside), torch.as_tensor(windows, dtype=torch.float32)
    )


def end_visibility(observations, timestamps):
    """How far points of their own show how each of END_JOINTS is turned, (F,5) 0..1: where they are sure, and fading around there.

    Between two sure frames body_fit.py has carried the turn over. A point that comes and goes must not make a foot flap between
    what it shows and what is guessed without it.
    """
    names = KEYPOINT_SETS[observations.keypoint_set].points
    sure = observations.keypoints[..., 2] > MIN_CONFIDENCE
    metres = observations.keypoints_3d is not None
    wanted = {
        "head": (FACE_POINTS, metres),
        **{f"{side}_wrist": ([f"{side}_{point}" for point in ("wrist", "index", "pinky")], metres) for side in SIDES},
        **{f"{side}_ankle": ([f"{side}_{point}" for point in ("heel", "big_toe")], True) for side in SIDES},
    }
    known = np.zeros((len(observations), len(END_JOINTS)), bool)
    for column, end in enumerate(END_JOINTS):
        points, enough = wanted[end]
        if enough and all(point in names for point in points):
            known[:, column] = sure[:, [names.index(point) for point in points]].all(1) & observations.visible
    return np.stack([time_proximity(known[:, column], timestamps, END_FADE_TIME) for column in range(len(END_JOINTS))], 1)


class _PosedClip:
    """A body's surface and a clip's poses, and of these the rows with silhouettes."""

    def __init__(self, template, body, rows):
        self.template, self.rows = template, torch.as_tensor(np.array(rows))
        self.surface = SurfacePoints(template)
        # The network knows the open body; another one shows it the open body of the same bones.
        self.own = template.surface_model_type == "open"
        self.betas = np.asarray(body.betas, float)
        self.all_rotmats = roma.rotvec_to_rotmat(torch.as_tensor(body.poses.reshape(len(body.transl), -1, 3)))
        self.all_transl = torch.as_tensor(np.array(body.transl))
        self.rotmats = self.all_rotmats[self.rows]

    def render(self, betas, rotmats, crops, transl=None):
        """Silhouettes (S,S',S') of these betas (B,), local rotations (S,J,3,3), cut off where the picture ends."""
        transl = self.all_transl[self.rows] if transl is None else transl
        points, _joints = self.surface.pose(_repeat_betas(betas, len(rotmats)), rotmats, transl)
        return rasterise(points, crops.windows, crops.silhouettes.shape[-1])[0] & crops.inside

    def with_betas(self, betas):
        """The clip's rotations (F,J,3,3) and transl (F,3) under other betas, with every limb's direction, and the middle of
        the limb joints, where they were."""
        tree = self.surface.tree
        old, new = (self.surface.rest_joints(_repeat_betas(b, 1)) for b in (self.betas, betas))
        joints, turned = forward_kinematics(self.all_rotmats, old, tree)
        turned = turned.clone()
        at = {name: int(joint) for name, joint in zip(SMPL_JOINTS, self.template.smpl_joint_indices)}
        for side in SIDES:
            for start, end in LIMBS:
                start, end = at[f"{side}_{start}"], at[f"{side}_{end}"]
                bone, before = (torch.nn.functional.normalize(rest[0, end] - rest[0, start], dim=-1) for rest in (new, old))
                turned[:, start] = swing_onto(turned[:, start], bone, (turned[:, start] @ before))
        parents = np.maximum(self.template.parents, 0)
        rotmats = turned[:, parents].mT @ turned
        rotmats[:, 0] = turned[:, 0]
        posed = forward_kinematics(rotmats, new, tree)[0]
        limbs = self.template.smpl_joint_indices[limb_indices(SMPL_JOINTS)]
        return rotmats, self.all_transl + (joints - posed)[:, limbs].mean(1)


def _run_network(network, rig, crops, trust):
    """What the network says: betas (10,) pooled over silhouettes or None, how sure (10,), and corrections of ends with their doubts.

    Returns:
        betas, sureness (standard deviations), (rotvecs (S,5,3), doubts (S,5)).
    """
    surface, betas, transl = rig.surface, rig.betas, rig.all_transl[rig.rows]
    if not rig.own:
        open_body = load_body()
        surface = SurfacePoints(open_body)
        betas = _open_body_betas(open_body, rig.template, rig.betas)
        # Pelvises meet, wherever each body has its origin.
        root = rig.surface.rest_joints(_repeat_betas(rig.betas, 1))[0, 0] - surface.rest_joints(_repeat_betas(betas, 1))[0, 0]
        transl = transl + root
    rotmats = rig.rotmats[:, rig.template.smpl_joint_indices]
    start, turned = betas, rotmats
    weight = np.sqrt(trust)[:, None]
    for _ in range(NETWORK_ITERATIONS):
        said = predict_corrections(network, surface, crops, _repeat_betas(betas, len(rotmats)), turned, transl)
        sure = weight * np.exp(-said.log_scale_betas.numpy())
        change = np.array([weighted_median(said.betas[:, k].numpy(), sure[:, k]) for k in range(NUM_BETAS)])
        betas = np.clip(betas + change, -MAX_BETA, MAX_BETA)
        turned = apply_end_corrections(turned, said.ends)
    ends = roma.rotmat_to_rotvec(rotmats[:, END_JOINT_INDICES].mT @ turned[:, END_JOINT_INDICES])
    spread = np.maximum(np.exp(said.log_scale_betas.numpy()).min(0), MIN_NETWORK_SIGMA)
    return (betas - start if rig.own else None), spread, (ends, said.log_scale_ends)


def _open_body_betas(open_body, template, betas):
    """Betas of the open body whose bones are as long as another body's."""
    rest = template.rest_joints(betas)[template.smpl_joint_indices]
    joints = np.zeros((1, len(H36M17), 3))
    joints[0, limb_indices(H36M17)] = rest[limb_indices(SMPL_JOINTS)]
    return fit_betas(open_body, measure_lengths(joints, np.ones(joints.shape[:2])))


def _fit_betas(rig, crops, trust, pooled, sureness):
    """The betas (B,) of outlines, bone lengths and the network together."""
    betas = rig.betas
    rows = _bone_length_jacobian(rig.template, betas)
    # What bone lengths do not tell is the population's, of which a beta is one standard deviation.
    precision = rows.T @ rows / BONE_LENGTH_SIGMA**2 + np.eye(len(betas))
    mean = betas
    if pooled is not None:
        said = np.diag(1 / sureness[: len(betas)] ** 2)
        precision = precision + said
        mean = betas + np.linalg.solve(precision, said @ pooled[: len(betas)])
    fitted = fit_contours(rig.surface, crops, trust, mean, rig.rotmats, rig.all_transl[rig.rows], (mean, precision))
    return np.clip(fitted, -MAX_BETA, MAX_BETA)


def _accept_betas(rig, crops, used, wanted, before):
    """As much of the change to `wanted` betas as raises the agreement: betas, the share, agreement (S',) of the used silhouettes."""
    part = _select_rows(crops, used)
    for share in (1.0, 0.5, 0.25):
        betas = rig.betas + share * (wanted - rig.betas)
        rotmats, transl = rig.with_betas(betas)
        rows = rig.rows[used]
        rendered = rig.render(betas, rotmats[rows], part, transl[rows])
        after = silhouette_iou(part.silhouettes, rendered, part.inside).numpy()
        if after.mean() > before[used].mean() and np.median(after) >= np.median(before[used]):
            return betas, share, after
    return rig.betas, 0.0, before[used]


def _refine_ends(rig, crops, used, betas, rotmats, transl, ends, known, timestamps, before):
    """Rotations (F,J,3,3) with the ends turned that nothing else shows, the names of these, and agreement (S',)."""
    rotvecs, doubts = (values[used] for values in ends)
    rows = rig.rows[used]
    times = np.asarray(timestamps, float)
    part = _select_rows(crops, used)
    corrected = []
    for end in REFINED_ENDS:
        column = END_JOINTS.index(end)
        free = (known[rows.numpy(), column] == 0) & (doubts[:, column].numpy() < MAX_END_LOG_SIGMA)
        if not free.any():
            continue
        turn = _smooth_corrections(
            rotvecs[free, column].numpy(), np.exp(-2 * doubts[free, column].numpy()), times[rows[free].numpy()], times, known[:, column]
        )
        changed = rotmats.clone()
        changed[:, END_JOINT_INDICES[column]] = rotmats[:, END_JOINT_INDICES[column]] @ roma.rotvec_to_rotmat(
            torch.as_tensor(turn).to(rotmats)
        )
        rendered = rig.render(betas, changed[rows], part, transl[rows])
        after = silhouette_iou(part.silhouettes, rendered, part.inside).numpy()
        if after.mean() >= before.mean() + MIN_END_IOU_GAIN:
            rotmats, before = changed, after
            corrected.append(end)
    return rotmats, tuple(corrected), before


def _smooth_corrections(rotvecs, weights, at, times, known):
    """Corrections (F,3) rad for every frame of those (P,3) at some times: each averaged with its neighbours, linear between them,
    and as much of it as is not `known` (F,)."""
    near = np.exp(-0.5 * ((at[:, None] - at) / END_SMOOTHING_TIME) ** 2) * weights
    smooth = near @ rotvecs / near.sum(1, keepdims=True)
    return (1 - known)[:, None] * interpolate_over_time(times, at, smooth)


def _bone_length_jacobian(template, betas):
    """How the lengths of MEASUREMENTS grow with betas, (M,B)."""
    rest, slopes, rows = template.rest_joints(betas)[template.smpl_joint_indices], template.J_shapedirs[template.smpl_joint_indices], []
    for _name, starts, ends, _sigma in MEASUREMENTS:
        for side in SIDES if not starts[0].startswith(SIDES) else ("",):
            first, last = ([SMPL_JOINTS.index(f"{side}_{name}" if side else name) for name in names] for names in (starts, ends))
            bone = rest[last].mean(0) - rest[first].mean(0)
            rows.append(bone / np.linalg.norm(bone) @ (slopes[last].mean(0) - slopes[first].mean(0))[:, : len(betas)])
    return np.array(rows)


def weighted_median(values, weights):
    """The value (one of (N,)) with half the weight on either side."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return values[order][np.searchsorted(total, total[-1] / 2)]


def _select_rows(crops, rows):
    return SilhouetteCrops(*(values[rows] for values in crops))


def _repeat_betas(betas, count):
    return torch.as_tensor(np.asarray(betas), dtype=torch.float32).expand(count, -1)
