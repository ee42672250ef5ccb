"""The body's forward against the smplx package and finite differences, and its invariances."""

import contextlib
import io
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from blender_meshrec.bodies.chunking import run_in_chunks
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bodies.smpl import Smpl
from blender_meshrec.core.files.body_template import body_from_arrays, load_body
from blender_meshrec.core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from blender_meshrec.core.skeletons import H36M17
from tests.support.synthetic_template import random_pose, smpl_arrays, synthetic_template

DEVICES = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])
FRAMES = 7


def smplx_oracle(arrays, betas, global_orient, body_pose, transl):
    """The smplx package's SMPL, fed through data_struct."""
    smplx = pytest.importorskip("smplx")
    tensor = torch.as_tensor
    with contextlib.redirect_stdout(io.StringIO()):
        # Its 21 extra joints are vertices of SMPL's own topology: point them all at vertex 0.
        ids = dict.fromkeys(smplx.vertex_ids.vertex_ids["smplh"], 0)
        layer = smplx.SMPL("", data_struct=SimpleNamespace(**arrays), vertex_ids=ids, dtype=torch.float64, batch_size=len(transl))
    output = layer(
        betas=tensor(betas).expand(len(transl), -1), global_orient=tensor(global_orient), body_pose=tensor(body_pose), transl=tensor(transl)
    )
    return output.joints[:, : arrays["J_regressor"].shape[0]].detach().numpy(), output.vertices.detach().numpy()


def inputs(seed=0, frames=FRAMES, joints=24):
    rng = np.random.default_rng(seed)
    return rng.normal(size=10), *random_pose(rng, frames, joints)


def max_distance(a, b):
    """The largest distance between points, metres."""
    return np.linalg.norm(np.asarray(a.detach().cpu() if torch.is_tensor(a) else a) - np.asarray(b), axis=-1).max()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("posedirs", [True, False])
def test_forward_agrees_with_the_smplx_package(device, posedirs):
    arrays = smpl_arrays(seed=1, posedirs=posedirs)
    body = Smpl(body_from_arrays(arrays, "body"), device)
    for seed in range(3):
        joints, vertices = body(*inputs(seed))
        expected_joints, expected_vertices = smplx_oracle(arrays, *inputs(seed))
        assert max_distance(joints, expected_joints) < 1e-5  # m
        assert max_distance(vertices, expected_vertices) < 1e-5  # m


@pytest.mark.parametrize("device", DEVICES)
def test_the_open_body_agrees_with_the_smplx_package(device):
    template = load_body("open")
    arrays = {
        "v_template": template.v_template.astype(float),
        "f": template.faces,
        "shapedirs": template.shapedirs.astype(float),
        "posedirs": np.zeros((len(template.v_template), 3, 207)) if template.posedirs is None else template.posedirs.astype(float),
        "J_regressor": template.J_regressor,
        "kintree_table": np.stack([template.parents, np.arange(24)]),
        "weights": template.lbs_weights.astype(float),
    }
    for found, expected in zip(make_body(template, device)(*inputs(3)), smplx_oracle(arrays, *inputs(3))):
        assert max_distance(found, expected) < 1e-5  # m


@pytest.mark.parametrize("joints", [52, 55])
def test_bodies_with_fingers_agree_with_our_own_skinning(joints):
    pytest.importorskip("smplx")
    # SMPL-X's extra joints are fixed vertices of its own topology, so the body needs as many.
    template = synthetic_template(seed=2, joints=joints, vertices=10475 if joints == 55 else 700, posedirs=joints == 52)
    body = make_body(template)
    assert type(body) is not Smpl
    arguments = inputs(4, 3, joints)
    for served, own in zip(body(*arguments), Smpl(template)(*arguments)):
        assert max_distance(served, own.numpy()) < 1e-5  # m
    assert max_distance(body.joints(*arguments), body(*arguments)[0].numpy()) < 1e-5  # m
    # The first 66 values move a hand-bearing body as they move SMPL.
    flat = arguments[2].copy()
    flat[:, 63:] = 0
    without_fingers = body.joints(arguments[0], arguments[1], flat, arguments[3])
    assert max_distance(without_fingers[:, :22], body.joints(*arguments)[:, :22].numpy()) < 1e-5  # m


def test_rest_pose_is_the_template():
    template = synthetic_template(seed=5)
    betas = np.random.default_rng(5).normal(size=10)
    joints, vertices = Smpl(template)(betas, np.zeros((1, 3)), np.zeros((1, 69)))
    assert max_distance(vertices[0], template.rest(betas)[0]) < 1e-6  # m
    assert max_distance(joints[0], template.rest(betas)[1]) < 1e-6  # m


def test_joints_and_landmarks_agree_with_the_whole_body():
    template = synthetic_template(seed=6)
    body = Smpl(template)
    joints, vertices = body(*inputs(6))
    assert max_distance(body.joints(*inputs(6)), joints.numpy()) < 1e-6  # m
    assert max_distance(body.landmarks(*inputs(6)), vertices[:, list(template.landmarks.values())].numpy()) < 1e-6  # m
    names = ("left_heel", "nose")
    chosen = vertices[:, [template.landmarks[name] for name in names]]
    assert max_distance(body.landmarks(*inputs(6), names=names), chosen.numpy()) < 1e-6  # m


