"""DIK gives back joints exactly, agrees with a slow oracle, and never returns values that are not finite."""

import numpy as np
import pytest
import roma
import torch

from blender_meshrec.bodies.lbs import forward_kinematics, smpl_tree
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.rotations import rotmat_from_quat
from blender_meshrec.core.skeletons import H36M17, SMPL_JOINTS, h36m17_weights_from_names
from blender_meshrec.methods import dik
from tests.support import dik_oracle
from tests.support.synthetic_template import REST

torch.set_num_threads(1)
DEVICES = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])
SKELETONS = ["smpl-like", "open body", "random proportions"]
FORMS = [24, 17]
MICROMETRE = 1e-6
LIMBS_OF = {"leg": ("hip", "knee", "ankle"), "arm": ("shoulder", "elbow", "wrist")}


def rest_of(skeleton, joints=24, dtype=torch.float64):
    """Joints at rest (J,3): 24 of SMPL, or 17 of h36m17."""
    if joints == 17:
        head = torch.tensor(REST[15] + [[0, 0.03, 0.1], [0, 0.17, 0.0]])
        if skeleton == "open body":
            open_body = load_body("open")
            head = torch.tensor(open_body.v_template[[open_body.landmarks[name] for name in ("nose", "head_top")]])
        weights = torch.tensor(h36m17_weights_from_names((*SMPL_JOINTS, "nose", "head_top")))
        return (weights @ torch.cat([rest_of(skeleton), head])).to(dtype)
    rest = torch.tensor(load_body("open").J_template if skeleton == "open body" else REST)
    if skeleton == "random proportions":
        generator = torch.Generator().manual_seed(7)
        rest = rest * (1 + 0.15 * torch.randn(1, 3, generator=generator, dtype=torch.float64)) + 0.015 * torch.randn(
            24, 3, generator=generator, dtype=torch.float64
        )
    return rest.to(dtype)


def poses(frames, spread=0.8, seed=0):
    """Random local rotations (F,24,3,3): any orientation, extreme poses."""
    generator = torch.Generator().manual_seed(seed)
    rotvecs = spread * torch.randn(frames, 24, 3, generator=generator, dtype=torch.float64)
    rotmats = roma.rotvec_to_rotmat(rotvecs)
    rotmats[:, 0] = roma.rotvec_to_rotmat(3 * rotvecs[:, 0])
    return rotmats


def rotvec(*values):
    return torch.tensor(values, dtype=torch.float64)


def forward(rotmats, rest):
    """Joints (F,24,3) with the root at its rest place."""
    return forward_kinematics(rotmats, rest[None], smpl_tree(rotmats.device))[0]


def posed_joints(joints, rest, **options):
    """Joints of the solved skeleton, with the root at its observed position."""
    rotmats, root = dik.solve_dik(joints, rest, **options)
    again = forward(rotmats, rest)
    return again - again[:, :1] + root[:, None]


def degrees_between(a, b):
    """(...,) between rotation matrices (...,3,3); accurate at small angles too."""
    return torch.rad2deg(2 * torch.asin(((a - b).square().sum((-1, -2)).sqrt() / 8**0.5).clamp(max=1)))


def with_limb(rest, names, side, limb, bend, reverse=False):
    """The rest pose with one limb at an angle of `bend` rad between its bones; reversed, its upper bone points the other way."""
    joints = rest.clone()
    upper, middle, end = (names.index(f"{side}_{joint}") for joint in LIMBS_OF[limb])
    along = torch.nn.functional.normalize(joints[middle] - joints[upper], dim=0) * (-1 if reverse else 1)
    axis = torch.tensor([1.0, 0, 0] if limb == "leg" else [0, 1.0, 0]).to(rest)
    axis = torch.nn.functional.normalize(axis - along * (along @ axis), dim=0)
    joints[middle] = joints[upper] + along * (joints[middle] - joints[upper]).norm()
    joints[end] = joints[middle] + roma.rotvec_to_rotmat(axis * bend) @ along * (rest[end] - rest[middle]).norm()
    return joints


