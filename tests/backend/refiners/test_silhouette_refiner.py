"""Shape from silhouettes: girth is recovered, joints stay, and silhouettes of anything else change nothing."""

import copy
import dataclasses
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from blender_meshrec.backend.clip import Person
from blender_meshrec.backend.fitting.betas_fit import fit_betas, measure_lengths
from blender_meshrec.backend.fitting.body_fit import BodyFit
from blender_meshrec.backend.pipeline import recover
from blender_meshrec.backend.refiners import contour_fit
from blender_meshrec.backend.refiners.contour_fit import (
    GaussianPrior,
    clothed_parts,
    fit_contours,
    observe_outline,
    outline_equations,
    signed_distance,
)
from blender_meshrec.backend.refiners.end_visibility import end_visibility
from blender_meshrec.backend.refiners.posed_clip import LIMBS, PosedClip
from blender_meshrec.backend.refiners.silhouette_refiner import make_silhouette_crops, refine_shape
from blender_meshrec.backend.registry import REFINERS
from blender_meshrec.bodies.lbs import forward_kinematics
from blender_meshrec.bodies.silhouette_rendering import SurfacePoints, rasterise
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.cameras import default_intrinsics
from blender_meshrec.core.files.body_template import body_from_arrays
from blender_meshrec.core.records import BodyParams, Observations
from blender_meshrec.core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from blender_meshrec.core.silhouettes import BOX_MARGIN, MASK_SIZE, Silhouettes
from blender_meshrec.core.skeletons import H36M17, KEYPOINT_SETS, SMPL_JOINTS, limb_indices
from blender_meshrec.methods.silhouette_refinement import END_JOINTS, SilhouetteNetwork
from scripts.evaluate.silhouettes import dress
from tests.support.synthetic_template import smpl_arrays

torch.set_num_threads(1)
SIZE, FRAMES = (1280, 720), 24
TIMES = np.arange(FRAMES) / 24
ROWS = np.arange(0, FRAMES, 2)
STOUT = np.array([0.3, 1.5, 1.0, -1.2, 0.4, 0.8, -0.6, 0.5, 0.0, 0.3])


@pytest.fixture(scope="module")
def quiet():
    """A network without corrections, which leaves the fit of outlines."""
    torch.manual_seed(0)
    network = SilhouetteNetwork().eval()
    for head in network.heads.values():
        torch.nn.init.zeros_(head[-1].weight)
        torch.nn.init.zeros_(head[-1].bias)
    network.heads["shape"][-1].bias.data[10:] = 3
    network.heads["ends"][-1].bias.data[3::4] = 3
    return network


def person(betas, seed=0, model="open"):
    """BodyParams of a person who turns round once before the camera, swinging all limbs."""
    rng = np.random.default_rng(seed)
    turn = np.linspace(0, 2 * np.pi, FRAMES)[:, None]
    poses = 0.25 * np.sin(turn[..., None] * rng.integers(1, 3, (24, 3)) + rng.uniform(0, 6, (24, 3)))
    poses[:, [SMPL_JOINTS.index("left_shoulder"), SMPL_JOINTS.index("right_shoulder")], 2] += np.array([-0.9, 0.9])
    upright = rotmat_from_rotvec(np.array([np.pi, 0.0, 0.0])) @ rotmat_from_rotvec(turn * [0.0, 1.0, 0.0])
    poses[:, 0] = rotvec_from_rotmat(upright)
    transl = np.concatenate([0.2 * np.sin(turn), 0.05 * turn, 4 + 0.3 * np.cos(turn)], 1)
    return BodyParams(model, betas, poses[:, 0], poses[:, 1:].reshape(FRAMES, -1), transl)


def silhouettes_of(surface, template, body, rows=ROWS):
    """The silhouettes of a body by a perfect segmentation."""
    clip = PosedClip(template, body, rows)
    betas = torch.as_tensor(np.array(body.betas)).expand(len(rows), -1)
    points, _joints = surface.pose(betas, clip.rotmats[clip.rows], clip.transl[clip.rows])
    pixels = points.numpy() @ default_intrinsics(SIZE).T
    pixels = pixels[..., :2] / pixels[..., 2:]
    low, high = pixels.min(1), pixels.max(1)
    squares = np.concatenate([(low + high) / 2, (high - low).max(1, keepdims=True) * BOX_MARGIN], 1)
    crops = crops_of(Silhouettes(rows, squares, np.zeros((len(rows), MASK_SIZE, MASK_SIZE))))
    return Silhouettes(rows, squares, (rasterise(points, crops.windows, MASK_SIZE)[0] & crops.inside).numpy())


