"""Body fit: bones keep their directions, known shapes and rotations are recovered, and absurd input gives plausible bodies."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from blender_meshrec.backend.fitting.betas_fit import MAX_BETA, fit_betas, measure_lengths
from blender_meshrec.backend.fitting.body_fit import fit_body
from blender_meshrec.backend.fitting.body_params import transform_body
from blender_meshrec.backend.fitting.end_points import EndPoints
from blender_meshrec.bodies.smpl import Smpl
from blender_meshrec.core.files.body_template import body_from_arrays
from blender_meshrec.core.records import BodyParams
from blender_meshrec.core.rotations import angle_between_rotmats, rotmat_from_rotvec, rotvec_from_rotmat
from blender_meshrec.core.skeletons import H36M17, SMPL_JOINTS, SMPL_PARENTS
from blender_meshrec.methods.dik import LIMBS, global_rotmats
from tests.support.synthetic_template import smpl_arrays

torch.set_num_threads(1)
DEVICES = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])
# A body y up in front of a camera y down: half a turn about x, 4 m away.
FACING_CAMERA = np.array([np.pi, 0.0, 0.0])
IN_FRONT = np.array([0.0, 0.0, 4.0])
SIDES = ("left", "right")
FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
AT = {name: i for i, name in enumerate(SMPL_JOINTS)}


def human_motion(frames=60, seed=0):
    """Rotation vectors (F,24,3): swaying trunk, limbs that swing and flex, ends that turn; no collars, knees and elbows are hinges."""
    rng = np.random.default_rng(seed)
    time = np.linspace(0, 2 * np.pi, frames)[:, None]
    poses = np.zeros((frames, 24, 3))

    def wave(size):
        return size * np.sin(time * rng.uniform(0.5, 2, 3) + rng.uniform(0, 6, 3))

    poses[:, 0] = rotvec_from_rotmat(rotmat_from_rotvec(FACING_CAMERA) @ rotmat_from_rotvec(wave(0.3)))
    for name in ("left_hip", "right_hip", "left_shoulder", "right_shoulder"):
        poses[:, AT[name]] = wave(0.5)
    for limb in LIMBS:
        poses[:, AT[limb.middle]] = np.array(limb.hinge) * (1.2 + 0.4 * np.sin(time + rng.uniform(0, 6)))
    for name, size in (("left_ankle", 0.3), ("right_ankle", 0.3), ("left_wrist", 0.4), ("right_wrist", 0.4)):
        poses[:, AT[name]] = wave(size)
    poses[:, AT["neck"]] = poses[:, AT["head"]] = wave(0.2)
    return poses


def joints_of(body, betas, poses, transl=IN_FRONT):
    """h36m17 (F,17,3) m of a posed body."""
    transl = np.broadcast_to(transl, (len(poses), 3))
    return body.h36m17(betas, poses[:, 0], poses[:, 1:].reshape(len(poses), -1), transl).numpy().astype(float)


def full_confidence(joints):
    """Confidence 1 for each of joints (F,J,3)."""
    return np.ones(joints.shape[:2])


def limb_directions(joints, names):
    """Unit vectors (F,8,3) of thighs, shins, upper arms and forearms."""
    pairs = [pair for limb in LIMBS for pair in ((limb.upper, limb.middle), (limb.middle, limb.end))]
    bones = np.stack([joints[:, list(names).index(b)] - joints[:, list(names).index(a)] for a, b in pairs], 1).astype(float)
    return bones / np.linalg.norm(bones, axis=-1, keepdims=True)


def angles_between(a, b):
    """Degrees between unit vectors; accurate for small angles."""
    return np.degrees(2 * np.arcsin(np.clip(np.linalg.norm(a - b, axis=-1) / 2, 0, 1)))


def rotmats_of(fit):
    """Local rotation matrices (F,24,3,3) of a fit."""
    poses = fit.body.poses
    return rotmat_from_rotvec(poses.reshape(len(poses), -1, 3))[:, :24]


def points_of(body, betas, poses, hands=True):
    """Toes, heels, face and the roots of two fingers as a perfect detector finds them, in metres and as rays."""
    frames = len(poses)
    arguments = betas, poses[:, 0], poses[:, 1:].reshape(frames, -1), np.broadcast_to(IN_FRONT, (frames, 3))
    names = [f"{side}_{point}" for point in ("heel", "big_toe") for side in SIDES] + list(FACE)
    found = dict(zip(names, body.landmarks(*arguments, names=tuple(names)).numpy().transpose(1, 0, 2)))
    joints = body.joints(*arguments).numpy()
    world = global_rotmats(torch.tensor(rotmat_from_rotvec(poses)))
    for side, sign in zip(SIDES, (1, -1)) if hands else ():
        hand, wrist = world[f"{side}_wrist"].numpy(), joints[:, AT[f"{side}_wrist"]]
        found[f"{side}_wrist"] = wrist
        found[f"{side}_index"] = wrist + hand @ [0.09 * sign, 0, 0.03]
        found[f"{side}_pinky"] = wrist + hand @ [0.08 * sign, 0, -0.03]
    positions = np.stack(list(found.values()), 1).astype(float)
    return EndPoints(tuple(found), positions, np.ones(positions.shape[:2]), positions[..., :2] / positions[..., 2:])


def some_betas(seed=1):
    return np.clip(np.random.default_rng(seed).normal(0, 1, 10), -2, 2)


def test_a_posed_body_is_recovered(template, body):
    """Bone lengths to 6 mm, rotations that 17 joints show, and joints to 2 cm: its collars, unlike the fit's, do not move."""
    betas, poses = some_betas(), human_motion()
    joints = joints_of(body, betas, poses)
    fit = fit_body(template, joints, full_confidence(joints))
    true = body.joints(betas, poses[:, 0], poses[:, 1:].reshape(60, -1), np.broadcast_to(IN_FRONT, (60, 3))).numpy()
    inner = [i for i, name in enumerate(SMPL_JOINTS) if not name.endswith(("_foot", "_hand", "head"))]
    assert np.linalg.norm(fit.joints - true, axis=-1)[:, inner].max() < 0.02
    assert fit.limb_errors.max() < 0.015
    parents = SMPL_PARENTS[1:]
    bones = [
        np.linalg.norm(rest[1:] - rest[parents], axis=-1) for rest in (template.rest_joints(betas), template.rest_joints(fit.body.betas))
    ]
    limbs = [AT[name] - 1 for limb in LIMBS for name in (limb.middle, limb.end)]
    assert np.abs(bones[0] - bones[1])[limbs].max() < 0.006
    hinged = [AT[name] for limb in LIMBS for name in (limb.upper, limb.middle)]
    wrong = np.degrees(angle_between_rotmats(rotmats_of(fit)[:, hinged], rotmat_from_rotvec(poses[:, hinged])))
    assert np.median(wrong) < 1.5 and wrong.max() < 6


