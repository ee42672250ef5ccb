"""SKEL in torch: the published forward's numbers, the plain numpy version, and gradients against finite differences."""

import time

import numpy as np
import pytest
import torch

from blender_meshrec.bodies.skel import Skel, arc_displacement
from blender_meshrec.core.skel import kinematics as plain
from blender_meshrec.core.skel.template import load_skel, skel_from_arrays
from blender_meshrec.core.skel.vocabulary import SMPL_OF_SKEL
from tests.support.synthetic_skel import skel_arrays, synthetic_skel


@pytest.fixture(scope="module")
def template():
    return synthetic_skel()


@pytest.fixture(scope="module")
def body(template):
    return Skel(template, dtype=torch.float64)


def arguments(frames, seed=0, spread=0.5, many=False):
    rng = np.random.default_rng(seed)
    return rng.normal(0, spread, (frames, 46)), rng.normal(0, 1, (frames, 10) if many else 10), rng.normal(0, 1, (frames, 3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_agrees_with_the_published_forward(shared_vectors, dtype):
    body = Skel(load_skel(shared_vectors / "skel_small_male.pkl"), dtype=dtype)
    known = np.load(shared_vectors / "skel_small.npz")
    found = body(known["poses"], known["betas"], known["trans"])
    assert np.abs(found.joints.numpy() - known["joints"]).max() < 1e-5  # m
    assert np.abs(found.vertices.numpy() - known["skin_verts"]).max() < 1e-5  # m
    orientations = found.rotations @ body.bone_orientations(torch.as_tensor(known["betas"], dtype=dtype))
    assert np.abs(orientations.numpy() - known["joints_ori"]).max() < 1e-5


def test_it_agrees_with_the_numpy_version(template, body):
    q, betas, transl = arguments(7)
    found = body(q, betas, transl)
    pose = plain.skel_kinematics(q, template.rest_joints(betas), template.bone_frames(betas), transl)
    assert np.abs(found.joints.numpy() - pose.joints).max() < 1e-12  # m
    assert np.abs(found.rotations.numpy() - pose.rotations).max() < 1e-12
    # Skinning one vertex at a time.
    rest, rest_joints = template.rest_vertices(betas), template.rest_joints(betas)
    smpl = np.tile(np.eye(3), (7, 24, 1, 1))
    for joint, smpl_joint in enumerate(SMPL_OF_SKEL):
        smpl[:, smpl_joint] = pose.local_rotations[:, joint]
    for vertex in (0, 31, 59):
        corrected = rest[vertex] + np.einsum("ck,fk->fc", template.posedirs[vertex], (smpl[:, 1:] - np.eye(3)).reshape(7, -1))
        expected = transl * 0
        for joint in range(24):
            moved = np.einsum("fab,fb->fa", pose.rotations[:, joint], corrected - rest_joints[joint]) + pose.joints[:, joint]
            expected = expected + template.lbs_weights[vertex, joint] * moved
        assert np.abs(found.vertices[:, vertex].numpy() - expected).max() < 1e-6  # m, the file's own float32


def test_zero_angles_give_the_rest_body(template, body):
    betas = arguments(1)[1]
    found = body(np.zeros((2, 46)), betas, with_bones=True)
    assert np.abs(found.joints.numpy() - template.rest_joints(betas)).max() < 1e-12
    assert np.abs(found.vertices.numpy() - template.rest_vertices(betas)).max() < 1e-6
    assert np.abs(found.bone_vertices.numpy() - template.rest_bone_vertices(betas)).max() < 1e-6


def test_gradients_agree_with_finite_differences(body):
    few = body.subset([0, 30, 59])
    for seed, spread in ((0, 0.5), (1, 0.0), (2, 1e-4), (3, 0.1)):
        q, betas, transl = (torch.tensor(value, requires_grad=True) for value in arguments(2, seed, spread))

        def pose(q, betas, transl):
            found = body(q, betas, transl, skin=few, with_bones=True)
            return found.joints, found.rotations, found.vertices, found.bone_vertices[:, ::7]

        assert torch.autograd.gradcheck(pose, (q, betas, transl), eps=1e-6, atol=1e-6, fast_mode=True)


def test_gradients_are_finite_at_rest_and_extreme_angles():
    body = Skel(synthetic_skel(), dtype=torch.float32)
    for value in (0.0, -0.0, 1e-30, 0.1, np.pi, -2 * np.pi, 50.0):
        q = torch.full((2, 46), value, requires_grad=True)
        betas = torch.zeros(10, requires_grad=True)
        found = body(q, betas, with_bones=True)
        (found.vertices.sum() + found.bone_vertices.sum() + found.joints.sum()).backward()
        assert torch.isfinite(q.grad).all() and torch.isfinite(betas.grad).all()


def test_the_arc_is_smooth_where_its_series_begins():
    angle = torch.tensor([0.0, 1e-8, 1e-3, 0.0999999, 0.1, 0.1000001, -0.1, 1.0], dtype=torch.float64)
    for found, expected in zip(arc_displacement(angle), plain.arc_end(angle.numpy())):
        assert np.abs(found.numpy() - expected).max() < 1e-14


def test_chunks_shapes_per_frame_and_subsets_agree(body):
    q, betas, transl = arguments(9, many=True)
    whole = body(q, betas, transl, with_bones=True)
    chunks = body(q, betas, transl, with_bones=True, chunk=4)
    few = body(q, betas, transl, skin=body.subset([5, 2]))
    for one, other in zip(whole, chunks):
        assert (one - other).abs().max() < 1e-12
    assert (few.vertices - whole.vertices[:, [5, 2]]).abs().max() < 1e-12
    for frame in range(9):
        alone = body(q[frame : frame + 1], betas[frame], transl[frame : frame + 1])
        assert (alone.vertices - whole.vertices[frame : frame + 1]).abs().max() < 1e-12
    assert (body.joints(q, betas, transl) - whole.joints).abs().max() < 1e-12
    bare = body(q, betas, transl, with_skin=False)
    assert bare.vertices is None and bare.bone_vertices is None
    fewer = body(q, betas[:, :3])
    assert (fewer.vertices - body(q, betas * (np.arange(10) < 3)).vertices).abs().max() < 1e-12


def test_zero_pose_blend_shapes_are_left_out():
    arrays = skel_arrays()
    with_corrections = Skel(skel_from_arrays(arrays, "with"))
    arrays["posedirs"] = np.zeros_like(arrays["posedirs"])
    without = Skel(skel_from_arrays(arrays, "without"))
    assert without.skin.posedirs is None
    q, betas, _ = arguments(2)
    assert (with_corrections(q, betas).vertices - without(q, betas).vertices).abs().max() > 1e-4


def test_angles_of_another_width_are_refused(body):
    with pytest.raises(ValueError, match="46"):
        body(np.zeros((2, 72)), np.zeros(10))


def test_a_thousand_frames_take_less_than_a_second(body):
    q, betas, transl = arguments(1000)
    body.joints(q, betas, transl)
    start = time.process_time()
    body.joints(q, betas, transl)
    assert time.process_time() - start < 1