def crops_of(silhouettes):
    return make_silhouette_crops(silhouettes, default_intrinsics(SIZE), SIZE)


def refined(template, body, silhouettes, network, **more):
    return refine_shape(template, body, silhouettes, default_intrinsics(SIZE), SIZE, TIMES, network=network, **more)


def with_betas(template, truth, betas):
    """A body of other betas with another's limb directions, its limb joints about the same middle."""
    rotmats, transl = PosedClip(template, truth, ROWS).with_betas(betas)
    poses = rotvec_from_rotmat(rotmats.numpy())
    return BodyParams(truth.model, betas, poses[:, 0], poses[:, 1:].reshape(FRAMES, -1), transl.numpy())


def betas_from_bones(template, surface, truth):
    """The betas that the pipeline fits to the truth's bone lengths."""
    joints = surface.rest_joints(torch.as_tensor(np.array(truth.betas))[None]).numpy()[:, template.smpl_joint_indices]
    joints17 = np.zeros((1, len(H36M17), 3))
    joints17[0, limb_indices(H36M17)] = joints[0, limb_indices(SMPL_JOINTS)]
    return fit_betas(template, measure_lengths(joints17, np.ones((1, len(H36M17)))))


@pytest.fixture(scope="module")
def case(template, surface):
    """Truth, an estimate with its bone lengths but not its girth, and silhouettes of the truth in clothes as most wear them."""
    truth = person(STOUT)
    silhouettes = silhouettes_of(dress(surface, [0.01, 0.01, 0.01]), template, truth)
    return truth, with_betas(template, truth, betas_from_bones(template, surface, truth)), silhouettes


def girths(template, betas):
    """Circumference of hips, waist and chest, m: convex hulls of slices of the skin at rest."""
    vertices, joints = template.rest_vertices(betas), template.rest_joints(betas)
    found = []
    for name, above in (("left_hip", -0.02), ("spine1", 0.05), ("spine2", 0.08)):
        level = joints[SMPL_JOINTS.index(name), 1] + above
        near = vertices[(np.abs(vertices[:, 1] - level) < 0.012) & (np.abs(vertices[:, 0]) < 0.35)]
        found.append(cv2.arcLength(cv2.convexHull(near[:, [0, 2]].astype(np.float32)), True))
    return np.array(found)


def girth_error(template, betas, truth):
    """Mean error of the girths, m."""
    return np.abs(girths(template, betas) - girths(template, truth.betas)).mean()


def limbs_of(surface, body):
    """Unit vectors (F,8,3) of the limbs, and joints (F,J,3) m."""
    rotvecs = body.poses.reshape(FRAMES, -1, 3)
    rest = surface.rest_joints(torch.as_tensor(np.array(body.betas), dtype=torch.float32)[None])
    joints = forward_kinematics(torch.as_tensor(rotmat_from_rotvec(rotvecs), dtype=torch.float32), rest, surface.tree)[0].numpy()
    pairs = [[SMPL_JOINTS.index(f"{side}_{name}") for name in limb] for side in ("left", "right") for limb in LIMBS]
    bones = np.stack([joints[:, b] - joints[:, a] for a, b in pairs], 1)
    return bones / np.linalg.norm(bones, axis=-1, keepdims=True), joints + body.transl[:, None]


def test_girth_is_recovered_and_limbs_stay(template, surface, case, quiet):
    truth, estimate, silhouettes = case
    body, report = refined(template, estimate, silhouettes, quiet)
    assert report.num_used == len(ROWS) and report.applied_fraction == 1 and report.corrected_ends == ()
    assert report.iou_after > report.iou_before + 0.02
    # A part of it, for the rest may be clothes: the estimate is the likeliest, not the widest that the outlines allow.
    assert girth_error(template, body.betas, truth) < 0.65 * girth_error(template, estimate.betas, truth)
    assert (girths(template, body.betas) < girths(template, truth.betas)).all()
    (before, joints_before), (after, joints_after) = limbs_of(surface, estimate), limbs_of(surface, body)
    np.testing.assert_allclose(after, before, atol=1e-4)
    assert np.linalg.norm(joints_after - joints_before, axis=-1).mean() < 0.012  # m
    assert abs(np.ptp(template.rest_vertices(body.betas)[:, 1]) - np.ptp(template.rest_vertices(truth.betas)[:, 1])) < 0.02  # m