@pytest.mark.parametrize("source", ["open", "smpl", "smplh", "smplx"])
def test_limbs_keep_their_directions_for_any_joints(template, source):
    """Noise of 5 cm, lengths of no person, bodies of every family."""
    kinds = {"smpl": 24, "smplh": 52, "smplx": 55}
    chosen = template if source == "open" else body_from_arrays(smpl_arrays(joints=kinds[source]), "made up")
    rng = np.random.default_rng(2)
    at_rest = joints_of(Smpl(template), np.zeros(10), np.zeros((40, 24, 3)) + [[FACING_CAMERA, *np.zeros((23, 3))]])
    joints = at_rest + rng.normal(0, 0.05, at_rest.shape)
    fit = fit_body(chosen, joints, rng.uniform(0.2, 1, joints.shape[:2]))
    assert angles_between(limb_directions(fit.joints, SMPL_JOINTS), limb_directions(joints, H36M17)).max() < 0.01
    assert fit.body.body_pose.shape == (40, 3 * (len(chosen.parents) - 1))
    assert np.isfinite(fit.body.body_pose).all()


def test_parameters_reproduce_the_joints(template, body):
    """forward(poses, betas) + transl == joints, 0.1 mm."""
    joints = joints_of(body, some_betas(), human_motion())
    fit = fit_body(template, joints, full_confidence(joints))
    again = body.joints(fit.body.betas, fit.body.global_orient, fit.body.body_pose, fit.body.transl)
    assert np.abs(again.numpy() - fit.joints).max() < 1e-4
    assert fit.body.betas.shape == (10,) and fit.confidence.shape == (60, 24)