def degenerate_poses(rest):
    """Degenerate poses (name -> joints) for closed forms: straight, folded, flat, mirrored, coincident."""
    names = SMPL_JOINTS if len(rest) == 24 else H36M17
    found = {
        "rest": rest, "one point": rest * 0, "on one line": rest * rest.new_tensor([0, 1, 0]), "flat": rest * rest.new_tensor([1, 1, 0]),
        "mirrored": rest * rest.new_tensor([-1, 1, 1]), "inside out": -rest, "half a turn": rest * rest.new_tensor([-1, -1, 1]),
        "a micron tall": rest * 1e-6, "a thousand kilometres tall": rest * 1e6,
    }  # fmt: skip
    for joint in range(1, len(names)):
        found[f"{names[joint]} on its neighbour"] = rest.clone()
        found[f"{names[joint]} on its neighbour"][joint] = rest[joint - 1]
    for side in ("left", "right"):
        for limb in LIMBS_OF:
            for bend in (0.0, 1e-9, 1e-6, 1e-3, 0.0174, 0.0175, np.pi - 0.0174, np.pi - 1e-4, np.pi):
                for reverse in (False, True):
                    found[f"{side} {limb} {bend} {reverse}"] = with_limb(rest, names, side, limb, bend, reverse)
    return found


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-13), (torch.float32, 10 * MICROMETRE)])
@pytest.mark.parametrize("skeleton", SKELETONS)
def test_forward_kinematics_gives_back_all_24_joints(skeleton, dtype, tolerance, device):
    """Over 3000 random poses, in metres; the required bound is 1e-4 m in single and 1e-9 m in double precision."""
    rest = rest_of(skeleton)
    joints = forward(poses(3000), rest).to(device, dtype)
    error = (posed_joints(joints, rest.to(device, dtype)) - joints).norm(dim=-1)
    assert error.max() < tolerance


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-9), (torch.float32, 1e-4)])
@pytest.mark.parametrize("skeleton", SKELETONS)
def test_straight_and_folded_limbs_are_exact_too(skeleton, dtype, tolerance):
    rest = rest_of(skeleton, dtype=dtype)
    for side in ("left", "right"):
        for limb in LIMBS_OF:
            for bend in (0.0, 1e-9, 1e-6, 1e-3, 0.0174, 0.0175, 0.02, 1.0, np.pi - 0.0176, np.pi - 1e-4, np.pi):
                joints = with_limb(rest, SMPL_JOINTS, side, limb, bend)[None]
                error = (posed_joints(joints, rest) - joints).norm(dim=-1)
                # Feet and hands did not move with the limb: the bone to them no longer has its rest length.
                assert error[:, :22][:, [j for j in range(22) if j not in (10, 11)]].max() < tolerance, (side, limb, bend)


@pytest.mark.parametrize("skeleton", SKELETONS)
def test_the_slow_oracle_agrees_on_24_joints(skeleton):
    rest = rest_of(skeleton)
    joints = forward(poses(20, seed=3), rest)
    fast, _ = dik.solve_dik(joints, rest)
    slow = torch.tensor(np.array([dik_oracle.match(frame, rest.numpy()) for frame in joints.numpy()]))
    assert degrees_between(fast, slow).max() < 1e-4
    joints_of_slow = np.array([dik_oracle.forward(frame, rest.numpy()) for frame in slow.numpy()])
    np.testing.assert_allclose(joints_of_slow - joints_of_slow[:, :1], joints - joints[:, :1], atol=1e-6)


@pytest.mark.parametrize("joints", FORMS)
def test_the_slow_oracle_agrees_on_noisy_joints(joints):
    """Joints whose distances fit no skeleton: least squares and clamped hinges are in use."""
    rest = rest_of("smpl-like", joints)
    generator = torch.Generator().manual_seed(4)
    turned = roma.rotvec_to_rotmat(3 * torch.randn(20, 3, generator=generator, dtype=torch.float64))
    noisy = (rest + 0.06 * torch.randn(20, joints, 3, generator=generator, dtype=torch.float64)) @ turned
    fast, _ = dik.solve_dik(noisy, rest)
    slow = torch.tensor(np.array([dik_oracle.match(frame, rest.numpy()) for frame in noisy.numpy()]))
    assert degrees_between(fast, slow).max() < 1e-4


@pytest.mark.parametrize("joints", FORMS)
def test_every_limb_bone_has_its_observed_direction(joints):
    """Whatever the observed lengths: noise of 6 cm."""
    rest = rest_of("open body", joints)
    generator = torch.Generator().manual_seed(5)
    noisy = rest + 0.06 * torch.randn(200, joints, 3, generator=generator, dtype=torch.float64)
    rotmats, _ = dik.solve_dik(noisy, rest)
    skeleton = rest_of("open body")
    again = forward(rotmats, skeleton)
    names = SMPL_JOINTS if joints == 24 else H36M17
    for limb in dik.LIMBS:
        for a, b in ((limb.upper, limb.middle), (limb.middle, limb.end)):
            seen = torch.nn.functional.normalize(noisy[:, names.index(b)] - noisy[:, names.index(a)], dim=-1)
            made = torch.nn.functional.normalize(again[:, SMPL_JOINTS.index(b)] - again[:, SMPL_JOINTS.index(a)], dim=-1)
            assert (seen - made).norm(dim=-1).max() < 1e-12