def test_loose_clothes_make_nobody_stout(template, surface, quiet, monkeypatch):
    truth = person(np.zeros(10))
    silhouettes = silhouettes_of(dress(surface, [0.04, 0.03, 0.03]), template, truth)
    body, _report = refined(template, truth, silhouettes, quiet)
    monkeypatch.setattr(contour_fit, "CLOTHES_MEAN", 0.0)
    monkeypatch.setattr(contour_fit, "CLOTHES_SIGMA", 1e-4)
    as_if_naked, _report = refined(template, truth, silhouettes, quiet)
    assert girth_error(template, as_if_naked.betas, truth) > 0.15  # m
    assert girth_error(template, body.betas, truth) < 0.5 * girth_error(template, as_if_naked.betas, truth)


def spoil_masks(kind, masks, rng):
    masks = masks.copy()
    side = np.arange(MASK_SIZE)
    for mask in masks:
        rows, columns = np.nonzero(mask)
        if kind == "holes":
            for at in rng.integers(len(rows), size=3):
                mask[np.hypot(side[:, None] - rows[at], side - columns[at]) < 5] = False
        if kind == "held":  # a board beside the belly
            middle = int(np.median(rows))
            mask[middle - 6 : middle + 6, columns.max() - 4 : columns.max() + 14] = True
        if kind == "touching":  # somebody as large, half a body's width to the side
            mask |= np.roll(mask, 16, axis=1)
    return masks


@pytest.mark.parametrize("kind", ["holes", "held", "touching"])
def test_holes_held_objects_and_touching_people_are_outliers(template, case, quiet, kind):
    truth, estimate, silhouettes = case
    masks = spoil_masks(kind, silhouettes.masks, np.random.default_rng(4))
    body, _report = refined(template, estimate, Silhouettes(silhouettes.rows, silhouettes.squares, masks), quiet)
    assert girth_error(template, body.betas, truth) < girth_error(template, estimate.betas, truth)
    # Nearly as good as with clean silhouettes.
    clean, _report = refined(template, estimate, silhouettes, quiet)
    assert np.abs(girths(template, body.betas) - girths(template, clean.betas)).max() < (0.03 if kind != "touching" else 0.06)  # m


@pytest.mark.parametrize("what", ["nothing", "everything", "noise", "somebody else", "no silhouettes", "none"])
def test_silhouettes_of_anything_else_change_nothing(template, case, quiet, what):
    _truth, estimate, silhouettes = case
    shape = silhouettes.masks.shape
    masks = {
        "nothing": np.zeros(shape),
        "everything": np.ones(shape),
        "noise": np.random.default_rng(1).random(shape) < 0.3,
        "somebody else": np.roll(silhouettes.masks, 40, axis=2),
    }
    given = None if what == "none" else Silhouettes([], [], [])
    if what in masks:
        given = Silhouettes(silhouettes.rows, silhouettes.squares, masks[what])
    body, report = refined(template, estimate, given, quiet)
    assert body is estimate and report.num_used == 0 and report.applied_fraction == 0


def test_empty_silhouettes_among_good_ones_are_ignored(template, case, quiet):
    truth, estimate, silhouettes = case
    masks = silhouettes.masks.copy()
    masks[::3] = False
    body, report = refined(template, estimate, Silhouettes(silhouettes.rows, silhouettes.squares, masks), quiet)
    assert report.num_silhouettes == 12 and report.num_used == 8
    assert girth_error(template, body.betas, truth) < 0.7 * girth_error(template, estimate.betas, truth)


def test_a_body_that_fits_stays(template, surface, quiet):
    truth = person(np.zeros(10))
    body, report = refined(template, truth, silhouettes_of(surface, template, truth), quiet)
    assert girth_error(template, body.betas, truth) < 0.01  # m
    assert report.iou_after >= report.iou_before


