"""PC-HMR's calibration: the properties of equations 6-13, at degenerate bones too, and a slow version of the equations."""

import numpy as np
import pytest
import torch

from blender_meshrec.bodies.joint_projector import JointProjector
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skeletons import H36M17
from blender_meshrec.methods.pc_hmr import BONES, Calibration, _rest_joints, initial_weights, transform_bones

FRAMES = 5


@pytest.fixture(scope="module")
def posed(template):
    """A body in double precision in two motions: vertices (F,V,3) and joints (F,17,3) of each."""
    body = make_body(template)
    projector = JointProjector(body).h36m17.double()
    rng = np.random.default_rng(0)
    found = []
    for betas in (np.zeros(10), rng.normal(0, 1, 10)):
        with torch.no_grad():
            vertices = body(betas, *(rng.normal(0, 0.4, (FRAMES, width)) for width in (3, 69)))[1].double()
        found.append((vertices, projector @ vertices))
    return found


@pytest.fixture(scope="module")
def calibration(template):
    return Calibration(*initial_weights(template)).double()


def directions(joints):
    ends = np.array(BONES)
    bones = joints[:, ends[:, 1]] - joints[:, ends[:, 0]]
    return bones / bones.norm(dim=-1, keepdim=True), bones.norm(dim=-1)


def test_initial_weights_are_as_in_the_paper(template):
    weights, fraction = initial_weights(template)
    assert np.abs(weights.sum(1) - 1).max() < 1e-6 and weights.min() >= 0
    assert fraction.min() == 0 and fraction.max() == 1
    # A foot moves with its shin, a hand with its forearm.
    for joint, child in (("left_foot", "left_ankle"), ("right_hand", "right_wrist")):
        rows = template.lbs_weights[:, template.joint_names.index(joint)] > 0.9
        assert rows.any() and weights[rows][:, [H36M17[end] for _, end in BONES].index(child)].min() > 0.9


def test_equal_poses_leave_the_mesh_unchanged(calibration, posed):
    vertices, joints = posed[0]
    with torch.no_grad():
        assert (calibration(vertices, joints, joints) - vertices).abs().max() < 1e-9  # m


def test_parents_are_mapped_exactly_and_children_if_w_is_one(posed):
    (_, joints), (_, target) = posed
    moved = transform_bones(joints, target)
    for row, (parent, child) in enumerate(BONES):
        for joint, fraction in ((parent, 0), (child, 1)):
            place = (moved.psi[:, row] @ joints[:, joint, :, None])[..., 0] + moved.translation[:, row] + fraction * moved.delta[:, row]
            assert (place - target[:, joint]).abs().max() < 1e-9


def test_delta_is_zero_or_along_the_target_bone(posed):
    (_, joints), (_, target) = posed
    towards, lengths = directions(target)
    _, own = directions(joints)
    delta = transform_bones(joints, target).delta
    assert (delta - (lengths - own)[..., None] * towards).abs().max() < 1e-6
    turned = joints @ torch.as_tensor(rotmat_from_rotvec([0.3, -0.2, 0.9])).T
    assert transform_bones(joints, turned).delta.abs().max() < 1e-6


def test_calibration_is_equivariant_to_rigid_motion(calibration, posed):
    (vertices, joints), (_, target) = posed
    turn, shift = torch.as_tensor(rotmat_from_rotvec([0.5, 1.1, -0.4])), torch.tensor([0.3, -2.0, 5.0], dtype=torch.float64)
    with torch.no_grad():
        plain = calibration(vertices, joints, target)
        moved = calibration(*(each @ turn.T + shift for each in (vertices, joints, target)))
        away = calibration(vertices, joints, target + shift)
    assert (moved - plain @ turn.T - shift).abs().max() < 1e-6
    assert (away - plain - shift).abs().max() < 1e-9


def test_it_agrees_with_the_equations_vertex_by_vertex(calibration, posed):
    (vertices, joints), (_, target) = posed
    with torch.no_grad():
        fast = calibration(vertices, joints, target).numpy()
    A, W = (each.detach().numpy() for each in (calibration.A, calibration.W))
    for frame, vertex in ((0, 0), (1, 5000), (4, 12000)):
        slow = np.zeros(3)
        for bone, (parent, child) in enumerate(BONES):
            J, K = joints[frame].numpy(), target[frame].numpy()
            b, t = J[parent] - J[child], K[parent] - K[child]
            across = np.cross(b, t)
            angle = np.arccos(b @ t / np.linalg.norm(b) / np.linalg.norm(t))
            x, y, z = across / np.linalg.norm(across)
            phi, hat = np.array([x, y, z]), np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
            psi = np.cos(angle) * np.eye(3) + (1 - np.cos(angle)) * np.outer(phi, phi) + np.sin(angle) * hat
            T = K[parent] - psi @ J[parent]
            delta = K[child] - (psi @ J[child] + T)
            slow += A[vertex, bone] * (psi @ vertices[frame, vertex].numpy() + T + W[vertex, bone] * delta)
        assert np.abs(fast[frame, vertex] - slow).max() < 1e-6