@pytest.mark.parametrize("device", DEVICES)
def test_devices_agree(template, body, device):
    betas, poses = some_betas(), human_motion()
    joints, points = joints_of(body, betas, poses), points_of(body, betas, poses)
    here, there = (fit_body(template, joints, full_confidence(joints), points, device=where) for where in ("cpu", device))
    assert np.abs(here.joints - there.joints).max() < 1e-3


def test_transformed_joints_give_the_transformed_body(template, body):
    """And `transform_body` gives the same: 0.1 mm."""
    joints = joints_of(body, some_betas(), human_motion())
    rotation, shift = rotmat_from_rotvec([0.3, -1.0, 0.4]), np.array([1.0, -2.0, 0.5])
    fit, moved = (fit_body(template, places, full_confidence(joints)) for places in (joints, joints @ rotation.T + shift))
    transformed = transform_body(fit.body, template.rest_joints(fit.body.betas)[0], rotation, shift)
    for params in (moved.body, transformed):
        again = body.joints(params.betas, params.global_orient, params.body_pose, params.transl).numpy()
        assert np.abs(again - (fit.joints @ rotation.T + shift)).max() < 1e-4
    assert np.abs(moved.body.body_pose - fit.body.body_pose).max() < 1e-3


def test_betas_come_from_lengths(template):
    """Random shapes: limbs and torso to 1 cm, because of the prior; the median ignores a fifth of bad frames."""
    model = Smpl(template)
    for seed in range(5):
        betas = some_betas(seed)
        joints = joints_of(model, betas, human_motion())
        joints[::5] *= 1.5
        lengths = measure_lengths(joints, full_confidence(joints))
        again = measure_lengths(joints_of(model, fit_betas(template, lengths), human_motion()), full_confidence(joints))
        assert set(again) == set(lengths)
        off = {name: abs(again[name] - lengths[name]) for name in lengths if name not in ("hips", "shoulders")}
        assert max(off.values()) < 0.010, off


@pytest.mark.parametrize("scale", [0.2, 1.0, 5.0])
def test_absurd_sizes_give_plausible_bodies(template, body, scale):
    joints = joints_of(body, np.zeros(10), human_motion()) * scale
    fit = fit_body(template, joints, full_confidence(joints))
    assert np.abs(fit.body.betas).max() <= MAX_BETA
    assert 1.2 < np.ptp(template.rest_vertices(fit.body.betas)[:, 1]) < 2.3


def test_feet_hands_and_head_follow_the_points(template, body):
    """Global directions of hands to 5 degrees, of the head to 3, of feet, whose depth is from their length, to 8 and mostly 2."""
    betas, poses = some_betas(), human_motion()
    joints, points = joints_of(body, betas, poses), points_of(body, betas, poses)
    fit = fit_body(template, joints, full_confidence(joints), points)
    true, found = (global_rotmats(torch.tensor(rotmats)) for rotmats in (rotmat_from_rotvec(poses), rotmats_of(fit)))

    def wrong(name, axis):
        return angles_between(true[name].numpy() @ axis, found[name].numpy() @ axis)

    for side in SIDES:
        assert wrong(f"{side}_ankle", [0, 0, 1]).max() < 8 and np.median(wrong(f"{side}_ankle", [0, 0, 1])) < 2
        assert wrong(f"{side}_wrist", [1, 0, 0]).max() < 5 and wrong(f"{side}_wrist", [0, 0, 1]).max() < 5
    assert np.degrees(angle_between_rotmats(true["head"].numpy(), found["head"].numpy())).max() < 3
    without = fit_body(template, joints, full_confidence(joints))
    ends = [AT[f"{side}_{end}"] for side in SIDES for end in ("ankle", "wrist")]
    assert np.abs(rotmats_of(without)[:, ends] - np.eye(3)).max() < 1e-5