def test_a_body_of_another_family_gets_its_girth(quiet):
    """With its own betas, by outlines alone."""
    arrays = smpl_arrays()
    # Its faces are large and random: a few of them cover it.
    own = body_from_arrays({**arrays, "f": arrays["f"][:60]}, "synthetic")
    surface, rng = SurfacePoints(own), np.random.default_rng(2)
    truth = person(rng.normal(0, 1, own.J_shapedirs.shape[-1]), model=own.surface_model_type)
    estimate = with_betas(own, truth, 0.3 * truth.betas)
    body, report = refined(own, estimate, silhouettes_of(surface, own, truth), quiet)
    assert body.model == own.surface_model_type and body.betas.shape == estimate.betas.shape
    assert report.applied_fraction > 0 and report.iou_after > report.iou_before + 0.02
    after, before = (np.linalg.norm(own.rest_vertices(each.betas) - own.rest_vertices(truth.betas), axis=-1) for each in (body, estimate))
    assert after.mean() < 0.7 * before.mean()


def test_ends_are_corrected_only_where_no_keypoint_shows_them(template, surface, quiet):
    truth = person(np.zeros(10))
    silhouettes = silhouettes_of(surface, template, truth)
    bent = np.array(truth.body_pose).reshape(FRAMES, 23, 3)
    foot = SMPL_JOINTS.index("left_ankle")
    # The estimate's feet point down by half a radian, which the network corrects.
    turn = rotmat_from_rotvec(np.array([0.5, 0.0, 0.0]))
    bent[:, foot - 1] = rotvec_from_rotmat(rotmat_from_rotvec(bent[:, foot - 1]) @ turn)
    estimate = dataclasses.replace(truth, body_pose=bent.reshape(FRAMES, -1))
    correcting = _correcting(quiet, "left_ankle", (-0.25, 0.0, 0.0))  # a quarter, as it is applied twice
    body, report = refined(template, estimate, silhouettes, correcting)
    assert report.corrected_ends == ("left_ankle",) and report.iou_after > report.iou_before
    np.testing.assert_allclose(
        body.body_pose.reshape(FRAMES, 23, 3)[:, foot - 1], truth.body_pose.reshape(FRAMES, 23, 3)[:, foot - 1], atol=2e-2
    )
    known = np.zeros((FRAMES, len(END_JOINTS)), bool)
    known[:, END_JOINTS.index("left_ankle")] = True
    body, report = refined(template, estimate, silhouettes, correcting, ends_known=known)
    assert report.corrected_ends == ()


def _correcting(network, end, rotvec):
    """A copy of a network with a constant correction of one end."""
    network = copy.deepcopy(network)
    column = 4 * END_JOINTS.index(end)
    bias = network.heads["ends"][-1].bias.data
    bias[column : column + 3] = torch.tensor(rotvec) / 0.35
    bias[column + 3] = -2
    return network


def test_keypoints_of_their_own_show_ends():
    names = KEYPOINT_SETS["blazepose33"].points
    keypoints = np.ones((3, len(names), 3))
    keypoints[1, names.index("left_heel"), 2] = 0
    keypoints[2, :, 2] = 0
    seen = np.ones(3, bool)
    metres = np.zeros((3, len(names), 3))
    times = np.arange(3.0)
    known = end_visibility(Observations("blazepose33", np.zeros((3, 4)), keypoints, seen, metres), times)
    assert (known[0] == 1).all() and not known[2].any()
    assert [end for end, here in zip(END_JOINTS, known[1]) if not here] == ["left_ankle"]
    # Hands and head turn in depth, which only points in metres show.
    known = end_visibility(Observations("blazepose33", np.zeros((3, 4)), keypoints, seen), times)
    assert [end for end, here in zip(END_JOINTS, known[0]) if here] == ["left_ankle", "right_ankle"]
    coco = len(KEYPOINT_SETS["coco17"].points)
    assert not end_visibility(Observations("coco17", np.zeros((3, 4)), np.ones((3, coco, 3)), seen), times).any()


def test_visibility_of_an_end_never_jumps():
    names, times = KEYPOINT_SETS["blazepose33"].points, np.arange(90) / 30
    keypoints = np.ones((90, len(names), 3))
    keypoints[20:70, names.index("left_heel"), 2] = 0.4
    keypoints[[24, 31, 33], names.index("left_heel"), 2] = 0.6
    known = end_visibility(
        Observations("blazepose33", np.zeros((90, 4)), keypoints, np.ones(90, bool), np.zeros((90, len(names), 3))), times
    )
    foot = known[:, END_JOINTS.index("left_ankle")]
    assert (foot[[24, 31, 33]] == 1).all() and (foot[45:60] == 0).all()
    assert np.abs(np.diff(foot)).max() < 0.2