def test_h36m17_points_agree_with_joints_and_landmarks():
    template = synthetic_template(seed=7)
    body = Smpl(template)
    joints, vertices = (part.numpy() for part in body(*inputs(7)))
    points = dict(zip(H36M17, body.h36m17(*inputs(7)).numpy().swapaxes(0, 1)))
    joint = dict(zip(template.joint_names, joints.swapaxes(0, 1)))
    for side in ("left", "right"):
        for name in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist"):
            assert max_distance(points[f"{side}_{name}"], joint[f"{side}_{name}"]) < 1e-6  # m
    hips, shoulders = ((joint[f"left_{name}"] + joint[f"right_{name}"]) / 2 for name in ("hip", "shoulder"))
    assert max_distance(points["hip"], hips) < 1e-5 and max_distance(points["thorax"], shoulders) < 1e-5  # m
    assert max_distance(points["spine"], (hips + shoulders) / 2) < 1e-5  # m
    for name in ("nose", "head_top"):
        assert max_distance(points[name], vertices[:, template.landmarks[name]]) < 1e-5  # m


def test_rigid_motion_of_the_root_moves_all_points():
    template = synthetic_template(seed=8)
    body = Smpl(template)
    betas, global_orient, body_pose, transl = inputs(8)
    turn = rotmat_from_rotvec([0.3, -1.1, 0.7])
    root = template.rest_joints(betas)[0]
    turned = rotvec_from_rotmat(turn @ rotmat_from_rotvec(global_orient))
    for before, after in zip(body(betas, global_orient, body_pose), body(betas, turned, body_pose, transl)):
        assert max_distance(after, (before.numpy() - root) @ turn.T + root + transl[:, None]) < 1e-5  # m


def test_matrices_and_rotation_vectors_give_the_same_pose():
    body = Smpl(synthetic_template(seed=9))
    betas, global_orient, body_pose, transl = inputs(9)
    matrices = rotmat_from_rotvec(global_orient), rotmat_from_rotvec(body_pose.reshape(FRAMES, -1, 3))
    for one, other in zip(body(betas, global_orient, body_pose, transl), body(betas, *matrices, transl)):
        assert max_distance(one, other.numpy()) < 1e-5  # m


def test_betas_are_broadcast_over_frames_and_padded():
    body = Smpl(synthetic_template(seed=10))
    betas, *pose = inputs(10)
    for other in (np.tile(betas, (FRAMES, 1)), betas[None]):
        assert max_distance(body(betas, *pose, chunk=2)[1], body(other, *pose, chunk=3)[1].numpy()) < 1e-6  # m
    assert max_distance(body(betas[:3], *pose)[1], body([*betas[:3], *[0] * 7], *pose)[1].numpy()) < 1e-6  # m


@pytest.mark.parametrize("chunk", [1, 3, 7, 100])
def test_chunk_size_has_no_influence(chunk):
    body = Smpl(synthetic_template(seed=11))
    for piece, whole in zip(body(*inputs(11), chunk=chunk), body(*inputs(11))):
        assert max_distance(piece, whole.numpy()) < 1e-6  # m


def test_gradients_agree_with_finite_differences():
    body = Smpl(synthetic_template(seed=12, vertices=30), dtype=torch.float64)
    arguments = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in inputs(12, 2)]
    assert torch.autograd.gradcheck(lambda *values: body(*values, chunk=1), arguments, eps=1e-6, atol=1e-6)
    assert torch.autograd.gradcheck(body.h36m17, arguments, eps=1e-6, atol=1e-6)


def test_gradients_are_finite_and_correct_at_rest():
    """Every fit starts at the rest pose, where a naive axis-angle formula has no derivative."""
    body = Smpl(synthetic_template(seed=13, vertices=30), dtype=torch.float64)
    pose = torch.zeros(1, 69, dtype=torch.float64, requires_grad=True)
    fixed = torch.zeros(10, dtype=torch.float64), torch.zeros(1, 3, dtype=torch.float64)
    weights = torch.tensor(np.random.default_rng(13).normal(size=(1, 24, 3)))
    (gradient,) = torch.autograd.grad((body.joints(*fixed, pose) * weights).sum(), pose)
    step = 1e-4
    for index in range(0, 69, 7):
        shift = torch.zeros_like(pose)
        shift[0, index] = step
        difference = ((body.joints(*fixed, pose + shift) - body.joints(*fixed, pose - shift)) * weights).sum() / (2 * step)
        assert abs(gradient[0, index] - difference) < 1e-6  # m/rad


def test_a_full_graphics_card_leads_to_smaller_chunks():
    sizes = []

    def function(rows):
        if rows.stop - rows.start > 3:
            raise torch.OutOfMemoryError
        sizes.append(rows.stop - rows.start)
        return (torch.arange(rows.start, rows.stop),)

    assert run_in_chunks(function, 20, 16)[0].tolist() == list(range(20))
    assert max(sizes) <= 3
    with pytest.raises(torch.OutOfMemoryError):
        run_in_chunks(lambda rows: function(slice(0, 9)), 4, 4)

    def full_later(rows):
        if rows.stop > 3:
            raise torch.OutOfMemoryError
        return (torch.arange(rows.start, rows.stop),)

    with pytest.raises(torch.OutOfMemoryError):  # at the fourth row, alone, too
        run_in_chunks(full_later, 8, 4)