@pytest.mark.parametrize("joints", FORMS)
def test_similarity_transforms_of_the_joints_change_only_the_root(joints):
    rest = rest_of("smpl-like", joints)
    generator = torch.Generator().manual_seed(6)
    seen = rest + 0.1 * torch.randn(100, joints, 3, generator=generator, dtype=torch.float64)
    turn = roma.rotvec_to_rotmat(torch.randn(3, generator=generator, dtype=torch.float64))
    before, root = dik.solve_dik(seen, rest)
    after, moved_root = dik.solve_dik(1.3 * seen @ turn.T + torch.tensor([1.0, -2, 3]), rest)
    torch.testing.assert_close(after[:, 0], turn @ before[:, 0], atol=1e-10, rtol=0)
    torch.testing.assert_close(after[:, 1:], before[:, 1:], atol=1e-10, rtol=0)
    torch.testing.assert_close(moved_root, 1.3 * root @ turn.T + torch.tensor([1.0, -2, 3]), atol=1e-10, rtol=0)


@pytest.mark.parametrize("skeleton", SKELETONS)
def test_hinge_poses_are_recovered_as_rotations(skeleton):
    """Where knees and elbows only flex and unobservable rotations are at rest, all rotations are recovered exactly."""
    rest = rest_of(skeleton)
    generator = torch.Generator().manual_seed(8)
    frames = 500
    rotmats = torch.eye(3, dtype=torch.float64).repeat(frames, 24, 1, 1)
    free = [SMPL_JOINTS.index(name) for name in ("pelvis", "spine3", "left_hip", "right_hip", "left_shoulder", "right_shoulder")]
    rotmats[:, free] = roma.rotvec_to_rotmat(0.9 * torch.randn(frames, len(free), 3, generator=generator, dtype=torch.float64))
    for limb in dik.LIMBS:
        angle = torch.empty(frames, 1, dtype=torch.float64).uniform_(0.35, 2.4, generator=generator)  # from 20 to 137 degrees
        rotmats[:, SMPL_JOINTS.index(limb.middle)] = roma.rotvec_to_rotmat(angle * rotvec(*limb.hinge))
    found, _ = dik.solve_dik(forward(rotmats, rest), rest)
    assert degrees_between(found, rotmats).max() < 1e-6