@pytest.mark.parametrize(("beta", "step"), [(0, 1.0), (0, -1.0), (3, 2.0), (3, -2.0)])
def test_outlines_move_as_their_jacobian_predicts(template, surface, beta, step):
    """Predicted motion against outlines of a body with more or less of a beta; outlines are good to a tenth of a pixel."""
    body = person(np.zeros(10))
    clip = PosedClip(template, body, ROWS)
    crops = crops_of(silhouettes_of(surface, template, body))
    pose = clip.rotmats[clip.rows], clip.transl[clip.rows]
    points, _joints = surface.pose(torch.zeros(len(ROWS), 10), *pose)
    betas = torch.zeros(len(ROWS), 10)
    betas[:, beta] = step
    targets = rasterise(surface.pose(betas, *pose)[0], crops.windows, MASK_SIZE)[0].numpy()
    everywhere = np.ones((MASK_SIZE, MASK_SIZE), bool)
    predicted, measured, weights = [], [], []
    for i, (target, motion) in enumerate(zip(targets, surface.joint_motion(pose[0]), strict=True)):
        own, observed = crops.silhouettes[i].numpy(), observe_outline(target, everywhere)
        equations = outline_equations(surface, clothed_parts(surface), points[i], crops.windows[i], motion, own, observed)
        predicted.append(step * equations.jacobian[:, beta])
        measured.append(equations.offsets)
        weights.append(equations.weights)
    predicted, measured, weights = map(np.concatenate, (predicted, measured, weights))
    product, square = (weights * predicted * measured).sum(), (weights * predicted**2).sum()
    assert product / square == pytest.approx(0.85, abs=0.25)
    assert product / np.sqrt(square * (weights * measured**2).sum()) > 0.65


def test_a_strong_prior_wins(surface, template, case):
    _truth, estimate, silhouettes = case
    clip = PosedClip(template, estimate, silhouettes.rows)
    prior = GaussianPrior(estimate.betas.astype(float), 1e9 * np.eye(10))
    fitted = fit_contours(
        surface, crops_of(silhouettes), np.ones(len(ROWS)), estimate.betas, clip.rotmats[clip.rows], clip.transl[clip.rows], prior
    )
    np.testing.assert_allclose(fitted, estimate.betas, atol=1e-4)


def test_signed_distance_of_a_disc():
    side = np.arange(64) + 0.5
    from_middle = np.hypot(side[:, None] - 32, side - 32)
    np.testing.assert_allclose(signed_distance(from_middle < 20), 20 - from_middle, atol=0.8)  # px


def test_footage_is_refined_by_default(shared_media):
    footage = str(shared_media / "video" / "tfjs-models__pose_squats.mp4")
    plain, better = (recover(ReconstructRequest(footage, frames=(20, 60), method="blazepose", **more)) for more in ({"refine": ()}, {}))
    assert "silhouettes" not in plain.report["people"][0]
    report = better.report["people"][0]["silhouettes"]
    assert report["looked_at"] == report["used"] == 10
    # The body agrees with what is seen of it so well that no other shape may be better; then it stays.
    assert report["agreement_after"] >= report["agreement_before"] > 0.83
    (before,), (after,) = plain.recoveries, better.recoveries
    # Joints stay where they were.
    assert np.linalg.norm(after.joints - before.joints, axis=-1).mean() < 0.02  # m


def test_keypoints_have_no_silhouettes(template):
    body = person(np.zeros(10))
    keypoints = np.ones((FRAMES, len(KEYPOINT_SETS["coco17"].points), 3))
    observations = Observations("coco17", np.zeros((FRAMES, 4)), keypoints, np.ones(FRAMES, bool))
    clip = SimpleNamespace(template=template, intrinsics=None, view_size=np.array(SIZE), motion_times=TIMES)
    subject = Person(1, observations)
    subject.fit = BodyFit(body, *[np.zeros(0)] * 4)
    report = REFINERS.get("silhouettes")(subject, clip)
    assert subject.fit.body is body and report["looked_at"] == 0