def test_elbow_and_wrist_share_a_forearms_twist(template, body):
    """Palms turned up by 90 degrees: the joints stay, elbow and wrist twist by 45 each about the forearm."""
    poses = human_motion()
    ends = [AT[f"{side}_wrist"] for side in SIDES]
    for side, sign in zip(SIDES, (-1, 1)):
        rest = template.rest_joints(np.zeros(10))
        bone = rest[AT[f"{side}_wrist"]] - rest[AT[f"{side}_elbow"]]
        poses[:, AT[f"{side}_wrist"]] = sign * np.pi / 2 * bone / np.linalg.norm(bone)
    joints, points = joints_of(body, np.zeros(10), poses), points_of(body, np.zeros(10), poses)
    fit = fit_body(template, joints, full_confidence(joints), points)
    plain = fit_body(template, joints, full_confidence(joints))
    assert np.abs(fit.joints - plain.joints)[:, [AT["left_wrist"], AT["right_wrist"]]].max() < 1e-4
    turned = np.degrees(angle_between_rotmats(rotmats_of(fit)[:, ends], np.eye(3)))
    assert np.abs(turned - 45).max() < 3


def test_feet_need_no_points_in_metres(template, body):
    """Toes and heels known in the image alone, as OpenPose and Halpe give them: a median error of 10 degrees."""
    betas, poses = np.zeros(10), human_motion()
    joints, points = joints_of(body, betas, poses), points_of(body, betas, poses, hands=False)
    fit = fit_body(template, joints, full_confidence(joints), replace(points, positions=None))
    true, found = (global_rotmats(torch.tensor(rotmats)) for rotmats in (rotmat_from_rotvec(poses), rotmats_of(fit)))
    for side in SIDES:
        wrong = angles_between(true[f"{side}_ankle"].numpy()[..., 2], found[f"{side}_ankle"].numpy()[..., 2])
        assert np.median(wrong) < 10
    # In the image the direction from heel to toe is right, degrees.
    names = [f"{side}_{point}" for point in ("heel", "big_toe") for side in SIDES]
    feet = body.landmarks(fit.body.betas, fit.body.global_orient, fit.body.body_pose, fit.body.transl, names=tuple(names)).numpy()
    rays = feet[..., :2] / feet[..., 2:]
    observed = points.rays[:, [points.names.index(name) for name in names]]
    fitted, expected = ((each[:, 2:] - each[:, :2]) for each in (rays, observed))
    fitted, expected = (each / np.linalg.norm(each, axis=-1, keepdims=True) for each in (fitted, expected))
    assert np.median(angles_between(fitted, expected)) < 3


def test_unreliable_ends_are_interpolated(template, body):
    betas, poses = np.zeros(10), human_motion()
    joints, points = joints_of(body, betas, poses), points_of(body, betas, poses)
    confidence = points.confidence.copy()
    confidence[20:40] = 0.1
    nonsense = points.positions.copy()
    nonsense[20:40] += np.random.default_rng(3).normal(0, 0.3, nonsense[20:40].shape)
    fit = fit_body(template, joints, full_confidence(joints), replace(points, confidence=confidence, positions=nonsense, rays=None))
    whole = fit_body(template, joints, full_confidence(joints), replace(points, rays=None))
    ends = [AT[f"{side}_{end}"] for side in SIDES for end in ("ankle", "wrist")]
    rotations = rotmats_of(fit)[:, ends]
    np.testing.assert_allclose(rotations[:20], rotmats_of(whole)[:20, ends], atol=1e-4)
    steps = np.degrees(angle_between_rotmats(rotations[1:], rotations[:-1]))
    assert steps[19:40].max() < 8