def test_knees_and_elbows_bend_the_human_way():
    """Sitting with the hands at the chin: thighs forward, shins down; the elbows' flexion is about their hinges."""
    rest = rest_of("open body")
    rotmats = torch.eye(3, dtype=torch.float64).repeat(1, 24, 1, 1)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        rotmats[0, SMPL_JOINTS.index(f"{side}_hip")] = roma.rotvec_to_rotmat(rotvec(-np.pi / 2, 0, 0))
        rotmats[0, SMPL_JOINTS.index(f"{side}_knee")] = roma.rotvec_to_rotmat(rotvec(np.pi / 2, 0, 0))
        rotmats[0, SMPL_JOINTS.index(f"{side}_shoulder")] = roma.rotvec_to_rotmat(rotvec(0, 0, -sign * np.pi / 2))
        rotmats[0, SMPL_JOINTS.index(f"{side}_elbow")] = roma.rotvec_to_rotmat(rotvec(0, -sign * 2.2, 0))
    joints = forward(rotmats, rest)[0]
    assert joints[SMPL_JOINTS.index("left_knee"), 2] > 0.25  # thighs forward
    assert joints[SMPL_JOINTS.index("left_ankle"), 1] < joints[SMPL_JOINTS.index("left_knee"), 1] - 0.3
    found, _ = dik.solve_dik(joints[None], rest)
    assert degrees_between(found, rotmats).max() < 1e-6


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("joints", FORMS)
@pytest.mark.parametrize("device", DEVICES)
def test_values_and_gradients_are_finite_everywhere(joints, dtype, device):
    rest = rest_of("open body", joints, dtype).to(device)
    generator = torch.Generator().manual_seed(9)
    cases = torch.stack(list(degenerate_poses(rest).values()))
    random = torch.rand(len(cases), joints, generator=generator).to(rest)
    for weights in (None, random, (random > 0.5).to(rest), random * 0):
        seen, at_rest = cases.clone().requires_grad_(), rest.clone().requires_grad_()
        rotmats, root = dik.solve_dik(seen, at_rest, weights)
        interpolated = dik.interpolate_twist(rotmats, at_rest)
        for result in (rotmats, interpolated):
            assert torch.isfinite(result).all()
            assert (result @ result.mT - torch.eye(3).to(rest)).abs().max() < (3e-5 if dtype == torch.float32 else 1e-12)
            assert (torch.linalg.det(result) > 0.99).all()
            direction = torch.randn(result.shape, generator=generator).to(rest)
            gradients = torch.autograd.grad((result * direction).sum() + root.sum(), (seen, at_rest), retain_graph=True)
            assert all(torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("joints", FORMS)
def test_gradients_agree_with_finite_differences(joints):
    rest = rest_of("smpl-like", joints)
    generator = torch.Generator().manual_seed(10)
    seen = (rest + 0.05 * torch.randn(1, joints, 3, generator=generator, dtype=torch.float64)).requires_grad_()
    weights = 0.3 + 0.7 * torch.rand(1, joints, generator=generator, dtype=torch.float64)
    direction = torch.randn(24, 3, 3, generator=generator, dtype=torch.float64)
    for chosen in (None, weights):
        assert torch.autograd.gradcheck(
            lambda seen, rest, chosen=chosen: (dik.solve_dik(seen, rest, chosen)[0] * direction).sum((-1, -2)),
            (seen, rest.clone().requires_grad_()),
            atol=1e-5,
        )


def test_gradient_descent_reduces_the_joint_error():
    """A step against the gradient lowers the error: DIK works as a layer."""
    rest = rest_of("smpl-like")
    target = forward(poses(8, spread=0.3, seed=11), rest)
    seen = (target + 0.03 * torch.randn(target.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)).requires_grad_()
    optimizer, errors = torch.optim.Adam([seen], lr=2e-3), []
    for _ in range(30):
        optimizer.zero_grad()
        error = (posed_joints(seen, rest) - target).norm(dim=-1).mean()
        error.backward()
        optimizer.step()
        errors.append(error.item())
    assert errors[-1] < 0.25 * errors[0]


def test_bones_of_joints_without_weight_stay_at_rest():
    rest = rest_of("smpl-like")
    seen = forward(poses(50, spread=0.4, seed=12), rest)
    weights = torch.ones(50, 24)
    weights[:, [SMPL_JOINTS.index("left_wrist"), SMPL_JOINTS.index("right_foot")]] = 0
    all_seen, _ = dik.solve_dik(seen, rest)
    found, _ = dik.solve_dik(seen, rest, weights)
    still = [SMPL_JOINTS.index(name) for name in ("left_wrist", "right_ankle")]
    assert degrees_between(found[:, still], torch.eye(3, dtype=torch.float64)).max() < 1e-6
    forearm = forward(found, rest)[:, 20] - forward(found, rest)[:, 18]
    world = dik.global_rotmats(found)
    upper_arm_frame = (world["left_shoulder"].mT @ forearm[..., None])[..., 0]
    torch.testing.assert_close(upper_arm_frame, (rest[20] - rest[18]).expand(50, 3), atol=1e-9, rtol=0)
    elsewhere = [
        SMPL_JOINTS.index(name) for name in ("pelvis", "spine3", "neck", "right_hip", "left_knee", "right_shoulder", "right_elbow")
    ]
    torch.testing.assert_close(found[:, elsewhere], all_seen[:, elsewhere], atol=1e-12, rtol=0)


def test_zero_weights_give_the_rest_pose():
    rest = rest_of("smpl-like")
    seen = forward(poses(5, seed=13), rest)
    for chosen, at_rest in ((seen, rest), (seen[:, :17], rest_of("smpl-like", 17))):
        found, _ = dik.solve_dik(chosen, at_rest, torch.zeros(chosen.shape[:2]))
        assert degrees_between(found, torch.eye(3, dtype=torch.float64)).max() < 1e-6


def ten_units(rotmats, rest, bend_joint="spine1"):
    """h36m17 points (F,17,3) and at rest of a skeleton whose spine bends at one joint only, spine and thorax being rigid parts."""
    joints = forward(rotmats, rest)
    rotations = dik.global_rotmats(rotmats)
    head = torch.stack([rest[15] + torch.tensor([0, 0.03, 0.1]), rest[15] + torch.tensor([0, 0.17, 0])]) - rest[12]

    def points(joints, neck):
        at = dict(zip(SMPL_JOINTS, joints.unbind(-2)))
        nose, top = ((neck @ offset + at["neck"]) for offset in head)
        at.update(hip=at["pelvis"], spine=at[bend_joint], thorax=at["neck"], nose=nose, head_top=top)
        return torch.stack([at[name] for name in H36M17], -2)

    return points(joints, rotations["neck"]), points(rest, torch.eye(3, dtype=torch.float64))


def test_ten_units_are_exact_on_17_joints_if_alone():
    rest = rest_of("smpl-like")
    rotmats = poses(300, seed=14)
    moving = ["pelvis", "spine1", "neck", *(limb.upper for limb in dik.LIMBS), *(limb.middle for limb in dik.LIMBS)]
    rotmats[:, [i for i, name in enumerate(SMPL_JOINTS) if name not in moving]] = torch.eye(3, dtype=torch.float64)
    seen, at_rest = ten_units(rotmats, rest)
    found, _ = dik.solve_dik(seen, at_rest, spine_fractions=(1.0, 0.0, 0.0))
    exact = [SMPL_JOINTS.index(name) for name in ("pelvis", "spine1", "spine2", "spine3", "neck")]
    assert degrees_between(found[:, exact], rotmats[:, exact]).max() < 1e-6
    again, _ = ten_units(found, rest)
    assert (again - seen).norm(dim=-1).max() < 1e-12


@pytest.mark.parametrize("joint", ["spine2", "spine3"])
def test_unobservable_error_on_17_joints_is_as_documented(joint):
    """With collars and spine joints rotated by 20 degrees, neck and shoulders are off by 2 to 4 cm, whichever joint is the spine."""
    rest = rest_of("smpl-like")
    rotmats = poses(1000, spread=np.radians(20) / 3**0.5, seed=15)
    seen, at_rest = ten_units(rotmats, rest, bend_joint=joint)
    found, _ = dik.solve_dik(seen, at_rest)
    again, _ = ten_units(found, rest, bend_joint=joint)
    missed = (again - seen).norm(dim=-1)[:, [H36M17.index(name) for name in ("thorax", "left_shoulder", "right_shoulder")]]
    assert 0.02 < missed.mean() < 0.04


def test_the_bend_is_spread_evenly_over_the_spine():
    rest = rest_of("smpl-like", 17)
    seen = rest + 0.05 * torch.randn(20, 17, 3, generator=torch.Generator().manual_seed(16), dtype=torch.float64)
    found, _ = dik.solve_dik(seen, rest)
    torch.testing.assert_close(found[:, 3], found[:, 6], atol=1e-10, rtol=0)
    torch.testing.assert_close(found[:, 3], found[:, 9], atol=1e-10, rtol=0)
    whole, _ = dik.solve_dik(seen, rest, spine_fractions=(1.0, 0.0, 0.0))
    torch.testing.assert_close(found[:, 3] @ found[:, 6] @ found[:, 9], whole[:, 3], atol=1e-10, rtol=0)
    assert sum(dik.SPINE_FRACTIONS) == pytest.approx(1)


def test_a_nose_on_the_head_axis_does_not_spin_it():
    """In skeletons that call the base of the skull a nose, the head swings, and 1 cm of noise does not spin it."""
    rest = rest_of("smpl-like", 17)
    rest[H36M17.index("nose")] = 0.5 * (rest[H36M17.index("thorax")] + rest[H36M17.index("head_top")]) + torch.tensor([0, 0, 0.01])
    seen = rest + 0.01 * torch.randn(300, 17, 3, generator=torch.Generator().manual_seed(17), dtype=torch.float64)
    found, _ = dik.solve_dik(seen, rest)
    assert degrees_between(found[:, SMPL_JOINTS.index("neck")], torch.eye(3, dtype=torch.float64)).max() < 25


@pytest.mark.parametrize("device", DEVICES)
def test_devices_agree_and_keep_dtype(device):
    rest = rest_of("open body")
    joints = forward(poses(64, seed=19), rest)
    here, _ = dik.solve_dik(joints, rest)
    there, root = dik.solve_dik(joints.float().to(device), rest)
    assert there.device.type == device and there.dtype == root.dtype == torch.float32
    assert (forward(there.cpu(), rest.float()) - forward(here, rest)).abs().max() < 1e-3


def test_other_numbers_of_joints_are_refused():
    with pytest.raises(ValueError, match="24"):
        dik.solve_dik(torch.zeros(1, 22, 3), torch.zeros(22, 3))


def test_motion_capture_joints_are_given_back(recordings):
    """Motion capture, its own skeletons (coincident pelvis and spine1 included): every 50th frame of every tenth recording."""
    for recording in recordings[::10]:
        rest = torch.tensor(recording.rest_joints())
        joints = forward(torch.tensor(rotmat_from_quat(recording.quats[::50])), rest)
        assert (posed_joints(joints, rest) - joints).norm(dim=-1).max() < 1e-9
