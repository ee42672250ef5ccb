"""SKEL's angles become an SMPL motion whose skin agrees; unsuitable bodies are refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bodies.skel import Skel
from blender_meshrec.core.errors import InputError
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.skel.template import load_skel
from blender_meshrec.core.skel.vocabulary import DOF_LIMITS, NUM_DOFS, SKEL_JOINTS
from blender_meshrec.core.skeletons import SMPL_JOINTS
from blender_meshrec.methods.skel_to_smpl import _SKEL_BONES, _SkinProblem, _SmplFit, convert_skel_to_smpl
from tests.support.synthetic_skel import synthetic_skel


def angles(frames, seed=0):
    """Angles near the middle of their ranges with a heading, and translations: (F,46) rad and (F,3) m."""
    rng = np.random.default_rng(seed)
    low, high = np.clip(DOF_LIMITS, -0.8, 0.8).T
    q = 0.6 * rng.uniform(low, high, (frames, NUM_DOFS))
    q[:, 2] = np.linspace(0, 3, frames)
    return q, rng.normal(0, 1, (frames, 3))


def test_the_fitted_skin_agrees_with_skel(body, skel):
    (q, place), betas = angles(8), np.random.default_rng(3).normal(0, 0.7, 10)
    found = convert_skel_to_smpl(skel, body, q, betas, place)
    with torch.no_grad():
        made = body(betas, found.poses[:, :3], found.poses[:, 3:], found.trans)[1]
        apart = (made - skel(q, betas, place).vertices).norm(dim=-1).numpy()
    assert np.abs(apart.mean(1) - found.pve).max() < 1e-5 and np.abs(apart.max(1) - found.max_pve).max() < 1e-4  # m
    assert found.pve.mean() < 0.006 and found.max_pve.max() < 0.04


def test_a_body_without_pose_blend_shapes_is_fitted_without(skel):
    template = replace(load_body(), posedirs=None)
    assert _SmplFit(skel, make_body(template), np.zeros(10)).posedirs is None
    (q, place), betas = angles(2), np.zeros(10)
    assert convert_skel_to_smpl(skel, make_body(template), q, betas, place).pve.mean() < 0.02  # m


def test_gradients_without_blend_shapes_agree_with_finite_differences(body, skel):
    fit = _SmplFit(Skel(load_skel(), dtype=torch.float64), make_body(load_body()).double(), np.zeros(10))
    fit.posedirs = None
    rng = np.random.default_rng(0)
    turns = torch.as_tensor(rng.normal(0, 0.2, (1, 75)))
    start = torch.eye(3).double().expand(1, 24, 3, 3)
    problem = _SkinProblem(fit, torch.as_tensor(rng.normal(0, 0.5, (1, len(fit.vertices), 3))), start)
    frames, x = torch.arange(1), torch.cat([start.flatten(1), torch.zeros(1, 3).double()], 1)
    x = problem.apply_step(x, turns)
    _, gradient, _ = problem.linearize(x, frames)
    for unknown in (0, 4, 13, 50, 74):
        step = torch.zeros(1, 75).double()
        step[0, unknown] = 1e-5
        expected = (problem.energy(problem.apply_step(x, step), frames) - problem.energy(problem.apply_step(x, -step), frames)) / 2e-5
        assert abs(2 * gradient[0, unknown] - expected[0]) < 1e-5 * max(1, abs(expected[0]))


def test_bodies_of_different_meshes_are_refused(body):
    with pytest.raises(InputError, match="different skins"):
        convert_skel_to_smpl(Skel(synthetic_skel()), body, np.zeros((1, NUM_DOFS)), np.zeros(10), np.zeros((1, 3)))


def test_progress_is_reported_and_can_cancel(body, skel):
    def stop(done, total):
        assert total == 2
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert_skel_to_smpl(skel, body, *(angles(2)[0], np.zeros(10), angles(2)[1]), on_progress=stop)


def test_joints_start_as_the_bones_of_skel_that_hold_them():
    """SMPL's spine2 and neck lie between two bones; clavicles and shoulders are scapulae and humeri."""
    expected = {"pelvis": "pelvis", "spine1": "lumbar_body", "spine2": "lumbar_body thorax", "spine3": "thorax", "neck": "thorax head"}
    expected |= {"head": "head", "hip": "femur", "knee": "tibia", "ankle": "calcn", "foot": "toes", "collar": "scapula"}
    expected |= {"shoulder": "humerus", "elbow": "ulna", "wrist": "hand", "hand": "hand"}
    for name, (first, last) in zip(SMPL_JOINTS, _SKEL_BONES, strict=True):
        side, _, joint = name.partition("_")
        bones = [f"{bone}_{side[0]}" if joint else bone for bone in expected[joint or name].split()]
        assert [SKEL_JOINTS[first], SKEL_JOINTS[last]] == [bones[0], bones[-1]], name