def test_feet_that_point_backwards_are_not_followed(template, body):
    """A detector that takes heels for toes in some frames: legs stay as with its other frames. In all of them: feet are at rest."""
    betas, poses = np.zeros(10), human_motion()
    poses[:, [AT[f"{side}_ankle"] for side in SIDES]] = 0
    joints, points = joints_of(body, betas, poses), points_of(body, betas, poses, hands=False)
    whole = fit_body(template, joints, full_confidence(joints), points)
    order = [points.names.index(name.replace("heel", "?").replace("big_toe", "heel").replace("?", "big_toe")) for name in points.names]
    legs = [AT[f"{side}_{joint}"] for side in SIDES for joint in ("hip", "knee", "ankle")]
    for frames, tolerance in ((slice(20, 30), 12), (slice(None), 35)):
        wrong, rays = points.positions.copy(), points.rays.copy()
        wrong[frames], rays[frames] = wrong[frames][:, order], rays[frames][:, order]
        fit = fit_body(template, joints, full_confidence(joints), replace(points, positions=wrong, rays=rays))
        assert np.degrees(angle_between_rotmats(rotmats_of(fit)[:, legs], rotmats_of(whole)[:, legs])).max() < tolerance


def test_feet_that_slant_the_wrong_way_in_depth_alone_do_not_count_as_backwards(template, body):
    """Of feet towards the camera the picture hardly shows whether they point to it or away from it; of feet from the side it does."""
    betas, poses = np.zeros(10), np.zeros((5, 24, 3))
    from_the_side = rotvec_from_rotmat(rotmat_from_rotvec(FACING_CAMERA) @ rotmat_from_rotvec(np.array([0.0, np.pi / 2, 0.0])))
    for facing, is_backwards in ((FACING_CAMERA, False), (from_the_side, True)):
        poses[:, 0] = facing
        joints, points = joints_of(body, betas, poses), points_of(body, betas, poses, hands=False)
        wrong, rays = points.positions.copy(), points.rays.copy()
        for side in SIDES:
            heel, toe = (points.names.index(f"{side}_{end}") for end in ("heel", "big_toe"))
            wrong[:, toe] = 2 * wrong[:, heel] - wrong[:, toe]
            if is_backwards:
                rays[:, toe] = 2 * rays[:, heel] - rays[:, toe]
        fit = fit_body(template, joints, full_confidence(joints), replace(points, positions=wrong, rays=rays))
        assert (np.mean(fit.feet_backwards) > 0.9) == is_backwards


def test_limbs_out_of_view_hang_and_stand(template, body):
    """Face and shoulders before a desk camera: arms hang and legs are straight, whatever their joints."""
    joints = joints_of(body, np.zeros(10), human_motion())
    confidence = full_confidence(joints)
    hidden = [i for i, name in enumerate(H36M17) if name.endswith(("knee", "ankle", "elbow", "wrist"))]
    confidence[:, hidden] = 0
    joints[:, hidden] = np.random.default_rng(4).normal(0, 1, (60, len(hidden), 3))
    fit = fit_body(template, joints, confidence)
    world = global_rotmats(torch.tensor(rotmats_of(fit)))
    rest = template.rest_joints(fit.body.betas)
    for side in SIDES:
        up = world["spine3"].numpy()[..., 1]
        arm = world[f"{side}_shoulder"].numpy() @ (rest[AT[f"{side}_elbow"]] - rest[AT[f"{side}_shoulder"]])
        assert ((arm / np.linalg.norm(arm, axis=-1, keepdims=True) * up).sum(-1) < -0.9).all()
        for joint in ("hip", "knee", "elbow"):
            assert np.abs(rotmats_of(fit)[:, AT[f"{side}_{joint}"]] - np.eye(3)).max() < 1e-4