def test_the_non_rigid_term_changes_only_unequal_bones(calibration, posed):
    (vertices, joints), (_, target) = posed
    with torch.no_grad():
        rigid = calibration(vertices, joints, target, nonrigid=False)
        stretched = calibration(vertices, joints, target)
        equal = joints @ torch.as_tensor(rotmat_from_rotvec([0.3, -0.2, 0.9])).T
        assert (calibration(vertices, joints, equal, nonrigid=False) - calibration(vertices, joints, equal)).abs().max() < 1e-6
    assert (rigid - stretched).abs().max() > 1e-3


@pytest.mark.parametrize("turn", [0.0, np.pi, 1e-9, np.pi - 1e-9])
def test_parallel_and_opposite_bones_are_finite_with_finite_gradients(turn):
    joints = torch.as_tensor(np.random.default_rng(2).normal(size=(1, 17, 3)), dtype=torch.float64).requires_grad_()
    target = (joints @ torch.as_tensor(rotmat_from_rotvec([0.0, 0.0, turn])).T).detach()
    target[:, 2] = joints.detach()[:, 1] - (joints.detach()[:, 2] - joints.detach()[:, 1])  # one bone in the opposite direction
    target.requires_grad_()
    moved = transform_bones(joints, target)
    total = sum(each.square().sum() for each in (moved.psi, moved.translation, moved.delta))
    gradients = torch.autograd.grad(total, (joints, target))
    assert all(each.isfinite().all() for each in (moved.psi, moved.delta, *gradients))
    assert (moved.psi @ moved.psi.mT - torch.eye(3).double()).abs().max() < 1e-9


def test_bones_without_length_are_not_rotated():
    joints = torch.zeros(1, 17, 3, dtype=torch.float64)
    target = torch.as_tensor(np.random.default_rng(3).normal(size=(1, 17, 3)))
    for pair in ((joints, target), (target, joints)):
        moved = transform_bones(*pair)
        assert moved.psi.isfinite().all() and moved.delta.isfinite().all()
        assert (moved.psi - torch.eye(3).double()).abs().max() < 1e-6


def test_gradients_reach_weights_and_poses(template, posed):
    rows = np.arange(0, len(template.v_template), 700)
    calibration = Calibration(*(each[rows] for each in initial_weights(template))).double()
    (vertices, joints), (_, target) = ([each[:1] for each in part] for part in posed)
    inputs = vertices[:, rows].clone().requires_grad_(), joints.clone().requires_grad_(), target.clone().requires_grad_()
    assert torch.autograd.gradcheck(calibration, inputs, eps=1e-6, atol=1e-4)
    calibration(*inputs).square().sum().backward()
    assert calibration.logits.grad.abs().max() > 0 and calibration.W.grad.abs().max() > 0


def test_projected_joints_are_near_the_body_joints(template):
    body = make_body(template)
    projector = JointProjector(body).h36m17_image
    rng = np.random.default_rng(5)
    with torch.no_grad():
        arguments = rng.normal(0, 0.7, 10), rng.normal(0, 0.4, (20, 3)), rng.normal(0, 0.3, (20, 69))
        apart = (projector @ body(*arguments)[1] - body.h36m17(*arguments)).norm(dim=-1)
    assert torch.allclose(projector.sum(1), torch.ones(17), atol=1e-5)
    assert apart.mean() < 0.005 and apart.max() < 0.03


def test_self_rotation_turns_bones_about_themselves(posed):
    (_, joints), (_, target) = posed
    spin = torch.full((FRAMES, len(BONES)), 0.3, dtype=torch.float64)
    plain, spun = transform_bones(joints, target), transform_bones(joints, target, spin)
    along, _ = directions(target)
    assert (spun.delta - plain.delta).abs().max() < 1e-9
    turn = spun.psi @ plain.psi.mT
    assert ((turn @ along[..., None])[..., 0] - along).abs().max() < 1e-9
    assert (turn.diagonal(dim1=-2, dim2=-1).sum(-1) - 1 - 2 * np.cos(0.3)).abs().max() < 1e-9


def test_the_initial_shift_of_skin_grows_along_each_bone(template):
    """W is 0 at a bone's parent and beyond, 1 at its child and beyond, and in between the fraction of the way."""
    _, W = initial_weights(template)
    rest = _rest_joints(template)
    for column, (parent, child) in enumerate(BONES):
        start, along = rest[parent], rest[child] - rest[parent]
        fraction = [np.dot(vertex - start, along) / np.dot(along, along) for vertex in template.v_template[::9]]
        np.testing.assert_allclose(W[::9, column], np.clip(fraction, 0, 1), atol=1e-6)