def test_collars_follow_the_arms(template, body):
    """Raised arms lift the shoulders, lowered arms lower them, on both sides alike, and T-posed arms leave them."""
    poses = np.zeros((3, 24, 3))
    poses[:, 0] = FACING_CAMERA
    for side, sign in zip(SIDES, (1, -1)):
        poses[:, AT[f"{side}_shoulder"], 2] = sign * np.array([-1.2, 0.0, 1.2])
    joints = joints_of(body, np.zeros(10), poses)
    fit = fit_body(template, joints, full_confidence(joints))
    world = global_rotmats(torch.tensor(rotmats_of(fit)))
    rest = template.rest_joints(fit.body.betas)
    for side in SIDES:
        bone = rest[AT[f"{side}_shoulder"]] - rest[AT[f"{side}_collar"]]
        height = (world["spine3"].mT @ world[f"{side}_collar"]).numpy() @ bone
        down, straight, up = height[:, 1] - bone[1]
        assert down < -0.01 and abs(straight) < 0.003 and up > 0.01
    assert angles_between(limb_directions(fit.joints, SMPL_JOINTS), limb_directions(joints, H36M17)).max() < 0.01


@pytest.mark.parametrize("confidence", [0.0, 1.0])
@pytest.mark.parametrize("places", ["one point", "standing"])
def test_one_frame_without_evidence_gives_a_finite_body(template, body, confidence, places):
    joints = joints_of(body, np.zeros(10), human_motion()[:1]) * (places == "standing")
    fit = fit_body(template, joints, np.full((1, 17), confidence), points_of(body, np.zeros(10), human_motion()[:1]))
    assert np.isfinite(fit.joints).all() and np.isfinite(fit.limb_errors).all()
    assert np.abs(fit.body.betas).max() <= MAX_BETA


def test_the_head_follows_nose_and_head_top(template, body):
    """Two joints, on a neck that bends too: a median error of 10 degrees, where the head turns by up to 40."""
    poses = human_motion()
    joints = joints_of(body, np.zeros(10), poses)
    fit = fit_body(template, joints, full_confidence(joints))
    world, found = (global_rotmats(torch.tensor(rotmats)) for rotmats in (rotmat_from_rotvec(poses), rotmats_of(fit)))
    assert np.median(np.degrees(angle_between_rotmats(world["head"].numpy(), found["head"].numpy()))) < 10


def test_transform_body_rotates_about_the_root():
    """A body whose root rests 30 cm off the origin: its joints are the transformed joints, 0.001 mm."""
    arrays = smpl_arrays(seed=4)
    arrays["v_template"] = arrays["v_template"] + [0.1, 0.2, 0.2]
    own, rng = Smpl(body_from_arrays(arrays, "synthetic"), dtype=torch.float64), np.random.default_rng(4)
    params = BodyParams("smpl", rng.normal(size=10), rng.normal(size=(5, 3)), 0.3 * rng.normal(size=(5, 69)), rng.normal(size=(5, 3)))
    rotation, shift = rotmat_from_rotvec([0.3, -1.0, 0.5]), np.array([1.0, 2.0, 3.0])
    transformed = transform_body(params, own.template.rest_joints(params.betas)[0], rotation, shift)
    before, after = (own.joints(p.betas, p.global_orient, p.body_pose, p.transl).numpy() for p in (params, transformed))
    np.testing.assert_allclose(after, before @ rotation.T + shift, atol=1e-5)


def test_motion_of_other_skeletons_is_fitted(template, recorded_joints):
    """Motion capture subjects, whose joints are not this body's: limbs parallel to 0.01 degrees, joint errors below 6 cm."""
    for number in (3, 40, 80, 120):
        joints = recorded_joints(number)[::10] @ rotmat_from_rotvec(FACING_CAMERA).T + IN_FRONT
        fit = fit_body(template, joints, full_confidence(joints))
        assert angles_between(limb_directions(fit.joints, SMPL_JOINTS), limb_directions(joints, H36M17)).max() < 0.01
        assert fit.limb_errors.max() < 0.06
